//! What a logger tells of itself.

mod support;

use std::io;
use std::thread;
use std::time::Duration;

use ringlog::sink::{Batch, Memory, Sink};
use ringlog::{Level, Outcome, Overflow, RingLogger, debug, info, warn};

use support::LONG;
use support::log::Log;
use support::wait_for;

#[test]
fn each_lane_tells_its_owner_depth_and_drops() {
    let memory = Memory::new();
    let logger = RingLogger::builder()
        .lanes(4)
        .lane_capacity(32)
        .shared_capacity(32)
        .level(Level::Debug)
        .thread(false)
        .sink(memory.clone())
        .build()
        .unwrap();
    assert_eq!(logger.stats().lanes.len(), 1, "only the shared ring");
    thread::scope(|scope| {
        let gateway = thread::Builder::new().name("gateway".into());
        let logger = &logger;
        let log = move || {
            for number in 0..40 {
                debug!(logger: logger, "n {number}");
            }
            let stats = logger.stats();
            let lane = &stats.lanes[0];
            assert_eq!(lane.lane, Some(0));
            assert_eq!(lane.owner.as_deref(), Some("gateway"));
            assert_eq!((lane.capacity, lane.depth, lane.accepted), (32, 30, 30));
            assert_eq!(lane.dropped[Level::Debug], 10);
            assert_eq!(lane.high_water, 0, "nobody has looked yet");
            assert_eq!(stats.lanes[1].lane, None);
            assert_eq!(stats.lanes[1].capacity, 32);
        };
        // Joined by hand: a scope does not wait for the end of a thread's storage.
        gateway.spawn_scoped(scope, log).unwrap().join().unwrap();
    });
    logger.flush(LONG).unwrap();
    let stats = logger.stats();
    let lane = &stats.lanes[0];
    assert_eq!(lane.owner, None);
    assert_eq!((lane.depth, lane.accepted), (0, 30));
    assert_eq!(lane.high_water, 30);
    assert_eq!(stats.lag, Duration::ZERO);
    assert!(stats.longest_lag > Duration::ZERO);
}

#[test]
fn a_gap_line_tells_how_many_of_which_levels_for_how_long_and_whose() {
    let memory = Memory::new();
    let logger = RingLogger::builder()
        .lanes(1)
        .lane_capacity(16)
        .level(Level::Debug)
        .thread(false)
        .sink(memory.clone())
        .build()
        .unwrap();
    for number in 0..20 {
        info!(logger: &logger, "n {number}");
    }
    for number in 20..23 {
        debug!(logger: &logger, "n {number}");
    }
    thread::sleep(Duration::from_millis(2));
    logger.flush(LONG).unwrap();
    info!(logger: &logger, "n 23");
    logger.shutdown(LONG);
    let log = Log::of(&memory);
    let gap = log.lines.iter().position(|line| line.gap().is_some());
    let gap = gap.expect("a gap line");
    assert_eq!(log.lines[gap + 1].text, "n 23");
    let text = &log.lines[gap].text;
    let (counts, rest) = text.split_once(", in ").unwrap();
    assert_eq!(counts, "9 records dropped here: 3 DEBUG, 6 INFO");
    let (lasted, whose) = rest.split_once(", lane 0, thread ").unwrap();
    let millis: f64 = lasted.strip_suffix("ms").unwrap().parse().unwrap();
    assert!(millis >= 2.0, "{text}");
    let name = "a_gap_line_tells_how_many_of_which_levels_for_how_long_and_whose";
    assert!(name.starts_with(whose) && whose.len() == 32, "{whose}");
}

/// Takes its time, and then fails.
struct Slow {
    failing: bool,
}

impl Sink for Slow {
    fn name(&self) -> &str {
        "slow"
    }

    fn write(&mut self, batch: &Batch<'_>) -> io::Result<usize> {
        thread::sleep(Duration::from_millis(20));
        if self.failing {
            return Err(io::Error::other("no"));
        }
        self.failing = true;
        Ok(batch.bytes().len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn each_sink_tells_its_bytes_errors_and_how_long_it_takes() {
    let memory = Memory::new();
    let logger = RingLogger::builder()
        .sink(memory.clone())
        .sink(Slow { failing: false })
        .build()
        .unwrap();
    info!(logger: &logger, "one");
    wait_for("the first write", || logger.stats().sinks[1].bytes > 0);
    info!(logger: &logger, "two");
    wait_for("the failure", || logger.stats().sinks[1].errors > 0);
    let stats = logger.stats();
    let [fast, slow] = &stats.sinks[..] else {
        panic!("two sinks: {stats:?}");
    };
    assert_eq!(fast.bytes as usize, memory.contents().len());
    assert_eq!((fast.errors, fast.lost, fast.waiting), (0, 0, 0));
    assert!(fast.latency.max < slow.latency.p50, "{stats:?}");
    assert_eq!(slow.name, "slow");
    assert!(slow.latency.p50 >= Duration::from_millis(20));
    assert!(slow.waiting > 0 && slow.waiting < fast.bytes);
    logger.shutdown(LONG);
    let slow = &logger.stats().sinks[1];
    assert_eq!((slow.waiting, slow.lost), (0, 1));
}

/// Says when it is inside a call, and waits for the word to come out again.
struct Gate {
    inside: std::sync::mpsc::Sender<()>,
    go_on: std::sync::mpsc::Receiver<()>,
}

impl Sink for Gate {
    fn name(&self) -> &str {
        "gate"
    }

    fn write(&mut self, batch: &Batch<'_>) -> io::Result<usize> {
        let _ = self.inside.send(());
        let _ = self.go_on.recv();
        Ok(batch.bytes().len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_consumer_that_is_held_up_is_seen_to_be_behind() {
    let (inside, is_inside) = std::sync::mpsc::channel();
    let (let_go, go_on) = std::sync::mpsc::channel();
    let logger = RingLogger::builder()
        .sink(Gate { inside, go_on })
        .build()
        .unwrap();
    assert_eq!(logger.stats().lag, Duration::ZERO);
    warn!(logger: &logger, "held up");
    is_inside.recv_timeout(LONG).unwrap();
    thread::sleep(Duration::from_millis(5));
    let behind = logger.stats().lag;
    assert!(behind >= Duration::from_millis(5), "{behind:?}");
    drop(let_go);
    logger.flush(LONG).unwrap();
    let stats = logger.stats();
    assert_eq!(stats.lag, Duration::ZERO);
    assert!(stats.longest_lag >= behind);
}

#[test]
fn the_log_itself_tells_the_statistics_every_so_often() {
    let memory = Memory::new();
    let logger = RingLogger::builder()
        .stats_every(Duration::from_millis(5))
        .overflow(Overflow::Drop)
        .sink(memory.clone())
        .build()
        .unwrap();
    assert_eq!(info!(logger: &logger, "something"), Outcome::Accepted);
    let told = |times: usize| memory.contents().matches(" stats: 1 written, ").count() >= times;
    wait_for("two lines of statistics", || told(2));
    logger.shutdown(LONG);
    let log = Log::of(&memory);
    let line = log
        .lines
        .iter()
        .rfind(|line| line.text.starts_with("stats: "));
    let line = line.unwrap();
    assert!(line.is_own() && line.level == Level::Info);
    assert!(
        line.text.contains("0 dropped, 0 rejected, 0 in ring"),
        "{line:?}"
    );
    assert!(line.text.contains("; memory "), "{line:?}");
}
