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

/// Whether a line can be written to the stream without waiting for whoever reads it. Where that
/// cannot be known, it says yes.
pub(crate) fn has_room(stream: Stream) -> bool {
    platform::has_room(stream)
}

#[cfg(unix)]
mod platform {
    use super::{Stream, io};

    fn descriptor(stream: Stream) -> libc::c_int {
        match stream {
            Stream::Stdout => libc::STDOUT_FILENO,
            Stream::Stderr => libc::STDERR_FILENO,
        }
    }

    #[cfg(not(miri))]
    pub(super) fn has_room(stream: Stream) -> bool {
        let mut ask = libc::pollfd {
            fd: descriptor(stream),
            events: libc::POLLOUT,
            revents: 0,
        };
        const ONE: libc::nfds_t = 1;
        const AT_ONCE: libc::c_int = 0;
        // SAFETY: `ask` is one entry, valid for reads and writes through the call.
        unsafe { libc::poll(&mut ask, ONE, AT_ONCE) != 0 }
    }

    #[cfg(miri)] // which has no `poll`
    pub(super) fn has_room(_: Stream) -> bool {
        true
    }

    pub(super) fn write(stream: Stream, bytes: &[u8]) -> io::Result<usize> {
        let descriptor = descriptor(stream);
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

    pub(super) fn has_room(_: Stream) -> bool {
        true
    }

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
