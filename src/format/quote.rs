//! The keys and values of fields, by the rules of logfmt.
//!
//! A value stands in quotes if it is empty or has a space, a quote, an equals sign, or anything that
//! [`escape`](super::escape) escapes. In quotes it is a string of JSON; so a value can be read back,
//! whatever it is. A key has no quotes: what a value would need them for is an underscore in a key.

use super::escape::{self, Quoted, Raw};

/// Appends the value of a field: as it is if that leaves no doubt where it ends, else in quotes.
pub(super) fn put_value(out: &mut Vec<u8>, text: &[u8], urls: bool) {
    let ends_word = |byte: &u8| *byte <= b' ' || matches!(byte, b'"' | b'=' | 0x7f);
    let harmless = |text: &str| !text.contains(escape::is_dangerous);
    let bare = !text.is_empty()
        && !text.iter().any(ends_word)
        && (text.is_ascii() || std::str::from_utf8(text).is_ok_and(harmless));
    if bare {
        escape::put::<Raw>(out, text, urls);
    } else {
        out.push(b'"');
        escape::put::<Quoted>(out, text, urls);
        out.push(b'"');
    }
}

/// Appends the name of a field.
pub(super) fn put_key(out: &mut Vec<u8>, name: &str) {
    let allowed = |c: char| !c.is_whitespace() && !"\"=".contains(c) && !escape::is_dangerous(c);
    let start = out.len();
    for character in name.chars() {
        let character = if allowed(character) { character } else { '_' };
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
    if out.len() == start {
        out.push(b'_');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: impl AsRef<[u8]>) -> String {
        let mut out = Vec::new();
        put_value(&mut out, text.as_ref(), true);
        String::from_utf8(out).expect("what is shown is valid UTF-8")
    }

    fn key(name: &str) -> String {
        let mut out = Vec::new();
        put_key(&mut out, name);
        String::from_utf8(out).expect("a key is valid UTF-8")
    }

    #[test]
    fn a_value_without_specials_stands_as_it_is() {
        for text in [
            "a",
            "ESZ6",
            "101.25",
            r"C:\new",
            "größer",
            "{a:1}",
            "it's",
            "a@b.example",
        ] {
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
            ("\x1b[31m", r#""\u001b[31m""#),
            ("\x7f", r#""\u007f""#),
            ("é\u{202e}", r#""é\u202e""#),
        ] {
            assert_eq!(shown(text), expected);
            assert_eq!(serde_json::from_str::<String>(expected).unwrap(), text);
        }
        assert_eq!(shown(b"\xff"), r#""\ufffd""#);
    }

    #[test]
    fn a_key_has_underscores_where_a_value_would_need_quotes() {
        for (name, expected) in [
            ("order_id", "order_id"),
            ("user.name", "user.name"),
            ("größe", "größe"),
            ("two words", "two_words"),
            ("a=\"b\"\n", "a__b__"),
            ("\x1b[31m", "_[31m"),
            ("a\u{202e}b", "a_b"),
            ("", "_"),
        ] {
            assert_eq!(key(name), expected);
        }
    }
}
