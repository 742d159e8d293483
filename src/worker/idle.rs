//! What to do when there is nothing to do.

use std::hint;
use std::thread;
use std::time::Duration;

use crate::config::Idle;

/// Waits a little longer each time nothing was found: a bounded spin, then yields, then sleeps.
///
/// Spinning is bounded because with more runnable spinners than cores it is a cliff.
#[derive(Debug)]
pub(crate) struct Waiter {
    idle: Idle,
    /// How often in a row nothing was found.
    rounds: u32,
}

impl Waiter {
    const SPINS: u32 = 64;
    const YIELDS: u32 = 32;
    const SHORTEST: Duration = Duration::from_micros(50);
    const LONGEST: Duration = Duration::from_millis(1);

    pub(crate) fn new(idle: Idle) -> Self {
        Waiter { idle, rounds: 0 }
    }

    /// Something was found.
    pub(crate) fn reset(&mut self) {
        self.rounds = 0;
    }

    /// Nothing was found. Answers how long to sleep, if it is time for that.
    pub(crate) fn wait(&mut self) -> Option<Duration> {
        let mut pause = None;
        self.wait_by(|duration| pause = Some(duration));
        pause
    }

    /// As [`wait`](Self::wait), and sleeps.
    pub(crate) fn wait_at_the_end(&mut self) {
        self.wait_by(thread::sleep);
    }

    fn wait_by(&mut self, sleep: impl FnOnce(Duration)) {
        if self.rounds < Self::SPINS || self.idle == Idle::Spin {
            for _ in 0..16 {
                hint::spin_loop();
            }
        } else if self.rounds < Self::SPINS + Self::YIELDS {
            thread::yield_now();
        } else {
            let doublings = (self.rounds - Self::SPINS - Self::YIELDS).min(8);
            sleep((Self::SHORTEST * (1 << doublings)).min(Self::LONGEST));
        }
        self.rounds = self.rounds.saturating_add(1);
    }
}
