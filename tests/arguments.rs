//! Every type that a record stores typed says what `format!` says, with every specification, and is
//! not formatted at the call: the statements are `typed;`.

mod support;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::num::{NonZero, Saturating, Wrapping};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::*;
use std::time::{Duration, Instant, SystemTime};

use ringlog::{Fixed, Outcome, Symbol, info};
use support::Said;

/// Logs with each specification, and expects what `format!` makes of the same.
macro_rules! say {
    ($said:ident, [$($spec:literal)+] $value:expr) => {
        say!(@each typed $said, [$($spec)+] $value)
    };
    // The same where the value may be formatted at the call.
    ($said:ident, any [$($spec:literal)+] $value:expr) => {
        say!(@each any $said, [$($spec)+] $value)
    };
    (@each $kind:ident $said:ident, [$($spec:literal)+] $value:expr) => {{
        let value = &$value;
        $(
            let outcome = say!(@log $kind &$said.logger, $spec, value);
            assert_eq!(outcome, Outcome::Accepted);
            $said.expect(format!($spec, value));
        )+
    }};
    (@log typed $logger:expr, $spec:literal, $value:ident) => {
        info!(typed; logger: $logger, $spec, $value)
    };
    (@log any $logger:expr, $spec:literal, $value:ident) => {
        info!(logger: $logger, $spec, $value)
    };
}

/// Every specification that `{:?}` has, more or less.
macro_rules! say_debug {
    ($said:ident, $($value:expr),+ $(,)?) => {$(
        say!($said, [
            "{:?}" "{:#?}" "{:x?}" "{:X?}" "{:#x?}" "{:02x?}" "{:#06X?}" "{:5?}" "{:<5?}" "{:^5?}"
            "{:>12?}" "{:*^12?}" "{:012?}" "{:+?}" "{:+.2?}" "{:.0?}" "{:.3?}" "{:9.1?}" "{:#9.1?}"
            "{:🦀>7?}" "{:#04?}"
        ] $value);
    )+};
}

macro_rules! say_display {
    ($said:ident, $($value:expr),+ $(,)?) => {$(
        say!($said, [
            "{}" "{:#}" "{:30}" "{:<30}" "{:^30}" "{:>30}" "{:*^45}" "{:030}" "{:+}" "{:.2}" "{:.0}"
            "{:+.3}" "{:45.9}" "{:045.9}" "{:🦀>27}"
        ] $value);
    )+};
}

macro_rules! say_integer {
    ($said:ident, $($value:expr),+ $(,)?) => {$(
        say_debug!($said, $value);
        say_display!($said, $value);
        say!($said, ["{:x}" "{:#X}" "{:o}" "{:#b}" "{:#010x}"] $value);
    )+};
}

#[test]
fn numbers_and_text_are_formatted_as_by_the_standard_library() {
    let said = Said::new();
    macro_rules! say_integers {
        ($($integer:ident)+) => {$(
            for value in [$integer::MIN, $integer::MAX, 0, 7, 100] {
                say_integer!(said, value);
            }
            say!(said, ["{:e}" "{:E}" "{:.1e}" "{:+.0E}" "{:20.3e}" "{:<020.2E}"] $integer::MAX);
        )+};
    }
    say_integers!(i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize);
    macro_rules! say_floats {
        ($($float:ident)+) => {$(
            for value in [
                0.0, -0.0, 0.1, -1.5, 101.25, 1e-7, 1e15, 1e16, 123_456_789.125, 0.5, 2.5,
                $float::MAX, $float::MIN_POSITIVE, $float::EPSILON, $float::NAN,
                $float::INFINITY, $float::NEG_INFINITY,
            ] {
                say_debug!(said, value);
                say_display!(said, value);
                say!(said, ["{:e}" "{:E}" "{:.2e}" "{:+.0E}" "{:20e}" "{:<020.3E}"] value);
            }
        )+};
    }
    say_floats!(f32 f64);
    for value in [true, false] {
        say_debug!(said, value);
        say_display!(said, value);
    }
    for value in ['x', '\'', 'é', '🦀'] {
        say_debug!(said, value);
        say_display!(said, value);
    }
    for value in ["", "text", "größer €", "say \"hi\" \\ 'x'", "🦀🦀"] {
        say_debug!(said, value, String::from(value));
        say_display!(said, value, String::from(value));
    }
    say_debug!(said, ());
    said.check();
}

#[test]
fn an_instant_is_logged_as_the_time_since() {
    let said = Said::new();
    let Some(past) = Instant::now().checked_sub(Duration::from_secs(90)) else {
        return;
    };
    let outcome = info!(typed; logger: &said.logger, "{:?} {:.0?}", past, Some(past));
    assert_eq!(outcome, Outcome::Accepted);
    let most = past.elapsed().as_secs_f64();
    let (log, _, _) = said.end();
    let (since, rounded) = log.texts()[0].split_once(' ').unwrap();
    let since: f64 = since.strip_suffix('s').unwrap().parse().unwrap();
    assert!((90.0..=most).contains(&since), "{since}");
    let rounded = rounded.strip_prefix("Some(").unwrap();
    let rounded: f64 = rounded.strip_suffix("s)").unwrap().parse().unwrap();
    assert!(rounded.fract() == 0.0 && rounded >= 90.0, "{rounded}");
}

#[test]
fn lists_are_formatted_as_by_the_standard_library() {
    let said = Said::new();
    say_debug!(
        said,
        [1, 2, 3],
        [0_u8, 255, 16],
        [-1.5_f64, 0.1, f64::NAN],
        [true, false]
    );
    say_debug!(
        said,
        Vec::<u8>::new(),
        vec!["a", "b\nc", "\"q\""],
        vec![String::from("s")]
    );
    say_debug!(
        said,
        &[1_i128, -1][..],
        b"bytes",
        b"bytes"[..],
        [(); 3],
        ['x', '\'']
    );
    say_debug!(
        said,
        vec![vec![1, 2], vec![], vec![3]],
        [[1, 2], [3, 4]],
        [[[1]]]
    );
    say_debug!(
        said,
        VecDeque::from([1, 2, 3]),
        BTreeSet::from([3, 1, 2]),
        HashSet::from([7])
    );
    say_debug!(
        said,
        BTreeMap::from([("a", 1), ("b", 2)]),
        HashMap::from([(1, vec!["x"])])
    );
    say_debug!(said, BTreeMap::<u8, u8>::new(), BTreeSet::<u8>::new());
    said.check();
}

#[test]
fn options_results_and_tuples_are_formatted_as_by_the_standard_library() {
    let said = Said::new();
    say_debug!(
        said,
        Some(1),
        None::<u8>,
        Some("text"),
        Some(Some(2.5)),
        Some(None::<()>)
    );
    say_debug!(
        said,
        Ok::<u8, &str>(1),
        Err::<u8, &str>("bad"),
        Ok::<(), ()>(())
    );
    say_debug!(
        said,
        (1,),
        (1, 2.0),
        (1, 'x', "y"),
        ((), ((),)),
        (1, (2, [3, 4]), Some(5))
    );
    say_debug!(
        said,
        (1, 2, 3, 4),
        (1, 2, 3, 4, 5),
        (1, 2, 3, 4, 5, 6),
        (1, 2, 3, 4, 5, 6, 7)
    );
    say_debug!(said, (1_u8, 2_u16, 3_u32, 4_u64, 5_i8, 6_i16, 7_i32, 8_i64));
    say_debug!(
        said,
        vec![(1, "a"), (2, "b")],
        Some(vec![Some(1), None]),
        ((),)
    );
    said.check();
}

#[test]
fn pointers_to_values_are_formatted_as_the_values() {
    let said = Said::new();
    say_display!(
        said,
        Box::new(5),
        Rc::new(-5),
        Arc::new(5_u128),
        Cow::<i32>::Owned(7)
    );
    say_debug!(
        said,
        Box::new(5),
        Rc::new(-5),
        Arc::new(5_u128),
        Cow::<i32>::Owned(7)
    );
    say_debug!(
        said,
        Box::new([1, 2]),
        Rc::<str>::from("rc"),
        Arc::<[u8]>::from([1, 2])
    );
    say_debug!(
        said,
        Cow::Borrowed("cow"),
        Cow::<[u8]>::Owned(vec![1]),
        Some(Box::new("boxed"))
    );
    say_display!(
        said,
        Rc::<str>::from("rc"),
        Cow::Borrowed("cow"),
        Box::new(1.5),
        &&&"deep"
    );
    said.check();
}

#[test]
fn numbers_in_disguise_are_formatted_as_by_the_standard_library() {
    let said = Said::new();
    say_integer!(
        said,
        NonZero::new(7_u8).unwrap(),
        NonZero::new(-7_i64).unwrap()
    );
    say_integer!(
        said,
        NonZero::<u128>::MAX,
        NonZero::<isize>::MIN,
        Wrapping(200_u8)
    );
    say_integer!(said, Wrapping(-3_i32), Saturating(i16::MIN));
    say_debug!(
        said,
        AtomicU8::new(1),
        AtomicU16::new(2),
        AtomicU32::new(3),
        AtomicU64::new(4)
    );
    say_debug!(
        said,
        AtomicI8::new(-1),
        AtomicI16::new(-2),
        AtomicI32::new(-3),
        AtomicI64::new(-4)
    );
    say_debug!(
        said,
        AtomicUsize::new(5),
        AtomicIsize::new(-5),
        AtomicBool::new(true)
    );
    said.check();
}

#[test]
fn an_atomic_is_logged_as_it_is_at_the_call() {
    let said = Said::new();
    let atomic = AtomicU64::new(1);
    say!(said, ["{:?}"] atomic);
    atomic.store(2, Ordering::Relaxed);
    say!(said, ["{:?}"] atomic);
    said.check();
}

#[test]
fn times_are_formatted_as_by_the_standard_library() {
    let said = Said::new();
    for nanos in [
        0,
        1,
        999,
        1_000,
        1_500_000,
        999_999_999,
        1_000_000_000,
        123_456_789_012,
    ] {
        say_debug!(said, Duration::from_nanos(nanos));
    }
    say_debug!(
        said,
        Duration::MAX,
        Duration::new(u64::MAX, 5),
        Some(Duration::from_millis(15))
    );
    let epoch = SystemTime::UNIX_EPOCH;
    let times = [
        epoch,
        epoch + Duration::new(1_795_415_086, 204_916_267),
        epoch - Duration::new(1, 500),
        epoch - Duration::from_secs(86_400),
    ];
    for time in times {
        say_debug!(said, time, [time]);
    }
    said.check();
}

#[test]
fn addresses_are_formatted_as_by_the_standard_library() {
    let said = Said::new();
    let v4 = Ipv4Addr::new(192, 168, 0, 1);
    for v6 in [
        "::",
        "::1",
        "fe80::1:2",
        "2001:db8:1:2:3:4:5:6",
        "::ffff:1.2.3.4",
    ] {
        let v6: Ipv6Addr = v6.parse().unwrap();
        say_display!(said, v6, IpAddr::V6(v6), SocketAddr::from((v6, 443)));
        say_debug!(said, v6, IpAddr::V6(v6), SocketAddrV6::new(v6, 1, 7, 3));
        say_display!(said, SocketAddrV6::new(v6, 65535, 7, 3));
    }
    say_display!(
        said,
        v4,
        IpAddr::V4(v4),
        SocketAddrV4::new(v4, 80),
        SocketAddr::from((v4, 80))
    );
    say_debug!(
        said,
        v4,
        IpAddr::V4(v4),
        SocketAddrV4::new(v4, 80),
        [SocketAddr::from((v4, 1))]
    );
    said.check();
}

#[test]
fn pointers_and_threads_are_formatted_as_by_the_standard_library() {
    let said = Said::new();
    let (mut number, text) = (7, "text");
    let pointer = &raw mut number;
    say_debug!(
        said,
        pointer,
        pointer.cast_const(),
        AtomicPtr::new(pointer),
        Some(pointer)
    );
    say_debug!(said, std::ptr::null::<u8>(), std::thread::current().id());
    say!(said, ["{:p}" "{:#p}" "{:30p}" "{:#30p}" "{:<30p}" "{:030p}"] pointer);
    say!(said, ["{:p}" "{:#p}" "{:30p}"] &number);
    say!(said, any ["{:p}"] text);
    say!(said, any ["{:p}"] Box::new(5));
    said.check();
}

#[test]
fn decimals_and_symbols_are_formatted_like_numbers_and_strings() {
    let said = Said::new();
    for mantissa in [0, 1, -1, 5, 15, 25, -25, 123_456_789, i64::MAX, i64::MIN] {
        for exponent in [0, -1, -2, -9, -19, -25, -128, 1, 6, 127] {
            say_display!(said, Fixed::new(mantissa, exponent));
        }
        say_debug!(said, Fixed::new(mantissa, -2), [Fixed::new(mantissa, 2)]);
    }
    for symbol in ["", "ESZ6", "sixteen bytes ok", "größe"] {
        let symbol = Symbol::new(symbol).unwrap();
        say_display!(said, symbol);
        say_debug!(said, symbol, [symbol]);
    }
    said.check();
}
