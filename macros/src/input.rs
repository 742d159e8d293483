//! What stands in the parentheses of `rlog!`.

use proc_macro::{Delimiter, Ident, Literal, Spacing, Span, TokenStream, TokenTree};

use crate::commas::{self, Token};
use crate::literal;

/// A log statement as it was written.
pub(crate) struct Statement {
    /// The path of the `ringlog` crate.
    pub(crate) ringlog: TokenStream,
    pub(crate) options: Options,
    pub(crate) level: Expression,
    /// The format string.
    pub(crate) format: Literal,
    /// The text that `format` stands for.
    pub(crate) text: String,
    /// `None` if what follows the format string is not a list of arguments.
    pub(crate) arguments: Option<Vec<Argument>>,
    /// The format string and all that follows, as it was written.
    pub(crate) format_args: TokenStream,
}

/// What may stand in front of the format string.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) logger: Option<Expression>,
    pub(crate) target: Option<Expression>,
    pub(crate) at: Option<Expression>,
}

/// An argument after the format string.
pub(crate) struct Argument {
    pub(crate) name: Option<Ident>,
    pub(crate) value: Expression,
}

/// An expression of the user's.
pub(crate) struct Expression {
    pub(crate) tokens: TokenStream,
    pub(crate) place: Place,
}

/// Where something stands in the source: its first and last token.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) first: Span,
    pub(crate) last: Span,
}

/// What is wrong with a statement, and where.
pub(crate) struct Error {
    pub(crate) message: String,
    pub(crate) place: Place,
}

/// Reads a statement, after the group that holds the path of the `ringlog` crate.
pub(crate) fn parse(input: TokenStream) -> Result<Statement, Error> {
    let mut tokens: Vec<TokenTree> = input.into_iter().collect();
    let ringlog = match tokens.first() {
        Some(TokenTree::Group(group)) => group.stream(),
        _ => return Err(Error::at(&[], "`rlog_impl!` is for `rlog!` to call")),
    };
    tokens.remove(0);
    let mut options = Options::default();
    let mut level = None;
    let mut parts = split(&tokens).into_iter();
    for part in parts.by_ref() {
        let Some((format, text)) = part.tokens.first().and_then(string) else {
            head(part.tokens, &mut options, &mut level)?;
            continue;
        };
        let Some(level) = level else {
            return Err(Error::at(
                part.tokens,
                "no level: write one in front of the format string, as in \
                 `rlog!(Level::Info, \"...\")`, or use a macro that is named after its level, as \
                 in `info!(\"...\")`",
            ));
        };
        return Ok(Statement {
            ringlog,
            options,
            level,
            format,
            text,
            arguments: if part.tokens.len() == 1 {
                parts.map(|part| argument(part.tokens)).collect()
            } else {
                None
            },
            format_args: tokens[part.start..].iter().cloned().collect(),
        });
    }
    Err(Error::at(
        &[],
        "no format string: write one, as in `info!(\"filled {quantity} lots\")`",
    ))
}

/// Takes what stands between two commas in front of the format string.
fn head(
    part: &[TokenTree],
    options: &mut Options,
    level: &mut Option<Expression>,
) -> Result<(), Error> {
    if let [.., before, last] = part {
        if string(last).is_some() && !matches!(before, TokenTree::Punct(_)) {
            let last = std::slice::from_ref(last);
            return Err(Error::at(last, "no comma in front of the format string"));
        }
    }
    if let Some((name, value)) = named(part, ':', &[':']) {
        return option(name, &part[..2], value, options);
    }
    if part.is_empty() {
        return Err(Error::at(part, "a comma without anything in front of it"));
    }
    if level.is_some() {
        let message = "the format string must be a string literal, because it is read when the \
                       program is compiled; to log a value, write `\"{}\", value`";
        return Err(Error::at(part, message));
    }
    *level = Expression::new(part);
    Ok(())
}

/// Takes the option with this name; `place` is where that stands.
fn option(
    name: &Ident,
    place: &[TokenTree],
    value: &[TokenTree],
    options: &mut Options,
) -> Result<(), Error> {
    let name = name.to_string();
    let option = match name.as_str() {
        "logger" => &mut options.logger,
        "target" => &mut options.target,
        "at" => &mut options.at,
        _ => {
            let message = format!("no option `{name}`: there are `logger`, `target` and `at`");
            return Err(Error::at(place, &message));
        }
    };
    if option.is_some() {
        let message = format!("the option `{name}` is given twice");
        return Err(Error::at(place, &message));
    }
    *option = Expression::new(value);
    if option.is_none() {
        let message = format!("the option `{name}` has no value");
        return Err(Error::at(place, &message));
    }
    Ok(())
}

/// What stands between two commas behind the format string.
fn argument(part: &[TokenTree]) -> Option<Argument> {
    let (name, value) = match named(part, '=', &['=', '>']) {
        Some((name, value)) => (Some(name.clone()), value),
        None => (None, part),
    };
    Some(Argument {
        name,
        value: Expression::new(value)?,
    })
}

/// The name in front of `sign` and the value behind it; but not where one of `others` makes it a
/// different sign.
fn named<'part>(
    part: &'part [TokenTree],
    sign: char,
    others: &[char],
) -> Option<(&'part Ident, &'part [TokenTree])> {
    let [TokenTree::Ident(name), TokenTree::Punct(punct), value @ ..] = part else {
        return None;
    };
    let other = match value.first() {
        Some(TokenTree::Punct(next)) if punct.spacing() == Spacing::Joint => {
            others.contains(&next.as_char())
        }
        _ => false,
    };
    (punct.as_char() == sign && !other).then_some((name, value))
}

/// A string literal and its text.
fn string(token: &TokenTree) -> Option<(Literal, String)> {
    match token {
        TokenTree::Literal(literal) => {
            literal::text(&literal.to_string()).map(|text| (literal.clone(), text))
        }
        // What a `macro_rules!` macro had as `$format:literal` or `$format:expr`.
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
            let mut tokens = group.stream().into_iter();
            let (token, None) = (tokens.next()?, tokens.next()) else {
                return None;
            };
            string(&token)
        }
        _ => None,
    }
}

/// What stands between two commas.
struct Part<'tokens> {
    tokens: &'tokens [TokenTree],
    /// The index of the first of these tokens.
    start: usize,
}

/// Splits at the commas; one at the very end has nothing behind it.
fn split(tokens: &[TokenTree]) -> Vec<Part<'_>> {
    let kinds: Vec<Token> = tokens.iter().map(kind).collect();
    let mut parts = Vec::new();
    let mut start = 0;
    for comma in commas::separators(&kinds) {
        parts.push(Part {
            tokens: &tokens[start..comma],
            start,
        });
        start = comma + 1;
    }
    if start < tokens.len() {
        parts.push(Part {
            tokens: &tokens[start..],
            start,
        });
    }
    parts
}

fn kind(token: &TokenTree) -> Token {
    match token {
        TokenTree::Ident(ident) => Token::Word(ident.to_string()),
        TokenTree::Punct(punct) => Token::Punct(punct.as_char(), punct.spacing() == Spacing::Joint),
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Token::Braces,
        TokenTree::Group(_) | TokenTree::Literal(_) => Token::Operand,
    }
}

impl Expression {
    fn new(tokens: &[TokenTree]) -> Option<Self> {
        Some(Expression {
            tokens: tokens.iter().cloned().collect(),
            place: Place::of(tokens)?,
        })
    }
}

impl Place {
    /// The same place, with the hygiene of code that the macro made.
    pub(crate) fn located(self) -> Place {
        let locate = |span| Span::mixed_site().located_at(span);
        Place {
            first: locate(self.first),
            last: locate(self.last),
        }
    }

    fn of(tokens: &[TokenTree]) -> Option<Self> {
        Some(Place {
            first: tokens.first()?.span(),
            last: tokens.last()?.span(),
        })
    }
}

impl Error {
    /// At these tokens, or at the macro call if there are none.
    fn at(tokens: &[TokenTree], message: &str) -> Self {
        let call = Span::call_site();
        Error {
            message: message.to_owned(),
            place: Place::of(tokens).unwrap_or(Place {
                first: call,
                last: call,
            }),
        }
    }
}
