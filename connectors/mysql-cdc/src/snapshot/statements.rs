//! The statements of a snapshot.

use sluice_model::{Error, Result};

use crate::chunk::{Bound, Range, hex};
use crate::feed::{ChunkKey, Comparison, Feed};
use crate::server::{quote_name, quote_text};

/// A bound as a literal that compares with the key as the key's own values do.
pub(super) fn literal(bound: &Bound, key: &ChunkKey) -> Result<String> {
    Ok(match &key.comparison {
        Comparison::Integer => {
            bound.to_int().ok_or_else(|| Error::bug("an integer chunk key has a bound that is no integer"))?.to_string()
        }
        Comparison::Bytes => format!("x'{}'", hex(bound.bytes())),
        Comparison::Server { charset, collation } => {
            format!("CONVERT({} USING {charset}) COLLATE {collation}", quote_text(bound.bytes()))
        }
    })
}

/// The rows of a range, as a condition; `TRUE` for all.
pub(super) fn condition(range: &Range, key: Option<&ChunkKey>) -> Result<String> {
    let Some(key) = key else {
        return Ok("TRUE".to_owned());
    };
    let name = quote_name(&key.name);
    let mut parts = Vec::new();
    if let Some(start) = &range.start {
        parts.push(format!("{name} >= {}", literal(start, key)?));
    }
    if let Some(end) = &range.end {
        parts.push(format!("{name} < {}", literal(end, key)?));
    }
    Ok(if parts.is_empty() { "TRUE".to_owned() } else { parts.join(" AND ") })
}

/// All decoded columns of the rows in a range.
pub(super) fn select_chunk(feed: &Feed, range: &Range) -> Result<String> {
    let columns: Vec<String> = feed.columns.iter().map(|column| quote_name(&column.source.name)).collect();
    let condition = condition(range, feed.chunk_key.as_ref())?;
    Ok(format!("SELECT {} FROM {} WHERE {condition}", columns.join(","), feed.table.quoted()))
}

/// Lowest and highest key in a range.
pub(super) fn select_extremes(feed: &Feed, key: &ChunkKey, range: &Range) -> Result<String> {
    let name = quote_name(&key.name);
    let condition = condition(range, Some(key))?;
    Ok(format!("SELECT MIN({name}), MAX({name}) FROM {} WHERE {condition}", feed.table.quoted()))
}

/// The key `rows` rows behind the start of a range, and whether it lies behind the start.
pub(super) fn select_bound(feed: &Feed, key: &ChunkKey, range: &Range, rows: u32) -> Result<String> {
    let name = quote_name(&key.name);
    let behind = match &range.start {
        None => "TRUE".to_owned(),
        Some(start) => format!("{name} > {}", literal(start, key)?),
    };
    let condition = condition(range, Some(key))?;
    let table = feed.table.quoted();
    Ok(format!("SELECT {name}, {behind} FROM {table} WHERE {condition} ORDER BY {name} LIMIT 1 OFFSET {rows}"))
}

/// The first key behind the start of a range.
pub(super) fn select_next_key(feed: &Feed, key: &ChunkKey, range: &Range) -> Result<String> {
    let name = quote_name(&key.name);
    let behind = match &range.start {
        // The first chunk begins at the lowest key: behind it lies what is greater than the least one.
        None => format!("{name} > (SELECT MIN({name}) FROM {})", feed.table.quoted()),
        Some(start) => format!("{name} > {}", literal(start, key)?),
    };
    let condition = condition(range, Some(key))?;
    let table = feed.table.quoted();
    Ok(format!("SELECT MIN({name}) FROM {table} WHERE {condition} AND {behind}"))
}

/// For every key, with its number, how many of the bounds it has reached. `keys` may not be empty.
pub(super) fn select_ranks(key: &ChunkKey, bounds: &[Bound], keys: &[&[u8]]) -> Result<String> {
    let mut reached = String::from("0");
    for bound in bounds {
        reached.push_str(&format!(" + (x.k >= {})", literal(bound, key)?));
    }
    let rows: Vec<String> = keys
        .iter()
        .enumerate()
        .map(|(number, value)| Ok(format!("SELECT {number} AS n, {} AS k", literal(&Bound::new(value.to_vec()), key)?)))
        .collect::<Result<_>>()?;
    Ok(format!("SELECT x.n, {reached} FROM ({}) x", rows.join(" UNION ALL ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(comparison: Comparison) -> ChunkKey {
        ChunkKey { column: 0, name: "k".into(), comparison, is_unique: true }
    }

    #[test]
    fn ranges_are_half_open_and_literals_safe() {
        let range = Range { start: Some(Bound::of_int(-5)), end: Some(Bound::of_int(i128::from(u64::MAX))) };
        assert_eq!(
            condition(&range, Some(&key(Comparison::Integer))).unwrap(),
            "`k` >= -5 AND `k` < 18446744073709551615"
        );
        let bytes = Range { start: Some(Bound::new(vec![0xff, b'\''])), end: None };
        assert_eq!(condition(&bytes, Some(&key(Comparison::Bytes))).unwrap(), "`k` >= x'ff27'");
        assert_eq!(condition(&Range::ALL, Some(&key(Comparison::Bytes))).unwrap(), "TRUE");
        let injected = Range { start: Some(Bound::new(b"1 OR 1=1".to_vec())), end: None };
        assert!(condition(&injected, Some(&key(Comparison::Integer))).is_err());
    }

    #[test]
    fn texts_compare_under_the_collation_of_the_column() {
        let comparison = Comparison::Server { charset: "latin1".into(), collation: "latin1_swedish_ci".into() };
        let text = select_ranks(&key(comparison), &[Bound::new(b"m".to_vec())], &[b"a", b"z"]).unwrap();
        assert_eq!(
            text,
            "SELECT x.n, 0 + (x.k >= CONVERT(_utf8mb4 0x6d USING latin1) COLLATE latin1_swedish_ci) FROM (\
             SELECT 0 AS n, CONVERT(_utf8mb4 0x61 USING latin1) COLLATE latin1_swedish_ci AS k UNION ALL \
             SELECT 1 AS n, CONVERT(_utf8mb4 0x7a USING latin1) COLLATE latin1_swedish_ci AS k) x"
        );
    }
}
