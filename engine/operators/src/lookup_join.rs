//! Lookup join, but for the looking up: which keys to ask for, and what the answer makes of a batch.
//!
//! Asking takes time, and operators do not wait. So this is no [`Operator`](crate::Operator): the
//! runtime asks for the [`keys`](LookupJoin::keys) of a batch, waits for the table's answer, and has
//! it [joined](LookupJoin::join). Nothing is kept from batch to batch.
//!
//! | input `id, cust` | keys | answer `key: id, name` | `LEFT JOIN`: `id, cust, id, name` |
//! |---|---|---|---|
//! | `+I 1 7` | `0: 7` | `0: 7 ann` | `+I 1 7 7 ann` |
//! | `+I 2 9` | `1: 9` | | `+I 2 9 NULL NULL` |
//! | `-D 3 7` | | | `-D 3 7 7 ann` |

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow_buffer::NullBuffer;
use arrow_schema::{Schema, SchemaRef};
use arrow_select::filter::prep_null_mask_filter;
use arrow_select::take::take;
use datafusion_physical_expr::PhysicalExpr;
use sluice_functions::from_datafusion;
use sluice_model::{ChangelogBatch, Error, Result};
use sluice_plan::JoinKind;

use crate::calc::Compiler;
use crate::key_index::KeyIndex;

/// The rules of a [`sluice_plan::LookupJoin`].
#[derive(Debug)]
pub struct LookupJoin {
    is_left: bool,
    /// Key columns of the input.
    keys: Vec<usize>,
    condition: Option<Condition>,
    output: SchemaRef,
}

/// The keys of a batch.
#[derive(Debug)]
pub struct LookupKeys {
    /// Distinct keys without NULL, a column per key column.
    pub columns: Vec<ArrayRef>,
    /// Number of distinct keys.
    pub count: usize,
    /// For each row, the position of its key; [`NO_KEY`] if it has NULL in it, which equals nothing.
    of_row: Vec<u32>,
}

const NO_KEY: u32 = u32::MAX;

/// A condition over the columns of both sides, `l0, l1, …, r0, r1, …`.
#[derive(Debug)]
struct Condition {
    expression: Arc<dyn PhysicalExpr>,
    schema: SchemaRef,
}

impl LookupJoin {
    /// The rules of a plan node.
    ///
    /// # Errors
    /// A bug in the planner: keys or a condition that do not fit.
    pub fn new(node: &sluice_plan::LookupJoin, input: &SchemaRef, output: &SchemaRef) -> Result<Self> {
        let table = node.table.schema.to_arrow();
        for (left, right) in &node.keys {
            if input.field(*left).data_type() != table.field(*right).data_type() {
                return Err(Error::bug("the keys of a lookup differ in type"));
            }
        }
        let fields = |schema: &Schema, side: &str| {
            let named = schema.fields().iter().enumerate();
            let named = named.map(|(place, field)| field.as_ref().clone().with_name(format!("{side}{place}")));
            named.map(|field| field.with_nullable(true)).collect::<Vec<_>>()
        };
        let condition = match &node.condition {
            None => None,
            Some(condition) => {
                let schema = Arc::new(Schema::new([fields(input, "l"), fields(&table, "r")].concat()));
                Some(Condition { expression: Compiler::new(&schema)?.compile(condition)?, schema })
            }
        };
        Ok(Self {
            is_left: node.kind == JoinKind::Left,
            keys: node.keys.iter().map(|(left, _)| *left).collect(),
            condition,
            output: Arc::clone(output),
        })
    }

    /// The keys that the table has to be asked for.
    ///
    /// # Errors
    /// A bug in the planner: columns that cannot be keys.
    pub fn keys(&self, batch: &ChangelogBatch) -> Result<LookupKeys> {
        let columns: Vec<_> = self.keys.iter().map(|key| Arc::clone(batch.rows().column(*key))).collect();
        let types: Vec<_> = columns.iter().map(|column| column.data_type().clone()).collect();
        let nulls = columns.iter().fold(None, |nulls: Option<NullBuffer>, column| {
            NullBuffer::union(nulls.as_ref(), column.logical_nulls().as_ref())
        });
        let is_null = |row: usize| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
        let mut index = KeyIndex::new(&types)?;
        let slots = index.insert(&columns, batch.num_rows())?;
        // By slot: the position among the keys that are asked for.
        let mut positions = vec![NO_KEY; index.capacity()];
        let (mut firsts, mut of_row) = (Vec::new(), Vec::with_capacity(slots.len()));
        for (row, slot) in slots.into_iter().enumerate() {
            let position = &mut positions[slot as usize];
            if *position == NO_KEY && !is_null(row) {
                *position = number(firsts.len())?;
                firsts.push(number(row)?);
            }
            of_row.push(*position);
        }
        let count = firsts.len();
        Ok(LookupKeys { columns: taken(&columns, &UInt32Array::from(firsts))?, count, of_row })
    }

    /// The rows of a batch with the rows that the table has for their keys: `found` has for each of
    /// `rows` the position of its key, ascending.
    ///
    /// # Errors
    /// The condition fails on a pair, e.g. a division by zero; a connector that answers with other columns.
    pub fn join(
        &self,
        batch: &ChangelogBatch,
        keys: &LookupKeys,
        found: &[u32],
        rows: &RecordBatch,
    ) -> Result<ChangelogBatch> {
        let (mut left, mut right) = pairs(keys, found)?;
        if let Some(condition) = &self.condition {
            let holds = condition.evaluate(batch.rows(), rows, &left, &right)?;
            (left, right) = (kept(left, &holds), kept(right, &holds));
        }
        let (left, right) = if self.is_left {
            with_lonely(batch.num_rows(), &left, &right)?
        } else {
            (left, right.into_iter().map(Some).collect())
        };
        let joined = batch.take(&UInt32Array::from(left))?;
        let mut columns = joined.rows().columns().to_vec();
        columns.extend(taken(rows.columns(), &UInt32Array::from(right))?);
        let joined_rows = RecordBatch::try_new(Arc::clone(&self.output), columns).map_err(Error::from_arrow)?;
        joined.with_rows(joined_rows)
    }
}

impl Condition {
    fn evaluate(&self, left: &RecordBatch, right: &RecordBatch, lefts: &[u32], rights: &[u32]) -> Result<BooleanArray> {
        let mut columns = taken(left.columns(), &UInt32Array::from(lefts.to_vec()))?;
        columns.extend(taken(right.columns(), &UInt32Array::from(rights.to_vec()))?);
        let options = RecordBatchOptions::new().with_row_count(Some(lefts.len()));
        let pairs = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(Error::from_arrow)?;
        let value = self.expression.evaluate(&pairs).map_err(from_datafusion)?;
        let value = value.into_array(lefts.len()).map_err(from_datafusion)?;
        let holds = value.as_any().downcast_ref::<BooleanArray>();
        let holds = holds.ok_or_else(|| Error::bug("a join condition is not a condition"))?;
        Ok(if holds.null_count() == 0 { holds.clone() } else { prep_null_mask_filter(holds) })
    }
}

/// Each row of the input with each row that was found for its key, in the order of the input.
fn pairs(keys: &LookupKeys, found: &[u32]) -> Result<(Vec<u32>, Vec<u32>)> {
    let mut starts = vec![0usize; keys.count + 1];
    for key in found {
        let start = starts.get_mut(*key as usize + 1);
        *start.ok_or_else(|| Error::bug("a lookup found a row of a key that was not asked for"))? += 1;
    }
    for key in 0..keys.count {
        starts[key + 1] += starts[key];
    }
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for (row, key) in keys.of_row.iter().enumerate() {
        if *key != NO_KEY {
            for place in starts[*key as usize]..starts[*key as usize + 1] {
                left.push(number(row)?);
                right.push(number(place)?);
            }
        }
    }
    Ok((left, right))
}

fn kept(places: Vec<u32>, holds: &BooleanArray) -> Vec<u32> {
    places.into_iter().zip(holds.values()).filter_map(|(place, holds)| holds.then_some(place)).collect()
}

type LeftAndRight = (Vec<u32>, Vec<Option<u32>>);

/// The pairs, and the rows of the input that are in none.
fn with_lonely(rows: usize, left: &[u32], right: &[u32]) -> Result<LeftAndRight> {
    let (mut lefts, mut rights) = (Vec::with_capacity(rows), Vec::with_capacity(rows));
    let mut pairs = left.iter().zip(right).peekable();
    for row in 0..rows {
        let row = number(row)?;
        let mut is_lonely = true;
        while let Some((_, place)) = pairs.next_if(|(left, _)| **left == row) {
            is_lonely = false;
            lefts.push(row);
            rights.push(Some(*place));
        }
        if is_lonely {
            lefts.push(row);
            rights.push(None);
        }
    }
    Ok((lefts, rights))
}

fn taken(columns: &[ArrayRef], places: &UInt32Array) -> Result<Vec<ArrayRef>> {
    columns.iter().map(|column| take(column, places, None).map_err(Error::from_arrow)).collect()
}

fn number(place: usize) -> Result<u32> {
    u32::try_from(place).map_err(|_| Error::bug("a batch of more than 2^32 rows"))
}

#[cfg(test)]
mod tests {
    use datafusion_expr::{Expr, col, lit};
    use sluice_model::{Column, SqlType, TableDefinition, TableSchema, from_pretty, to_pretty};

    use super::*;

    /// Runs a batch of `id, cust` against answers `name, id` of the form `position of the key: row`.
    fn run(kind: JoinKind, condition: Option<Expr>, rows: &str, asked: &str, found: &[u32], answer: &str) -> String {
        let batch = from_pretty("id INT, cust BIGINT", rows);
        let schema = TableSchema::new(vec![Column::new("name", SqlType::STRING), Column::new("id", SqlType::BigInt)]);
        let right = schema.to_arrow();
        let output = Schema::new([batch.schema().fields().to_vec(), right.fields().to_vec()].concat());
        let table = TableDefinition { name: "customer".into(), schema, ..TableDefinition::default() };
        let node = sluice_plan::LookupJoin { kind, table, keys: vec![(1, 1)], condition, retry: None };
        let join = LookupJoin::new(&node, &batch.schema(), &Arc::new(output)).unwrap();
        let keys = join.keys(&batch).unwrap();
        let key_schema = Arc::new(batch.schema().project(&[1]).unwrap());
        let options = RecordBatchOptions::new().with_row_count(Some(keys.count));
        let columns = keys.columns.clone();
        let keys_batch = RecordBatch::try_new_with_options(key_schema, columns, &options).unwrap();
        assert_eq!(to_pretty(&ChangelogBatch::append(keys_batch)), asked);
        let answer = from_pretty("name STRING, id BIGINT", answer);
        to_pretty(&join.join(&batch, &keys, found, answer.rows()).unwrap())
    }

    const ROWS: &str = "+I 1 7 / -U 2 8 / +U 2 7 / +I 3 NULL / -D 4 9";
    const ASKED: &str = "+I 7 / +I 8 / +I 9";

    #[test]
    fn rows_keep_their_kind_and_order() {
        assert_eq!(
            run(JoinKind::Inner, None, ROWS, ASKED, &[0, 2, 2], "+I ann 7 / +I ian 9 / +I ida 9"),
            "+I 1 7 ann 7 / +U 2 7 ann 7 / -D 4 9 ian 9 / -D 4 9 ida 9"
        );
    }

    #[test]
    fn a_left_join_keeps_rows_that_have_no_partner() {
        assert_eq!(
            run(JoinKind::Left, None, ROWS, ASKED, &[0], "+I ann 7"),
            "+I 1 7 ann 7 / -U 2 8 NULL NULL / +U 2 7 ann 7 / +I 3 NULL NULL NULL / -D 4 9 NULL NULL"
        );
        assert_eq!(run(JoinKind::Left, None, "+I 1 NULL", "", &[], ""), "+I 1 NULL NULL NULL");
    }

    #[test]
    fn a_pair_that_the_condition_refuses_is_none() {
        let condition = || Some(col("r0").eq(lit("ann")).and(col("l0").gt(lit(1))));
        let answer = "+I ann 7 / +I bob 7 / +I NULL 8";
        let found = &[0, 0, 1];
        assert_eq!(run(JoinKind::Inner, condition(), ROWS, ASKED, found, answer), "+U 2 7 ann 7");
        assert_eq!(
            run(JoinKind::Left, condition(), ROWS, ASKED, found, answer),
            "+I 1 7 NULL NULL / -U 2 8 NULL NULL / +U 2 7 ann 7 / +I 3 NULL NULL NULL / -D 4 9 NULL NULL"
        );
    }
}
