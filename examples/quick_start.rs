//! The shortest useful program: one file, one line, and a clean end.

use ringlog::{Level, RingLogger, rlog, sink::File};
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let logger = RingLogger::builder()
        .sink(File::append("quick_start.log")?)
        .install()?;

    let (symbol, price) = ("ACME", 101.25);
    rlog!(Level::Info, "bought {} {symbol} at {price:.2}", 300);
    ringlog::warn!(target: "risk", "position {} of {}", 990, 1000);

    let report = logger.shutdown(Duration::from_secs(1));
    println!("{report}");
    Ok(())
}
