//! Appending in pieces of a fixed size, right to where the sinks will read it.
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

/// How many bytes a line can have before it takes a detour. Of a fixed size, so that a piece that fits is
/// one comparison away from being stored, which a slice of any length does not offer without
/// `unsafe`.
pub(super) const WINDOW: usize = 4096;

type Window = [u8; WINDOW];

/// Entries in the making, one behind the other. A line is put together where it stays.
#[derive(Debug, Default)]
pub(crate) struct Output {
    /// The entries, and room for more. All of it has been written once, so that its pages are there.
    bytes: Vec<u8>,
    /// How many bytes the entries have.
    end: usize,
    /// The beginning of a line that is too long for a window; empty between lines.
    spilled: Vec<u8>,
}

impl Output {
    /// Room for so many bytes; more is made when it is needed.
    pub(crate) fn with_room(bytes: usize) -> Self {
        Output {
            bytes: vec![1; bytes],
            end: 0,
            spilled: Vec::new(),
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.end
    }

    /// The entries.
    pub(crate) fn entries(&self) -> &[u8] {
        &self.bytes[..self.end]
    }

    /// Keeps only so many bytes, of those that there are, and all of the room.
    pub(crate) fn truncate(&mut self, length: usize) {
        self.end = length.min(self.end);
    }

    pub(crate) fn clear(&mut self) {
        self.end = 0;
    }

    /// Appends whole entries.
    pub(crate) fn append(&mut self, entries: &[u8]) {
        self.bytes(entries);
    }

    /// Begins a line, of which [`end_line`](Self::end_line) is told the length.
    #[inline(always)]
    pub(super) fn begin_line(&mut self) -> Line<'_> {
        if self.bytes.len() - self.end < WINDOW {
            self.make_room(WINDOW);
        }
        let (window, _) = self.bytes[self.end..]
            .split_first_chunk_mut()
            .expect("there is room for a window");
        Line {
            window,
            spilled: &mut self.spilled,
            end: 0,
        }
    }

    /// The line that was begun is part of the output, with as many bytes as it says that it has.
    #[inline(always)]
    pub(super) fn end_line(&mut self, length: usize) {
        if self.spilled.is_empty() {
            self.end += length;
        } else {
            self.gather(length);
        }
    }

    /// Puts the pieces of a long line together, of which the last has so many bytes.
    #[cold]
    #[inline(never)]
    fn gather(&mut self, length: usize) {
        let mut line = std::mem::take(&mut self.spilled);
        line.extend_from_slice(&self.bytes[self.end..self.end + length]);
        self.bytes(&line);
        line.clear();
        self.spilled = line;
    }

    #[cold]
    #[inline(never)]
    fn make_room(&mut self, bytes: usize) {
        self.bytes.resize((self.end + bytes).next_power_of_two(), 1);
    }
}

impl Put for Output {
    fn put<const N: usize>(&mut self, piece: &[u8; N], used: usize) {
        self.bytes(&piece[..used]);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        if self.bytes.len() - self.end < bytes.len() {
            self.make_room(bytes.len());
        }
        self.bytes[self.end..self.end + bytes.len()].copy_from_slice(bytes);
        self.end += bytes.len();
    }
}

/// One line, where it will stay unless it is a very long one.
pub(super) struct Line<'a> {
    window: &'a mut Window,
    spilled: &'a mut Vec<u8>,
    /// The window's bytes below this are the line's.
    end: usize,
}

impl Line<'_> {
    /// What [`Output::end_line`] wants to know.
    #[inline(always)]
    pub(super) fn length(self) -> usize {
        self.end
    }

    /// Makes the whole window free. The end is a value here, not a place, so that the line's own
    /// can stay in a register.
    #[cold]
    #[inline(never)]
    fn spill(spilled: &mut Vec<u8>, window: &Window, end: usize) -> usize {
        spilled.extend_from_slice(&window[..end]);
        0
    }
}

impl Put for Line<'_> {
    #[inline(always)]
    fn put<const N: usize>(&mut self, piece: &[u8; N], used: usize) {
        debug_assert!(used <= N);
        if self.end > WINDOW - N {
            self.end = Line::spill(self.spilled, self.window, self.end);
        }
        self.window[self.end..self.end + N].copy_from_slice(piece);
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
        if length > WINDOW - self.end {
            self.end = Line::spill(self.spilled, self.window, self.end);
        }
        match self.window.get_mut(self.end..self.end + length) {
            Some(place) => {
                place.copy_from_slice(bytes);
                self.end += length;
            }
            None => self.spilled.extend_from_slice(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Output, Put, WINDOW};

    /// Lines that fit into a window, that just do not, and that take several.
    #[test]
    fn lines_of_any_length_stand_one_behind_the_other() {
        let mut output = Output::with_room(WINDOW / 2);
        let mut expected = Vec::new();
        let lengths = [1, 30, 500, WINDOW - 9, WINDOW, WINDOW + 1, 3 * WINDOW + 7];
        for (number, length) in lengths.repeat(3).into_iter().enumerate() {
            let text = vec![b'a' + number as u8; length];
            let (head, tail) = text.split_at(length / 3);
            let mut line = output.begin_line();
            line.put(b"begins ", 6);
            line.bytes(head);
            line.put(&[b' '; 8], 1);
            line.bytes(tail);
            let length = line.length();
            output.end_line(length);
            output.append(b"\n");
            expected.extend_from_slice(&[b"begins", head, b" ", tail, b"\n"].concat());
            assert!(output.entries() == expected, "line {number}");
        }
        output.truncate(6);
        assert_eq!(output.entries(), b"begins");
        output.clear();
        assert_eq!(output.len(), 0);
    }
}
