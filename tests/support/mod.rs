//! What the tests share: the books they keep of what they submitted, the lines they read back,
//! sinks that misbehave on demand, and processes of their own.

#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary uses a part of it"
)]

pub mod allocator;
pub mod books;
pub mod child;
pub mod log;
#[cfg(unix)]
pub mod process;
pub mod said;
pub mod seccomp;
pub mod services;
pub mod sinks;
#[cfg(unix)]
pub mod tally;

pub use books::Books;
pub use log::Log;
pub use said::Said;

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Longer than anything takes on a loaded machine, and the end of a test that hangs.
pub const LONG: Duration = Duration::from_secs(100);

/// So many, or fewer where each takes longer.
pub fn scaled(count: usize) -> usize {
    if cfg!(miri) {
        count.div_ceil(200)
    } else if cfg!(debug_assertions) {
        count.div_ceil(4)
    } else {
        count
    }
}

/// Waits for an event.
#[track_caller]
pub fn wait_for(what: &str, mut happened: impl FnMut() -> bool) {
    let started = Instant::now();
    while !happened() {
        assert!(started.elapsed() < LONG, "waited in vain for: {what}");
        thread::sleep(Duration::from_micros(100));
    }
}

/// Runs something that must not take longer than `limit`, and fails at once when it does.
#[track_caller]
pub fn within<R: Send + 'static>(
    limit: Duration,
    what: &str,
    run: impl FnOnce() -> R + Send + 'static,
) -> R {
    let (done, is_done) = mpsc::channel();
    let thread = thread::spawn(move || {
        let result = run();
        let _ = done.send(());
        result
    });
    if is_done.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
        panic!("{what} took longer than {limit:?}");
    }
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Numbers without order that are the same in every run.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(2) + 1)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}
