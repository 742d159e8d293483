//! What stands in the parentheses of `rlog!`.

use proc_macro::{Delimiter, Ident, Literal, Spacing, Span, TokenStream, TokenTree};

use crate::commas::{self, Token};
use crate::field::{self, Field};
use crate::literal;

/// A log statement as it was written.
pub(crate) struct Statement {
    /// The path of the `ringlog` crate.
    pub(crate) ringlog: TokenStream,
    /// Whether every value must have a typed form.
    pub(crate) typed: bool,
    pub(crate) options: Options,
    pub(crate) level: Level,
    /// How often it may log.
    pub(crate) limit: Option<Limit>,
    /// In the order of the source.
    pub(crate) fields: Vec<Field>,
    /// `None` if there are only fields.
    pub(crate) message: Option<Message>,
}

/// A statement's level.
pub(crate) enum Level {
    /// That of the macro: the name of the variant.
    Named(Ident),
    /// A constant of the user's.
    Constant(Expression),
}

/// The format string and its arguments.
pub(crate) struct Message {
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

/// How often a statement may log.
pub(crate) struct Limit {
    pub(crate) kind: LimitKind,
    /// The number or the duration; `None` for `once`.
    pub(crate) value: Option<Expression>,
}

#[derive(Clone, Copy)]
pub(crate) enum LimitKind {
    Once,
    Every,
    Per,
    Sample,
}

/// An argument after the format string.
pub(crate) struct Argument {
    pub(crate) name: Option<Ident>,
    pub(crate) value: Expression,
}

/// An expression of the user's.
pub(crate) struct Expression {
    pub(crate) tokens: TokenStream,
    /// If it is one word.
    pub(crate) name: Option<Ident>,
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

/// Reads a statement. In front of what the user wrote stand two groups: one holds the path of the
/// `ringlog` crate, the other the name of the level if the macro is named after one.
pub(crate) fn parse(input: TokenStream) -> Result<Statement, Error> {
    let tokens: Vec<TokenTree> = input.into_iter().collect();
    let [
        TokenTree::Group(ringlog),
        TokenTree::Group(level),
        tokens @ ..,
    ] = &tokens[..]
    else {
        return Err(Error::at(&[], "`rlog_impl!` is for `rlog!` to call"));
    };
    let level = match level.stream().into_iter().next() {
        Some(TokenTree::Ident(name)) => Some(Level::Named(name)),
        _ => None,
    };
    let mut head = Head {
        options: Options::default(),
        level,
        limit: None,
        fields: Vec::new(),
    };
    let (typed, tokens) = match tokens {
        [TokenTree::Ident(word), sign, tokens @ ..]
            if is_punct(sign, ';') && word.to_string() == "typed" =>
        {
            (true, tokens)
        }
        _ => (false, tokens),
    };
    // What stands in front of a semicolon are fields in the syntax of `log`.
    let semicolon = tokens.iter().position(|token| is_punct(token, ';'));
    let (fields, rest) = match semicolon {
        Some(semicolon) => (&tokens[..semicolon], &tokens[semicolon + 1..]),
        None => (&tokens[..0], tokens),
    };
    for part in split(fields) {
        if let [token] = part.tokens {
            if string(token).is_some() {
                let message = "the format string stands behind the `;`";
                return Err(Error::at(part.tokens, message));
            }
        }
        head.part(part.tokens)?;
    }
    let mut message = None;
    let mut parts = split(rest).into_iter();
    for part in parts.by_ref() {
        if let Some((format, text)) = format_string(part.tokens) {
            message = Some(Message {
                format,
                text,
                arguments: if part.tokens.len() == 1 {
                    parts.map(|part| argument(part.tokens)).collect()
                } else {
                    None
                },
                format_args: rest[part.start..].iter().cloned().collect(),
            });
            break;
        }
        if semicolon.is_some() {
            let message = "behind the `;` comes the format string, a string literal";
            return Err(Error::at(part.tokens, message));
        }
        head.part(part.tokens)?;
    }
    if message.is_none() && head.fields.is_empty() {
        return Err(Error::at(
            &[],
            "no format string: write one, as in `info!(\"filled {quantity} lots\")`",
        ));
    }
    let Some(level) = head.level else {
        let place = message.as_ref().map(|message| &message.format);
        let place: Vec<TokenTree> = place.cloned().map(TokenTree::from).into_iter().collect();
        return Err(Error::at(
            &place,
            "no level: write one in front of the format string, as in \
             `rlog!(Level::Info, \"...\")`, or use a macro that is named after its level, as \
             in `info!(\"...\")`",
        ));
    };
    Ok(Statement {
        ringlog: ringlog.stream(),
        typed,
        options: head.options,
        level,
        limit: head.limit,
        fields: head.fields,
        message,
    })
}

/// What stands in the parentheses of `context!`.
pub(crate) struct Context {
    /// The path of the `ringlog` crate.
    pub(crate) ringlog: TokenStream,
    pub(crate) fields: Vec<Field>,
}

/// Reads the fields of a context, behind the group that holds the path of the `ringlog` crate.
pub(crate) fn parse_context(input: TokenStream) -> Result<Context, Error> {
    let tokens: Vec<TokenTree> = input.into_iter().collect();
    let [TokenTree::Group(ringlog), tokens @ ..] = &tokens[..] else {
        return Err(Error::at(&[], "`context_impl!` is for `context!` to call"));
    };
    let mut fields = Vec::new();
    for part in split(tokens) {
        if part.tokens.is_empty() {
            return Err(Error::at(&[], "a comma without anything in front of it"));
        }
        if let [token] = part.tokens {
            if string(token).is_some() {
                let message = "a context has fields and no message: write `name = value`";
                return Err(Error::at(part.tokens, message));
            }
        }
        fields.push(field::parse(part.tokens)?);
    }
    if fields.is_empty() {
        let message = "no field: write one, as in `context!(session = 42)`";
        return Err(Error::at(&[], message));
    }
    Ok(Context {
        ringlog: ringlog.stream(),
        fields,
    })
}

/// The format string, if this is where it stands: a string literal that is not a field's name.
fn format_string(part: &[TokenTree]) -> Option<(Literal, String)> {
    if matches!(part, [_, sign, ..] if is_punct(sign, '=')) {
        return None;
    }
    string(part.first()?)
}

/// What stands in front of the format string.
struct Head {
    options: Options,
    level: Option<Level>,
    limit: Option<Limit>,
    fields: Vec<Field>,
}

impl Head {
    /// Takes what stands between two commas.
    fn part(&mut self, part: &[TokenTree]) -> Result<(), Error> {
        if let [.., before, last] = part {
            if string(last).is_some() && !matches!(before, TokenTree::Punct(_)) {
                let last = std::slice::from_ref(last);
                return Err(Error::at(last, "no comma in front of the format string"));
            }
        }
        if part.is_empty() {
            return Err(Error::at(part, "a comma without anything in front of it"));
        }
        if let Some((name, value)) = named(part, ':', &[':']) {
            if !field::is_capture(value) {
                return option(name, &part[..2], value, &mut self.options);
            }
        }
        if self.level.is_none() {
            self.level = Expression::new(part).map(Level::Constant);
            return Ok(());
        }
        if let Some(limit) = limit(part)? {
            if self.limit.is_some() {
                let message = "a statement has one limit: `once`, `every`, `per` or `sample`";
                return Err(Error::at(part, message));
            }
            self.limit = Some(limit);
            return Ok(());
        }
        match part {
            // All fields in braces, as `tracing` has it.
            [TokenTree::Group(group)] if group.delimiter() == Delimiter::Brace => {
                let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
                for part in split(&tokens) {
                    self.fields.push(field::parse(part.tokens)?);
                }
            }
            _ => self.fields.push(field::parse(part)?),
        }
        Ok(())
    }
}

/// The limit, if this is one: `once`, `every = n`, `per = duration`, `sample = share`.
fn limit(part: &[TokenTree]) -> Result<Option<Limit>, Error> {
    let (name, value) = match (part, named(part, '=', &['=', '>'])) {
        (_, Some((name, value))) => (name.to_string(), Some(value)),
        ([TokenTree::Ident(name)], None) => (name.to_string(), None),
        _ => return Ok(None),
    };
    let (kind, example) = match name.as_str() {
        "once" => (LimitKind::Once, "`once`"),
        "every" => (LimitKind::Every, "`every = 1000`"),
        "per" => (LimitKind::Per, "`per = Duration::from_millis(100)`"),
        "sample" => (LimitKind::Sample, "`sample = 0.01`"),
        _ => return Ok(None),
    };
    let value = value.map(Expression::new);
    let value = match (kind, value) {
        (LimitKind::Once, None) => None,
        (LimitKind::Every | LimitKind::Per | LimitKind::Sample, Some(Some(value))) => Some(value),
        _ => {
            let message = format!(
                "the limit `{name}` is written {example}; for a field of that name, write \
                 `\"{name}\" = value`"
            );
            return Err(Error::at(part, &message));
        }
    };
    Ok(Some(Limit { kind, value }))
}

/// Whether the token is this punctuation.
pub(crate) fn is_punct(token: &TokenTree, char: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == char)
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
        "name" | "parent" => {
            let message = match name.as_str() {
                "name" => {
                    "no option `name`: a record is known by its place in the source; leave it out, \
                     or make it a field, `name = value`"
                }
                _ => {
                    "no option `parent`: there are no spans; leave it out, or give all records of a \
                     thread fields, `let _context = context!(name = value);`"
                }
            };
            return Err(Error::at(place, message));
        }
        _ => {
            let message = format!(
                "no option `{name}`: there are `logger`, `target` and `at`; a field is written \
                 `{name} = value`"
            );
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
pub(crate) fn string(token: &TokenTree) -> Option<(Literal, String)> {
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
    pub(crate) fn new(tokens: &[TokenTree]) -> Option<Self> {
        Some(Expression {
            tokens: tokens.iter().cloned().collect(),
            name: match tokens {
                [TokenTree::Ident(name)] => Some(name.clone()),
                _ => None,
            },
            place: Place::of(tokens)?,
        })
    }

    /// The variable or the constant, if it is no more than that: it may be written twice, since
    /// nobody can tell.
    pub(crate) fn name(&self) -> Option<&Ident> {
        let leaves = |name: &Ident| {
            let name = name.to_string();
            ["return", "break", "continue"].contains(&name.as_str())
        };
        self.name.as_ref().filter(|name| !leaves(name))
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

    pub(crate) fn of(tokens: &[TokenTree]) -> Option<Self> {
        Some(Place {
            first: tokens.first()?.span(),
            last: tokens.last()?.span(),
        })
    }
}

impl Error {
    /// At these tokens, or at the macro call if there are none.
    pub(crate) fn at(tokens: &[TokenTree], message: &str) -> Self {
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
