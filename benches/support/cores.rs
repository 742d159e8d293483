//! Which core does what, and how far apart two of them are.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

use core_affinity::CoreId;

use super::spread;
use super::ticks::{self, Scale};

/// The cores that this process may use, in ascending order.
pub fn allowed() -> Vec<usize> {
    let cores = core_affinity::get_core_ids().unwrap_or_default();
    let mut ids: Vec<usize> = cores.into_iter().map(|core| core.id).collect();
    ids.sort_unstable();
    ids
}

/// Pins the calling thread to one of the [`allowed`] cores.
///
/// # Errors
///
/// A sentence that names the core.
pub fn pin(core: usize) -> Result<(), String> {
    if core_affinity::set_for_current(CoreId { id: core }) {
        Ok(())
    } else {
        Err(format!("cannot pin a thread to core {core}"))
    }
}

/// The cores of the thread that logs and of the consumer.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    /// Where records come from.
    pub producer: usize,
    /// Where they are written.
    pub consumer: usize,
}

impl Pair {
    /// The cores asked for; where none is, the last two allowed ones, because the first ones serve
    /// most interrupts.
    ///
    /// # Errors
    ///
    /// A sentence: there are no two different allowed cores.
    pub fn choose(producer: Option<usize>, consumer: Option<usize>) -> Result<Self, String> {
        let allowed = allowed();
        for core in [producer, consumer].into_iter().flatten() {
            if !allowed.contains(&core) {
                return Err(format!(
                    "core {core} is not one of those that may be used: {allowed:?}"
                ));
            }
        }
        let other_than = |taken: Option<usize>| {
            let mut free = allowed.iter().rev().filter(|&&core| Some(core) != taken);
            free.next().copied()
        };
        let consumer = consumer.or_else(|| other_than(producer));
        let producer = producer.or_else(|| other_than(consumer));
        match (producer, consumer) {
            (Some(producer), Some(consumer)) if producer != consumer => {
                Ok(Pair { producer, consumer })
            }
            _ => Err(format!(
                "two different cores are needed, and these may be used: {allowed:?}"
            )),
        }
    }

    /// How long a cache line takes from one core to the other, in nanoseconds: half of a round trip,
    /// in which each core writes the line once and waits for the other's write. The median of 101
    /// runs of 100 round trips.
    ///
    /// The calling thread must be pinned to the producer's core.
    ///
    /// # Errors
    ///
    /// A sentence: the other thread could not be started or pinned.
    pub fn line_transfer(self, scale: &Scale) -> Result<f64, String> {
        const RUNS: u64 = 101;
        const ROUND_TRIPS: u64 = 100;

        /// Alone on its line, and on the neighbour that some processors fetch with it.
        #[repr(align(128))]
        struct Line(AtomicU64);

        // Even: this thread's turn to write.
        let line = &Line(AtomicU64::new(0));
        let wait_for = |value| {
            let mut tries = 0_u32;
            while line.0.load(Ordering::Acquire) != value {
                tries += 1;
                // Another process may hold the other core.
                if tries % 100_000 == 0 {
                    thread::yield_now();
                }
                std::hint::spin_loop();
            }
        };
        thread::scope(|scope| {
            let (pinned, is_pinned) = mpsc::channel();
            thread::Builder::new()
                .name("echo".into())
                .spawn_scoped(scope, move || {
                    let result = pin(self.consumer);
                    let ready = result.is_ok();
                    // The other thread waits for this, and so is there.
                    let _ = pinned.send(result);
                    if ready {
                        for turn in 0..RUNS * ROUND_TRIPS {
                            wait_for(2 * turn + 1);
                            line.0.store(2 * turn + 2, Ordering::Release);
                        }
                    }
                })
                .map_err(|error| format!("cannot start a thread: {error}"))?;
            is_pinned
                .recv()
                .map_err(|_| "the echoing thread ended early".to_string())??;
            let runs = (0..RUNS).map(|run| {
                let start = ticks::start();
                for turn in run * ROUND_TRIPS..(run + 1) * ROUND_TRIPS {
                    line.0.store(2 * turn + 1, Ordering::Release);
                    wait_for(2 * turn + 2);
                }
                let ticks = scale.ticks(start, ticks::stop());
                scale.nanoseconds(ticks as f64) / (2 * ROUND_TRIPS) as f64
            });
            let [_, median, _] = spread(&runs.collect::<Vec<f64>>());
            Ok(median)
        })
    }
}
