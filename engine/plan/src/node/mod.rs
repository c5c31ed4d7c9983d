//! What a node does: one file per kind.

mod calc;
mod not_null;
mod sink;
mod source;
mod values;

pub use calc::Calc;
pub use not_null::NotNull;
pub use sink::{Sink, SinkTarget};
pub use source::{Source, SourceTable};
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
    /// Writes a table.
    Sink(Sink),
}

impl Operation {
    /// One line for `EXPLAIN`, the REST API and metrics: `Source: store_sales`.
    pub fn label(&self) -> String {
        match self {
            Self::Source(source) => source.label(),
            Self::Values(values) => values.label(),
            Self::Calc(calc) => calc.label(),
            Self::Union => "Union".to_owned(),
            Self::DropUpdateBefore => "DropUpdateBefore".to_owned(),
            Self::NotNull(check) => check.label(),
            Self::Sink(sink) => sink.label(),
        }
    }
}
