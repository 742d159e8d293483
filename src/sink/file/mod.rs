//! A file.

mod fsync;
pub(super) mod handle;
mod open_error;

use std::io;
use std::path::Path;
use std::time::Duration;

use super::{Batch, Sink};
use handle::{Handle, Open};

pub use fsync::Fsync;
pub use open_error::OpenError;

/// Writes to a file, a batch per system call.
///
/// Once a batch has been written it is the kernel's, and survives the end of the process, however
/// that comes; it survives the end of the machine once the kernel has written it to disk, for which
/// this sink waits only as [`fsync`](Self::fsync) says.
///
/// On a full disk, what was not written is kept by the consumer, as far as there is room, and tried
/// again. The descriptor is not inherited by programs that the process starts.
///
/// Every write goes to where the file ends at that moment, so several processes can log to one file,
/// and a file that another program empties is filled from its beginning again. What is added to a
/// file that ends within a line, as after a process that was killed, begins on a line of its own.
///
/// A file that was renamed is written to until that is noticed, a quarter of a second later at most
/// if there is something to write; then the name is opened again. A file that was deleted is noticed
/// with the next write, which goes to a new file. [`RingLogger::reopen`](crate::RingLogger::reopen)
/// does not wait to notice. Pipes and devices stay open as they are.
///
/// ```
/// use ringlog::sink::File;
///
/// let error = File::append("no/such/directory/app.log").unwrap_err();
/// assert!(error.to_string().contains("the directory no/such/directory does not exist"));
/// ```
#[derive(Debug)]
pub struct File {
    handle: Handle,
    name: String,
}

impl File {
    /// Opens a file to write at its end, and creates it if it does not exist.
    ///
    /// # Errors
    ///
    /// The file cannot be opened; the error names it. Missing directories are not created.
    pub fn append(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open(path.as_ref(), Open::Append)
    }

    /// Opens a file and empties it, or creates it. When it is opened again later it is not emptied.
    ///
    /// # Errors
    ///
    /// As for [`append`](Self::append).
    pub fn truncate(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open(path.as_ref(), Open::Truncate)
    }

    fn open(path: &Path, how: Open) -> Result<Self, OpenError> {
        Ok(File {
            handle: Handle::open(path, how, Fsync::default())?,
            name: format!("file {}", path.display()),
        })
    }

    /// When what was written is made to survive the end of the machine; default [`Fsync::Never`].
    #[must_use]
    pub fn fsync(mut self, fsync: Fsync) -> Self {
        self.handle.set_fsync(fsync);
        self
    }
}

impl Sink for File {
    fn name(&self) -> &str {
        &self.name
    }

    /// One `write(2)`, and one `fstat(2)` to see whether the file still has a name.
    fn write(&mut self, batch: &Batch<'_>) -> io::Result<usize> {
        self.handle.write(batch)
    }

    /// Waits for the disk if [`fsync`](File::fsync) says so. Nothing waits in the process.
    fn flush(&mut self) -> io::Result<()> {
        self.handle.flush()
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.handle.reopen()
    }

    #[cfg(unix)]
    fn descriptor(&self) -> Option<std::os::fd::RawFd> {
        Some(self.handle.descriptor())
    }

    fn tick(&mut self) -> io::Result<()> {
        self.handle.tick()
    }

    fn close(&mut self, _time_left: Duration) -> io::Result<()> {
        self.handle.close()
    }
}

#[cfg(test)]
mod tests {
    use super::{Batch, File, Sink};
    use std::error::Error as _;

    #[test]
    fn append_keeps_and_truncate_empties() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        for (text, expected) in [("one\n", "one\n"), ("two\n", "one\ntwo\n")] {
            let mut file = File::append(&path).unwrap();
            assert_eq!(file.write(&Batch::new(text.as_bytes())).unwrap(), 4);
            assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        }
        File::truncate(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
    }

    #[test]
    #[cfg(unix)]
    fn a_file_that_another_program_empties_is_filled_from_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        for open in [File::truncate, File::append] {
            let mut file = open(path.clone()).unwrap();
            file.write(&Batch::new(b"before\n")).unwrap();
            std::fs::write(&path, "").unwrap();
            file.write(&Batch::new(b"after\n")).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "after\n");
        }
    }

    #[test]
    #[cfg(unix)]
    #[cfg_attr(miri, ignore = "miri does not tell how many names a file has")]
    fn what_is_written_to_a_deleted_file_is_in_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let mut file = File::append(&path).unwrap();
        for text in ["one\n", "two\n", "three\n"] {
            std::fs::remove_file(&path).unwrap();
            file.write(&Batch::new(text.as_bytes())).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    #[cfg(unix)]
    fn what_is_written_after_reopening_goes_to_the_file_of_the_name() {
        let folder = tempfile::tempdir().unwrap();
        let (path, old) = (folder.path().join("a.log"), folder.path().join("a.log.1"));
        // It is not emptied again.
        let mut file = File::truncate(&path).unwrap();
        file.write(&Batch::new(b"one\n")).unwrap();
        file.reopen().unwrap();
        std::fs::rename(&path, &old).unwrap();
        file.write(&Batch::new(b"two\n")).unwrap();
        file.reopen().unwrap();
        file.write(&Batch::new(b"three\n")).unwrap();
        assert_eq!(std::fs::read_to_string(&old).unwrap(), "one\ntwo\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "three\n");
    }

    #[test]
    #[cfg(unix)]
    fn a_file_that_cannot_be_opened_again_stays_open() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().join("here");
        std::fs::create_dir(&here).unwrap();
        let path = here.join("a.log");
        let mut file = File::append(&path).unwrap();
        std::fs::rename(&here, folder.path().join("there")).unwrap();
        let error = file.reopen().unwrap_err().to_string();
        assert!(error.contains("a.log"), "{error}");
        file.write(&Batch::new(b"text\n")).unwrap();
        let moved = folder.path().join("there/a.log");
        assert_eq!(std::fs::read_to_string(moved).unwrap(), "text\n");
    }

    #[test]
    fn a_file_that_cannot_be_opened_is_named_with_the_cause() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().display().to_string();
        let cases = [
            // The directory itself: not a file, and it does exist.
            (directory.clone(), None),
            (
                format!("{directory}/missing/a.log"),
                Some(format!(
                    "; the directory {directory}/missing does not exist"
                )),
            ),
            (String::new(), None),
        ];
        for (path, addition) in cases {
            for error in [File::append(&path), File::truncate(&path)].map(Result::unwrap_err) {
                assert_eq!(error.path().to_str(), Some(&*path));
                let cause = error.source().unwrap();
                let addition = addition.as_deref().unwrap_or("");
                assert_eq!(
                    error.to_string(),
                    format!("cannot open log file {path}: {cause}{addition}")
                );
            }
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_device_says_so() {
        let mut file = File::append("/dev/full").unwrap();
        let error = file.write(&Batch::new(b"text\n")).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    }
}
