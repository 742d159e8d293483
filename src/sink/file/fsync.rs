//! When what was written is made to survive the end of the machine.

use std::fs;
use std::io;
use std::time::{Duration, Instant};

use crate::level::Level;
use crate::sink::Batch;

/// When a log file is written to disk, so that it survives a power cut. What was written survives
/// the end of the process in any case.
///
/// Waiting for a disk takes milliseconds, in which the consumer does nothing else: where that is too
/// long, put the sink behind `sink::Offload`. A disk that refuses costs no records here; it is told
/// in the log and counted as an error of the sink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fsync {
    /// Whenever the kernel sees fit: within half a minute, as a rule.
    #[default]
    Never,
    /// After every write that holds a record of level ERROR, with each flush, and at shutdown.
    OnError,
    /// So long after a write at the latest, with each flush, and at shutdown.
    Every(Duration),
    /// At shutdown, and when a file that rolls is closed.
    AtShutdown,
}

/// What of a file may not be on disk, and what is to be done about it.
#[derive(Debug)]
pub(super) struct Syncer {
    policy: Fsync,
    /// When the first write was that may not be on disk.
    dirty_since: Option<Instant>,
    /// What the disk said to a write, until it is told.
    failure: Option<io::Error>,
}

impl Syncer {
    pub(super) fn new(policy: Fsync) -> Self {
        Syncer {
            policy,
            dirty_since: None,
            failure: None,
        }
    }

    pub(super) fn policy(&self) -> Fsync {
        self.policy
    }

    /// Whether something is to be written to disk.
    pub(super) fn is_dirty(&self) -> bool {
        self.dirty_since.is_some()
    }

    /// So many bytes of the batch have been written.
    #[inline]
    pub(super) fn wrote(&mut self, file: &fs::File, batch: &Batch<'_>, taken: usize) {
        if self.policy == Fsync::Never {
            return;
        }
        if self.dirty_since.is_none() {
            self.dirty_since = Some(Instant::now());
        }
        if self.policy == Fsync::OnError && has_error(batch, taken) {
            // The record has been written, whatever the disk says, and must not be written again.
            self.failure = self.sync(file).err().or(self.failure.take());
        }
    }

    /// To be called now and then.
    pub(super) fn tick(&mut self, file: &fs::File) -> io::Result<()> {
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        match (self.policy, self.dirty_since) {
            (Fsync::Every(longest), Some(since)) if since.elapsed() >= longest => self.sync(file),
            _ => Ok(()),
        }
    }

    pub(super) fn flush(&mut self, file: &fs::File) -> io::Result<()> {
        match self.policy {
            Fsync::OnError | Fsync::Every(_) => self.sync(file),
            Fsync::Never | Fsync::AtShutdown => Ok(()),
        }
    }

    /// Nothing more will be written to this file.
    pub(super) fn close(&mut self, file: &fs::File) -> io::Result<()> {
        self.sync(file)
    }

    /// What failed is not tried again before the next write: the kernel has forgotten what it could
    /// not write.
    fn sync(&mut self, file: &fs::File) -> io::Result<()> {
        match self.dirty_since.take() {
            Some(_) => file.sync_data(),
            None => Ok(()),
        }
    }
}

/// Whether a record of level ERROR ends in the first bytes of the batch.
fn has_error(batch: &Batch<'_>, taken: usize) -> bool {
    let mut end = 0;
    let mut entries = batch.entries().take_while(|entry| {
        end += entry.bytes.len();
        end <= taken
    });
    entries.any(|entry| entry.level == Level::Error)
}
