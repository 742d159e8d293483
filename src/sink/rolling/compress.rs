//! Making closed files smaller.

use std::fs;
use std::io::{self, Read, Write};

/// How closed files are compressed, on a thread of their own. Each way takes the feature of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// The frame format of LZ4, as `lz4 -d` reads it: fast, and about a fifth of the size.
    #[cfg(feature = "lz4")]
    Lz4,
    /// Zstandard, as `zstd -d` reads it: about a tenth of the size, at level 3.
    #[cfg(feature = "zstd")]
    Zstd,
}

/// How much is read at a time; between two reads it can be told to stop.
const PIECE: usize = 256 << 10;

impl Compression {
    /// What the names of such files end in.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            #[cfg(feature = "lz4")]
            Compression::Lz4 => "lz4",
            #[cfg(feature = "zstd")]
            Compression::Zstd => "zst",
        }
    }

    /// Compresses all of `from`, or answers false if it was told to stop.
    #[cfg_attr(
        not(any(feature = "lz4", feature = "zstd")),
        expect(unused_variables, unreachable_code, reason = "there is no way then")
    )]
    pub(super) fn run(
        self,
        from: &mut fs::File,
        to: &mut fs::File,
        stop: impl FnMut() -> bool,
    ) -> io::Result<bool> {
        match self {
            #[cfg(feature = "lz4")]
            Compression::Lz4 => {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(to);
                if !copy(from, &mut encoder, stop)? {
                    return Ok(false);
                }
                encoder.finish().map_err(io::Error::from)?;
            }
            #[cfg(feature = "zstd")]
            Compression::Zstd => {
                let mut encoder = zstd::Encoder::new(to, 3)?;
                encoder.include_checksum(true)?;
                if !copy(from, &mut encoder, stop)? {
                    return Ok(false);
                }
                encoder.finish()?;
            }
        }
        Ok(true)
    }
}

#[cfg_attr(
    not(any(feature = "lz4", feature = "zstd")),
    expect(dead_code, reason = "for either of them")
)]
fn copy(
    from: &mut impl Read,
    to: &mut impl Write,
    mut stop: impl FnMut() -> bool,
) -> io::Result<bool> {
    let mut piece = vec![0; PIECE];
    loop {
        if stop() {
            return Ok(false);
        }
        match from.read(&mut piece) {
            Ok(0) => return Ok(true),
            Ok(length) => to.write_all(&piece[..length])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The suffix that a file should have by what it begins with: none if it is text.
pub(super) fn suffix_of_content(file: &mut impl Read) -> io::Result<Option<&'static str>> {
    let mut magic = [0; 4];
    let mut length = 0;
    while length < magic.len() {
        match file.read(&mut magic[length..])? {
            0 => return Ok(None),
            more => length += more,
        }
    }
    Ok(match magic {
        [0x04, 0x22, 0x4d, 0x18] => Some("lz4"),
        [0x28, 0xb5, 0x2f, 0xfd] => Some("zst"),
        _ => None,
    })
}

#[cfg(all(test, any(feature = "lz4", feature = "zstd")))]
mod tests {
    use super::{Compression, suffix_of_content};
    use std::fs;
    use std::io::{Read, Seek};

    /// Text that compresses well, of some length.
    fn text(length: usize) -> Vec<u8> {
        let lines = (0_u64..).flat_map(|number| format!("line {number}\n").into_bytes());
        lines.take(length).collect()
    }

    fn compress(how: Compression, text: &[u8], stop: impl FnMut() -> bool) -> (fs::File, bool) {
        let mut from = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut from, text).unwrap();
        from.rewind().unwrap();
        assert_eq!(suffix_of_content(&mut from).unwrap(), None);
        from.rewind().unwrap();
        let mut to = tempfile::tempfile().unwrap();
        let done = how.run(&mut from, &mut to, stop).unwrap();
        to.rewind().unwrap();
        (to, done)
    }

    fn check(how: Compression, decompress: impl Fn(fs::File) -> Vec<u8>) {
        for length in [0, 1, 100, 1_000_000] {
            let text = text(length);
            let (mut to, done) = compress(how, &text, || false);
            assert!(done);
            assert_eq!(suffix_of_content(&mut to).unwrap(), Some(how.suffix()));
            to.rewind().unwrap();
            if length == 1_000_000 {
                assert!(to.metadata().unwrap().len() < length as u64 / 2);
            }
            assert!(decompress(to) == text, "{length}");
        }
        assert!(!compress(how, &text(1_000_000), || true).1);
    }

    #[test]
    #[cfg(feature = "lz4")]
    #[cfg_attr(miri, ignore = "takes too long there")]
    fn lz4_comes_back_as_it_was() {
        check(Compression::Lz4, |file| {
            let mut text = Vec::new();
            let mut decoder = lz4_flex::frame::FrameDecoder::new(file);
            decoder.read_to_end(&mut text).unwrap();
            text
        });
    }

    #[test]
    #[cfg(feature = "zstd")]
    #[cfg_attr(miri, ignore = "miri calls no C")]
    fn zstandard_comes_back_as_it_was() {
        check(Compression::Zstd, |file| {
            let mut text = Vec::new();
            let mut decoder = zstd::Decoder::new(file).unwrap();
            decoder.read_to_end(&mut text).unwrap();
            text
        });
    }
}
