//! What nobody is to read: values by the name of their field, and credentials in URLs.
//!
//! Whether a statement has such values is decided once, when it is compiled for a format; one that
//! has none costs nothing. URLs are looked for in text that has an `@`.

use std::ops::Range;
use std::ptr;

use super::glob;
use crate::record::{Form, Piece, Shape, Type};

/// Stands for what is masked.
pub(crate) const MASK: &str = "***";

/// Which values are masked before any sink sees them.
///
/// A name masks the argument or field of that name, in the message as among the fields, and in the
/// context. It may have `*`, which stands for any characters, and counts in any case of its letters;
/// of a dotted name such as `user.password` the last part counts as well. A masked value is written
/// as `***`. An argument without a name, such as that of `info!("{}", password)`, is not masked; that
/// of `info!("{password}")` is.
///
/// By default the names are `password`, `passwd`, `secret`, `token` and `authorization`, also behind
/// an underscore (`db_password`), and credentials in URLs are masked: `postgres://app:hunter2@db/x`
/// becomes `postgres://app:***@db/x`, also where the message puts the URL together, as
/// `"postgres://{user}:{word}@{host}"` does.
///
/// Names are compared once for each statement, when its first record is written.
///
/// ```
/// use ringlog::format::Redaction;
/// use ringlog::sink::Memory;
/// use ringlog::{RingLogger, info};
/// use std::time::Duration;
///
/// let memory = Memory::new();
/// let logger = RingLogger::builder()
///     .redact(Redaction::new().field("card*"))
///     .sink(memory.clone())
///     .build()?;
/// let (card_number, password) = ("4111 1111", "hunter2");
/// info!(logger: &logger, "pays with {card_number}, {password}, at {}", "https://me:pw@shop.example");
/// logger.flush(Duration::from_secs(1))?;
/// assert!(memory.contents().ends_with("pays with ***, ***, at https://me:***@shop.example\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Redaction {
    names: Vec<String>,
    urls: bool,
}

/// The names that are masked unless the program says otherwise.
const USUAL: [&str; 10] = [
    "password",
    "passwd",
    "secret",
    "token",
    "authorization",
    "*_password",
    "*_passwd",
    "*_secret",
    "*_token",
    "*_authorization",
];

impl Default for Redaction {
    fn default() -> Self {
        Redaction::new()
    }
}

impl Redaction {
    /// The usual names, and credentials in URLs.
    pub fn new() -> Self {
        Redaction {
            names: USUAL.map(str::to_owned).into(),
            urls: true,
        }
    }

    /// Nothing is masked.
    pub fn none() -> Self {
        Redaction {
            names: Vec::new(),
            urls: false,
        }
    }

    /// Masks the values of this name too; `*` stands for any characters.
    pub fn field(mut self, name: impl Into<String>) -> Self {
        self.names.push(name.into());
        self
    }

    /// Masks the values of these names too.
    pub fn fields<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.names.extend(names.into_iter().map(Into::into));
        self
    }

    /// Whether credentials in URLs are masked; default true.
    pub fn urls(mut self, mask: bool) -> Self {
        self.urls = mask;
        self
    }

    pub(super) fn masks_urls(&self) -> bool {
        self.urls
    }

    /// Whether a value of this type may have something inside that is masked by its name.
    pub(super) fn looks_into(&self, ty: Type) -> bool {
        let mut seen = Vec::new();
        !self.names.is_empty() && self.looks_into_unseen(ty, &mut seen)
    }

    /// `seen` are the shapes that were looked at: a type may contain itself.
    fn looks_into_unseen(&self, ty: Type, seen: &mut Vec<*const Shape>) -> bool {
        let mut any = |types: &[Type]| types.iter().any(|&ty| self.looks_into_unseen(ty, seen));
        match ty {
            Type::Option(inner) | Type::List(inner) | Type::Set(inner) => any(&[*inner]),
            // Their names are only known from the records.
            Type::Map(_) | Type::Tagged => true,
            Type::Tuple(types) => any(types),
            _ => {
                let Some(shape) = ty
                    .shape()
                    .filter(|shape| !seen.contains(&ptr::from_ref(*shape)))
                else {
                    return false;
                };
                seen.push(shape);
                let variants = match shape {
                    Shape::Struct(only) => std::slice::from_ref(only),
                    Shape::Enum(variants) => variants,
                };
                variants.iter().any(|variant| match variant.form {
                    Form::Unit => false,
                    Form::Tuple(types) => types.iter().any(|&ty| self.looks_into_unseen(ty, seen)),
                    Form::Fields(members) => members.iter().any(|member| {
                        self.masks(member.name) || self.looks_into_unseen(member.ty, seen)
                    }),
                })
            }
        }
    }

    /// Whether the values of this name are masked.
    pub(crate) fn masks(&self, name: &str) -> bool {
        let last = name.rsplit('.').next().unwrap_or(name);
        self.names
            .iter()
            .any(|pattern| glob::matches(pattern, name) || glob::matches(pattern, last))
    }
}

/// Where in the text the first URL has credentials: the password, or all that stands before the `@`
/// if there is no colon.
///
/// Of a URL that was cut off, what stands behind the colon may be the beginning of a password.
pub(super) fn credentials(text: &[u8]) -> Option<Range<usize>> {
    const CUT: &[u8] = "…(+".as_bytes();
    let mut from = 0;
    loop {
        let colon = from + text[from..].windows(3).position(|three| three == b"://")?;
        let start = colon + 3;
        from = start;
        if !text[..colon].last().is_some_and(u8::is_ascii_alphanumeric) {
            continue;
        }
        let ends = |byte: &u8| *byte <= b' ' || b"/?#\"'<>`\\".contains(byte);
        let rest = &text[start..];
        let rest = &rest[..rest.iter().position(ends).unwrap_or(rest.len())];
        let cut = rest.windows(CUT.len()).position(|part| part == CUT);
        let end = match (rest.iter().rposition(|&byte| byte == b'@'), cut) {
            (Some(at), _) => at,
            (None, Some(cut)) => cut,
            (None, None) => continue,
        };
        let secret = match rest[..end].iter().position(|&byte| byte == b':') {
            Some(colon) => colon + 1..end,
            None if cut.is_some() => continue,
            None => 0..end,
        };
        if !secret.is_empty() && rest[secret.clone()] != *MASK.as_bytes() {
            return Some(start + secret.start..start + secret.end);
        }
    }
}

/// Whether each piece of a message is, or has, credentials of a URL that the message puts together.
pub(super) fn credentials_among(pieces: &[Piece]) -> Vec<bool> {
    let mut text = Vec::new();
    let place = |piece: &Piece| {
        let start = text.len();
        match piece {
            Piece::Literal(literal) => text.extend_from_slice(literal.as_bytes()),
            // Whatever the value is, it is taken for a word.
            Piece::Value(..) => text.push(b'x'),
        }
        start..text.len()
    };
    let places: Vec<Range<usize>> = pieces.iter().map(place).collect();
    let mut secret = vec![false; pieces.len()];
    let mut from = 0;
    while let Some(range) = credentials(&text[from..]) {
        let (start, end) = (from + range.start, from + range.end);
        for (secret, place) in secret.iter_mut().zip(&places) {
            *secret |= place.start < end && start < place.end;
        }
        from = end;
    }
    secret
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::escape::{Raw, put};

    fn masked(text: &str) -> String {
        let mut out = Vec::new();
        put::<Raw>(&mut out, text.as_bytes(), true);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn credentials_in_urls_are_masked_and_nothing_else() {
        for (text, expected) in [
            (
                "postgres://app:hunter2@db:5432/x",
                "postgres://app:***@db:5432/x",
            ),
            (
                "https://ghp_token@github.com/a/b",
                "https://***@github.com/a/b",
            ),
            ("redis://:pw@cache", "redis://:***@cache"),
            ("amqp://u:p@ss:w@host", "amqp://u:***@host"),
            (
                "from http://a:b@c to http://d:e@f/?x=1",
                "from http://a:***@c to http://d:***@f/?x=1",
            ),
            ("\"http://a:b@c\"", "\"http://a:***@c\""),
            (
                "http://a:b@c\nhttp://d:e@f",
                "http://a:***@c\nhttp://d:***@f",
            ),
            (
                "http://a:***@c, http://d:e@f",
                "http://a:***@c, http://d:***@f",
            ),
            ("http://größe:пароль@c", "http://größe:***@c"),
            ("http://a:secre…(+12 bytes)", "http://a:***…(+12 bytes)"),
        ] {
            assert_eq!(masked(text), expected);
        }
        for harmless in [
            "",
            "://",
            "://a:b@c",
            "http://host:80/path@2",
            "http://host/?user=a:b@c",
            "mail to a@b.example, not ://x",
            "ratio 3://4",
            "http://@host",
            "http://a:@host",
            "http://host.example.c…(+12 bytes)",
            "user:password@host",
        ] {
            assert_eq!(masked(harmless), harmless);
        }
    }

    #[test]
    fn names_count_in_any_case_and_behind_a_dot() {
        let redaction = Redaction::new().field("card*number").field("*key");
        for name in [
            "password",
            "Password",
            "user.password",
            "db_password",
            "http.AUTHORIZATION",
            "cardnumber",
            "card_number",
            "api_key",
            "key",
        ] {
            assert!(redaction.masks(name), "{name}");
        }
        for name in [
            "",
            "passwords",
            "pass",
            "tokens",
            "number",
            "keys",
            "tokenizer",
        ] {
            assert!(!redaction.masks(name), "{name}");
        }
        assert!(!Redaction::none().masks("password"));
    }
}
