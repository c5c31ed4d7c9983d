//! `QUERY_EVENT` and its relatives: a statement and the session it ran in.

use std::borrow::Cow;

use crate::charset::{Charset, latin1_to_utf8};
use crate::cursor::Cursor;
use crate::error::Result;
use crate::event::inflate::inflate;
use crate::event::status_vars::StatusVars;

/// A statement in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query<'a> {
    /// Whether it is an ordinary statement or a logged LOAD DATA.
    pub kind: QueryKind,
    /// Connection that ran it.
    pub thread_id: u32,
    /// How long it ran, in seconds.
    pub seconds: u32,
    /// Error the statement ended with; 0 when it succeeded.
    pub error_code: u16,
    /// Default database of the session; empty when there was none.
    pub schema: Cow<'a, str>,
    /// The session settings it depends on.
    pub status_vars: StatusVars<'a>,
    /// The statement, in the session's character set.
    pub sql_bytes: Cow<'a, [u8]>,
}

/// Kinds of statement events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryKind {
    /// `QUERY_EVENT` or MariaDB's compressed form of it.
    Statement,
    /// `EXECUTE_LOAD_QUERY_EVENT`: a LOAD DATA logged as a statement, so its rows are not in the log.
    LoadData,
}

impl<'a> Query<'a> {
    /// Reads the fixed fields (thread 4, seconds 4, schema length 1, error 2, status length 2, and what the server
    /// adds up to `post_header_len`), then status variables, schema, a zero byte, and the statement.
    pub(crate) fn parse(body: &'a [u8], post_header_len: usize, kind: QueryKind) -> Result<Self> {
        let mut cursor = Cursor::new(body);
        let mut fixed = cursor.sub(post_header_len)?;
        let thread_id = fixed.u32_le()?;
        let seconds = fixed.u32_le()?;
        let schema_len = fixed.u8()?;
        let error_code = fixed.u16_le()?;
        let status_len = fixed.u16_le()?;
        let status_vars = StatusVars::parse(cursor.take(status_len.into())?);
        let schema = String::from_utf8_lossy(cursor.take(schema_len.into())?);
        cursor.skip(1)?;
        let sql_bytes = Cow::Borrowed(cursor.take_rest());
        Ok(Self { kind, thread_id, seconds, error_code, schema, status_vars, sql_bytes })
    }

    /// MariaDB's `QUERY_COMPRESSED_EVENT`: the same, with the statement compressed.
    pub(crate) fn parse_compressed(body: &'a [u8], post_header_len: usize, limit: usize) -> Result<Self> {
        let mut query = Self::parse(body, post_header_len, QueryKind::Statement)?;
        query.sql_bytes = Cow::Owned(inflate(&query.sql_bytes, limit)?);
        Ok(query)
    }

    /// The statement as text. Bytes that are no text in the session's character set become U+FFFD.
    pub fn sql(&self) -> Cow<'_, str> {
        match self.status_vars.client_charset() {
            Charset::Latin1 if !self.sql_bytes.is_ascii() => {
                let mut utf8 = Vec::with_capacity(self.sql_bytes.len() * 2);
                latin1_to_utf8(&self.sql_bytes, &mut utf8);
                Cow::Owned(String::from_utf8_lossy(&utf8).into_owned())
            }
            _ => String::from_utf8_lossy(&self.sql_bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(status: &[u8], sql: &[u8]) -> Vec<u8> {
        let fixed = [&7u32.to_le_bytes()[..], &1u32.to_le_bytes(), &[4], &[0, 0], &[status.len() as u8, 0]].concat();
        [&fixed, status, b"shop\0", sql].concat()
    }

    #[test]
    fn a_statement_in_its_session() {
        let bytes = body(&[4, 8, 0, 8, 0, 8, 0], b"ALTER TABLE caf\xe9 ADD x INT");
        let query = Query::parse(&bytes, 13, QueryKind::Statement).unwrap();
        assert_eq!((query.thread_id, query.schema.as_ref()), (7, "shop"));
        assert_eq!(query.sql(), "ALTER TABLE café ADD x INT");
        for len in 0..body(&[], b"").len() {
            assert!(Query::parse(&body(&[], b"")[..len], 13, QueryKind::Statement).is_err(), "{len}");
        }
    }
}
