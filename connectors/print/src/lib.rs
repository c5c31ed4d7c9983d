//! The `print` connector: writes a changelog to standard output, one line a row, as Flink does.
//!
//! ```text
//! 'print-identifier' = 'sales', two writers
//! sales:1> +I[1, apple, 12.50]
//! sales:2> -D[2, null, 3.00]
//! ```

mod value;
mod writer;

use std::sync::Arc;

use async_trait::async_trait;
use sluice_connector_api::{Connector, ConnectorInfo, Sink, SinkContext, SinkTable, SinkWriter};
use sluice_model::{ChangelogMode, Result};

use writer::{PrintWriter, Target};

sluice_connector_api::options! {
    /// Options of `print`.
    pub struct PrintOptions {
        /// Written in front of every line, before the writer's number and `> `.
        "print-identifier" => print_identifier: Option<String>,
        /// Writes to standard error instead of standard output.
        "standard-error" => standard_error: bool = false,
        /// Number of writers.
        "sink.parallelism" => sink_parallelism: Option<usize>,
    }
}

/// The `print` connector.
#[derive(Debug, Clone, Copy, Default)]
pub struct Print;

impl Connector for Print {
    const NAME: &'static str = "print";
    type Options = PrintOptions;

    fn info(&self) -> ConnectorInfo {
        ConnectorInfo { is_sink: true, ..ConnectorInfo::default() }
    }

    fn sink(&self, options: PrintOptions, _table: SinkTable) -> Result<Arc<dyn Sink>> {
        Ok(Arc::new(PrintSink { options }))
    }
}

#[derive(Debug)]
struct PrintSink {
    options: PrintOptions,
}

#[async_trait]
impl Sink for PrintSink {
    fn accepts(&self) -> ChangelogMode {
        ChangelogMode::RETRACT
    }

    fn parallelism(&self) -> Option<usize> {
        self.options.sink_parallelism
    }

    async fn open(&self, context: SinkContext) -> Result<Box<dyn SinkWriter>> {
        let identifier = self.options.print_identifier.as_deref().unwrap_or_default();
        let target = if self.options.standard_error { Target::StandardError } else { Target::StandardOutput };
        Ok(Box::new(PrintWriter::new(target, line_prefix(identifier, context.subtask, context.parallelism))))
    }
}

/// `identifier:subtask> `, without what is not there. Source: Flink's `PrintSinkOutputWriter`.
fn line_prefix(identifier: &str, subtask: usize, parallelism: usize) -> String {
    let number = if parallelism > 1 { (subtask + 1).to_string() } else { String::new() };
    match (identifier, number.as_str()) {
        ("", "") => String::new(),
        (identifier, "") => format!("{identifier}> "),
        ("", number) => format!("{number}> "),
        (identifier, number) => format!("{identifier}:{number}> "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_says_who_and_which_writer() {
        assert_eq!(line_prefix("", 0, 1), "");
        assert_eq!(line_prefix("sales", 0, 1), "sales> ");
        assert_eq!(line_prefix("", 1, 2), "2> ");
        assert_eq!(line_prefix("sales", 1, 2), "sales:2> ");
    }
}
