//! The text that a string literal stands for.

/// The text of the literal with this source, or `None` if it is not a string literal.
///
/// The compiler has read the literal before, so its escapes are known to be valid.
pub(crate) fn text(source: &str) -> Option<String> {
    if let Some(raw) = source.strip_prefix('r') {
        let quoted = raw.trim_start_matches('#');
        let hashes = raw.len() - quoted.len();
        let end = quoted.len().checked_sub(hashes)?;
        let text = quoted.get(..end)?.strip_prefix('"')?.strip_suffix('"')?;
        Some(text.to_owned())
    } else {
        unescape(source.strip_prefix('"')?.strip_suffix('"')?)
    }
}

fn unescape(escaped: &str) -> Option<String> {
    let mut text = String::with_capacity(escaped.len());
    let mut rest = escaped.chars();
    while let Some(char) = rest.next() {
        if char != '\\' {
            text.push(char);
            continue;
        }
        match rest.next()? {
            'n' => text.push('\n'),
            'r' => text.push('\r'),
            't' => text.push('\t'),
            '0' => text.push('\0'),
            same @ ('\\' | '\'' | '"') => text.push(same),
            'x' => {
                let (digits, after) = rest.as_str().split_at_checked(2)?;
                text.push(code_point(digits)?);
                rest = after.chars();
            }
            'u' => {
                let (digits, after) = rest.as_str().strip_prefix('{')?.split_once('}')?;
                text.push(code_point(&digits.replace('_', ""))?);
                rest = after.chars();
            }
            '\n' => {
                rest = rest
                    .as_str()
                    .trim_start_matches([' ', '\t', '\n', '\r'])
                    .chars();
            }
            _ => return None,
        }
    }
    Some(text)
}

fn code_point(hex: &str) -> Option<char> {
    char::from_u32(u32::from_str_radix(hex, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use super::text;

    /// Compares with what the compiler makes of the same source.
    macro_rules! assert_read {
        ($($literal:literal)*) => {
            $(assert_eq!(text(stringify!($literal)).as_deref(), Some($literal));)*
        };
    }

    #[test]
    fn every_kind_of_string_literal_is_read_as_the_compiler_reads_it() {
        assert_read!(
            "" "plain" "quote \" backslash \\ apostrophe \' '"
            "\n\r\t\0" "\x41\x7f" "\u{41}\u{1F600}\u{1_F6_00}" "smörgås 🦀"
            "a \
             continued line" "a line
             break"
            r"" r"raw \n \u{41}" r#"hash " "#  r###"hashes "## "###
        );
    }

    #[test]
    fn a_continued_line_skips_empty_lines() {
        assert_eq!(text("\"a\\\n \n\t b\"").as_deref(), Some("ab"));
    }

    #[test]
    fn other_literals_are_not_strings() {
        for source in [
            "1",
            "1.5f64",
            "'c'",
            "b\"x\"",
            "br\"x\"",
            "c\"x\"",
            "b'x'",
            "\"x\"suffix",
            "r",
            "r#",
        ] {
            assert_eq!(text(source), None, "{source}");
        }
    }
}
