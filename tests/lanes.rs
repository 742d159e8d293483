//! Lanes and the threads, handles and destructors that write to them.

mod support;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::{Arc, Barrier, mpsc};
use std::thread;

use ringlog::sink::{Memory, Null};
use ringlog::{Level, Outcome, Overflow, Producer, RingLogger, info};
use support::{Books, LONG, Log, scaled, wait_for};

/// Runs in a thread of this name, and waits for its end.
fn in_thread(name: &str, run: impl FnOnce() + Send) {
    thread::scope(|scope| {
        let builder = thread::Builder::new().name(name.to_owned());
        builder.spawn_scoped(scope, run).unwrap().join().unwrap();
    });
}

/// Waves of more threads than there are lanes, so that many write to the shared ring.
#[test]
fn ten_thousand_short_lived_threads_are_as_fine_as_one() {
    const WAVE: usize = 50;
    let threads = if cfg!(miri) { 100 } else { 10_000 };
    let (books, memory) = (Books::new(), Memory::new());
    let logger = RingLogger::builder()
        .lanes(8)
        .lane_capacity(64)
        .overflow(Overflow::Block)
        .sink(memory.clone())
        .build()
        .unwrap();
    for wave in (0..threads).step_by(WAVE) {
        thread::scope(|scope| {
            for thread in wave..wave + WAVE {
                let (books, logger) = (&books, &logger);
                thread::Builder::new()
                    .name(format!("t{thread}"))
                    .spawn_scoped(scope, move || {
                        for number in 0..3 {
                            books.note(Level::Info, info!(logger: logger, "t{thread} {number}"));
                        }
                    })
                    .unwrap();
            }
        });
        // The names of so many threads are known at once.
        if (wave / WAVE) % 4 == 3 {
            logger.flush(LONG).unwrap();
        }
    }
    let report = logger.shutdown(LONG);
    books.check_report(&logger, &report);
    assert_eq!(report.written, 3 * threads as u64);
    let log = Log::of(&memory);
    let numbers = log.numbers();
    assert_eq!(numbers.len(), threads);
    assert!(numbers.values().all(|numbers| numbers == &[0, 1, 2]));
    for line in log.records() {
        assert!(
            line.text.starts_with(&format!("{} ", line.thread)),
            "{line:?}"
        );
    }
}

/// However far behind the consumer is, a line may lack a name, but never shows another thread's.
#[test]
fn a_record_is_never_put_down_to_another_thread() {
    let threads = scaled(4000);
    let memory = Memory::new();
    let logger = RingLogger::builder()
        .lanes(2)
        .thread(false)
        .sink(memory.clone())
        .build()
        .unwrap();
    for thread in 0..threads {
        in_thread(&format!("t{thread}"), || {
            assert_eq!(info!(logger: &logger, "t{thread} 0"), Outcome::Accepted);
        });
    }
    logger.shutdown(LONG);
    let log = Log::of(&memory);
    assert_eq!(log.numbers().len(), threads);
    let mut unnamed = 0;
    for line in log.records() {
        if line.thread.bytes().all(|byte| byte.is_ascii_digit()) {
            unnamed += 1;
        } else {
            assert!(
                line.text.starts_with(&format!("{} ", line.thread)),
                "{line:?}"
            );
        }
    }
    assert!(unnamed < threads);
}

#[test]
fn a_thread_without_a_name_is_shown_by_a_number() {
    for lanes in [1, 0] {
        let memory = Memory::new();
        let logger = RingLogger::builder()
            .lanes(lanes)
            .sink(memory.clone())
            .build()
            .unwrap();
        thread::scope(|scope| {
            scope.spawn(|| info!(logger: &logger, "hello"));
        });
        logger.shutdown(LONG);
        let log = Log::of(&memory);
        let number: u64 = log.lines[0].thread.parse().expect("a number");
        assert_ne!(number, 0);
    }
}

#[test]
fn a_lane_serves_one_thread_after_the_other() {
    let (books, memory) = (Books::new(), Memory::new());
    let logger = RingLogger::builder()
        .lanes(1)
        .lane_capacity(16)
        .overflow(Overflow::Block)
        .sink(memory.clone())
        .build()
        .unwrap();
    for thread in 0..scaled(400) {
        in_thread(&format!("t{thread}"), || {
            // The lane is this thread's, or still being drained and then the shared ring is.
            for number in 0..20 {
                books.note(Level::Info, info!(logger: &logger, "t{thread} {number}"));
            }
        });
    }
    wait_for("a free lane", || logger.producer().has_lane());
    let report = logger.shutdown(LONG);
    books.check_report(&logger, &report);
    let log = Log::of(&memory);
    for (thread, numbers) in log.numbers() {
        assert!(numbers.into_iter().eq(0..20), "{thread}");
    }
    for line in log.records() {
        assert!(
            line.text.starts_with(&format!("{} ", line.thread)),
            "{line:?}"
        );
    }
}

#[test]
fn warming_up_claims_the_lane_that_the_thread_will_use() {
    let memory = Memory::new();
    let logger = RingLogger::builder()
        .lanes(1)
        .thread(false)
        .sink(memory.clone())
        .build()
        .unwrap();
    logger.warm_up();
    assert!(
        !logger.producer().has_lane(),
        "the only lane is this thread's"
    );
    logger.warm_up();
    assert_eq!(info!(logger: &logger, "main {}", 1), Outcome::Accepted);
    let other = thread::scope(|scope| {
        let log = || {
            logger.warm_up();
            info!(logger: &logger, "other {}", 1)
        };
        scope.spawn(log).join().unwrap()
    });
    assert_eq!(other, Outcome::Accepted);
    assert_eq!(logger.shutdown(LONG).written, 2);
}

#[test]
fn handles_have_lanes_as_long_as_there_are_any_and_share_a_ring_beyond() {
    let (books, memory) = (Books::new(), Memory::new());
    let logger = RingLogger::builder()
        .lanes(3)
        .sink(memory.clone())
        .build()
        .unwrap();
    let producers: Vec<Producer> = (0..8).map(|_| logger.producer()).collect();
    let with_lane: Vec<bool> = producers.iter().map(Producer::has_lane).collect();
    assert_eq!(
        with_lane,
        [true, true, true, false, false, false, false, false]
    );
    for number in 0..100 {
        for (index, producer) in producers.iter().enumerate() {
            books.note(Level::Info, info!(logger: producer, "p{index} {number}"));
        }
    }
    let report = logger.shutdown(LONG);
    books.check_report(&logger, &report);
    assert_eq!(report.written, 800);
    for (name, numbers) in Log::of(&memory).numbers() {
        assert!(numbers.into_iter().eq(0..100), "{name}");
    }
}

#[test]
fn a_handle_without_a_lane_still_names_its_thread() {
    let memory = Memory::new();
    let logger = RingLogger::builder()
        .lanes(0)
        .sink(memory.clone())
        .build()
        .unwrap();
    in_thread("gateway", || {
        info!(logger: &logger.producer(), "hello");
    });
    logger.shutdown(LONG);
    assert_eq!(Log::of(&memory).lines[0].thread, "gateway");
}

#[test]
fn a_handle_may_go_from_thread_to_thread() {
    for lanes in [1, 0] {
        let (books, memory) = (Books::new(), Memory::new());
        let logger = RingLogger::builder()
            .lanes(lanes)
            .lane_capacity(64)
            .overflow(Overflow::Block)
            .sink(memory.clone())
            .build()
            .unwrap();
        let mut producer = logger.producer();
        for thread in 0..10 {
            producer = thread::scope(|scope| {
                let (books, number) = (&books, thread * 100);
                let log = move || {
                    for number in number..number + 100 {
                        books.note(Level::Info, info!(logger: &producer, "all {number}"));
                    }
                    producer
                };
                scope.spawn(log).join().unwrap()
            });
        }
        let report = logger.shutdown(LONG);
        books.check_report(&logger, &report);
        assert!(
            Log::of(&memory).numbers()["all"]
                .iter()
                .copied()
                .eq(0..1000)
        );
    }
}

#[test]
fn the_lane_of_a_handle_that_is_gone_goes_to_the_next() {
    let memory = Memory::new();
    let logger = RingLogger::builder()
        .lanes(1)
        .thread(false)
        .sink(memory.clone())
        .build()
        .unwrap();
    for round in 0..100 {
        let producer = logger.producer();
        assert!(producer.has_lane(), "round {round}");
        assert_eq!(info!(logger: &producer, "all {round}"), Outcome::Accepted);
        drop(producer);
        // Not before what is in it has been read.
        assert!(!logger.producer().has_lane());
        logger.flush(LONG).unwrap();
    }
    assert!(Log::of(&memory).numbers()["all"].iter().copied().eq(0..100));
}

#[test]
fn a_handle_that_outlives_its_logger_is_told_that_it_is_closed() {
    for lanes in [1, 0] {
        let memory = Memory::new();
        let logger = RingLogger::builder()
            .lanes(lanes)
            .sink(memory.clone())
            .build()
            .unwrap();
        let producer = logger.producer();
        assert_eq!(info!(logger: &producer, "a {}", 1), Outcome::Accepted);
        drop(logger);
        assert_eq!(Log::of(&memory).texts(), ["a 1"]);
        thread::scope(|scope| {
            scope.spawn(move || {
                for _ in 0..10 {
                    assert_eq!(info!(logger: &producer, "b"), Outcome::Closed);
                }
            });
        });
        assert_eq!(Log::of(&memory).texts(), ["a 1"]);
    }
}

/// Also of memory: nothing of a logger stays in the threads that used it but a few words.
#[test]
fn a_thread_may_use_any_number_of_loggers_one_after_the_other() {
    for round in 0..scaled(200) {
        let memory = Memory::new();
        let logger = RingLogger::builder()
            .lanes(1)
            .lane_capacity(16)
            .shared_capacity(16)
            .thread(false)
            .sink(memory.clone())
            .build()
            .unwrap();
        assert_eq!(info!(logger: &logger, "r {round}"), Outcome::Accepted);
        assert_eq!(logger.shutdown(LONG).written, 1);
        assert_eq!(Log::of(&memory).texts(), [format!("r {round}")]);
    }
}

/// Runs when the thread that set it ends.
struct AtExit(Option<Box<dyn FnOnce()>>);

impl Drop for AtExit {
    fn drop(&mut self) {
        if let Some(run) = self.0.take() {
            run();
        }
    }
}

thread_local! {
    static EARLY: RefCell<AtExit> = const { RefCell::new(AtExit(None)) };
    static LATE: RefCell<AtExit> = const { RefCell::new(AtExit(None)) };
}

/// Destructors run in an order that is the standard library's; one is registered before the
/// thread's first record and one after it, so that one of them runs when the lane is gone.
#[test]
fn destructors_of_thread_local_values_may_log() {
    for lanes in [4, 0] {
        let (books, memory) = (Books::new(), Memory::new());
        let logger = RingLogger::builder()
            .lanes(lanes)
            .sink(memory.clone())
            .build()
            .unwrap();
        let (logger, books) = (Arc::new(logger), Arc::new(books));
        for thread in 0..scaled(200) {
            let (logger, books) = (logger.clone(), books.clone());
            let builder = thread::Builder::new().name(format!("t{thread}"));
            let run = move || {
                let log = |number: u64| {
                    let (logger, books) = (logger.clone(), books.clone());
                    move || {
                        books.note(Level::Info, info!(logger: &*logger, "t{thread} {number}"));
                    }
                };
                EARLY.with_borrow_mut(|early| early.0 = Some(Box::new(log(1))));
                log(0)();
                LATE.with_borrow_mut(|late| late.0 = Some(Box::new(log(2))));
            };
            builder.spawn(run).unwrap().join().unwrap();
        }
        let report = logger.shutdown(LONG);
        books.check_report(&logger, &report);
        assert_eq!(report.written, 3 * scaled(200) as u64);
        let log = Log::of(&memory);
        for (thread, numbers) in log.numbers() {
            assert_eq!(BTreeSet::from_iter(numbers), (0..3).collect(), "{thread}");
        }
        for line in log.records() {
            assert!(
                line.text.starts_with(&format!("{} ", line.thread)),
                "{line:?}"
            );
        }
    }
}

#[test]
fn a_first_record_may_come_from_a_destructor() {
    let memory = Memory::new();
    let logger = Arc::new(
        RingLogger::builder()
            .lanes(1)
            .sink(memory.clone())
            .build()
            .unwrap(),
    );
    for thread in 0..100 {
        let logger = logger.clone();
        thread::spawn(move || {
            EARLY.with_borrow_mut(|early| {
                early.0 = Some(Box::new(move || {
                    info!(logger: &*logger, "t{thread} 0");
                }));
            });
        })
        .join()
        .unwrap();
    }
    wait_for("the lane to be free again", || logger.producer().has_lane());
    assert_eq!(logger.shutdown(LONG).written, 100);
    assert_eq!(Log::of(&memory).numbers().len(), 100);
}

/// The C library's own destructors come after all of the standard library's. One that panicked would
/// end the process.
#[test]
#[cfg(unix)]
#[cfg_attr(miri, ignore = "there are no such destructors")]
fn a_thread_may_log_when_its_storage_is_gone() {
    support::child::alone("a_thread_may_log_when_its_storage_is_gone", || {
        for log_before in [true, false] {
            for lanes in [1, 0] {
                log_from_the_c_librarys_destructors(lanes, log_before);
            }
        }
    });
}

#[cfg(unix)]
fn log_from_the_c_librarys_destructors(lanes: usize, log_before: bool) {
    use std::ffi::c_void;

    struct Last {
        logger: Arc<RingLogger>,
        books: Arc<Books>,
        key: libc::pthread_key_t,
        thread: usize,
        number: u64,
    }

    impl Last {
        fn log(&mut self) {
            let Last {
                logger,
                books,
                thread,
                number,
                ..
            } = self;
            books.note(Level::Info, info!(logger: &**logger, "t{thread} {number}"));
            *number += 1;
        }

        /// Has `log_again` called with it when the thread ends.
        fn store(self: Box<Self>) {
            let key = self.key;
            // SAFETY: the key is valid, and its destructor takes the box back.
            unsafe { libc::pthread_setspecific(key, Box::into_raw(self).cast()) };
        }
    }

    extern "C" fn log_again(last: *mut c_void) {
        // SAFETY: it is the box that `store` stored.
        let mut last = unsafe { Box::from_raw(last.cast::<Last>()) };
        last.log();
        // A destructor that stores a value again is called again.
        if last.number < 4 {
            last.store();
        }
    }

    let (books, memory) = (Arc::new(Books::new()), Memory::new());
    let logger = Arc::new(
        RingLogger::builder()
            .lanes(lanes)
            .sink(memory.clone())
            .build()
            .unwrap(),
    );
    // The standard library's own key comes first.
    in_thread("first", || {
        EARLY.with_borrow_mut(|early| early.0 = Some(Box::new(|| ())))
    });
    let mut key = 0;
    // SAFETY: the destructor takes what is stored under the key.
    let created = unsafe { libc::pthread_key_create(&mut key, Some(log_again)) };
    assert_eq!(created, 0);
    let threads = scaled(100);
    for thread in 0..threads {
        let mut last = Box::new(Last {
            logger: logger.clone(),
            books: books.clone(),
            key,
            thread,
            number: 0,
        });
        let run = move || {
            if log_before {
                last.log();
            }
            last.store();
        };
        thread::spawn(run).join().unwrap();
    }
    if lanes == 1 {
        wait_for("the lane to be free again", || logger.producer().has_lane());
    }
    let report = logger.shutdown(LONG);
    books.check_report(&logger, &report);
    assert_eq!(report.written, 4 * threads as u64);
    for numbers in Log::of(&memory).numbers().values() {
        assert_eq!(
            BTreeSet::from_iter(numbers.iter().copied()),
            (0..4).collect()
        );
    }
}

/// Threads that end while the logger closes let go of lanes that are being drained.
#[test]
fn threads_may_come_and_go_while_the_logger_closes() {
    for round in 0..scaled(80) {
        let (books, memory) = (Books::new(), Memory::new());
        let logger = RingLogger::builder()
            .lanes(2)
            .lane_capacity(64)
            .sink(memory.clone())
            .build()
            .unwrap();
        let (started, has_started) = mpsc::channel();
        let meet = Barrier::new(2);
        thread::scope(|scope| {
            let (books, logger, meet) = (&books, &logger, &meet);
            scope.spawn(move || {
                meet.wait();
                for thread in 0_u64.. {
                    let log = || books.note(Level::Info, info!(logger: logger, "t{thread} 0"));
                    let answer = thread::scope(|scope| scope.spawn(log).join().unwrap());
                    if answer == Outcome::Closed {
                        break;
                    }
                    let _ = started.send(());
                }
            });
            meet.wait();
            for _ in 0..round % 8 {
                let _ = has_started.recv();
            }
            logger.shutdown(LONG);
        });
        let report = logger.shutdown(LONG);
        books.check(&logger);
        let log = Log::of(&memory);
        assert_eq!(log.numbers().len() as u64, books.accepted());
        assert_eq!(log.records().count() as u64, books.accepted());
        assert_eq!(report.written, books.accepted());
    }
}

#[test]
fn a_logger_without_lanes_serves_every_thread() {
    let books = Books::new();
    let logger = RingLogger::builder()
        .lanes(0)
        .shared_capacity(16)
        .overflow(Overflow::Block)
        .sink(Null)
        .build()
        .unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for number in 0..scaled(4000) {
                    books.note(Level::Info, info!(logger: &logger, "n {number}"));
                }
            });
        }
    });
    let report = logger.shutdown(LONG);
    books.check_report(&logger, &report);
    assert_eq!(report.written, 4 * scaled(4000) as u64);
}
