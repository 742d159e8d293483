//! Fields in front of the message, in the syntax of `tracing` and in that of `log`.

mod support;

use std::cell::RefCell;
use std::fmt;

use ringlog::sink::Memory;
use ringlog::{Level, LevelFilter, Outcome, RingLogger, debug, info, rlog};
use support::{LONG, Log};

/// What one statement logs.
struct Said {
    logger: RingLogger,
    memory: Memory,
}

impl Said {
    fn new() -> Self {
        let memory = Memory::new();
        Said {
            logger: RingLogger::builder()
                .level(LevelFilter::Trace)
                .sink(memory.clone())
                .build()
                .unwrap(),
            memory,
        }
    }

    #[track_caller]
    fn text(self) -> String {
        assert_eq!(self.logger.shutdown(LONG).written, 1);
        Log::of(&self.memory).texts()[0].to_owned()
    }
}

macro_rules! said {
    ($($arguments:tt)+) => {{
        let said = Said::new();
        assert_eq!(info!(logger: &said.logger, $($arguments)+), Outcome::Accepted);
        said.text()
    }};
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Side {
    Buy,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("buy side")
    }
}

/// Only `Debug`.
#[derive(Debug)]
struct Kind;

struct User {
    name: &'static str,
    id: u32,
}

#[test]
fn the_syntax_of_tracing_is_understood() {
    let (order_id, p, n, qty) = (17_u64, 101.25, "ann", 3);
    let (side, kind) = (Side::Buy, Kind);
    let user = User { name: n, id: 5 };
    assert_eq!(
        said!(order_id, px = p, %side, ?kind, user.name = n, "filled {qty} lots"),
        r#"filled 3 lots order_id=17 px=101.25 side="buy side" kind=Kind user.name=ann"#
    );
    assert_eq!(said!(order_id, "text",), "text order_id=17");
    assert_eq!(
        said!(user.id, user.name, %user.id, "path"),
        "path user.id=5 user.name=ann user.id=5"
    );
    assert_eq!(
        said!(a = ?side, b = %side, c = side, "sigils"),
        r#"sigils a=Buy b="buy side" c="buy side""#
    );
    assert_eq!(
        said!("request id" = 7, "x-y" = "z", "literal names"),
        "literal names request_id=7 x-y=z"
    );
    const NAME: &str = "constant";
    assert_eq!(said!({ NAME } = 1, "named"), "named constant=1");
    assert_eq!(
        said!({ order_id, px = p, %side, ?kind, user.name = n, }, "filled {qty} {}", "lots"),
        r#"filled 3 lots order_id=17 px=101.25 side="buy side" kind=Kind user.name=ann"#
    );
    assert_eq!(said!({ order_id }), "order_id=17");
    assert_eq!(said!({ { NAME } = 1 }, "named"), "named constant=1");
    assert_eq!(
        said!(r#type = 1, match = 2, "keywords"),
        "keywords type=1 match=2"
    );
}

#[test]
fn the_syntax_of_log_is_understood() {
    let (order_id, p, qty) = (17_u64, 101.25, 3);
    let (side, kind) = (Side::Buy, Kind);
    assert_eq!(
        said!(order_id, px = p; "filled {qty} lots"),
        "filled 3 lots order_id=17 px=101.25"
    );
    assert_eq!(
        said!(side:%, kind:?, a:? = side, b:% = side; "sigils {}", 1),
        r#"sigils 1 side="buy side" kind=Kind a=Buy b="buy side""#
    );
    let error = "x".parse::<u8>().unwrap_err();
    assert_eq!(
        said!(side:display, kind:debug, error:err; "words"),
        r#"words side="buy side" kind=Kind error="invalid digit found in string""#
    );
    assert_eq!(
        said!(target: "engine", order_id, px = p; "with a target"),
        "with a target order_id=17 px=101.25"
    );
    assert_eq!(
        said!(user.name = 1, self_trade = false,; "dots"),
        "dots user.name=1 self_trade=false"
    );
    assert_eq!(
        said!("name" = 1, "b":? = 2; "literals"),
        "literals name=1 b=2"
    );
}

#[test]
fn a_statement_may_have_fields_only() {
    let (a, b) = (1, "two words");
    assert_eq!(said!(a), "a=1");
    assert_eq!(said!(a, b, c = 'x'), r#"a=1 b="two words" c=x"#);
    assert_eq!(said!(?b), r#"b="\"two words\"""#);
}

#[test]
fn fields_and_options_stand_in_any_order() {
    let said = Said::new();
    let a = 1;
    let outcome = rlog!(target: "t", Level::Warn, a, logger: &said.logger, b = 2, "text {}", 3);
    assert_eq!(outcome, Outcome::Accepted);
    assert_eq!(said.text(), "text 3 a=1 b=2");
}

#[test]
fn a_plain_field_is_shown_as_display_does_and_else_as_debug_does() {
    assert_eq!(
        said!(
            a = 1_u8,
            b = -2_i128,
            c = 1.5_f32,
            d = true,
            e = 'é',
            f = "s",
            g = (),
            "typed"
        ),
        "typed a=1 b=-2 c=1.5 d=true e=é f=s g=() ".trim_end()
    );
    assert_eq!(
        said!(
            a = String::from("x"),
            b = &&"y",
            c = Box::new(Side::Buy),
            d = Some(Kind),
            "any"
        ),
        r#"any a=x b=y c="buy side" d=Some(Kind)"#
    );
}

#[test]
fn what_a_field_says_is_one_value_whatever_it_is() {
    assert_eq!(
        said!(
            a = "",
            b = " ",
            c = "=",
            d = "\"",
            e = "\\",
            f = "\\ ",
            "quotes"
        ),
        r#"quotes a="" b=" " c="=" d="\"" e=\ f="\\ ""#
    );
    assert_eq!(
        said!(a = "x\ny", b = '\x1b', c = '"', d = %"\u{202e}", e = ?"\n", "dangers"),
        r#"dangers a="x\ny" b="\u001b" c="\"" d="\u202e" e="\"\\n\"""#
    );
}

#[test]
fn a_long_field_is_cut_and_quoted_for_the_mark_of_the_cut() {
    let long = "x".repeat(10_000);
    let text = said!(a = long, b = 1, "cut");
    let (a, b) = text.rsplit_once(' ').unwrap();
    assert_eq!(b, "b=1");
    let a = a.strip_prefix("cut a=\"xxx").unwrap();
    assert!(a.ends_with(" bytes)\""), "{a}");
}

#[test]
fn fields_are_evaluated_in_order_once_and_only_if_they_are_wanted() {
    let said = Said::new();
    let seen = RefCell::new(Vec::new());
    let see = |number: u32| {
        seen.borrow_mut().push(number);
        number
    };
    said.logger.set_level(Level::Info);
    debug!(logger: &said.logger, a = see(0), "{}", see(0));
    assert!(seen.borrow().is_empty());
    info!(logger: &said.logger, a = see(1), b = ?see(2), "{} {y}", see(3), y = see(4));
    assert_eq!(*seen.borrow(), [1, 2, 3, 4]);
    assert_eq!(said.text(), "3 4 a=1 b=2");
}

#[test]
fn a_message_that_refers_to_widths_or_shows_values_out_of_order_keeps_its_fields() {
    let (width, x) = (6_usize, 7);
    assert_eq!(
        said!(x, s = "a b", c = 'c', "{:>width$}|{1} {0} {1:?}", 1, 2),
        r#"     1|2 1 2 x=7 s="a b" c=c"#
    );
}

#[test]
fn fields_do_not_see_the_macro_and_may_be_any_expression() {
    let (arguments, logger, writer, values) = (1, 2, 3, 4);
    assert_eq!(
        said!(
            arguments,
            logger,
            writer,
            values,
            a = if values < 5 { "less" } else { "more" },
            b = Vec::<(u8, u8)>::new().len(),
            c = [1, 2].iter().map(|x| x + 1).sum::<i32>(),
            d = arguments == 1,
            "any"
        ),
        "any arguments=1 logger=2 writer=3 values=4 a=less b=0 c=5 d=true"
    );
}
