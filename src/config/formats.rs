//! The forms of records in a configuration: a word, or a table.

use super::node::Node;
use super::reader::{Reader, Reading};
use crate::format::{AnyFormat, Color, Json, Logfmt, Text};

#[derive(Clone, Copy)]
enum Word {
    Text,
    Json,
    Logfmt,
}

const WORDS: [(&str, Word); 3] = [
    ("text", Word::Text),
    ("json", Word::Json),
    ("logfmt", Word::Logfmt),
];

/// The key `format` of a table.
pub(super) fn read(keys: &mut Reader<'_>) -> Reading<Option<AnyFormat>> {
    match keys.node("format") {
        Some(Node::Table(_)) => keys.table("format", read_table),
        Some(Node::Text(_)) | None => {
            let word = keys.choice("format", &WORDS)?;
            Ok(word.map(|word| match word {
                Word::Text => Text::new().into(),
                Word::Json => Json::new().into(),
                Word::Logfmt => Logfmt::new().into(),
            }))
        }
        Some(other) => Err(keys.fault(
            "format",
            format!("must be text or a table, and is {}", other.kind()),
        )),
    }
}

fn read_table(keys: &mut Reader<'_>) -> Reading<AnyFormat> {
    match keys.required_choice("kind", &WORDS)? {
        Word::Json => Ok(Json::new().into()),
        Word::Logfmt => Ok(Logfmt::new().into()),
        Word::Text => {
            let text = keys.parsed("pattern", Text::pattern)?;
            let mut text = text.unwrap_or_default();
            let colors = [
                ("auto", Color::Auto),
                ("always", Color::Always),
                ("never", Color::Never),
            ];
            if let Some(color) = keys.choice("color", &colors)? {
                text = text.color(color);
            }
            if let Some(escape) = keys.flag("escape")? {
                text = text.escape(escape);
            }
            Ok(text.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::reader::Path;
    use crate::config::source::{Language, Source};

    fn format(toml: &str) -> Result<String, String> {
        let table = Source::new(toml, Language::Toml).parse().unwrap();
        Reader::read(&table, Path::default(), read)
            .map(|format| format!("{format:?}"))
            .map_err(|fault| format!("`{}` {}", fault.path, fault.problem))
    }

    #[test]
    fn a_word_or_a_table_is_a_format() {
        let pattern = || Text::pattern("{level} {message}").unwrap();
        let expected: [(&str, Option<AnyFormat>); 8] = [
            ("", None),
            ("format = 'text'", Some(Text::new().into())),
            ("format = 'json'", Some(Json::new().into())),
            ("format = { kind = 'json' }", Some(Json::new().into())),
            ("format = 'logfmt'", Some(Logfmt::new().into())),
            ("format.kind = 'text'", Some(Text::new().into())),
            (
                "format = { kind = 'text', pattern = '{level} {message}', color = 'never' }",
                Some(pattern().color(Color::Never).into()),
            ),
            (
                "format = { kind = 'text', pattern = '{level} {message}', escape = false }",
                Some(pattern().escape(false).into()),
            ),
        ];
        for (toml, format_of_it) in expected {
            assert_eq!(format(toml), Ok(format!("{format_of_it:?}")), "{toml}");
        }
    }

    #[test]
    fn a_format_that_there_is_not_is_refused() {
        for (toml, begins) in [
            (
                "format = 'jsn'",
                "`format` cannot be \"jsn\"; did you mean \"json\"?",
            ),
            (
                "format = 3",
                "`format` must be text or a table, and is a number",
            ),
            ("format = {}", "`format` lacks the key `kind`"),
            (
                "format = { kind = 'json', pattern = '{level}' }",
                "`format.pattern` is not a key; there are `kind`",
            ),
            (
                "format = { kind = 'text', colour = 'auto' }",
                "`format.colour` is not a key; did you mean `color`?",
            ),
            (
                "format = { kind = 'text', pattern = '{levle}' }",
                "`format.pattern` is \"{levle}\": ",
            ),
        ] {
            let error = format(toml).unwrap_err();
            assert!(error.starts_with(begins), "{toml}: {error}");
        }
    }
}
