//! Values that are too long for a record are cut to whole elements, marked, and counted.

mod support;

use std::collections::BTreeMap;
use std::fmt;

use ringlog::sink::Memory;
use ringlog::{Builder, Level, Outcome, Overflow, Record, RingLogger, error_chain, info};
use support::{Books, LONG, Log};

/// The text that one statement logs, and how many records were counted as cut.
#[track_caller]
fn logged(builder: Builder, log: impl Fn(&RingLogger) -> Outcome) -> (String, u64) {
    let (books, memory) = (Books::new(), Memory::new());
    let logger = builder.sink(memory.clone()).build().unwrap();
    assert_eq!(books.note(Level::Info, log(&logger)), Outcome::Accepted);
    let report = logger.shutdown(LONG);
    books.check_report(&logger, &report);
    let log = Log::of(&memory);
    assert_eq!(log.lines.len(), 1, "{log:?}");
    (log.lines[0].text.clone(), logger.stats().cut)
}

fn blocking(lanes: usize) -> Builder {
    RingLogger::builder().lanes(lanes).overflow(Overflow::Block)
}

/// How many elements a list shows, and how many its mark says are missing.
#[track_caller]
fn shown_and_missing(list: &str) -> (usize, usize) {
    let inside = list
        .strip_prefix(['[', '{'])
        .and_then(|list| list.strip_suffix([']', '}']))
        .unwrap_or_else(|| panic!("not a list: {list}"));
    let (shown, missing) = match inside.split_once("… ") {
        Some((shown, mark)) => (shown, mark.strip_suffix(" more").unwrap().parse().unwrap()),
        None => (inside, 0),
    };
    let shown = shown.split(", ").filter(|element| !element.is_empty());
    (shown.count(), missing)
}

/// Every length through every kind of ring: whole, or cut to what fits.
#[test]
fn a_list_of_every_length_is_whole_or_cut_and_marked() {
    // A record of 64 slots holds 3568 bytes, of which 2 are the count, and 8 the thread's.
    let most = (3568 - 2) / 8;
    let step = if cfg!(miri) { 97 } else { 1 };
    let numbers: Vec<u64> = (0..600).collect();
    for lanes in [1, 0] {
        let memory = Memory::new();
        let logger = blocking(lanes).sink(memory.clone()).build().unwrap();
        for length in (0..600).step_by(step) {
            assert_eq!(
                info!(logger: &logger, "{:?}", &numbers[..length]),
                Outcome::Accepted
            );
        }
        logger.shutdown(LONG);
        let log = Log::of(&memory);
        let mut cut = 0;
        for (text, length) in log.texts().into_iter().zip((0..600).step_by(step)) {
            let (shown, missing) = shown_and_missing(text);
            assert_eq!(shown + missing, length);
            if missing > 0 {
                assert!(shown >= most - 2, "{shown} of {length} shown");
                cut += 1;
            } else {
                assert_eq!(text, format!("{:?}", &numbers[..length]));
                assert!(length <= most);
            }
        }
        assert!(cut > 0);
        assert_eq!(logger.stats().cut, cut);
    }
}

#[test]
fn a_list_of_a_million_elements_is_cut_without_being_walked() {
    let numbers = vec![7_u32; 1_000_000];
    let texts = vec![String::from("some text"); 100_000];
    let units = vec![(); 100_000];
    for (text, length, least) in [
        (
            logged(blocking(1), |logger| info!(logger: logger, "{numbers:?}")),
            1_000_000,
            880,
        ),
        (
            logged(blocking(1), |logger| info!(logger: logger, "{texts:?}")),
            100_000,
            300,
        ),
        (
            logged(blocking(0), |logger| info!(logger: logger, "{units:?}")),
            100_000,
            30_000,
        ),
    ] {
        let (shown, missing) = shown_and_missing(&text.0);
        assert_eq!(shown + missing, length);
        assert!(shown > least, "{shown} shown");
        assert_eq!(text.1, 1);
    }
}

#[test]
fn what_stands_beside_a_long_list_is_whole() {
    #[derive(Debug, Record)]
    struct Batch {
        id: u64,
        numbers: Vec<u16>,
        name: &'static str,
        prices: Vec<f64>,
    }

    let batch = Batch {
        id: 7,
        numbers: (0..5000).collect(),
        name: "whole",
        prices: vec![1.5; 3],
    };
    let (text, cut) = logged(
        blocking(1),
        |logger| info!(logger: logger, "{batch:?} {}", 9),
    );
    assert!(
        text.starts_with("Batch { id: 7, numbers: [0, 1, 2, 3, "),
        "{text}"
    );
    assert!(
        text.ends_with(" more], name: \"whole\", prices: [1.5, 1.5, 1.5] } 9"),
        "{text}"
    );
    assert_eq!(cut, 1);
}

#[test]
fn a_long_element_is_cut_itself_rather_than_left_out() {
    let texts = vec!["long ".repeat(2000), "short".into()];
    let (text, cut) = logged(blocking(1), |logger| info!(logger: logger, "{texts:?}"));
    assert!(text.starts_with("[\"long long long "), "{text}");
    assert!(text.contains("…(+"), "{text}");
    assert!(text.ends_with(", \"short\"]"), "{text}");
    assert!(text.len() > 1500);
    assert_eq!(cut, 1);
}

#[test]
fn lists_in_lists_and_maps_are_cut_to_whole_elements() {
    let lists: Vec<Vec<u32>> = (0..100).map(|length| vec![length; 50]).collect();
    let (text, _) = logged(blocking(1), |logger| info!(logger: logger, "{lists:?}"));
    let rows = text.matches("[").count() - 1;
    assert!(rows >= 16, "{text}");
    assert!(
        text.ends_with(&format!("], … {} more]", 100 - rows)),
        "{text}"
    );

    let map: BTreeMap<u32, String> = (0..1000).map(|key| (key, format!("value {key}"))).collect();
    let (text, cut) = logged(blocking(1), |logger| info!(logger: logger, "{map:?}"));
    let (shown, missing) = shown_and_missing(&text);
    assert_eq!(shown + missing, 1000);
    assert!(
        text.starts_with("{0: \"value 0\", 1: \"value 1\", "),
        "{text}"
    );
    assert_eq!(cut, 1);
}

#[test]
fn a_cut_list_says_so_on_a_line_of_its_own_where_each_element_has_one() {
    let numbers = [1_u8; 4000];
    let (text, _) = logged(blocking(1), |logger| info!(logger: logger, "{numbers:#?}"));
    let shown = text.matches("    1,").count();
    assert!(text.ends_with(&format!("\\n    … {} more,\\n]", 4000 - shown)));
}

/// With records of one slot, hardly anything has room; nothing of it may do harm.
#[test]
fn any_value_fits_some_way_into_the_smallest_record() {
    #[derive(Debug, Record)]
    enum Tree {
        Leaf,
        Node(Vec<Tree>, Option<Box<Tree>>),
    }
    let tree = Tree::Node(
        vec![Tree::Leaf, Tree::Node(vec![], None)],
        Some(Box::new(Tree::Node(
            (0..100).map(|_| Tree::Leaf).collect(),
            None,
        ))),
    );
    let wide = (1_u128, [2_u64; 3], "text", [3_u128; 2]);
    for lanes in [1, 0] {
        let small = || blocking(lanes).max_record_slots(1);
        let (text, cut) = logged(
            small(),
            |logger| info!(logger: logger, "{:?}", vec![1_u64; 100]),
        );
        let (shown, missing) = shown_and_missing(&text);
        assert!(shown >= 2 && shown + missing == 100);
        assert_eq!(cut, 1);
        let (text, cut) = logged(small(), |logger| info!(logger: logger, "{wide:?}"));
        assert!(
            text.starts_with('(') || text.contains("<incomplete record>"),
            "{text}"
        );
        assert_eq!(cut, 1);
        let (text, cut) = logged(small(), |logger| info!(logger: logger, "{tree:?}"));
        assert!(
            text.starts_with("Node([") || text.contains("<incomplete record>"),
            "{text}"
        );
        assert_eq!(cut, 1);
    }
}

#[test]
fn a_value_that_is_made_at_the_call_is_cut_too() {
    #[derive(Record)]
    struct Report {
        id: u8,
        #[record(with = "words")]
        text: String,
        end: u8,
    }

    #[allow(clippy::ptr_arg)]
    fn words(text: &String) -> Vec<&str> {
        text.split(' ').collect()
    }

    impl fmt::Debug for Report {
        fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
            unreachable!("it is stored")
        }
    }

    let report = Report {
        id: 1,
        text: "word ".repeat(3000),
        end: 2,
    };
    let (text, cut) = logged(
        blocking(1),
        |logger| info!(logger: logger, "{report:?} {} {}", format_args!("{}", "other"), "last"),
    );
    assert!(
        text.starts_with("Report { id: 1, text: [\"word\", \"word\", "),
        "{text}"
    );
    assert!(text.ends_with(" more], end: 2 } other last"), "{text}");
    assert_eq!(cut, 1);
}

#[derive(Debug)]
struct Layer(u32, Option<Box<Layer>>);

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "layer {}", self.0)
    }
}

impl std::error::Error for Layer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.1.as_deref().map(|layer| layer as _)
    }
}

#[test]
fn an_error_is_logged_with_all_its_sources() {
    let error = Layer(1, Some(Box::new(Layer(2, Some(Box::new(Layer(3, None)))))));
    let chain = error_chain(&error);
    for (text, expected) in [
        (
            logged(blocking(1), |logger| info!(logger: logger, "{chain} {}", 1)),
            format!("{chain} 1"),
        ),
        (
            logged(blocking(0), |logger| info!(logger: logger, "{chain:?}")),
            format!("{chain:?}"),
        ),
        (
            logged(
                blocking(1),
                |logger| info!(logger: logger, "{:?}", Some(chain)),
            ),
            format!("{:?}", Some(chain)),
        ),
        (
            logged(
                blocking(1),
                |logger| info!(logger: logger, error = chain, "failed"),
            ),
            format!("failed error=\"{chain}\""),
        ),
    ] {
        assert_eq!(text, (expected, 0));
    }
    assert_eq!(chain.to_string(), "layer 1: layer 2: layer 3");
}

#[test]
fn a_long_chain_of_errors_is_cut_to_whole_errors() {
    let mut error = Layer(0, None);
    for number in 1..60 {
        error = Layer(number, Some(Box::new(error)));
    }
    let small = blocking(1).max_record_slots(4);
    let (text, cut) = logged(
        small,
        |logger| info!(logger: logger, "{} {}", error_chain(&error), 7),
    );
    assert!(text.starts_with("layer 59: layer 58: "), "{text}");
    assert!(text.contains(": … "), "{text}");
    assert!(text.ends_with(" more 7"), "{text}");
    assert_eq!(cut, 1);
}
