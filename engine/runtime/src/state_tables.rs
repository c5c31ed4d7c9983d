//! Tables of an operator's state as bytes: how they are written into checkpoints, and to disk.
//!
//! Rows of a table become an Arrow IPC stream (their row kinds in one more column), with the name of the
//! table in front. A table is written in pieces of a few MiB, each a stream of its own, so that neither
//! writing nor reading takes memory for all of it.
//!
//! ```text
//! name length (u16), name, stream length (u64), Arrow IPC stream     … little end first
//! ```

use std::io::{self, BufRead, Read};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt8Type;
use arrow_array::{RecordBatch, RecordBatchOptions, UInt8Array};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_ipc::{CompressionType, MetadataVersion};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use sluice_model::{ChangelogBatch, Error, Result};

/// Column of the row kinds.
const KINDS: &str = "$kind";
/// Rows of a batch that is written, and its bytes: the memory that reading needs.
const BATCH_ROWS: usize = 16 * 1024;
const PIECE: usize = 4 << 20;

/// Whose state it is, for errors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) id: &'a str,
    pub(crate) subtask: usize,
}

/// Appends rows of a table in the form of the checkpoint.
///
/// # Errors
/// A bug: rows that do not fit the table.
pub(crate) fn write_table(
    bytes: &mut Vec<u8>,
    name: &str,
    schema: &SchemaRef,
    batches: &[ChangelogBatch],
) -> Result<()> {
    let length = u16::try_from(name.len()).map_err(|_| Error::bug("the name of a state table is too long"))?;
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(name.as_bytes());
    let stream = write_stream(schema, batches)?;
    bytes.extend_from_slice(&(stream.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&stream);
    Ok(())
}

/// Deals batches to pieces that are to be written by themselves. Nothing is copied.
pub(crate) fn pieces(batches: &[ChangelogBatch]) -> Vec<Vec<ChangelogBatch>> {
    let mut pieces = Vec::new();
    let (mut piece, mut room) = (Vec::new(), PIECE);
    for batch in batches {
        let bytes = bytes_of(batch);
        let rows = (batch.num_rows() * PIECE).checked_div(bytes).unwrap_or(BATCH_ROWS).clamp(1, BATCH_ROWS);
        for start in (0..batch.num_rows()).step_by(rows) {
            let part = batch.slice(start, rows.min(batch.num_rows() - start));
            let size = bytes * part.num_rows() / batch.num_rows();
            if size > room && !piece.is_empty() {
                pieces.push(std::mem::take(&mut piece));
                room = PIECE;
            }
            room = room.saturating_sub(size);
            piece.push(part);
        }
    }
    pieces.extend(Some(piece).filter(|piece| !piece.is_empty()));
    pieces
}

/// Bytes of rows, without what else lies in buffers that they share.
pub(crate) fn bytes_of(rows: &ChangelogBatch) -> usize {
    let columns = rows.rows().columns().iter();
    let bytes: usize = columns.map(|column| column.to_data().get_slice_memory_size().unwrap_or(0)).sum();
    bytes + rows.kinds().map_or(0, |kinds| kinds.len())
}

/// Reads back what [`write_table`] has written: the number of the table, and some of its rows.
///
/// # Errors
/// Bytes that cannot be read, a table that is not among `tables`, or whatever `each` returns.
pub(crate) fn read_tables(
    mut bytes: impl BufRead,
    tables: &[(&str, &SchemaRef)],
    origin: Origin<'_>,
    each: &mut dyn FnMut(usize, ChangelogBatch) -> Result<()>,
) -> Result<()> {
    let failed = |error| unreadable(origin, error);
    while !bytes.fill_buf().map_err(failed)?.is_empty() {
        let (name, length) = read_head(&mut bytes).map_err(failed)?;
        let Some(index) = tables.iter().position(|(table, _)| table.as_bytes() == name) else {
            return Err(Error::fix(format!("state '{}' has a table that the operator does not know", origin.id))
                .because(format!("the table is called '{}'", String::from_utf8_lossy(&name)))
                .with_hint("restore it with the version of the program that wrote it"));
        };
        let mut stream = bytes.by_ref().take(length);
        read_stream(&mut stream, tables[index].1, origin, &mut |rows| each(index, rows))?;
        io::copy(&mut stream, &mut io::sink()).map_err(failed)?;
        if stream.limit() > 0 {
            return Err(damaged(origin).because("it is cut off"));
        }
    }
    Ok(())
}

fn damaged(origin: Origin<'_>) -> Error {
    Error::fix(format!("state '{}' of subtask {} cannot be read", origin.id, origin.subtask))
        .with_hint("restore an older checkpoint or a savepoint")
}

/// What is cut off is damaged; a storage that does not answer is worth another try.
fn unreadable(origin: Origin<'_>, error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return damaged(origin).because("it is cut off");
    }
    sluice_state::read_error(origin.id, &error)
}

/// The name of a table, and the length of the stream behind it.
fn read_head(bytes: &mut impl Read) -> io::Result<(Vec<u8>, u64)> {
    let mut length = [0; 2];
    bytes.read_exact(&mut length)?;
    let mut name = vec![0; u16::from_le_bytes(length).into()];
    bytes.read_exact(&mut name)?;
    let mut length = [0; 8];
    bytes.read_exact(&mut length)?;
    Ok((name, u64::from_le_bytes(length)))
}

/// The columns, and the row kinds behind them.
fn stored_schema(schema: &SchemaRef) -> SchemaRef {
    let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new(KINDS, DataType::UInt8, false)));
    Arc::new(Schema::new(fields))
}

fn write_stream(schema: &SchemaRef, batches: &[ChangelogBatch]) -> Result<Vec<u8>> {
    let stored = stored_schema(schema);
    let options = IpcWriteOptions::try_new(64, false, MetadataVersion::V5)
        .and_then(|options| options.try_with_compression(Some(CompressionType::LZ4_FRAME)))
        .map_err(Error::from_arrow)?;
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), &stored, options).map_err(Error::from_arrow)?;
    for batch in batches {
        for start in (0..batch.num_rows()).step_by(BATCH_ROWS) {
            let part = batch.slice(start, BATCH_ROWS.min(batch.num_rows() - start));
            let mut columns = part.rows().columns().to_vec();
            let kinds = part.kinds().map_or_else(|| vec![0; part.num_rows()].into(), Clone::clone);
            columns.push(Arc::new(UInt8Array::new(kinds, None)));
            let rows = RecordBatch::try_new(Arc::clone(&stored), columns).map_err(Error::from_arrow)?;
            writer.write(&rows).map_err(Error::from_arrow)?;
        }
    }
    writer.into_inner().map_err(Error::from_arrow)
}

fn read_stream(
    bytes: impl Read,
    schema: &SchemaRef,
    origin: Origin<'_>,
    each: &mut dyn FnMut(ChangelogBatch) -> Result<()>,
) -> Result<()> {
    let unreadable = |error: ArrowError| match error {
        ArrowError::IoError(_, error) => unreadable(origin, error),
        other => damaged(origin).because(other.to_string()),
    };
    let reader = StreamReader::try_new(bytes, None).map_err(unreadable)?;
    if !has_same_types(&reader.schema(), schema) {
        return Err(Error::fix(format!("state '{}' was written by another query", origin.id))
            .because("its columns have other types than those that the operator keeps")
            .with_hint("start the changed query without that state"));
    }
    for rows in reader {
        let rows = rows.map_err(unreadable)?;
        let (kinds, columns) = rows.columns().split_last().ok_or_else(|| damaged(origin))?;
        let kinds = kinds.as_primitive_opt::<UInt8Type>().ok_or_else(|| damaged(origin))?.values().clone();
        let kinds = kinds.iter().any(|kind| *kind != 0).then_some(kinds);
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let rows = RecordBatch::try_new_with_options(Arc::clone(schema), columns.to_vec(), &options);
        each(ChangelogBatch::try_new(rows.map_err(unreadable)?, kinds)?)?;
    }
    Ok(())
}

fn has_same_types(stored: &Schema, wanted: &Schema) -> bool {
    let stored = stored.fields();
    stored.len() == wanted.fields().len() + 1
        && stored.iter().zip(wanted.fields()).all(|(stored, wanted)| stored.data_type() == wanted.data_type())
}

#[cfg(test)]
mod tests {
    use sluice_model::{from_pretty, to_pretty};

    use super::*;

    #[test]
    fn pieces_are_small_and_keep_the_order() {
        let text = |rows: std::ops::Range<usize>| {
            let rows: Vec<String> = rows.map(|row| format!("+I {row} {}", "x".repeat(10_000))).collect();
            from_pretty("id BIGINT, v STRING", &rows.join(" / "))
        };
        let batches = [text(0..1000), from_pretty("id BIGINT, v STRING", ""), text(1000..1001), text(1001..1500)];
        let pieces = pieces(&batches);
        assert!((4..8).contains(&pieces.len()), "{}", pieces.len());
        assert!(pieces.iter().all(|piece| piece.iter().map(bytes_of).sum::<usize>() <= PIECE + 100_000));
        let all: Vec<String> = pieces.iter().flatten().map(to_pretty).collect();
        assert!(
            all.join(" / ")
                == batches.iter().map(to_pretty).filter(|rows| !rows.is_empty()).collect::<Vec<_>>().join(" / ")
        );
    }
}
