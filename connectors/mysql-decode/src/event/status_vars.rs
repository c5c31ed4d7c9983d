//! Status variables of a query event: the session settings a statement depends on.

use crate::charset::Charset;
use crate::cursor::{Cursor, Read};

/// What is needed to read the statement. `raw` keeps all of them.
///
/// Layout ("QUERY_EVENT" of the MySQL internals manual): one byte of code, then a value whose width the code decides.
/// Nothing can be read behind an unknown code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatusVars<'a> {
    /// `sql_mode` bits: 0x04 ANSI_QUOTES, 0x100000 NO_BACKSLASH_ESCAPES.
    pub sql_mode: Option<u64>,
    /// Collation id of `character_set_client`, in which the statement is written.
    pub client_collation: Option<u16>,
    /// `time_zone` of the session.
    pub time_zone: Option<&'a [u8]>,
    /// All variables as they came.
    pub raw: &'a [u8],
}

impl<'a> StatusVars<'a> {
    pub(crate) fn parse(raw: &'a [u8]) -> Self {
        let mut vars = Self { raw, ..Self::default() };
        let mut cursor = Cursor::new(raw);
        while !cursor.is_empty() && vars.read_one(&mut cursor) == Ok(true) {}
        vars
    }

    /// Reads one variable; `false` when its code is unknown.
    fn read_one(&mut self, cursor: &mut Cursor<'a>) -> Read<bool> {
        match cursor.u8()? {
            1 => self.sql_mode = Some(cursor.u64_le()?),
            4 => {
                self.client_collation = Some(cursor.u16_le()?);
                cursor.skip(4)?;
            }
            5 => self.time_zone = Some(short_bytes(cursor)?),
            // Catalog, with a zero byte in its oldest form.
            2 => {
                short_bytes(cursor)?;
                cursor.skip(1)?;
            }
            6 => _ = short_bytes(cursor)?,
            // Definer: user and host.
            11 => {
                short_bytes(cursor)?;
                short_bytes(cursor)?;
            }
            12 => skip_database_names(cursor)?,
            code => match fixed_width(code) {
                Some(width) => cursor.skip(width)?,
                None => return Ok(false),
            },
        }
        Ok(true)
    }

    /// Character set of the statement.
    pub fn client_charset(&self) -> Charset {
        self.client_collation.map_or(Charset::Utf8mb4, Charset::from_collation)
    }
}

/// Bytes of the variables that always have the same width.
fn fixed_width(code: u8) -> Option<usize> {
    Some(match code {
        // Flags 2, auto increment, data written.
        0 | 3 | 10 => 4,
        // Locale, database charset, default collation for utf8mb4.
        7 | 8 | 18 => 2,
        // Table map for update, DDL xid; MariaDB's XA id.
        9 | 17 | 129 => 8,
        // Microseconds; MariaDB's high resolution time.
        13 | 128 => 3,
        // explicit_defaults_for_timestamp, sql_require_primary_key, default_table_encryption.
        16 | 19 | 20 => 1,
        _ => return None,
    })
}

fn short_bytes<'a>(cursor: &mut Cursor<'a>) -> Read<&'a [u8]> {
    let len = cursor.u8()?;
    cursor.take(len.into())
}

/// A count (254: too many to list) and that many zero-terminated names.
fn skip_database_names(cursor: &mut Cursor<'_>) -> Read<()> {
    let count = cursor.u8()?;
    for _ in 0..if count == 254 { 0 } else { count } {
        while cursor.u8()? != 0 {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_past_variables_it_does_not_need() {
        let raw = [
            &[0, 0, 0, 0, 0][..],
            &[1, 4, 0, 0, 0, 0, 0, 0, 0],
            &[6, 3, b's', b't', b'd'],
            &[12, 1, b'd', b'b', 0],
            &[4, 8, 0, 45, 0, 8, 0],
            &[5, 3, b'U', b'T', b'C'],
            &[200, 1, 2, 3],
        ]
        .concat();
        let vars = StatusVars::parse(&raw);
        assert_eq!(vars.sql_mode, Some(4));
        assert_eq!(vars.client_charset(), Charset::Latin1);
        assert_eq!(vars.time_zone, Some(&b"UTC"[..]));
        assert_eq!(vars.raw, raw);
    }

    #[test]
    fn cut_off_variables_are_left_out() {
        assert_eq!(StatusVars::parse(&[1, 0, 0]).sql_mode, None);
    }
}
