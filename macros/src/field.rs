//! Fields: what stands between the level and the format string.
//!
//! ```text
//! order_id                    the variable, or the path, under its own name
//! px = p                      any expression
//! user.name = n               a name in parts
//! "user name" = n             any name
//! { NAME } = n                a constant
//! %side  ?kind                shown as `{}` and as `{:?}` do
//! side = %s  kind = ?k        the same for any expression
//! side:% = s  kind:? = k      the same in the syntax of `log`; also `:display`, `:debug`, `:err`
//! { order_id, px = p }        any of these in braces
//! ```

use proc_macro::{Delimiter, Spacing, TokenStream, TokenTree};

use crate::input::{Error, Expression, Place, is_punct, string};

/// A field of a statement.
pub(crate) struct Field {
    pub(crate) name: Name,
    pub(crate) value: Expression,
    pub(crate) capture: Capture,
}

/// A field's name.
pub(crate) enum Name {
    Text(String),
    /// An expression that the compiler evaluates.
    Constant(TokenStream),
}

/// How a value is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Capture {
    /// As `{}` does if it can be, else as `{:?}` does.
    Plain,
    Display,
    Debug,
}

/// Whether what stands behind a colon says how to capture a field, in the syntax of `log`.
pub(crate) fn is_capture(tokens: &[TokenTree]) -> bool {
    let (word, rest) = match tokens {
        [word, rest @ ..] => (word.to_string(), rest),
        [] => return false,
    };
    let ends = match rest {
        [] => true,
        [first, ..] => is_punct(first, '='),
    };
    let known = ["?", "%", "debug", "display", "err", "sval", "serde"];
    ends && known.contains(&word.as_str())
}

/// Reads a field.
pub(crate) fn parse(part: &[TokenTree]) -> Result<Field, Error> {
    let (sigil, rest) = sigil(part);
    if let (Some(capture), Some((name, []))) = (sigil, path(rest)) {
        return field(Name::Text(name), rest, capture);
    }
    let Some((name, named, rest)) = name(part) else {
        return Err(malformed(part));
    };
    match rest {
        [] => match name {
            Name::Text(_) if string(&part[0]).is_none() => field(name, named, Capture::Plain),
            _ => Err(malformed(part)),
        },
        [sign, value @ ..] if is_assignment(sign, value) => {
            let (capture, value) = sigil_of_value(value);
            field(name, value, capture)
        }
        [colon, word, rest @ ..]
            if is_punct(colon, ':') && is_capture(&part[part.len() - rest.len() - 1..]) =>
        {
            let capture = match word.to_string().as_str() {
                "?" | "debug" => Capture::Debug,
                "%" | "display" | "err" => Capture::Display,
                other => {
                    let message = format!(
                        "ringlog captures values by type: instead of `:{other}`, derive \
                         `Record` for the type, or write `= serde(value)`"
                    );
                    return Err(Error::at(&part[part.len() - rest.len() - 2..], &message));
                }
            };
            match rest {
                [] => field(name, named, capture),
                [_, value @ ..] => field(name, value, capture),
            }
        }
        _ => Err(malformed(part)),
    }
}

fn field(name: Name, value: &[TokenTree], capture: Capture) -> Result<Field, Error> {
    match Expression::new(value) {
        Some(value) => Ok(Field {
            name,
            value,
            capture,
        }),
        None => {
            let message = match name {
                Name::Text(name) => format!("the field `{name}` has no value"),
                Name::Constant(_) => "the field has no value".to_owned(),
            };
            Err(Error::at(&[], &message))
        }
    }
}

/// The capture that a `%` or a `?` in front stands for.
fn sigil(tokens: &[TokenTree]) -> (Option<Capture>, &[TokenTree]) {
    match tokens {
        [sigil, rest @ ..] if is_punct(sigil, '%') => (Some(Capture::Display), rest),
        [sigil, rest @ ..] if is_punct(sigil, '?') => (Some(Capture::Debug), rest),
        _ => (None, tokens),
    }
}

fn sigil_of_value(value: &[TokenTree]) -> (Capture, &[TokenTree]) {
    let (capture, value) = sigil(value);
    (capture.unwrap_or(Capture::Plain), value)
}

/// Whether this is a `=` that is not part of a longer operator.
fn is_assignment(sign: &TokenTree, after: &[TokenTree]) -> bool {
    let TokenTree::Punct(punct) = sign else {
        return false;
    };
    let longer = punct.spacing() == Spacing::Joint
        && matches!(after.first(), Some(next) if is_punct(next, '=') || is_punct(next, '>'));
    punct.as_char() == '=' && !longer
}

/// The field's name, the tokens it is made of, and what follows them.
fn name(part: &[TokenTree]) -> Option<(Name, &[TokenTree], &[TokenTree])> {
    let split = |rest: &[TokenTree]| part.len() - rest.len();
    if let Some((name, rest)) = path(part) {
        return Some((Name::Text(name), &part[..split(rest)], rest));
    }
    let (first, rest) = part.split_first()?;
    if let Some((_, text)) = string(first) {
        return Some((Name::Text(text), &part[..1], rest));
    }
    match first {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
            Some((Name::Constant(group.stream()), &part[..1], rest))
        }
        _ => None,
    }
}

/// Names with points between them, and what follows.
fn path(tokens: &[TokenTree]) -> Option<(String, &[TokenTree])> {
    let mut name = String::new();
    let mut rest = tokens;
    loop {
        let [TokenTree::Ident(ident), after @ ..] = rest else {
            return None;
        };
        let ident = ident.to_string();
        name.push_str(ident.strip_prefix("r#").unwrap_or(&ident));
        match after {
            [point, after @ ..] if is_punct(point, '.') => {
                name.push('.');
                rest = after;
            }
            _ => return Some((name, after)),
        }
    }
}

fn malformed(part: &[TokenTree]) -> Error {
    let single = |kind: fn(&TokenTree) -> bool| matches!(part, [token] if kind(token));
    let literal = single(|token| matches!(token, TokenTree::Literal(_)));
    let call = matches!(part, [.., TokenTree::Group(_)]);
    let text = Place::of(part).map_or_else(String::new, |_| {
        part.iter().cloned().collect::<TokenStream>().to_string()
    });
    let message = if literal || call {
        format!(
            "the format string must be a string literal, because it is read when the program is \
             compiled; to log a value, write `\"{{}}\", {text}`, or `name = {text}` for a field"
        )
    } else {
        "not a field: write a variable, or `name = value`; `%` or `?` in front of the value shows \
         it as `{}` or `{:?}` do"
            .to_owned()
    };
    Error::at(part, &message)
}
