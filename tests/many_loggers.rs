//! How many loggers a program can have. A test binary of its own: it takes all there are.

mod support;

use ringlog::sink::{Memory, Null};
use ringlog::{BuildError, Builder, LevelFilter, Outcome, Producer, RingLogger, info};
use support::{LONG, Log};

fn small() -> Builder {
    RingLogger::builder()
        .lanes(1)
        .lane_capacity(16)
        .shared_capacity(16)
        .thread(false)
}

/// One test, since all facts need all places.
#[test]
fn there_can_be_thirty_loggers_at_once() {
    let memories: Vec<Memory> = (0..30).map(|_| Memory::new()).collect();
    let build = |memory: &Memory| small().sink(memory.clone()).build();
    let mut loggers: Vec<RingLogger> = memories.iter().map(|m| build(m).unwrap()).collect();

    // One more is refused, and says how many there can be.
    let error = small().sink(Null).build().unwrap_err();
    assert!(
        matches!(error, BuildError::TooManyLoggers { most: 30 }),
        "{error}"
    );
    assert!(error.to_string().contains("30 loggers"), "{error}");

    // Each has its own level and its own log.
    for (index, logger) in loggers.iter().enumerate() {
        if index % 2 == 1 {
            logger.set_level(LevelFilter::Off);
        }
    }
    for (index, logger) in loggers.iter().enumerate() {
        let expected = if index % 2 == 1 {
            Outcome::Filtered
        } else {
            Outcome::Accepted
        };
        assert_eq!(info!(logger: logger, "logger {index}"), expected);
    }
    for (index, (logger, memory)) in loggers.iter().zip(&memories).enumerate() {
        assert_eq!(logger.shutdown(LONG).written, 1 - index as u64 % 2);
        assert_eq!(Log::of(memory).records().count(), 1 - index % 2);
    }

    // A place is free again when its logger is gone, handles included.
    let producer: Producer = loggers[0].producer();
    drop(loggers.remove(0));
    assert!(build(&memories[0]).is_err());
    drop(producer);
    let memory = Memory::new();
    let logger = build(&memory).unwrap();
    assert_eq!(info!(logger: &logger, "again"), Outcome::Accepted);
    assert_eq!(logger.shutdown(LONG).written, 1);
    assert_eq!(Log::of(&memory).texts(), ["again"]);
}
