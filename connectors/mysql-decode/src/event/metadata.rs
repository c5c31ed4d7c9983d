//! Optional metadata of a table map: type 1 byte, length (length-encoded), value.
//!
//! Written since MySQL 8.0.1 and MariaDB 10.5. Signedness and character sets always; names, labels, keys and
//! visibility only with `binlog_row_metadata=FULL`. Source: `Optional_metadata_field_type` of the MySQL source.

use crate::cursor::{Cursor, Read};
use crate::error::Result;
use crate::event::table_map::{KeyPart, TableMap, WireColumn};
use crate::event::wire_type::WireType;

pub(crate) fn read(map: &mut TableMap, bytes: &[u8], mariadb: bool) -> Result<()> {
    // Where the types are not all known, counting columns of a kind would go wrong.
    if map.unknown_type().is_some() {
        return Ok(());
    }
    let mut cursor = Cursor::new(bytes);
    while !cursor.is_empty() {
        let field = cursor.u8()?;
        let value = Cursor::new(cursor.lenenc_bytes()?);
        read_field(map, field, value, mariadb)?;
    }
    Ok(())
}

fn read_field(map: &mut TableMap, field: u8, value: Cursor<'_>, mariadb: bool) -> Read<()> {
    let columns = &mut map.columns;
    match field {
        1 => signedness(columns, value),
        2 => default_collation(columns, value, |column| column.wire_type.is_character(mariadb)),
        3 => collations(columns, value, |column| column.wire_type.is_character(mariadb)),
        4 => names(columns, value),
        5 => labels(columns, value, WireType::Set),
        6 => labels(columns, value, WireType::Enum),
        8 => primary_key(map, value, false),
        9 => primary_key(map, value, true),
        10 => default_collation(columns, value, is_labelled),
        11 => collations(columns, value, is_labelled),
        12 => visibility(columns, value),
        // 7 geometry types, 13 vector dimensions, and what later servers add.
        _ => Ok(()),
    }
}

fn is_labelled(column: &WireColumn) -> bool {
    matches!(column.wire_type, WireType::Enum | WireType::Set)
}

/// One bit per numeric column, the most significant bit first; set is UNSIGNED.
fn signedness(columns: &mut [WireColumn], value: Cursor<'_>) -> Read<()> {
    let bits = value.rest().iter().flat_map(|byte| (0..8).rev().map(move |shift| byte >> shift & 1 == 1));
    for (column, unsigned) in columns.iter_mut().filter(|column| column.wire_type.is_numeric()).zip(bits) {
        column.unsigned = Some(unsigned);
    }
    Ok(())
}

/// The collation most columns have, then pairs of (number among the counted columns, collation) for the others.
fn default_collation(
    columns: &mut [WireColumn],
    mut value: Cursor<'_>,
    counts: impl Fn(&WireColumn) -> bool,
) -> Read<()> {
    let default = collation(&mut value)?;
    let mut counted: Vec<_> = columns.iter_mut().filter(|column| counts(column)).collect();
    counted.iter_mut().for_each(|column| column.collation = Some(default));
    while !value.is_empty() {
        let index = value.lenenc_usize()?;
        let other = collation(&mut value)?;
        if let Some(column) = counted.get_mut(index) {
            column.collation = Some(other);
        }
    }
    Ok(())
}

/// One collation per counted column. Left out when the numbers differ, because then they count something else.
fn collations(columns: &mut [WireColumn], mut value: Cursor<'_>, counts: impl Fn(&WireColumn) -> bool) -> Read<()> {
    let mut found = Vec::new();
    while !value.is_empty() {
        found.push(collation(&mut value)?);
    }
    let counted: Vec<_> = columns.iter_mut().filter(|column| counts(column)).collect();
    if counted.len() == found.len() {
        counted.into_iter().zip(found).for_each(|(column, id)| column.collation = Some(id));
    }
    Ok(())
}

fn collation(value: &mut Cursor<'_>) -> Read<u16> {
    value.lenenc().map(|id| u16::try_from(id).unwrap_or(u16::MAX))
}

fn names(columns: &mut [WireColumn], mut value: Cursor<'_>) -> Read<()> {
    for column in columns {
        if value.is_empty() {
            break;
        }
        column.name = Some(String::from_utf8_lossy(value.lenenc_bytes()?).into_owned());
    }
    Ok(())
}

/// Per column of the type: the number of labels, then each label with its length.
fn labels(columns: &mut [WireColumn], mut value: Cursor<'_>, wire_type: WireType) -> Read<()> {
    for column in columns.iter_mut().filter(|column| column.wire_type == wire_type) {
        if value.is_empty() {
            break;
        }
        let count = value.lenenc_usize()?;
        let mut labels = Vec::with_capacity(count.min(value.len()));
        for _ in 0..count {
            labels.push(value.lenenc_bytes()?.to_vec());
        }
        column.labels = Some(labels);
    }
    Ok(())
}

/// Ordinals of the key columns, each followed by its prefix length if `with_prefix`.
fn primary_key(map: &mut TableMap, mut value: Cursor<'_>, with_prefix: bool) -> Read<()> {
    let mut parts = Vec::new();
    while !value.is_empty() {
        let column = value.lenenc_usize()?;
        let prefix = if with_prefix { value.lenenc()? } else { 0 };
        parts.push(KeyPart { column, prefix });
    }
    map.primary_key = Some(parts);
    Ok(())
}

/// One bit per column, the most significant bit first.
fn visibility(columns: &mut [WireColumn], value: Cursor<'_>) -> Read<()> {
    let bits = value.rest().iter().flat_map(|byte| (0..8).rev().map(move |shift| byte >> shift & 1 == 1));
    columns.iter_mut().zip(bits).for_each(|(column, visible)| column.visible = Some(visible));
    Ok(())
}
