//! The windows of rows: `TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' MINUTES))`.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use arrow_schema::DataType;
use chrono_tz::Tz;
use datafusion_common::{DFSchema, DFSchemaRef, Result};
use datafusion_expr::{Expr, ExprSchemable, LogicalPlan, UserDefinedLogicalNodeCore};
use sluice_model::{Column, SqlType};
use sluice_plan::WindowKind;

/// The columns that a window adds to its rows.
const WINDOW_COLUMNS: [&str; 3] = ["window_start", "window_end", "window_time"];

/// How rows come to their windows.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd)]
pub(crate) enum Windowing {
    /// By their time alone.
    Fixed(WindowKind),
    /// By the other rows of their partition, the columns of which these are.
    Session {
        partition: Vec<Expr>,
        /// In milliseconds.
        gap: i64,
    },
}

/// Adds to each row the windows that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct WindowNode {
    pub(crate) input: LogicalPlan,
    /// The column of the time.
    pub(crate) time: Expr,
    pub(crate) windowing: Windowing,
    /// The time is that of the clock.
    pub(crate) processing_time: bool,
    /// The session's zone, where the time is a `TIMESTAMP_LTZ`; else UTC.
    pub(crate) zone: Tz,
    schema: DFSchemaRef,
}

impl WindowNode {
    /// Windows over a column of `input`, in a session with this zone.
    pub(crate) fn try_new(
        input: LogicalPlan,
        time: Expr,
        windowing: Windowing,
        processing_time: bool,
        session: Tz,
    ) -> Result<Self> {
        // The time of the window is of the kind of the rows' time, its borders are wall clocks.
        let of_instants = matches!(time.get_type(input.schema())?, DataType::Timestamp(_, Some(_)));
        let zone = if of_instants { session } else { Tz::UTC };
        let mut fields: Vec<_> =
            input.schema().iter().map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field))).collect();
        let time_type = if of_instants { SqlType::TimestampLtz(3) } else { SqlType::Timestamp(3) };
        let types = [SqlType::Timestamp(3), SqlType::Timestamp(3), time_type];
        for (name, data_type) in WINDOW_COLUMNS.into_iter().zip(types) {
            fields.push((None, Arc::new(Column::new(name, data_type).not_null().to_field())));
        }
        let schema = DFSchema::new_with_metadata(fields, input.schema().metadata().clone())?;
        Ok(Self { input, time, windowing, processing_time, zone, schema: Arc::new(schema) })
    }

    /// The column of the time, as a place in the input.
    pub(crate) fn time_index(&self) -> Option<usize> {
        self.place(&self.time)
    }

    /// The columns of the partition, as places in the input.
    pub(crate) fn partition(&self) -> Option<Vec<usize>> {
        self.partition_columns().iter().map(|column| self.place(column)).collect()
    }

    fn partition_columns(&self) -> &[Expr] {
        match &self.windowing {
            Windowing::Fixed(_) => &[],
            Windowing::Session { partition, .. } => partition,
        }
    }

    fn place(&self, column: &Expr) -> Option<usize> {
        match column {
            Expr::Column(column) => self.input.schema().maybe_index_of_column(column),
            _ => None,
        }
    }
}

impl PartialOrd for WindowNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (&self.time, &self.windowing, &self.input).partial_cmp(&(&other.time, &other.windowing, &other.input))
    }
}

impl UserDefinedLogicalNodeCore for WindowNode {
    fn name(&self) -> &str {
        "Window"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        [&self.time].into_iter().chain(self.partition_columns()).cloned().collect()
    }

    /// Conditions on the rows hold before as well as behind, those on the window only behind. A row
    /// that is left out of a session may end it: there only whole partitions can be left out before.
    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        let mut columns: HashSet<String> = WINDOW_COLUMNS.into_iter().map(str::to_owned).collect();
        if let (Windowing::Session { .. }, Some(partition)) = (&self.windowing, self.partition()) {
            let fields = self.input.schema().fields().iter().enumerate();
            columns
                .extend(fields.filter(|(place, _)| !partition.contains(place)).map(|(_, field)| field.name().clone()));
        }
        columns
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = if self.processing_time { "proctime" } else { "time" };
        match &self.windowing {
            Windowing::Fixed(kind) => write!(f, "Window: {kind:?}, {time}={}", self.time)?,
            session => write!(f, "Window: {session:?}, {time}={}", self.time)?,
        }
        if self.zone == Tz::UTC { Ok(()) } else { write!(f, ", zone={}", self.zone) }
    }

    fn with_exprs_and_inputs(&self, expressions: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        let mut expressions = expressions.into_iter();
        let (Some(time), Some(input)) = (expressions.next(), inputs.pop()) else {
            return datafusion_common::internal_err!("a window without its time");
        };
        let windowing = match &self.windowing {
            Windowing::Fixed(kind) => Windowing::Fixed(*kind),
            Windowing::Session { gap, .. } => Windowing::Session { partition: expressions.collect(), gap: *gap },
        };
        Self::try_new(input, time, windowing, self.processing_time, self.zone)
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let width = self.input.schema().fields().len();
        let mut columns: Vec<usize> = output_columns.iter().copied().filter(|column| *column < width).collect();
        columns.extend(self.time_index());
        columns.extend(self.partition().unwrap_or_default());
        columns.sort_unstable();
        columns.dedup();
        Some(vec![columns])
    }
}
