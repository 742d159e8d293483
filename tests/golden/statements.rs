//! The statements behind the golden files. The files have the lines of this one in them.

use std::collections::BTreeMap;
use std::time::Duration;

use ringlog::{Level, RingLogger, Timestamp, context, debug, error, info, rlog, trace, warn};

/// Logs one of each kind.
pub fn log(logger: &RingLogger) {
    let at = |nanos: u64| Timestamp::from_unix_nanos(1_795_415_086_204_916_267 + nanos);
    info!(logger: logger, at: at(0), target: "engine", "started");
    error!(logger: logger, at: at(1), target: "engine::risk", "limit {} of {:?} reached", 100, "ESZ6");
    warn!(logger: logger, at: at(1_000), target: "engine", px = 7.25, side = "sell short", "filled {} lots", 3_u8);
    debug!(
        logger: logger, at: at(1_000_000), target: "engine",
        small = i8::MIN, large = u64::MAX, wide = u128::MAX, whole = 7.0, tenth = 0.1_f32,
        nan = f64::NAN, inf = f64::NEG_INFINITY, yes = true, letter = 'ß', nothing = (),
        empty = "", quoted = "say \"hi\"", path = r"C:\new folder",
        "types"
    );
    let levels = BTreeMap::from([("ESZ6", vec![1, 2]), ("NQZ6", vec![])]);
    trace!(
        logger: logger, at: at(2_000_000), target: "engine",
        list = [1, 2, 3], pair = (1, "two"), some = Some(1), none = None::<u8>, map = levels,
        took = Duration::from_micros(1500), error = std::num::ParseIntError::clone(&"x".parse::<u8>().unwrap_err()),
        "composites"
    );
    info!(logger: logger, at: at(3_000_000_000), target: "engine", msg = 1, level = "mine", "names that are taken");
    info!(
        logger: logger, at: at(3_000_000_001), target: "engine",
        text = "a\nb\tc\x1b[31m\u{9b}\u{202e}\u{2028}\x7f", "hostile\r\n{}", "\x1b]0;title\x07"
    );
    let _session = context!(session = 42, symbol = "ESZ6");
    rlog!(logger: logger, at: at(3_000_000_002), target: "engine", Level::Info, px = 1, "in a context");
    let (user, password) = ("me", "hunter2");
    info!(
        logger: logger, at: at(3_000_000_003), target: "engine",
        token = 7, url = "https://me:hunter2@host/", "login of {user} with {password}"
    );
}
