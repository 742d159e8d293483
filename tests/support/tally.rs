//! A process's own count of what became of its records, in a file that outlives it.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use ringlog::Outcome;

/// The counts. Any number of threads may write to them, and another process may read them.
#[repr(C)]
pub struct Tally {
    submitted: AtomicU64,
    accepted: AtomicU64,
    full: AtomicU64,
    closed: AtomicU64,
}

impl Tally {
    /// Opens the file, which is made if there is none. Lives as long as the process.
    pub fn open(path: &Path) -> &'static Tally {
        let mut options = File::options();
        let file = options.read(true).write(true).create(true).truncate(false);
        let file = file.open(path).unwrap();
        let length = size_of::<Tally>();
        file.set_len(length as u64).unwrap();
        // SAFETY: a new mapping; the file is as long as the type, zeros are a valid value of it, and
        // all who share it use atomics.
        unsafe {
            let (access, shared) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
            let at = libc::mmap(ptr::null_mut(), length, access, shared, file.as_raw_fd(), 0);
            assert_ne!(at, libc::MAP_FAILED);
            &*at.cast()
        }
    }

    /// Submits a record, and writes down what became of it.
    pub fn note(&self, submit: impl FnOnce() -> Outcome) -> Outcome {
        self.submitted.fetch_add(1, Ordering::SeqCst);
        let outcome = submit();
        let count = match outcome {
            Outcome::Accepted => &self.accepted,
            Outcome::Full => &self.full,
            Outcome::Closed => &self.closed,
            other => panic!("{other:?}"),
        };
        count.fetch_add(1, Ordering::SeqCst);
        outcome
    }

    pub fn submitted(&self) -> u64 {
        self.submitted.load(Ordering::SeqCst)
    }

    pub fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::SeqCst)
    }

    pub fn full(&self) -> u64 {
        self.full.load(Ordering::SeqCst)
    }

    pub fn closed(&self) -> u64 {
        self.closed.load(Ordering::SeqCst)
    }

    /// Records that were submitted, and of whose outcome the process did not live to learn.
    pub fn unknown(&self) -> u64 {
        self.submitted() - self.accepted() - self.full() - self.closed()
    }
}
