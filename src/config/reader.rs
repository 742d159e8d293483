//! Reads a table key by key, and knows afterwards which keys it holds that nobody asked for.
//!
//! Which keys there are is said in one place: where they are read.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::node::{Node, Table};

/// A step from a table or list to what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    /// From 0.
    Place(usize),
}

/// Where a value stands: `sinks[1].path`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Path(pub(super) Vec<Step>);

impl Path {
    pub(super) fn key(&self, key: &str) -> Path {
        self.with(Step::Key(key.to_owned()))
    }

    pub(super) fn place(&self, place: usize) -> Path {
        self.with(Step::Place(place))
    }

    fn with(&self, step: Step) -> Path {
        let mut path = self.clone();
        path.0.push(step);
        path
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if index == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Place(place) => write!(f, "[{place}]")?,
            }
        }
        Ok(())
    }
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) path: Path,
    /// A sentence about it, which the path begins: "is not a key".
    pub(super) problem: String,
}

pub(super) type Reading<T> = Result<T, Fault>;

/// What a table that is not there is read as.
const EMPTY: &Table = &Table::new();

/// See the [module](self).
pub(super) struct Reader<'a> {
    table: &'a Table,
    path: Path,
    /// Every key that this reader or one of a table within it was asked for, below this table.
    asked: Vec<Path>,
}

impl<'a> Reader<'a> {
    /// Reads a whole table.
    pub(super) fn read<R>(
        table: &'a Table,
        path: Path,
        read: impl FnOnce(&mut Reader<'a>) -> Reading<R>,
    ) -> Reading<R> {
        Ok(Self::read_asking(table, path, read)?.0)
    }

    fn read_asking<R>(
        table: &'a Table,
        path: Path,
        read: impl FnOnce(&mut Reader<'a>) -> Reading<R>,
    ) -> Reading<(R, Vec<Path>)> {
        let mut reader = Reader {
            table,
            path,
            asked: Vec::new(),
        };
        let result = read(&mut reader)?;
        reader.refuse_unknown_keys()?;
        Ok((result, reader.asked))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A fault of one of this table's values.
    pub(super) fn fault(&self, key: &str, problem: impl Into<String>) -> Fault {
        Fault {
            path: self.path.key(key),
            problem: problem.into(),
        }
    }

    /// Whatever the key has.
    pub(super) fn node(&mut self, key: &str) -> Option<&'a Node> {
        self.asked.push(Path::default().key(key));
        self.table.get(key)
    }

    /// Whether the key is there.
    pub(super) fn has(&mut self, key: &str) -> bool {
        self.node(key).is_some()
    }

    fn wrong_kind(&self, key: &str, wanted: &str, node: &Node) -> Fault {
        self.fault(key, format!("must be {wanted}, and is {}", node.kind()))
    }

    pub(super) fn flag(&mut self, key: &str) -> Reading<Option<bool>> {
        match self.node(key) {
            None => Ok(None),
            Some(Node::Flag(value)) => Ok(Some(*value)),
            Some(other) => Err(self.wrong_kind(key, "true or false", other)),
        }
    }

    pub(super) fn number(
        &mut self,
        key: &str,
        range: RangeInclusive<usize>,
    ) -> Reading<Option<usize>> {
        let number = match self.node(key) {
            None => return Ok(None),
            Some(Node::Integer(value)) => *value,
            Some(other) => return Err(self.wrong_kind(key, "a whole number", other)),
        };
        match usize::try_from(number) {
            Ok(value) if range.contains(&value) => Ok(Some(value)),
            _ => Err(self.fault(
                key,
                format!(
                    "is {number}, and must be between {} and {}",
                    range.start(),
                    range.end()
                ),
            )),
        }
    }

    pub(super) fn text(&mut self, key: &str) -> Reading<Option<&'a str>> {
        match self.node(key) {
            None => Ok(None),
            Some(Node::Text(value)) => Ok(Some(value)),
            Some(other) => Err(self.wrong_kind(key, "text", other)),
        }
    }

    /// A key that must be there, and is not. One that is there and looks like it is told as misspelt.
    pub(super) fn lacks(&self, key: &str) -> Fault {
        let unknown = self
            .unknown_keys()
            .find(|unknown| nearest(unknown, [key]).is_some());
        match unknown {
            Some(unknown) => self.fault(unknown, self.describe_unknown(unknown)),
            None => Fault {
                path: self.path.clone(),
                problem: format!("lacks the key `{key}`"),
            },
        }
    }

    /// A text that must be there.
    pub(super) fn required_text(&mut self, key: &str) -> Reading<&'a str> {
        self.text(key)?.ok_or_else(|| self.lacks(key))
    }

    /// One of several words, which must be there.
    pub(super) fn required_choice<T: Copy>(
        &mut self,
        key: &str,
        choices: &[(&str, T)],
    ) -> Reading<T> {
        self.choice(key, choices)?.ok_or_else(|| self.lacks(key))
    }

    /// A table that must be there.
    pub(super) fn required_table<R>(
        &mut self,
        key: &str,
        read: impl FnOnce(&mut Reader<'a>) -> Reading<R>,
    ) -> Reading<R> {
        self.table(key, read)?.ok_or_else(|| self.lacks(key))
    }

    /// Text that means something to a parser.
    pub(super) fn parsed<T, E: fmt::Display>(
        &mut self,
        key: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Reading<Option<T>> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        let value = parse(text);
        value
            .map(Some)
            .map_err(|error| self.fault(key, format!("is {text:?}: {error}")))
    }

    /// One of several words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &str,
        choices: &[(&str, T)],
    ) -> Reading<Option<T>> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        if let Some((_, value)) = choices.iter().find(|(word, _)| *word == text) {
            return Ok(Some(*value));
        }
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let hint = match nearest(text, words.iter().copied()) {
            Some(word) => format!("did you mean \"{word}\"?"),
            None => format!("it can be \"{}\"", words.join("\", \"")),
        };
        Err(self.fault(key, format!("cannot be {text:?}; {hint}")))
    }

    /// A length of time, such as `"250ms"`.
    pub(super) fn duration(&mut self, key: &str) -> Reading<Option<Duration>> {
        self.parsed(key, parse_duration)
    }

    /// A number of bytes, such as `65536` or `"64 KiB"`.
    pub(super) fn bytes(
        &mut self,
        key: &str,
        range: RangeInclusive<usize>,
    ) -> Reading<Option<usize>> {
        if !matches!(self.table.get(key), Some(Node::Text(_))) {
            return self.number(key, range);
        }
        let bytes = self.parsed(key, parse_bytes)?;
        match bytes {
            Some(bytes) if !range.contains(&bytes) => Err(self.fault(
                key,
                format!(
                    "is {bytes} bytes, and must be between {} and {}",
                    range.start(),
                    range.end()
                ),
            )),
            bytes => Ok(bytes),
        }
    }

    /// A list of texts, or a single one.
    pub(super) fn text_or_texts(&mut self, key: &str) -> Reading<Option<Vec<&'a str>>> {
        let list = match self.node(key) {
            None => return Ok(None),
            Some(Node::Text(text)) => return Ok(Some(vec![text])),
            Some(Node::List(list)) => list,
            Some(other) => return Err(self.wrong_kind(key, "text or a list of texts", other)),
        };
        let texts = list.iter().enumerate().map(|(place, node)| match node {
            Node::Text(text) => Ok(&**text),
            other => Err(Fault {
                path: self.path.key(key).place(place),
                problem: format!("must be text, and is {}", other.kind()),
            }),
        });
        texts.collect::<Reading<_>>().map(Some)
    }

    /// The entries of a table whose keys can be any.
    pub(super) fn entries(
        &mut self,
        key: &str,
    ) -> Reading<impl Iterator<Item = (&'a String, &'a Node)> + use<'a>> {
        match self.node(key) {
            None => Ok(EMPTY.iter()),
            Some(Node::Table(table)) => Ok(table.iter()),
            Some(other) => Err(self.wrong_kind(key, "a table", other)),
        }
    }

    /// A table within this one. One that is not there is read like an empty one, so that its keys
    /// are known.
    pub(super) fn section<R>(
        &mut self,
        key: &str,
        read: impl FnOnce(&mut Reader<'a>) -> Reading<R>,
    ) -> Reading<R> {
        let table = match self.node(key) {
            None => EMPTY,
            Some(Node::Table(table)) => table,
            Some(other) => return Err(self.wrong_kind(key, "a table", other)),
        };
        self.section_of(table, key, read)
    }

    fn section_of<R>(
        &mut self,
        table: &'a Table,
        key: &str,
        read: impl FnOnce(&mut Reader<'a>) -> Reading<R>,
    ) -> Reading<R> {
        let (result, asked) = Self::read_asking(table, self.path.key(key), read)?;
        self.note_asked(Path::default().key(key), asked);
        Ok(result)
    }

    /// A table within this one, if it is there.
    pub(super) fn table<R>(
        &mut self,
        key: &str,
        read: impl FnOnce(&mut Reader<'a>) -> Reading<R>,
    ) -> Reading<Option<R>> {
        match self.node(key) {
            None => Ok(None),
            Some(Node::Table(table)) => self.section_of(table, key, read).map(Some),
            Some(other) => Err(self.wrong_kind(key, "a table", other)),
        }
    }

    /// A table within this one, or true for one with nothing in it, or false for none.
    pub(super) fn table_or_flag<R>(
        &mut self,
        key: &str,
        read: impl FnOnce(&mut Reader<'a>) -> Reading<R>,
    ) -> Reading<Option<R>> {
        match self.node(key) {
            None | Some(Node::Flag(false)) => Ok(None),
            Some(Node::Flag(true)) => self.section_of(EMPTY, key, read).map(Some),
            Some(Node::Table(table)) => self.section_of(table, key, read).map(Some),
            Some(other) => Err(self.wrong_kind(key, "a table, or true", other)),
        }
    }

    /// A list of tables; empty if it is not there.
    pub(super) fn tables<R>(
        &mut self,
        key: &str,
        mut read: impl FnMut(&mut Reader<'a>) -> Reading<R>,
    ) -> Reading<Vec<R>> {
        let list = match self.node(key) {
            None => return Ok(Vec::new()),
            Some(Node::List(list)) => list,
            Some(other) => return Err(self.wrong_kind(key, "a list of tables", other)),
        };
        let mut tables = Vec::new();
        for (place, node) in list.iter().enumerate() {
            let path = self.path.key(key).place(place);
            let Node::Table(table) = node else {
                let problem = format!("must be a table, and is {}", node.kind());
                return Err(Fault { path, problem });
            };
            let (result, asked) = Self::read_asking(table, path, &mut read)?;
            tables.push(result);
            self.note_asked(Path::default().key(key).place(place), asked);
        }
        Ok(tables)
    }

    /// The keys that a table within this one was asked for.
    fn note_asked(&mut self, table: Path, below: Vec<Path>) {
        self.asked.extend(below.into_iter().map(|below| {
            let mut path = table.clone();
            path.0.extend(below.0);
            path
        }));
    }

    /// The names of all keys that were asked for, wherever they stand.
    #[cfg(test)]
    pub(super) fn asked_keys(&self) -> std::collections::BTreeSet<String> {
        let last = |path: &Path| match path.0.last() {
            Some(Step::Key(key)) => Some(key.clone()),
            _ => None,
        };
        self.asked.iter().filter_map(last).collect()
    }

    fn unknown_keys(&self) -> impl Iterator<Item = &'a String> {
        self.table.keys().filter(|key| {
            let known = |asked: &Path| matches!(&asked.0[..], [Step::Key(known)] if known == *key);
            !self.asked.iter().any(known)
        })
    }

    /// After everything was asked for.
    pub(super) fn refuse_unknown_keys(&self) -> Reading<()> {
        match self.unknown_keys().next() {
            None => Ok(()),
            Some(unknown) => Err(self.fault(unknown, self.describe_unknown(unknown))),
        }
    }

    fn describe_unknown(&self, unknown: &str) -> String {
        let here = self.asked.iter().filter(|path| path.0.len() == 1);
        let mut here: Vec<String> = here.map(Path::to_string).collect();
        here.sort_unstable();
        here.dedup();
        if let Some(key) = nearest(unknown, here.iter().map(|key| &**key)) {
            return format!("is not a key; did you mean `{key}`?");
        }
        // Perhaps it belongs to a table within this one.
        let below = self.asked.iter().find(|path| {
            let last = path.0.last();
            path.0.len() > 1 && matches!(last, Some(Step::Key(key)) if key == unknown)
        });
        match below {
            Some(path) => format!("is not a key here; did you mean `{path}`?"),
            None => format!("is not a key; there are `{}`", here.join("`, `")),
        }
    }
}

/// The word that is most like another one, if one is.
pub(super) fn nearest<'w>(word: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let most = (word.chars().count() / 3).clamp(1, 3);
    let distances = words
        .into_iter()
        .map(|known| (distance(word, known), known));
    let (least, known) = distances.min()?;
    (least <= most).then_some(known)
}

/// How many letters have to be put in, left out, changed or swapped with the next.
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().map(|c| c.to_ascii_lowercase()).collect();
    let to: Vec<char> = to.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, &a) in from.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, &b) in to.iter().enumerate() {
            let changed = row[j] + usize::from(a != b);
            let mut least = changed.min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && a == to[j - 1] && from[i - 1] == b {
                least = least.min(before[j - 1] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[to.len()]
}

/// A number and a unit.
fn split_unit(text: &str) -> Option<(f64, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let number = text[..end].parse().ok()?;
    Some((number, text[end..].trim()))
}

pub(super) fn parse_duration(text: &str) -> Result<Duration, &'static str> {
    const PROBLEM: &str =
        "a length of time is a number and ns, us, ms, s, m, h or d, such as 250ms";
    let (number, unit) = split_unit(text).ok_or(PROBLEM)?;
    let seconds = match unit {
        "ns" => 1e-9,
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return Err(PROBLEM),
    };
    Duration::try_from_secs_f64(number * seconds).map_err(|_| "that is too long")
}

fn parse_bytes(text: &str) -> Result<usize, &'static str> {
    const PROBLEM: &str = "a size is a number and B, kB, MB, GB, KiB, MiB or GiB, such as 64 KiB";
    let (number, unit) = split_unit(text).ok_or(PROBLEM)?;
    let bytes = match unit {
        "" | "B" => 1.0,
        "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err(PROBLEM),
    };
    let bytes = number * bytes;
    if bytes.fract() == 0.0 && bytes < 9e15 {
        Ok(bytes as usize)
    } else {
        Err("that is not a number of bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_no_far_one() {
        let words = ["lanes", "lane_capacity", "prefault", "mlock"];
        for (typed, expected) in [
            ("lane", Some("lanes")),
            ("lnaes", Some("lanes")),
            ("Lanes", Some("lanes")),
            ("lane_capacty", Some("lane_capacity")),
            ("lanecapacity", Some("lane_capacity")),
            ("mlok", Some("mlock")),
            ("colour", None),
            ("x", None),
        ] {
            assert_eq!(nearest(typed, words), expected, "{typed}");
        }
    }

    #[test]
    fn lengths_of_time_and_sizes_have_units() {
        for (text, expected) in [
            ("250ms", Duration::from_millis(250)),
            ("1.5 s", Duration::from_millis(1500)),
            ("0s", Duration::ZERO),
            ("20us", Duration::from_micros(20)),
            ("100ns", Duration::from_nanos(100)),
            ("2m", Duration::from_secs(120)),
            ("1h", Duration::from_secs(3600)),
            ("7d", Duration::from_secs(7 * 86_400)),
        ] {
            assert_eq!(parse_duration(text), Ok(expected), "{text}");
        }
        for text in [
            "",
            "5",
            "ms",
            "5 minutes",
            "-1s",
            "1e3s",
            "999999999999999999999d",
        ] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        for (text, expected) in [
            ("64 KiB", 65_536),
            ("1.5MiB", 1_572_864),
            ("10", 10),
            ("3 kB", 3000),
            ("2GB", 2_000_000_000),
        ] {
            assert_eq!(parse_bytes(text), Ok(expected), "{text}");
        }
        for text in ["", "MiB", "1.5", "1 TB", "-1", "99999999999 GiB"] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }
}
