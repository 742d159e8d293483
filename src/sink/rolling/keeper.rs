//! What happens to closed files: on a thread of its own, so that the log does not wait for it.
//!
//! The keeper is told that something may be to be done, and looks at the folder for what it is; so
//! it also ends what an earlier process began. At every moment each line is in one file: a
//! compressed file takes the place of the plain one under the plain one's name, and gets a name of
//! its own after that. Where a process ends between the two, the next keeper sees by the content
//! what the file is.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, Seek as _};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::compress::{Compression, suffix_of_content};
use super::names::{Found, Kind, Maker, Names, with_suffix};
use crate::sys;

/// What is kept of the closed files, and how.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rules {
    /// At most so many of them.
    pub(super) files: Option<usize>,
    /// Those that were written to so long ago at most.
    pub(super) age: Option<Duration>,
    /// At most so many bytes in all.
    pub(super) bytes: Option<u64>,
    pub(super) compression: Option<Compression>,
}

/// How long after somebody still had a file it is looked at again.
const PAUSE: Duration = Duration::from_millis(300);

/// See the [module](self).
#[derive(Debug)]
pub(super) struct Keeper {
    names: Names,
    rules: Rules,
    shared: Arc<Shared>,
    /// The process that the thread runs in: a child of it has none.
    process: u32,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Whether something may be to be done.
    wanted: bool,
    stop: bool,
    ended: bool,
    /// Files to be written to disk before they are closed.
    to_sync: VecDeque<fs::File>,
    /// What went wrong last, until it is told.
    failure: Option<io::Error>,
}

impl Shared {
    /// Nothing panics under the lock.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keeper {
    /// Starts the thread, and has it look.
    pub(super) fn start(names: Names, rules: Rules) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        shared.state().wanted = true;
        let work = Work {
            names: names.clone(),
            rules,
            shared: shared.clone(),
            me: Maker::new(),
        };
        // Waited for by what it tells, not by its handle.
        drop(sys::thread::spawn(c"ringlog-files", move || work.run())?);
        Ok(Keeper {
            names,
            rules,
            shared,
            process: std::process::id(),
        })
    }

    /// Starts another one in a forked child, where the thread is not, and the lock in whatever state.
    pub(super) fn restart(&mut self) -> io::Result<()> {
        let new = Keeper::start(self.names.clone(), self.rules)?;
        std::mem::forget(std::mem::replace(self, new));
        Ok(())
    }

    /// A file was closed.
    pub(super) fn tell(&self, to_sync: Option<fs::File>) {
        let mut state = self.shared.state();
        state.wanted = true;
        state.to_sync.extend(to_sync);
        drop(state);
        self.shared.changed.notify_all();
    }

    /// What went wrong since the last call.
    pub(super) fn failure(&self) -> Option<io::Error> {
        self.shared.state().failure.take()
    }

    fn stop(&self) {
        if self.process == std::process::id() {
            self.shared.state().stop = true;
            self.shared.changed.notify_all();
        }
    }

    /// Writes to disk what is to be, and deletes; leaves compressing to the next process. Waits at most
    /// so long.
    pub(super) fn close(&self, longest: Duration) {
        self.stop();
        if self.process == std::process::id() {
            let _ = self
                .shared
                .changed
                .wait_timeout_while(self.shared.state(), longest, |state| !state.ended);
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The thread's own.
struct Work {
    names: Names,
    rules: Rules,
    shared: Arc<Shared>,
    me: Maker,
}

impl Work {
    fn run(self) {
        // Whether a file was left for later.
        let mut left = false;
        loop {
            let pause = if left { PAUSE } else { Duration::MAX };
            let (mut state, waited) = self
                .shared
                .changed
                .wait_timeout_while(self.shared.state(), pause, |state| {
                    !state.wanted && !state.stop && state.to_sync.is_empty()
                })
                .unwrap_or_else(PoisonError::into_inner);
            state.wanted |= waited.timed_out();
            if !state.to_sync.is_empty() {
                drop(state);
                self.sync();
                continue;
            }
            if state.stop && !state.wanted {
                state.ended = true;
                drop(state);
                self.shared.changed.notify_all();
                return;
            }
            state.wanted = false;
            drop(state);
            left = self.tidy().unwrap_or_else(|error| {
                self.note(Err(error));
                false
            });
        }
    }

    fn note(&self, result: io::Result<()>) {
        if let Err(error) = result {
            self.shared.state().failure = Some(error);
        }
    }

    /// Writes to disk what is to be.
    fn sync(&self) {
        loop {
            let Some(file) = self.shared.state().to_sync.pop_front() else {
                return;
            };
            self.note(file.sync_data());
        }
    }

    /// Whether a shutdown waits. What is urgent is done before.
    fn must_stop(&self) -> bool {
        self.sync();
        self.shared.state().stop
    }

    /// Answers whether somebody still has a file, which is left for later.
    fn tidy(&self) -> io::Result<bool> {
        let (mut result, mut left) = (Ok(()), false);
        let mut note =
            |other: io::Result<()>| result = std::mem::replace(&mut result, Ok(())).and(other);
        for found in self.names.list()? {
            if let Kind::Unfinished(maker) = found.kind {
                if !self.is_at_work(maker) {
                    note(remove(&found.path));
                }
            }
        }
        // What will not be kept need not be compressed. What is compressed may fit.
        note(self.remove_old(None));
        if let Some(compression) = self.rules.compression {
            for found in self.names.list()? {
                if self.must_stop() {
                    break;
                }
                if found.kind == Kind::Plain {
                    note(
                        self.compress(&found.path, compression)
                            .map(|done| left |= !done),
                    );
                }
            }
        }
        note(self.remove_old(self.rules.bytes));
        result.map(|()| left)
    }

    /// Whether a file may be in the making. One of a dead process whose number another one has now
    /// stays until that one is gone.
    fn is_at_work(&self, maker: Maker) -> bool {
        maker == self.me
            || (maker.process != self.me.process
                && cfg!(target_os = "linux")
                && Path::new("/proc").join(maker.process.to_string()).exists())
    }

    /// Answers whether there is nothing left to be done: somebody may still have the file.
    fn compress(&self, path: &Path, compression: Compression) -> io::Result<bool> {
        let run = || -> io::Result<bool> {
            let mut plain = sys::file::open_regular(path)?;
            // Several processes may roll one log. One that still writes here has the lock, too. Once
            // this one has it alone, the name may be that of what another one has made.
            if !sys::file::try_lock(&plain)? {
                return Ok(false);
            }
            if !sys::file::is_named(&plain, path) {
                return Ok(true);
            }
            if let Some(suffix) = suffix_of_content(&mut plain)? {
                sys::file::rename_new(path, &with_suffix(path, suffix))?;
                return Ok(true);
            }
            let temporary = with_suffix(path, &self.me.suffix());
            let made = self.compress_to(&mut plain, &temporary, compression);
            if !matches!(made, Ok(true)) {
                let _ = fs::remove_file(&temporary);
            }
            if made? {
                fs::rename(&temporary, path)?;
                sys::file::rename_new(path, &with_suffix(path, compression.suffix()))?;
            }
            Ok(true)
        };
        match run() {
            // Another process was faster.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            result => result.map_err(|error| about("compress", path, error)),
        }
    }

    /// Makes the compressed file, or answers false if it was told to stop.
    fn compress_to(
        &self,
        plain: &mut fs::File,
        temporary: &Path,
        compression: Compression,
    ) -> io::Result<bool> {
        plain.rewind()?;
        let mut to = fs::File::create_new(temporary)?;
        let found = plain.metadata()?;
        to.set_permissions(found.permissions())?;
        if !compression.run(plain, &mut to, || self.must_stop())? {
            return Ok(false);
        }
        // Its age is that of what is in it.
        to.set_modified(found.modified()?)?;
        // It will be the only copy.
        to.sync_all()?;
        Ok(true)
    }

    /// Deletes what the rules do not keep, and everything older.
    fn remove_old(&self, most_bytes: Option<u64>) -> io::Result<()> {
        let Rules { files, age, .. } = self.rules;
        if files.is_none() && age.is_none() && most_bytes.is_none() {
            return Ok(());
        }
        let mut closed = self.names.list()?;
        closed.retain(|found| !matches!(found.kind, Kind::Unfinished(_)));
        let now = SystemTime::now();
        let (mut kept, mut bytes, mut enough) = (0, 0, false);
        let mut result = Ok(());
        for Found { path, .. } in closed.iter().rev() {
            let Ok(found) = fs::symlink_metadata(path) else {
                continue;
            };
            let written = found.modified().ok();
            let old = written.and_then(|written| now.duration_since(written).ok());
            kept += 1;
            bytes += found.len();
            enough |= files.is_some_and(|most| kept > most)
                || most_bytes.is_some_and(|most| bytes > most)
                || age.is_some_and(|most| old.is_some_and(|old| old > most));
            if enough {
                result = result.and(remove(path));
            }
        }
        result
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.map_err(|error| about("delete", path, error)),
    }
}

fn about(what: &str, path: &Path, error: io::Error) -> io::Error {
    let text = format!("cannot {what} closed log file {}: {error}", path.display());
    io::Error::new(error.kind(), text)
}
