//! The table's columns, and batches of them.
//!
//! `event_type` says which of the columns `person`, `auction` and `bid` is not NULL. Each may be left
//! out, and so may each of their fields: what is not asked for is not made.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, RecordBatch, RecordBatchOptions};
use arrow_buffer::{BooleanBufferBuilder, NullBuffer};
use arrow_schema::{DataType, Fields, SchemaRef};
use sluice_model::{ChangelogBatch, Column, Error, Result, SqlType, TableSchema, suggest};

use crate::columns::{Columns, FieldKind};
use crate::progress::Span;
use crate::rules::{Kind, Rules, Run};
use crate::{auction, bid, person};

const COLUMNS: [&str; 4] = ["event_type", "person", "auction", "bid"];

/// A column of the table.
#[derive(Debug, Clone)]
enum Wanted {
    EventType,
    Events { kind: Kind, fields: Fields, wanted: Vec<usize> },
}

/// How batches of a table are made.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    columns: Vec<Wanted>,
}

/// Why a table cannot be made: what is wrong, and what would be right.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) what: String,
    pub(crate) hint: String,
}

impl Table {
    /// Finds out what the columns of a table stand for.
    ///
    /// # Errors
    /// A column that is not of this connector, or has another type.
    pub(crate) fn new(schema: &TableSchema) -> Result<Self, Refusal> {
        let columns = schema.columns.iter().map(Wanted::new).collect::<Result<_, _>>()?;
        Ok(Self { columns })
    }

    /// The rows of these spans.
    ///
    /// # Errors
    /// A bug: a schema that the table was not made for.
    pub(crate) fn batch(&self, rules: &Rules, schema: &SchemaRef, spans: &[Span]) -> Result<ChangelogBatch> {
        let rows = spans.iter().map(|span| span.count).sum();
        let runs = rules.runs(spans);
        let columns = self.columns.iter().map(|column| column.array(rules, &runs, rows)).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options);
        Ok(ChangelogBatch::append(batch.map_err(Error::from_arrow)?))
    }
}

impl Wanted {
    fn new(column: &Column) -> Result<Self, Refusal> {
        let name = column.name.as_str();
        let kind = match name {
            "event_type" if column.data_type == SqlType::Int => return Ok(Self::EventType),
            "event_type" => return Err(wrong_type(name, &column.data_type, &SqlType::Int)),
            "person" => Kind::Person,
            "auction" => Kind::Auction,
            "bid" => Kind::Bid,
            _ => return Err(unknown("column", name, &COLUMNS)),
        };
        let SqlType::Row(fields) = &column.data_type else {
            return Err(wrong_type(name, &column.data_type, &row_type(kind)));
        };
        if !column.nullable {
            let what = format!("column '{name}' of connector 'nexmark' is NULL in events of another kind");
            return Err(Refusal { what, hint: "leave out its NOT NULL".to_owned() });
        }
        let wanted = fields.iter().map(|(field, of)| field_index(kind, name, field, of)).collect::<Result<_, _>>()?;
        match column.data_type.to_arrow() {
            DataType::Struct(fields) => Ok(Self::Events { kind, fields, wanted }),
            _ => Err(wrong_type(name, &column.data_type, &row_type(kind))),
        }
    }

    fn array(&self, rules: &Rules, runs: &[Run], rows: usize) -> Result<ArrayRef> {
        match self {
            Self::EventType => {
                let mut types = vec![0; rows];
                for run in runs {
                    types[run.rows.clone()].fill(run.kind as i32);
                }
                Ok(Arc::new(Int32Array::from(types)))
            }
            Self::Events { kind, fields, wanted } => {
                let mut valid = BooleanBufferBuilder::new(rows);
                let count = runs.iter().filter(|run| run.kind == *kind).map(|run| run.rows.len()).sum();
                let mut columns = Columns::new(kind.fields(), wanted, rows, count);
                for run in runs {
                    valid.append_n(run.rows.len(), run.kind == *kind);
                    if run.kind == *kind {
                        kind.fill(rules, run, &mut columns);
                    }
                }
                columns.finish(fields, wanted, NullBuffer::new(valid.finish()))
            }
        }
    }
}

impl Kind {
    fn fields(self) -> &'static [(&'static str, FieldKind)] {
        match self {
            Self::Person => &person::FIELDS,
            Self::Auction => &auction::FIELDS,
            Self::Bid => &bid::FIELDS,
        }
    }

    fn fill(self, rules: &Rules, run: &Run, columns: &mut Columns) {
        match self {
            Self::Person => person::fill(rules, run, columns),
            Self::Auction => auction::fill(rules, run, columns),
            Self::Bid => bid::fill(rules, run, columns),
        }
    }
}

impl FieldKind {
    const fn sql_type(self) -> SqlType {
        match self {
            Self::Long => SqlType::BigInt,
            Self::Time => SqlType::Timestamp(3),
            Self::Text(_) => SqlType::STRING,
        }
    }
}

fn field_index(kind: Kind, column: &str, name: &str, sql_type: &SqlType) -> Result<usize, Refusal> {
    let fields = kind.fields();
    let Some(index) = fields.iter().position(|(field, _)| *field == name) else {
        let names: Vec<_> = fields.iter().map(|(field, _)| *field).collect();
        return Err(unknown(&format!("field of column '{column}'"), name, &names));
    };
    let expected = fields[index].1.sql_type();
    if *sql_type == expected { Ok(index) } else { Err(wrong_type(&format!("{column}.{name}"), sql_type, &expected)) }
}

fn row_type(kind: Kind) -> SqlType {
    SqlType::Row(kind.fields().iter().map(|(name, field)| ((*name).to_owned(), field.sql_type())).collect())
}

fn unknown(what: &str, name: &str, known: &[&str]) -> Refusal {
    let hint = match suggest(name, known.iter().copied()) {
        Some(like) => format!("did you mean '{like}'?"),
        None => format!("it has {}", known.join(", ")),
    };
    Refusal { what: format!("connector 'nexmark' has no {what} called '{name}'"), hint }
}

fn wrong_type(name: &str, found: &SqlType, expected: &SqlType) -> Refusal {
    let what = format!("column '{name}' of connector 'nexmark' cannot be {found}");
    Refusal { what, hint: format!("declare it as {expected}") }
}
