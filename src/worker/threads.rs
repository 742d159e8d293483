//! The names of the threads that log: written down once per thread, read once per lane and owner.

use std::borrow::Cow;
use std::panic::catch_unwind;
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::format;
use crate::sys;

/// The most bytes of a thread's name that are kept.
const LENGTH: usize = 32;

/// How many threads without a lane are remembered by name. Of others, the log shows the number.
const REMEMBERED: usize = 256;

/// A thread's name, or its number if it has none. No allocation, so that any number of threads may
/// come and go.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ThreadName {
    bytes: [u8; LENGTH],
    length: usize,
    /// Whether no format has to escape any of it. Found out once, as it is in every line.
    is_plain: bool,
    /// The kernel's number of the thread; 0 if it is not known.
    id: u64,
}

impl ThreadName {
    /// The name of the thread that calls; `None` if its local storage is gone.
    pub(crate) fn current() -> Option<Self> {
        // Only asking tells: it panics then.
        let id = sys::thread::id();
        let name = catch_unwind(|| {
            thread::current()
                .name()
                .map(|name| ThreadName::new(name, id))
        });
        Some(name.ok()?.unwrap_or_else(|| ThreadName::number(id)))
    }

    fn new(name: &str, id: u64) -> Self {
        let mut length = name.len().min(LENGTH);
        while !name.is_char_boundary(length) {
            length -= 1;
        }
        let mut bytes = [0; LENGTH];
        bytes[..length].copy_from_slice(&name.as_bytes()[..length]);
        ThreadName {
            bytes,
            length,
            is_plain: format::is_plain(&bytes[..length]),
            id,
        }
    }

    fn number(id: u64) -> Self {
        ThreadName::new(itoa::Buffer::new().format(id), id)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    pub(crate) fn is_plain(&self) -> bool {
        self.is_plain
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn as_text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.as_bytes())
    }
}

/// Who owns which lane, and who else has logged lately.
#[derive(Debug)]
pub(crate) struct Threads {
    /// Written by a lane's owner before its first record.
    lanes: Box<[Mutex<ThreadName>]>,
    others: Mutex<Others>,
}

#[derive(Debug)]
struct Others {
    known: Vec<(u64, ThreadName)>,
    /// The place that is overwritten next.
    oldest: usize,
}

impl Threads {
    pub(crate) fn new(lanes: usize) -> Self {
        Threads {
            lanes: (0..lanes).map(|_| Mutex::default()).collect(),
            others: Mutex::new(Others {
                known: Vec::with_capacity(REMEMBERED),
                oldest: 0,
            }),
        }
    }

    /// Writes down who owns a lane. Takes a lock; called once per owner.
    pub(crate) fn enter_lane(&self, lane: usize, name: ThreadName) {
        *self.lanes[lane]
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = name;
    }

    /// Writes down the calling thread's name. Takes a lock; called once per thread.
    pub(crate) fn enter(&self, name: ThreadName) {
        let id = sys::thread::id();
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = others.known.iter_mut().find(|(known, _)| *known == id) {
            known.1 = name;
        } else if others.known.len() < REMEMBERED {
            others.known.push((id, name));
        } else {
            let oldest = others.oldest;
            others.known[oldest] = (id, name);
            others.oldest = (oldest + 1) % REMEMBERED;
        }
    }

    /// The name of the thread that owns a lane.
    pub(crate) fn of_lane(&self, lane: usize) -> ThreadName {
        *self.lanes[lane]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The name of a thread by its number.
    pub(crate) fn of_thread(&self, id: u64) -> ThreadName {
        let others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        others
            .known
            .iter()
            .find(|(known, _)| *known == id)
            .map_or_else(|| ThreadName::number(id), |(_, name)| *name)
    }
}
