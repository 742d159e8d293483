//! Any value with any specification: the log says what `format!` says.
//!
//! Both are generated. What a format string cannot take at run time, the flags, comes from a table
//! of literals; widths and precisions are arguments.

mod support;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use ringlog::sink::Memory;
use ringlog::{Fixed, Outcome, Overflow, Record, RingLogger, Symbol, info};
use support::LONG;

/// A value of every kind that there is.
#[derive(Clone, Debug, Record)]
enum Value {
    Unit,
    Bool(bool),
    Char(char),
    Small(i8, u8, i16, u16),
    Wide { signed: i64, unsigned: u128 },
    Single(f32),
    Double(f64),
    Text(String),
    Bytes(Vec<u8>),
    Name(Symbol),
    Price(Fixed),
    Took(Duration),
    At(SystemTime),
    From(IpAddr),
    Peer(SocketAddr),
    Maybe(Option<u32>),
    Outcome(Result<i32, String>),
    List(Vec<Value>),
    Pair(Box<(Value, Value)>),
    Named { first: Box<Value>, second: [u16; 2] },
    Map(BTreeMap<u8, Value>),
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Unit),
        any::<bool>().prop_map(Value::Bool),
        any::<char>().prop_map(Value::Char),
        any::<(i8, u8, i16, u16)>().prop_map(|(a, b, c, d)| Value::Small(a, b, c, d)),
        any::<(i64, u128)>().prop_map(|(signed, unsigned)| Value::Wide { signed, unsigned }),
        any::<f32>().prop_map(Value::Single),
        any::<f64>().prop_map(Value::Double),
        ".{0,12}".prop_map(Value::Text),
        prop::collection::vec(any::<u8>(), 0..6).prop_map(Value::Bytes),
        "[a-zé]{0,8}".prop_map(|text| Value::Name(Symbol::new(&text).unwrap())),
        any::<(i64, i8)>()
            .prop_map(|(mantissa, exponent)| Value::Price(Fixed { mantissa, exponent })),
        (any::<u64>(), 0..1_000_000_000_u32)
            .prop_map(|(s, n)| Value::Took(Duration::new(s >> (s % 64), n))),
        (0..1_u64 << 40, 0..1_000_000_000_u32)
            .prop_map(|(s, n)| Value::At(SystemTime::UNIX_EPOCH + Duration::new(s, n))),
        any::<IpAddr>().prop_map(Value::From),
        any::<SocketAddr>().prop_map(Value::Peer),
        any::<Option<u32>>().prop_map(Value::Maybe),
        any::<Result<i32, String>>()
            .prop_map(|it| Value::Outcome(it.map_err(|text| text.chars().take(9).collect()))),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            (inner.clone(), inner.clone()).prop_map(|pair| Value::Pair(Box::new(pair))),
            (inner.clone(), any::<[u16; 2]>()).prop_map(|(first, second)| Value::Named {
                first: Box::new(first),
                second
            }),
            prop::collection::btree_map(any::<u8>(), inner, 0..3).prop_map(Value::Map),
        ]
    })
}

/// A function per literal that logs a value, and one that formats it.
macro_rules! specifications {
    ($($spec:literal)+) => {
        type Log = fn(&RingLogger, &Value, usize, usize) -> Outcome;
        type Format = fn(&Value, usize, usize) -> String;

        #[allow(unused_variables)]
        const SPECIFICATIONS: &[(Log, Format)] = &[$((
            |logger, value, w, p| specifications!(@log $spec, logger, value, w, p),
            |value, w, p| specifications!(@format $spec, value, w, p),
        )),+];
    };
    (@log $spec:literal, $logger:ident, $value:ident, $w:ident, $p:ident) => {
        info!(logger: $logger, $spec, $value, w = $w, p = $p)
    };
    (@format $spec:literal, $value:ident, $w:ident, $p:ident) => {
        format!($spec, $value, w = $w, p = $p)
    };
}

specifications! {
    "{:?} {w} {p}" "{:#?} {w} {p}" "{:x?} {w} {p}" "{:#X?} {w} {p}" "{:+?} {w} {p}"
    "{:w$?} {p}" "{:<w$?} {p}" "{:^w$?} {p}" "{:>w$?} {p}" "{:#w$?} {p}" "{:0w$?} {p}"
    "{:+0w$?} {p}" "{:#0w$x?} {p}" "{:0w$X?} {p}" "{:*<w$?} {p}" "{:é^+w$?} {p}" "{:🦀>#w$?} {p}"
    "{:.p$?} {w}" "{:#.p$?} {w}" "{:+.p$?} {w}" "{:.p$x?} {w}"
    "{:w$.p$?}" "{:<w$.p$?}" "{:^+w$.p$?}" "{:->#w$.p$?}" "{:0w$.p$?}" "{:+#0w$.p$x?}"
}

/// What text output makes of text from outside.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\x1f' | '\x7f' => out.push_str(&format!("\\x{:02x}", u32::from(character))),
            '\u{80}'..='\u{9f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                out.extend(character.escape_unicode());
            }
            _ => out.push(character),
        }
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 1 } else { 60 }))]

    #[test]
    fn any_value_with_any_specification_is_logged_as_it_is_formatted(
        values in prop::collection::vec((value(), 0..40_usize, 0..20_usize), 1..4),
    ) {
        let memory = Memory::new();
        let logger = RingLogger::builder()
            .overflow(Overflow::Block)
            .sink(memory.clone())
            .build()
            .unwrap();
        let mut expected = Vec::new();
        for (value, width, precision) in &values {
            for (log, format) in SPECIFICATIONS {
                prop_assert_eq!(log(&logger, value, *width, *precision), Outcome::Accepted);
                expected.push(escaped(&format(value, *width, *precision)));
            }
        }
        logger.shutdown(LONG);
        let log = support::Log::of(&memory);
        prop_assert_eq!(log.texts(), expected);
        prop_assert_eq!(logger.stats().cut, 0);
    }
}
