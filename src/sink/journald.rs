//! The journal of systemd, over its native protocol.

use std::fmt;
use std::io::{self, Write as _};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::syslog::severity;
use super::{Batch, Entry, Sink};
use crate::format::{AnyFormat, Format, Record};
use crate::sys;

/// How long a send may wait for the journal before it counts as busy.
const PATIENCE: Duration = Duration::from_millis(10);

/// Where the journal listens.
const SOCKET: &str = "/run/systemd/journal/socket";

/// Sends records to systemd's journal, each with its fields.
///
/// | field | what it has |
/// | --- | --- |
/// | `MESSAGE` | the message, with what is dangerous made visible |
/// | `PRIORITY` | the level: ERROR is 3, WARN is 4, INFO is 6, DEBUG and TRACE are 7 |
/// | `SYSLOG_IDENTIFIER` | the program's name |
/// | `SYSLOG_TIMESTAMP` | the record's own time in nanoseconds since 1970; the journal's is when it got it |
/// | `TARGET`, `CODE_FILE`, `CODE_LINE`, `CODE_MODULE` | where the statement is |
/// | `THREAD`, `TID` | the thread's name and number |
/// | anything else | the record's fields and its context's: upper case, `_` for what the journal does not allow in a name, and `F_` before a name that is one of the above or begins with what is no letter |
///
/// `journalctl -o json` shows them all, and `journalctl TARGET=engine::risk ORDER=7` finds them.
///
/// A record that is too long for a datagram is passed as a sealed file in memory, as the protocol
/// has it. When the journal is restarted, the next record goes to the new one. A journal that takes
/// nothing for ten milliseconds is busy, and waited for; one that is gone is a failing sink.
///
/// The format is part of the sink. Another one that is named for it becomes the `MESSAGE`.
///
/// ```no_run
/// use ringlog::sink::Journald;
/// use ringlog::{RingLogger, info};
///
/// let logger = RingLogger::builder().sink(Journald::new()?).build()?;
/// info!(logger: &logger, order = 7, "filled {} lots", 100);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Journald {
    socket: UnixDatagram,
    path: PathBuf,
    name: String,
    identifier: String,
    message: Vec<u8>,
}

impl Journald {
    /// The journal of the system.
    ///
    /// # Errors
    ///
    /// Nobody listens there.
    pub fn new() -> io::Result<Self> {
        Self::open(Path::new(SOCKET), "journald".into())
    }

    /// A journal that listens at this socket, such as that of a namespace:
    /// `/run/systemd/journal.NAME/socket`.
    ///
    /// # Errors
    ///
    /// Nobody listens there; the error names it.
    pub fn at(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        Self::open(path, format!("journald {}", path.display()))
    }

    fn open(path: &Path, name: String) -> io::Result<Self> {
        let open = || {
            // Whether anybody is there.
            UnixDatagram::unbound()?.connect(path)?;
            let socket = UnixDatagram::unbound()?;
            socket.set_write_timeout(Some(PATIENCE))?;
            Ok(socket)
        };
        let socket = open().map_err(|error: io::Error| {
            let text = format!("cannot reach the journal at {}: {error}", path.display());
            io::Error::new(error.kind(), text)
        })?;
        let program = std::env::current_exe().ok();
        let program = program.as_deref().and_then(Path::file_name);
        Ok(Journald {
            socket,
            path: path.to_owned(),
            name,
            identifier: program.map_or_else(String::new, |name| name.to_string_lossy().into()),
            message: Vec::new(),
        })
    }

    /// The program's name, `SYSLOG_IDENTIFIER`; default that of its file.
    #[must_use]
    pub fn identifier(mut self, name: impl Into<String>) -> Self {
        self.identifier = name.into();
        self
    }

    /// Unconnected, so that a journal that is restarted is found.
    fn send(&self, message: &[u8]) -> io::Result<()> {
        match self.socket.send_to(message, &self.path) {
            Err(error) if matches!(error.raw_os_error(), Some(libc::EMSGSIZE | libc::ENOBUFS)) => {
                sys::memfd::send(&self.socket, &self.path, message)
            }
            result => result.map(drop),
        }
    }
}

impl Sink for Journald {
    fn name(&self) -> &str {
        &self.name
    }

    fn default_format(&self) -> AnyFormat {
        Native.into()
    }

    /// One `sendto(2)` for each record.
    fn write(&mut self, batch: &Batch<'_>) -> io::Result<usize> {
        let mut taken = 0;
        for entry in batch.entries() {
            self.message.clear();
            put_field(&mut self.message, "SYSLOG_IDENTIFIER", &self.identifier);
            put_entry(&mut self.message, &entry);
            match self.send(&self.message) {
                Ok(()) => taken += entry.bytes.len(),
                Err(error) if taken == 0 => return Err(error),
                // The next call meets it again.
                Err(_) => break,
            }
        }
        Ok(taken)
    }

    /// Does nothing: nothing waits in the process.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Journald {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journald")
            .field("path", &self.path)
            .field("identifier", &self.identifier)
            .finish_non_exhaustive()
    }
}

/// What an entry of the native format begins with. No line of another one does, which has one line
/// feed, at its end.
const NATIVE: &[u8] = b"RINGLOG_FORMAT=1\nPRIORITY=";

fn put_entry(out: &mut Vec<u8>, entry: &Entry<'_>) {
    match entry.bytes.strip_prefix(NATIVE) {
        Some(_) => out.extend_from_slice(&entry.bytes[NATIVE.len() - b"PRIORITY=".len()..]),
        None => {
            put_display(out, "PRIORITY", severity(entry.level));
            put_display(out, "SYSLOG_TIMESTAMP", entry.time);
            let text = entry.bytes.strip_suffix(b"\n").unwrap_or(entry.bytes);
            put_bytes(out, "MESSAGE", text);
        }
    }
}

/// A record as the journal's native protocol has it.
struct Native;

impl Format for Native {
    fn format(&mut self, record: &Record<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(NATIVE);
        let _ = writeln!(out, "{}", severity(record.level()));
        put_display(out, "MESSAGE", record.message());
        put_display(out, "SYSLOG_TIMESTAMP", record.unix_nanos());
        put_field(out, "TARGET", record.target());
        put_field(out, "CODE_MODULE", record.module());
        if let Some((file, line)) = record.location() {
            put_field(out, "CODE_FILE", file);
            put_display(out, "CODE_LINE", line);
        }
        put_field(out, "THREAD", &record.thread());
        if record.thread_id() != 0 {
            put_display(out, "TID", record.thread_id());
        }
        for field in record.fields() {
            put_display(out, &name_of(field.name), field.value);
        }
    }
}

/// The names that are not free for the program's own fields.
const TAKEN: &[&str] = &[
    "MESSAGE",
    "MESSAGE_ID",
    "PRIORITY",
    "SYSLOG_IDENTIFIER",
    "SYSLOG_TIMESTAMP",
    "SYSLOG_FACILITY",
    "SYSLOG_PID",
    "SYSLOG_RAW",
    "TARGET",
    "CODE_FILE",
    "CODE_LINE",
    "CODE_FUNC",
    "CODE_MODULE",
    "THREAD",
    "TID",
];

/// The name of a field as the journal allows it: at most 64 of `A-Z`, `0-9` and `_`, and a letter
/// first.
fn name_of(name: &str) -> String {
    let allowed = |c: char| match c.to_ascii_uppercase() {
        c if c.is_ascii_alphanumeric() => c,
        _ => '_',
    };
    let mut text: String = name.chars().map(allowed).take(64).collect();
    let begins_well = text.starts_with(|c: char| c.is_ascii_uppercase());
    if !begins_well || TAKEN.contains(&&*text) {
        text.insert_str(0, "F_");
        text.truncate(64);
    }
    text
}

fn put_field(out: &mut Vec<u8>, name: &str, value: &str) {
    put_bytes(out, name, value.as_bytes());
}

fn put_display(out: &mut Vec<u8>, name: &str, value: impl fmt::Display) {
    put_bytes(out, name, value.to_string().as_bytes());
}

/// A value with a line feed has its length before it.
fn put_bytes(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    if value.contains(&b'\n') {
        out.push(b'\n');
        out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        out.push(b'=');
    }
    out.extend_from_slice(value);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::Level;

    #[test]
    fn names_are_such_as_the_journal_takes() {
        for (name, expected) in [
            ("order", "ORDER"),
            ("order.id", "ORDER_ID"),
            ("größe", "GR__E"),
            ("priority", "F_PRIORITY"),
            ("Message", "F_MESSAGE"),
            ("_pid", "F__PID"),
            ("2nd", "F_2ND"),
            ("", "F_"),
        ] {
            assert_eq!(name_of(name), expected);
        }
        assert_eq!(name_of(&"x".repeat(99)).len(), 64);
        assert_eq!(name_of(&"_".repeat(99)).len(), 64);
    }

    #[test]
    fn a_value_with_a_line_feed_has_its_length_before_it() {
        let mut out = Vec::new();
        put_field(&mut out, "A", "one");
        put_field(&mut out, "B", "two\nlines");
        put_field(&mut out, "C", "");
        assert_eq!(out, b"A=one\nB\n\x09\0\0\0\0\0\0\0two\nlines\nC=\n");
    }

    #[test]
    fn an_entry_of_another_format_is_the_message() {
        let entry = |bytes| Entry {
            bytes,
            level: Level::Warn,
            time: 5,
            is_record: true,
        };
        let mut out = Vec::new();
        put_entry(&mut out, &entry(b"RINGLOG_FORMAT=1\n"));
        assert_eq!(
            out,
            b"PRIORITY=4\nSYSLOG_TIMESTAMP=5\nMESSAGE=RINGLOG_FORMAT=1\n"
        );
        out.clear();
        put_entry(
            &mut out,
            &entry(b"RINGLOG_FORMAT=1\nPRIORITY=4\nMESSAGE=a\n"),
        );
        assert_eq!(out, b"PRIORITY=4\nMESSAGE=a\n");
    }
}
