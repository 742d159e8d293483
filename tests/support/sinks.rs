//! Sinks that do what a test tells them.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use ringlog::sink::{Batch, Memory, Sink};

use super::LONG;

type Write = dyn FnMut(&Batch<'_>) -> io::Result<usize> + Send;

/// A sink made of closures.
pub struct Scripted {
    name: &'static str,
    write: Box<Write>,
    flush: Box<dyn FnMut() -> io::Result<()> + Send>,
}

impl Scripted {
    pub fn new(
        name: &'static str,
        write: impl FnMut(&Batch<'_>) -> io::Result<usize> + Send + 'static,
    ) -> Self {
        Scripted {
            name,
            write: Box::new(write),
            flush: Box::new(|| Ok(())),
        }
    }

    pub fn on_flush(mut self, flush: impl FnMut() -> io::Result<()> + Send + 'static) -> Self {
        self.flush = Box::new(flush);
        self
    }
}

impl Sink for Scripted {
    fn name(&self) -> &str {
        self.name
    }

    fn write(&mut self, batch: &Batch<'_>) -> io::Result<usize> {
        (self.write)(batch)
    }

    fn flush(&mut self) -> io::Result<()> {
        (self.flush)()
    }
}

/// Takes the first bytes of a batch, and says how many it were.
pub fn take_part(memory: &mut Vec<u8>, batch: &Batch<'_>, most: usize) -> io::Result<usize> {
    let part = &batch.bytes()[..batch.bytes().len().min(most)];
    memory.extend_from_slice(part);
    Ok(part.len())
}

/// A sink whose writes wait while it is shut.
#[derive(Clone)]
pub struct Valve {
    state: Arc<(Mutex<State>, Condvar)>,
    memory: Memory,
}

#[derive(Default)]
struct State {
    shut: bool,
    /// How many writes wait.
    waiting: usize,
}

impl Valve {
    pub fn shut(memory: Memory) -> Self {
        let valve = Valve {
            state: Arc::default(),
            memory,
        };
        valve.state().shut = true;
        valve
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn open(&self) {
        self.state().shut = false;
        self.state.1.notify_all();
    }

    pub fn close(&self) {
        self.state().shut = true;
    }

    /// Waits until a write waits.
    #[track_caller]
    pub fn wait_until_stuck(&self) {
        let (state, timeout) = self
            .state
            .1
            .wait_timeout_while(self.state(), LONG, |state| state.waiting == 0)
            .unwrap_or_else(PoisonError::into_inner);
        drop(state);
        assert!(!timeout.timed_out(), "nobody writes to the valve");
    }
}

impl Sink for Valve {
    fn name(&self) -> &str {
        "valve"
    }

    fn write(&mut self, batch: &Batch<'_>) -> io::Result<usize> {
        let mut state = self.state();
        state.waiting += 1;
        self.state.1.notify_all();
        state = self
            .state
            .1
            .wait_while(state, |state| state.shut)
            .unwrap_or_else(PoisonError::into_inner);
        state.waiting -= 1;
        drop(state);
        self.memory.write(batch)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
