//! Text from outside cannot forge a line, drive a terminal, or reorder what a reader sees.
//!
//! Whatever does not come from the program's source is untrusted: arguments, thread names, even
//! the output of `Debug`. In it
//!
//! | is written as | in JSON and in quotes as | what |
//! |---|---|---|
//! | `\n` `\r` `\t` | `\n` `\r` `\t` | line feed, carriage return, tab |
//! | `\x1b` | `\u001b` | any other control character of ASCII, `DEL` included |
//! | `\u{9b}` | `\u009b` | the control characters U+0080 to U+009F, which terminals obey too |
//! | `\u{2028}` | `\u2028` | the line and the paragraph separator, U+2028 and U+2029 |
//! | `\u{202e}` | `\u202e` | what changes the direction of text: U+202A to U+202E, U+2066 to U+2069 |
//! | `\xff` | `\ufffd` | a byte that is not part of valid UTF-8 |
//! | as it is | `\"` `\\` | a quotation mark, a backslash |
//!
//! All else stays as it is. In text that includes the backslash: paths and patterns stay readable,
//! and a reader who must know whether `\n` was two characters or one has JSON. It also includes the
//! marks U+200E, U+200F and U+061C, which have no effect beyond their neighbours and which text in
//! Arabic and Hebrew needs.
//!
//! Credentials in URLs are masked here, too, since both need to look at every byte once: text with
//! an `@` is never plain.

use super::redact::{MASK, credentials};

/// What is done to text that is not from the program's source.
pub(super) trait Escaping {
    /// Whether nothing needs to be done, as can be told quickly. False also for harmless text
    /// beyond ASCII.
    fn is_plain(text: &[u8]) -> bool;

    /// Appends the text with everything escaped that has to be.
    fn put(out: &mut Vec<u8>, text: &[u8]);
}

/// What is dangerous becomes visible.
#[derive(Clone, Copy, Debug)]
pub(super) struct Visible;

/// The text goes between the quotation marks of a JSON string.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quoted;

/// Nothing is escaped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Raw;

impl Escaping for Visible {
    #[inline(always)]
    fn is_plain(text: &[u8]) -> bool {
        is_plain::<false>(text)
    }

    fn put(out: &mut Vec<u8>, text: &[u8]) {
        put_escaped::<false>(out, text);
    }
}

impl Escaping for Quoted {
    #[inline(always)]
    fn is_plain(text: &[u8]) -> bool {
        is_plain::<true>(text)
    }

    fn put(out: &mut Vec<u8>, text: &[u8]) {
        put_escaped::<true>(out, text);
    }
}

impl Escaping for Raw {
    #[inline(always)]
    fn is_plain(text: &[u8]) -> bool {
        is_plain::<false>(text)
    }

    fn put(out: &mut Vec<u8>, text: &[u8]) {
        out.extend_from_slice(text);
    }
}

/// Appends the text, escaped, with the credentials in its URLs masked if `urls` says so.
#[cold]
#[inline(never)]
pub(super) fn put<E: Escaping>(out: &mut Vec<u8>, text: &[u8], urls: bool) {
    let mut rest = text;
    while let Some(range) = credentials(rest).filter(|_| urls) {
        E::put(out, &rest[..range.start]);
        out.extend_from_slice(MASK.as_bytes());
        rest = &rest[range.end..];
    }
    E::put(out, rest);
}

/// The text with what is dangerous made visible.
#[cfg(feature = "config")]
pub(crate) fn visible(text: &str) -> String {
    let mut out = Vec::new();
    Visible::put(&mut out, text.as_bytes());
    String::from_utf8_lossy(&out).into_owned()
}

/// Whether the text is printable ASCII throughout, without an `@`, which may be part of a URL with
/// credentials, and without what JSON escapes if it is for a JSON string.
#[inline(always)]
fn is_plain<const JSON: bool>(text: &[u8]) -> bool {
    if let (Some(first), Some(last)) = (text.first_chunk::<8>(), text.last_chunk::<8>()) {
        if text.len() <= 16 {
            are_plain::<JSON>(u64::from_le_bytes(*first))
                && are_plain::<JSON>(u64::from_le_bytes(*last))
        } else {
            is_plain_long::<JSON>(text)
        }
    } else if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        let both = [*first, *last];
        are_plain::<JSON>(u64::from_le_bytes(
            *both.as_flattened().first_chunk().unwrap_or(&[0; 8]),
        ))
    } else {
        text.iter()
            .all(|&byte| (b' '..=b'~').contains(&byte) && !is_special::<JSON>(byte))
    }
}

/// Whether the byte is printable, and yet not plain.
#[inline(always)]
fn is_special<const JSON: bool>(byte: u8) -> bool {
    (byte == b'@') | (JSON & ((byte == b'"') | (byte == b'\\')))
}

#[inline(always)]
fn are_plain<const JSON: bool>(eight: u64) -> bool {
    marks::<JSON>(eight) & MARKS == 0
}

const EACH: u64 = u64::from_le_bytes([1; 8]);
const MARKS: u64 = EACH * 0x80;

/// Eight bytes at once: the top bit of one that is not plain is set. So it may be in bytes above
/// such a one, because each subtraction borrows from there.
#[inline(always)]
fn marks<const JSON: bool>(eight: u64) -> u64 {
    let below_space = eight.wrapping_sub(EACH * b' ' as u64);
    let is = |byte: u8| (eight ^ (EACH * u64::from(byte))).wrapping_sub(EACH);
    let json = if JSON { is(b'"') | is(b'\\') } else { 0 };
    below_space | is(0x7f) | is(b'@') | json | eight
}

#[inline(never)]
fn is_plain_long<const JSON: bool>(text: &[u8]) -> bool {
    let mut rest = text;
    let mut found = 0;
    while let Some((chunk, after)) = rest.split_first_chunk::<8>() {
        found |= marks::<JSON>(u64::from_le_bytes(*chunk));
        rest = after;
    }
    if let Some(last) = text.last_chunk::<8>() {
        found |= marks::<JSON>(u64::from_le_bytes(*last));
    }
    found & MARKS == 0
}

fn put_escaped<const JSON: bool>(out: &mut Vec<u8>, text: &[u8]) {
    match std::str::from_utf8(text) {
        Ok(text) => put_characters::<JSON>(out, text),
        Err(_) => {
            for chunk in text.utf8_chunks() {
                put_characters::<JSON>(out, chunk.valid());
                for &byte in chunk.invalid() {
                    if JSON {
                        out.extend_from_slice(b"\\ufffd");
                    } else {
                        put_hex(out, byte);
                    }
                }
            }
        }
    }
}

fn put_characters<const JSON: bool>(out: &mut Vec<u8>, text: &str) {
    const CHUNK: usize = 16;
    let bytes = text.as_bytes();
    // Everything up to here is in `out`.
    let mut done = 0;
    for (index, chunk) in bytes.chunks(CHUNK).enumerate() {
        // All at once, which the compiler makes vector code of.
        let harmless = match <&[u8; CHUNK]>::try_from(chunk) {
            Ok(chunk) => !chunk
                .iter()
                .fold(false, |any, &byte| any | may_start_danger::<JSON>(byte)),
            Err(_) => false,
        };
        if harmless {
            continue;
        }
        let start = index * CHUNK;
        for at in (start..start + chunk.len()).filter(|&at| may_start_danger::<JSON>(bytes[at])) {
            let Some(character) = text[at..]
                .chars()
                .next()
                .filter(|&c| is_dangerous(c) || (JSON && matches!(c, '"' | '\\')))
            else {
                continue;
            };
            out.extend_from_slice(&bytes[done..at]);
            done = at + character.len_utf8();
            match character {
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                _ if JSON => {
                    let code = u32::from(character);
                    out.extend_from_slice(b"\\u");
                    out.extend((0..4).rev().map(|place| hex((code >> (4 * place)) as u8)));
                }
                '\0'..='\x7f' => put_hex(out, bytes[at]),
                _ => out.extend(character.escape_unicode().map(|ascii| ascii as u8)),
            }
        }
    }
    out.extend_from_slice(&bytes[done..]);
}

/// Whether the byte is the first of a character that is dangerous, or of one that begins alike.
#[inline(always)]
fn may_start_danger<const JSON: bool>(byte: u8) -> bool {
    let json = JSON & ((byte == b'"') | (byte == b'\\'));
    (byte < b' ') | (byte == 0x7f) | (byte == 0xc2) | (byte == 0xe2) | json
}

/// Whether the character is among those that the [module](self) lists.
pub(super) fn is_dangerous(character: char) -> bool {
    matches!(character,
        '\0'..='\x1f'
        | '\x7f'..='\u{9f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}')
}

fn put_hex(out: &mut Vec<u8>, byte: u8) {
    out.extend_from_slice(&[b'\\', b'x', hex(byte >> 4), hex(byte)]);
}

/// The lowest four bits as a digit.
fn hex(bits: u8) -> u8 {
    b"0123456789abcdef"[usize::from(bits & 15)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::testing::{Random, cases};

    fn escaped(text: impl AsRef<[u8]>) -> String {
        let mut out = Vec::new();
        put::<Visible>(&mut out, text.as_ref(), false);
        String::from_utf8(out).expect("escaped text is valid UTF-8")
    }

    fn quoted(text: &[u8]) -> String {
        let mut out = vec![b'"'];
        put::<Quoted>(&mut out, text, false);
        out.push(b'"');
        String::from_utf8(out).expect("JSON is valid UTF-8")
    }

    #[test]
    fn control_characters_become_visible() {
        for (raw, expected) in [
            ("a\nb", r"a\nb"),
            ("\r\n", r"\r\n"),
            ("a\tb", r"a\tb"),
            ("\0\x01\x1f", r"\x00\x01\x1f"),
            ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
            ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
            ("\x7f", r"\x7f"),
            (
                "\u{80}\u{9b}31m\u{9f}\u{a0}",
                "\\u{80}\\u{9b}31m\\u{9f}\u{a0}",
            ),
            ("\u{2027}\u{2028}\u{2029}", "\u{2027}\\u{2028}\\u{2029}"),
            ("\u{202a}\u{202e}\u{202f}", "\\u{202a}\\u{202e}\u{202f}"),
            (
                "\u{2065}\u{2066}\u{2069}\u{206a}",
                "\u{2065}\\u{2066}\\u{2069}\u{206a}",
            ),
        ] {
            assert_eq!(escaped(raw), expected);
        }
    }

    #[test]
    fn harmless_text_stays_as_it_is() {
        for text in [
            "",
            "plain",
            r"C:\new\table",
            "Größe 10 µm, цена 5 €, 价格, 🦀, é",
            "\u{200e}\u{200f}\u{61c}",
        ] {
            assert_eq!(escaped(text), text);
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_shown_in_hexadecimal() {
        assert_eq!(escaped(b"a\xffb"), r"a\xffb");
        assert_eq!(escaped(b"\xc2\n"), r"\xc2\n");
        // A character that was cut off, a surrogate, and a slash in two bytes.
        assert_eq!(escaped(b"\xe2\x82"), r"\xe2\x82");
        assert_eq!(escaped(b"\xed\xa0\x80"), r"\xed\xa0\x80");
        assert_eq!(escaped(b"\xc0\xaf"), r"\xc0\xaf");
    }

    #[test]
    fn every_character_is_either_kept_or_escaped() {
        let step = if cfg!(miri) { 1009 } else { 1 };
        for code in (0..=u32::from(char::MAX)).step_by(step) {
            let Some(character) = char::from_u32(code) else {
                continue;
            };
            let text = escaped(character.to_string());
            let dangerous = character.is_control()
                || ('\u{2028}'..='\u{202e}').contains(&character)
                || ('\u{2066}'..='\u{2069}').contains(&character);
            assert_eq!(text != character.to_string(), dangerous, "{code:x}");
            assert!(!dangerous || text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            let json = quoted(character.to_string().as_bytes());
            assert_eq!(
                serde_json::from_str::<String>(&json).unwrap(),
                character.to_string()
            );
            assert!(!dangerous || json.is_ascii());
        }
    }

    #[test]
    fn plain_means_printable_ascii_at_every_length_and_place() {
        let most = if cfg!(miri) { 40 } else { 100 };
        for length in 0..most {
            let mut text = vec![b'~'; length];
            assert!(is_plain::<false>(&text) && is_plain::<true>(&text));
            for at in 0..length {
                for byte in (0..=0x23)
                    .chain(0x3f..=0x41)
                    .chain(0x5b..=0x5d)
                    .chain(0x7e..=0x81)
                    .chain([0xc2, 0xe2, 0xff])
                {
                    text[at] = byte;
                    let expected = (b' '..=b'~').contains(&byte) && byte != b'@';
                    let json = expected && byte != b'"' && byte != b'\\';
                    assert_eq!(
                        (is_plain::<false>(&text), is_plain::<true>(&text)),
                        (expected, json),
                        "{byte:x} at {at} of {length}"
                    );
                }
                text[at] = b' ';
            }
            assert!(is_plain::<false>(&text) && is_plain::<true>(&text));
        }
    }

    #[test]
    fn random_bytes_never_leave_a_control_character_or_invalid_utf8() {
        let mut random = Random::new(2);
        for _ in 0..cases(50_000) {
            let length = random.next() % 40;
            let raw: Vec<u8> = (0..length)
                .map(|_| match random.next() % 4 {
                    0 => (random.next() % 0x20) as u8,
                    1 => [0xc2, 0xe2, 0x80, 0x81, 0x9b, 0xa8, 0xae, 0xa9][random.below(8)],
                    2 => random.next() as u8,
                    _ => b'a',
                })
                .collect();
            let text = escaped(&raw);
            assert!(!text.contains(is_dangerous), "{raw:?}");
            assert!(!is_plain::<false>(&raw) || text.as_bytes() == raw);
            // JSON says what was said, but for what is not UTF-8.
            let json = quoted(&raw);
            assert!(!json.contains(is_dangerous), "{raw:?}");
            let read: String = serde_json::from_str(&json).unwrap();
            let invalid = |chunk: std::str::Utf8Chunk<'_>| {
                chunk.valid().to_owned() + &"\u{fffd}".repeat(chunk.invalid().len())
            };
            assert_eq!(read, raw.utf8_chunks().map(invalid).collect::<String>());
            assert!(!is_plain::<true>(&raw) || json.as_bytes()[1..json.len() - 1] == raw);
        }
    }
}
