//! Any value with any specification: the log says what `format!` says.
//!
//! Values, widths and precisions are generated. What a format string cannot take at run time, the
//! flags, comes from tables of literals, all of which every value is logged with.

mod support;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use ringlog::{Fixed, Outcome, Record, RingLogger, Symbol, info};
use support::Said;

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

/// What logs a value, and what formats it, with a width and a precision.
type Specification<T> = (
    fn(&RingLogger, &T, usize, usize) -> Outcome,
    fn(&T, usize, usize) -> String,
);

/// The specifications that these literals are.
macro_rules! specifications {
    ($($spec:literal)+) => {
        &[$((
            |logger, value, w, p| info!(logger: logger, $spec, value, w = w, p = p),
            |value, w, p| format!($spec, value, w = w, p = p),
        )),+]
    };
}

/// A type that has `{}`, and `{:x}` and `{:e}` if it says so.
trait Shown: Sized + 'static {
    const SPECIFICATIONS: &'static [&'static [Specification<Self>]];
}

macro_rules! shown {
    ($($type:ty: $($kind:ident)*;)*) => {$(
        impl Shown for $type {
            const SPECIFICATIONS: &'static [&'static [Specification<Self>]] =
                &[$(shown!(@$kind)),*];
        }
    )*};
    (@display) => {
        specifications! {
            "{} {w} {p}" "{:#} {w} {p}" "{:+} {w} {p}" "{:w$} {p}" "{:<w$} {p}" "{:^w$} {p}"
            "{:>w$} {p}" "{:0w$} {p}" "{:+0w$} {p}" "{:*<w$} {p}" "{:é^+w$} {p}" "{:🦀>#w$} {p}"
            "{:.p$} {w}" "{:+.p$} {w}" "{:w$.p$}" "{:<w$.p$}" "{:^+w$.p$}" "{:0w$.p$}" "{:->#w$.p$}"
        }
    };
    (@radix) => {
        specifications! {
            "{:x} {w} {p}" "{:X} {w} {p}" "{:o} {w} {p}" "{:b} {w} {p}" "{:#x} {w} {p}"
            "{:#X} {w} {p}" "{:#o} {w} {p}" "{:#b} {w} {p}" "{:+x} {w} {p}" "{:w$x} {p}"
            "{:<w$X} {p}" "{:^#w$o} {p}" "{:0w$b} {p}" "{:#0w$x} {p}" "{:*>+#w$X} {p}"
        }
    };
    (@exponent) => {
        specifications! {
            "{:e} {w} {p}" "{:E} {w} {p}" "{:+e} {w} {p}" "{:#E} {w} {p}" "{:w$e} {p}"
            "{:<w$E} {p}" "{:0w$e} {p}" "{:.p$e} {w}" "{:+.p$E} {w}" "{:w$.p$e}" "{:é^+w$.p$E}"
            "{:+0w$.p$e}"
        }
    };
    (@debug) => {
        specifications! {
            "{:?} {w} {p}" "{:#?} {w} {p}" "{:x?} {w} {p}" "{:#X?} {w} {p}" "{:+?} {w} {p}"
            "{:w$?} {p}" "{:<w$?} {p}" "{:^w$?} {p}" "{:>w$?} {p}" "{:#w$?} {p}" "{:0w$?} {p}"
            "{:+0w$?} {p}" "{:#0w$x?} {p}" "{:0w$X?} {p}" "{:*<w$?} {p}" "{:é^+w$?} {p}"
            "{:🦀>#w$?} {p}" "{:.p$?} {w}" "{:#.p$?} {w}" "{:+.p$?} {w}" "{:.p$x?} {w}" "{:w$.p$?}"
            "{:<w$.p$?}" "{:^+w$.p$?}" "{:->#w$.p$?}" "{:0w$.p$?}" "{:+#0w$.p$x?}"
        }
    };
}

shown! {
    Value: debug;
    i8: display radix exponent;
    i64: display radix exponent;
    u128: display radix exponent;
    f32: display exponent;
    f64: display exponent;
    bool: display;
    char: display;
    String: display;
    Symbol: display;
    Fixed: display;
    IpAddr: display;
    SocketAddr: display;
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

/// Logs the value with each specification.
fn say<T: Shown>(said: &Said, value: &T, width: usize, precision: usize) {
    for (log, format) in T::SPECIFICATIONS.iter().copied().flatten() {
        let outcome = log(&said.logger, value, width, precision);
        assert_eq!(outcome, Outcome::Accepted);
        said.expect(escaped(&format(value, width, precision)));
    }
}

fn check(said: Said) -> Result<(), TestCaseError> {
    let (log, expected, cut) = said.end();
    prop_assert_eq!(log.texts(), expected);
    prop_assert_eq!(cut, 0);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 1 } else { 60 }))]

    #[test]
    fn any_value_with_any_specification_is_logged_as_it_is_formatted(
        values in prop::collection::vec((value(), 0..40_usize, 0..20_usize), 1..4),
    ) {
        let said = Said::new();
        for (value, width, precision) in &values {
            say(&said, value, *width, *precision);
        }
        check(said)?;
    }

    #[test]
    fn any_value_that_has_a_plain_form_is_logged_as_it_is_formatted(
        integers in any::<(i8, i64, u128)>(),
        floats in any::<(f32, f64)>(),
        // Bits that are far from evenly distributed numbers.
        bits in any::<(u32, u64)>(),
        (flag, letter, text) in (any::<bool>(), any::<char>(), ".{0,12}"),
        symbol in "[a-zé]{0,8}",
        price in any::<(i64, i8)>(),
        (ip, socket) in any::<(IpAddr, SocketAddr)>(),
        (width, precision) in (0..40_usize, 0..20_usize),
    ) {
        let said = Said::new();
        say(&said, &integers.0, width, precision);
        say(&said, &integers.1, width, precision);
        say(&said, &integers.2, width, precision);
        for float in [floats.0, f32::from_bits(bits.0)] {
            say(&said, &float, width, precision);
        }
        for float in [floats.1, f64::from_bits(bits.1)] {
            say(&said, &float, width, precision);
        }
        say(&said, &flag, width, precision);
        say(&said, &letter, width, precision);
        say(&said, &text, width, precision);
        say(&said, &Symbol::new(&symbol).unwrap(), width, precision);
        say(&said, &Fixed::new(price.0, price.1), width, precision);
        say(&said, &ip, width, precision);
        say(&said, &socket, width, precision);
        check(said)?;
    }
}
