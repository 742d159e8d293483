//! Reads a log back, whatever its format: is every line there?

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use crate::work::Work;

/// What is in a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Messages that should be there and are not.
    pub lost: u64,
    /// Messages that are there more than once, each time but the first.
    pub repeated: u64,
    /// Messages behind a later one of the same thread.
    pub disordered: u64,
    /// Lines that do not end in a message: a logger's own remarks, or a garbled line.
    pub other: u64,
    pub bytes: u64,
    /// The first line that ends in a message, without its newline.
    pub sample: String,
}

/// Reads the log of `lines` messages of `work`.
///
/// # Errors
///
/// A sentence: the file cannot be read.
pub fn census(file: &Path, work: Work, lines: u64) -> Result<Census, String> {
    let cannot_read = |error| format!("cannot read {}: {error}", file.display());
    let mut input = BufReader::with_capacity(1 << 20, File::open(file).map_err(cannot_read)?);
    let mut census = Census::default();
    let mut seen = vec![false; lines as usize];
    let mut next = vec![0; work.producers() as usize];
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line).map_err(cannot_read)? > 0 {
        census.bytes += line.len() as u64;
        match number(&line).filter(|&number| number < lines) {
            None => census.other += 1,
            Some(number) => {
                let seen = &mut seen[number as usize];
                if *seen {
                    census.repeated += 1;
                } else {
                    *seen = true;
                    if census.sample.is_empty() {
                        census.sample = String::from_utf8_lossy(line.trim_ascii_end()).into();
                    }
                    let producer = (0..work.producers())
                        .find(|&producer| work.share(producer, lines).contains(&number))
                        .expect("the shares cover all lines");
                    let next = &mut next[producer as usize];
                    if number < *next {
                        census.disordered += 1;
                    }
                    *next = number + 1;
                }
            }
        }
        line.clear();
    }
    census.lost = seen.iter().filter(|&&seen| !seen).count() as u64;
    Ok(census)
}

/// The number of the message that a line ends in, if all of it is right. Floats may be written in
/// any way that means the same. ringlog marks a record that came too late for its place.
fn number(line: &[u8]) -> Option<u64> {
    const START: &[u8] = b"Iteration: ";
    // The message is at the end; it is shorter than this.
    const LONGEST: usize = 96;
    let from = line.len().saturating_sub(LONGEST);
    let tail = &line[from..];
    let at = tail.windows(START.len()).rposition(|part| part == START)?;
    let message = std::str::from_utf8(&tail[at + START.len()..]).ok()?;
    let message = message.strip_suffix('\n')?;
    let message = message.strip_suffix(" late=true").unwrap_or(message);
    let (number, rest) = message.split_once(" int: ")?;
    let (doubled, halved) = rest.split_once(" double: ")?;
    let number: u64 = number.parse().ok()?;
    let is_right = doubled.parse() == Ok(2 * number) && halved.parse() == Ok(number as f64 / 2.0);
    is_right.then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str, lines: u64, producers: u64) -> Census {
        let file = std::env::temp_dir().join(format!(
            "ringlog-peers-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        std::fs::write(&file, text).unwrap();
        let census = census(&file, Work::Lines { lines, producers }, lines).unwrap();
        std::fs::remove_file(&file).unwrap();
        census
    }

    #[test]
    fn a_complete_log_lacks_nothing() {
        let text =
            "INFO a Iteration: 0 int: 0 double: 0\nx Iteration: 1 int: 2 double: 0.5 late=true\n";
        let expected = Census {
            bytes: text.len() as u64,
            sample: "INFO a Iteration: 0 int: 0 double: 0".into(),
            ..Census::default()
        };
        assert_eq!(count(text, 2, 1), expected);
    }

    #[test]
    fn lost_repeated_disordered_and_garbled_lines_are_counted() {
        let text = "Iteration: 2 int: 4 double: 1\nIteration: 1 int: 2 double: 5e-1\n\
                    Iteration: 1 int: 2 double: 0.5\nIteration: 0 int: 1 double: 0\nhello\n";
        let census = count(text, 4, 1);
        assert_eq!(census.lost, 2, "0 is garbled, 3 is missing");
        assert_eq!(census.repeated, 1);
        assert_eq!(census.disordered, 1);
        assert_eq!(census.other, 2);
    }

    #[test]
    fn threads_may_overtake_each_other() {
        let text = "Iteration: 1 int: 2 double: 0.5\nIteration: 0 int: 0 double: 0\n";
        assert_eq!(count(text, 2, 2).disordered, 0);
    }
}
