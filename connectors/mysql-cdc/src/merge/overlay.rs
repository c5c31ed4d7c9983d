//! Changes put over the rows of a chunk.

use std::collections::HashMap;

use arrow_array::{BooleanArray, RecordBatch, UInt32Array};
use arrow_select::concat::concat_batches;
use arrow_select::filter::filter_record_batch;
use arrow_select::take::take_record_batch;
use sluice_model::{ChangelogBatch, Error, Result};

use super::key::RowKeys;

/// Where the newest state of a key stands: batch and row, or that the key is gone.
type Newest = HashMap<Vec<u8>, Option<(usize, u32)>>;

/// The rows after the changes: `-U` and `-D` remove the row of their key, `+I` and `+U` put one in its place.
///
/// Applying a change whose effect the rows already show changes nothing, because a change holds the whole row.
///
/// ```text
/// rows      1 a / 2 b / 3 c
/// changes   -U 2 b / +U 2 x / -D 3 c / +I 4 d
/// result    1 a / 2 x / 4 d
/// ```
pub(crate) fn overlay(rows: RecordBatch, changes: &[ChangelogBatch], identity: &[usize]) -> Result<RecordBatch> {
    if changes.iter().all(ChangelogBatch::is_empty) {
        return Ok(rows);
    }
    if identity.is_empty() {
        return Err(Error::bug("changes of a table without a key met its snapshot"));
    }
    let newest = newest(changes, identity)?;
    let kept = untouched(&rows, &newest, identity)?;
    let mut parts = vec![kept];
    for (index, batch) in changes.iter().enumerate() {
        let mut takes: Vec<u32> =
            newest.values().flatten().filter(|(from, _)| *from == index).map(|(_, row)| *row).collect();
        if !takes.is_empty() {
            takes.sort_unstable();
            parts.push(take_record_batch(batch.rows(), &UInt32Array::from(takes)).map_err(Error::from_arrow)?);
        }
    }
    concat_batches(&rows.schema(), &parts).map_err(Error::from_arrow)
}

fn newest(changes: &[ChangelogBatch], identity: &[usize]) -> Result<Newest> {
    let mut newest = Newest::new();
    for (index, batch) in changes.iter().enumerate() {
        let keys = RowKeys::of(batch.rows(), identity)?;
        for row in 0..batch.num_rows() {
            let place = u32::try_from(row).map_err(|_| Error::bug("a batch of more than 2^32 rows"))?;
            let state = batch.kind(row).is_addition().then_some((index, place));
            match newest.get_mut(keys.get(row).as_ref()) {
                Some(slot) => *slot = state,
                None => {
                    newest.insert(keys.get(row).as_ref().to_vec(), state);
                }
            }
        }
    }
    Ok(newest)
}

fn untouched(rows: &RecordBatch, newest: &Newest, identity: &[usize]) -> Result<RecordBatch> {
    let keys = RowKeys::of(rows, identity)?;
    let mask: BooleanArray =
        (0..rows.num_rows()).map(|row| Some(!newest.contains_key(keys.get(row).as_ref()))).collect();
    filter_record_batch(rows, &mask).map_err(Error::from_arrow)
}

#[cfg(test)]
mod tests {
    use sluice_model::{from_pretty, to_pretty};

    use super::*;

    fn over(rows: &str, changes: &[&str]) -> String {
        let batch = |text: &str| from_pretty("id BIGINT, v STRING", text);
        let changes: Vec<_> = changes.iter().map(|text| batch(text)).collect();
        let result = overlay(batch(rows).into_parts().0, &changes, &[0]).unwrap();
        to_pretty(&ChangelogBatch::append(result))
    }

    #[test]
    fn changes_replace_insert_and_delete() {
        assert_eq!(over("1 a / 2 b / 3 c", &["-U 2 b / +U 2 x / -D 3 c / +I 4 d"]), "+I 1 a / +I 2 x / +I 4 d");
    }

    #[test]
    fn what_the_rows_already_show_changes_nothing() {
        assert_eq!(over("1 b / 4 d", &["-U 1 a / +U 1 b / +I 4 d / -D 9 z"]), "+I 1 b / +I 4 d");
    }

    #[test]
    fn the_last_change_of_a_key_wins() {
        assert_eq!(over("1 a", &["-D 1 a / +I 1 b", "-U 1 b / +U 1 c"]), "+I 1 c");
        assert_eq!(over("1 a", &["+U 1 b", "-D 1 b"]), "");
        assert_eq!(over("", &["+I 5 a / -D 5 a / +I 5 b"]), "+I 5 b");
    }
}
