//! What each account holds, and whether it is too much.

use std::collections::HashMap;

use crate::book::Fill;
use crate::orders::Side;

/// The most lots that an account may be long or short.
pub const POSITION_LIMIT: i128 = 2_000;

/// An account that has gone over the limit, or has come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crossing {
    /// Whose position it is.
    pub account: u32,
    /// In lots; negative: short.
    pub position: i128,
    /// Whether it is over the limit now.
    pub breach: bool,
}

/// All positions.
#[derive(Debug, Default)]
pub struct Risk {
    /// Wide enough for any number of orders of any size.
    positions: HashMap<u32, i128>,
    breaches: u64,
}

impl Risk {
    /// All accounts hold nothing.
    pub fn new() -> Self {
        Risk::default()
    }

    /// Books a fill, and answers which of its two accounts crossed the limit. An account that trades
    /// with itself holds what it held.
    pub fn book(&mut self, fill: &Fill) -> [Option<Crossing>; 2] {
        if fill.maker_account == fill.taker_account {
            return [None, None];
        }
        let bought = match fill.taker_side {
            Side::Buy => i128::from(fill.quantity),
            Side::Sell => -i128::from(fill.quantity),
        };
        [
            self.change(fill.taker_account, bought),
            self.change(fill.maker_account, -bought),
        ]
    }

    /// How often an account went over the limit.
    pub fn breaches(&self) -> u64 {
        self.breaches
    }

    fn change(&mut self, account: u32, lots: i128) -> Option<Crossing> {
        let position = self.positions.entry(account).or_default();
        let before = is_over(*position);
        *position += lots;
        let breach = is_over(*position);
        if breach == before {
            return None;
        }
        self.breaches += u64::from(breach);
        Some(Crossing {
            account,
            position: *position,
            breach,
        })
    }
}

fn is_over(position: i128) -> bool {
    position.abs() > POSITION_LIMIT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::orders::Price;

    fn fill(taker_account: u32, taker_side: Side, quantity: u64) -> Fill {
        Fill {
            maker: 1,
            maker_account: 1,
            taker: 2,
            taker_account,
            taker_side,
            quantity,
            price: Price::from_ticks(1),
        }
    }

    #[test]
    fn a_breach_is_told_once_and_so_is_its_end() {
        let mut risk = Risk::new();
        let limit = POSITION_LIMIT as u64;
        assert_eq!(risk.book(&fill(2, Side::Sell, limit)), [None, None]);
        let over = |account, position, breach| {
            Some(Crossing {
                account,
                position,
                breach,
            })
        };
        assert_eq!(
            risk.book(&fill(2, Side::Sell, 1)),
            [
                over(2, -POSITION_LIMIT - 1, true),
                over(1, POSITION_LIMIT + 1, true)
            ]
        );
        assert_eq!(risk.book(&fill(2, Side::Sell, 1)), [None, None]);
        assert_eq!(
            risk.book(&fill(2, Side::Buy, 2)),
            [
                over(2, -POSITION_LIMIT, false),
                over(1, POSITION_LIMIT, false)
            ]
        );
        assert_eq!(risk.breaches(), 2);
    }

    #[test]
    fn trading_with_oneself_changes_no_position() {
        let mut risk = Risk::new();
        let twice = 2 * POSITION_LIMIT as u64;
        assert_eq!(risk.book(&fill(1, Side::Buy, twice)), [None, None]);
    }
}
