//! Logs once at each level, and prints which of the records passed and which arguments were
//! evaluated.

use std::cell::RefCell;

use ringlog::sink::Null;
use ringlog::{Level, Outcome, RingLogger, debug, error, info, rlog, warn};

fn main() {
    let evaluated = RefCell::new(Vec::new());
    let evaluate = |argument: &'static str| {
        evaluated.borrow_mut().push(argument);
        argument
    };
    let logger = RingLogger::builder()
        .level(Level::Trace)
        .sink(Null)
        .build()
        .expect("a logger");
    let outcomes = [
        error!(logger: &logger, "format-of-error {}", evaluate("argument-of-error")),
        warn!(logger: &logger, "format-of-warn {}", evaluate("argument-of-warn")),
        info!(logger: &logger, "format-of-info {}", evaluate("argument-of-info")),
        debug!(logger: &logger, "format-of-debug {}", evaluate("argument-of-debug")),
        rlog!(logger: &logger, Level::Trace, "format-of-trace {}", evaluate("argument-of-trace")),
    ];
    let passed = outcomes
        .iter()
        .filter(|&&outcome| outcome == Outcome::Accepted);
    println!("{} {}", ringlog::MAX_LEVEL.as_str(), passed.count());
    println!("{}", evaluated.borrow().join(" "));
}
