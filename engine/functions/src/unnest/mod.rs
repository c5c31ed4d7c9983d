//! `UNNEST`: a value that holds several becomes a row for each of them.
//!
//! ```text
//! id, tags            CROSS JOIN UNNEST(tags) WITH ORDINALITY AS u(tag, place)
//! +I 1 [a, b]         +I 1 a 1 / +I 1 b 2
//! -D 2 [c]            -D 2 c 1
//! +I 3 []             nothing; with LEFT JOIN +I 3 NULL NULL
//! ```
//!
//! | value | columns |
//! |---|---|
//! | `ARRAY<t>` | one, `EXPR$0` |
//! | `ARRAY<ROW<…>>` | the fields of the row |
//! | `MAP<k, v>` | `KEY` and `VALUE` |
//! | `BIGINT` | none: so many copies of the row, for `INTERSECT ALL` and `EXCEPT ALL` |
//!
//! The plan node ([`UnnestNode`]) and the kernel ([`Unnesting::rows`]) are here because streams and
//! batches run the same one.

mod node;
mod rows;

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef};
use datafusion_common::Result;
use sluice_model::{Error, SqlType};

use crate::error::external;

pub use node::UnnestNode;
pub use rows::UnnestedRows;

/// How a value becomes rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Default)]
pub struct Unnesting {
    /// `WITH ORDINALITY`: the place of each value, from 1, behind the columns of the value.
    pub ordinality: bool,
    /// `LEFT JOIN`: a row whose value holds nothing stays, with NULLs.
    pub outer: bool,
}

impl Unnesting {
    /// The columns of a value of this type.
    ///
    /// # Errors
    /// A type that holds no values.
    pub fn fields(self, value: &DataType) -> Result<Vec<FieldRef>> {
        let mut fields: Vec<Field> = match value {
            DataType::List(item) => match item.data_type() {
                DataType::Struct(fields) => {
                    let nullable = |field: &FieldRef| field.is_nullable() || item.is_nullable();
                    fields.iter().map(|field| field.as_ref().clone().with_nullable(nullable(field))).collect()
                }
                _ => vec![item.as_ref().clone().with_name("EXPR$0")],
            },
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(entry) => {
                    let names = ["KEY", "VALUE"];
                    entry.iter().zip(names).map(|(field, name)| field.as_ref().clone().with_name(name)).collect()
                }
                _ => return Err(no_collection(value)),
            },
            DataType::Int64 => Vec::new(),
            other => return Err(no_collection(other)),
        };
        if self.ordinality {
            fields.push(Field::new("ORDINALITY", DataType::Int32, false));
        }
        let nullable = |field: Field| if self.outer { field.with_nullable(true) } else { field };
        Ok(fields.into_iter().map(|field| Arc::new(nullable(field))).collect())
    }
}

fn no_collection(value: &DataType) -> datafusion_common::DataFusionError {
    let error = Error::fix(format!("UNNEST takes an ARRAY, a MAP or a MULTISET, not {}", SqlType::of_arrow(value)));
    external(error.with_hint("write UNNEST(ARRAY[x]) for a single value"))
}
