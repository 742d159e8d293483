//! Has the consumers write out what is in the rings, from where nothing may be locked or allocated:
//! in a signal handler, or in a process that crashes.

use std::time::Duration;

use super::live;
use crate::callsite::PLACES;
use crate::sys::signal;

/// How long the consumers are left alone between two looks.
const PAUSE: Duration = Duration::from_micros(200);

/// Waits until every consumer has handed what was accepted before the call to its sinks, or for so
/// long. Does not wait for a consumer that the calling thread is, nor for one that does not exist.
/// Async-signal-safe.
pub(super) fn write_out(longest: Duration) {
    let started = signal::steady_nanos();
    let longest = u64::try_from(longest.as_nanos()).unwrap_or(u64::MAX);
    let mut tickets = [None; PLACES];
    live::for_each(|core| {
        let can_write = core.has_consumer && !core.has_lost_consumer();
        if can_write && !core.is_forked() && !core.is_inside() {
            tickets[core.place.index()] = Some(core.common.control.ask_for_flush());
        }
    });
    loop {
        let mut waiting = false;
        live::for_each(|core| {
            if let Some(ticket) = tickets[core.place.index()] {
                // One that has been shut down meanwhile serves no more flushes.
                waiting |= core.ring.gate().is_open() && !core.common.control.is_flushed(ticket);
            }
        });
        if !waiting || signal::steady_nanos().saturating_sub(started) >= longest {
            return;
        }
        signal::sleep(PAUSE);
    }
}
