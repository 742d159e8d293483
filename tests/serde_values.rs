//! `ringlog::serde`: what serializes is stored with its structure, and shown like a derived `Debug`.

#![cfg(feature = "serde")]

mod support;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::Ipv4Addr;

use ringlog::sink::Memory;
use ringlog::{Outcome, Overflow, Record, RingLogger, info, serde as by_serde};
use serde::{Serialize, Serializer};
use support::{LONG, Log, Said};

/// Logs a value by serde, and expects what `Debug` makes of the value itself.
macro_rules! say {
    ($said:ident, $($value:expr),+ $(,)?) => {$(
        say!(@each $said $value, "{:?}" "{:#?}" "{:5?}" "{:+.1?}" "{:<7.2?}" "{:#08.1?}");
    )+};
    (@each $said:ident $value:expr, $($spec:literal)+) => {{
        let value = &$value;
        $(
            let outcome = info!(logger: &$said.logger, $spec, by_serde(value));
            assert_eq!(outcome, Outcome::Accepted);
            assert_eq!(format!($spec, by_serde(value)), format!($spec, value));
            $said.expect(format!($spec, value));
        )+
    }};
}

#[derive(Clone, Debug, Serialize)]
struct Order {
    id: u64,
    price: f64,
    side: Side,
    note: Option<String>,
    tags: Vec<&'static str>,
    nested: (i8, (u16, u8)),
}

#[derive(Clone, Debug, Serialize)]
enum Side {
    Buy,
    Limit(f32),
    Both(u8, char),
    Peg { offset: i128, hidden: bool },
}

#[derive(Debug, Serialize)]
struct Unit;

#[derive(Debug, Serialize)]
struct New(u128);

#[derive(Debug, Serialize)]
struct Pair(u32, ());

fn order() -> Order {
    Order {
        id: 7,
        price: 101.25,
        side: Side::Peg {
            offset: -5,
            hidden: true,
        },
        note: Some("a \"note\"\n".into()),
        tags: vec!["x", "größer"],
        nested: (-1, (2, 3)),
    }
}

#[test]
fn all_that_serde_knows_is_shown_as_debug_shows_it() {
    let said = Said::new();
    say!(said, order(), vec![order(), order()], Some(order()));
    say!(
        said,
        Side::Buy,
        Side::Limit(0.1),
        Side::Both(1, 'x'),
        Unit,
        New(u128::MAX),
        Pair(1, ())
    );
    say!(
        said,
        (),
        true,
        'é',
        -5_i16,
        5_u8,
        1.5_f32,
        f64::NAN,
        "text",
        "",
        None::<u8>,
        Some(Some(1))
    );
    say!(
        said,
        (1,),
        (1, "a"),
        Vec::<u8>::new(),
        BTreeMap::from([("a", 1), ("b", 2)])
    );
    say!(
        said,
        BTreeMap::from([(1, vec![Unit])]),
        Ok::<u8, String>(1),
        Err::<u8, _>("bad")
    );
    assert_eq!(said.check_cut(), 0);
}

#[test]
fn a_field_of_a_derived_type_can_be_stored_by_serde() {
    #[derive(Debug, Record)]
    #[allow(dead_code)]
    struct Message {
        sequence: u32,
        #[record(with = "ringlog::serde")]
        order: Order,
    }

    let said = Said::new();
    let message = Message {
        sequence: 1,
        order: order(),
    };
    let _ = info!(logger: &said.logger, "{message:?} {}", 5);
    said.expect(format!("{message:?} 5"));
    said.check_cut();
}

#[test]
fn what_serde_calls_a_string_is_one() {
    let said = Said::new();
    let _ = info!(logger: &said.logger, "{:?}", by_serde(&Ipv4Addr::LOCALHOST));
    said.expect("\"127.0.0.1\"".into());
    said.check_cut();
}

#[test]
fn a_value_that_is_too_long_is_cut_to_whole_elements_and_counted() {
    #[derive(Debug, Serialize)]
    struct Long {
        before: u8,
        numbers: Vec<u32>,
        after: u8,
    }

    let long = Long {
        before: 1,
        numbers: (0..5000).collect(),
        after: 2,
    };
    let map: BTreeMap<u32, String> = (0..1000).map(|key| (key, format!("value {key}"))).collect();
    let memory = Memory::new();
    let logger = RingLogger::builder()
        .overflow(Overflow::Block)
        .sink(memory.clone())
        .build()
        .unwrap();
    let _ = info!(logger: &logger, "{:?} {}", by_serde(&long), "behind");
    let _ = info!(logger: &logger, "{:?}", by_serde(&map));
    let _ = info!(logger: &logger, "{:?} {}", by_serde("long ".repeat(2000).as_str()), "behind");
    logger.shutdown(LONG);
    let log = Log::of(&memory);
    let texts = log.texts();
    assert!(
        texts[0].starts_with("Long { before: 1, numbers: [0, 1, 2, "),
        "{}",
        texts[0]
    );
    let shown = texts[0]
        .split("numbers: [")
        .nth(1)
        .unwrap()
        .split(", … ")
        .next()
        .unwrap();
    let missing = 5000 - shown.split(", ").count();
    let mark = format!(", … {missing} more], ");
    assert!(missing > 0 && texts[0].contains(&mark), "{}", texts[0]);
    assert!(texts[0].ends_with(" } behind"), "{}", texts[0]);
    let shown = texts[1].matches(": \"").count();
    assert!(shown > 150);
    let mark = format!(", … {} more}}", 1000 - shown);
    assert!(texts[1].ends_with(&mark), "{}", texts[1]);
    assert!(texts[2].starts_with("\"long long ") && texts[2].contains("…(+"));
    assert!(texts[2].ends_with(" behind"));
    assert_eq!(logger.stats().cut, 3);
}

#[test]
fn a_value_fits_some_way_into_a_record_of_any_size() {
    for slots in 1..12 {
        let memory = Memory::new();
        let logger = RingLogger::builder()
            .overflow(Overflow::Block)
            .max_record_slots(slots)
            .sink(memory.clone())
            .build()
            .unwrap();
        let _ = info!(logger: &logger, "{:?}", by_serde(&vec![order(); 3]));
        logger.shutdown(LONG);
        let log = Log::of(&memory);
        let text = log.texts()[0];
        let whole = format!("{:?}", vec![order(); 3]).replace('\n', "\\n");
        assert!(text == whole || text.contains("… "), "{slots}: {text}");
        assert!(text.starts_with('['), "{slots}: {text}");
        assert_eq!(logger.stats().cut, u64::from(text != whole));
    }
}

#[test]
fn a_serialize_that_fails_says_so_in_its_place() {
    struct Failing;

    impl Serialize for Failing {
        fn serialize<S: Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("out of cheese"))
        }
    }

    #[derive(Serialize)]
    struct Holder {
        before: u8,
        failing: Failing,
        after: u8,
    }

    let said = Said::new();
    let holder = Holder {
        before: 1,
        failing: Failing,
        after: 2,
    };
    let _ = info!(logger: &said.logger, "{:?} {}", by_serde(&holder), 3);
    let _ = info!(logger: &said.logger, "{:?} {}", by_serde(&Failing), 4);
    said.expect(
        "Holder { before: 1, failing: <not serialized: out of cheese>, after: 2 } 3".into(),
    );
    said.expect("<not serialized: out of cheese> 4".into());
    said.check_cut();
}
