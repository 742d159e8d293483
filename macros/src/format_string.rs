//! The grammar of format strings, as in [`std::fmt`].
//!
//! What is wrong with a format string that does not parse is not told here: the compiler is made
//! to say it, in its own words.

/// A piece of a format string.
#[derive(Debug, PartialEq)]
pub(crate) enum Piece {
    /// Text to be copied, with `{{` and `}}` resolved; never empty.
    Literal(String),
    /// A placeholder: the argument and how to render it.
    Placeholder(Argument, Spec<Argument>),
}

/// How a format string refers to an argument.
#[derive(Debug, PartialEq)]
pub(crate) enum Argument {
    /// `{2}`, or the position that `{}` stands for.
    Position(usize),
    /// `{name}`
    Name(String),
}

/// What stands behind a placeholder's colon. `A` is what stands for an argument.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spec<A> {
    pub(crate) fill: Option<char>,
    pub(crate) align: Option<Align>,
    pub(crate) sign: Option<Sign>,
    pub(crate) alternate: bool,
    pub(crate) zero: bool,
    pub(crate) width: Count<A>,
    pub(crate) precision: Count<A>,
    pub(crate) style: Style,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Align {
    Left,
    Center,
    Right,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Sign {
    Plus,
    Minus,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Count<A> {
    Unset,
    Is(u16),
    Argument(A),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Style {
    Display,
    Debug,
    DebugLowerHex,
    DebugUpperHex,
    LowerHex,
    UpperHex,
    Octal,
    Binary,
    LowerExp,
    UpperExp,
    Pointer,
}

impl<A> Spec<A> {
    /// `{}`
    pub(crate) const DISPLAY: Spec<A> = Spec {
        fill: None,
        align: None,
        sign: None,
        alternate: false,
        zero: false,
        width: Count::Unset,
        precision: Count::Unset,
        style: Style::Display,
    };

    /// The same specification, with arguments referred to in another way; `None` if `refer` knows
    /// no way for one of them.
    pub(crate) fn refer_by<B>(&self, mut refer: impl FnMut(&A) -> Option<B>) -> Option<Spec<B>> {
        let mut count = |count: &Count<A>| {
            Some(match count {
                Count::Unset => Count::Unset,
                Count::Is(number) => Count::Is(*number),
                Count::Argument(argument) => Count::Argument(refer(argument)?),
            })
        };
        Some(Spec {
            fill: self.fill,
            align: self.align,
            sign: self.sign,
            alternate: self.alternate,
            zero: self.zero,
            width: count(&self.width)?,
            precision: count(&self.precision)?,
            style: self.style,
        })
    }
}

/// The pieces of a format string, or `None` if it is not one.
pub(crate) fn parse(text: &str) -> Option<Vec<Piece>> {
    let mut parser = Parser {
        rest: text,
        next_position: 0,
    };
    let mut pieces = Vec::new();
    let mut literal = String::new();
    while let Some(char) = parser.bump() {
        match char {
            '{' if !parser.eat('{') => {
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                }
                pieces.push(parser.placeholder()?);
            }
            '}' if !parser.eat('}') => return None,
            _ => literal.push(char),
        }
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    Some(pieces)
}

struct Parser<'text> {
    rest: &'text str,
    /// What the next `{}` or `.*` refers to.
    next_position: usize,
}

impl<'text> Parser<'text> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let char = self.peek()?;
        self.rest = &self.rest[char.len_utf8()..];
        Some(char)
    }

    fn eat(&mut self, char: char) -> bool {
        let rest = self.rest.strip_prefix(char);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn eat_while(&mut self, belongs: impl Fn(char) -> bool) -> &'text str {
        let end = self
            .rest
            .find(|char| !belongs(char))
            .unwrap_or(self.rest.len());
        let (eaten, rest) = self.rest.split_at(end);
        self.rest = rest;
        eaten
    }

    /// From behind the opening brace to behind the closing one.
    fn placeholder(&mut self) -> Option<Piece> {
        let argument = self.argument()?;
        self.eat_while(char::is_whitespace);
        let spec = if self.eat(':') {
            self.spec()?
        } else {
            Spec::DISPLAY
        };
        self.eat_while(char::is_whitespace);
        if !self.eat('}') {
            return None;
        }
        // After the specification, since its `.*` comes first.
        let argument = argument.unwrap_or_else(|| self.take_position());
        Some(Piece::Placeholder(argument, spec))
    }

    /// A number or a name; `Some(None)` where there is neither.
    #[expect(clippy::option_option, reason = "absent is not the same as malformed")]
    fn argument(&mut self) -> Option<Option<Argument>> {
        Some(match self.peek() {
            Some('0'..='9') => Some(Argument::Position(usize::from(self.number()?))),
            Some(_) => match self.name() {
                "" => None,
                "_" => return None,
                name => Some(Argument::Name(name.to_owned())),
            },
            None => None,
        })
    }

    fn take_position(&mut self) -> Argument {
        let position = self.next_position;
        self.next_position += 1;
        Argument::Position(position)
    }

    fn number(&mut self) -> Option<u16> {
        self.eat_while(|char| char.is_ascii_digit()).parse().ok()
    }

    /// An identifier or a keyword; empty where there is none.
    ///
    /// All that is neither ASCII nor white space counts as part of a name: whether it may be is
    /// left to the compiler, which is handed the name as an identifier.
    fn name(&mut self) -> &'text str {
        if self.peek().is_some_and(|first| first.is_ascii_digit()) {
            return "";
        }
        self.eat_while(|char| match char {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => true,
            _ => !char.is_ascii() && !char.is_whitespace(),
        })
    }

    fn spec(&mut self) -> Option<Spec<Argument>> {
        let mut spec = Spec::DISPLAY;
        let mut ahead = self.rest.chars();
        if let (Some(fill), Some('<' | '^' | '>')) = (ahead.next(), ahead.next()) {
            spec.fill = Some(fill);
            self.bump();
        }
        spec.align = if self.eat('<') {
            Some(Align::Left)
        } else if self.eat('^') {
            Some(Align::Center)
        } else if self.eat('>') {
            Some(Align::Right)
        } else {
            None
        };
        spec.sign = if self.eat('+') {
            Some(Sign::Plus)
        } else if self.eat('-') {
            Some(Sign::Minus)
        } else {
            None
        };
        spec.alternate = self.eat('#');
        // `0$` is a width, not the flag.
        spec.zero = !self.rest.starts_with("0$") && self.eat('0');
        spec.width = self.count()?;
        if self.eat('.') {
            spec.precision = if self.eat('*') {
                Count::Argument(self.take_position())
            } else {
                self.count()?
            };
        }
        spec.style = self.style()?;
        Some(spec)
    }

    fn count(&mut self) -> Option<Count<Argument>> {
        if self.peek().is_some_and(|first| first.is_ascii_digit()) {
            let number = self.number()?;
            return Some(if self.eat('$') {
                Count::Argument(Argument::Position(usize::from(number)))
            } else {
                Count::Is(number)
            });
        }
        let start = self.rest;
        let name = self.name();
        if name.is_empty() || !self.eat('$') {
            // It was the style.
            self.rest = start;
            return Some(Count::Unset);
        }
        (name != "_").then(|| Count::Argument(Argument::Name(name.to_owned())))
    }

    fn style(&mut self) -> Option<Style> {
        if self.eat('?') {
            return Some(Style::Debug);
        }
        Some(match (self.name(), self.eat('?')) {
            ("", false) => Style::Display,
            ("x", true) => Style::DebugLowerHex,
            ("X", true) => Style::DebugUpperHex,
            ("x", false) => Style::LowerHex,
            ("X", false) => Style::UpperHex,
            ("o", false) => Style::Octal,
            ("b", false) => Style::Binary,
            ("e", false) => Style::LowerExp,
            ("E", false) => Style::UpperExp,
            ("p", false) => Style::Pointer,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(position: usize) -> Argument {
        Argument::Position(position)
    }

    fn name(name: &str) -> Argument {
        Argument::Name(name.to_owned())
    }

    fn literal(text: &str) -> Piece {
        Piece::Literal(text.to_owned())
    }

    fn display(argument: Argument) -> Piece {
        Piece::Placeholder(argument, Spec::DISPLAY)
    }

    /// The specification of the only placeholder.
    #[track_caller]
    fn spec(text: &str) -> Spec<Argument> {
        match parse(text).unwrap_or_default().pop() {
            Some(Piece::Placeholder(_, spec)) => spec,
            other => panic!("{text:?} gave {other:?}"),
        }
    }

    #[test]
    fn text_without_placeholders_is_one_literal() {
        assert_eq!(parse(""), Some(vec![]));
        assert_eq!(parse("plain ü 🦀"), Some(vec![literal("plain ü 🦀")]));
        assert_eq!(parse("{{}} {{x}}"), Some(vec![literal("{} {x}")]));
    }

    #[test]
    fn escaped_braces_join_the_text_around_them() {
        assert_eq!(
            parse("a{{{}}}b"),
            Some(vec![literal("a{"), display(position(0)), literal("}b")])
        );
        assert_eq!(
            parse("{{{{{x}"),
            Some(vec![literal("{{"), display(name("x"))])
        );
    }

    #[test]
    fn arguments_are_referred_to_in_turn_by_position_or_by_name() {
        assert_eq!(
            parse("{}{1}{}{x}{}{0}{_y}{type}{größe}"),
            Some(vec![
                display(position(0)),
                display(position(1)),
                display(position(1)),
                display(name("x")),
                display(position(2)),
                display(position(0)),
                display(name("_y")),
                display(name("type")),
                display(name("größe")),
            ])
        );
    }

    #[test]
    fn white_space_may_stand_behind_the_argument_and_before_the_closing_brace() {
        for text in [
            "{ }",
            "{\n\t}",
            "{: }",
            "{ : }",
            "{0 }",
            "{0 : }",
            "{0:\u{a0}}",
        ] {
            assert_eq!(parse(text), Some(vec![display(position(0))]), "{text:?}");
        }
        for text in ["{x }", "{x : }"] {
            assert_eq!(parse(text), Some(vec![display(name("x"))]), "{text:?}");
        }
        assert_eq!(spec("{0 :5 }").width, Count::Is(5));
        assert_eq!(parse("{ 0}"), None);
        assert_eq!(parse("{ x}"), None);
        assert_eq!(parse("{: ?}"), None);
        assert_eq!(parse("{:x ?}"), None);
    }

    #[test]
    fn fill_and_alignment() {
        let fill_align = |text| (spec(text).fill, spec(text).align);
        assert_eq!(fill_align("{:<}"), (None, Some(Align::Left)));
        assert_eq!(fill_align("{:^5}"), (None, Some(Align::Center)));
        assert_eq!(fill_align("{:>5}"), (None, Some(Align::Right)));
        assert_eq!(fill_align("{: >5}"), (Some(' '), Some(Align::Right)));
        assert_eq!(fill_align("{:<<5}"), (Some('<'), Some(Align::Left)));
        assert_eq!(fill_align("{:{<5}"), (Some('{'), Some(Align::Left)));
        assert_eq!(fill_align("{:}^5}"), (Some('}'), Some(Align::Center)));
        assert_eq!(fill_align("{:🦀^5}"), (Some('🦀'), Some(Align::Center)));
        assert_eq!(fill_align("{:0<5}"), (Some('0'), Some(Align::Left)));
        assert_eq!(fill_align("{:5}"), (None, None));
    }

    #[test]
    fn flags() {
        let flags = |text| {
            let spec = spec(text);
            (spec.sign, spec.alternate, spec.zero)
        };
        assert_eq!(flags("{:+}"), (Some(Sign::Plus), false, false));
        assert_eq!(flags("{:-}"), (Some(Sign::Minus), false, false));
        assert_eq!(flags("{:#}"), (None, true, false));
        assert_eq!(flags("{:0}"), (None, false, true));
        assert_eq!(flags("{:+#08x}"), (Some(Sign::Plus), true, true));
        assert_eq!(flags("{:^+}"), (Some(Sign::Plus), false, false));
    }

    #[test]
    fn width() {
        assert_eq!(spec("{:5}").width, Count::Is(5));
        assert_eq!(spec("{:05}").width, Count::Is(5));
        assert_eq!(spec("{:00}").width, Count::Is(0));
        assert_eq!(spec("{:65535}").width, Count::Is(u16::MAX));
        assert_eq!(spec("{:0$}").width, Count::Argument(position(0)));
        assert!(!spec("{:0$}").zero);
        assert_eq!(spec("{:00$}").width, Count::Argument(position(0)));
        assert!(spec("{:00$}").zero);
        assert_eq!(spec("{:12$}").width, Count::Argument(position(12)));
        assert_eq!(spec("{:w$}").width, Count::Argument(name("w")));
        assert_eq!(spec("{:x$}").width, Count::Argument(name("x")));
        assert_eq!(spec("{:0w$}").width, Count::Argument(name("w")));
        assert!(spec("{:0w$}").zero);
    }

    #[test]
    fn precision() {
        assert_eq!(spec("{:.5}").precision, Count::Is(5));
        assert_eq!(spec("{:.0}").precision, Count::Is(0));
        assert_eq!(spec("{:.007}").precision, Count::Is(7));
        assert_eq!(spec("{:.}").precision, Count::Unset);
        assert_eq!(spec("{:.3$}").precision, Count::Argument(position(3)));
        assert_eq!(spec("{:.p$}").precision, Count::Argument(name("p")));
        assert_eq!(spec("{:8.3}").width, Count::Is(8));
        assert_eq!(spec("{:8.3}").precision, Count::Is(3));
        assert_eq!(spec("{:w$.p$e}").style, Style::LowerExp);
    }

    #[test]
    fn a_star_takes_the_position_before_its_value() {
        let star = |position| Spec {
            precision: Count::Argument(Argument::Position(position)),
            ..Spec::DISPLAY
        };
        assert_eq!(
            parse("{:.*}{}"),
            Some(vec![
                Piece::Placeholder(position(1), star(0)),
                display(position(2)),
            ])
        );
        assert_eq!(
            parse("{}{x:.*}{3:.*}"),
            Some(vec![
                display(position(0)),
                Piece::Placeholder(name("x"), star(1)),
                Piece::Placeholder(position(3), star(2)),
            ])
        );
    }

    #[test]
    fn styles() {
        for (text, style) in [
            ("{}", Style::Display),
            ("{:?}", Style::Debug),
            ("{:x?}", Style::DebugLowerHex),
            ("{:X?}", Style::DebugUpperHex),
            ("{:x}", Style::LowerHex),
            ("{:X}", Style::UpperHex),
            ("{:o}", Style::Octal),
            ("{:b}", Style::Binary),
            ("{:e}", Style::LowerExp),
            ("{:E}", Style::UpperExp),
            ("{:p}", Style::Pointer),
            ("{:#?}", Style::Debug),
            ("{:08.3X?}", Style::DebugUpperHex),
            ("{:.3e}", Style::LowerExp),
        ] {
            assert_eq!(spec(text).style, style, "{text}");
        }
    }

    #[test]
    fn what_the_compiler_refuses_is_refused() {
        for text in [
            "{",
            "}",
            "{}}",
            "{{}",
            "a } b",
            "{x",
            "{x:",
            "{x:5",
            "{0x}",
            "{x y}",
            "{x.y}",
            "{x[0]}",
            "{-1}",
            "{r#type}",
            "{_}",
            "{:_$}",
            "{:*}",
            "{:y}",
            "{:xx}",
            "{:??}",
            "{:?x}",
            "{:?#}",
            "{:e?}",
            "{:#+}",
            "{:0#}",
            "{:65536}",
            "{:.65536}",
            "{65536}",
            "{:.*$}",
            "{:$}",
            "{:.$}",
            "{:5.3.2}",
            "{:,}",
            "{x=}",
            "{x?}",
            "{{:}",
            "{:  }}",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
