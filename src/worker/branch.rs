//! One sink's branch of the delivery: on the consumer's thread, or on its own.

use std::ops::Range;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::Common;
use super::ledger::Ledger;
use super::meter::Meter;
use super::offload::{Offloaded, Shared};
use super::outlet::{Outlet, Voice};
use crate::error::BuildError;
use crate::format::Formatter;
use crate::sink::{Batch, Place};

/// See the [module](self).
pub(crate) enum Branch {
    Here(Outlet),
    Apart(Offloaded),
}

impl Branch {
    /// Starts the sink's thread, if it is to have one. It says what it has to say in the format.
    pub(crate) fn new(
        to: Place,
        meter: &Arc<Meter>,
        format: impl FnOnce() -> Formatter,
        common: &Arc<Common>,
    ) -> Result<Self, BuildError> {
        match to {
            Place::Here(sink) => Ok(Branch::Here(Outlet::new(sink, meter.clone()))),
            Place::Apart(offload) => {
                let outlet = Outlet::new(offload.sink, meter.clone());
                Offloaded::start(
                    outlet,
                    format(),
                    offload.settings,
                    meter.clone(),
                    common.clone(),
                )
                .map(Branch::Apart)
                .map_err(|source| BuildError::SinkThread {
                    name: meter.name.clone(),
                    source,
                })
            }
        }
    }

    pub(crate) fn name(&self) -> String {
        match self {
            Branch::Here(outlet) => outlet.name(),
            Branch::Apart(offloaded) => offloaded.name(),
        }
    }

    pub(crate) fn errors(&self) -> u64 {
        match self {
            Branch::Here(outlet) => outlet.errors(),
            Branch::Apart(offloaded) => offloaded.errors(),
        }
    }

    /// Every record below this was taken or lost, if `offered` have been offered; the lost ones are
    /// entered.
    pub(crate) fn settle(&mut self, offered: u64, ledger: &mut Ledger) -> u64 {
        match self {
            Branch::Here(outlet) => outlet.settled(offered),
            Branch::Apart(offloaded) => offloaded.settle(offered, ledger),
        }
    }

    /// Offers a batch. It has those of these records that are for this sink.
    pub(crate) fn offer(
        &mut self,
        batch: Batch<'_>,
        records: Range<u64>,
        voice: &mut Voice<'_>,
        ledger: &mut Ledger,
    ) {
        match self {
            Branch::Here(outlet) => outlet.offer(batch, records, voice, ledger),
            Branch::Apart(offloaded) => offloaded.offer(batch, records, ledger),
        }
    }

    /// Offers again what waits, if it is time to.
    pub(crate) fn retry(&mut self, voice: &mut Voice<'_>, ledger: &mut Ledger) {
        if let Branch::Here(outlet) = self {
            outlet.retry(voice, ledger);
        }
    }

    /// Whether records that were offered may not be settled.
    pub(crate) fn holds(&self) -> bool {
        match self {
            Branch::Here(outlet) => outlet.holds(),
            Branch::Apart(_) => true,
        }
    }

    /// Whether something waits here for a sink that cannot take more at the moment, and has not
    /// failed.
    pub(crate) fn is_busy(&self) -> bool {
        match self {
            Branch::Here(outlet) => outlet.is_busy(),
            Branch::Apart(_) => false,
        }
    }

    /// Flushes the sink, or asks its thread to.
    pub(crate) fn flush(
        &mut self,
        wanted: u64,
        voice: &mut Voice<'_>,
        ledger: &mut Ledger,
    ) -> Result<(), String> {
        match self {
            Branch::Here(outlet) => outlet.flush(voice, ledger),
            Branch::Apart(offloaded) => {
                offloaded.begin_flush(wanted);
                Ok(())
            }
        }
    }

    /// The latest flush that a thread has done, and what went wrong; `None` if there is no thread.
    pub(crate) fn flushed(&self) -> Option<(u64, Option<String>)> {
        match self {
            Branch::Here(_) => None,
            Branch::Apart(offloaded) => Some(offloaded.flushed()),
        }
    }

    /// Has the sink open its destination again, or asks its thread to.
    pub(crate) fn reopen(&mut self) -> Result<(), String> {
        match self {
            Branch::Here(outlet) => outlet.reopen(),
            Branch::Apart(offloaded) => {
                offloaded.begin_reopen();
                Ok(())
            }
        }
    }

    /// Has the sink do what it does by the clock. Its thread does so by itself; then this answers
    /// what has gone wrong there.
    pub(crate) fn tick(&mut self) -> Result<(), String> {
        match self {
            Branch::Here(outlet) => outlet.tick(),
            Branch::Apart(offloaded) => offloaded.failure().map_or(Ok(()), Err),
        }
    }

    /// Tells the sink that nothing more comes. Its thread does so by itself.
    pub(crate) fn close(&mut self, time_left: Duration) -> Result<(), String> {
        match self {
            Branch::Here(outlet) => outlet.close(time_left),
            Branch::Apart(_) => Ok(()),
        }
    }

    /// From `until` on no call of the sink follows another: what it does not take waits.
    pub(crate) fn limit(&mut self, until: Instant) {
        if let Branch::Here(outlet) = self {
            outlet.limit(until);
        }
    }

    /// What still waits here for a sink that fails is lost.
    pub(crate) fn give_up_failed(&mut self, ledger: &mut Ledger) {
        if let Branch::Here(outlet) = self {
            outlet.give_up_failed(ledger);
        }
    }

    /// What still waits here is lost.
    pub(crate) fn give_up(&mut self, ledger: &mut Ledger) {
        if let Branch::Here(outlet) = self {
            outlet.give_up(ledger);
        }
    }

    /// Where a process that crashes may write a last line. Not to a sink on a thread of its own, of
    /// which nobody here knows when it is being called.
    #[cfg(all(feature = "crash", unix))]
    pub(crate) fn descriptor(&self) -> Option<std::os::fd::RawFd> {
        match self {
            Branch::Here(outlet) => outlet.descriptor(),
            Branch::Apart(_) => None,
        }
    }

    /// Makes the sink fit for use in a forked child.
    pub(crate) fn restart_in_child(&mut self) -> Result<(), String> {
        match self {
            Branch::Here(outlet) => outlet.restart_in_child(),
            Branch::Apart(offloaded) => offloaded.restart_in_child(),
        }
    }

    /// The sink, without what it has not taken.
    pub(crate) fn into_place(self) -> Option<Place> {
        match self {
            Branch::Here(outlet) => Some(Place::Here(outlet.into_sink())),
            Branch::Apart(offloaded) => offloaded.into_place(),
        }
    }

    /// What the thread of the sink sees, if it has one.
    pub(crate) fn shared(&self) -> Option<Weak<Shared>> {
        match self {
            Branch::Here(_) => None,
            Branch::Apart(offloaded) => Some(offloaded.shared()),
        }
    }

    pub(crate) fn apart(&mut self) -> Option<&mut Offloaded> {
        match self {
            Branch::Here(_) => None,
            Branch::Apart(offloaded) => Some(offloaded),
        }
    }
}
