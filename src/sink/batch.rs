//! What a sink is handed: rendered entries, and where each of them ends.
//!
//! How an entry looks is its format's business. That it is whole, which record it is of, and how
//! severe it is, stands beside the bytes, so that nobody has to find it in them.

use crate::level::Level;

/// A run of rendered entries: records, and lines of the logger's own.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    bytes: &'a [u8],
    /// One for each entry that ends in the bytes.
    marks: &'a [Mark],
    /// Where the first entry begins, and where the bytes do, as `marks` count. The entry begins
    /// before the bytes if a sink took part of it.
    first_entry: usize,
    start: usize,
    /// The number of the record from which `marks` count.
    base: u64,
}

/// An entry of a [`Batch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// What its format made of it, the line feed included; the rest of it, if an earlier call took
    /// part of it.
    pub bytes: &'a [u8],
    /// How severe it is.
    pub level: Level,
    /// Nanoseconds since 1970, UTC.
    pub time: u64,
    /// Whether it is a record; otherwise it is a line of the logger's own.
    pub is_record: bool,
}

/// Where an entry ends, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    time: u64,
    end: u32,
    /// The record's number, counted from that of the batch, above [`Mark::RECORD`] and the level.
    tag: u32,
}

impl Mark {
    const LEVEL: u32 = 7;
    const RECORD: u32 = 8;
    const NUMBER_SHIFT: u32 = 4;

    /// The record of this number, counted from that of the batch. A batch has far fewer than 2^28
    /// records, and far fewer than 2^32 bytes.
    #[inline(always)]
    pub(crate) fn record(time: u64, level: Level, end: usize, number: u64) -> Mark {
        Mark {
            time,
            end: end as u32,
            tag: (number as u32) << Mark::NUMBER_SHIFT | Mark::RECORD | level as u32,
        }
    }

    /// A line of the logger's own.
    pub(crate) const fn own(time: u64, level: Level, end: usize) -> Mark {
        Mark {
            time,
            end: end as u32,
            tag: level as u32,
        }
    }

    fn level(self) -> Level {
        Level::ALL[(self.tag & Mark::LEVEL) as usize - 1]
    }

    fn is_record(self) -> bool {
        self.tag & Mark::RECORD != 0
    }

    fn end(self) -> usize {
        self.end as usize
    }
}

impl<'a> Batch<'a> {
    /// Bytes of unknown entries.
    #[cfg(test)]
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Batch::marked(bytes, &[], 0)
    }

    /// Bytes with the mark of each entry; the numbers of records are counted from `base`.
    pub(crate) fn marked(bytes: &'a [u8], marks: &'a [Mark], base: u64) -> Self {
        Batch {
            bytes,
            marks,
            first_entry: 0,
            start: 0,
            base,
        }
    }

    /// The rendered entries. The first bytes complete an entry of which an earlier call took part.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The entries one by one, for sinks that send each by itself. Such a sink answers the bytes of
    /// whole entries, and is then never handed the rest of one.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'a>> + use<'a> {
        let (bytes, start) = (self.bytes, self.start);
        let mut from = 0;
        self.marks.iter().map(move |mark| {
            let end = mark.end() - start;
            let entry = Entry {
                bytes: &bytes[from..end],
                level: mark.level(),
                time: mark.time,
                is_record: mark.is_record(),
            };
            from = end;
            entry
        })
    }

    /// The numbers of the records.
    pub(crate) fn records(&self) -> impl Iterator<Item = u64> + use<'a> {
        let base = self.base;
        self.marks
            .iter()
            .filter(|mark| mark.is_record())
            .map(move |mark| base + u64::from(mark.tag >> Mark::NUMBER_SHIFT))
    }

    /// Whether the bytes begin within an entry.
    pub(crate) fn is_torn(&self) -> bool {
        self.first_entry < self.start
    }

    /// What is left after so many bytes.
    pub(crate) fn after(&self, taken: usize) -> Batch<'a> {
        let start = self.start + taken;
        let done = self.marks.partition_point(|mark| mark.end() <= start);
        Batch {
            bytes: &self.bytes[taken..],
            marks: &self.marks[done..],
            first_entry: match done.checked_sub(1) {
                Some(last) => self.marks[last].end(),
                None => self.first_entry,
            },
            start,
            ..*self
        }
    }

    /// As many of the first entries as have at most so many bytes.
    pub(crate) fn fitting(&self, most: usize) -> Batch<'a> {
        let fits = |mark: &Mark| mark.end() - self.start <= most;
        self.first(self.marks.partition_point(fits))
    }

    /// The first entries up to the first that is not of an earlier time, in nanoseconds since 1970.
    pub(crate) fn before(&self, time: u64) -> Batch<'a> {
        let is_later = |mark: &Mark| mark.time >= time;
        let count = self.marks.iter().position(is_later);
        self.first(count.unwrap_or(self.marks.len()))
    }

    /// As few of the first entries as have at least so many bytes; all if they have fewer.
    pub(crate) fn at_least(&self, least: usize) -> Batch<'a> {
        let lacks = |mark: &Mark| mark.end() - self.start < least;
        let count = self.marks.partition_point(lacks) + 1;
        self.first(count)
    }

    /// So many of the first entries; all, if they are fewer.
    pub(crate) fn first(&self, count: usize) -> Batch<'a> {
        let count = count.min(self.marks.len());
        let bytes = match count.checked_sub(1) {
            Some(last) => self.marks[last].end() - self.start,
            None => 0,
        };
        Batch {
            bytes: &self.bytes[..bytes],
            marks: &self.marks[..count],
            ..*self
        }
    }

    /// How many entries end in it.
    pub(crate) fn len(&self) -> usize {
        self.marks.len()
    }

    /// What of so many bytes belongs to an entry that goes on behind them.
    pub(crate) fn begun_within(&self, taken: usize) -> &'a [u8] {
        let entry = self.after(taken).first_entry;
        &self.bytes[entry.saturating_sub(self.start).min(taken)..taken]
    }

    /// The end of a line, for an output that ends within one.
    pub(crate) fn line_feed() -> Batch<'static> {
        const MARK: Mark = Mark::own(0, Level::Warn, 1);
        Batch::marked(b"\n", &[MARK], 0)
    }

    /// A copy that can wait.
    pub(crate) fn to_kept(self) -> Kept {
        Kept {
            bytes: self.bytes.into(),
            marks: self.marks.into(),
            first_entry: self.first_entry,
            start: self.start,
            base: self.base,
        }
    }
}

/// A batch that owns its bytes.
#[derive(Debug)]
pub(crate) struct Kept {
    bytes: Box<[u8]>,
    marks: Box<[Mark]>,
    first_entry: usize,
    start: usize,
    base: u64,
}

impl Kept {
    /// All of it.
    pub(crate) fn batch(&self) -> Batch<'_> {
        Batch {
            bytes: &self.bytes,
            marks: &self.marks,
            first_entry: self.first_entry,
            start: self.start,
            base: self.base,
        }
    }
}

/// Entries that are collected, to become a batch.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    bytes: Vec<u8>,
    marks: Vec<Mark>,
    base: u64,
}

impl Collected {
    /// A whole entry, of which the beginning was taken from the batch before.
    pub(crate) fn completed(begun: &[u8], rest: &Batch<'_>) -> Self {
        let bytes = [begun, rest.bytes].concat();
        let end = bytes.len() as u32;
        Collected {
            bytes,
            marks: rest
                .marks
                .iter()
                .map(|mark| Mark { end, ..*mark })
                .collect(),
            base: rest.base,
        }
    }

    /// Whether the numbers of these entries can be counted from where those before them are.
    pub(crate) fn can_take(&self, batch: &Batch<'_>) -> bool {
        // Half of what a mark can count; the other half is the batch's own.
        self.marks.is_empty() || batch.base.wrapping_sub(self.base) < 1 << 27
    }

    /// Takes whole entries.
    pub(crate) fn append(&mut self, batch: &Batch<'_>) {
        if self.marks.is_empty() {
            self.base = batch.base;
        }
        let (bytes, number) = (self.bytes.len(), batch.base - self.base);
        self.bytes.extend_from_slice(batch.bytes);
        self.marks.extend(batch.marks.iter().map(|mark| Mark {
            time: mark.time,
            end: (mark.end() - batch.start + bytes) as u32,
            tag: mark.tag + ((number as u32) << Mark::NUMBER_SHIFT) * u32::from(mark.is_record()),
        }));
    }

    /// All of it.
    pub(crate) fn batch(&self) -> Batch<'_> {
        Batch::marked(&self.bytes, &self.marks, self.base)
    }

    /// Forgets all, and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.marks.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{Batch, Collected, Entry, Mark};
    use crate::level::Level;

    const BYTES: &[u8] = b"one\ntwo\nnote\nthree\n";

    fn marks() -> [Mark; 4] {
        [
            Mark::record(10, Level::Info, 4, 0),
            Mark::record(20, Level::Error, 8, 3),
            Mark::own(25, Level::Warn, 13),
            Mark::record(30, Level::Trace, 19, 4),
        ]
    }

    fn texts(batch: &Batch<'_>) -> Vec<String> {
        let text = |entry: Entry<'_>| String::from_utf8(entry.bytes.to_vec()).unwrap();
        batch.entries().map(text).collect()
    }

    #[test]
    fn entries_are_told_with_what_they_are() {
        let marks = marks();
        let batch = Batch::marked(BYTES, &marks, 100);
        let entries: Vec<_> = batch.entries().collect();
        assert_eq!(
            entries[1],
            Entry {
                bytes: b"two\n",
                level: Level::Error,
                time: 20,
                is_record: true
            }
        );
        assert_eq!(
            (entries[2].level, entries[2].is_record),
            (Level::Warn, false)
        );
        assert!(batch.records().eq([100, 103, 104]));
    }

    #[test]
    fn the_rest_of_a_batch_has_the_rest_of_its_entries() {
        let marks = marks();
        let batch = Batch::marked(BYTES, &marks, 100);
        for taken in 0..=BYTES.len() {
            // In one step, in two, and as a copy.
            let rest = batch.after(taken);
            let kept = batch.after(taken / 2).to_kept();
            let kept = kept.batch().after(taken - taken / 2);
            assert_eq!(texts(&rest).concat().as_bytes(), &BYTES[taken..]);
            assert_eq!(texts(&rest), texts(&kept));
            let boundary = [0, 4, 8, 13, 19].contains(&taken);
            assert_eq!((rest.is_torn(), kept.is_torn()), (!boundary, !boundary));
            let ends = [(4, 100), (8, 103), (19, 104)];
            let left = ends.iter().filter(|(end, _)| *end > taken);
            assert!(rest.records().eq(left.map(|&(_, number)| number)));
        }
    }

    #[test]
    fn only_whole_entries_fit() {
        let marks = marks();
        let rest = Batch::marked(BYTES, &marks, 0).after(5);
        for (most, expected) in [
            (0, &[][..]),
            (2, &[]),
            (3, &["wo\n"]),
            (7, &["wo\n"]),
            (8, &["wo\n", "note\n"]),
            (13, &["wo\n", "note\n"]),
            (14, &["wo\n", "note\n", "three\n"]),
            (99, &["wo\n", "note\n", "three\n"]),
        ] {
            let fitting = rest.fitting(most);
            assert_eq!(texts(&fitting), expected, "{most}");
            assert_eq!(fitting.bytes(), expected.concat().as_bytes());
        }
    }

    #[test]
    fn as_few_entries_as_needed_are_taken() {
        let marks = marks();
        let rest = Batch::marked(BYTES, &marks, 0).after(5);
        for (least, expected) in [
            (1, &["wo\n"][..]),
            (3, &["wo\n"]),
            (4, &["wo\n", "note\n"]),
            (9, &["wo\n", "note\n", "three\n"]),
            (99, &["wo\n", "note\n", "three\n"]),
        ] {
            assert_eq!(texts(&rest.at_least(least)), expected, "{least}");
        }
    }

    #[test]
    fn so_many_of_the_first_entries_are_taken() {
        let marks = marks();
        let rest = Batch::marked(BYTES, &marks, 0).after(4);
        let all = ["two\n", "note\n", "three\n"];
        for (count, expected) in [(0, 0), (1, 1), (2, 2), (3, 3), (9, 3)] {
            assert_eq!(texts(&rest.first(count)), all[..expected]);
        }
    }

    #[test]
    fn collected_entries_are_what_they_were() {
        let marks = marks();
        let mut collected = Collected::default();
        for round in 0..3 {
            let batch = Batch::marked(BYTES, &marks, 100 + 10 * round).after(4);
            assert!(collected.can_take(&batch));
            collected.append(&batch);
        }
        let batch = collected.batch();
        assert_eq!(batch.bytes(), BYTES[4..].repeat(3));
        assert!(batch.records().eq([103, 104, 113, 114, 123, 124]));
        let levels: Vec<Level> = batch.entries().map(|entry| entry.level).collect();
        assert_eq!(levels[3..6], [Level::Error, Level::Warn, Level::Trace]);
        assert!(!collected.can_take(&Batch::marked(BYTES, &marks, 100 + (1 << 28))));
        collected.clear();
        assert!(collected.can_take(&Batch::marked(BYTES, &marks, u64::MAX / 2)));
    }
}
