//! A sink that keeps nothing.

use std::io;

use super::{Batch, Sink};

/// Takes everything and keeps nothing; for measuring all that comes before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Null;

impl Sink for Null {
    fn name(&self) -> &str {
        "null"
    }

    fn write(&mut self, batch: &Batch<'_>) -> io::Result<usize> {
        Ok(batch.bytes().len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
