//! Tokens from Rust text with gaps to fill.

use proc_macro::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

/// The tokens of `text`, all with the span `span`, and each `$name` replaced by the tokens that
/// `parts` has for that name.
///
/// Text is made of words, whole numbers, punctuation and brackets. The templates are this crate's
/// own, so a malformed one is a mistake here, and panics.
pub(crate) fn fill(span: Span, text: &str, parts: &[(&str, &TokenStream)]) -> TokenStream {
    let mut template = Template {
        span,
        parts,
        rest: text,
    };
    let tokens = template.tokens();
    assert!(template.rest.is_empty(), "left over: {}", template.rest);
    tokens
}

struct Template<'a> {
    span: Span,
    parts: &'a [(&'a str, &'a TokenStream)],
    rest: &'a str,
}

impl<'a> Template<'a> {
    /// Up to the end, or to a closing bracket.
    fn tokens(&mut self) -> TokenStream {
        let mut tokens = Vec::new();
        loop {
            self.rest = self.rest.trim_start();
            let Some(first) = self.rest.chars().next() else {
                break;
            };
            match first {
                ')' | ']' | '}' => break,
                '(' => tokens.push(self.group(Delimiter::Parenthesis)),
                '[' => tokens.push(self.group(Delimiter::Bracket)),
                '{' => tokens.push(self.group(Delimiter::Brace)),
                '$' => {
                    self.rest = &self.rest[1..];
                    let name = self.word();
                    let part = self.parts.iter().find(|(known, _)| *known == name);
                    let (_, part) = part.unwrap_or_else(|| panic!("nothing for ${name}"));
                    tokens.extend((*part).clone());
                }
                '0'..='9' => {
                    let number = self.word().parse().expect("a whole number");
                    let mut literal = Literal::usize_unsuffixed(number);
                    literal.set_span(self.span);
                    tokens.push(literal.into());
                }
                'a'..='z' | 'A'..='Z' | '_' => {
                    tokens.push(Ident::new(self.word(), self.span).into());
                }
                _ => tokens.push(self.punct(first)),
            }
        }
        tokens.into_iter().collect()
    }

    fn group(&mut self, delimiter: Delimiter) -> TokenTree {
        self.rest = &self.rest[1..];
        let mut group = Group::new(delimiter, self.tokens());
        group.set_span(self.span);
        self.rest = self.rest.get(1..).expect("a closing bracket");
        group.into()
    }

    fn word(&mut self) -> &'a str {
        let end = self
            .rest
            .find(|char: char| !char.is_ascii_alphanumeric() && char != '_')
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn punct(&mut self, char: char) -> TokenTree {
        self.rest = &self.rest[1..];
        let joint = self.rest.starts_with([':', '>', '&', '|', '.']);
        let spacing = if joint {
            Spacing::Joint
        } else {
            Spacing::Alone
        };
        let mut punct = Punct::new(char, spacing);
        punct.set_span(self.span);
        punct.into()
    }
}
