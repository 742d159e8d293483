//! Fields that a thread gives to all its records.

mod support;

use std::fmt;
use std::thread;

use ringlog::sink::Memory;
use ringlog::{ContextGuard, Level, Outcome, RingLogger, TraceId, context, info, rlog};
use support::{LONG, Log};

fn logger(memory: &Memory) -> RingLogger {
    RingLogger::builder().sink(memory.clone()).build().unwrap()
}

/// The texts that a logger of the usual kind writes.
#[track_caller]
fn texts(log: impl FnOnce(&RingLogger)) -> Vec<String> {
    let memory = Memory::new();
    let logger = logger(&memory);
    log(&logger);
    logger.shutdown(LONG);
    let log = Log::of(&memory);
    log.texts().into_iter().map(str::to_owned).collect()
}

#[test]
fn every_record_of_the_thread_has_the_fields_until_the_guard_drops() {
    let texts = texts(|logger| {
        info!(logger: logger, "before");
        {
            let _context = context!(session = 42, symbol = "ESZ6");
            info!(logger: logger, "a {}", 1);
            info!(logger: logger, own = 2, "b");
            info!(logger: logger, "formatted {}", Formatted);
            info!(logger: logger, "{}", "long ".repeat(100).trim_end().len());
            thread::scope(|scope| {
                scope.spawn(|| info!(logger: logger, "other thread"));
            });
        }
        info!(logger: logger, "after");
    });
    assert_eq!(
        texts,
        [
            "before",
            "a 1 session=42 symbol=ESZ6",
            "b own=2 session=42 symbol=ESZ6",
            "formatted at the call session=42 symbol=ESZ6",
            "499 session=42 symbol=ESZ6",
            "other thread",
            "after",
        ]
    );
}

struct Formatted;

impl fmt::Display for Formatted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("at the call")
    }
}

#[test]
fn every_way_into_the_ring_carries_the_fields() {
    for lanes in [0, 1] {
        let memory = Memory::new();
        let logger = RingLogger::builder()
            .lanes(lanes)
            .sink(memory.clone())
            .build()
            .unwrap();
        let producer = logger.producer();
        assert_eq!(producer.has_lane(), lanes == 1);
        let long = "x".repeat(300);
        let _context = context!(session = 7);
        for _ in 0..3 {
            assert_eq!(
                info!(logger: &producer, "producer {}", 1),
                Outcome::Accepted
            );
            // The producer has the only lane.
            assert_eq!(info!(logger: &logger, "thread {}", 2), Outcome::Accepted);
            assert_eq!(info!(logger: &producer, "{long}"), Outcome::Accepted);
        }
        logger.shutdown(LONG);
        let log = Log::of(&memory);
        assert_eq!(log.texts().len(), 9);
        for text in log.texts() {
            assert!(text.ends_with(" session=7"), "{text}");
        }
    }
}

#[test]
fn two_loggers_see_the_same_fields() {
    let (first, second) = (Memory::new(), Memory::new());
    let (one, two) = (logger(&first), logger(&second));
    for round in 0..3 {
        let _context = context!(round);
        info!(logger: &one, "a");
        info!(logger: &two, "b");
    }
    info!(logger: &one, "c");
    for (logger, memory, expected) in [
        (
            one,
            first,
            &["a round=0", "a round=1", "a round=2", "c"][..],
        ),
        (two, second, &["b round=0", "b round=1", "b round=2"]),
    ] {
        logger.shutdown(LONG);
        assert_eq!(Log::of(&memory).texts(), expected);
    }
}

#[test]
fn contexts_nest_and_guards_end_their_own_fields_in_any_order() {
    let texts = texts(|logger| {
        let a = context!(a = 1);
        let b = context!(b1 = "x", b2 = 'y');
        info!(logger: logger, "ab");
        let c = context!(c = true);
        info!(logger: logger, "abc");
        drop(b);
        info!(logger: logger, "ac");
        let d = context!(d = 4);
        drop(a);
        info!(logger: logger, "cd");
        drop(d);
        info!(logger: logger, "c");
        drop(c);
        info!(logger: logger, "");
    });
    assert_eq!(
        texts,
        [
            "ab a=1 b1=x b2=y",
            "abc a=1 b1=x b2=y c=true",
            "ac a=1 c=true",
            "cd c=true d=4",
            "c c=true",
            "",
        ]
    );
}

#[test]
fn the_values_are_those_of_the_moment_when_the_context_was_set() {
    #[derive(Debug)]
    struct Kind;
    let mut name = String::from("first");
    let texts = texts(|logger| {
        let _context = context!(name, ?name, %name, kind = Kind, user.id = -1_i128, "x y" = 1.5);
        name.clear();
        info!(logger: logger, "text");
    });
    assert_eq!(
        texts,
        [r#"text name=first name="\"first\"" name=first kind=Kind user.id=-1 x_y=1.5"#]
    );
}

#[test]
fn what_does_not_fit_is_cut_or_left_out_and_said() {
    let long = "x".repeat(2000);
    let texts = texts(|logger| {
        {
            let _long = context!(a = 1, long, b = 2);
            info!(logger: logger, "cut");
        }
        let guards: Vec<ContextGuard> = (0..200).map(|_| context!(number = 1_u64)).collect();
        info!(logger: logger, "many");
        drop(guards);
        info!(logger: logger, "none");
    });
    assert!(texts[0].starts_with("cut a=1 long=\"xxx"), "{}", texts[0]);
    assert!(texts[0].ends_with(" bytes)\" b=2"), "{}", texts[0]);
    let many: Vec<&str> = texts[1].split(' ').collect();
    let (last, numbers) = many[1..].split_last().unwrap();
    assert!(numbers.iter().all(|field| *field == "number=1"));
    assert_eq!(*last, format!("context.left_out={}", 200 - numbers.len()));
    assert!(numbers.len() > 20);
    assert_eq!(texts[2], "none");
}

#[test]
fn a_record_that_has_little_room_keeps_its_values_and_some_of_the_fields() {
    let memory = Memory::new();
    let logger = RingLogger::builder()
        .max_record_slots(1)
        .sink(memory.clone())
        .build()
        .unwrap();
    let _context = context!(a = 1_u8, b = 2_u8, symbol = "a rather long name");
    info!(logger: &logger, "{} {}", 1_u64, 2_u64);
    assert_eq!(logger.shutdown(LONG).written, 1);
    assert_eq!(Log::of(&memory).texts(), ["1 2 a=1 b=2 context.left_out=1"]);
}

#[test]
fn a_trace_id_is_read_back() {
    assert_eq!(TraceId::current(), None);
    let text = "4bf92f3577b34da6a3ce929d0e0e4736";
    let id: TraceId = text.parse().unwrap();
    let _outer = context!(trace_id = id, other = 1);
    assert_eq!(TraceId::current(), Some(id));
    {
        let _inner = context!(trace_id = 7_u64);
        assert_eq!(TraceId::current(), Some(TraceId::from_u128(7)));
        thread::scope(|scope| {
            scope.spawn(|| assert_eq!(TraceId::current(), None));
        });
    }
    assert_eq!(TraceId::current().unwrap().to_string(), text);
    let texts = texts(|logger| {
        let _ = info!(logger: logger, "text");
    });
    assert_eq!(texts, [format!("text trace_id={text} other=1")]);
    for wrong in ["", "4bf92f", "+bf92f3577b34da6a3ce929d0e0e4736", "é"] {
        let error = wrong.parse::<TraceId>().unwrap_err().to_string();
        assert!(error.contains(&format!("`{wrong}`")), "{error}");
    }
}

#[test]
fn a_value_may_log_while_the_context_is_set() {
    struct Logging<'a>(&'a RingLogger);
    impl fmt::Display for Logging<'_> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let _context = context!(inside = true);
            rlog!(logger: self.0, Level::Info, "inside");
            f.write_str("value")
        }
    }
    let texts = texts(|logger| {
        let _context = context!(a = %Logging(logger));
        info!(logger: logger, "outside");
    });
    assert_eq!(texts, ["inside inside=true", "outside a=value"]);
}

#[test]
fn a_rejected_or_dropped_record_leaves_the_context_as_it_is() {
    let memory = Memory::new();
    let logger = logger(&memory);
    let _context = context!(a = 1);
    logger.shutdown(LONG);
    assert_eq!(info!(logger: &logger, "late"), Outcome::Closed);
    let texts = texts(|logger| {
        info!(logger: logger, "x");
    });
    assert_eq!(texts, ["x a=1"]);
}
