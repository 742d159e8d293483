//! A limit order book with price-time priority.
//!
//! An order that comes in trades with the best price on the other side, and among equal prices with
//! the order that has waited longest; the price of a trade is that of the order that waited. Every
//! lot of an order that was not refused is traded, waiting, cancelled or dropped, and each of these is
//! told by an [`Event`].

use std::collections::{BTreeMap, HashMap};

use crate::orders::{Action, Order, Price, Side};

/// What an order led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Lots changed hands.
    Fill(Fill),
    /// What is left of a limit order waits in the book.
    Rested {
        /// How many lots wait.
        quantity: u64,
    },
    /// What is left of a market order was dropped, because nobody is left to trade with.
    Dropped {
        /// How many lots were dropped.
        quantity: u64,
    },
    /// The order named left the book.
    Cancelled {
        /// How many lots were still waiting.
        quantity: u64,
    },
    /// The order changed nothing.
    Refused(Refusal),
}

/// A trade between two orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// The order that waited.
    pub maker: u64,
    /// Its account.
    pub maker_account: u32,
    /// The order that came in.
    pub taker: u64,
    /// Its account.
    pub taker_account: u32,
    /// Which way the order that came in trades.
    pub taker_side: Side,
    /// How many lots.
    pub quantity: u64,
    /// At which price.
    pub price: Price,
}

/// Why an order changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// An order of this name waits in the book already.
    Duplicate,
    /// The order to be cancelled is not in the book: it never was, or it has been traded or
    /// cancelled.
    Unknown,
    /// The order to be cancelled was placed by another account.
    NotTheirs,
}

impl Refusal {
    /// The reason in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Refusal::Duplicate => "an order of this name is in the book",
            Refusal::Unknown => "there is no such order in the book",
            Refusal::NotTheirs => "it belongs to another account",
        }
    }
}

/// The orders that wait.
#[derive(Debug, Default)]
pub struct Book {
    bids: Waiting,
    asks: Waiting,
    /// Where the order of this name waits.
    places: HashMap<u64, (Side, Rank)>,
    /// How many orders ever waited: the time in price-time priority.
    arrivals: u64,
}

/// The orders of one side; the first is the next to trade.
type Waiting = BTreeMap<Rank, Resting>;

/// A place in the queue of one side: the lower, the sooner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// Ticks; for bids negated, because the highest is the best.
    price: i64,
    arrival: u64,
}

#[derive(Clone, Copy, Debug)]
struct Resting {
    id: u64,
    account: u32,
    quantity: u64,
    price: Price,
}

/// The price as a rank: of two, the lower is better.
fn rank(side: Side, price: Price) -> i64 {
    match side {
        Side::Buy => -price.ticks(),
        Side::Sell => price.ticks(),
    }
}

impl Book {
    /// A book in which nothing waits.
    pub fn new() -> Self {
        Book::default()
    }

    /// Carries out an order and tells what it led to, in order.
    pub fn apply(&mut self, order: &Order, mut tell: impl FnMut(Event)) {
        match order.action {
            Action::Cancel => tell(self.cancel(order)),
            // A market order never waits, so its name can clash with none.
            Action::Market { side, quantity } => {
                let left = self.trade(order, side, quantity, None, &mut tell);
                if left > 0 {
                    tell(Event::Dropped { quantity: left });
                }
            }
            Action::Limit { .. } if self.places.contains_key(&order.id) => {
                tell(Event::Refused(Refusal::Duplicate));
            }
            Action::Limit {
                side,
                quantity,
                price,
            } => {
                let left = self.trade(order, side, quantity, Some(price), &mut tell);
                if left > 0 {
                    self.rest(order, side, left, price);
                    tell(Event::Rested { quantity: left });
                }
            }
        }
    }

    /// How many orders wait.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    fn waiting(&mut self, side: Side) -> &mut Waiting {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    /// Trades what can be traded at `limit` or better, and answers how many lots are left.
    fn trade(
        &mut self,
        order: &Order,
        side: Side,
        mut quantity: u64,
        limit: Option<Price>,
        tell: &mut impl FnMut(Event),
    ) -> u64 {
        let opposite = side.opposite();
        let worst = limit.map(|price| rank(opposite, price));
        while quantity > 0 {
            let Some(mut first) = self.waiting(opposite).first_entry() else {
                break;
            };
            if worst.is_some_and(|worst| first.key().price > worst) {
                break;
            }
            let maker = first.get_mut();
            let traded = quantity.min(maker.quantity);
            quantity -= traded;
            maker.quantity -= traded;
            let maker = *maker;
            if maker.quantity == 0 {
                first.remove();
                self.places.remove(&maker.id);
            }
            tell(Event::Fill(Fill {
                maker: maker.id,
                maker_account: maker.account,
                taker: order.id,
                taker_account: order.account,
                taker_side: side,
                quantity: traded,
                price: maker.price,
            }));
        }
        quantity
    }

    fn rest(&mut self, order: &Order, side: Side, quantity: u64, price: Price) {
        let place = Rank {
            price: rank(side, price),
            arrival: self.arrivals,
        };
        self.arrivals += 1;
        self.places.insert(order.id, (side, place));
        self.waiting(side).insert(
            place,
            Resting {
                id: order.id,
                account: order.account,
                quantity,
                price,
            },
        );
    }

    fn cancel(&mut self, order: &Order) -> Event {
        let Some(&(side, place)) = self.places.get(&order.id) else {
            return Event::Refused(Refusal::Unknown);
        };
        let waiting = self.waiting(side);
        let resting = waiting[&place];
        if resting.account != order.account {
            return Event::Refused(Refusal::NotTheirs);
        }
        waiting.remove(&place);
        self.places.remove(&order.id);
        Event::Cancelled {
            quantity: resting.quantity,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ACCOUNT: u32 = 7;

    fn limit(id: u64, side: Side, quantity: u64, price: i64) -> Order {
        Order {
            id,
            account: ACCOUNT,
            action: Action::Limit {
                side,
                quantity,
                price: Price::from_ticks(price),
            },
        }
    }

    fn market(id: u64, side: Side, quantity: u64) -> Order {
        Order {
            id,
            account: ACCOUNT,
            action: Action::Market { side, quantity },
        }
    }

    fn cancel(id: u64) -> Order {
        Order {
            id,
            account: ACCOUNT,
            action: Action::Cancel,
        }
    }

    fn apply(book: &mut Book, order: Order) -> Vec<Event> {
        let mut events = Vec::new();
        book.apply(&order, |event| events.push(event));
        events
    }

    /// The fills among events, as (maker, quantity, ticks).
    fn fills(events: &[Event]) -> Vec<(u64, u64, i64)> {
        events
            .iter()
            .filter_map(|event| match event {
                Event::Fill(fill) => Some((fill.maker, fill.quantity, fill.price.ticks())),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn the_best_price_trades_first_and_then_the_oldest() {
        let mut book = Book::new();
        apply(&mut book, limit(1, Side::Sell, 10, 102));
        apply(&mut book, limit(2, Side::Sell, 10, 101));
        apply(&mut book, limit(3, Side::Sell, 10, 101));
        let events = apply(&mut book, limit(4, Side::Buy, 30, 102));
        assert_eq!(
            fills(&events),
            [(2, 10, 101), (3, 10, 101), (1, 10, 102)],
            "the price is that of the order that waited"
        );
        assert_eq!(book.len(), 0);
    }

    #[test]
    fn the_highest_bid_trades_first() {
        let mut book = Book::new();
        apply(&mut book, limit(1, Side::Buy, 10, 100));
        apply(&mut book, limit(2, Side::Buy, 10, 101));
        let events = apply(&mut book, market(3, Side::Sell, 15));
        assert_eq!(fills(&events), [(2, 10, 101), (1, 5, 100)]);
    }

    #[test]
    fn a_partly_filled_order_keeps_its_place() {
        let mut book = Book::new();
        apply(&mut book, limit(1, Side::Sell, 10, 101));
        apply(&mut book, limit(2, Side::Sell, 10, 101));
        assert_eq!(
            fills(&apply(&mut book, market(3, Side::Buy, 4))),
            [(1, 4, 101)]
        );
        assert_eq!(
            fills(&apply(&mut book, market(4, Side::Buy, 8))),
            [(1, 6, 101), (2, 2, 101)]
        );
    }

    #[test]
    fn what_is_left_of_a_limit_order_waits() {
        let mut book = Book::new();
        apply(&mut book, limit(1, Side::Sell, 10, 101));
        let events = apply(&mut book, limit(2, Side::Buy, 25, 101));
        assert_eq!(fills(&events), [(1, 10, 101)]);
        assert_eq!(events[1], Event::Rested { quantity: 15 });
        assert_eq!(
            apply(&mut book, cancel(2)),
            [Event::Cancelled { quantity: 15 }]
        );
    }

    #[test]
    fn a_limit_order_does_not_trade_beyond_its_price() {
        let mut book = Book::new();
        apply(&mut book, limit(1, Side::Sell, 10, 101));
        assert_eq!(
            apply(&mut book, limit(2, Side::Buy, 10, 100)),
            [Event::Rested { quantity: 10 }]
        );
        assert_eq!(book.len(), 2);
    }

    #[test]
    fn a_market_order_into_an_empty_book_is_dropped() {
        let mut book = Book::new();
        assert_eq!(
            apply(&mut book, market(1, Side::Buy, 10)),
            [Event::Dropped { quantity: 10 }]
        );
        apply(&mut book, limit(2, Side::Buy, 10, 100));
        assert_eq!(
            apply(&mut book, market(3, Side::Buy, 10)),
            [Event::Dropped { quantity: 10 }],
            "its own side is nobody to trade with"
        );
        assert_eq!(book.len(), 1);
    }

    #[test]
    fn only_an_order_in_the_book_can_be_cancelled() {
        let mut book = Book::new();
        let unknown = [Event::Refused(Refusal::Unknown)];
        assert_eq!(apply(&mut book, cancel(1)), unknown, "never seen");
        apply(&mut book, limit(1, Side::Sell, 10, 101));
        apply(&mut book, market(2, Side::Buy, 10));
        assert_eq!(apply(&mut book, cancel(1)), unknown, "filled");
        apply(&mut book, limit(3, Side::Sell, 10, 101));
        assert_eq!(
            apply(&mut book, cancel(3)),
            [Event::Cancelled { quantity: 10 }]
        );
        assert_eq!(apply(&mut book, cancel(3)), unknown, "cancelled before");
        assert_eq!(
            apply(&mut book, market(4, Side::Buy, 1)),
            [Event::Dropped { quantity: 1 }],
            "a cancelled order does not trade"
        );
    }

    #[test]
    fn only_its_account_can_cancel_an_order() {
        let mut book = Book::new();
        apply(&mut book, limit(1, Side::Sell, 10, 101));
        let foreign = Order {
            account: ACCOUNT + 1,
            ..cancel(1)
        };
        assert_eq!(
            apply(&mut book, foreign),
            [Event::Refused(Refusal::NotTheirs)]
        );
        assert_eq!(book.len(), 1);
    }

    #[test]
    fn a_name_in_the_book_is_taken_until_it_leaves() {
        let mut book = Book::new();
        apply(&mut book, limit(1, Side::Sell, 10, 101));
        assert_eq!(
            apply(&mut book, limit(1, Side::Sell, 10, 101)),
            [Event::Refused(Refusal::Duplicate)]
        );
        apply(&mut book, market(2, Side::Buy, 10));
        assert_eq!(
            apply(&mut book, limit(1, Side::Sell, 5, 101)),
            [Event::Rested { quantity: 5 }]
        );
    }

    /// The rules of the book, as slowly and plainly as they can be written: one list in order of
    /// arrival, searched from end to end.
    #[derive(Default)]
    struct Oracle {
        waiting: Vec<(Side, Resting)>,
    }

    impl Oracle {
        fn best(&self, side: Side, limit: Option<Price>) -> Option<usize> {
            let mut best: Option<usize> = None;
            for (index, (waits, resting)) in self.waiting.iter().enumerate() {
                let reaches = match (side, limit) {
                    (_, None) => true,
                    (Side::Buy, Some(limit)) => resting.price <= limit,
                    (Side::Sell, Some(limit)) => resting.price >= limit,
                };
                let better = best.is_none_or(|best| match side {
                    Side::Buy => resting.price < self.waiting[best].1.price,
                    Side::Sell => resting.price > self.waiting[best].1.price,
                });
                if *waits != side && reaches && better {
                    best = Some(index);
                }
            }
            best
        }

        fn trade(
            &mut self,
            order: &Order,
            side: Side,
            mut quantity: u64,
            limit: Option<Price>,
            events: &mut Vec<Event>,
        ) -> u64 {
            while quantity > 0 {
                let Some(index) = self.best(side, limit) else {
                    break;
                };
                let maker = &mut self.waiting[index].1;
                let traded = quantity.min(maker.quantity);
                quantity -= traded;
                maker.quantity -= traded;
                events.push(Event::Fill(Fill {
                    maker: maker.id,
                    maker_account: maker.account,
                    taker: order.id,
                    taker_account: order.account,
                    taker_side: side,
                    quantity: traded,
                    price: maker.price,
                }));
                if maker.quantity == 0 {
                    self.waiting.remove(index);
                }
            }
            quantity
        }

        fn apply(&mut self, order: &Order) -> Vec<Event> {
            let mut events = Vec::new();
            let known = self
                .waiting
                .iter()
                .position(|(_, resting)| resting.id == order.id);
            match (order.action, known) {
                (Action::Cancel, None) => events.push(Event::Refused(Refusal::Unknown)),
                (Action::Cancel, Some(index)) if self.waiting[index].1.account != order.account => {
                    events.push(Event::Refused(Refusal::NotTheirs));
                }
                (Action::Cancel, Some(index)) => {
                    let quantity = self.waiting.remove(index).1.quantity;
                    events.push(Event::Cancelled { quantity });
                }
                (Action::Market { side, quantity }, _) => {
                    let left = self.trade(order, side, quantity, None, &mut events);
                    if left > 0 {
                        events.push(Event::Dropped { quantity: left });
                    }
                }
                (Action::Limit { .. }, Some(_)) => {
                    events.push(Event::Refused(Refusal::Duplicate));
                }
                (
                    Action::Limit {
                        side,
                        quantity,
                        price,
                    },
                    None,
                ) => {
                    let left = self.trade(order, side, quantity, Some(price), &mut events);
                    if left > 0 {
                        self.waiting.push((
                            side,
                            Resting {
                                id: order.id,
                                account: order.account,
                                quantity: left,
                                price,
                            },
                        ));
                        events.push(Event::Rested { quantity: left });
                    }
                }
            }
            events
        }
    }

    /// The lots that wait in the book, counted one by one.
    fn waiting_lots(book: &Book) -> u64 {
        let sides = book.bids.values().chain(book.asks.values());
        sides.map(|resting| resting.quantity).sum()
    }

    /// Orders that often meet: few names, few prices, small quantities, two accounts.
    fn orders() -> impl Strategy<Value = Vec<Order>> {
        let side = || prop_oneof![Just(Side::Buy), Just(Side::Sell)];
        let action = prop_oneof![
            6 => (side(), 1..20_u64, 95..105_i64).prop_map(|(side, quantity, price)| {
                Action::Limit { side, quantity, price: Price::from_ticks(price) }
            }),
            1 => (side(), 1..60_u64).prop_map(|(side, quantity)| Action::Market { side, quantity }),
            2 => Just(Action::Cancel),
        ];
        let order = (0..40_u64, 0..2_u32, action).prop_map(|(id, account, action)| Order {
            id,
            account,
            action,
        });
        prop::collection::vec(order, 0..300)
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: if cfg!(debug_assertions) { 64 } else { 512 },
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn the_book_does_what_the_oracle_does_and_loses_no_lot(orders in orders()) {
            let mut book = Book::new();
            let mut oracle = Oracle::default();
            let mut waiting = 0;
            for order in orders {
                let events = apply(&mut book, order);
                prop_assert_eq!(&events, &oracle.apply(&order));
                let refused = matches!(events.first(), Some(Event::Refused(_)));
                let submitted = match order.action {
                    Action::Limit { quantity, .. } | Action::Market { quantity, .. } => quantity,
                    Action::Cancel => 0,
                };
                let mut accounted = if refused { submitted } else { 0 };
                for event in &events {
                    match *event {
                        Event::Fill(fill) => {
                            accounted += fill.quantity;
                            waiting -= fill.quantity;
                        }
                        Event::Rested { quantity } => {
                            accounted += quantity;
                            waiting += quantity;
                        }
                        Event::Dropped { quantity } => accounted += quantity,
                        Event::Cancelled { quantity } => waiting -= quantity,
                        Event::Refused(_) => {}
                    }
                }
                prop_assert_eq!(accounted, submitted);
                prop_assert_eq!(waiting_lots(&book), waiting);
                prop_assert_eq!(book.len(), book.bids.len() + book.asks.len());
            }
        }
    }
}
