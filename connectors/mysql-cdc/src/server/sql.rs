//! Names and values inside statements.

/// A name in backquotes.
pub(crate) fn quote_name(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text as a literal in utf8mb4, safe whatever it contains.
pub(crate) fn quote_text(text: &[u8]) -> String {
    if text.is_empty() {
        return "_utf8mb4''".to_owned();
    }
    format!("_utf8mb4 0x{}", crate::chunk::hex(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_escapes_from_quotes() {
        assert_eq!(quote_name("a`b"), "`a``b`");
        assert_eq!(quote_text(b"a'\\"), "_utf8mb4 0x61275c");
        assert_eq!(quote_text(b""), "_utf8mb4''");
    }
}
