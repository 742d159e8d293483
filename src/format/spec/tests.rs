//! The oracle is `format!` itself, with every combination of flags and styles.

use std::fmt::{Binary, Debug, Display, LowerExp, LowerHex, Octal, UpperExp, UpperHex};

use super::*;
use crate::format::testing::Random;

/// What one specification gives: its flags, its width and precision if any, and the text.
type Check<'a> = &'a mut dyn FnMut(&str, Option<usize>, Option<usize>, String);

/// Formats a value with every combination of alignment, sign, `#` and `0`, each with and without a
/// width and a precision.
macro_rules! every_flag {
    ($value:ident $width:ident $precision:ident $check:ident $style:literal) => {
        every_flag!(@align $value $width $precision $check $style "" "<" "^" ">" "*<" "🦀^");
    };
    (@align $v:ident $w:ident $p:ident $c:ident $style:literal $($align:literal)*) => {
        $(every_flag!(@sign $v $w $p $c $style $align "" "+");)*
    };
    (@sign $v:ident $w:ident $p:ident $c:ident $style:literal $a:literal $($sign:literal)*) => {
        $(
            every_flag!(@leaf $v $w $p $c $style $a $sign "" "");
            every_flag!(@leaf $v $w $p $c $style $a $sign "#" "");
            every_flag!(@leaf $v $w $p $c $style $a $sign "" "0");
            every_flag!(@leaf $v $w $p $c $style $a $sign "#" "0");
        )*
    };
    (@leaf $v:ident $w:ident $p:ident $c:ident $style:literal $a:literal $s:literal $n:literal $z:literal) => {
        let flags = concat!($a, $s, $n, $z);
        $c(flags, None, None, format!(concat!("{:", $a, $s, $n, $z, $style, "}"), $v));
        let text = format!(concat!("{:", $a, $s, $n, $z, "w$", $style, "}"), $v, w = $w);
        $c(flags, Some($w), None, text);
        let text = format!(concat!("{:", $a, $s, $n, $z, ".p$", $style, "}"), $v, p = $p);
        $c(flags, None, Some($p), text);
        let text =
            format!(concat!("{:", $a, $s, $n, $z, "w$.p$", $style, "}"), $v, w = $w, p = $p);
        $c(flags, Some($w), Some($p), text);
    };
}

/// A function per style, of a trait object: the many formats are compiled once, not for each type.
macro_rules! styles {
    ($($name:ident $format:ident $style:literal)*) => {$(
        fn $name(value: &dyn $format, width: usize, precision: usize, check: Check<'_>) {
            every_flag!(value width precision check $style);
        }
    )*};
}

styles! {
    display Display ""
    debug Debug "?"
    debug_lower_hex Debug "x?"
    debug_upper_hex Debug "X?"
    lower_hex LowerHex "x"
    upper_hex UpperHex "X"
    octal Octal "o"
    binary Binary "b"
    lower_exp LowerExp "e"
    upper_exp UpperExp "E"
}

/// Reads the flags of a format string.
fn parse(flags: &str, width: Option<usize>, precision: Option<usize>, style: Style) -> Spec {
    let count = |count: Option<usize>| match count {
        Some(number) => Count::Is(u16::try_from(number).unwrap()),
        None => Count::Unset,
    };
    let mut spec = Spec {
        width: count(width),
        precision: count(precision),
        style,
        ..Spec::DISPLAY
    };
    let align = |character| match character {
        '<' => Some(Align::Left),
        '^' => Some(Align::Center),
        '>' => Some(Align::Right),
        _ => None,
    };
    let mut rest = flags.chars().peekable();
    let first = flags.chars().next();
    if let Some(known) = flags.chars().nth(1).and_then(align) {
        (spec.fill, spec.align) = (first.unwrap(), known);
        rest.nth(1);
    } else if let Some(known) = first.and_then(align) {
        spec.align = known;
        rest.next();
    }
    for flag in rest {
        match flag {
            '+' => spec.sign = Sign::Plus,
            '-' => spec.sign = Sign::Minus,
            '#' => spec.alternate = true,
            '0' => spec.zero = true,
            _ => panic!("{flag} is no flag"),
        }
    }
    spec
}

fn render(value: Value<'_>, spec: Spec) -> String {
    let mut out = b"before ".to_vec();
    let resolved = Resolved::new(spec, |_| None).expect("no count is an argument");
    put_value(&mut out, value, &resolved);
    let text = String::from_utf8(out).expect("text in, text out");
    text.strip_prefix("before ")
        .expect("rendering only appends")
        .to_owned()
}

fn whole(text: &str) -> Chars<'_> {
    Chars {
        kept: text.as_bytes(),
        cut: 0,
    }
}

/// Compares one style on one value, for some widths and precisions.
fn compare(
    value: Value<'_>,
    style: Style,
    format: impl Fn(usize, usize, &mut dyn FnMut(&str, Option<usize>, Option<usize>, String)),
) {
    let counts = [(7, 3), (0, 0), (25, 17), (1, 1), (2, 5), (12, 2), (140, 40)];
    let tried = if cfg!(miri) {
        1
    } else if cfg!(debug_assertions) {
        3
    } else {
        counts.len()
    };
    for &(width, precision) in &counts[..tried] {
        format(
            width,
            precision,
            &mut |flags, width, precision, expected| {
                let spec = parse(flags, width, precision, style);
                assert_eq!(render(value, spec), expected, "{value:?} with {spec:?}");
            },
        );
    }
}

macro_rules! compare_integers {
    ($($name:ident $ty:ident)*) => {$({
        let mut random = Random::new(3);
        let mut values = vec![0, 1, 9, 10, 99, 100, $ty::MIN, $ty::MAX, $ty::MAX / 2 + 1];
        for _ in 0..if cfg!(miri) { 1 } else { 12 } {
            values.push(((u128::from(random.any_size()) << 64) | u128::from(random.next())) as $ty);
            values.push(random.any_size() as $ty);
        }
        for value in values {
            let stored = Value::$name(value);
            compare(stored, Style::Display, |w, p, check| display(&value, w, p, check));
            compare(stored, Style::Debug, |w, p, check| debug(&value, w, p, check));
            compare(stored, Style::DebugLowerHex, |w, p, check| {
                debug_lower_hex(&value, w, p, check);
            });
            compare(stored, Style::DebugUpperHex, |w, p, check| {
                debug_upper_hex(&value, w, p, check);
            });
            compare(stored, Style::LowerHex, |w, p, check| lower_hex(&value, w, p, check));
            compare(stored, Style::UpperHex, |w, p, check| upper_hex(&value, w, p, check));
            compare(stored, Style::Octal, |w, p, check| octal(&value, w, p, check));
            compare(stored, Style::Binary, |w, p, check| binary(&value, w, p, check));
            compare(stored, Style::LowerExp, |w, p, check| lower_exp(&value, w, p, check));
            compare(stored, Style::UpperExp, |w, p, check| upper_exp(&value, w, p, check));
        }
    })*};
}

#[test]
fn narrow_integers_are_formatted_as_the_standard_library_does() {
    compare_integers!(I8 i8 U8 u8 I16 i16 U16 u16 I32 i32 U32 u32);
}

#[test]
fn wide_integers_are_formatted_as_the_standard_library_does() {
    compare_integers!(I64 i64 U64 u64 I128 i128 U128 u128);
}

macro_rules! compare_floats {
    ($($name:ident $ty:ident $bits:ident)*) => {$({
        let mut random = Random::new(4);
        let mut values: Vec<$ty> = vec![
            0.0, 1.0, 0.5, 1.5, 2.5, 0.125, 9.995, 123.456, 1e15, 1e16, 1e17, 1e-4, 9.9e-5, 1e-7,
            99_999.99, 1_234_567.0, 4_294_967_296.0, 1e19, 1e20, 1e30, 3.3e38, 1e-38,
            $ty::MAX, $ty::MIN_POSITIVE, $ty::from_bits(1), $ty::EPSILON, $ty::INFINITY, $ty::NAN,
        ];
        for _ in 0..if cfg!(miri) { 1 } else { 20 } {
            values.push($ty::from_bits(random.next() as $bits));
            values.push((random.any_size() as $ty) / 1000.0);
        }
        for value in values.iter().flat_map(|&value| [value, -value]) {
            let stored = Value::$name(value);
            compare(stored, Style::Display, |w, p, check| display(&value, w, p, check));
            compare(stored, Style::Debug, |w, p, check| debug(&value, w, p, check));
            compare(stored, Style::DebugLowerHex, |w, p, check| {
                debug_lower_hex(&value, w, p, check);
            });
            compare(stored, Style::LowerExp, |w, p, check| lower_exp(&value, w, p, check));
            compare(stored, Style::UpperExp, |w, p, check| upper_exp(&value, w, p, check));
        }
    })*};
}

#[test]
fn floats_are_formatted_as_the_standard_library_does() {
    compare_floats!(F32 f32 u32 F64 f64 u64);
}

#[test]
fn text_is_formatted_as_the_standard_library_does() {
    for text in [
        "",
        "a",
        "twelve bytes",
        "größer als 12 Zeichen",
        "価格🦀",
        "quote \" and ' and \\ and \n \t \0 \u{7f} \u{200b}",
        "e\u{301} combining, \u{202e} reversed",
    ] {
        let value = Value::Str(whole(text));
        compare(value, Style::Display, |w, p, check| {
            display(&text, w, p, check)
        });
        compare(value, Style::Debug, |w, p, check| debug(&text, w, p, check));
        compare(value, Style::DebugUpperHex, |w, p, check| {
            debug_upper_hex(&text, w, p, check);
        });
    }
    for character in [
        'a', ' ', '"', '\'', '\\', '\n', '\0', 'é', '🦀', '\u{301}', '\u{202e}',
    ] {
        let value = Value::Char(character);
        compare(value, Style::Display, |w, p, check| {
            display(&character, w, p, check)
        });
        compare(value, Style::Debug, |w, p, check| {
            debug(&character, w, p, check)
        });
    }
}

#[test]
fn booleans_and_units_are_formatted_as_the_standard_library_does() {
    for boolean in [false, true] {
        let value = Value::Bool(boolean);
        compare(value, Style::Display, |w, p, check| {
            display(&boolean, w, p, check)
        });
        compare(value, Style::Debug, |w, p, check| {
            debug(&boolean, w, p, check)
        });
    }
    compare(Value::Unit, Style::Debug, |w, p, check| {
        debug(&(), w, p, check)
    });
}

#[test]
fn addresses_are_formatted_as_the_standard_library_does() {
    for address in [0_usize, 1, 0xdead_beef, usize::MAX] {
        let pointer = std::ptr::without_provenance::<u8>(address);
        let value = Value::U64(address as u64);
        for (flags, width, expected) in [
            ("", None, format!("{pointer:p}")),
            ("#", None, format!("{pointer:#p}")),
            ("", Some(24), format!("{pointer:24p}")),
            ("<", Some(24), format!("{pointer:<24p}")),
            ("0", Some(24), format!("{pointer:024p}")),
            ("#", Some(24), format!("{pointer:#24p}")),
        ] {
            assert_eq!(
                render(value, parse(flags, width, None, Style::Pointer)),
                expected
            );
        }
    }
}

#[test]
fn a_minus_flag_changes_nothing() {
    for (value, expected) in [(7, format!("{:-}", 7)), (-7, format!("{:-}", -7))] {
        let spec = parse("-", None, None, Style::Display);
        assert_eq!(render(Value::I32(value), spec), expected);
    }
}

#[test]
fn text_that_was_cut_says_so() {
    let cut = Chars {
        kept: "abcdé".as_bytes(),
        cut: 123,
    };
    let display = |precision, width| parse("", width, precision, Style::Display);
    let value = Value::Str(cut);
    assert_eq!(render(value, Spec::DISPLAY), "abcdé…(+123 bytes)");
    assert_eq!(render(value, Spec::DEBUG), "\"abcdé\"…(+123 bytes)");
    assert_eq!(
        render(Value::Text(cut), Spec::DISPLAY),
        "abcdé…(+123 bytes)"
    );
    assert_eq!(
        render(value, display(None, Some(20))),
        "abcdé…(+123 bytes)  "
    );
    // All that was asked for is there.
    assert_eq!(render(value, display(Some(4), None)), "abcd");
    assert_eq!(render(value, display(Some(5), None)), "abcdé");
    assert_eq!(render(value, display(Some(6), None)), "abcdé…(+123 bytes)");
}

#[test]
fn text_formatted_at_the_call_is_not_formatted_again() {
    let value = Value::Text(whole("[ 1]"));
    for style in [Style::Display, Style::Debug, Style::LowerHex] {
        assert_eq!(render(value, parse("*>", Some(20), Some(1), style)), "[ 1]");
    }
}

#[test]
fn bytes_that_are_not_utf8_pass_through_every_style() {
    let value = Value::Str(Chars {
        kept: b"a\xffb\n\"",
        cut: 0,
    });
    for (spec, expected) in [
        (Spec::DISPLAY, b"a\xffb\n\"".as_slice()),
        (Spec::DEBUG, b"\"a\xffb\\n\\\"\""),
        (parse("", None, Some(2), Style::Display), b"a\xff"),
    ] {
        let mut out = Vec::new();
        put_value(&mut out, value, &Resolved::new(spec, |_| None).unwrap());
        assert_eq!(out, expected);
    }
}

#[test]
fn counts_come_from_stored_numbers_up_to_what_a_format_string_can_ask_for() {
    let spec = Spec {
        width: Count::Value(0),
        precision: Count::Value(1),
        ..Spec::DISPLAY
    };
    let resolve = |width, precision| {
        Resolved::new(spec, |index| match index {
            0 => width,
            _ => Some(precision),
        })
        .map(|resolved| (resolved.width, resolved.precision))
    };
    assert_eq!(
        resolve(Some(Value::U64(7)), Value::U32(2)),
        Some((7, Some(2)))
    );
    assert_eq!(
        resolve(Some(Value::U64(u64::MAX)), Value::U64(65_536)),
        Some((65_535, Some(65_535)))
    );
    assert_eq!(resolve(None, Value::U64(2)), None);
    assert_eq!(resolve(Some(Value::I64(7)), Value::U64(2)), None);
}

#[test]
fn a_style_that_the_type_does_not_have_is_still_shown() {
    for (value, expected) in [
        (Value::Str(whole("a")), "\"a\""),
        (Value::Char('a'), "'a'"),
        (Value::Bool(true), "true"),
        (Value::F64(1.0), "1.0"),
        (Value::Unit, "()"),
    ] {
        assert_eq!(
            render(value, parse("", None, None, Style::LowerHex)),
            expected
        );
    }
}
