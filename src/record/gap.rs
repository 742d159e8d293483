//! What a gap record says: how many records are missing before the next one, and for how long.

use crate::level::Level;

/// The bytes of a count: more drops than fit in them do not happen in a lifetime.
const COUNT: usize = 6;

/// See the [module](self).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    /// The missing records, by level.
    pub(crate) by_level: [u64; Level::COUNT],
    /// From the first of them to the gap record, in units of the stamp; 0 if that is not known.
    pub(crate) elapsed: u64,
}

impl Gap {
    /// The bytes of an encoded gap: one slot's.
    const LENGTH: usize = Level::COUNT * COUNT + size_of::<u64>();

    pub(crate) fn encode(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        let (counts, elapsed) = bytes.split_at_mut(Level::COUNT * COUNT);
        for (place, count) in counts.chunks_exact_mut(COUNT).zip(self.by_level) {
            place.copy_from_slice(&count.to_le_bytes()[..COUNT]);
        }
        elapsed.copy_from_slice(&self.elapsed.to_le_bytes());
        bytes
    }

    /// Reads a gap record's payload; what it does not hold is 0.
    pub(crate) fn decode(payload: &[u8]) -> Self {
        let number = |at: usize, length: usize| {
            let mut bytes = [0; 8];
            if let Some(stored) = payload.get(at..at + length) {
                bytes[..length].copy_from_slice(stored);
            }
            u64::from_le_bytes(bytes)
        };
        Gap {
            by_level: std::array::from_fn(|level| number(level * COUNT, COUNT)),
            elapsed: number(Level::COUNT * COUNT, size_of::<u64>()),
        }
    }
}

const _: () = assert!(Gap::LENGTH <= super::FIRST_PAYLOAD);

#[cfg(test)]
mod tests {
    use super::Gap;

    #[test]
    fn a_gap_says_what_it_was_told() {
        let gap = Gap {
            by_level: [0, 1, 255, 70_000, (1 << 48) - 1],
            elapsed: u64::MAX - 7,
        };
        assert_eq!(Gap::decode(&gap.encode()), gap);
        assert_eq!(Gap::decode(&gap.encode()[..12]).by_level, [0, 1, 0, 0, 0]);
    }
}
