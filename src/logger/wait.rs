//! What a producer does when there is no room and the overflow policy says to wait.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::core::Core;
use crate::config::Overflow;
use crate::sys;

/// How long a blocked producer waits for a consumer that does not move.
const CONSUMER_IS_STUCK: Duration = Duration::from_secs(10);

/// A producer's patience.
pub(super) struct Wait<'a> {
    core: &'a Core,
    allowed: bool,
    tries: u32,
    /// When the waiting began, and when the consumer was last seen to move.
    since: Option<(Instant, Instant)>,
    rounds: u64,
}

impl<'a> Wait<'a> {
    const SPINS: u32 = 128;
    const YIELDS: u32 = 16;
    const SLEEP: Duration = Duration::from_micros(20);

    pub(super) fn new(core: &'a Core) -> Self {
        Wait {
            core,
            allowed: core.overflow != Overflow::Drop,
            tries: 0,
            since: None,
            rounds: 0,
        }
    }

    /// No patience at all, whatever the policy is.
    pub(super) fn never(core: &'a Core) -> Self {
        let mut wait = Wait::new(core);
        wait.forbid();
        wait
    }

    /// Waiting could not end: what has to happen first is on this thread's own stack.
    pub(super) fn forbid(&mut self) {
        self.allowed = false;
    }

    /// Whether it will sleep the next time.
    pub(super) fn is_long(&self) -> bool {
        self.allowed && self.tries >= Self::SPINS + Self::YIELDS
    }

    /// Waits a little, unless patience is at its end.
    pub(super) fn once_more(&mut self) -> bool {
        if !self.allowed || self.core.is_inside() {
            return false;
        }
        self.tries += 1;
        if self.tries <= Self::SPINS {
            std::hint::spin_loop();
            return true;
        }
        if self.tries <= Self::SPINS + Self::YIELDS {
            thread::yield_now();
            return true;
        }
        let now = Instant::now();
        let rounds = self.core.common.counters.rounds.load(Ordering::Relaxed);
        let (began, mut moved) = self.since.unwrap_or((now, now));
        if rounds != self.rounds {
            self.rounds = rounds;
            moved = now;
        }
        self.since = Some((began, moved));
        let limit = match self.core.overflow {
            Overflow::BlockFor(limit) => limit,
            _ => Duration::MAX,
        };
        if now - began >= limit {
            return false;
        }
        let counters = &self.core.common.counters;
        if now - moved >= CONSUMER_IS_STUCK || self.core.has_lost_consumer() {
            // Relaxed: those who do not see it find out by themselves.
            counters.stuck_since.store(rounds, Ordering::Relaxed);
        }
        if counters.stuck_since.load(Ordering::Relaxed) == rounds {
            return false;
        }
        // Whatever ended it, there may be room now.
        sys::thread::nap(Self::SLEEP.min(limit));
        true
    }
}
