//! Results of queries and of `SHOW`, in the forms of Flink's client.

mod cells;
mod changelog;
mod materialized;
mod paged;
mod pager;
mod screen;
mod show;
mod tableau;

use sluice_model::{Error, Result, suggest};

pub(crate) use show::{Display, QueryPrinter, show};
pub(crate) use tableau::static_table;

/// How results of queries are shown (`sql-client.execution.result-mode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResultMode {
    /// A full screen with the result as it stands.
    Table,
    /// A full screen with the changes.
    Changelog,
    /// Lines of a table, printed as they come.
    Tableau,
}

impl ResultMode {
    /// Reads the setting.
    ///
    /// # Errors
    /// An unknown mode, with a suggestion.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        match text.trim().to_lowercase().as_str() {
            "table" => Ok(Self::Table),
            "changelog" => Ok(Self::Changelog),
            "tableau" => Ok(Self::Tableau),
            other => {
                let hint = suggest(other, ["table", "changelog", "tableau"]);
                let hint = hint.map_or_else(
                    || "the modes are table, changelog and tableau".to_owned(),
                    |like| format!("did you mean '{like}'?"),
                );
                Err(Error::fix(format!("unknown result mode '{text}' in 'sql-client.execution.result-mode'"))
                    .with_hint(hint))
            }
        }
    }
}
