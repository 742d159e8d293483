//! Fields beside those that a statement has: their style, and their names.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::escape::{self, Raw};
use super::line::Put as _;
use super::quote;
use super::redact::{MASK, Redaction};
use super::spec::{self, Resolved};
use super::typed::{self, Masks};
use crate::record::Context;

/// How the value of a field is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Values {
    /// As its specification says.
    Plain,
    /// As its specification says, in quotes if it needs them.
    QuotedIfNeeded,
    /// As JSON has it.
    Typed,
}

/// How the fields of a format look.
#[derive(Clone, Copy, Debug)]
pub(super) struct FieldStyle {
    pub(super) values: Values,
    /// What stands before and behind a name, where it is `key=value`.
    pub(super) around_key: (&'static str, &'static str),
    /// The names that no field can have, if each name can be there once only.
    pub(super) taken: Option<&'static [&'static str]>,
}

/// The names of an entry's fields, each of which is there once.
#[derive(Debug)]
pub(super) struct Names {
    /// The names that there are, and for each the first number that may make another one of it. `None`
    /// if a name can be there more than once.
    known: Option<HashMap<String, u32>>,
    reserved: HashSet<String>,
}

impl Names {
    pub(super) fn new(taken: Option<&[&str]>) -> Self {
        Names {
            known: taken.map(|taken| taken.iter().map(|&name| (name.to_owned(), 2)).collect()),
            reserved: HashSet::new(),
        }
    }

    /// A field will have this name.
    pub(super) fn reserve(&mut self, name: &str) {
        self.reserved.insert(name.to_owned());
    }

    /// The name, or the name with the first number that makes it one of its own.
    pub(super) fn take(&mut self, name: &str) -> String {
        let Some(known) = &mut self.known else {
            return name.to_owned();
        };
        let mut own = name.to_owned();
        if let Some(&first) = known.get(name) {
            let mut number = first;
            while known.contains_key(&own) || self.reserved.contains(&own) {
                own = format!("{name}_{number}");
                number += 1;
            }
            known.insert(name.to_owned(), number);
        }
        known.insert(own.clone(), 2);
        own
    }
}

/// How the fields of the context look in the entries of one statement.
#[derive(Debug)]
pub(super) struct ContextStyle {
    style: FieldStyle,
    /// Those of the statement's own fields.
    names: Names,
    redaction: Arc<Redaction>,
}

impl ContextStyle {
    pub(super) fn new(style: FieldStyle, names: Names, redaction: Arc<Redaction>) -> Self {
        ContextStyle {
            style,
            names,
            redaction,
        }
    }

    /// Appends the fields, outermost first. `text` is memory that is needed for a moment.
    pub(super) fn put(
        &self,
        out: &mut Vec<u8>,
        text: &mut Vec<u8>,
        context: Context<'_>,
        urls: bool,
    ) {
        let mut given = Vec::new();
        for (place, field) in context.fields().enumerate() {
            let name = self.name_of(place, context, &mut given);
            let hidden = self.redaction.masks(field.name);
            if self.style.values == Values::Typed {
                out.bytes(b",");
                typed::put_string(out, name.as_bytes(), false);
                out.bytes(b":");
                if hidden {
                    typed::put_string(out, MASK.as_bytes(), false);
                } else {
                    let masks = Masks {
                        urls,
                        names: Some(&self.redaction),
                    };
                    typed::put_value(out, field.value, masks);
                }
                continue;
            }
            let (before, behind) = self.style.around_key;
            out.bytes(before.as_bytes());
            quote::put_key(out, &name);
            out.bytes(behind.as_bytes());
            text.clear();
            if hidden {
                text.bytes(MASK.as_bytes());
            } else {
                let spec = Resolved::DISPLAY.redacted(&self.redaction);
                spec::put_value(text, field.value, &spec);
            }
            match self.style.values {
                Values::Plain => escape::put::<Raw>(out, text, urls),
                _ => quote::put_value(out, text, urls),
            }
        }
    }

    /// The name of the field in this place, which no other field of the entry has. Those that were
    /// `given` another name than their own before are among its neighbours. Allocates only if the
    /// field's own name is taken.
    fn name_of<'c>(
        &self,
        place: usize,
        context: Context<'c>,
        given: &mut Vec<String>,
    ) -> Cow<'c, str> {
        let Some(own) = context.fields().nth(place).map(|field| field.name) else {
            return Cow::Borrowed("");
        };
        let Some(known) = &self.names.known else {
            return Cow::Borrowed(own);
        };
        let earlier = || context.fields().take(place);
        if !known.contains_key(own) && earlier().all(|field| field.name != own) {
            return Cow::Borrowed(own);
        }
        let is_free = |name: &String| {
            !known.contains_key(name)
                && !given.contains(name)
                && context.fields().all(|field| field.name != name)
        };
        let mut numbered = (2..).map(|number| format!("{own}_{number}"));
        let name = numbered.find(is_free).unwrap_or_default();
        given.push(name.clone());
        Cow::Owned(name)
    }
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn a_name_that_is_taken_gets_a_number() {
        let mut names = Names::new(Some(&["msg"]));
        for name in ["msg", "a", "a_2", "a", "msg"] {
            names.reserve(name);
        }
        let given: Vec<_> = ["msg", "a", "a_2", "a", "msg", ""]
            .map(|name| names.take(name))
            .into();
        assert_eq!(given, ["msg_2", "a", "a_2", "a_3", "msg_3", ""]);
    }

    /// Whoever chooses the keys of a map could choose that.
    #[test]
    fn a_name_that_is_there_again_and_again_takes_no_longer_each_time() {
        let mut names = Names::new(Some(&[]));
        let count = if cfg!(miri) { 100 } else { 100_000 };
        let last = (0..count).map(|_| names.take("a")).last();
        assert_eq!(last, Some(format!("a_{count}")));
    }

    #[test]
    fn names_may_repeat_where_nothing_says_otherwise() {
        let mut names = Names::new(None);
        assert_eq!([names.take("a"), names.take("a")], ["a", "a"]);
    }
}
