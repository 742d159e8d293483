//! A file that is open, and stays the file of its name.
//!
//! Other programs move log files away, or delete them. What is written then goes to a file that
//! nobody looks at, or that nobody ever can. So a handle looks at its name now and then, and at the
//! number of names of what it has open after every write; and opens the name again when it is not
//! what it was.
//!
//! A handle has its file's lock, together with all others. Whoever compresses closed files takes it alone:
//! a file that another process still writes to, because it has not noticed yet, is left for later.
//!
//! A process that is killed may leave part of a line at the end of its file. A handle that goes on
//! there begins on a line of its own.

use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::fsync::Syncer;
use super::{Fsync, OpenError};
use crate::sink::Batch;
use crate::sys;

/// How often a handle looks whether its name is still that of its file.
const LOOK: Duration = Duration::from_millis(250);

/// What happens to what a file holds when it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sink) enum Open {
    /// It stays.
    Append,
    /// It goes.
    Truncate,
    /// There must be no such file.
    New,
    /// It stays; and opening does not wait, not even for the reader of a pipe.
    Again,
}

/// See the [module](self).
#[derive(Debug)]
pub(in crate::sink) struct Handle {
    file: fs::File,
    /// Absolute, so that it is the same file if the process changes its directory.
    path: PathBuf,
    /// Whether it is neither a pipe nor a device.
    regular: bool,
    /// `None` for what has no place on a disk that it could be moved from.
    identity: Option<Identity>,
    looked: Instant,
    /// How long the file is, as far as is known.
    length: u64,
    /// Whether the file ends within a line.
    torn: bool,
    syncer: Syncer,
}

impl Handle {
    pub(in crate::sink) fn open(path: &Path, how: Open, fsync: Fsync) -> Result<Self, OpenError> {
        let open = || {
            let absolute = std::path::absolute(path)?;
            let file = open_shared(&absolute, how)?;
            let found = file.metadata()?;
            let regular = found.is_file();
            Ok(Handle {
                torn: regular && found.len() > 0 && ends_within_line(&absolute),
                file,
                path: absolute,
                regular,
                identity: Identity::of(&found),
                looked: Instant::now(),
                length: found.len(),
                syncer: Syncer::new(fsync),
            })
        };
        open().map_err(|source| OpenError::new(path, source))
    }

    /// Absolute.
    pub(in crate::sink) fn path(&self) -> &Path {
        &self.path
    }

    /// How long the file was after the last write.
    pub(in crate::sink) fn length(&self) -> u64 {
        self.length
    }

    pub(in crate::sink) fn metadata(&self) -> io::Result<fs::Metadata> {
        self.file.metadata()
    }

    pub(in crate::sink) fn set_fsync(&mut self, fsync: Fsync) {
        self.syncer = Syncer::new(fsync);
    }

    pub(in crate::sink) fn fsync(&self) -> Fsync {
        self.syncer.policy()
    }

    /// One write to the file of the name, as far as anybody can know.
    pub(in crate::sink) fn write(&mut self, batch: &Batch<'_>) -> io::Result<usize> {
        self.look();
        loop {
            if self.torn {
                self.end_line(batch)?;
            }
            let taken = self.file.write(batch.bytes())?;
            self.syncer.wrote(&self.file, batch, taken);
            let found = match self.identity {
                Some(_) => self.file.metadata().ok(),
                None => None,
            };
            match found {
                Some(found) if names(&found) == Some(0) => self.reopen()?,
                Some(found) => {
                    self.length = found.len();
                    return Ok(taken);
                }
                None => {
                    self.length += taken as u64;
                    return Ok(taken);
                }
            }
        }
    }

    #[cfg(unix)]
    pub(in crate::sink) fn descriptor(&self) -> std::os::fd::RawFd {
        std::os::fd::AsRawFd::as_raw_fd(&self.file)
    }

    /// Ends the line that somebody else began, if lines are what is written.
    #[cold]
    fn end_line(&mut self, batch: &Batch<'_>) -> io::Result<()> {
        let whole_line = !batch.is_torn() && batch.bytes().ends_with(b"\n");
        // Another process may have been in the middle of a write when this one looked.
        let ended = || !ends_within_line(&self.path);
        if !whole_line || ended() || self.file.write(b"\n")? == 1 {
            self.torn = false;
        }
        Ok(())
    }

    /// Opens the name again if it is that of another file by now. Looks now and then.
    pub(in crate::sink) fn look(&mut self) {
        if self.identity.is_some() && self.looked.elapsed() >= LOOK {
            self.looked = Instant::now();
            if !self.has_its_name() {
                // If that fails, the file has a name still, or the write will see that it has none.
                let _ = self.reopen();
            }
        }
    }

    /// Does what is to be done by the clock.
    pub(in crate::sink) fn tick(&mut self) -> io::Result<()> {
        if self.regular {
            self.syncer.tick(&self.file)
        } else {
            Ok(())
        }
    }

    pub(in crate::sink) fn flush(&mut self) -> io::Result<()> {
        if self.regular {
            self.syncer.flush(&self.file)
        } else {
            Ok(())
        }
    }

    /// Nothing more will be written.
    pub(in crate::sink) fn close(&mut self) -> io::Result<()> {
        if self.regular {
            sys::file::unlock(&self.file);
        }
        if self.regular && self.syncer.policy() != Fsync::Never {
            self.syncer.close(&self.file)
        } else {
            Ok(())
        }
    }

    /// Opens the name again, and closes what was open; or goes on with that.
    pub(in crate::sink) fn reopen(&mut self) -> io::Result<()> {
        if self.identity.is_some() {
            let mut new = Handle::open(&self.path, Open::Again, self.syncer.policy())?;
            if new.identity == self.identity {
                // What its end looks like may be the work of another process that is writing now.
                new.torn = self.torn;
            }
            let mut old = std::mem::replace(self, new);
            old.close()?;
        }
        Ok(())
    }

    /// Gives the file another name, which nothing has yet.
    pub(in crate::sink) fn rename(&mut self, path: &Path) -> io::Result<()> {
        sys::file::rename_new(&self.path, path)?;
        path.clone_into(&mut self.path);
        Ok(())
    }

    /// The file, if it is still to be written to disk; closes it otherwise.
    pub(in crate::sink) fn into_unsynced(self) -> Option<fs::File> {
        self.syncer.is_dirty().then_some(self.file)
    }

    /// Whether the name is that of what is open.
    pub(in crate::sink) fn has_its_name(&self) -> bool {
        let found = fs::metadata(&self.path);
        found.is_ok_and(|found| Identity::of(&found) == self.identity)
    }
}

/// Opens the file and takes its lock. One that somebody has taken alone in between, or that has lost its
/// name, is not the file of that name any more.
fn open_shared(path: &Path, mut how: Open) -> io::Result<fs::File> {
    const TRIES: usize = 16;
    let mut file = open(path, how)?;
    for _ in 0..TRIES {
        let free = sys::file::try_share_lock(&file) && sys::file::is_named(&file, path);
        if free || !file.metadata()?.is_file() {
            break;
        }
        if how == Open::Truncate {
            how = Open::Append;
        }
        file = open(path, how)?;
    }
    Ok(file)
}

fn open(path: &Path, how: Open) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.create(true).create_new(how == Open::New);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        // The library's `append` would rule out `truncate`.
        let flags = match how {
            Open::Append | Open::Truncate | Open::New => libc::O_APPEND,
            Open::Again => libc::O_APPEND | libc::O_NONBLOCK,
        };
        options.write(true).custom_flags(flags);
        options.truncate(how == Open::Truncate);
    }
    #[cfg(not(unix))]
    match how {
        Open::Append | Open::New | Open::Again => options.append(true),
        Open::Truncate => options.write(true).truncate(true),
    };
    options.open(path)
}

/// Whether the last line of the file has no end, and nobody is about to write it. A file that may not
/// be read is taken at its best.
fn ends_within_line(path: &Path) -> bool {
    const PAUSE: Duration = Duration::from_millis(2);
    let end = || {
        let mut file = fs::File::open(path)?;
        let length = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::End(-1))?;
        let mut byte = [0];
        file.read_exact(&mut byte)?;
        Ok::<_, io::Error>((length, byte[0]))
    };
    let mut before = None;
    // A file that always grows is somebody's who is alive, and ends his lines himself.
    for _ in 0..16 {
        match end() {
            Ok((length, byte)) if byte != b'\n' => {
                if before == Some(length) {
                    return true;
                }
                before = Some(length);
            }
            _ => return false,
        }
        std::thread::sleep(PAUSE);
    }
    false
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
