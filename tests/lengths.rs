//! Text of any length: whole up to the length of a record, and beyond it cut, marked and counted.

mod support;

use std::fmt::{self, Display};

use ringlog::sink::Memory;
use ringlog::{Builder, Level, Outcome, Overflow, RingLogger, info};
use support::{Books, LONG, Log};

/// The bytes of arguments that a record of 64 slots holds.
const MOST: usize = 3568;

/// A text that is stored as what formatting it gives.
struct Formatted<'a>(&'a str);

impl Display for Formatted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

fn blocking(lanes: usize) -> Builder {
    RingLogger::builder().lanes(lanes).overflow(Overflow::Block)
}

/// What was kept of a text, and how many bytes the mark behind it says are missing.
fn split_mark(text: &str) -> (&str, usize) {
    let Some((kept, mark)) = text.split_once("…(+") else {
        return (text, 0);
    };
    let missing = mark.strip_suffix(" bytes)").expect("a mark ends the text");
    (kept, missing.parse().expect("a mark has a number"))
}

/// The texts that one statement logs, as they come out.
fn logged(builder: Builder, log: impl Fn(&RingLogger) -> Outcome) -> (Vec<String>, u64) {
    let (books, memory) = (Books::new(), Memory::new());
    let logger = builder.sink(memory.clone()).build().unwrap();
    assert_eq!(books.note(Level::Info, log(&logger)), Outcome::Accepted);
    let report = logger.shutdown(LONG);
    books.check_report(&logger, &report);
    let log = Log::of(&memory);
    assert_eq!(log.lines.len(), 1, "{log:?}");
    let texts = log.lines[0].text.split('|').map(str::to_owned).collect();
    (texts, logger.stats().cut)
}

/// Every length through every kind of ring, stored as text and formatted at the call.
#[test]
fn every_length_is_whole_or_cut_and_marked() {
    let step = if cfg!(miri) { 97 } else { 1 };
    let lengths = || (0..MOST + 60).step_by(step);
    let alphabet: String = ('a'..='z').cycle().take(MOST + 60).collect();
    for lanes in [1, 0] {
        let (books, memory) = (Books::new(), Memory::new());
        let logger = blocking(lanes).sink(memory.clone()).build().unwrap();
        for length in lengths() {
            let text = &alphabet[..length];
            books.note(Level::Info, info!(logger: &logger, "{text}|"));
            let text = Formatted(text);
            books.note(Level::Info, info!(logger: &logger, "{text}|"));
        }
        let report = logger.shutdown(LONG);
        books.check_report(&logger, &report);
        let log = Log::of(&memory);
        let mut cut = 0;
        let mut texts = log.texts().into_iter();
        for length in lengths() {
            for _ in 0..2 {
                let text = texts.next().expect("two lines for each length");
                let (kept, missing) = split_mark(text.strip_suffix('|').unwrap());
                assert_eq!(kept.len() + missing, length, "lanes({lanes}): {text}");
                assert!(alphabet.starts_with(kept));
                // Some bytes say how long the text is, and in the shared ring whose it is.
                if length <= MOST - 16 {
                    assert_eq!(missing, 0);
                } else if length > MOST - 2 {
                    assert!(missing > 0);
                }
                assert!(missing == 0 || kept.len() > MOST - 20);
                cut += u64::from(missing > 0);
            }
        }
        assert!(texts.next().is_none());
        assert!(cut > 0);
        assert_eq!(logger.stats().cut, cut);
    }
}

#[test]
fn a_text_of_a_megabyte_is_cut_like_any_other() {
    let text = "y".repeat(1 << 20);
    for lanes in [1, 0] {
        for (texts, cut) in [
            logged(blocking(lanes), |logger| info!(logger: logger, "{text}")),
            logged(
                blocking(lanes),
                |logger| info!(logger: logger, "{}", Formatted(&text)),
            ),
        ] {
            let (kept, missing) = split_mark(&texts[0]);
            assert_eq!(kept.len() + missing, 1 << 20);
            assert_eq!(cut, 1);
        }
    }
}

#[test]
fn the_longest_texts_are_cut_to_the_same_length() {
    let (short, long, longer) = ("s".repeat(100), "l".repeat(3000), "m".repeat(5000));
    let (texts, cut) = logged(
        blocking(1),
        |logger| info!(logger: logger, "{long}|{}|{short}|{longer}|{}", 7, 'z'),
    );
    let (long, longer) = (split_mark(&texts[0]), split_mark(&texts[3]));
    assert_eq!(long.0.len(), longer.0.len());
    assert!(long.0.len() > 1650, "{} bytes kept", long.0.len());
    assert_eq!(long.1, 3000 - long.0.len());
    assert_eq!(longer.1, 5000 - longer.0.len());
    assert_eq!(texts[1], "7");
    assert_eq!(texts[2], short);
    assert_eq!(texts[4], "z");
    assert_eq!(cut, 1);
}

#[test]
fn a_short_text_is_not_cut_because_a_formatted_one_before_it_is_long() {
    let long = "l".repeat(5000);
    let (texts, cut) = logged(
        blocking(1),
        |logger| info!(logger: logger, "{}|{:?}|{}", Formatted(&long), Some(7), Formatted("short")),
    );
    assert!(split_mark(&texts[0]).1 > 0);
    assert_eq!(texts[1..], ["Some(7)", "short"]);
    assert_eq!(cut, 1);
}

/// Characters of two to four bytes, shifted so that the cut would fall on each of their bytes.
#[test]
fn a_cut_never_splits_a_character() {
    for character in ['é', '€', '🦀'] {
        for shift in 0..8 {
            let whole: String = "-".repeat(shift) + &character.to_string().repeat(2000);
            for formatted in [false, true] {
                let (texts, cut) = logged(blocking(1), |logger| {
                    if formatted {
                        info!(logger: logger, "{}", Formatted(&whole))
                    } else {
                        info!(logger: logger, "{whole}")
                    }
                });
                let (kept, missing) = split_mark(&texts[0]);
                assert!(whole.starts_with(kept), "{kept}");
                assert_eq!(kept.len() + missing, whole.len());
                assert!(kept.len() > MOST - 20);
                assert_eq!(cut, 1);
            }
        }
    }
}

#[test]
fn the_length_of_a_record_can_be_limited() {
    for slots in [1, 2, 3, 8, 64] {
        for lanes in [1, 0] {
            // 40 bytes in the first slot, 56 in each that follows.
            let most = 40 + (slots - 1) * 56;
            let text = "x".repeat(4000);
            let (texts, cut) = logged(
                blocking(lanes).max_record_slots(slots),
                |logger| info!(logger: logger, "{text}"),
            );
            let (kept, missing) = split_mark(&texts[0]);
            assert_eq!(kept.len() + missing, 4000);
            assert!(
                kept.len() <= most && kept.len() + 16 > most,
                "{}",
                kept.len()
            );
            assert_eq!(cut, 1);
        }
    }
}

#[test]
fn a_record_is_never_longer_than_a_quarter_of_the_smallest_ring() {
    let text = "x".repeat(4000);
    let small = blocking(1).lane_capacity(16).shared_capacity(1024);
    let (texts, cut) = logged(small, |logger| info!(logger: logger, "{text}"));
    let (kept, _) = split_mark(&texts[0]);
    assert!(
        kept.len() <= 40 + 3 * 56 && kept.len() > 150,
        "{}",
        kept.len()
    );
    assert_eq!(cut, 1);
}

/// Numbers cannot be cut: what does not fit is missing, and the line and the count say so.
#[test]
fn numbers_that_do_not_fit_are_marked_as_missing() {
    for lanes in [1, 0] {
        let (texts, cut) = logged(blocking(lanes).max_record_slots(1), |logger| {
            info!(
                logger: logger,
                "{}|{}|{}|{}|{}|{}|{}", 1_u64, 2_u64, 3_u64, 4_u64, 5_u64, 6_u64, 7_u64
            )
        });
        assert_eq!(texts[..4], ["1", "2", "3", "4"]);
        assert!(
            texts.last().unwrap().ends_with("<incomplete record>"),
            "{texts:?}"
        );
        assert!(texts.len() < 7);
        assert_eq!(cut, 1);
    }
}

#[test]
fn an_empty_text_is_a_text() {
    for lanes in [1, 0] {
        let (texts, cut) = logged(
            blocking(lanes),
            |logger| info!(logger: logger, "{}|{}|{}", "", String::new(), Formatted("")),
        );
        assert_eq!(texts, ["", "", ""]);
        assert_eq!(cut, 0);
    }
}

/// The text between the arguments is part of the program, and takes no room in the record.
#[test]
fn the_statement_itself_may_be_of_any_length() {
    let (texts, cut) = logged(blocking(1).max_record_slots(1), |logger| {
        info!(logger: logger, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
            bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\
            {}cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc", 1)
    });
    assert_eq!(texts[0].len(), 64 + 81 + 1 + 74);
    assert_eq!(cut, 0);
}
