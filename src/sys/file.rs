//! Files: whose they are at the moment, and whether a name is still theirs.

use std::fs::File;
use std::io;
use std::path::Path;

/// Takes the file's lock for this descriptor alone, until it is closed; false if others have it. The
/// lock binds only those who ask for it. Where there is none, everybody gets it.
///
/// # Errors
///
/// The file system has no locks.
pub(crate) fn try_lock(file: &File) -> io::Result<bool> {
    #[cfg(all(unix, not(miri)))]
    return flock(file, libc::LOCK_EX | libc::LOCK_NB);
    #[cfg(not(all(unix, not(miri))))]
    {
        let _ = file;
        Ok(true)
    }
}

/// Takes the file's lock together with all others who take it so, until the file is closed; false if
/// somebody has it alone. Without locks, everybody gets it.
pub(crate) fn try_share_lock(file: &File) -> bool {
    #[cfg(all(unix, not(miri)))]
    return flock(file, libc::LOCK_SH | libc::LOCK_NB).unwrap_or(true);
    #[cfg(not(all(unix, not(miri))))]
    {
        let _ = file;
        true
    }
}

/// Gives the file's lock back.
pub(crate) fn unlock(file: &File) {
    #[cfg(all(unix, not(miri)))]
    let _ = flock(file, libc::LOCK_UN);
    #[cfg(not(all(unix, not(miri))))]
    let _ = file;
}

#[cfg(all(unix, not(miri)))]
fn flock(file: &File, how: libc::c_int) -> io::Result<bool> {
    use std::os::fd::AsRawFd as _;
    // SAFETY: the descriptor is that of a file that lives through the call; no memory is passed.
    if unsafe { libc::flock(file.as_raw_fd(), how) } != 0 {
        let error = io::Error::last_os_error();
        return match error.kind() {
            io::ErrorKind::WouldBlock => Ok(false),
            _ => Err(error),
        };
    }
    Ok(true)
}

/// Opens a file to read it. Follows no link, and waits for no writer of a pipe.
///
/// # Errors
///
/// `InvalidInput` if there is something else of that name; any error of opening.
pub(crate) fn open_regular(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(
        &mut options,
        libc::O_NOFOLLOW | libc::O_NONBLOCK,
    );
    let file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(file)
}

/// Gives a file a name that nothing has yet. Where that is not one step, another process may come
/// between the look and the act.
///
/// # Errors
///
/// `AlreadyExists` if there is such a name; any error of renaming.
pub(crate) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(all(target_os = "linux", not(miri)))]
    {
        use std::ffi::CString;
        use std::os::unix::ffi::OsStrExt as _;
        let from = CString::new(from.as_os_str().as_bytes())?;
        let to = CString::new(to.as_os_str().as_bytes())?;
        // SAFETY: both are strings of C that live through the call, and the kernel only reads them.
        let result = unsafe {
            libc::syscall(
                libc::SYS_renameat2,
                libc::AT_FDCWD,
                from.as_ptr(),
                libc::AT_FDCWD,
                to.as_ptr(),
                libc::RENAME_NOREPLACE,
            )
        };
        if result == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        // The file system, or the kernel, does not know it.
        if !matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS)) {
            return Err(error);
        }
    }
    if to.symlink_metadata().is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    std::fs::rename(from, to)
}

/// Whether the name is that of the open file. Where that cannot be known, it is.
pub(crate) fn is_named(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        match (file.metadata(), path.metadata()) {
            (Ok(open), Ok(named)) => open.dev() == named.dev() && open.ino() == named.ino(),
            _ => false,
        }
    }
    #[cfg(not(unix))]
    {
        let _ = (file, path);
        true
    }
}
