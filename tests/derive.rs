//! `#[derive(Record)]`: any shape of type is stored field by field, and shown as `Debug` shows it.

mod support;

use std::cell::Cell;
use std::fmt::Debug;
use std::marker::PhantomData;
use std::time::Duration;

use ringlog::{Fixed, Outcome, Record, Symbol, info};
use support::Said;

/// Logs with each specification of `{:?}`, and expects what `format!` makes of the same.
macro_rules! say {
    ($said:ident, $($value:expr),+ $(,)?) => {$(
        say!(@each $said $value, "{:?}" "{:#?}" "{:x?}" "{:#06X?}" "{:5?}" "{:<9.2?}" "{:+?}" "{:^#7?}");
    )+};
    (@each $said:ident $value:expr, $($spec:literal)+) => {{
        let value = &$value;
        $(
            let outcome = info!(logger: &$said.logger, $spec, value);
            assert_eq!(outcome, Outcome::Accepted);
            $said.expect(format!($spec, value));
        )+
    }};
}

#[derive(Clone, Copy, Debug, Record)]
enum Side {
    Buy,
    Sell = 1 << 3,
}

#[derive(Clone, Debug, Record)]
struct Order<'a> {
    pub id: u64,
    pub(crate) symbol: Symbol,
    r#type: Side,
    price: Fixed,
    quantity: Option<u32>,
    note: &'a str,
    tags: Vec<String>,
}

#[derive(Debug, Record)]
struct Px(f64);

#[derive(Debug, Record)]
struct Pair<A, B = A>(A, pub(crate) B);

#[derive(Debug, Record)]
struct Nothing;

#[derive(Debug, Record)]
struct Empty {}

#[derive(Debug, Record)]
struct EmptyTuple();

#[derive(Debug, Record)]
enum Event<'a, T: Debug, const N: usize>
where
    T: Clone,
{
    Tick,
    Px(Px),
    Fill { order: Order<'a>, left: [T; N] },
    Pair(T, (u8, u16)),
    Deep(Result<Box<T>, &'static str>),
}

fn order() -> Order<'static> {
    Order {
        id: 7,
        symbol: Symbol::literal("ESZ6"),
        r#type: Side::Sell,
        price: Fixed::new(451_225, -2),
        quantity: Some(5),
        note: "a \"quoted\" note",
        tags: vec!["x".into(), "y\nz".into()],
    }
}

#[test]
fn structs_of_every_form_are_shown_as_debug_shows_them() {
    let said = Said::new();
    say!(
        said,
        order(),
        Px(1.5),
        Pair(1, 2),
        Pair("a", 'b'),
        Pair(Px(0.1), Pair((), Nothing))
    );
    say!(
        said,
        Nothing,
        Empty {},
        EmptyTuple(),
        [Px(1.0), Px(-2.5)],
        Some(order())
    );
    say!(said, vec![Pair(1_u8, vec![2_u8, 255])], (Nothing, Empty {}));
    said.check();
}

#[test]
fn enums_of_every_form_are_shown_as_debug_shows_them() {
    let said = Said::new();
    say!(said, Side::Buy, Side::Sell, [Side::Buy, Side::Sell]);
    let events: Vec<Event<'_, u16, 3>> = vec![
        Event::Tick,
        Event::Px(Px(f64::NAN)),
        Event::Fill {
            order: order(),
            left: [1, 2, 3],
        },
        Event::Pair(1, (2, 3)),
        Event::Deep(Ok(Box::new(5))),
        Event::Deep(Err("bad")),
    ];
    for event in &events {
        say!(said, event);
    }
    say!(said, events);
    said.check();
}

#[test]
fn a_generic_function_can_ask_for_a_type_that_is_stored() {
    fn log<T: Record + Debug>(said: &Said, value: T) {
        say!(said, value, [&value], Some(&value));
    }

    let said = Said::new();
    log(&said, 5);
    log(&said, "text");
    log(&said, Pair(1, "x"));
    log(&said, order());
    said.check();
}

#[test]
fn a_type_may_contain_itself() {
    #[derive(Debug, Record)]
    struct Node {
        value: u32,
        next: Option<Box<Node>>,
        children: Vec<Self>,
    }

    #[derive(Debug, Record)]
    enum Expression {
        Number(i64),
        Sum(Box<Expression>, Box<Expression>),
    }

    // Each contains the other, which only the program knows.
    #[derive(Debug, Record)]
    #[record(recursive)]
    struct File {
        folder: Option<Box<Folder>>,
    }

    #[derive(Debug, Record)]
    struct Folder {
        files: Vec<File>,
    }

    let leaf = |value| Node {
        value,
        next: None,
        children: vec![],
    };
    let node = Node {
        value: 1,
        next: Some(Box::new(leaf(2))),
        children: vec![leaf(3), leaf(4)],
    };
    let number = |number| Box::new(Expression::Number(number));
    let sum = Expression::Sum(number(1), Box::new(Expression::Sum(number(2), number(-3))));
    let folder = Folder {
        files: vec![File {
            folder: Some(Box::new(Folder {
                files: vec![File { folder: None }],
            })),
        }],
    };
    let said = Said::new();
    say!(said, node, sum, folder);
    said.check();
}

#[test]
fn a_type_that_contains_itself_many_times_is_shown_whole() {
    #[derive(Debug, Record)]
    struct List(u8, Option<Box<List>>);

    let mut list = List(0, None);
    for value in 1..90 {
        list = List(value, Some(Box::new(list)));
    }
    let said = Said::new();
    say!(said, list);
    said.check();
}

#[test]
fn a_field_can_be_left_out_or_stored_as_something_else() {
    fn micros(duration: &Duration) -> u64 {
        duration.as_micros() as u64
    }

    // The functions take what the fields are.
    #[allow(clippy::ptr_arg)]
    mod convert {
        pub fn first_word(text: &String) -> &str {
            text.split(' ').next().unwrap_or_default()
        }

        pub fn length<T>(list: &Vec<T>) -> usize {
            list.len()
        }
    }

    struct Secret;

    #[derive(Record)]
    struct Session<T> {
        user: u32,
        #[record(skip)]
        #[allow(dead_code)]
        secret: Secret,
        #[record(with = "micros")]
        latency: Duration,
        #[record(with = "convert::first_word")]
        name: String,
        #[record(with = "convert::length")]
        items: Vec<T>,
        #[record(skip)]
        _kind: PhantomData<T>,
    }

    #[derive(Record)]
    enum State {
        Waiting(#[record(skip)] Secret, u8),
        Failed {
            #[record(with = "micros")]
            after: Duration,
        },
        Hidden(#[record(skip)] Secret),
    }

    // What the derive would do, were the fields what is stored.
    mod shown {
        #[derive(Debug)]
        #[allow(dead_code)]
        pub struct Session {
            pub user: u32,
            pub latency: u64,
            pub name: &'static str,
            pub items: usize,
        }

        #[derive(Debug)]
        #[allow(dead_code)]
        pub enum State {
            Waiting(u8),
            Failed { after: u64 },
            Hidden,
        }
    }

    impl<T> Debug for Session<T> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            let shown = shown::Session {
                user: self.user,
                latency: micros(&self.latency),
                name: "first",
                items: self.items.len(),
            };
            shown.fmt(f)
        }
    }

    impl Debug for State {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            let shown = match self {
                State::Waiting(_, byte) => shown::State::Waiting(*byte),
                State::Failed { after } => shown::State::Failed {
                    after: micros(after),
                },
                State::Hidden(_) => shown::State::Hidden,
            };
            shown.fmt(f)
        }
    }

    let said = Said::new();
    let session = Session {
        user: 3,
        secret: Secret,
        latency: Duration::from_micros(1500),
        name: "first second".into(),
        items: vec![1_u8, 2, 3],
        _kind: PhantomData,
    };
    say!(said, session, [Some(&session)]);
    say!(said, State::Waiting(Secret, 5), State::Hidden(Secret));
    say!(
        said,
        State::Failed {
            after: Duration::from_millis(2)
        }
    );
    said.check();
}

/// Were it formatted at the call, it would be as `Debug` says.
#[test]
fn a_derived_type_is_stored_and_not_formatted_at_the_call() {
    thread_local!(static FORMATTED: Cell<u32> = const { Cell::new(0) });

    #[derive(Record)]
    struct Counted(u8);

    impl Debug for Counted {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            FORMATTED.set(FORMATTED.get() + 1);
            f.write_str("formatted")
        }
    }

    impl std::fmt::Display for Counted {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "displayed {}", self.0)
        }
    }

    let said = Said::new();
    let _ =
        info!(logger: &said.logger, "{:?} {:#?} {:?}", Counted(1), Some(Counted(2)), [Counted(3)]);
    let _ = info!(logger: &said.logger, "{}", Counted(4));
    assert_eq!(FORMATTED.get(), 0);
    said.expect("Counted(1) Some(\n    Counted(\n        2,\n    ),\n) [Counted(3)]".into());
    said.expect("displayed 4".into());
    said.check();
}

#[test]
fn a_packed_struct_is_stored_like_any_other() {
    #[derive(Clone, Copy, Debug, Record)]
    #[repr(C, packed)]
    struct Message {
        kind: u8,
        price: i64,
        size: u32,
    }

    let said = Said::new();
    say!(
        said,
        Message {
            kind: 1,
            price: -5,
            size: 7
        }
    );
    said.check();
}

/// The derive writes no `unsafe`.
#[forbid(unsafe_code)]
mod without_unsafe {
    #[derive(Debug, ringlog::Record)]
    pub enum Reading {
        Level(u8),
        Point { x: f32, y: f32 },
    }
}

#[test]
fn a_type_can_be_derived_where_unsafe_code_is_forbidden() {
    use without_unsafe::Reading;

    let said = Said::new();
    say!(
        said,
        [Reading::Level(3), Reading::Point { x: 0.5, y: -0.0 }]
    );
    said.check();
}
