//! The names of a rolling log's files, in the folder of the one that is written to.
//!
//! ```text
//! app.log                                  the one that is written to
//! app.log.next                             it will be; empty, and there for a moment only
//! app.2026-11-25T03-46-19.123Z.log         was closed; begun at that time, always in UTC
//! app.2026-11-25T03-46-19.123Z.log.lz4     the same, compressed
//! app.2026-11-25T03-46-19.123Z.log.41-7.tmp  half compressed, by process 41
//! ```
//!
//! All other files are somebody else's, and so is what only has such a name: a link, a pipe, a folder.
//! Names in the order of the alphabet are in that of time.

use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::format::date_and_time;

/// `YYYY-MM-DDTHH-MM-SS.mmmZ`
type Stamp = [u8; 24];

/// See the [module](self).
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// Absolute.
    current: PathBuf,
    directory: PathBuf,
    /// What stands before and after the time.
    before: OsString,
    after: OsString,
}

/// A file of the log, other than the one that is written to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    pub(super) stamp: Stamp,
    pub(super) kind: Kind,
    pub(super) path: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// As it was written.
    Plain,
    /// The whole of it, compressed.
    Compressed,
    /// What is being made, or was left behind.
    Unfinished(Maker),
}

/// Who makes a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Maker {
    pub(super) process: u32,
    /// Never used twice, not even by another process.
    pub(super) token: u64,
}

impl Maker {
    /// Somebody new in this process.
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |since| since.as_nanos() as u64);
        Maker {
            process: std::process::id(),
            token: now.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// What the name of a file that is being made ends in.
    pub(super) fn suffix(self) -> String {
        format!("{}-{}.tmp", self.process, self.token)
    }

    fn parse(suffix: &str) -> Option<Self> {
        let (process, token) = suffix.strip_suffix(".tmp")?.split_once('-')?;
        Some(Maker {
            process: process.parse().ok()?,
            token: token.parse().ok()?,
        })
    }
}

/// What compressed files may end in, whatever the features of this build.
pub(super) const COMPRESSED: [&str; 2] = ["lz4", "zst"];

impl Names {
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        let current = std::path::absolute(path)?;
        let no_file = || io::Error::new(ErrorKind::InvalidInput, "it names no file");
        let directory = current.parent().ok_or_else(no_file)?.to_owned();
        let mut before = current.file_stem().ok_or_else(no_file)?.to_owned();
        before.push(".");
        let mut after = OsString::new();
        if let Some(extension) = current.extension() {
            after.push(".");
            after.push(extension);
        }
        Ok(Names {
            current,
            directory,
            before,
            after,
        })
    }

    pub(super) fn current(&self) -> &Path {
        &self.current
    }

    pub(super) fn next(&self) -> PathBuf {
        with_suffix(&self.current, "next")
    }

    /// The name of a file that was begun at that time, in milliseconds since 1970.
    pub(super) fn closed(&self, begun: u64) -> PathBuf {
        let mut name = self.before.clone();
        let stamp = stamp(begun);
        name.push(String::from_utf8_lossy(&stamp).as_ref());
        name.push(&self.after);
        self.directory.join(name)
    }

    /// Whether there is such a file, as it was written or compressed.
    pub(super) fn is_taken(closed: &Path) -> bool {
        let there = |path: &Path| path.symlink_metadata().is_ok();
        there(closed)
            || COMPRESSED
                .iter()
                .any(|suffix| there(&with_suffix(closed, suffix)))
    }

    /// What the file of this name is to the log, if it is one of its files.
    pub(super) fn parse(&self, name: &OsStr) -> Option<Found> {
        let bytes = name.as_encoded_bytes();
        let rest = bytes.strip_prefix(self.before.as_encoded_bytes())?;
        let (stamp, rest) = rest.split_first_chunk::<24>()?;
        if !is_stamp(stamp) {
            return None;
        }
        let rest = rest.strip_prefix(self.after.as_encoded_bytes())?;
        let rest = std::str::from_utf8(rest).ok()?;
        let kind = if rest.is_empty() {
            Kind::Plain
        } else {
            let suffix = rest.strip_prefix('.')?;
            if COMPRESSED.contains(&suffix) {
                Kind::Compressed
            } else {
                Kind::Unfinished(Maker::parse(suffix)?)
            }
        };
        Some(Found {
            stamp: *stamp,
            kind,
            path: self.directory.join(name),
        })
    }

    /// All files of the log but the current one, the oldest first.
    pub(super) fn list(&self) -> io::Result<Vec<Found>> {
        let mut found = Vec::new();
        for entry in self.directory.read_dir()? {
            let entry = entry?;
            if let Some(file) = self.parse(&entry.file_name()) {
                // It may be gone already.
                if entry.file_type().is_ok_and(|kind| kind.is_file()) {
                    found.push(file);
                }
            }
        }
        found.sort();
        Ok(found)
    }
}

/// `path.suffix`
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    name.into()
}

fn stamp(unix_millis: u64) -> Stamp {
    let mut stamp = *b"YYYY-MM-DDTHH-MM-SS.mmmZ";
    stamp[..20].copy_from_slice(&date_and_time(unix_millis / 1000));
    for colon in [13, 16] {
        stamp[colon] = b'-';
    }
    let millis = unix_millis % 1000;
    for (place, unit) in [(20, 100), (21, 10), (22, 1)] {
        stamp[place] = b'0' + (millis / unit % 10) as u8;
    }
    stamp
}

fn is_stamp(stamp: &Stamp) -> bool {
    let pattern = b"YYYY-MM-DDTHH-MM-SS.mmmZ";
    pattern
        .iter()
        .zip(stamp)
        .all(|(wanted, byte)| match wanted {
            b'-' | b'T' | b'.' | b'Z' => byte == wanted,
            _ => byte.is_ascii_digit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_that_are_made_are_the_names_that_are_known() {
        for (path, closed) in [
            ("/a/app.log", "/a/app.2026-11-23T06-24-46.204Z.log"),
            ("/a/app", "/a/app.2026-11-23T06-24-46.204Z"),
            ("/a/.log", "/a/.log.2026-11-23T06-24-46.204Z"),
            ("/a/a.b.json", "/a/a.b.2026-11-23T06-24-46.204Z.json"),
        ] {
            let names = Names::new(Path::new(path)).unwrap();
            let made = names.closed(1_795_415_086_204);
            assert_eq!(made, Path::new(closed));
            let kind_of = |path: &Path| names.parse(path.file_name().unwrap()).map(|f| f.kind);
            assert_eq!(kind_of(&made), Some(Kind::Plain));
            assert_eq!(kind_of(&with_suffix(&made, "lz4")), Some(Kind::Compressed));
            assert_eq!(kind_of(&with_suffix(&made, "zst")), Some(Kind::Compressed));
            let maker = Maker::new();
            assert_eq!(
                kind_of(&with_suffix(&made, &maker.suffix())),
                Some(Kind::Unfinished(maker))
            );
            assert_eq!(kind_of(Path::new(path)), None);
            assert_eq!(kind_of(&names.next()), None);
        }
    }

    #[test]
    fn what_only_looks_alike_is_somebody_elses() {
        let names = Names::new(Path::new("/a/app.log")).unwrap();
        for name in [
            "app.log.1",
            "app.log.gz",
            "app.2026-11-23.log",
            "app.2026-11-23T06-24-46.204Z",
            "app.2026-11-23T06-24-46.204Z.json",
            "app.2026-11-23T06-24-46.204Z.log.gz",
            "app.2026-11-23T06-24-46.204Z.log.tmp",
            "app.2026-11-23T06-24-46.204Z.log.41.tmp",
            "app.2026-11-23T06-24-46.204Z.log.x-7.tmp",
            "app.2026-11-23T06-24-46.204Z.log2",
            "app.2026-11-23T06:24:46.204Z.log",
            "app.2026-11-23T06-24-46.2O4Z.log",
            "app2.2026-11-23T06-24-46.204Z.log",
        ] {
            assert_eq!(names.parse(OsStr::new(name)), None, "{name}");
        }
    }

    #[test]
    fn later_files_come_later_in_the_alphabet() {
        let names = Names::new(Path::new("/a/app.log")).unwrap();
        let mut last = names.closed(0);
        for begun in (1..4_000_000_000_000).step_by(123_456_789) {
            let next = names.closed(begun);
            assert!(last < next);
            last = next;
        }
    }
}
