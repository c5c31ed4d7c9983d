//! Rows events, before their rows are decoded.

use std::borrow::Cow;
use std::sync::Arc;

use crate::cursor::{Cursor, bitmap_len};
use crate::error::{DecodeError, Result};
use crate::event::header::event_type;
use crate::event::inflate::inflate;
use crate::event::table_map::TableMap;

/// Rows of one table, all changed in the same way by one statement.
#[derive(Debug, Clone)]
pub struct RowsEvent<'a> {
    /// The table as announced by the last table map with the id.
    pub table: Arc<TableMap>,
    /// What happened to the rows.
    pub kind: RowsKind,
    /// The statement ends with this event.
    pub ends_statement: bool,
    /// Position of the event in its file, when the header told it.
    pub position: Option<u64>,
    /// Columns in the row images; must be those of the table.
    pub column_count: usize,
    /// One bit per column: is it in the before image (update, delete) or the only image (insert)?
    pub columns_before: &'a [u8],
    /// One bit per column: is it in the after image? Empty unless an update.
    pub columns_after: &'a [u8],
    /// The row images: per image a bit for each of its columns that is NULL, then the values of the others.
    pub images: Cow<'a, [u8]>,
}

/// What happened to the rows of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RowsKind {
    /// One image per row: the new row.
    Insert,
    /// Two images per row: before and after.
    Update,
    /// One image per row: the old row.
    Delete,
}

/// How the three generations of rows events differ.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowsLayout {
    pub(crate) kind: RowsKind,
    /// Version 2 has extra data between the post-header and the columns.
    pub(crate) has_extra: bool,
    /// MariaDB compresses the images.
    pub(crate) compressed: bool,
}

const STATEMENT_END: u16 = 0x0001;
/// The id of a rows event that exists only to end a statement.
pub(crate) const DUMMY_TABLE_ID: u64 = 0x00ff_ffff;

impl RowsLayout {
    pub(crate) fn of(type_code: u8) -> Option<Self> {
        let (kind, has_extra, compressed) = match type_code {
            event_type::WRITE_ROWS_V1 => (RowsKind::Insert, false, false),
            event_type::UPDATE_ROWS_V1 => (RowsKind::Update, false, false),
            event_type::DELETE_ROWS_V1 => (RowsKind::Delete, false, false),
            event_type::WRITE_ROWS => (RowsKind::Insert, true, false),
            event_type::UPDATE_ROWS => (RowsKind::Update, true, false),
            event_type::DELETE_ROWS => (RowsKind::Delete, true, false),
            event_type::MARIA_WRITE_ROWS_COMPRESSED_V1 => (RowsKind::Insert, false, true),
            event_type::MARIA_UPDATE_ROWS_COMPRESSED_V1 => (RowsKind::Update, false, true),
            event_type::MARIA_DELETE_ROWS_COMPRESSED_V1 => (RowsKind::Delete, false, true),
            event_type::MARIA_WRITE_ROWS_COMPRESSED => (RowsKind::Insert, true, true),
            event_type::MARIA_UPDATE_ROWS_COMPRESSED => (RowsKind::Update, true, true),
            event_type::MARIA_DELETE_ROWS_COMPRESSED => (RowsKind::Delete, true, true),
            _ => return None,
        };
        Some(Self { kind, has_extra, compressed })
    }
}

/// The flag that says the statement ends with this event.
pub(crate) fn ends_statement(body: &[u8], post_header_len: usize) -> Result<bool> {
    let mut cursor = Cursor::new(body);
    cursor.skip(if post_header_len == 6 { 4 } else { 6 })?;
    Ok(cursor.u16_le()? & STATEMENT_END != 0)
}

impl<'a> RowsEvent<'a> {
    /// Reads table id, flags 2, extra data (version 2: a length of at least 2 that includes itself), the number of
    /// columns, one bitmap of columns per image, then the images.
    pub(crate) fn parse(
        body: &'a [u8],
        layout: RowsLayout,
        post_header_len: usize,
        table: Arc<TableMap>,
        limit: usize,
    ) -> Result<Self> {
        let mut cursor = Cursor::new(body);
        let ends_statement = ends_statement(body, post_header_len)?;
        cursor.skip(if post_header_len == 6 { 6 } else { 8 })?;
        if layout.has_extra {
            let len = usize::from(cursor.u16_le()?);
            let extra = len.checked_sub(2);
            cursor.skip(
                extra.ok_or_else(|| DecodeError::malformed(format!("rows event with extra data of {len} bytes")))?,
            )?;
        }
        let column_count = cursor.lenenc_usize()?;
        let columns_before = cursor.take(bitmap_len(column_count))?;
        let columns_after = match layout.kind {
            RowsKind::Update => cursor.take(bitmap_len(column_count))?,
            _ => &[],
        };
        let images = match layout.compressed {
            true => Cow::Owned(inflate(cursor.rest(), limit)?),
            false => Cow::Borrowed(cursor.rest()),
        };
        let kind = layout.kind;
        Ok(Self { table, kind, ends_statement, position: None, column_count, columns_before, columns_after, images })
    }
}
