//! Why a log file could not be opened.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// A log file could not be opened.
#[derive(Debug)]
pub struct OpenError {
    path: PathBuf,
    directory: Option<(PathBuf, &'static str)>,
    source: io::Error,
}

impl OpenError {
    pub(in crate::sink) fn new(path: &Path, source: io::Error) -> Self {
        OpenError {
            path: path.to_owned(),
            directory: what_of_directory(path, &source),
            source,
        }
    }

    pub(in crate::sink) fn kind(&self) -> ErrorKind {
        self.source.kind()
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The directory that the file was to be in, and what is wrong with it, if that is the cause.
fn what_of_directory(path: &Path, error: &io::Error) -> Option<(PathBuf, &'static str)> {
    let mut directory = path.parent()?;
    if directory.as_os_str().is_empty() {
        if path.as_os_str().is_empty() {
            return None;
        }
        directory = Path::new(".");
    }
    if directory.try_exists().is_ok_and(|is| !is) {
        return Some((directory.to_owned(), "does not exist"));
    }
    let refused = matches!(
        error.kind(),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
    );
    // A file that is there is refused for itself.
    let missing = path.try_exists().is_ok_and(|is| !is);
    (refused && missing).then(|| (directory.to_owned(), "takes no new files from this process"))
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cannot open log file {}: {}",
            self.path.display(),
            self.source
        )?;
        match &self.directory {
            Some((directory, what)) => {
                write!(f, "; the directory {} {what}", directory.display())
            }
            None => Ok(()),
        }
    }
}

impl Error for OpenError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

impl From<OpenError> for io::Error {
    fn from(error: OpenError) -> Self {
        io::Error::new(error.source.kind(), error)
    }
}
