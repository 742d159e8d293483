//! The standard streams, without the standard library's buffer and lock.

use std::io;

/// A standard stream of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Descriptor 1.
    Stdout,
    /// Descriptor 2.
    Stderr,
}

/// One `write(2)` to the stream: may take part of the bytes, may block, takes no lock.
///
/// Where there are no descriptors it goes through the standard library, with its lock.
///
/// # Errors
///
/// Whatever the system call says, a closed descriptor included.
pub(crate) fn write(stream: Stream, bytes: &[u8]) -> io::Result<usize> {
    platform::write(stream, bytes)
}

#[cfg(unix)]
mod platform {
    use super::{Stream, io};

    pub(super) fn write(stream: Stream, bytes: &[u8]) -> io::Result<usize> {
        let descriptor = match stream {
            Stream::Stdout => libc::STDOUT_FILENO,
            Stream::Stderr => libc::STDERR_FILENO,
        };
        // SAFETY: the pointer and the length are those of a slice that lives through the call,
        // and the kernel only reads from it.
        let written = unsafe { libc::write(descriptor, bytes.as_ptr().cast(), bytes.len()) };
        usize::try_from(written).map_err(|_| io::Error::last_os_error())
    }
}

#[cfg(not(unix))]
mod platform {
    use super::{Stream, io};
    use std::io::Write as _;

    pub(super) fn write(stream: Stream, bytes: &[u8]) -> io::Result<usize> {
        match stream {
            Stream::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(bytes)?;
                stdout.flush()?;
            }
            Stream::Stderr => io::stderr().lock().write_all(bytes)?,
        }
        Ok(bytes.len())
    }
}
