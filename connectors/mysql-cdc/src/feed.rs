//! A feed: one MySQL table read into one SQL table.
//!
//! ```text
//! CREATE TABLE orders (id BIGINT, total DECIMAL(10,2), ts … METADATA FROM 'op_ts')      shop.orders
//! decoded  columns   id, total │ hidden key columns that the declaration leaves out
//! emitted  columns   id, total │ ts
//! ```

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, StringArray};
use arrow_array::{TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use sluice_connector_api::SourceTable;
use sluice_model::{ChangelogBatch, ChangelogMode, Error, Result, RowKind, SqlType, suggest};
use sluice_mysql_decode::{MySqlColumn, MySqlType, ResultRowDecoder, RowBatchBuilder, TargetColumn, UpdateMode};

use crate::decode_error;
use crate::options::{MysqlCdcOptions, Passthrough, StartupMode};
use crate::position::table_key;
use crate::server::{MySqlTable, SourceColumn};

/// How values of the chunk key are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// As integers, here.
    Integer,
    /// As bytes, here.
    Bytes,
    /// By the server, under this character set and collation.
    Server {
        /// Character set of the column.
        charset: String,
        /// Its collation.
        collation: String,
    },
}

/// The column that divides a table into chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChunkKey {
    /// Its place among the decoded columns.
    pub(crate) column: usize,
    /// Its name in MySQL.
    pub(crate) name: String,
    /// How its values compare.
    pub(crate) comparison: Comparison,
    /// Whether no two rows share a value.
    pub(crate) is_unique: bool,
}

/// What the metadata columns of a table deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Metadata {
    TableName,
    DatabaseName,
    OpTs,
    RowKind,
}

impl Metadata {
    fn of(key: &str) -> Option<Self> {
        Some(match key {
            "table_name" => Self::TableName,
            "database_name" => Self::DatabaseName,
            "op_ts" => Self::OpTs,
            "row_kind" => Self::RowKind,
            _ => return None,
        })
    }
}

/// One MySQL table read into one SQL table: everything that does not change while it is read.
#[derive(Debug)]
pub(crate) struct Feed {
    /// Number of the SQL table in its source.
    pub(crate) sql_table: usize,
    /// Name of the SQL table, for messages and metrics.
    pub(crate) sql_name: String,
    /// Name under which its position is kept.
    pub(crate) key: String,
    /// The MySQL table.
    pub(crate) table: MySqlTable,
    /// Columns that are decoded: the declared ones, then hidden key columns.
    pub(crate) columns: Vec<TargetColumn>,
    /// Decoded columns that tell one row from another; empty without a key.
    pub(crate) identity: Vec<usize>,
    /// What divides the table into chunks; `None` reads it as one.
    pub(crate) chunk_key: Option<ChunkKey>,
    /// Rows in a chunk.
    pub(crate) chunk_rows: u32,
    /// Highest and lowest distribution factor at which bounds are computed.
    pub(crate) factor: (f64, f64),
    /// What an update becomes.
    pub(crate) update_mode: UpdateMode,
    /// Decoded columns of which a change makes an update a deletion and an insertion.
    row_key: Vec<usize>,
    decoded_schema: SchemaRef,
    output_schema: SchemaRef,
    metadata: Vec<Metadata>,
    declared: usize,
    pub(crate) append_only: bool,
}

impl Feed {
    /// Plans the reading of `table` into SQL table number `sql_table`.
    ///
    /// # Errors
    /// Everything about the declared columns that does not fit the table, at once.
    pub(crate) fn new(sql_table: usize, wanted: &SourceTable<MysqlCdcOptions>, table: MySqlTable) -> Result<Self> {
        let mut columns = declared_columns(wanted, &table)?;
        let declared = columns.len();
        let hidden = |name: &str, columns: &mut Vec<TargetColumn>| hidden_column(name, &table, columns);
        let mut identity = Vec::new();
        for name in &table.primary_key {
            identity.push(hidden(name, &mut columns)?);
        }
        if identity.is_empty() {
            identity.clone_from(&wanted.schema.primary_key);
        }
        if identity.is_empty() && wants_snapshot(wanted) {
            return Err(Error::fix(format!("table {} has no primary key, and '{}' declares none", table.full_name(), wanted.name))
                .because("without one, rows that are read cannot be told from rows that are changed meanwhile")
                .with_hint("declare PRIMARY KEY (…) NOT ENFORCED over columns that identify a row, or use 'scan.startup.mode' = 'latest-offset'"));
        }
        let chunk_key = match chunk_key_name(wanted, &table)? {
            Some(name) => {
                let column = hidden(&name, &mut columns)?;
                chunk_key(&name, column, &columns[column], &table)
            }
            None => None,
        };
        // What tells rows apart in MySQL, for consumers, or between chunks.
        let mut row_key = identity.clone();
        let others = chunk_key.iter().map(|key| key.column).chain(wanted.schema.primary_key.iter().copied());
        for column in others {
            if !row_key.contains(&column) {
                row_key.push(column);
            }
        }
        let update_mode = if identity.is_empty() || wanted.changelog.contains(RowKind::UpdateBefore) {
            UpdateMode::BeforeAndAfter
        } else {
            UpdateMode::AfterOnly
        };
        let metadata = wanted
            .metadata
            .iter()
            .map(|(key, _)| Metadata::of(key).ok_or_else(|| Error::bug(format!("unknown metadata '{key}'"))))
            .collect::<Result<Vec<_>>>()?;
        let time = metadata.contains(&Metadata::OpTs).then(|| Field::new("op_ts", DataType::Int64, false));
        let fields =
            columns.iter().map(|column| Field::new(&column.source.name, column.target.clone(), column.nullable));
        let decoded_schema = Arc::new(Schema::new(fields.chain(time).collect::<Vec<_>>()));
        Ok(Self {
            sql_table,
            sql_name: wanted.name.clone(),
            key: table_key(&wanted.name, &table.database, &table.name),
            columns,
            identity,
            chunk_key,
            chunk_rows: wanted.options.chunk_size,
            factor: (wanted.options.factor_upper, wanted.options.factor_lower),
            update_mode,
            row_key,
            decoded_schema,
            output_schema: wanted.output_schema(),
            metadata,
            declared,
            append_only: wanted.options.append_only,
            table,
        })
    }

    /// An empty batch for the decoders.
    ///
    /// # Errors
    /// A bug: the columns were checked before.
    pub(crate) fn builder(&self) -> Result<RowBatchBuilder> {
        RowBatchBuilder::new(&self.columns, &self.row_key).map_err(decode_error)
    }

    /// The decoded rows of a builder; leaves it empty. `times` are the milliseconds of each row's event, for tables
    /// that [want them](Self::wants_time); rows of a snapshot have none.
    ///
    /// # Errors
    /// A bug: columns that do not fit their schema.
    pub(crate) fn take(&self, builder: &mut RowBatchBuilder, times: &[i64]) -> Result<ChangelogBatch> {
        let rows = builder.len();
        let (mut arrays, kinds) = builder.finish().map_err(decode_error)?;
        if self.wants_time() {
            let time = |row: usize| times.get(row).copied().unwrap_or(0);
            arrays.push(Arc::new(Int64Array::from_iter_values((0..rows).map(time))));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.decoded_schema), arrays, &options)
            .map_err(Error::from_arrow)?;
        ChangelogBatch::try_new(batch, kinds.map(Into::into))
    }

    /// Whether rows need the time of their event.
    pub(crate) fn wants_time(&self) -> bool {
        self.metadata.contains(&Metadata::OpTs)
    }

    /// Decoded rows as the SQL table has them.
    ///
    /// # Errors
    /// A NULL in a column that is declared NOT NULL.
    pub(crate) fn output(&self, batch: ChangelogBatch) -> Result<ChangelogBatch> {
        let count = batch.num_rows();
        let mut columns: Vec<ArrayRef> = batch.rows().columns()[..self.declared].to_vec();
        for (index, metadata) in self.metadata.iter().enumerate() {
            let field = self.output_schema.field(self.declared + index);
            columns.push(self.metadata_column(*metadata, field.data_type(), &batch)?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let rows =
            RecordBatch::try_new_with_options(Arc::clone(&self.output_schema), columns, &options).map_err(|error| {
                Error::fix(format!(
                    "rows of table {} do not fit the declaration of '{}'",
                    self.table.full_name(),
                    self.sql_name
                ))
                .because(error.to_string())
                .with_hint("declare the columns with the NULLs and types that the table has")
            })?;
        let kinds = if self.append_only { None } else { batch.into_parts().1 };
        ChangelogBatch::try_new(rows, kinds)
    }

    fn metadata_column(&self, metadata: Metadata, target: &DataType, batch: &ChangelogBatch) -> Result<ArrayRef> {
        let count = batch.num_rows();
        let repeat = |text: &str| -> ArrayRef { Arc::new(StringArray::from_iter_values((0..count).map(|_| text))) };
        Ok(match metadata {
            Metadata::TableName => repeat(&self.table.name),
            Metadata::DatabaseName => repeat(&self.table.database),
            Metadata::RowKind => {
                Arc::new(StringArray::from_iter_values((0..count).map(|row| batch.kind(row).symbol())))
            }
            Metadata::OpTs => {
                let times = batch.rows().columns().last().and_then(|times| times.as_primitive_opt::<Int64Type>());
                let times = times.ok_or_else(|| Error::bug("rows without the time of their event"))?;
                let values = times.values().iter().copied();
                match target {
                    DataType::Timestamp(TimeUnit::Microsecond, zone) => Arc::new(
                        TimestampMicrosecondArray::from_iter_values(values.map(|ms| ms.saturating_mul(1000)))
                            .with_timezone_opt(zone.clone()),
                    ),
                    DataType::Timestamp(TimeUnit::Nanosecond, zone) => Arc::new(
                        TimestampNanosecondArray::from_iter_values(values.map(|ms| ms.saturating_mul(1_000_000)))
                            .with_timezone_opt(zone.clone()),
                    ),
                    DataType::Timestamp(TimeUnit::Millisecond, zone) => {
                        Arc::new(TimestampMillisecondArray::from_iter_values(values).with_timezone_opt(zone.clone()))
                    }
                    other => return Err(Error::bug(format!("metadata 'op_ts' was asked for as {other}"))),
                }
            }
        })
    }

    /// The kinds that a table with these options delivers.
    pub(crate) fn mode(options: &MysqlCdcOptions, wanted: ChangelogMode) -> ChangelogMode {
        if options.append_only {
            ChangelogMode::APPEND
        } else if wanted.contains(RowKind::UpdateBefore) {
            ChangelogMode::RETRACT
        } else {
            ChangelogMode::UPSERT
        }
    }
}

fn wants_snapshot(wanted: &SourceTable<MysqlCdcOptions>) -> bool {
    let mode = wanted.options.startup(&Passthrough::of(&wanted.options.extra));
    matches!(mode, StartupMode::Initial | StartupMode::Snapshot)
}

fn declared_columns(wanted: &SourceTable<MysqlCdcOptions>, table: &MySqlTable) -> Result<Vec<TargetColumn>> {
    let mut columns = Vec::with_capacity(wanted.schema.columns.len());
    let mut errors = Vec::new();
    for column in &wanted.schema.columns {
        match table.column(&column.name) {
            None => errors.push(missing_column(&column.name, wanted, table)),
            Some((index, source)) => match target(index, source, column.data_type.to_arrow(), column.nullable) {
                Ok(target) => columns.push(target),
                Err(error) => errors.push(mismatch(error, &column.name, &column.data_type, source, table)),
            },
        }
    }
    Error::many(errors).map_or(Ok(columns), Err)
}

fn target(index: usize, source: &SourceColumn, target: DataType, nullable: bool) -> Result<TargetColumn> {
    let Some(column) = source.column.clone() else {
        return Err(Error::fix(format!("type {} is not known", source.column_type)));
    };
    let target = TargetColumn { source_index: index, source: column, target, nullable };
    ResultRowDecoder::new(std::slice::from_ref(&target)).map_err(decode_error)?;
    Ok(target)
}

fn missing_column(name: &str, wanted: &SourceTable<MysqlCdcOptions>, table: &MySqlTable) -> Error {
    let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let error =
        Error::fix(format!("table {} has no column '{name}', which '{}' declares", table.full_name(), wanted.name));
    match suggest(name, names.iter().copied()) {
        Some(like) => error.with_hint(format!("did you mean '{like}'?")),
        None => error.with_hint(format!("its columns: {}", names.join(", "))),
    }
}

fn mismatch(error: Error, name: &str, declared: &SqlType, source: &SourceColumn, table: &MySqlTable) -> Error {
    let located = Error::fix(format!(
        "column '{name}' of table {} is {}, declared {declared}",
        table.full_name(),
        source.column_type
    ))
    .because(error.what().to_owned());
    match error.hint() {
        Some(hint) => located.with_hint(hint),
        None => located.with_hint("the documentation of the connector lists the types that fit"),
    }
}

/// The place of a column among the decoded ones; added behind them if the declaration leaves it out.
fn hidden_column(name: &str, table: &MySqlTable, columns: &mut Vec<TargetColumn>) -> Result<usize> {
    let Some((index, source)) = table.column(name) else {
        return Err(Error::fix(format!("table {} has no column '{name}'", table.full_name())));
    };
    if let Some(place) = columns.iter().position(|column| column.source_index == index) {
        return Ok(place);
    }
    let natural = source.column.as_ref().map_or(DataType::Utf8, natural_type);
    columns.push(target(index, source, natural, source.nullable)?);
    Ok(columns.len() - 1)
}

/// The Arrow type that loses nothing of a key column.
fn natural_type(column: &MySqlColumn) -> DataType {
    match column.kind {
        MySqlType::BigInt if column.unsigned => DataType::Decimal128(20, 0),
        MySqlType::TinyInt | MySqlType::SmallInt | MySqlType::MediumInt | MySqlType::Int | MySqlType::BigInt => {
            DataType::Int64
        }
        MySqlType::Binary | MySqlType::VarBinary | MySqlType::Blob | MySqlType::Bit => DataType::Binary,
        _ => DataType::Utf8,
    }
}

fn chunk_key_name(wanted: &SourceTable<MysqlCdcOptions>, table: &MySqlTable) -> Result<Option<String>> {
    if !wanted.options.incremental {
        return Ok(None);
    }
    let Some(name) = &wanted.options.chunk_key_column else {
        // Without a key in MySQL the declared one serves: the user vouches for it.
        let declared = wanted.schema.primary_key.first().map(|index| wanted.schema.columns[*index].name.clone());
        return Ok(table.primary_key.first().cloned().or(declared));
    };
    match table.column(name) {
        None => Err(missing_column(name, wanted, table)),
        Some((_, column)) if column.nullable => {
            Err(Error::fix(format!("chunk key column '{name}' of table {} may be NULL", table.full_name()))
                .because("rows without a chunk key belong to no chunk")
                .with_hint("name a NOT NULL column in 'scan.incremental.snapshot.chunk.key-column'"))
        }
        Some(_) => Ok(Some(name.clone())),
    }
}

fn chunk_key(name: &str, column: usize, target: &TargetColumn, table: &MySqlTable) -> Option<ChunkKey> {
    let (_, source) = table.column(name)?;
    let is_whole = matches!(
        target.target,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::Decimal128(_, 0)
    );
    let comparison = match target.source.kind {
        MySqlType::TinyInt | MySqlType::SmallInt | MySqlType::MediumInt | MySqlType::Int | MySqlType::BigInt
            if is_whole =>
        {
            Comparison::Integer
        }
        MySqlType::Binary | MySqlType::VarBinary if target.target == DataType::Binary => Comparison::Bytes,
        MySqlType::Char | MySqlType::VarChar if target.target == DataType::Utf8 => {
            let (charset, collation) = source.collation.clone()?;
            // The one collation of text that is the order of its UTF-8 bytes, without padding.
            if collation == "utf8mb4_0900_bin" { Comparison::Bytes } else { Comparison::Server { charset, collation } }
        }
        _ => return None,
    };
    if source.nullable {
        return None;
    }
    let is_unique = matches!(table.primary_key.as_slice(), [only] if only.eq_ignore_ascii_case(name));
    Some(ChunkKey { column, name: source.name.clone(), comparison, is_unique })
}
