//! Window join: rows of two streams that are in the same window, joined once, when the time of the
//! window is over. Nothing that was put out is ever taken back, and nothing is kept of a window that
//! is over.
//!
//! ```text
//! l LEFT JOIN r ON l.window_start = r.window_start AND l.window_end = r.window_end AND l.k = r.k
//!
//! left            right           result
//! +I 00:00:10 a
//! +I 00:00:10 b
//!                 +I 00:00:10 a
//! watermark 00:00:10              +I 00:00:10 a 00:00:10 a / +I 00:00:10 b NULL NULL
//! +I 00:00:10 a                   late: dropped and counted
//! ```
//!
//! The rows of a window that is over are handed to a [`Join`] of their own, those of the side that
//! may be missing first: then each row finds all of its partners at once, and only insertions come
//! out. A full join is a left join and, behind it, the rows of the right that have no partner.

mod buffer;
#[cfg(test)]
mod tests;

use arrow_array::{RecordBatch, RecordBatchOptions, new_null_array};
use arrow_schema::SchemaRef;
use datafusion_common::Column;
use datafusion_common::tree_node::{Transformed, TreeNode};
use datafusion_expr::Expr;
use sluice_functions::from_datafusion;
use sluice_model::{ChangelogBatch, Error, Result};
use sluice_plan::{JoinKind, WindowEnd};

use self::buffer::Buffer;
use crate::open_windows::OpenWindows;
use crate::state::{Scope, StateOutput, StateTable};
use crate::{Join, Operator, Output};

/// The state table of the watermark; before it come those of the sides.
const WATERMARK: usize = 2;

/// The operator of a [`sluice_plan::Join`] of windows.
#[derive(Debug)]
pub struct WindowJoin {
    node: sluice_plan::Join,
    inputs: [SchemaRef; 2],
    /// Columns of the end of the window on both sides.
    ends: [usize; 2],
    sides: [Buffer; 2],
    /// Which windows have rows, once for each side.
    windows: OpenWindows<()>,
    output: SchemaRef,
    tables: [StateTable; 3],
    /// State was restored since the last event.
    is_restored: bool,
}

impl WindowJoin {
    /// A join without rows.
    ///
    /// # Errors
    /// A bug in the planner: keys or a condition that do not fit the inputs.
    pub fn new(
        node: &sluice_plan::Join,
        ends: [WindowEnd; 2],
        inputs: [&SchemaRef; 2],
        output: &SchemaRef,
    ) -> Result<Self> {
        // Rows are joined when all are there: what identifies them does not matter.
        let node = sluice_plan::Join {
            unique_keys: [None, None],
            inserts_only: [true, true],
            window_ends: None,
            ..node.clone()
        };
        let (left_keys, right_keys): (Vec<_>, Vec<_>) = node.keys.iter().copied().unzip();
        let sides = [Buffer::new(inputs[0], &left_keys)?, Buffer::new(inputs[1], &right_keys)?];
        let tables = [sides[0].table("left"), sides[1].table("right"), OpenWindows::<()>::state_table()];
        let join = Self {
            node,
            inputs: inputs.map(SchemaRef::clone),
            ends: ends.map(|end| end.column),
            sides,
            windows: OpenWindows::new(ends[0].zone),
            output: SchemaRef::clone(output),
            tables,
            is_restored: false,
        };
        join.joined(&[None, None], &mut |_| Ok(()))?;
        Ok(join)
    }

    fn settle_restored(&mut self) -> Result<()> {
        if !std::mem::take(&mut self.is_restored) {
            return Ok(());
        }
        self.windows.clear();
        for (side, end) in self.sides.iter_mut().zip(self.ends) {
            side.settle_restored(end)?;
            side.ends().for_each(|end| self.windows.open(end, ()));
        }
        Ok(())
    }

    /// Puts out the join of the rows of one window.
    fn joined(&self, rows: &[Option<RecordBatch>; 2], output: Output<'_>) -> Result<()> {
        let inputs = [&self.inputs[0], &self.inputs[1]];
        let (kind, first) = match self.node.kind {
            JoinKind::Full => (JoinKind::Left, 1),
            JoinKind::Right => (JoinKind::Right, 0),
            kind => (kind, 1),
        };
        let node = sluice_plan::Join { kind, ..self.node.clone() };
        let mut join = Join::new(&node, inputs, &self.output)?;
        feed(&mut join, [&rows[0], &rows[1]], first, output)?;
        if self.node.kind != JoinKind::Full {
            return Ok(());
        }
        let node = sluice_plan::Join {
            kind: JoinKind::LeftAnti,
            keys: self.node.keys.iter().map(|(left, right)| (*right, *left)).collect(),
            condition: self.node.condition.as_ref().map(mirrored).transpose()?,
            ..self.node.clone()
        };
        let mut join = Join::new(&node, [inputs[1], inputs[0]], inputs[1])?;
        feed(&mut join, [&rows[1], &rows[0]], 1, &mut |batch| output(self.without_left(&batch)?))
    }

    /// Rows of the right with NULLs for the left.
    fn without_left(&self, right: &ChangelogBatch) -> Result<ChangelogBatch> {
        let rows = right.num_rows();
        let nulls = self.inputs[0].fields().iter().map(|field| new_null_array(field.data_type(), rows));
        let columns = nulls.chain(right.rows().columns().iter().cloned()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let rows = RecordBatch::try_new_with_options(SchemaRef::clone(&self.output), columns, &options);
        Ok(ChangelogBatch::append(rows.map_err(Error::from_arrow)?))
    }
}

/// Hands both sides to a join, `first` first; what comes out is put out.
fn feed(join: &mut Join, rows: [&Option<RecordBatch>; 2], first: usize, output: Output<'_>) -> Result<()> {
    for input in [first, 1 - first] {
        if let Some(rows) = rows[input] {
            join.on_batch(input, ChangelogBatch::append(rows.clone()), output)?;
        }
    }
    Ok(())
}

/// A condition over `l0, …` and `r0, …` for sides that have changed places.
fn mirrored(condition: &Expr) -> Result<Expr> {
    let renamed = condition.clone().transform(|node| match node {
        Expr::Column(column) => {
            let name = match column.name.split_at_checked(1) {
                Some(("l", place)) => format!("r{place}"),
                Some((_, place)) => format!("l{place}"),
                None => column.name.clone(),
            };
            Ok(Transformed::yes(Expr::Column(Column::new_unqualified(name))))
        }
        other => Ok(Transformed::no(other)),
    });
    renamed.map(|renamed| renamed.data).map_err(from_datafusion)
}

impl Operator for WindowJoin {
    fn on_batch(&mut self, input: usize, batch: ChangelogBatch, _output: Output<'_>) -> Result<()> {
        self.settle_restored()?;
        if batch.kinds().is_some() {
            return Err(Error::bug("a window join over insertions got a row that is not one"));
        }
        let batch = self.windows.without_late(self.ends[input], None, batch)?;
        for end in self.sides[input].add(batch.rows(), self.ends[input])? {
            self.windows.open(end, ());
        }
        Ok(())
    }

    fn on_watermark(&mut self, watermark: i64, output: Output<'_>) -> Result<()> {
        self.settle_restored()?;
        self.windows.advance(watermark);
        while let Some((end, _)) = self.windows.pop_over() {
            let rows = [self.sides[0].take(end)?, self.sides[1].take(end)?];
            self.joined(&rows, output)?;
        }
        Ok(())
    }

    fn take_late_rows(&mut self) -> u64 {
        self.windows.take_late()
    }

    fn state_bytes(&self) -> usize {
        self.sides.iter().map(Buffer::bytes).sum()
    }

    fn state_tables(&self) -> &[StateTable] {
        &self.tables
    }

    fn snapshot(&mut self, scope: Scope, output: StateOutput<'_>) -> Result<()> {
        self.settle_restored()?;
        for (table, side) in self.sides.iter_mut().enumerate() {
            side.snapshot(scope, &self.tables[table].schema, &mut |rows| output(table, rows))?;
        }
        self.windows.snapshot(WATERMARK, output)
    }

    fn restore(&mut self, table: usize, rows: ChangelogBatch) -> Result<()> {
        self.is_restored = true;
        match self.sides.get_mut(table) {
            Some(side) => side.restore(&rows),
            None => self.windows.restore(rows.rows()),
        }
    }
}
