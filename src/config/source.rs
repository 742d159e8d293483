//! The text that a configuration was read from, to say in which line something stands.

use std::path::{Path as FilePath, PathBuf};

use serde::de::Error as _;
use toml::de::{DeTable, DeValue};

use super::node::{Node, Table};
use super::reader::{Path, Step};

/// A language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Toml,
    Json,
}

/// See the [module](self).
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) file: Option<PathBuf>,
    text: String,
    language: Language,
}

/// A text that is not of its language.
#[derive(Debug)]
pub(super) struct SyntaxFault {
    pub(super) line: Option<usize>,
    pub(super) problem: String,
}

impl Source {
    pub(super) fn new(text: &str, language: Language) -> Self {
        Source {
            file: None,
            text: text.to_owned(),
            language,
        }
    }

    pub(super) fn of_file(file: &FilePath, text: String, language: Language) -> Self {
        Source {
            file: Some(file.to_owned()),
            text,
            language,
        }
    }

    pub(super) fn parse(&self) -> Result<Table, SyntaxFault> {
        let node = match self.language {
            Language::Toml => toml::from_str::<Node>(&self.text).map_err(|error| SyntaxFault {
                line: error.span().map(|span| self.line(span.start)),
                problem: error.message().to_owned(),
            })?,
            Language::Json => serde_json::from_str::<Node>(&self.text).map_err(json_fault)?,
        };
        match node {
            Node::Table(table) => Ok(table),
            other => Err(json_fault(serde_json::Error::custom(format!(
                "a configuration is a table, and this is {}",
                other.kind()
            )))),
        }
    }

    /// The line of the byte, from 1.
    fn line(&self, byte: usize) -> usize {
        let before = &self.text.as_bytes()[..byte.min(self.text.len())];
        before.iter().filter(|&&byte| byte == b'\n').count() + 1
    }

    /// The line of the last step of the path that is in the text at all; none if not even the first
    /// is.
    pub(super) fn line_of(&self, path: &Path) -> Option<usize> {
        let byte = match self.language {
            Language::Toml => find_in_toml(&self.text, path),
            Language::Json => Json::new(&self.text).find(&path.0),
        };
        Some(self.line(byte?))
    }
}

fn json_fault(error: serde_json::Error) -> SyntaxFault {
    let text = error.to_string();
    let problem = match text.split_once(" at line ") {
        Some((problem, _)) => problem.to_owned(),
        None => text,
    };
    SyntaxFault {
        line: (error.line() > 0).then_some(error.line()),
        problem,
    }
}

fn find_in_toml(text: &str, path: &Path) -> Option<usize> {
    let root = DeTable::parse(text).ok()?;
    let mut found = None;
    let (Step::Key(first), rest) = path.0.split_first()? else {
        return None;
    };
    let entry = |table: &'_ DeTable<'_>, key: &str| {
        let (key, _) = table.get_key_value(key)?;
        Some(key.span().start)
    };
    found = entry(root.get_ref(), first).or(found);
    let mut value = root.get_ref().get(&**first)?;
    for step in rest {
        match (step, value.get_ref()) {
            (Step::Key(key), DeValue::Table(table)) => {
                let Some(next) = table.get(&**key) else {
                    break;
                };
                found = entry(table, key).or(found);
                value = next;
            }
            (Step::Place(place), DeValue::Array(list)) => {
                let Some(next) = list.get(*place) else {
                    break;
                };
                found = Some(next.span().start);
                value = next;
            }
            _ => break,
        }
    }
    found
}

/// Finds values in a text that is known to be JSON.
struct Json<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Json<'a> {
    fn new(text: &'a str) -> Self {
        Json {
            text: text.as_bytes(),
            at: 0,
        }
    }

    /// The place of the last step that is there.
    fn find(&mut self, path: &[Step]) -> Option<usize> {
        let (step, rest) = path.split_first()?;
        self.skip_space();
        let opening = *self.text.get(self.at)?;
        match (opening, step) {
            (b'{', _) | (b'[', _) => self.at += 1,
            _ => return None,
        }
        let mut place = 0;
        loop {
            self.skip_space();
            let start = self.at;
            match self.text.get(self.at)? {
                b'}' | b']' => return None,
                b',' => {
                    self.at += 1;
                    continue;
                }
                _ => {}
            }
            let is_it = if opening == b'{' {
                let key = self.string()?;
                self.skip_space();
                self.at += 1;
                matches!(step, Step::Key(wanted) if *wanted == key)
            } else {
                place += 1;
                matches!(step, Step::Place(wanted) if *wanted == place - 1)
            };
            if is_it {
                return self.find(rest).or(Some(start));
            }
            self.skip_value()?;
        }
    }

    fn skip_space(&mut self) {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
    }

    fn string(&mut self) -> Option<String> {
        let start = self.at;
        self.at += 1;
        while *self.text.get(self.at)? != b'"' {
            self.at += 1 + usize::from(self.text[self.at] == b'\\');
        }
        self.at += 1;
        serde_json::from_slice(&self.text[start..self.at]).ok()
    }

    fn skip_value(&mut self) -> Option<()> {
        let mut depth = 0;
        loop {
            self.skip_space();
            match self.text.get(self.at)? {
                b'"' => _ = self.string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' if depth == 0 => return Some(()),
                b'}' | b']' => {
                    depth -= 1;
                    self.at += 1;
                }
                b',' if depth == 0 => return Some(()),
                _ => self.at += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOML: &str = "level = 'info'\n\n[ring]\nlanes = 4\n\n[[sinks]]\nkind = 'file'\n\n[[sinks]]\nkind = 'file'\npath = 'x'\noffload.queue = 3\n";
    const JSON: &str = "{\n \"level\": \"a } \\\" ] b\",\n \"ring\": {\n  \"x\": [1, {\"lanes\": 0}],\n  \"lanes\": 4\n },\n \"sinks\": [\n  {\"kind\": \"file\"},\n  {\n   \"kind\": \"file\",\n   \"path\": \"x\"\n  }\n ]\n}\n";

    fn path(text: &str) -> Path {
        let mut path = Path::default();
        for word in text.split('.') {
            path = match word.parse() {
                Ok(place) => path.place(place),
                Err(_) => path.key(word),
            };
        }
        path
    }

    #[test]
    fn lines_are_found_in_both_languages() {
        for (language, text, lines) in [
            (
                Language::Toml,
                TOML,
                &[
                    ("level", Some(1)),
                    ("ring.lanes", Some(4)),
                    ("ring.other", Some(3)),
                    ("sinks.0.kind", Some(7)),
                    ("sinks.1.kind", Some(10)),
                    ("sinks.1.path", Some(11)),
                    ("sinks.1.offload.queue", Some(12)),
                    ("other", None),
                ][..],
            ),
            (
                Language::Json,
                JSON,
                &[
                    ("level", Some(2)),
                    ("ring", Some(3)),
                    ("ring.lanes", Some(5)),
                    ("ring.other", Some(3)),
                    ("ring.x.1.lanes", Some(4)),
                    ("sinks.0.kind", Some(8)),
                    ("sinks.1", Some(9)),
                    ("sinks.1.path", Some(11)),
                    ("other", None),
                ],
            ),
        ] {
            let source = Source::new(text, language);
            assert!(source.parse().is_ok());
            for (place, line) in lines {
                assert_eq!(source.line_of(&path(place)), *line, "{language:?} {place}");
            }
        }
    }
}
