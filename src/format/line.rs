//! Appending in pieces of a fixed size.
//!
//! What makes text fast to put together is that no copy has a length known only at run time: a
//! piece of, say, eight bytes is stored whole, and then the end moves on by as many bytes as count.
//! What was stored beyond the end is overwritten by the next piece.

/// Somewhere to append to.
pub(super) trait Put {
    /// Appends the first `used` bytes of `piece`.
    fn put<const N: usize>(&mut self, piece: &[u8; N], used: usize);

    /// Appends any number of bytes.
    fn bytes(&mut self, bytes: &[u8]);
}

impl Put for Vec<u8> {
    #[inline]
    fn put<const N: usize>(&mut self, piece: &[u8; N], used: usize) {
        let end = self.len() + used;
        self.extend_from_slice(piece);
        self.truncate(end);
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Room for most lines. Of a fixed size, so that a piece that fits is one comparison away from
/// being stored, which a `Vec` does not offer without `unsafe`.
pub(super) type Stage = [u8; STAGE];

pub(super) const STAGE: usize = 512;

/// One line on its way to the output, by way of a stage.
pub(super) struct Line<'a> {
    out: &'a mut Vec<u8>,
    stage: &'a mut Stage,
    /// The stage's bytes below this are the line's, and are not in `out` yet.
    end: usize,
}

impl<'a> Line<'a> {
    #[inline(always)]
    pub(super) fn new(out: &'a mut Vec<u8>, stage: &'a mut Stage) -> Self {
        Line { out, stage, end: 0 }
    }

    /// Hands over what is staged.
    #[inline(always)]
    pub(super) fn finish(self) {
        if let Some(staged) = self.stage.get(..self.end) {
            self.out.extend_from_slice(staged);
        }
    }

    /// Makes the whole stage free. The end is a value here, not a place, so that the line's own
    /// can stay in a register.
    #[cold]
    #[inline(never)]
    fn spill(out: &mut Vec<u8>, stage: &Stage, end: usize) -> usize {
        out.extend_from_slice(&stage[..end]);
        0
    }
}

impl Put for Line<'_> {
    #[inline(always)]
    fn put<const N: usize>(&mut self, piece: &[u8; N], used: usize) {
        debug_assert!(used <= N);
        if self.end > STAGE - N {
            self.end = Line::spill(self.out, self.stage, self.end);
        }
        self.stage[self.end..self.end + N].copy_from_slice(piece);
        self.end += used;
    }

    #[inline(always)]
    fn bytes(&mut self, bytes: &[u8]) {
        // Two pieces that overlap make any length between one and two of them.
        let length = bytes.len();
        if length < 16 {
            if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
                self.put(first, length - 8);
                self.put(last, 8);
            } else if let (Some(first), Some(last)) =
                (bytes.first_chunk::<4>(), bytes.last_chunk::<4>())
            {
                self.put(first, length - 4);
                self.put(last, 4);
            } else {
                for &byte in bytes {
                    self.put(&[byte], 1);
                }
            }
            return;
        }
        if length > STAGE - self.end {
            self.end = Line::spill(self.out, self.stage, self.end);
        }
        match self.stage.get_mut(self.end..self.end + length) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.end += length;
            }
            None => self.out.extend_from_slice(bytes),
        }
    }
}
