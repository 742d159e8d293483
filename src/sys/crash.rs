//! What a crashed process can still do. All of it is async-signal-safe but
//! [`ensure_alternate_stack`].

use std::io;
use std::mem::zeroed;
use std::ptr;

use libc::c_int;

use super::signal::Caught;

/// The codes of a signal that an instruction did not cause, though they are positive.
const BUS_MCEERR_AO: c_int = 5;

/// Why a signal came.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cause {
    /// An instruction of the thread's: the address is the memory it wanted, or its own.
    Fault { address: u64 },
    /// It was sent, by this process or another.
    Sent { process: u64 },
}

impl Cause {
    /// Of a signal that crashes.
    pub(crate) fn of(caught: &Caught) -> Cause {
        let Some(info) = caught.info() else {
            return Cause::Sent { process: 0 };
        };
        if info.si_code > 0 && !(info.si_signo == libc::SIGBUS && info.si_code == BUS_MCEERR_AO) {
            Cause::Fault {
                // SAFETY: the code says that there is an address.
                address: unsafe { info.si_addr() } as u64,
            }
        } else {
            Cause::Sent {
                // SAFETY: the code says that there is a process.
                process: unsafe { info.si_pid() } as u64,
            }
        }
    }

    /// Whether the signal comes again when the handler returns.
    pub(crate) fn comes_again(&self) -> bool {
        matches!(self, Cause::Fault { .. })
    }
}

/// How long a reader may take to make room, in milliseconds.
const ROOM: c_int = 100;

/// Writes all of it, as far as the descriptor takes it: what waits for a reader that does not read
/// is not written.
pub(crate) fn write(descriptor: c_int, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let mut ask = libc::pollfd {
            fd: descriptor,
            events: libc::POLLOUT,
            revents: 0,
        };
        // SAFETY: `ask` is one entry, valid for reads and writes through the call.
        if unsafe { libc::poll(&mut ask, 1, ROOM) } != 1 {
            return;
        }
        // SAFETY: the pointer and the length are those of a slice that lives through the call.
        let written = unsafe { libc::write(descriptor, bytes.as_ptr().cast(), bytes.len()) };
        match usize::try_from(written) {
            Ok(written) if written > 0 => bytes = &bytes[written.min(bytes.len())..],
            _ => return,
        }
    }
}

/// The calling thread's name, as the kernel knows it: up to 15 bytes, then zeros.
pub(crate) fn thread_name() -> [u8; 16] {
    let mut name = [0_u8; 16];
    // SAFETY: the kernel writes at most 16 bytes.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    name
}

/// Gives the calling thread an alternate stack, if it has none; it is never freed.
///
/// # Errors
///
/// There is no memory for it.
pub(crate) fn ensure_alternate_stack() -> io::Result<()> {
    const SIZE: usize = 64 << 10;
    const GUARD: usize = 4096;
    // SAFETY: the kernel writes one `stack_t`, for which all zeros are a valid value.
    let current = unsafe {
        let mut current: libc::stack_t = zeroed();
        if libc::sigaltstack(ptr::null(), &mut current) != 0 {
            return Err(io::Error::last_os_error());
        }
        current
    };
    if current.ss_flags & libc::SS_DISABLE == 0 {
        return Ok(());
    }
    // SAFETY: a new mapping at an address of the kernel's choosing touches nothing that exists; its
    // first page is made inaccessible; the rest is nobody else's, and is never unmapped.
    unsafe {
        let memory = libc::mmap(
            ptr::null_mut(),
            GUARD + SIZE,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK,
            -1,
            0,
        );
        if memory == libc::MAP_FAILED || libc::mprotect(memory, GUARD, libc::PROT_NONE) != 0 {
            return Err(io::Error::last_os_error());
        }
        let stack = libc::stack_t {
            ss_sp: memory.byte_add(GUARD),
            ss_flags: 0,
            ss_size: SIZE,
        };
        if libc::sigaltstack(&stack, ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
