//! The account of what the sinks took.
//!
//! Records are numbered in the order in which they are rendered. A record is settled when every
//! sink has taken it or lost it. Sinks lose ranges of records, rarely; a record that several sinks
//! lost is one lost record, so the ranges are merged.

use std::ops::Range;

/// See the [module](self).
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Disjoint, ascending.
    lost: Vec<Range<u64>>,
    /// The lost records of ranges that can no longer change.
    lost_before: u64,
}

impl Ledger {
    /// A sink lost these records.
    pub(crate) fn lose(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let first = self.lost.partition_point(|known| known.end < range.start);
        let last = self.lost.partition_point(|known| known.start <= range.end);
        let merged = self.lost[first..last]
            .iter()
            .fold(range, |a, b| a.start.min(b.start)..a.end.max(b.end));
        self.lost.splice(first..last, [merged]);
    }

    /// How many records were lost by at least one sink.
    pub(crate) fn lost(&self) -> u64 {
        let open = self.lost.iter().map(|range| range.end - range.start);
        self.lost_before + open.sum::<u64>()
    }

    /// The lost ranges, as far as they may still change.
    pub(crate) fn ranges(&self) -> &[Range<u64>] {
        &self.lost
    }

    /// Moves the lost ranges into another account.
    pub(crate) fn hand_over(&mut self, to: &mut Vec<Range<u64>>) {
        to.append(&mut self.lost);
    }

    /// Of the records below `settled`, how many were lost. `settled` never goes back, and nothing
    /// below it is lost later.
    pub(crate) fn lost_below(&mut self, settled: u64) -> u64 {
        // A range that touches `settled` may still grow; one that ends before cannot.
        let done = self.lost.partition_point(|range| range.end < settled);
        self.lost_before += self
            .lost
            .drain(..done)
            .map(|range| range.end - range.start)
            .sum::<u64>();
        let open = self
            .lost
            .iter()
            .map(|range| range.end.min(settled).saturating_sub(range.start))
            .sum::<u64>();
        self.lost_before + open
    }
}

#[cfg(test)]
mod tests {
    use super::Ledger;

    #[test]
    fn a_record_lost_by_two_sinks_is_lost_once() {
        let mut ledger = Ledger::default();
        ledger.lose(10..20);
        ledger.lose(15..25);
        ledger.lose(30..40);
        ledger.lose(24..31);
        assert_eq!(ledger.lost(), 30);
        assert_eq!(ledger.lost_below(100), 30);
        ledger.lose(100..101);
        assert_eq!(ledger.lost_below(200), 31);
        assert_eq!(ledger.lost(), 31);
    }

    #[test]
    fn only_settled_records_count() {
        let mut ledger = Ledger::default();
        ledger.lose(10..20);
        assert_eq!(ledger.lost_below(5), 0);
        assert_eq!(ledger.lost_below(15), 5);
        ledger.lose(20..22);
        assert_eq!(ledger.lost_below(20), 10);
        assert_eq!(ledger.lost_below(30), 12);
    }

    #[test]
    fn ranges_merge_as_a_set_of_numbers_would() {
        let mut seed = 7_u64;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        for _ in 0..200 {
            let mut ledger = Ledger::default();
            let mut oracle = std::collections::BTreeSet::new();
            let mut settled = 0;
            for _ in 0..50 {
                let start = settled + random(40);
                let end = start + random(12);
                ledger.lose(start..end);
                oracle.extend(start..end);
                settled += random(6);
                let expected = oracle.range(..settled).count() as u64;
                assert_eq!(ledger.lost_below(settled), expected);
            }
        }
    }
}
