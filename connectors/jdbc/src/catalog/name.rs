//! Names of tables as users write them.

use sluice_model::{Error, Result};

/// `table` or `schema.table`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableName {
    pub(crate) schema: Option<Part>,
    pub(crate) table: Part,
}

/// A part of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) text: String,
    /// Written in double quotes: taken as it is.
    pub(crate) quoted: bool,
}

impl Part {
    /// What it may be called in the catalog, best first: as written, or in lower case as the server
    /// itself would read it.
    pub(crate) fn candidates(&self) -> Vec<String> {
        let lower = self.text.to_lowercase();
        if self.quoted || lower == self.text { vec![self.text.clone()] } else { vec![self.text.clone(), lower] }
    }
}

impl TableName {
    /// Reads a name; parts are separated by dots, and may stand in double quotes.
    ///
    /// # Errors
    /// An empty part, a quote without its end, or more than two parts.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let wrong = |why: &str| {
            Error::fix(format!("invalid value '{text}' for option 'table-name'"))
                .because(why.to_owned())
                .with_hint("expected table or schema.table; a part with a dot stands in double quotes")
        };
        let mut parts = Vec::new();
        let mut rest = text.trim();
        loop {
            let (part, tail) = split_part(rest).ok_or_else(|| wrong("a double quote has no end"))?;
            if part.text.is_empty() {
                return Err(wrong("a part of the name is empty"));
            }
            parts.push(part);
            match tail.strip_prefix('.') {
                Some(next) => rest = next,
                None if tail.is_empty() => break,
                None => return Err(wrong("there is text behind a double quote")),
            }
        }
        let table = parts.pop().ok_or_else(|| wrong("the name is empty"))?;
        let schema = parts.pop();
        if !parts.is_empty() {
            return Err(wrong("a name has two parts; the database stands in 'url'"));
        }
        Ok(Self { schema, table })
    }
}

fn split_part(text: &str) -> Option<(Part, &str)> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find('.').unwrap_or(text.len());
        return Some((Part { text: text[..end].to_owned(), quoted: false }, &text[end..]));
    };
    let mut name = String::new();
    loop {
        let end = rest.find('"')?;
        name.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(next) => {
                name.push('"');
                rest = next;
            }
            None => return Some((Part { text: name, quoted: true }, rest)),
        }
    }
}

/// An identifier in double quotes.
pub(crate) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_one_or_two_parts() {
        let show = |text: &str| {
            let name = TableName::parse(text).unwrap();
            (name.schema.map(|part| part.text), name.table.candidates())
        };
        assert_eq!(show("t"), (None, vec!["t".to_owned()]));
        assert_eq!(show("S.Store"), (Some("S".to_owned()), vec!["Store".to_owned(), "store".to_owned()]));
        assert_eq!(show("\"a.b\".\"T\"\"x\""), (Some("a.b".to_owned()), vec!["T\"x".to_owned()]));
    }

    #[test]
    fn refuses_other_forms() {
        for text in ["", "a.", ".a", "a.b.c", "\"a", "\"a\"b"] {
            assert!(TableName::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn quotes_names() {
        assert_eq!(quote("a\"b"), "\"a\"\"b\"");
    }
}
