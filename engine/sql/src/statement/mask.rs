//! The text of a statement with its secrets masked, for echoes and logs.

use sluice_model::Secret;

/// `'password' = 'x'` becomes `'password' = '******'`, and passwords inside URLs are masked.
///
/// Works on the text, so that an echo shows what the user wrote, comments and all.
pub(crate) fn mask_secrets(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    // The key whose value would come next: a string behind which nothing but `=` has been seen.
    let mut key: Option<String> = None;
    while let Some(start) = rest.find('\'') {
        let Some(length) = string_length(&rest[start..]) else {
            break;
        };
        let between = &rest[..start];
        masked.push_str(between);
        let literal = &rest[start + 1..start + length - 1];
        let is_value = between.trim() == "=";
        match key.take() {
            Some(key) if is_value => {
                masked.push('\'');
                masked.push_str(&Secret::mask_option(&key, literal));
                masked.push('\'');
            }
            _ => {
                masked.push_str(&rest[start..start + length]);
                key = Some(literal.to_owned());
            }
        }
        rest = &rest[start + length..];
    }
    masked.push_str(mask_unquoted(rest).as_str());
    masked
}

/// Length of a string literal with both quotes; `''` inside is one quote.
fn string_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut index = 1;
    while index < bytes.len() {
        if bytes[index] == b'\'' {
            if bytes.get(index + 1) == Some(&b'\'') {
                index += 1;
            } else {
                return Some(index + 1);
            }
        }
        index += 1;
    }
    None
}

/// `SET my.password = x`, the old form without quotes.
fn mask_unquoted(text: &str) -> String {
    let words = text.trim_start();
    let is_set = words.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("set "));
    match words.split_once('=') {
        Some((head, _)) if is_set && Secret::is_secret_key(head) => format!("{head}= {}", Secret::MASK),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_values_of_secret_keys_only() {
        assert_eq!(
            mask_secrets("WITH ('username'='u', 'password' = 'it''s', 'url'='jdbc:x://h/d?password=p&a=b') -- 'x'"),
            "WITH ('username'='u', 'password' = '******', 'url'='jdbc:x://h/d?password=******&a=b') -- 'x'"
        );
        assert_eq!(mask_secrets("SELECT 'password', 'x'"), "SELECT 'password', 'x'");
        assert_eq!(mask_secrets("SET security.token = abc"), "SET security.token = ******");
    }

    #[test]
    fn an_unterminated_string_is_left_alone() {
        assert_eq!(mask_secrets("a = 'b"), "a = 'b");
    }
}
