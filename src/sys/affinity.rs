//! Pinning a thread to a core, with errors that say what is wrong.

use std::fmt;

/// Lets the calling thread run on `core` only. Threads that it starts from then on inherit that.
///
/// Cores are numbered as the kernel numbers them, from 0. A core that the thread may not use at the
/// moment, such as an isolated one, is asked for all the same: whether it can be had is for the
/// kernel to say.
///
/// # Errors
///
/// The core is out of range, absent or offline, the kernel refused it, or the platform does not
/// support pinning. The thread runs then where it ran before.
pub(crate) fn pin_current_thread(core: usize) -> Result<(), PinError> {
    platform::pin_current_thread(core).map_err(|reason| PinError { core, reason })
}

#[cfg(test)]
use platform::allowed_cores;

/// A thread could not be pinned to a core. The text names the core and says why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinError {
    core: usize,
    reason: Reason,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(all(target_os = "linux", not(miri))),
    expect(dead_code, reason = "only Linux can be asked for more")
)]
enum Reason {
    /// The interface to the kernel ends at this core.
    OutOfRange { last: usize },
    /// The kernel's own list of the cores that are there and switched on.
    NotOnline { online: String },
    /// The core is there, and the kernel said no.
    Refused { cause: String, allowed: Vec<usize> },
    /// The kernel said yes, and the thread's mask is still another.
    NotApplied { allowed: Vec<usize> },
    /// The platform cannot do it.
    #[cfg_attr(
        all(target_os = "linux", not(miri)),
        expect(dead_code, reason = "Linux can do it")
    )]
    Unsupported,
}

impl fmt::Display for PinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let core = self.core;
        match &self.reason {
            Reason::OutOfRange { last } => write!(
                f,
                "core {core} does not exist: cores are numbered from 0 to {last}"
            ),
            Reason::NotOnline { online } => write!(
                f,
                "core {core} is not online: the cores that are online are {online}"
            ),
            Reason::Refused { cause, allowed } => write!(
                f,
                "the kernel refused core {core} ({cause}), as it does for a core outside the \
                 process's cpuset; the thread may run on {}",
                Cores(allowed)
            ),
            Reason::NotApplied { allowed } => write!(
                f,
                "the kernel accepted core {core}, but the thread may still run on {}",
                Cores(allowed)
            ),
            Reason::Unsupported => write!(
                f,
                "this platform does not support it, for core {core} or any other"
            ),
        }
    }
}

impl std::error::Error for PinError {}

/// Core numbers in ascending order, written as the kernel writes them: `0-3,8`.
struct Cores<'a>(&'a [usize]);

impl fmt::Display for Cores<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("unknown cores");
        }
        for (index, run) in self.0.chunk_by(|a, b| a + 1 == *b).enumerate() {
            let separator = if index == 0 { "" } else { "," };
            match run {
                [only] => write!(f, "{separator}{only}")?,
                [first, .., last] => write!(f, "{separator}{first}-{last}")?,
                [] => {}
            }
        }
        Ok(())
    }
}

#[cfg(all(target_os = "linux", not(miri)))]
mod platform {
    use super::Reason;
    use std::{fs, io};

    /// `core_affinity` sets the core's bit in a mask of the C library's fixed size, and aborts the
    /// process where the mask has no such bit.
    #[allow(clippy::cast_sign_loss, reason = "a positive constant")]
    const MASK_BITS: usize = libc::CPU_SETSIZE as usize;

    pub(super) fn pin_current_thread(core: usize) -> Result<(), Reason> {
        if core >= MASK_BITS {
            return Err(Reason::OutOfRange {
                last: MASK_BITS - 1,
            });
        }
        // Built here and not looked up: the list that `core_affinity` offers has only the cores
        // that the thread may use already, and leaves out those that are set apart for it.
        if !core_affinity::set_for_current(core_affinity::CoreId { id: core }) {
            // It answers yes or no, but makes no call after the one that failed.
            return Err(refusal(core, &io::Error::last_os_error()));
        }
        let allowed = allowed_cores();
        if allowed == [core] {
            Ok(())
        } else {
            Err(Reason::NotApplied { allowed })
        }
    }

    fn refusal(core: usize, error: &io::Error) -> Reason {
        match fs::read_to_string("/sys/devices/system/cpu/online") {
            Ok(online) if !contains(online.trim(), core) => Reason::NotOnline {
                online: online.trim().into(),
            },
            _ => Reason::Refused {
                cause: error.to_string(),
                allowed: allowed_cores(),
            },
        }
    }

    /// Whether the core is in a list as the kernel writes it: `0-3,8`.
    pub(super) fn contains(list: &str, core: usize) -> bool {
        list.split(',').any(|run| {
            let (first, last) = run.split_once('-').unwrap_or((run, run));
            match (first.parse::<usize>(), last.parse()) {
                (Ok(first), Ok(last)) => (first..=last).contains(&core),
                _ => false,
            }
        })
    }

    /// The cores on which the calling thread may run now, in ascending order.
    pub(super) fn allowed_cores() -> Vec<usize> {
        // The kernel refuses a mask smaller than its own, which on the largest machines is larger
        // than the C library's type.
        const WORDS: usize = 8192 / u64::BITS as usize;
        let mut mask = [0_u64; WORDS];
        // SAFETY: the kernel writes at most the number of bytes it is given, all of them the
        // array's, and any bytes are valid in it. Process 0 is the calling thread.
        let result =
            unsafe { libc::sched_getaffinity(0, size_of_val(&mask), mask.as_mut_ptr().cast()) };
        if result != 0 {
            return Vec::new();
        }
        (0..WORDS * u64::BITS as usize)
            .filter(|core| mask[core / 64] >> (core % 64) & 1 == 1)
            .collect()
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
mod platform {
    use super::Reason;

    pub(super) fn pin_current_thread(_core: usize) -> Result<(), Reason> {
        Err(Reason::Unsupported)
    }

    #[cfg(test)]
    pub(super) fn allowed_cores() -> Vec<usize> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::{Cores, PinError, Reason, allowed_cores, pin_current_thread};

    #[test]
    fn cores_are_listed_in_runs() {
        let text = |cores: &[usize]| Cores(cores).to_string();
        assert_eq!(text(&[0]), "0");
        assert_eq!(text(&[0, 1, 2, 5, 7, 8]), "0-2,5,7-8");
        assert_eq!(text(&[]), "unknown cores");
    }

    #[test]
    fn errors_name_the_core_and_the_cause() {
        let refused = PinError {
            core: 5,
            reason: Reason::Refused {
                cause: "Invalid argument".into(),
                allowed: vec![0, 1],
            },
        };
        assert_eq!(
            refused.to_string(),
            "the kernel refused core 5 (Invalid argument), as it does for a core outside the \
             process's cpuset; the thread may run on 0-1"
        );
        let not_applied = PinError {
            core: 1,
            reason: Reason::NotApplied {
                allowed: vec![0, 1],
            },
        };
        assert_eq!(
            not_applied.to_string(),
            "the kernel accepted core 1, but the thread may still run on 0-1"
        );
    }

    #[cfg(all(target_os = "linux", not(miri)))]
    mod linux {
        use super::{allowed_cores, pin_current_thread};
        use crate::sys::affinity::platform::contains;
        use std::{fs, thread};

        /// Pins a thread of its own, so that the mask of the test's thread stays as it is.
        fn pin_elsewhere(core: usize) -> (Result<(), String>, Vec<usize>) {
            let pinned = move || {
                let result = pin_current_thread(core).map_err(|error| error.to_string());
                (result, allowed_cores())
            };
            thread::spawn(pinned).join().unwrap()
        }

        #[test]
        fn every_allowed_core_can_be_had_alone() {
            let before = allowed_cores();
            assert!(!before.is_empty());
            for &core in &before {
                assert_eq!(pin_elsewhere(core), (Ok(()), vec![core]));
            }
            assert_eq!(allowed_cores(), before);
        }

        #[test]
        fn a_pinned_thread_can_be_pinned_elsewhere_and_its_children_inherit() {
            let before = allowed_cores();
            let (first, last) = (before[0], before[before.len() - 1]);
            thread::spawn(move || {
                pin_current_thread(first).unwrap();
                let inherited = thread::spawn(allowed_cores).join().unwrap();
                assert_eq!(inherited, [first]);
                pin_current_thread(last).unwrap();
                assert_eq!(allowed_cores(), [last]);
            })
            .join()
            .unwrap();
        }

        #[test]
        fn a_core_beyond_the_mask_is_refused_by_number() {
            let before = allowed_cores();
            for core in [1024, 4096, usize::MAX] {
                let (result, after) = pin_elsewhere(core);
                assert_eq!(
                    result,
                    Err(format!(
                        "core {core} does not exist: cores are numbered from 0 to 1023"
                    ))
                );
                assert_eq!(after, before);
            }
        }

        #[test]
        fn a_core_that_is_not_there_is_refused_with_those_that_are() {
            let online = fs::read_to_string("/sys/devices/system/cpu/online").unwrap();
            let online = online.trim();
            let absent = (0..1024).rev().find(|&core| !contains(online, core));
            let absent = absent.expect("fewer than 1024 cores");
            let before = allowed_cores();
            let (result, after) = pin_elsewhere(absent);
            assert_eq!(
                result,
                Err(format!(
                    "core {absent} is not online: the cores that are online are {online}"
                ))
            );
            assert_eq!(after, before);
        }

        #[test]
        fn the_kernels_lists_are_understood() {
            assert!(contains("0-3,8", 3) && contains("0-3,8", 8) && contains("5", 5));
            assert!(!contains("0-3,8", 4) && !contains("", 0) && !contains("x-y", 0));
        }
    }

    #[test]
    #[cfg(not(all(target_os = "linux", not(miri))))]
    fn other_platforms_say_that_they_cannot() {
        assert_eq!(allowed_cores(), []);
        assert_eq!(
            pin_current_thread(0).unwrap_err().to_string(),
            "this platform does not support it, for core 0 or any other"
        );
    }
}
