//! Shows a query in the mode that is set, until it ends or the user ends it.

use std::time::Instant;

use sluice_model::{Column, Result};
use sluice_server::protocol::TextRow;

use super::cells::shown;
use super::tableau::{Frame, whole_table};
use super::{ResultMode, pager};
use crate::backend::QueryStream;
use crate::console::Console;
use crate::signals::Signals;

/// `table.display.max-column-width`, where the setting is not at hand.
const DEFAULT_WIDEST: usize = 30;
/// `sql-client.execution.max-table-result.rows`, likewise.
const DEFAULT_MOST_ROWS: usize = 1_000_000;

/// How results are shown.
#[derive(Debug, Clone)]
pub(crate) struct Display {
    pub(crate) mode: ResultMode,
    /// Wait for all rows, and show them without their kinds.
    pub(crate) batch: bool,
    pub(crate) widest: usize,
    pub(crate) print_time: bool,
    /// Rows that table mode keeps.
    pub(crate) most_rows: usize,
}

impl Display {
    /// The settings that it reads.
    pub(crate) const SETTINGS: [&str; 5] = [
        "sql-client.execution.result-mode",
        "execution.runtime-mode",
        "table.display.max-column-width",
        "sql-client.display.print-time-cost",
        "sql-client.execution.max-table-result.rows",
    ];

    /// From the settings of a session; `forced` is the mode where no other is possible.
    ///
    /// # Errors
    /// A mode that is none.
    pub(crate) fn from_settings(get: impl Fn(&str) -> Option<String>, forced: Option<ResultMode>) -> Result<Self> {
        let number = |key: &str, default: usize| get(key).and_then(|text| text.trim().parse().ok()).unwrap_or(default);
        let is = |key: &str, wanted: &str| get(key).is_some_and(|text| text.trim().eq_ignore_ascii_case(wanted));
        let mode = match forced {
            Some(mode) => mode,
            None => ResultMode::parse(&get("sql-client.execution.result-mode").unwrap_or_default())?,
        };
        Ok(Self {
            mode,
            batch: is("execution.runtime-mode", "batch"),
            widest: number("table.display.max-column-width", DEFAULT_WIDEST),
            print_time: !is("sql-client.display.print-time-cost", "false"),
            most_rows: number("sql-client.execution.max-table-result.rows", DEFAULT_MOST_ROWS),
        })
    }
}

/// Shows a query. Ctrl-C ends it, without an error.
///
/// # Errors
/// The query failed.
pub(crate) async fn show(
    mut query: QueryStream,
    display: &Display,
    console: &mut Console,
    signals: &mut Signals,
) -> Result<()> {
    let result = match display.mode {
        ResultMode::Tableau if display.batch => batch(&mut query, display, console, signals).await,
        ResultMode::Tableau => stream(&mut query, display, console, signals).await,
        ResultMode::Table | ResultMode::Changelog => {
            let shown = pager::run(&mut query, display, console).await;
            if shown.is_ok() {
                console.info("Result retrieval cancelled.");
                console.line("");
            }
            shown
        }
    };
    query.end().await;
    result
}

async fn stream(
    query: &mut QueryStream,
    display: &Display,
    console: &mut Console,
    signals: &mut Signals,
) -> Result<()> {
    let mut printer = QueryPrinter::with(query.columns(), display.widest, display.print_time, console);
    loop {
        let rows = tokio::select! {
            rows = query.next() => rows?,
            () = signals.received() => {
                printer.terminated(console);
                return Ok(());
            }
        };
        match rows {
            Some(rows) => printer.rows(&rows, console),
            None => break,
        }
        if console.is_gone() {
            return Ok(());
        }
    }
    printer.end(console);
    Ok(())
}

/// Prints the rows of a stream as they come.
pub(crate) struct QueryPrinter {
    frame: Frame,
    count: usize,
    started: Instant,
    print_time: bool,
}

impl QueryPrinter {
    /// Prints the head, with what is set by default.
    pub(crate) fn start(columns: &[Column], console: &mut Console) -> Self {
        Self::with(columns, DEFAULT_WIDEST, true, console)
    }

    fn with(columns: &[Column], widest: usize, print_time: bool, console: &mut Console) -> Self {
        let frame = Frame::of_types(columns, widest);
        console.raw(&frame.head());
        Self { frame, count: 0, started: Instant::now(), print_time }
    }

    pub(crate) fn rows(&mut self, rows: &[TextRow], console: &mut Console) {
        self.count += rows.len();
        let text: String = rows.iter().map(|row| self.frame.row(row)).collect();
        console.raw(&text);
    }

    /// Prints the footer.
    pub(crate) fn end(self, console: &mut Console) {
        self.close(console);
        let time = time(self.print_time, self.started);
        console.line(&format!("Received a total of {} {}{time}", self.count, noun(self.count)));
        console.line("");
    }

    fn terminated(self, console: &mut Console) {
        self.close(console);
        console.line(&format!("Query terminated, received a total of {} {}", self.count, noun(self.count)));
        console.line("");
    }

    /// The lower border; the head's own is enough where there are no rows.
    fn close(&self, console: &mut Console) {
        if self.count > 0 {
            console.raw(&self.frame.border());
        }
    }
}

async fn batch(query: &mut QueryStream, display: &Display, console: &mut Console, signals: &mut Signals) -> Result<()> {
    let started = Instant::now();
    let mut all = Vec::new();
    loop {
        let rows = tokio::select! {
            rows = query.next() => rows?,
            () = signals.received() => {
                console.line("Query terminated");
                return Ok(());
            }
        };
        let Some(rows) = rows else { break };
        all.extend(
            rows.iter().map(|row| row.cells.iter().map(|cell| shown(cell.as_deref()).into_owned()).collect::<Vec<_>>()),
        );
    }
    let headers = query.columns().iter().map(|column| column.name.clone()).collect();
    let text = whole_table(headers, &all, display.widest);
    console.line(&format!("{}{}", text.trim_end(), time(display.print_time, started)));
    console.line("");
    Ok(())
}

/// Flink writes `row` up to one row.
fn noun(count: usize) -> &'static str {
    if count <= 1 { "row" } else { "rows" }
}

fn time(print: bool, started: Instant) -> String {
    if print { format!(" ({:.2} seconds)", started.elapsed().as_secs_f64()) } else { String::new() }
}
