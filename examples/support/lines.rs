//! Reading text line by line without trusting it: a line takes no more memory than it is allowed.

use std::io::{self, BufRead};

/// The lines of an input.
#[derive(Debug)]
pub struct Lines<R> {
    input: R,
    limit: usize,
}

impl<R: BufRead> Lines<R> {
    /// Reads from `input` and keeps at most `limit` bytes of a line.
    pub fn new(input: R, limit: usize) -> Self {
        Lines { input, limit }
    }

    /// Replaces `line` by the next line, without its `\n`, and answers how many bytes of it were
    /// left out because of the limit. `None`: there are no more lines.
    ///
    /// What follows the last `\n` is a line only if it is not empty.
    ///
    /// # Errors
    ///
    /// Those of the input, other than `Interrupted`.
    pub fn read(&mut self, line: &mut Vec<u8>) -> io::Result<Option<u64>> {
        line.clear();
        let mut omitted = 0;
        let mut started = false;
        loop {
            let chunk = match self.input.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if chunk.is_empty() {
                return Ok(started.then_some(omitted));
            }
            started = true;
            let end = chunk.iter().position(|&byte| byte == b'\n');
            let part = &chunk[..end.unwrap_or(chunk.len())];
            let kept = part.len().min(self.limit - line.len());
            line.extend_from_slice(&part[..kept]);
            omitted += (part.len() - kept) as u64;
            let used = part.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() {
                return Ok(Some(omitted));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All lines of `text`, read through a buffer of `buffer` bytes.
    fn lines(text: &[u8], buffer: usize, limit: usize) -> Vec<(Vec<u8>, u64)> {
        let mut lines = Lines::new(io::BufReader::with_capacity(buffer, text), limit);
        let mut line = Vec::new();
        let mut all = Vec::new();
        while let Some(omitted) = lines.read(&mut line).unwrap() {
            all.push((line.clone(), omitted));
        }
        all
    }

    fn whole(lines: &[&str]) -> Vec<(Vec<u8>, u64)> {
        lines
            .iter()
            .map(|line| (line.as_bytes().to_vec(), 0))
            .collect()
    }

    #[test]
    fn lines_do_not_depend_on_the_size_of_the_buffer() {
        for buffer in 1..12 {
            assert_eq!(
                lines(b"one\n\ntwo\r\n\nthree", buffer, 100),
                whole(&["one", "", "two\r", "", "three"])
            );
        }
    }

    #[test]
    fn a_final_newline_starts_no_further_line() {
        assert_eq!(lines(b"", 8, 100), whole(&[]));
        assert_eq!(lines(b"\n", 8, 100), whole(&[""]));
        assert_eq!(lines(b"a\n", 8, 100), whole(&["a"]));
        assert_eq!(lines(b"a", 8, 100), whole(&["a"]));
    }

    #[test]
    fn a_long_line_keeps_its_beginning_and_counts_the_rest() {
        for buffer in 1..12 {
            assert_eq!(
                lines(b"0123456789\nnext\n", buffer, 4),
                [(b"0123".to_vec(), 6), (b"next".to_vec(), 0)]
            );
        }
    }
}
