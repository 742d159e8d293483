//! Lines as a reader of the log sees them.

use std::cell::Cell;

use super::*;
use crate::callsite::{Callsite, Metadata};
use crate::format::line::WINDOW;
use crate::format::testing::{Random, cases};
use crate::record::{
    Align, Chars, Count, Derived, Field, Form, Member, Piece, Shape, Sign, Spec, Style, Type,
    TypeList, Value, Variant, message,
};

const TIME: u64 = 1_795_415_086_204_916_267;
const D: Spec = Spec::DISPLAY;

/// The default text.
fn text() -> Lines {
    Lines::new(Layout::Text(Text::new()), Arc::default())
}

/// What a record brings.
fn occurrence<'a>(thread: &'a [u8], payload: &'a [u8]) -> Occurrence<'a> {
    Occurrence {
        unix_nanos: TIME,
        thread,
        thread_is_plain: false,
        thread_id: 77,
        number: 5,
        context: Context::default(),
        payload,
    }
}

/// Registers a statement, as its first run would.
fn statement(pieces: Vec<Piece>, types: &[Type]) -> u32 {
    statement_at("engine::risk", "src/engine/fills.rs", pieces, types)
}

fn statement_at(
    target: &'static str,
    file: &'static str,
    pieces: Vec<Piece>,
    types: &[Type],
) -> u32 {
    statement_of(target, file, pieces, Vec::new(), types)
}

fn statement_of(
    target: &'static str,
    file: &'static str,
    pieces: Vec<Piece>,
    fields: Vec<Field>,
    types: &[Type],
) -> u32 {
    let types = TypeList {
        first: types.to_vec().leak(),
        rest: None,
    };
    let site: &'static Callsite = Box::leak(Box::new(Callsite::new(Metadata {
        level: Level::Info,
        target,
        module: "engine::module",
        file,
        line: 42,
        message: message::of(&pieces).leak(),
        names: "",
        fields: fields.leak(),
    })));
    site.id(Box::leak(Box::new(types)))
}

fn payload(values: &[Value<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for value in values {
        match *value {
            Value::Unit => {}
            Value::Bool(value) => bytes.push(value.into()),
            Value::Char(value) => bytes.extend(u32::from(value).to_le_bytes()),
            Value::I8(value) => bytes.extend(value.to_le_bytes()),
            Value::I16(value) => bytes.extend(value.to_le_bytes()),
            Value::I32(value) => bytes.extend(value.to_le_bytes()),
            Value::I64(value) => bytes.extend(value.to_le_bytes()),
            Value::I128(value) => bytes.extend(value.to_le_bytes()),
            Value::U8(value) => bytes.extend(value.to_le_bytes()),
            Value::U16(value) => bytes.extend(value.to_le_bytes()),
            Value::U32(value) => bytes.extend(value.to_le_bytes()),
            Value::U64(value) => bytes.extend(value.to_le_bytes()),
            Value::U128(value) => bytes.extend(value.to_le_bytes()),
            Value::F32(value) => bytes.extend(value.to_le_bytes()),
            Value::F64(value) => bytes.extend(value.to_le_bytes()),
            Value::Str(chars) | Value::Text(chars) => {
                let length = u16::try_from(chars.kept.len()).unwrap();
                if chars.cut == 0 {
                    bytes.extend(length.to_le_bytes());
                } else {
                    bytes.extend((length | Type::CUT).to_le_bytes());
                    bytes.extend(chars.cut.to_le_bytes());
                }
                bytes.extend(chars.kept);
            }
            other => panic!("these tests store no {other:?}"),
        }
    }
    bytes
}

fn str(text: &str) -> Value<'_> {
    Value::Str(chars(text))
}

fn chars(text: &str) -> Chars<'_> {
    Chars {
        kept: text.as_bytes(),
        cut: 0,
    }
}

fn line(format: &mut Lines, statement: u32, thread: &[u8], payload: &[u8]) -> String {
    let mut out = Output::default();
    out.bytes(b"earlier\n");
    format.record(&mut out, statement, &occurrence(thread, payload));
    let text = String::from_utf8(out.entries().to_vec()).expect("a line is UTF-8");
    text.strip_prefix("earlier\n")
        .expect("a line is appended")
        .to_owned()
}

/// The message of a record that is alone with its format.
fn message(pieces: Vec<Piece>, types: &[Type], values: &[Value<'_>]) -> String {
    let text = line(
        &mut text(),
        statement(pieces, types),
        b"matcher",
        &payload(values),
    );
    text.strip_prefix("2026-11-23T06:24:46.204916267Z INFO  engine::risk fills.rs:42 [matcher] ")
        .and_then(|text| text.strip_suffix('\n'))
        .expect("a line begins and ends like any other")
        .to_owned()
}

#[test]
fn a_record_is_a_line() {
    let pieces = vec![
        Piece::Literal("Iteration: "),
        Piece::Value(0, D),
        Piece::Literal(" int: "),
        Piece::Value(1, D),
        Piece::Literal(" double: "),
        Piece::Value(2, D),
    ];
    let id = statement(pieces, &[Type::U64, Type::I32, Type::F64]);
    let values = [Value::U64(123_456), Value::I32(-7), Value::F64(0.25)];
    assert_eq!(
        line(&mut text(), id, b"matcher", &payload(&values)),
        "2026-11-23T06:24:46.204916267Z INFO  engine::risk fills.rs:42 [matcher] \
         Iteration: 123456 int: -7 double: 0.25\n"
    );
}

#[test]
fn a_notice_is_a_line_with_the_same_columns() {
    let mut out = Output::default();
    out.bytes(b"earlier\n");
    let mut format = text();
    format.notice(
        &mut out,
        TIME,
        Level::Warn,
        b"a\nb",
        "17 records\x1b dropped",
    );
    assert_eq!(
        String::from_utf8(out.entries().to_vec()).unwrap(),
        "earlier\n\
         2026-11-23T06:24:46.204916267Z WARN  ringlog - [a\\nb] 17 records\\x1b dropped\n"
    );
}

#[test]
fn a_record_of_an_unknown_statement_is_a_line_that_says_so() {
    let mut format = text();
    assert_eq!(
        line(&mut format, u32::MAX, b"matcher", b"whatever"),
        "2026-11-23T06:24:46.204916267Z -     - - [matcher] \
         <record of unknown statement 4294967295>\n"
    );
    assert!(format.programs.is_empty(), "no memory is spent on it");
}

#[test]
fn statements_keep_apart() {
    let mut format = text();
    let ids: Vec<u32> = ["first", "second", "third"]
        .map(|text| statement(vec![Piece::Literal(text)], &[]))
        .into();
    for _ in 0..2 {
        for (id, text) in [(ids[2], "third"), (ids[0], "first"), (ids[1], "second")] {
            assert!(line(&mut format, id, b"", b"").ends_with(&format!("[] {text}\n")));
        }
    }
}

#[test]
fn nothing_in_a_line_can_end_it_early() {
    let hostile = "\n2026-11-23T06:24:46Z ERROR forged\r\x1b[2J\u{202e}\u{85}";
    let harmless = r"\n2026-11-23T06:24:46Z ERROR forged\r\x1b[2J\u{202e}\u{85}";
    let pieces = vec![
        Piece::Literal("a\nb\x1b "),
        Piece::Value(0, D),
        Piece::Literal(" "),
        Piece::Value(1, D),
        Piece::Literal(" "),
        Piece::Value(
            2,
            Spec {
                style: Style::Debug,
                ..D
            },
        ),
        Piece::Literal(" "),
        Piece::Value(3, D),
        Piece::Value(
            4,
            Spec {
                fill: '\n',
                align: Align::Right,
                width: Count::Is(2),
                ..D
            },
        ),
    ];
    let types = [Type::Str, Type::Text, Type::Str, Type::Char, Type::U8];
    let id = statement_at("t\narget", "dir\\fi\nle.rs", pieces, &types);
    let values = [
        str(hostile),
        Value::Text(chars(hostile)),
        str("\u{9b}\""),
        Value::Char('\u{2028}'),
        Value::U8(1),
    ];
    let thread = [hostile.as_bytes(), b"\xff"].concat();
    assert_eq!(
        line(&mut text(), id, &thread, &payload(&values)),
        format!(
            "2026-11-23T06:24:46.204916267Z INFO  t\\narget fi\\nle.rs:42 [{harmless}\\xff] \
             a\\nb\\x1b {harmless} {harmless} \"\\u{{9b}}\\\"\" \\u{{2028}}\\n1\n"
        )
    );
}

#[test]
fn literals_of_any_length_are_copied() {
    for length in 0..120 {
        let literal: &'static str = "abcdefghijklmnopqrstuvwxyz".repeat(5).leak();
        let literal = &literal[..length];
        let pieces = vec![
            Piece::Literal(literal),
            Piece::Value(0, D),
            Piece::Literal(literal),
        ];
        assert_eq!(
            message(pieces, &[Type::U8], &[Value::U8(7)]),
            format!("{literal}7{literal}")
        );
    }
}

#[test]
fn text_of_any_length_is_copied() {
    let pieces = vec![
        Piece::Literal("<"),
        Piece::Value(0, D),
        Piece::Literal("|"),
        Piece::Value(1, D),
        Piece::Literal(">"),
    ];
    let id = statement(pieces, &[Type::Str, Type::Text]);
    let mut format = text();
    let lengths = if cfg!(miri) {
        vec![0, 3, 17, 500]
    } else {
        (0..1200).collect()
    };
    for length in lengths {
        let text: String = ('a'..='z').cycle().take(length).collect();
        let values = [str(&text), Value::Text(chars(&text))];
        let line = line(&mut format, id, text.as_bytes(), &payload(&values));
        assert!(
            line.ends_with(&format!("[{text}] <{text}|{text}>\n")),
            "{length}"
        );
    }
}

#[test]
fn values_fill_the_stage_to_every_place() {
    // A long text in front moves all that follows across the window's end.
    let pieces = vec![
        Piece::Value(0, D),
        Piece::Value(1, D),
        Piece::Literal(" and a literal "),
        Piece::Value(2, D),
        Piece::Value(3, D),
        Piece::Value(
            4,
            Spec {
                precision: Count::Is(3),
                ..D
            },
        ),
    ];
    let types = [Type::Str, Type::U64, Type::I32, Type::F64, Type::F64];
    let id = statement(pieces, &types);
    let mut format = text();
    let most = if cfg!(miri) { 8 } else { 200 };
    for length in WINDOW - most..WINDOW + 8 {
        let text = "x".repeat(length);
        let (number, float) = (u64::MAX - length as u64, length as f64 / 3.0);
        let values = [
            str(&text),
            Value::U64(number),
            Value::I32(i32::MIN),
            Value::F64(float),
            Value::F64(float),
        ];
        let line = line(&mut format, id, b"t", &payload(&values));
        let expected = format!(
            "{text}{number} and a literal {}{float}{float:.3}\n",
            i32::MIN
        );
        assert!(line.ends_with(&expected), "{length}");
    }
}

#[test]
fn plain_values_of_every_type_are_as_the_standard_library_writes_them() {
    let mut random = Random::new(11);
    let types = [
        Type::Bool,
        Type::Char,
        Type::I8,
        Type::I16,
        Type::I32,
        Type::I64,
        Type::I128,
        Type::U8,
        Type::U16,
        Type::U32,
        Type::U64,
        Type::U128,
        Type::F32,
        Type::F64,
        Type::Str,
        Type::Text,
    ];
    let mut pieces = Vec::new();
    for index in 0..types.len() as u16 {
        pieces.push(Piece::Value(index, D));
        pieces.push(Piece::Literal(" "));
    }
    let id = statement(pieces, &types);
    let mut format = text();
    for _ in 0..cases(50_000) {
        let bits = random.any_size();
        let wide = u128::from(random.any_size()) << 64 | u128::from(random.next());
        let character = char::from_u32(random.any_size() as u32 % 0x3000).unwrap_or('x');
        let character = if character.is_control() {
            'c'
        } else {
            character
        };
        let character = match character {
            '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => 'b',
            _ => character,
        };
        let (single, double) = (f32::from_bits(bits as u32), f64::from_bits(random.next()));
        let text = character.to_string().repeat(random.below(9));
        let values = [
            Value::Bool(bits % 2 == 0),
            Value::Char(character),
            Value::I8(bits as i8),
            Value::I16(bits as i16),
            Value::I32(bits as i32),
            Value::I64(bits as i64),
            Value::I128(wide as i128),
            Value::U8(bits as u8),
            Value::U16(bits as u16),
            Value::U32(bits as u32),
            Value::U64(bits),
            Value::U128(wide),
            Value::F32(single),
            Value::F64(double),
            str(&text),
            Value::Text(chars(&text)),
        ];
        let expected = format!(
            "[main] {} {character} {} {} {} {} {} {} {} {} {bits} {wide} {single} {double} \
             {text} {text} \n",
            bits % 2 == 0,
            bits as i8,
            bits as i16,
            bits as i32,
            bits as i64,
            wide as i128,
            bits as u8,
            bits as u16,
            bits as u32,
        );
        let line = line(&mut format, id, b"main", &payload(&values));
        assert!(line.ends_with(&expected), "{line}{expected}");
    }
}

#[test]
fn specifications_take_the_way_that_keeps_their_meaning() {
    // Each of these is near one that is rendered without regard to the specification.
    let width = |count| Spec { width: count, ..D };
    let precision = |count| Spec {
        precision: Count::Is(count),
        ..D
    };
    let plus = Spec {
        sign: Sign::Plus,
        ..D
    };
    let debug = Spec {
        style: Style::Debug,
        ..D
    };
    for (spec, value, expected) in [
        (width(Count::Is(5)), Value::U8(7), format!("{:5}", 7)),
        (precision(2), Value::U8(7), format!("{:.2}", 7)),
        (plus, Value::I64(7), format!("{:+}", 7)),
        (debug, Value::I64(-7), format!("{:?}", -7)),
        (debug, Value::F64(7.0), format!("{:?}", 7.0)),
        (debug, Value::F32(1e16), format!("{:?}", 1e16_f32)),
        (plus, Value::F64(7.0), format!("{:+}", 7.0)),
        (precision(0), Value::F64(7.5), format!("{:.0}", 7.5)),
        (precision(8), Value::F64(7.1), format!("{:.8}", 7.1)),
        (precision(9), Value::F64(7.1), format!("{:.9}", 7.1)),
        (precision(2), Value::F64(1e300), format!("{:.2}", 1e300)),
        (precision(2), Value::F64(f64::NAN), "NaN".into()),
        (precision(2), Value::F64(-f64::INFINITY), "-inf".into()),
        (precision(2), Value::F32(0.1), format!("{:.2}", 0.1_f32)),
        (precision(12), Value::F32(0.1), format!("{:.12}", 0.1_f32)),
        (precision(2), Value::Bool(true), format!("{:.2}", true)),
        (debug, Value::Bool(true), format!("{:?}", true)),
        (precision(0), Value::Char('a'), format!("{:.0}", 'a')),
        (debug, Value::Char('a'), format!("{:?}", 'a')),
        (precision(2), str("abc"), format!("{:.2}", "abc")),
        (debug, str("abc"), format!("{:?}", "abc")),
        (debug, Value::Unit, format!("{:?}", ())),
        (debug, Value::Text(chars("[1]")), "[1]".into()),
    ] {
        let ty = match value {
            Value::Unit => Type::Unit,
            Value::Bool(_) => Type::Bool,
            Value::Char(_) => Type::Char,
            Value::U8(_) => Type::U8,
            Value::I64(_) => Type::I64,
            Value::F32(_) => Type::F32,
            Value::F64(_) => Type::F64,
            Value::Str(_) => Type::Str,
            _ => Type::Text,
        };
        let pieces = vec![Piece::Value(0, spec), Piece::Literal(".")];
        let text = message(pieces, &[ty], &[value]);
        assert_eq!(text, format!("{expected}."), "{value:?} {spec:?}");
    }
}

#[test]
fn values_can_be_used_in_any_order_and_more_than_once() {
    let right = Spec {
        align: Align::Right,
        ..D
    };
    let pieces = vec![
        Piece::Value(2, D),
        Piece::Literal(" "),
        Piece::Value(
            0,
            Spec {
                width: Count::Value(1),
                ..right
            },
        ),
        Piece::Literal(" "),
        Piece::Value(
            2,
            Spec {
                style: Style::Debug,
                ..D
            },
        ),
        Piece::Literal(" "),
        Piece::Value(
            3,
            Spec {
                precision: Count::Value(1),
                ..D
            },
        ),
        Piece::Literal("!"),
    ];
    let types = [Type::I32, Type::U64, Type::Str, Type::F64];
    let id = statement(pieces, &types);
    let mut format = text();
    for number in 0..10 {
        let text = "x".repeat(number);
        let values = [
            Value::I32(-5),
            Value::U64(number as u64),
            str(&text),
            Value::F64(1.0 / 3.0),
        ];
        let line = line(&mut format, id, b"t\n", &payload(&values));
        let expected = format!(
            "[t\\n] {text} {:>number$} {text:?} {:.number$}!\n",
            -5,
            1.0 / 3.0
        );
        assert!(line.ends_with(&expected), "{line}{expected}");
    }
}

#[test]
fn a_width_can_be_stored_behind_its_value() {
    let spec = Spec {
        width: Count::Value(1),
        precision: Count::Value(2),
        ..D
    };
    let types = [Type::F64, Type::U64, Type::U64];
    let values = [Value::F64(1.5), Value::U64(6), Value::U64(2)];
    assert_eq!(
        message(vec![Piece::Value(0, spec)], &types, &values),
        "  1.50"
    );
}

#[test]
fn counts_of_arguments_formatted_at_the_call_are_not_needed() {
    let pieces = vec![
        Piece::Value(
            0,
            Spec {
                width: Count::Value(1),
                ..D
            },
        ),
        Piece::Literal("!"),
    ];
    let values = [Value::Text(chars("  x")), Value::U64(3)];
    assert_eq!(message(pieces, &[Type::Text, Type::U64], &values), "  x!");
    // The same, out of order.
    let pieces = vec![
        Piece::Value(
            1,
            Spec {
                width: Count::Value(0),
                ..D
            },
        ),
        Piece::Literal("!"),
    ];
    let values = [Value::I64(3), Value::Text(chars("  x"))];
    assert_eq!(message(pieces, &[Type::I64, Type::Text], &values), "  x!");
}

#[test]
fn cut_text_is_marked() {
    let cut = |text: &'static str| Chars {
        kept: text.as_bytes(),
        cut: 123,
    };
    let pieces = vec![
        Piece::Value(0, D),
        Piece::Literal(" "),
        Piece::Value(1, D),
        Piece::Literal(" "),
        Piece::Value(
            2,
            Spec {
                style: Style::Debug,
                ..D
            },
        ),
        Piece::Literal("."),
    ];
    let values = [
        Value::Str(cut("ab\n")),
        Value::Text(cut("")),
        Value::Str(cut("é")),
    ];
    assert_eq!(
        message(pieces, &[Type::Str, Type::Text, Type::Str], &values),
        "ab\\n…(+123 bytes) …(+123 bytes) \"é\"…(+123 bytes)."
    );
}

#[test]
fn a_record_cut_short_shows_what_it_holds() {
    let types = [Type::U32, Type::Str, Type::F64];
    let in_order = vec![
        Piece::Literal("a "),
        Piece::Value(0, D),
        Piece::Literal(" b "),
        Piece::Value(1, D),
        Piece::Literal(" c "),
        Piece::Value(
            2,
            Spec {
                width: Count::Is(3),
                ..D
            },
        ),
        Piece::Literal(" d"),
    ];
    let mut out_of_order = in_order.clone();
    out_of_order.push(Piece::Value(0, D));
    let whole = payload(&[Value::U32(7), str("text"), Value::F64(0.5)]);
    for pieces in [in_order, out_of_order] {
        let id = statement(pieces, &types);
        let mut format = text();
        for length in 0..whole.len() {
            let shown = match length {
                0..4 => "a <incomplete record>",
                4..10 => "a 7 b <incomplete record>",
                _ => "a 7 b text c <incomplete record>",
            };
            let line = line(&mut format, id, b"t", &whole[..length]);
            assert!(
                line.ends_with(&format!("[t] {shown}\n")),
                "{length}: {line}"
            );
        }
        // A complete one after them is complete.
        assert!(line(&mut format, id, b"t", &whole).contains("a 7 b text c 0.5 d"));
    }
}

#[test]
fn values_that_are_not_there_or_not_of_use_are_marked() {
    for (pieces, types, values) in [
        (vec![Piece::Value(0, D)], vec![], vec![]),
        (vec![Piece::Value(3, D)], vec![Type::U8], vec![Value::U8(1)]),
        (
            // The width is no `usize`.
            vec![Piece::Value(
                0,
                Spec {
                    width: Count::Value(1),
                    ..D
                },
            )],
            vec![Type::U8, Type::F64],
            vec![Value::U8(1), Value::F64(1.0)],
        ),
        (
            vec![Piece::Value(
                0,
                Spec {
                    width: Count::Value(9),
                    ..D
                },
            )],
            vec![Type::U8],
            vec![Value::U8(1)],
        ),
    ] {
        assert_eq!(message(pieces, &types, &values), "<incomplete record>");
    }
    // No code point.
    let id = statement(vec![Piece::Value(0, D)], &[Type::Char]);
    let line = line(&mut text(), id, b"t", &0xd800_u32.to_le_bytes());
    assert!(line.ends_with("[t] <incomplete record>\n"));
}

#[test]
fn a_value_that_cannot_be_rendered_costs_no_more_than_its_record() {
    thread_local! {
        static PANICS: Cell<bool> = const { Cell::new(false) };
    }
    fn shape() -> &'static Shape {
        assert!(!PANICS.get(), "of no shape");
        &Shape::Struct(Variant {
            name: "Simple",
            form: Form::Unit,
        })
    }
    let debug = Spec::DEBUG;
    let types = [Type::Derived(Derived(shape)), Type::U8];
    let in_order = vec![
        Piece::Value(0, debug),
        Piece::Literal(" "),
        Piece::Value(1, D),
    ];
    let mut out_of_order = in_order.clone();
    out_of_order.push(Piece::Value(0, debug));
    for (pieces, whole) in [(in_order, "Simple 7"), (out_of_order, "Simple 7Simple")] {
        let id = statement(pieces, &types);
        for layout in [Layout::Text(Text::new()), Layout::Json(Json::new())] {
            let mut format = Lines::new(layout, Arc::default());
            for panics in [false, true, false] {
                PANICS.set(panics);
                let line = line(&mut format, id, b"t", &[7]);
                PANICS.set(false);
                assert_eq!(line.contains("<incomplete record>"), panics, "{line}");
                assert_eq!(line.contains(whole), !panics, "{line}");
            }
        }
    }
}

/// A type of each kind, those that are made of others included.
const ALL_TYPES: &[Type] = {
    const VARIANT: Variant = Variant {
        name: "Filled",
        form: Form::Fields(&[
            Member {
                name: "price",
                ty: Type::Fixed,
            },
            Member {
                name: "lots",
                ty: Type::List(&Type::U16),
            },
        ]),
    };
    const SIMPLE: Variant = Variant {
        name: "Simple",
        form: Form::Unit,
    };
    const WRAPPED: Variant = Variant {
        name: "Wrapped",
        form: Form::Tuple(&[Type::Option(&Type::Tagged)]),
    };
    &[
        Type::Unit,
        Type::Bool,
        Type::Char,
        Type::I8,
        Type::I16,
        Type::I32,
        Type::I64,
        Type::I128,
        Type::U8,
        Type::U16,
        Type::U32,
        Type::U64,
        Type::U128,
        Type::F32,
        Type::F64,
        Type::Str,
        Type::Text,
        Type::Symbol,
        Type::Fixed,
        Type::Pointer,
        Type::Duration,
        Type::SystemTime,
        Type::Ipv4,
        Type::Ipv6,
        Type::Ip,
        Type::SocketV4,
        Type::SocketV6,
        Type::Socket,
        Type::Option(&Type::Str),
        Type::List(&Type::Char),
        Type::List(&Type::List(&Type::Bool)),
        Type::Set(&Type::Str),
        Type::Map(&(Type::Str, Type::Tagged)),
        Type::Tuple(&[Type::U8, Type::Str, Type::F32]),
        Type::Known(&Shape::Struct(VARIANT)),
        Type::Known(&Shape::Enum(&[SIMPLE, VARIANT, WRAPPED])),
        Type::ErrorChain,
        Type::Tagged,
    ]
};

#[test]
fn no_statement_and_no_bytes_make_anything_but_one_line_of_printable_text() {
    const STYLES: [Style; 11] = [
        Style::Display,
        Style::Debug,
        Style::DebugLowerHex,
        Style::DebugUpperHex,
        Style::LowerHex,
        Style::UpperHex,
        Style::Octal,
        Style::Binary,
        Style::LowerExp,
        Style::UpperExp,
        Style::Pointer,
    ];
    const COUNTS: [Count; 4] = [Count::Unset, Count::Is(0), Count::Is(9), Count::Value(1)];
    let mut random = Random::new(12);
    let layouts = [
        Layout::Text(Text::new()),
        Layout::Json(Json::new()),
        Layout::Logfmt(Logfmt::new()),
    ];
    let mut formats = layouts.map(|layout| Lines::new(layout, Arc::default()));
    for _ in 0..cases(3000) {
        let types: Vec<Type> = (0..random.below(6))
            .map(|_| ALL_TYPES[random.below(ALL_TYPES.len())])
            .collect();
        let in_order = random.next() % 2 == 0;
        let pieces = (0..random.below(8))
            .map(|index| match random.below(4) {
                0 => Piece::Literal(["", "literal", "a\nb", "{\u{202e}}"][random.below(4)]),
                _ => {
                    let spec = Spec {
                        fill: [' ', '🦀', '\n'][random.below(3)],
                        align: [Align::Unset, Align::Left, Align::Center, Align::Right]
                            [random.below(4)],
                        sign: [Sign::Unset, Sign::Plus, Sign::Minus][random.below(3)],
                        alternate: random.next() % 2 == 0,
                        zero: random.next() % 2 == 0,
                        width: COUNTS[random.below(4)],
                        precision: COUNTS[random.below(4)],
                        style: STYLES[random.below(STYLES.len())],
                    };
                    let spec = if random.next() % 2 == 0 { D } else { spec };
                    let index = if in_order { index } else { random.below(7) };
                    Piece::Value(index as u16, spec)
                }
            })
            .collect();
        let fields = (0..random.below(3))
            .map(|_| Field {
                name: ["px", "a b", "\u{202e}=", "msg"][random.below(4)],
                value: random.below(6) as u16,
                spec: [Spec::DISPLAY, Spec::DEBUG][random.below(2)],
            })
            .collect();
        let id = statement_of(
            "engine::risk",
            "src/engine/fills.rs",
            pieces,
            fields,
            &types,
        );
        for _ in 0..10 {
            // Bytes that mean something more often than any would: counts, lengths, tags.
            let bytes: Vec<u8> = (0..random.below(90))
                .map(|_| match random.below(4) {
                    0 => random.next() as u8,
                    1 => b"\n\x1b\x9b\xe2\x80\xae"[random.below(6)],
                    2 => random.below(60) as u8,
                    _ => random.below(4) as u8,
                })
                .collect();
            for (place, format) in formats.iter_mut().enumerate() {
                let text = line(format, id, &bytes[..bytes.len() / 4], &bytes);
                let (last, text) = (text.chars().last(), &text[..text.len() - 1]);
                assert_eq!(last, Some('\n'));
                assert!(!text.contains(char::is_control), "{text}");
                assert!(!text.contains('\u{202e}'), "{text}");
                if place == 1 {
                    let read: Result<serde_json::Value, _> = serde_json::from_str(text);
                    assert!(read.is_ok_and(|read| read.is_object()), "{text}");
                }
            }
        }
    }
}

#[test]
fn redaction_adds_no_step_to_a_statement_that_has_nothing_to_hide() {
    let pieces = vec![
        Piece::Literal("at "),
        Piece::Value(0, D),
        Piece::Literal("@"),
        Piece::Value(1, D),
    ];
    let id = statement(pieces, &[Type::Str, Type::F64]);
    let site = callsite::statement(id).unwrap();
    let layouts = || {
        [
            Layout::Text(Text::new()),
            Layout::Json(Json::new()),
            Layout::Logfmt(Logfmt::new()),
        ]
    };
    let steps = |redaction: Redaction| {
        let redaction = Arc::new(redaction);
        let lines = layouts().map(|layout| Lines::new(layout, redaction.clone()));
        lines.map(|lines| lines.compile(Subject::of(site)).steps())
    };
    let many = Redaction::new().fields((0..100).map(|number| format!("*secret_{number}")));
    assert_eq!(steps(many), steps(Redaction::none()));
}
