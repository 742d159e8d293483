//! A file that is open, and stays the file of its name.
//!
//! Other programs move log files away, or delete them. What is written then goes to a file that
//! nobody looks at, or that nobody ever can. So a handle looks at its name now and then, and at the
//! number of names of what it has open after every write; and opens the name again when it is not
//! what it was.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::OpenError;

/// How often a handle looks whether its name is still that of its file.
const LOOK: Duration = Duration::from_millis(250);

/// What happens to what a file holds when it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Open {
    /// It stays.
    Append,
    /// It goes.
    Truncate,
    /// It stays; and opening does not wait, not even for the reader of a pipe.
    Again,
}

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Handle {
    file: fs::File,
    /// Absolute, so that it is the same file if the process changes its directory.
    path: PathBuf,
    /// `None` for what has no place on a disk that it could be moved from.
    identity: Option<Identity>,
    looked: Instant,
}

impl Handle {
    pub(super) fn open(path: &Path, how: Open) -> Result<Self, OpenError> {
        let open = || {
            let absolute = std::path::absolute(path)?;
            let file = open(&absolute, how)?;
            Ok(Handle {
                identity: Identity::of(&file.metadata()?),
                file,
                path: absolute,
                looked: Instant::now(),
            })
        };
        open().map_err(|source| OpenError::new(path, source))
    }

    /// One write to the file of the name, as far as anybody can know.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.identity.is_some() && self.looked.elapsed() >= LOOK {
            self.looked = Instant::now();
            if !self.has_its_name() {
                // If that fails, the file has a name still, or the write will see that it has none.
                let _ = self.reopen();
            }
        }
        loop {
            let taken = self.file.write(bytes)?;
            if !self.is_deleted() {
                return Ok(taken);
            }
            self.reopen()?;
        }
    }

    #[cfg(unix)]
    pub(super) fn descriptor(&self) -> std::os::fd::RawFd {
        std::os::fd::AsRawFd::as_raw_fd(&self.file)
    }

    /// Opens the name again, and closes what was open; or goes on with that.
    pub(super) fn reopen(&mut self) -> io::Result<()> {
        if self.identity.is_some() {
            let new = Handle::open(&self.path, Open::Again)?;
            *self = new;
        }
        Ok(())
    }

    /// Whether the name is that of what is open.
    fn has_its_name(&self) -> bool {
        let found = fs::metadata(&self.path);
        found.is_ok_and(|found| Identity::of(&found) == self.identity)
    }

    /// Whether what is open has a name no more.
    fn is_deleted(&self) -> bool {
        self.identity.is_some()
            && self
                .file
                .metadata()
                .is_ok_and(|found| names(&found) == Some(0))
    }
}

fn open(path: &Path, how: Open) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // The library's `append` would rule out `truncate`.
        let flags = match how {
            Open::Append | Open::Truncate => libc::O_APPEND,
            Open::Again => libc::O_APPEND | libc::O_NONBLOCK,
        };
        options.write(true).custom_flags(flags);
        options.truncate(how == Open::Truncate);
    }
    #[cfg(not(unix))]
    match how {
        Open::Append | Open::Again => options.append(true),
        Open::Truncate => options.write(true).truncate(true),
    };
    options.open(path)
}

/// What tells a file from every other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

impl Identity {
    /// `None` for pipes and devices, and where the file system does not count names.
    #[cfg(unix)]
    fn of(found: &fs::Metadata) -> Option<Self> {
        use std::os::unix::fs::MetadataExt as _;
        let counts = found.is_file() && found.nlink() > 0;
        counts.then(|| Identity {
            device: found.dev(),
            inode: found.ino(),
        })
    }

    #[cfg(not(unix))]
    fn of(_: &fs::Metadata) -> Option<Self> {
        None
    }
}

/// How many names a file has, where that can be known.
#[cfg(unix)]
fn names(found: &fs::Metadata) -> Option<u64> {
    Some(std::os::unix::fs::MetadataExt::nlink(found))
}

#[cfg(not(unix))]
fn names(_: &fs::Metadata) -> Option<u64> {
    None
}
