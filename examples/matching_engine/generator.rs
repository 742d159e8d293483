//! A made-up market: orders around a price that wanders.

use crate::orders::{Action, Order, Price, Side};

/// One hundredth, in ticks.
const CENT: i64 = Price::TICKS_PER_UNIT / 100;

/// Where the price stays.
const LOWEST: i64 = 50 * Price::TICKS_PER_UNIT;
const HIGHEST: i64 = 150 * Price::TICKS_PER_UNIT;

/// How many accounts trade.
const ACCOUNTS: u64 = 16;

/// An endless stream of orders that is the same for the same seed: seven in ten are limit orders
/// close to the middle, one is a market order, and two cancel a recent order, traded or not.
#[derive(Debug)]
pub struct Generator {
    random: Random,
    next_id: u64,
    middle: i64,
}

impl Generator {
    /// A stream that depends on `seed` only.
    pub fn new(seed: u64) -> Self {
        Generator {
            random: Random(seed),
            next_id: 1,
            middle: (LOWEST + HIGHEST) / 2,
        }
    }

    fn account_of(id: u64) -> u32 {
        // Orders come from the accounts in no particular order, but a cancel must know whose it is.
        (Random(id).next() % ACCOUNTS) as u32
    }
}

impl Iterator for Generator {
    type Item = Order;

    fn next(&mut self) -> Option<Order> {
        let step = self.random.below(3) as i64 - 1;
        self.middle = (self.middle + step * CENT).clamp(LOWEST, HIGHEST);

        let kind = self.random.below(10);
        if kind < 2 && self.next_id > 1 {
            let age = self.random.below(1000.min(self.next_id - 1));
            let id = self.next_id - 1 - age;
            return Some(Order {
                id,
                account: Generator::account_of(id),
                action: Action::Cancel,
            });
        }

        let id = self.next_id;
        self.next_id += 1;
        let side = if self.random.below(2) == 0 {
            Side::Buy
        } else {
            Side::Sell
        };
        let quantity = 1 + self.random.below(100);
        let action = if kind < 3 {
            Action::Market { side, quantity }
        } else {
            // Up to 4 cents beyond the middle, where it trades, and up to 15 short of it.
            let towards = (4 - self.random.below(20) as i64) * CENT;
            let price = match side {
                Side::Buy => self.middle + towards,
                Side::Sell => self.middle - towards,
            };
            Action::Limit {
                side,
                quantity,
                price: Price::from_ticks(price),
            }
        };
        Some(Order {
            id,
            account: Generator::account_of(id),
            action,
        })
    }
}

/// SplitMix64.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_gives_the_same_orders() {
        let orders = |seed| Generator::new(seed).take(1000).collect::<Vec<_>>();
        assert_eq!(orders(1), orders(1));
        assert_ne!(orders(1), orders(2));
    }

    #[test]
    fn the_market_has_orders_of_every_kind() {
        let orders: Vec<Order> = Generator::new(42).take(10_000).collect();
        let count =
            |is: fn(&Action) -> bool| orders.iter().filter(|order| is(&order.action)).count();
        let limits = count(|action| matches!(action, Action::Limit { .. }));
        let markets = count(|action| matches!(action, Action::Market { .. }));
        let cancels = count(|action| matches!(action, Action::Cancel));
        assert!((6500..7500).contains(&limits), "{limits}");
        assert!((800..1200).contains(&markets), "{markets}");
        assert!((1800..2200).contains(&cancels), "{cancels}");
    }
}
