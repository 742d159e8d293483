//! The keys and values of fields, by the rules of logfmt.
//!
//! A value stands in quotes if it is empty or has a space, a quote, an equals sign, or anything that
//! [`escape`](super::escape) escapes. In quotes, `"` and `\` have a backslash in front of them; so a
//! value can be read back, whatever it is. A key has no quotes: what a value would need them for is
//! an underscore in a key.

use super::escape;

/// Whether a value with this byte in it needs quotes. Bytes beyond ASCII are not looked at.
fn needs_quotes(byte: u8) -> bool {
    matches!(byte, b' ' | b'"' | b'=')
}

/// The value as it stands in a line: itself if it can, else its quoted form in `buffer`.
#[inline]
pub(super) fn value<'a>(text: &'a [u8], buffer: &'a mut Vec<u8>) -> &'a [u8] {
    let mut any = text.is_empty();
    for &byte in text {
        any |= needs_quotes(byte);
    }
    if !any {
        if escape::is_plain(text) {
            return text;
        }
        buffer.clear();
        escape::put_escaped(buffer, text);
        if buffer == text {
            return text;
        }
    }
    put_quoted(buffer, text);
    buffer
}

#[cold]
#[inline(never)]
fn put_quoted(buffer: &mut Vec<u8>, text: &[u8]) {
    buffer.clear();
    buffer.push(b'"');
    for part in text.split_inclusive(|byte| matches!(byte, b'"' | b'\\')) {
        // The backslash goes in front of the part's last byte.
        match part.split_last() {
            Some((&last @ (b'"' | b'\\'), before)) => {
                escape::put_escaped(buffer, before);
                buffer.extend_from_slice(&[b'\\', last]);
            }
            _ => escape::put_escaped(buffer, part),
        }
    }
    buffer.push(b'"');
}

/// Appends a field's name.
pub(super) fn put_key(out: &mut Vec<u8>, name: &str) {
    let allowed = |char: char| !char.is_control() && !char.is_whitespace() && !"\"=".contains(char);
    if name.is_empty() {
        out.push(b'_');
    }
    for part in name.split_inclusive(|char| !allowed(char)) {
        let whole = part.trim_end_matches(|char| !allowed(char));
        escape::put_escaped(out, whole.as_bytes());
        if whole.len() < part.len() {
            out.push(b'_');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: impl AsRef<[u8]>) -> String {
        let mut buffer = Vec::new();
        let shown = value(text.as_ref(), &mut buffer).to_vec();
        String::from_utf8(shown).expect("what is shown is valid UTF-8")
    }

    fn key(name: &str) -> String {
        let mut out = Vec::new();
        put_key(&mut out, name);
        String::from_utf8(out).expect("a key is valid UTF-8")
    }

    #[test]
    fn a_value_without_specials_stands_as_it_is() {
        for text in ["a", "ESZ6", "101.25", r"C:\new", "größer", "{a:1}", "it's"] {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn a_value_with_specials_stands_in_quotes() {
        for (text, expected) in [
            ("", r#""""#),
            ("two words", r#""two words""#),
            ("a=b", r#""a=b""#),
            (r#"say "hi""#, r#""say \"hi\"""#),
            (r"a b\c", r#""a b\\c""#),
            ("a\nb", r#""a\nb""#),
            ("\x1b[31m", r#""\x1b[31m""#),
            ("é\u{202e}", r#""é\u{202e}""#),
        ] {
            assert_eq!(shown(text), expected);
        }
        assert_eq!(shown(b"\xff"), r#""\xff""#);
    }

    #[test]
    fn a_key_has_underscores_where_a_value_would_need_quotes() {
        for (name, expected) in [
            ("order_id", "order_id"),
            ("user.name", "user.name"),
            ("größe", "größe"),
            ("two words", "two_words"),
            ("a=\"b\"\n", "a__b__"),
            ("a\u{202e}b", r"a\u{202e}b"),
            ("", "_"),
        ] {
            assert_eq!(key(name), expected);
        }
    }
}
