//! A log in many files.

mod calendar;
mod compress;
mod keeper;
mod names;

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::file::handle::{Handle, Open};
use super::{Batch, Fsync, OpenError, Sink};
use crate::format::Zone;
use crate::sys;
use calendar::next_period;
use keeper::{Keeper, Rules};
use names::Names;

pub use calendar::Period;
pub use compress::Compression;

const SECOND: u64 = 1_000_000_000;

/// How long after the end of a period records of it are waited for.
const GRACE: u64 = SECOND;

/// How long after a failure to begin a new file it is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// Writes to a file, and begins a new one when that has grown to a size, or a time has come.
///
/// The file that is written to always has the name that was given. When it is closed it gets the
/// time at which it was begun, in UTC, before its extension: `app.log` becomes
/// `app.2026-11-25T03-46-19.123Z.log`. A thread of its own compresses closed files and deletes those
/// that are not to be kept; it deletes nothing else, and no links. A name that is a link itself counts
/// as what it leads to when the log is opened: the closed files lie there.
///
/// The next file is open before the last one is closed. If it cannot be made, or the names cannot be
/// changed, the log goes on in the file that is open, says so, and tries again every second. No line
/// is ever split between two files.
///
/// Whatever moment a process is killed at, each line that was written is in one file, and the next
/// process goes on with what the last one left: it appends to the file, compresses what had not
/// been, and removes what was half done. Files that other programs move or delete are noticed as by
/// [`File`](super::File). Several processes may roll the same log.
///
/// ```
/// use ringlog::sink::{Period, Rolling};
/// use std::time::Duration;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("app.log");
/// let sink = Rolling::builder(&path)
///     .size(64 << 20)
///     .every(Period::Day)
///     .keep_files(30)
///     .keep_bytes(1 << 30)
///     .open()?;
/// # drop(sink);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Rolling {
    handle: Handle,
    name: String,
    names: Names,
    /// The most bytes of a file.
    size: Option<u64>,
    clock: Option<WallClock>,
    /// When the file was begun, in milliseconds since 1970.
    begun: u64,
    keeper: Keeper,
    /// After a failure to begin a new file: when to try again.
    next_try: Option<Instant>,
    /// What went wrong and cost no records, until it is told.
    failure: Option<io::Error>,
}

/// A clock on some wall, by which files are begun.
#[derive(Debug)]
struct WallClock {
    zone: Zone,
    /// In seconds.
    period: u64,
    /// A time in the file's period, and when that ends, in nanoseconds since 1970.
    begun: u64,
    end: u64,
}

impl WallClock {
    fn new(zone: Zone, period: u64, now: u64) -> Self {
        let mut clock = WallClock {
            zone,
            period,
            begun: 0,
            end: 0,
        };
        clock.begin(now);
        clock
    }

    /// The file's period is the one that this time, in nanoseconds since 1970, belongs to.
    fn begin(&mut self, now: u64) {
        let end = next_period(now / SECOND, self.period, |at| self.zone.offset_at(at));
        self.begun = now;
        self.end = end.saturating_mul(SECOND);
    }

    /// The time now. If that is more than a period before the file's, the clock of the machine was
    /// wrong, or is: waiting for the end would keep the file open for as long as the clock was set back.
    fn look(&mut self) -> u64 {
        let now = unix_nanos(SystemTime::now());
        self.follow(now);
        now
    }

    fn follow(&mut self, now: u64) {
        if now.saturating_add(self.period * SECOND) < self.begun {
            self.begin(now);
        }
    }

    /// Whether nothing more belongs into the file.
    fn is_over(&self, now: u64) -> bool {
        now >= self.end.saturating_add(GRACE)
    }
}

impl Rolling {
    /// Starts to set up a log in many files; this is the one that is written to.
    pub fn builder(path: impl AsRef<Path>) -> RollingBuilder {
        RollingBuilder {
            path: path.as_ref().to_owned(),
            size: None,
            period: None,
            zone: None,
            rules: Rules::default(),
            fsync: Fsync::default(),
        }
    }

    /// The part of the batch that belongs into the file that is open; nothing if the next entry
    /// belongs into a new one.
    fn part<'a>(&mut self, batch: &Batch<'a>) -> Batch<'a> {
        let mut part = *batch;
        if let Some(clock) = &mut self.clock {
            let now = clock.look();
            if clock.is_over(now) {
                return part.fitting(0);
            }
            // Records come in the order of their times, and later than those.
            if now >= clock.end {
                part = part.before(clock.end);
            }
        }
        if let Some(size) = self.size {
            let length = self.handle.length();
            let room = size.saturating_sub(length);
            part = match part.fitting(usize::try_from(room).unwrap_or(usize::MAX)) {
                fitting if fitting.bytes().is_empty() && length == 0 => part.at_least(1),
                fitting => fitting,
            };
        }
        part
    }

    /// Begins a new file, unless that failed a moment ago.
    fn try_roll(&mut self) {
        if self.next_try.is_some_and(|next| Instant::now() < next) {
            return;
        }
        match self.roll() {
            Ok(()) => self.next_try = None,
            Err(error) => {
                // The first of its kind is told.
                if self.next_try.is_none() {
                    let current = self.names.current().display();
                    let text = format!("cannot begin a new file, goes on in {current}: {error}");
                    self.failure = Some(io::Error::new(error.kind(), text));
                }
                self.next_try = Some(Instant::now() + PAUSE);
            }
        }
    }

    fn roll(&mut self) -> io::Result<()> {
        let now = unix_nanos(SystemTime::now());
        if self.handle.length() == 0 {
            self.begin(now);
            return Ok(());
        }
        let mut next = open_next(&self.names, self.handle.fsync())?;
        if !self.handle.has_its_name() {
            // Another program gave the file a name: then that is the closed one.
            let _ = fs::remove_file(next.path());
            self.handle.reopen()?;
            self.begin(now);
            return Ok(());
        }
        let closed = match self.close_name() {
            Ok(closed) => closed,
            Err(error) => {
                let _ = fs::remove_file(next.path());
                return Err(error);
            }
        };
        match next.rename(self.names.current()) {
            Ok(()) => {}
            // Another process has found no file there and made one: then that is the current one.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let _ = fs::remove_file(next.path());
                next = Handle::open(self.names.current(), Open::Again, self.handle.fsync())?;
            }
            Err(error) => {
                let _ = sys::file::rename_new(&closed, self.names.current());
                let _ = fs::remove_file(next.path());
                return Err(error);
            }
        }
        let old = std::mem::replace(&mut self.handle, next);
        self.keeper.tell(old.into_unsynced());
        self.begin(now);
        Ok(())
    }

    /// Gives the current file the name of a closed one, which nothing has yet, and answers it.
    fn close_name(&self) -> io::Result<PathBuf> {
        for begun in self.begun.. {
            let closed = self.names.closed(begun);
            if Names::is_taken(&closed) {
                continue;
            }
            match sys::file::rename_new(self.names.current(), &closed) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                result => return result.map(|()| closed),
            }
        }
        Err(ErrorKind::AlreadyExists.into())
    }

    /// The file is a new one, begun now.
    fn begin(&mut self, now: u64) {
        // Names are in the order of time, also if the clock is set back.
        self.begun = (now / 1_000_000).max(self.begun + 1);
        if let Some(clock) = &mut self.clock {
            clock.begin(now);
        }
    }
}

/// Opens the file that will be the current one.
fn open_next(names: &Names, fsync: Fsync) -> Result<Handle, OpenError> {
    const TRIES: usize = 16;
    let path = names.next();
    let mut result = Handle::open(&path, Open::New, fsync);
    for _ in 0..TRIES {
        match &result {
            // A process ended here, or another one is at the same place: it will see that its file is
            // gone, and go on with the last one.
            Err(error) if error.kind() == ErrorKind::AlreadyExists && !holds_anything(&path) => {
                let _ = fs::remove_file(&path);
            }
            _ => break,
        }
        result = Handle::open(&path, Open::New, fsync);
    }
    result
}

/// Whether there is anything but an empty file.
fn holds_anything(path: &Path) -> bool {
    path.symlink_metadata()
        .is_ok_and(|found| !found.is_file() || found.len() > 0)
}

impl Sink for Rolling {
    fn name(&self) -> &str {
        &self.name
    }

    /// One `write(2)`, and one `fstat(2)` to see whether the file still has a name. A new file takes
    /// an open and two renames more.
    fn write(&mut self, batch: &Batch<'_>) -> io::Result<usize> {
        // The rest of an entry belongs to its beginning.
        if batch.is_torn() {
            return self.handle.write(&batch.at_least(1));
        }
        let mut part = self.part(batch);
        if part.bytes().is_empty() {
            self.try_roll();
            part = self.part(batch);
            if part.bytes().is_empty() {
                // It has failed, or is not to be tried yet.
                part = *batch;
            }
        }
        self.handle.write(&part)
    }

    /// Waits for the disk if [`fsync`](RollingBuilder::fsync) says so. Nothing waits in the process.
    fn flush(&mut self) -> io::Result<()> {
        self.handle.flush()
    }

    /// For a program that moves the file itself. A file that was not moved is not closed.
    fn reopen(&mut self) -> io::Result<()> {
        self.handle.reopen()
    }

    fn tick(&mut self) -> io::Result<()> {
        let is_over = |clock: &mut WallClock| {
            let now = clock.look();
            clock.is_over(now)
        };
        if self.clock.as_mut().is_some_and(is_over) {
            self.try_roll();
        }
        // Another process may have closed the file, and wait to compress it.
        self.handle.look();
        match self.failure.take().or_else(|| self.keeper.failure()) {
            Some(failure) => Err(failure),
            None => self.handle.tick(),
        }
    }

    #[cfg(unix)]
    fn descriptor(&self) -> Option<std::os::fd::RawFd> {
        Some(self.handle.descriptor())
    }

    fn restart_in_child(&mut self) -> io::Result<()> {
        self.handle.reopen()?;
        self.keeper.restart()
    }

    /// What is being compressed is left to the next process.
    fn close(&mut self, time_left: Duration) -> io::Result<()> {
        let result = self.handle.close();
        self.keeper.close(time_left);
        result
    }
}

impl fmt::Debug for Rolling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rolling")
            .field("path", &self.names.current())
            .field("size", &self.size)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

/// Sets up a [`Rolling`] log.
#[derive(Clone, Debug)]
#[must_use = "nothing is opened until `open` is called"]
pub struct RollingBuilder {
    path: PathBuf,
    size: Option<u64>,
    period: Option<Period>,
    zone: Option<String>,
    rules: Rules,
    fsync: Fsync,
}

impl RollingBuilder {
    /// A new file is begun before one would have more than so many bytes. A single entry that is
    /// longer has a file of its own.
    pub fn size(mut self, bytes: u64) -> Self {
        self.size = Some(bytes);
        self
    }

    /// A new file is begun by the clock of the machine, whatever clock the records have. A record
    /// belongs to the file of its time; those that come more than a second late go where the log is.
    pub fn every(mut self, period: Period) -> Self {
        self.period = Some(period);
        self
    }

    /// Where the clock of [`every`](Self::every) hangs; default `utc`. Also `+hh:mm`, and with the
    /// feature `time-zones` `local` and the names of the IANA's database, such as `Europe/Berlin`.
    pub fn zone(mut self, zone: impl Into<String>) -> Self {
        self.zone = Some(zone.into());
        self
    }

    /// The most closed files that are kept; default all.
    pub fn keep_files(mut self, files: usize) -> Self {
        self.rules.files = Some(files);
        self
    }

    /// Closed files are deleted so long after they were last written to; default never. Looked at
    /// whenever a file is closed.
    pub fn keep_age(mut self, age: Duration) -> Self {
        self.rules.age = Some(age);
        self
    }

    /// The most bytes of all closed files together, compressed if they are; default any number.
    pub fn keep_bytes(mut self, bytes: u64) -> Self {
        self.rules.bytes = Some(bytes);
        self
    }

    /// How closed files are compressed; default not at all.
    pub fn compress(mut self, compression: Compression) -> Self {
        self.rules.compression = Some(compression);
        self
    }

    /// When what was written is made to survive the end of the machine; default [`Fsync::Never`].
    pub fn fsync(mut self, fsync: Fsync) -> Self {
        self.fsync = fsync;
        self
    }

    /// Opens the file, to write at its end, and starts the thread that looks after the closed ones.
    ///
    /// # Errors
    ///
    /// The file cannot be opened, or is a pipe or a device, or its folder takes no new ones: not only the
    /// first is needed. There is no such zone, or neither a size nor a period, or one that is out of its range.
    pub fn open(self) -> Result<Rolling, OpenError> {
        let error = |source| OpenError::new(&self.path, source);
        let invalid = |text: String| error(io::Error::new(ErrorKind::InvalidInput, text));
        if self.size.is_none() && self.period.is_none() {
            return Err(invalid("a rolling log needs a size or a period".into()));
        }
        if self.size == Some(0) {
            return Err(invalid("a size of 0 bytes holds nothing".into()));
        }
        let period = match self.period {
            None => None,
            Some(period) => Some(period.seconds().ok_or_else(|| {
                let text = "a period must be whole seconds, from one to a day";
                invalid(format!("{text}, and not {period:?}"))
            })?),
        };
        let zone = match &self.zone {
            None => Zone::Utc,
            Some(text) => Zone::parse(text)
                .map_err(|error| invalid(format!("there is no zone `{text}`: {error}")))?,
        };
        // Opening a pipe would wait, and a device must not be renamed.
        if self.path.metadata().is_ok_and(|found| !found.is_file()) {
            return Err(invalid("only a file can be rolled".into()));
        }
        let mut handle = Handle::open(&self.path, Open::Append, self.fsync)?;
        if self.path.is_symlink() {
            // The files lie beside the one that is written to, wherever that is.
            let real = self.path.canonicalize().map_err(error)?;
            handle = Handle::open(&real, Open::Append, self.fsync)?;
        }
        let names = Names::new(handle.path()).map_err(error)?;
        // Another file will be made here.
        let probe = open_next(&names, self.fsync)?;
        // Unless another process has done so.
        let _ = fs::remove_file(probe.path());
        let found = handle.metadata().map_err(error)?;
        let now = SystemTime::now();
        let written = found.modified().unwrap_or(now);
        let begun = found.created().map_or(written, |made| made.min(written));
        // A file of an earlier period is closed with the first record.
        let belongs_to = if handle.length() == 0 { now } else { written };
        let clock = period.map(|period| WallClock::new(zone, period, unix_nanos(belongs_to)));
        Ok(Rolling {
            keeper: Keeper::start(names.clone(), self.rules).map_err(error)?,
            name: format!("rolling {}", self.path.display()),
            handle,
            names,
            size: self.size,
            clock,
            begun: unix_nanos(begun) / 1_000_000,
            next_try: None,
            failure: None,
        })
    }
}

fn unix_nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400 * SECOND;

    #[test]
    fn a_clock_that_is_set_back_does_not_keep_a_file_open() {
        let noon = 20_000 * DAY + DAY / 2;
        let mut clock = WallClock::new(Zone::Utc, 86_400, noon);
        let midnight = noon + DAY / 2;
        assert_eq!(clock.end, midnight);
        // Within a period it goes on to the end there was.
        clock.follow(noon - DAY / 4);
        clock.follow(noon - DAY);
        assert_eq!(clock.end, midnight);
        assert!(!clock.is_over(midnight + GRACE - 1) && clock.is_over(midnight + GRACE));
        // By years, after a battery was empty or a server told the wrong time.
        clock.follow(noon - 1000 * DAY);
        assert_eq!(clock.end, midnight - 1000 * DAY);
        clock.follow(0);
        assert_eq!(clock.end, DAY);
        // And forward again.
        clock.follow(noon);
        assert!(clock.is_over(noon));
    }
}
