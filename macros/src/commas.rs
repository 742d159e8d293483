//! Where the commas between macro arguments are.
//!
//! A comma inside parentheses, brackets or braces is no concern: the compiler hands those over as
//! groups. The ones between angle brackets and between the bars of a closure are told apart here,
//! which needs to know a comparison from a list of generics and a bitwise or from a closure. That
//! follows from what stands before: an operator comes after an operand, all else does not.

/// What of a token matters.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    /// An identifier or keyword.
    Word(String),
    /// A punctuation character, and whether the next character follows without a gap.
    Punct(char, bool),
    /// A group in braces.
    Braces,
    /// A literal or another group.
    Operand,
}

/// The indices of the commas that separate arguments.
pub(crate) fn separators(tokens: &[Token]) -> Vec<usize> {
    let mut scanner = Scanner::default();
    let mut separators = Vec::new();
    let mut index = 0;
    while let Some(token) = tokens.get(index) {
        if matches!(token, Token::Punct(',', _)) {
            if scanner.angles == 0 && !scanner.closure_head {
                separators.push(index);
                scanner = Scanner::default();
            }
            index += 1;
            continue;
        }
        let pair = match (token, tokens.get(index + 1)) {
            (Token::Punct(first, true), Some(Token::Punct(second, _))) => Some((*first, *second)),
            _ => None,
        };
        index += if pair.is_some_and(|pair| scanner.operator(pair)) {
            2
        } else {
            scanner.token(token);
            1
        };
    }
    separators
}

/// What was seen so far of an argument.
#[derive(Debug, Default)]
struct Scanner {
    /// The depth of angle brackets.
    angles: u32,
    /// Between the bars of a closure.
    closure_head: bool,
    /// In a type, after `as` or `->`: an angle bracket there always opens generics, and one in an
    /// expression does where an operand is due.
    in_type: bool,
    /// The last token ended an operand.
    after_operand: bool,
    last: Last,
}

/// A token that makes the next one something else.
#[derive(Debug, Default, PartialEq)]
enum Last {
    #[default]
    Other,
    /// `'`: a word is a label or a lifetime.
    Quote,
    /// `#`: brackets are an attribute.
    Hash,
    /// `let`: a bar opens a pattern.
    Let,
}

impl Scanner {
    /// Takes two characters of punctuation if they are one operator, and not, say, two closing
    /// angle brackets.
    fn operator(&mut self, pair: (char, char)) -> bool {
        match pair {
            ('-' | '=', '>') => {
                self.in_type = pair.0 == '-' && self.angles == 0 && !self.closure_head;
                self.after_operand = false;
                self.last = Last::Other;
            }
            _ if self.angles > 0 || self.closure_head => return false,
            // The path goes on, with a word or with generics.
            (':', ':') => {
                self.after_operand = false;
                self.last = Last::Other;
            }
            // Between operands a shift or an or; else two opening brackets, or an empty head.
            ('<', '<') if self.after_operand && !self.in_type => self.end_operand(),
            ('|', '|') => self.end_operand(),
            _ => return false,
        }
        true
    }

    fn end_operand(&mut self) {
        self.in_type = false;
        self.after_operand = false;
        self.last = Last::Other;
    }

    fn token(&mut self, token: &Token) {
        if self.angles > 0 {
            match token {
                Token::Punct('<', _) => self.angles += 1,
                Token::Punct('>', _) => self.angles -= 1,
                _ => {}
            }
            self.after_operand = true;
            self.last = Last::Other;
        } else if self.closure_head {
            self.closure_head = !matches!(token, Token::Punct('|', _));
            self.end_operand();
        } else {
            match token {
                Token::Word(word) => self.word(word),
                Token::Punct(char, _) => self.punct(*char),
                Token::Braces => {
                    self.end_operand();
                    self.after_operand = true;
                }
                Token::Operand => {
                    self.after_operand = self.last != Last::Hash;
                    self.last = Last::Other;
                }
            }
        }
    }

    fn word(&mut self, word: &str) {
        self.in_type |= word == "as";
        self.after_operand = self.last != Last::Quote && !precedes_operand(word);
        self.last = if word == "let" {
            Last::Let
        } else {
            Last::Other
        };
    }

    fn punct(&mut self, char: char) {
        match char {
            '<' if self.in_type || !self.after_operand => {
                self.angles = 1;
                self.last = Last::Other;
            }
            '|' if !self.after_operand && self.last != Last::Let => {
                self.closure_head = true;
                self.end_operand();
            }
            '?' => self.last = Last::Other,
            // In front of a type: a pointer or a reference.
            '*' | '&' if self.in_type && !self.after_operand => self.last = Last::Other,
            '\'' => self.last = Last::Quote,
            _ => {
                self.end_operand();
                if char == '#' {
                    self.last = Last::Hash;
                }
            }
        }
    }
}

/// Whether what follows this keyword is an operand, or the start of a closure or type.
fn precedes_operand(word: &str) -> bool {
    matches!(
        word,
        "as" | "async"
            | "break"
            | "const"
            | "dyn"
            | "else"
            | "extern"
            | "fn"
            | "for"
            | "if"
            | "impl"
            | "in"
            | "let"
            | "match"
            | "move"
            | "mut"
            | "ref"
            | "return"
            | "static"
            | "unsafe"
            | "while"
            | "yield"
    )
}

#[cfg(test)]
mod tests {
    use super::{Token, separators};

    /// Splits source text into tokens well enough for these tests.
    fn tokens(source: &str) -> Vec<(Token, String)> {
        const PUNCTUATION: &str = "+-*/%^!&|=<>@.,;:#?'";
        let mut tokens = Vec::new();
        let mut rest = source.trim_start();
        while let Some(first) = rest.chars().next() {
            let word_end = rest
                .find(|char: char| !char.is_alphanumeric() && char != '_')
                .unwrap_or(rest.len());
            let (token, length) = match first {
                '(' | '[' | '{' => {
                    let mut depth = 0;
                    let end = rest
                        .find(|char| {
                            depth += i32::from("([{".contains(char));
                            depth -= i32::from(")]}".contains(char));
                            depth == 0
                        })
                        .expect("balanced");
                    let token = if first == '{' {
                        Token::Braces
                    } else {
                        Token::Operand
                    };
                    (token, end + 1)
                }
                '"' => (Token::Operand, rest[1..].find('"').expect("closed") + 2),
                '0'..='9' => (Token::Operand, word_end),
                _ if PUNCTUATION.contains(first) => {
                    let joint = rest[1..].starts_with(|next| PUNCTUATION.contains(next));
                    (Token::Punct(first, joint || first == '\''), 1)
                }
                _ => (Token::Word(rest[..word_end].to_owned()), word_end),
            };
            tokens.push((token, rest[..length].to_owned()));
            rest = rest[length..].trim_start();
        }
        tokens
    }

    /// Fails unless each of the arguments is found again between its neighbours.
    #[track_caller]
    fn assert_separate(arguments: &[&str]) {
        let source = arguments.join(" , ");
        let (tokens, texts): (Vec<_>, Vec<_>) = tokens(&source).into_iter().unzip();
        let mut expected = Vec::new();
        let mut index = 0;
        for argument in arguments {
            index += self::tokens(argument).len();
            expected.push(index);
            index += 1;
        }
        expected.pop();
        assert_eq!(separators(&tokens), expected, "{source}: {texts:?}");
    }

    #[test]
    fn nothing_has_no_separators() {
        assert_eq!(separators(&[]), []);
    }

    #[test]
    fn plain_arguments() {
        assert_separate(&[
            "a", "1", "\"text\"", "f(a, b)", "[a, b]", "{ a; b }", "n = a",
        ]);
        assert_separate(&[
            "a.b", "a?", "a.await", "-a", "!a", "&a", "&mut a", "*a", "a[1].2",
        ]);
    }

    #[test]
    fn comparisons_and_shifts_are_not_generics() {
        assert_separate(&["a < b", "c > d"]);
        assert_separate(&["a < b", "c >= d", "e <= f", "g >> h"]);
        assert_separate(&["a << b", "c >> d"]);
        assert_separate(&["a <<= b", "c >>= d"]);
        assert_separate(&["a.b < c", "d.e > f"]);
        assert_separate(&["a.0 < c", "d.0 > f"]);
        assert_separate(&["f() < c", "g() > f"]);
        assert_separate(&["a[0] < c", "a[1] > f"]);
        assert_separate(&["a? < c", "a? > f"]);
        assert_separate(&["a::B < c", "d > f"]);
        assert_separate(&["f.await < c", "d > f"]);
        assert_separate(&["self < c", "d > f"]);
        assert_separate(&["m!(x) < c", "d > f"]);
    }

    #[test]
    fn generics_keep_their_commas() {
        assert_separate(&["f::<A, B>(x)", "y"]);
        assert_separate(&["a.f::<A, B>()", "y"]);
        assert_separate(&["f::<A<B, C>, D>()", "y"]);
        assert_separate(&["f::<A<B, C<D, E>>>()", "y"]);
        assert_separate(&["f::<fn(A, B) -> C, D>()", "y"]);
        assert_separate(&["f::<{ N }, 3, -1>()", "y"]);
        assert_separate(&["f::<dyn Fn(A) -> B<C, D>, &'a E>()", "y"]);
        assert_separate(&["A::<B, C>::f::<D, E>() < x", "y > z"]);
        assert_separate(&["f::<A, B>() >> 1", "y"]);
        assert_separate(&["f::<A, B>::C>d", "y"]);
        assert_separate(&["A::<B, C> { a, b }", "y"]);
    }

    #[test]
    fn qualified_paths_keep_their_commas() {
        assert_separate(&["<A as B<C, D>>::f()", "y"]);
        assert_separate(&["<A<B, C>>::f()", "<A<B, C>>::N"]);
        assert_separate(&["n = <A<B, C>>::f()", "y"]);
        assert_separate(&["1 + <A as B<C, D>>::E", "y"]);
        assert_separate(&["a < <A as B<C, D>>::E", "y > z"]);
        assert_separate(&["<<A as B<C, D>>::E as F<G, H>>::f()", "y"]);
        assert_separate(&["return <A<B, C>>::f()", "y"]);
    }

    #[test]
    fn casts_to_generic_types_keep_their_commas() {
        assert_separate(&["a as B<C, D>", "y"]);
        assert_separate(&["a as *const B<C, D>", "y"]);
        assert_separate(&["a as &'a mut B<C, D>", "y"]);
        assert_separate(&["a as b::B<C, D>", "y"]);
        assert_separate(&["a as <A as B<C, D>>::E", "y"]);
        assert_separate(&["a as fn(A) -> B<C, D>", "y"]);
        assert_separate(&["a as u8 * b < c", "y > z"]);
        assert_separate(&["a as u8 + b < c", "y > z"]);
        assert_separate(&["a as u8 as u16 & b < c", "y > z"]);
        assert_separate(&["(a as u8) < c", "y > z"]);
        assert_separate(&["a as u8", "b < c", "d > e"]);
    }

    #[test]
    fn closures_keep_their_commas() {
        assert_separate(&["|a, b| a + b", "y"]);
        assert_separate(&["move |a, b| a", "y"]);
        assert_separate(&["async move |a, b| a", "y"]);
        assert_separate(&["|a: A<B, C>, (d, e)| a", "y"]);
        assert_separate(&["|a, b| -> A<B, C> { a < b }", "y > z"]);
        assert_separate(&["|a| |b, c| a", "y"]);
        assert_separate(&["|| |b, c| a", "y"]);
        assert_separate(&["&|a, b| a", "y"]);
        assert_separate(&["n = |a, b| a", "y"]);
        assert_separate(&["|a, b| a < b", "y > z"]);
        assert_separate(&["#[inline] |a, b| a", "y"]);
    }

    #[test]
    fn ors_are_not_closures() {
        assert_separate(&["a | b", "c | d"]);
        assert_separate(&["a || b", "c || d"]);
        assert_separate(&["a | b | c", "d | e"]);
        assert_separate(&["|| a", "b", "c || d"]);
        assert_separate(&["a || |b, c| d", "e"]);
        assert_separate(&["f(x) | g(y)", "a[0] | b"]);
        assert_separate(&["a? | b", "c"]);
        assert_separate(&["a.await | b", "c | d"]);
        assert_separate(&["if let A | B = x { y } else { z }", "c | d"]);
        assert_separate(&["if let | A | B = x { y } else { z }", "c | d"]);
        assert_separate(&["match x { y => z } | w", "c | d"]);
        assert_separate(&["a as u8 | b", "c | d"]);
    }

    #[test]
    fn labels_and_ranges() {
        assert_separate(&["'a: loop { break 'a x }", "y"]);
        assert_separate(&["a..b", "..=c", "d.."]);
        assert_separate(&["a..<B<C, D>>::E", "y"]);
    }

    #[test]
    fn empty_arguments_are_separated_too() {
        assert_separate(&["a", "", "b", ""]);
    }
}
