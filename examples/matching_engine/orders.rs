//! Orders, and the strict CSV they come from.
//!
//! The first line of the input is [`HEADER`]; every other line is one order of six fields:
//!
//! ```text
//! action,id,account,side,quantity,price
//! limit,1,7,buy,300,101.25
//! market,2,9,sell,100,
//! cancel,1,7,,,
//! ```
//!
//! * `action`: `limit`, `market` or `cancel`. A cancel names the order by `id`, and the account that
//!   placed it; its last three fields are empty. A market order has no price.
//! * `id`: 0 to 2^64 - 1. `account`: 0 to 2^32 - 1.
//! * `side`: `buy` or `sell`.
//! * `quantity`: a whole number from 1 to [`MAX_QUANTITY`].
//! * `price`: above 0 and at most [`MAX_PRICE`], with up to four digits after the point; no sign, no
//!   exponent.
//!
//! There is no quoting, there are no comments, no blank lines, and no spaces around fields. Lines end
//! in `\n` or `\r\n`; the last one need not. A line that is anything else is [`Malformed`], and the
//! next line is read as if it had not been there.

use std::fmt;
use std::io::{self, BufRead};

use crate::support::lines::Lines;

/// The first line of an input.
pub const HEADER: &str = "action,id,account,side,quantity,price";

/// The most lots that one order can be for.
pub const MAX_QUANTITY: u64 = 1_000_000_000;

/// The highest price of a limit order.
pub const MAX_PRICE: Price = Price::from_ticks(1_000_000_000 * Price::TICKS_PER_UNIT);

/// Far more than an order needs. The rest of a longer line is skipped unread.
const LINE_LIMIT: usize = 256;

const FIELDS: usize = 6;

/// A price, as a whole number of ticks of 0.0001.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Price(i64);

impl Price {
    /// How many ticks are 1.
    pub const TICKS_PER_UNIT: i64 = 10_000;

    /// How many digits stand after the point.
    const DIGITS: usize = 4;

    /// The price of this many ticks.
    pub const fn from_ticks(ticks: i64) -> Self {
        Price(ticks)
    }

    /// This price in ticks.
    pub const fn ticks(self) -> i64 {
        self.0
    }

    /// What stands before the point.
    pub const fn units(self) -> i64 {
        self.0 / Price::TICKS_PER_UNIT
    }

    /// What stands after the point, in ticks.
    pub const fn fraction(self) -> i64 {
        self.0 % Price::TICKS_PER_UNIT
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let (units, fraction) = match text.iter().position(|&byte| byte == b'.') {
            None => (text, None),
            Some(point) => (&text[..point], Some(&text[point + 1..])),
        };
        let mut ticks = i64::try_from(whole_number(units)?)
            .ok()?
            .checked_mul(Price::TICKS_PER_UNIT)?;
        if let Some(digits) = fraction {
            let scale = Price::DIGITS.checked_sub(digits.len())?;
            let value = i64::try_from(whole_number(digits)?).ok()?;
            ticks = ticks.checked_add(value * 10_i64.pow(u32::try_from(scale).ok()?))?;
        }
        Some(Price(ticks)).filter(|&price| price > Price(0) && price <= MAX_PRICE)
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:04}", self.units(), self.fraction())
    }
}

/// Which way an order trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// For the lowest price.
    Buy,
    /// For the highest price.
    Sell,
}

impl Side {
    /// `"buy"` or `"sell"`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Side::Buy => "buy",
            Side::Sell => "sell",
        }
    }

    /// The side it trades with.
    pub const fn opposite(self) -> Side {
        match self {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        }
    }
}

/// What an account wants of the book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// The order's name. A cancel has the name of the order it cancels.
    pub id: u64,
    /// Who trades.
    pub account: u32,
    /// What is to be done.
    pub action: Action,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Trade at `price` or better, and let the rest of the quantity wait in the book.
    Limit {
        /// Which way.
        side: Side,
        /// How many lots.
        quantity: u64,
        /// The worst price that will do.
        price: Price,
    },
    /// Trade at whatever price there is; what cannot be traded at once is dropped.
    Market {
        /// Which way.
        side: Side,
        /// How many lots.
        quantity: u64,
    },
    /// Take the order out of the book.
    Cancel,
}

/// A line that is not an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The line, from 1; the header is line 1.
    pub line: u64,
    /// The byte within the line at which the fault begins, from 1.
    pub column: usize,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "line {}, column {}: {}",
            self.line, self.column, self.reason
        )
    }
}

/// The orders of a CSV input.
#[derive(Debug)]
pub struct OrderReader<R> {
    lines: Lines<R>,
    line: Vec<u8>,
    number: u64,
}

impl<R: BufRead> OrderReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    ///
    /// Those of the input; `InvalidData` if the first line is not the header.
    pub fn new(input: R) -> io::Result<Self> {
        let mut reader = OrderReader {
            lines: Lines::new(input, LINE_LIMIT),
            line: Vec::new(),
            number: 0,
        };
        let fault = match reader.next_line()? {
            Some(0) if reader.text() == HEADER.as_bytes() => return Ok(reader),
            Some(_) => format!("line 1, column 1: {} is not", shown(reader.text())),
            None => "it is empty; there must be".into(),
        };
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{fault} the header `{HEADER}`"),
        ))
    }

    /// The next order, or what is wrong with the next line. `None`: there are no more lines.
    ///
    /// # Errors
    ///
    /// Those of the input.
    pub fn next(&mut self) -> io::Result<Option<Result<Order, Malformed>>> {
        let Some(omitted) = self.next_line()? else {
            return Ok(None);
        };
        let order = if omitted == 0 {
            parse(self.text())
        } else {
            Err(Fault {
                column: LINE_LIMIT + 1,
                reason: format!("a line of more than {LINE_LIMIT} bytes is no order"),
            })
        };
        Ok(Some(order.map_err(|fault| Malformed {
            line: self.number,
            column: fault.column,
            reason: fault.reason,
        })))
    }

    fn next_line(&mut self) -> io::Result<Option<u64>> {
        let omitted = self.lines.read(&mut self.line)?;
        self.number += 1;
        Ok(omitted)
    }

    /// The line without its end.
    fn text(&self) -> &[u8] {
        self.line.strip_suffix(b"\r").unwrap_or(&self.line)
    }
}

/// What is wrong with a line, and where.
#[derive(Debug)]
struct Fault {
    column: usize,
    reason: String,
}

/// A part of a line between two commas.
#[derive(Clone, Copy, Default)]
struct Field<'a> {
    text: &'a [u8],
    column: usize,
}

impl Field<'_> {
    fn fault(self, what: impl fmt::Display) -> Fault {
        Fault {
            column: self.column,
            reason: format!("{} is not {what}", shown(self.text)),
        }
    }

    fn number<T: TryFrom<u64>>(self) -> Result<T, Fault> {
        let most = u128::MAX >> (128 - 8 * size_of::<T>());
        whole_number(self.text)
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| self.fault(format_args!("a whole number from 0 to {most}")))
    }

    fn side(self) -> Result<Side, Fault> {
        match self.text {
            b"buy" => Ok(Side::Buy),
            b"sell" => Ok(Side::Sell),
            _ => Err(self.fault("a side, which is `buy` or `sell`")),
        }
    }

    fn quantity(self) -> Result<u64, Fault> {
        whole_number(self.text)
            .filter(|quantity| (1..=MAX_QUANTITY).contains(quantity))
            .ok_or_else(|| {
                self.fault(format_args!(
                    "a quantity, which is a whole number from 1 to {MAX_QUANTITY}"
                ))
            })
    }

    fn price(self) -> Result<Price, Fault> {
        Price::parse(self.text).ok_or_else(|| {
            self.fault(format_args!(
                "a price, which is above 0, at most {MAX_PRICE}, and has up to {} digits after the point",
                Price::DIGITS
            ))
        })
    }

    fn empty(self, action: &str) -> Result<(), Fault> {
        if self.text.is_empty() {
            return Ok(());
        }
        Err(self.fault(format_args!("empty, as it must be for `{action}`")))
    }
}

/// A well-formed line is ASCII, so bytes will do, and invalid UTF-8 needs no case of its own.
fn parse(line: &[u8]) -> Result<Order, Fault> {
    let [action, id, account, rest @ ..] = fields(line)?;
    let read: fn([Field<'_>; 3]) -> Result<Action, Fault> = match action.text {
        b"limit" => limit,
        b"market" => market,
        b"cancel" => cancel,
        _ => return Err(action.fault("an action, which is `limit`, `market` or `cancel`")),
    };
    // From left to right, so that the fault that is told is the first.
    Ok(Order {
        id: id.number()?,
        account: account.number()?,
        action: read(rest)?,
    })
}

fn limit([side, quantity, price]: [Field<'_>; 3]) -> Result<Action, Fault> {
    Ok(Action::Limit {
        side: side.side()?,
        quantity: quantity.quantity()?,
        price: price.price()?,
    })
}

fn market([side, quantity, price]: [Field<'_>; 3]) -> Result<Action, Fault> {
    let action = Action::Market {
        side: side.side()?,
        quantity: quantity.quantity()?,
    };
    price.empty("market")?;
    Ok(action)
}

fn cancel(rest: [Field<'_>; 3]) -> Result<Action, Fault> {
    for field in rest {
        field.empty("cancel")?;
    }
    Ok(Action::Cancel)
}

fn fields(line: &[u8]) -> Result<[Field<'_>; FIELDS], Fault> {
    let mut fields = [Field::default(); FIELDS];
    let mut found = 0;
    let mut column = 1;
    for text in line.split(|&byte| byte == b',') {
        let Some(field) = fields.get_mut(found) else {
            return Err(Fault {
                column,
                reason: format!("there are more than {FIELDS} fields"),
            });
        };
        *field = Field { text, column };
        found += 1;
        column += text.len() + 1;
    }
    if found < FIELDS {
        return Err(Fault {
            column: line.len() + 1,
            reason: format!("the line ends after {found} of {FIELDS} fields"),
        });
    }
    Ok(fields)
}

/// Digits and nothing else, unlike [`str::parse`], which takes a `+`.
fn whole_number(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// Untrusted text for an error message: short, in one line, and ASCII.
fn shown(text: &[u8]) -> String {
    const MOST: usize = 32;
    let begin = &text[..text.len().min(MOST)];
    let more = if text.len() > MOST { "..." } else { "" };
    format!("`{}{more}`", begin.escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &[u8]) -> Vec<Result<Order, Malformed>> {
        let mut reader = OrderReader::new(input).unwrap();
        let mut all = Vec::new();
        while let Some(order) = reader.next().unwrap() {
            all.push(order);
        }
        all
    }

    /// What is wrong with a line that stands below the header, as line and column and reason.
    fn fault(line: &[u8]) -> String {
        let input = [HEADER.as_bytes(), b"\n", line, b"\n"].concat();
        let all = read(&input);
        assert_eq!(all.len(), 1, "{}", line.escape_ascii());
        all[0].as_ref().unwrap_err().to_string()
    }

    #[test]
    fn every_kind_of_order_is_read() {
        let input =
            format!("{HEADER}\nlimit,1,7,buy,300,101.25\nmarket,2,9,sell,100,\ncancel,1,7,,,");
        assert_eq!(
            read(input.as_bytes()),
            [
                Ok(Order {
                    id: 1,
                    account: 7,
                    action: Action::Limit {
                        side: Side::Buy,
                        quantity: 300,
                        price: Price::from_ticks(1_012_500),
                    },
                }),
                Ok(Order {
                    id: 2,
                    account: 9,
                    action: Action::Market {
                        side: Side::Sell,
                        quantity: 100,
                    },
                }),
                Ok(Order {
                    id: 1,
                    account: 7,
                    action: Action::Cancel,
                }),
            ]
        );
    }

    #[test]
    fn windows_line_ends_are_line_ends() {
        let unix = format!("{HEADER}\nlimit,1,7,buy,300,101.25\ncancel,1,7,,,\n");
        let windows = unix.replace('\n', "\r\n");
        assert_eq!(read(windows.as_bytes()), read(unix.as_bytes()));
        assert_eq!(read(windows.as_bytes()).len(), 2);
    }

    #[test]
    fn a_header_alone_is_no_orders() {
        assert_eq!(read(HEADER.as_bytes()), []);
        assert_eq!(read(format!("{HEADER}\r\n").as_bytes()), []);
    }

    #[test]
    fn an_input_without_the_header_is_refused() {
        for (input, reason) in [
            (&b""[..], "it is empty"),
            (b"\n", "column 1: `` is not the header"),
            (b"limit,1,7,buy,300,101.25\n", "column 1: `limit,1,7"),
            (b"\xff\xfe\0", "column 1: `\\xff\\xfe\\x00`"),
        ] {
            let error = OrderReader::new(input).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert!(error.to_string().contains(reason), "{error}");
        }
    }

    #[test]
    fn a_malformed_line_is_named_and_the_next_one_is_read() {
        let input = format!("{HEADER}\nlimit,1,7,buy,-5,101.25\ncancel,1,7,,,\n");
        let all = read(input.as_bytes());
        assert_eq!(
            all[0].as_ref().unwrap_err().to_string(),
            "line 2, column 15: `-5` is not a quantity, which is a whole number from 1 to 1000000000"
        );
        assert!(all[1].is_ok());
        assert_eq!(all.len(), 2);
    }

    #[test]
    fn faults_are_where_they_begin() {
        for (line, place) in [
            (&b""[..], "column 1: the line ends after 1 of 6 fields"),
            (
                b"limit,1,7,buy,5",
                "column 16: the line ends after 5 of 6 fields",
            ),
            (
                b"limit,1,7,buy,5,1,",
                "column 19: there are more than 6 fields",
            ),
            (b" limit,1,7,buy,5,1", "column 1: ` limit` is not an action"),
            (b"LIMIT,1,7,buy,5,1", "column 1: `LIMIT` is not an action"),
            (b"# a,,,,,", "column 1: `# a` is not an action"),
            (
                b"limit,18446744073709551616,7,buy,5,1",
                "column 7: `18446744073709551616` is not a whole number",
            ),
            (b"limit,,7,buy,5,1", "column 7: `` is not a whole number"),
            (
                b"limit,1,4294967296,buy,5,1",
                "column 9: `4294967296` is not a whole number",
            ),
            (b"limit,1,7,bye,5,1", "column 11: `bye` is not a side"),
            (b"limit,1,7,buy,0,1", "column 15: `0` is not a quantity"),
            (b"limit,1,7,buy,+5,1", "column 15: `+5` is not a quantity"),
            (
                b"limit,1,7,buy,1000000001,1",
                "column 15: `1000000001` is not a quantity",
            ),
            (
                b"limit,1,7,buy,99999999999999999999999999999999999,1",
                "column 15: `99999999999999999999999999999999...` is not a quantity",
            ),
            (
                b"limit,1,7,buy,5,\xff\xfe",
                "column 17: `\\xff\\xfe` is not a price",
            ),
            (b"market,1,7,buy,5,1", "column 18: `1` is not empty"),
            (b"cancel,1,7,buy,,", "column 12: `buy` is not empty"),
        ] {
            let fault = fault(line);
            assert!(
                fault.contains(&format!("line 2, {place}")),
                "{} gave {fault}",
                line.escape_ascii()
            );
        }
    }

    #[test]
    fn a_line_that_never_ends_takes_no_memory() {
        let mut input = format!("{HEADER}\n").into_bytes();
        input.resize(1 << 20, b'9');
        input.extend_from_slice(b"\ncancel,1,7,,,\n");
        let mut reader = OrderReader::new(&input[..]).unwrap();
        let fault = reader.next().unwrap().unwrap().unwrap_err();
        assert_eq!((fault.line, fault.column), (2, LINE_LIMIT + 1));
        assert!(reader.line.capacity() < 8 * LINE_LIMIT);
        assert!(reader.next().unwrap().unwrap().is_ok());
    }

    #[test]
    fn prices_are_exact() {
        for (text, ticks) in [
            ("1", 10_000),
            ("1.5", 15_000),
            ("0.0001", 1),
            ("000.0100", 100),
            ("1000000000", MAX_PRICE.ticks()),
            ("1000000000.0000", MAX_PRICE.ticks()),
        ] {
            assert_eq!(Price::parse(text.as_bytes()), Some(Price(ticks)), "{text}");
        }
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "0",
            "0.0000",
            "-1",
            "+1",
            "1e3",
            "1.00001",
            "1.2.3",
            "1,5",
            "1000000000.0001",
            "9223372036854775807",
            "99999999999999999999999999",
            "NaN",
            "inf",
            "1 ",
        ] {
            assert_eq!(Price::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_price_reads_back_as_it_was_written() {
        for ticks in [1, 9_999, 10_000, 1_012_500, MAX_PRICE.ticks()] {
            let text = Price(ticks).to_string();
            assert_eq!(Price::parse(text.as_bytes()), Some(Price(ticks)), "{text}");
        }
    }
}
