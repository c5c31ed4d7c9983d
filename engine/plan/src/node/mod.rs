//! What a node does: one file per kind.

mod assign_watermark;
mod assign_window;
mod batch;
mod calc;
mod expand;
mod group_aggregate;
mod interval_join;
mod join;
mod local_aggregate;
mod lookup_join;
mod normalize;
mod not_null;
mod over_aggregate;
mod rank;
mod session_window;
mod sink;
mod source;
mod temporal_join;
mod temporal_sort;
mod unnest;
mod upsert_materialize;
mod values;

pub use assign_watermark::{AssignWatermark, WatermarkAlignment, WatermarkEmit};
pub use assign_window::{AssignWindow, WindowEnd, WindowKind};
pub use batch::Batch;
pub use calc::Calc;
pub use expand::{Expand, GroupingSet};
pub use group_aggregate::{AggregateCall, GroupAggregate};
pub use interval_join::IntervalJoin;
pub use join::{Join, JoinKind};
pub use local_aggregate::LocalAggregate;
pub use lookup_join::{LookupJoin, LookupRetry};
pub use normalize::Normalize;
pub use not_null::NotNull;
pub use over_aggregate::{Frame, OverAggregate};
pub use rank::{Rank, SortColumn};
pub use session_window::SessionWindow;
pub use sink::{Sink, SinkTarget};
pub use source::{Source, SourceTable};
pub use temporal_join::TemporalJoin;
pub use temporal_sort::TemporalSort;
pub use unnest::Unnest;
pub use upsert_materialize::UpsertMaterialize;
pub use values::Values;

/// What a node does.
#[derive(Debug, Clone)]
pub enum Operation {
    /// Reads tables.
    Source(Source),
    /// Puts out constant rows and ends.
    Values(Values),
    /// Filters, then projects.
    Calc(Calc),
    /// Merges its inputs as they come; order is kept per input.
    Union,
    /// Drops `-U` rows, for consumers that go by key.
    DropUpdateBefore,
    /// Checks that columns hold no NULL.
    NotNull(NotNull),
    /// Tells how far event time has come.
    AssignWatermark(AssignWatermark),
    /// Puts rows into windows of time.
    AssignWindow(AssignWindow),
    /// Puts rows into sessions.
    SessionWindow(SessionWindow),
    /// Repeats rows for grouping sets.
    Expand(Expand),
    /// Groups the rows of each batch, as a first step.
    LocalAggregate(LocalAggregate),
    /// Makes a row of every value that a column holds.
    Unnest(Unnest),
    /// Groups rows.
    GroupAggregate(GroupAggregate),
    /// Aggregates over the rows before each row.
    OverAggregate(OverAggregate),
    /// Joins two streams.
    Join(Box<Join>),
    /// Joins two streams whose rows lie near each other in time.
    IntervalJoin(Box<IntervalJoin>),
    /// Joins a stream with the versions of a table that were valid at the times of its rows.
    TemporalJoin(Box<TemporalJoin>),
    /// Joins a stream with the rows that a table has at the moment. Waits for that table, so that it is
    /// the head of a task.
    LookupJoin(Box<LookupJoin>),
    /// Keeps the first rows of every partition.
    Rank(Rank),
    /// Puts rows out in the order of time.
    TemporalSort(TemporalSort),
    /// Finds the old content of updated rows.
    Normalize(Normalize),
    /// Keeps rows apart that a sink takes for one.
    UpsertMaterialize(UpsertMaterialize),
    /// Runs a query over rows that end.
    Batch(Box<Batch>),
    /// Writes a table.
    Sink(Sink),
}

impl Operation {
    /// Whether the operator's results depend on rows that came before.
    pub fn is_stateful(&self) -> bool {
        // Named are those without state: one that is forgotten here is treated with care.
        !matches!(
            self,
            Self::Source(_)
                | Self::Values(_)
                | Self::Calc(_)
                | Self::Union
                | Self::DropUpdateBefore
                | Self::NotNull(_)
                | Self::AssignWatermark(_)
                | Self::AssignWindow(_)
                | Self::Expand(_)
                | Self::LocalAggregate(_)
                | Self::Unnest(_)
                | Self::Sink(_)
        )
    }

    /// Whether what it keeps goes some time after it was last written (`table.exec.state.ttl`). Windows, intervals
    /// and versions go with event time instead.
    pub fn expires(&self) -> bool {
        match self {
            Self::GroupAggregate(aggregate) => aggregate.window_end.is_none(),
            Self::Join(join) => join.window_ends.is_none(),
            Self::Rank(rank) => rank.window_end.is_none(),
            Self::Normalize(_) | Self::UpsertMaterialize(_) => true,
            _ => false,
        }
    }

    /// Whether the results of many rows together are fewer than those of each: then rows are worth
    /// waiting for. What is put out when its window is over is put out once in any case.
    pub fn gains_by_batches(&self) -> bool {
        match self {
            Self::GroupAggregate(aggregate) => aggregate.window_end.is_none(),
            Self::Join(join) => join.window_ends.is_none(),
            Self::Rank(rank) => rank.window_end.is_none(),
            _ => false,
        }
    }

    /// One line for `EXPLAIN`, the REST API and metrics: `Source: store_sales`.
    pub fn label(&self) -> String {
        match self {
            Self::Source(source) => source.label(),
            Self::Values(values) => values.label(),
            Self::Calc(calc) => calc.label(),
            Self::Union => "Union".to_owned(),
            Self::DropUpdateBefore => "DropUpdateBefore".to_owned(),
            Self::NotNull(check) => check.label(),
            Self::AssignWatermark(assign) => assign.label(),
            Self::AssignWindow(assign) => assign.label(),
            Self::SessionWindow(session) => session.label(),
            Self::Expand(expand) => expand.label(),
            Self::LocalAggregate(aggregate) => aggregate.label(),
            Self::Unnest(unnest) => unnest.label(),
            Self::GroupAggregate(aggregate) => aggregate.label(),
            Self::OverAggregate(aggregate) => aggregate.label(),
            Self::Join(join) => join.label(),
            Self::IntervalJoin(join) => join.label(),
            Self::TemporalJoin(join) => join.label(),
            Self::LookupJoin(join) => join.label(),
            Self::Rank(rank) => rank.label(),
            Self::TemporalSort(sort) => sort.label(),
            Self::Normalize(normalize) => normalize.label(),
            Self::UpsertMaterialize(materialize) => materialize.label(),
            Self::Batch(batch) => batch.label(),
            Self::Sink(sink) => sink.label(),
        }
    }
}
