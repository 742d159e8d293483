//! Passing a message that is too long for a datagram as a file in memory.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

/// Sends a datagram without bytes, to which a sealed file that has them is attached.
///
/// # Errors
///
/// Any error of making the file or of sending; the platform has none.
pub(crate) fn send(socket: &UnixDatagram, path: &Path, bytes: &[u8]) -> io::Result<()> {
    platform::send(socket, path, bytes)
}

#[cfg(all(target_os = "linux", not(miri)))]
mod platform {
    use std::fs::File;
    use std::io::{self, Write as _};
    use std::mem;
    use std::os::fd::{AsRawFd as _, FromRawFd as _};
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::net::UnixDatagram;
    use std::path::Path;
    use std::ptr;

    pub(super) fn send(socket: &UnixDatagram, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let file = sealed_file(bytes)?;
        let (address, length) = address_of(path)?;
        let descriptor = file.as_raw_fd();

        // As much room as one descriptor takes, aligned as a header has to be.
        let mut control = [0_u64; 8];
        // SAFETY: computes a length, and touches no memory.
        let space = unsafe { libc::CMSG_SPACE(mem::size_of_val(&descriptor) as u32) } as usize;
        debug_assert!(space <= mem::size_of_val(&control));
        // SAFETY: all zeros is a message without address, bytes and control data.
        let mut message: libc::msghdr = unsafe { mem::zeroed() };
        message.msg_name = ptr::from_ref(&address).cast_mut().cast();
        message.msg_namelen = length;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = space as _;
        // SAFETY: the control buffer is large enough for one header and a descriptor behind it, so
        // the first header is there, and its data lie within the buffer. The descriptor may not be
        // aligned there.
        unsafe {
            let header = libc::CMSG_FIRSTHDR(&message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(mem::size_of_val(&descriptor) as u32) as _;
            ptr::write_unaligned(libc::CMSG_DATA(header).cast(), descriptor);
        }
        // SAFETY: the address and the control data live through the call, and the kernel only reads
        // them; the descriptors are open.
        let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &message, libc::MSG_NOSIGNAL) };
        if sent < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// A file in memory that nobody can change any more, so that the receiver may trust it.
    fn sealed_file(bytes: &[u8]) -> io::Result<File> {
        let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
        // SAFETY: the name is a string of C.
        let descriptor = unsafe { libc::memfd_create(c"ringlog".as_ptr(), flags) };
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor is open and nobody else's.
        let mut file = unsafe { File::from_raw_fd(descriptor) };
        file.write_all(bytes)?;
        let seals =
            libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE | libc::F_SEAL_SEAL;
        // SAFETY: the descriptor is open; no memory is passed.
        if unsafe { libc::fcntl(descriptor, libc::F_ADD_SEALS, seals) } < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(file)
    }

    fn address_of(path: &Path) -> io::Result<(libc::sockaddr_un, libc::socklen_t)> {
        // SAFETY: all zeros is an address without a name.
        let mut address: libc::sockaddr_un = unsafe { mem::zeroed() };
        address.sun_family = libc::AF_UNIX as _;
        let name = path.as_os_str().as_bytes();
        // The last byte stays zero.
        if name.len() >= address.sun_path.len() {
            return Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG));
        }
        for (place, &byte) in address.sun_path.iter_mut().zip(name) {
            *place = byte as _;
        }
        let length = mem::offset_of!(libc::sockaddr_un, sun_path) + name.len() + 1;
        Ok((address, length as libc::socklen_t))
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
mod platform {
    use std::io;
    use std::os::unix::net::UnixDatagram;
    use std::path::Path;

    pub(super) fn send(_: &UnixDatagram, _: &Path, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
