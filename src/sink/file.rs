//! A file.

use std::error::Error;
use std::fmt;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::{Batch, Sink};

/// Writes to a file, a batch per system call.
///
/// Once a batch has been written it is the kernel's, and survives the end of the process, however
/// that comes; it does not survive the end of the machine before the kernel has written it to disk,
/// which this sink does not wait for.
///
/// On a full disk, what was not written is kept by the consumer, as far as there is room, and tried
/// again. The descriptor is not inherited by programs that the process starts.
///
/// Every write goes to where the file ends at that moment, so several processes can log to one file,
/// and a file that another program empties is filled from its beginning again. A file that is
/// renamed or deleted keeps being written to.
///
/// ```
/// use ringlog::sink::File;
///
/// let error = File::append("no/such/directory/app.log").unwrap_err();
/// assert!(error.to_string().contains("the directory no/such/directory does not exist"));
/// ```
#[derive(Debug)]
pub struct File {
    file: fs::File,
    name: String,
}

impl File {
    /// Opens a file to write at its end, and creates it if it does not exist.
    ///
    /// # Errors
    ///
    /// The file cannot be opened; the error names it. Missing directories are not created.
    pub fn append(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open(path.as_ref(), fs::OpenOptions::new().append(true))
    }

    /// Opens a file and empties it, or creates it.
    ///
    /// # Errors
    ///
    /// As for [`append`](Self::append).
    pub fn truncate(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let mut options = fs::OpenOptions::new();
        options.write(true).truncate(true);
        // The library's `append` would rule out `truncate`.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_APPEND);
        Self::open(path.as_ref(), &mut options)
    }

    fn open(path: &Path, options: &mut fs::OpenOptions) -> Result<Self, OpenError> {
        match options.create(true).open(path) {
            Ok(file) => Ok(File {
                file,
                name: format!("file {}", path.display()),
            }),
            Err(source) => Err(OpenError {
                path: path.to_owned(),
                missing: missing_directory(path),
                source,
            }),
        }
    }
}

/// The directory that the file is to be in, if that is what does not exist.
fn missing_directory(path: &Path) -> Option<PathBuf> {
    let directory = path.parent()?;
    let missing = !directory.as_os_str().is_empty() && directory.try_exists().is_ok_and(|is| !is);
    missing.then(|| directory.to_owned())
}

impl Sink for File {
    fn name(&self) -> &str {
        &self.name
    }

    /// One `write(2)`.
    fn write(&mut self, batch: &Batch<'_>) -> io::Result<usize> {
        self.file.write(batch.bytes())
    }

    /// Does nothing: nothing waits in the process.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A log file could not be opened.
#[derive(Debug)]
pub struct OpenError {
    path: PathBuf,
    missing: Option<PathBuf>,
    source: io::Error,
}

impl OpenError {
    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cannot open log file {}: {}",
            self.path.display(),
            self.source
        )?;
        match &self.missing {
            Some(directory) => write!(f, "; the directory {} does not exist", directory.display()),
            None => Ok(()),
        }
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
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
