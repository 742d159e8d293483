//! A statement's message, as the macro hands it to the program: a format string of which each
//! placeholder says by index which stored value it shows.
//!
//! ```text
//! filled {0} lots at {1:.2}, {{{2:>3$}}}
//! ```
//!
//! One literal of text takes the compiler a good deal less than what it stands for, so it is read
//! when the statement runs first, and not by the compiler.

use super::{Align, Count, Piece, Sign, Spec, Style};

/// The pieces of a message. What is not one is text.
pub(crate) fn pieces(message: &'static str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = message;
    while !rest.is_empty() {
        let piece = match placeholder(rest) {
            Some((index, spec, behind)) => {
                rest = behind;
                Piece::Value(index, spec)
            }
            None => Piece::Literal(literal(&mut rest)),
        };
        pieces.push(piece);
    }
    pieces
}

/// Up to the next placeholder, with double braces made single.
fn literal(rest: &mut &'static str) -> &'static str {
    let whole = *rest;
    let mut end = 0;
    let mut braces = false;
    loop {
        let behind = &whole[end..];
        let Some(brace) = behind.find(['{', '}']) else {
            end = whole.len();
            break;
        };
        end += brace;
        let doubled = whole[end + 1..].starts_with(&whole[end..=end]);
        if !doubled && end > 0 && placeholder(&whole[end..]).is_some() {
            break;
        }
        braces |= doubled;
        end += 1 + usize::from(doubled);
    }
    *rest = &whole[end..];
    let text = &whole[..end];
    if braces {
        // As long as the statement, which is never forgotten.
        text.replace("{{", "{").replace("}}", "}").leak()
    } else {
        text
    }
}

/// The placeholder at the front: its value, its specification, and what stands behind it.
fn placeholder(text: &'static str) -> Option<(u16, Spec, &'static str)> {
    let mut reader = Reader {
        rest: text.strip_prefix('{')?,
    };
    let index = reader.number()?;
    let spec = if reader.eat(':') {
        reader.spec()?
    } else {
        Spec::DISPLAY
    };
    reader.eat('}').then_some((index, spec, reader.rest))
}

struct Reader {
    rest: &'static str,
}

impl Reader {
    fn eat(&mut self, char: char) -> bool {
        let rest = self.rest.strip_prefix(char);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn number(&mut self) -> Option<u16> {
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.rest.split_at(digits);
        let number = digits.parse().ok()?;
        self.rest = rest;
        Some(number)
    }

    fn spec(&mut self) -> Option<Spec> {
        let mut spec = Spec::DISPLAY;
        let mut ahead = self.rest.chars();
        if let (Some(fill), Some('<' | '^' | '>')) = (ahead.next(), ahead.next()) {
            spec.fill = fill;
            self.rest = &self.rest[fill.len_utf8()..];
        }
        let aligns = [
            ('<', Align::Left),
            ('^', Align::Center),
            ('>', Align::Right),
        ];
        let align = aligns.iter().find(|(char, _)| self.eat(*char));
        spec.align = align.map_or(Align::Unset, |&(_, align)| align);
        let signs = [('+', Sign::Plus), ('-', Sign::Minus)];
        let sign = signs.iter().find(|(char, _)| self.eat(*char));
        spec.sign = sign.map_or(Sign::Unset, |&(_, sign)| sign);
        spec.alternate = self.eat('#');
        // `0$` is a width, not the flag.
        spec.zero = !self.rest.starts_with("0$") && self.eat('0');
        spec.width = self.count();
        if self.eat('.') {
            spec.precision = self.count();
        }
        let end = self.rest.find('}')?;
        let (style, rest) = self.rest.split_at(end);
        let (_, style) = STYLES.iter().find(|(text, _)| *text == style)?;
        spec.style = *style;
        self.rest = rest;
        Some(spec)
    }

    fn count(&mut self) -> Count {
        match self.number() {
            None => Count::Unset,
            Some(index) if self.eat('$') => Count::Value(index),
            Some(number) => Count::Is(number),
        }
    }
}

const STYLES: [(&str, Style); 11] = [
    ("", Style::Display),
    ("?", Style::Debug),
    ("x?", Style::DebugLowerHex),
    ("X?", Style::DebugUpperHex),
    ("x", Style::LowerHex),
    ("X", Style::UpperHex),
    ("o", Style::Octal),
    ("b", Style::Binary),
    ("e", Style::LowerExp),
    ("E", Style::UpperExp),
    ("p", Style::Pointer),
];

/// The message of these pieces.
#[cfg(test)]
pub(crate) fn of(pieces: &[Piece]) -> String {
    let count = |count| match count {
        Count::Unset => String::new(),
        Count::Is(number) => number.to_string(),
        Count::Value(index) => format!("{index}$"),
    };
    let text = |piece: &Piece| match *piece {
        Piece::Literal(text) => text.replace('{', "{{").replace('}', "}}"),
        Piece::Value(index, Spec::DISPLAY) => format!("{{{index}}}"),
        Piece::Value(index, spec) => {
            let (align, fill) = match spec.align {
                Align::Unset => ("", String::new()),
                Align::Left => ("<", spec.fill.to_string()),
                Align::Center => ("^", spec.fill.to_string()),
                Align::Right => (">", spec.fill.to_string()),
            };
            let sign = match spec.sign {
                Sign::Unset => "",
                Sign::Plus => "+",
                Sign::Minus => "-",
            };
            let alternate = if spec.alternate { "#" } else { "" };
            let zero = if spec.zero { "0" } else { "" };
            let width = count(spec.width);
            let precision = match spec.precision {
                Count::Unset => String::new(),
                precision => format!(".{}", count(precision)),
            };
            let style = STYLES.iter().find(|(_, style)| *style == spec.style);
            let style = style.map_or("", |(text, _)| text);
            format!("{{{index}:{fill}{align}{sign}{alternate}{zero}{width}{precision}{style}}}")
        }
    };
    pieces.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const D: Spec = Spec::DISPLAY;

    #[test]
    fn text_and_placeholders_alternate() {
        assert_eq!(pieces(""), []);
        assert_eq!(pieces("started"), [Piece::Literal("started")]);
        assert_eq!(
            pieces("filled {0} at {12:?}"),
            [
                Piece::Literal("filled "),
                Piece::Value(0, D),
                Piece::Literal(" at "),
                Piece::Value(12, Spec::DEBUG),
            ]
        );
        assert_eq!(pieces("{1}{0}"), [Piece::Value(1, D), Piece::Value(0, D)]);
    }

    #[test]
    fn double_braces_are_single_ones_in_the_text_around_them() {
        assert_eq!(pieces("{{}}"), [Piece::Literal("{}")]);
        assert_eq!(
            pieces("a{{{0}}}b{{"),
            [
                Piece::Literal("a{"),
                Piece::Value(0, D),
                Piece::Literal("}b{")
            ]
        );
        assert_eq!(pieces("{{0}} ü"), [Piece::Literal("{0} ü")]);
    }

    #[test]
    fn every_specification_is_read_as_it_was_written() {
        let fills = [' ', '0', '<', '{', '}', 'ü', '🦀'];
        let aligns = [Align::Left, Align::Center, Align::Right];
        let signs = [Sign::Unset, Sign::Plus, Sign::Minus];
        let widths = [Count::Unset, Count::Is(7), Count::Value(0), Count::Value(3)];
        let precisions = [
            Count::Unset,
            Count::Is(0),
            Count::Is(u16::MAX),
            Count::Value(2),
        ];
        let mut aligned = vec![(' ', Align::Unset)];
        aligned.extend(
            fills
                .iter()
                .flat_map(|&fill| aligns.map(|align| (fill, align))),
        );
        for (fill, align) in aligned {
            for sign in signs {
                for (flags, width) in (0..4).flat_map(|flags| widths.map(|width| (flags, width))) {
                    for (precision, (_, style)) in precisions
                        .iter()
                        .flat_map(|&precision| STYLES.map(|style| (precision, style)))
                    {
                        let spec = Spec {
                            fill,
                            align,
                            sign,
                            alternate: flags & 1 != 0,
                            zero: flags & 2 != 0,
                            width,
                            precision,
                            style,
                        };
                        let written = [
                            Piece::Literal("a{}"),
                            Piece::Value(9, spec),
                            Piece::Literal("b"),
                        ];
                        let message = of(&written);
                        assert_eq!(pieces(message.clone().leak()), written, "{message}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_no_placeholder_is_text() {
        for text in [
            "{", "}", "a{b", "{x}", "{0", "{0:", "{0:y}", "{99999}", "{0:>", "{}",
        ] {
            assert_eq!(pieces(text), [Piece::Literal(text)]);
        }
    }
}
