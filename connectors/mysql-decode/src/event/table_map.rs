//! `TABLE_MAP_EVENT`: the layout of the rows that follow.

use crate::cursor::{Cursor, bit, bitmap_len};
use crate::error::{DecodeError, Result};
use crate::event::metadata;
use crate::event::wire_type::WireType;

/// A table as the rows events after it lay it out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableMap {
    /// Number that rows events refer to; valid until the statement ends.
    pub table_id: u64,
    /// Database.
    pub schema: String,
    /// Table.
    pub table: String,
    /// All columns in order, invisible and generated ones included.
    pub columns: Vec<WireColumn>,
    /// Primary key, when the server writes full metadata (`binlog_row_metadata=FULL`).
    pub primary_key: Option<Vec<KeyPart>>,
}

/// One column of a table map. What only metadata tells is `None` where the server did not write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireColumn {
    /// Type, after resolving what `STRING` hides.
    pub wire_type: WireType,
    /// Meaning depends on the type: maximal length, digits, fractional digits, prefix width.
    pub meta: u16,
    /// Whether the column may be NULL.
    pub nullable: bool,
    /// Whether a numeric column is UNSIGNED (since MySQL 8.0.1 and MariaDB 10.5).
    pub unsigned: Option<bool>,
    /// Collation id of a text, ENUM or SET column (since MySQL 8.0.1 and MariaDB 10.5). 63 is binary.
    pub collation: Option<u16>,
    /// Name (full metadata).
    pub name: Option<String>,
    /// Labels of an ENUM or SET column, in the column's character set (full metadata).
    pub labels: Option<Vec<Vec<u8>>>,
    /// Whether `SELECT *` shows the column (full metadata).
    pub visible: Option<bool>,
}

/// One column of a primary key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyPart {
    /// Ordinal of the column.
    pub column: usize,
    /// Characters of the column in the key; 0 for all of it.
    pub prefix: u64,
}

impl TableMap {
    /// Reads table id 6 (4 when the post-header has 6 bytes), flags 2, then schema, table, types, metadata, nullable
    /// bits and the optional metadata.
    pub(crate) fn parse(body: &[u8], post_header_len: usize, mariadb: bool) -> Result<Self> {
        let mut cursor = Cursor::new(body);
        let table_id = table_id(body, post_header_len)?;
        cursor.skip(post_header_len)?;
        let schema = name(&mut cursor)?;
        let table = name(&mut cursor)?;
        let mut map = Self { table_id, schema, table, columns: Vec::new(), primary_key: None };
        let read = map.read_columns(&mut cursor).and_then(|()| metadata::read(&mut map, cursor.rest(), mariadb));
        match read {
            Ok(()) => Ok(map),
            Err(error) => Err(error.in_table(map.full_name())),
        }
    }

    fn read_columns(&mut self, cursor: &mut Cursor<'_>) -> Result<()> {
        let count = cursor.lenenc_usize()?;
        let types = cursor.take(count)?;
        let mut meta_block = Cursor::new(cursor.lenenc_bytes()?);
        let nullable = cursor.take(bitmap_len(count))?;
        let mut readable = true;
        for (index, code) in types.iter().enumerate() {
            let declared = WireType::from_code(*code);
            readable &= !matches!(declared, WireType::Unknown(_));
            let (wire_type, meta) =
                if readable { declared.read_metadata(&mut meta_block)? } else { (WireType::Unknown(*code), 0) };
            let column = WireColumn {
                wire_type,
                meta,
                nullable: bit(nullable, index),
                unsigned: None,
                collation: None,
                name: None,
                labels: None,
                visible: None,
            };
            self.columns.push(column);
        }
        Ok(())
    }

    /// `database.table`.
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.schema, self.table)
    }

    /// The first column of a type this crate does not know, if any: rows of the table cannot be told apart then.
    pub(crate) fn unknown_type(&self) -> Option<(usize, u8)> {
        self.columns.iter().enumerate().find_map(|(index, column)| match column.wire_type {
            WireType::Unknown(code) => Some((index, code)),
            _ => None,
        })
    }
}

/// The table id at the start of table maps and rows events.
pub(crate) fn table_id(body: &[u8], post_header_len: usize) -> Result<u64> {
    let width = if post_header_len == 6 { 4 } else { 6 };
    Ok(Cursor::new(body).uint_le(width)?)
}

/// A name with one length byte before it and a zero byte behind it.
fn name(cursor: &mut Cursor<'_>) -> Result<String> {
    let len = cursor.u8()?;
    let bytes = cursor.take(len.into())?;
    if cursor.u8()? != 0 {
        return Err(DecodeError::malformed("a name in a table map does not end with a zero byte"));
    }
    Ok(String::from_utf8_lossy(bytes).into_owned())
}
