//! Logging allocates nothing, and memory is bounded whatever threads do.

mod support;

use std::thread;

use ringlog::sink::Null;
use ringlog::{Level, Outcome, Overflow, RingLogger, rlog};

use support::allocator::{Counting, allocations, live_bytes, my_allocations};
use support::{LONG, child, scaled};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `Display` gives is formatted at the call.
struct Price(i64);

impl std::fmt::Display for Price {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

fn log(logger: &RingLogger, number: usize) {
    let text = "a text that is longer than one slot, so that it takes the way of long records";
    for outcome in [
        rlog!(logger: logger, Level::Info, "{} {:?} {:.3}", number, "text", 0.5),
        rlog!(logger: logger, Level::Warn, "{text}"),
        rlog!(logger: logger, Level::Error, "{} {:?}", Price(12345), Some(number)),
        rlog!(logger: logger, Level::Debug, "{}", number),
    ] {
        assert_ne!(outcome, Outcome::Closed);
    }
}

fn logger(overflow: Overflow) -> RingLogger {
    let builder = RingLogger::builder().overflow(overflow).sink(Null);
    builder.lane_capacity(256).build().unwrap()
}

#[test]
fn a_warm_thread_allocates_nothing_whether_there_is_room_or_not() {
    for overflow in [Overflow::Drop, Overflow::Block] {
        let logger = logger(overflow);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    log(&logger, 0);
                    let before = my_allocations();
                    for number in 0..scaled(200_000) {
                        log(&logger, number);
                    }
                    assert_eq!(my_allocations(), before);
                });
            }
        });
    }
}

#[test]
fn the_consumer_allocates_nothing_either_once_it_has_seen_every_statement() {
    child::alone(
        "the_consumer_allocates_nothing_either_once_it_has_seen_every_statement",
        || {
            let logger = logger(Overflow::Block);
            for number in 0..10_000 {
                log(&logger, number);
            }
            logger.flush(LONG).unwrap();
            let before = allocations();
            for number in 0..scaled(100_000) {
                log(&logger, number);
            }
            // The flush takes a note of where each source ends: one allocation, with some room for
            // what the consumer is asked several times.
            logger.flush(LONG).unwrap();
            let more = allocations() - before;
            assert!(more < 16, "{more} allocations");
        },
    );
}

#[test]
fn threads_that_come_and_go_leave_nothing_behind() {
    child::alone("threads_that_come_and_go_leave_nothing_behind", || {
        let builder = RingLogger::builder().lanes(8).sink(Null);
        let logger = builder.overflow(Overflow::Block).build().unwrap();
        let run = |threads: usize| {
            for _ in 0..threads {
                thread::scope(|scope| {
                    scope.spawn(|| log(&logger, 1));
                });
            }
            logger.flush(LONG).unwrap();
        };
        run(1000);
        let before = live_bytes();
        run(scaled(8000));
        let more = live_bytes() - before;
        assert!(more < 64 << 10, "{more} bytes more");
    });
}
