//! What is said to the user, in Flink's words and colours.
//!
//! ```text
//! [INFO] Execute statement succeeded.            bold blue
//! [WARNING] 'akka.x' has no effect: …            bold yellow
//! [ERROR] Could not execute SQL statement. Reason:   bold red
//! ```

use std::io::{IsTerminal, Write};

use sluice_server::protocol::JobRef;
use sluice_sql::session::ResultTable;

use crate::view::static_table;

const PROMPT: &str = "Flink SQL> ";
const CONTINUATION: &str = "> ";

/// Where output goes. A reader that has gone away is no error: jobs go on without it.
pub(crate) struct Console {
    out: Box<dyn Write + Send>,
    colour: bool,
    terminal: bool,
    gone: bool,
}

impl Console {
    /// Standard output; in colour on a terminal, unless `NO_COLOR` is set.
    pub(crate) fn stdout() -> Self {
        let terminal = std::io::stdout().is_terminal();
        let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { out: Box::new(std::io::stdout()), colour, terminal, gone: false }
    }

    /// Another place, without colour, for tests.
    #[cfg(test)]
    pub(crate) fn to(out: impl Write + Send + 'static) -> Self {
        Self { out: Box::new(out), colour: false, terminal: false, gone: false }
    }

    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// True once nobody reads the output any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone
    }

    /// A line as it is.
    pub(crate) fn line(&mut self, text: &str) {
        self.raw(text);
        self.raw("\n");
    }

    /// Text as it is.
    pub(crate) fn raw(&mut self, text: &str) {
        if !self.gone && self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush()).is_err() {
            self.gone = true;
        }
    }

    pub(crate) fn info(&mut self, text: &str) {
        self.labelled("[INFO]", "34;1", text);
    }

    pub(crate) fn warning(&mut self, text: &str) {
        self.labelled("[WARNING]", "33;1", text);
    }

    pub(crate) fn error(&mut self, text: &str) {
        self.labelled("[ERROR]", "31;1", text);
    }

    fn labelled(&mut self, label: &str, colour: &str, text: &str) {
        if self.colour {
            self.line(&format!("\x1b[{colour}m{label} {text}\x1b[0m"));
        } else {
            self.line(&format!("{label} {text}"));
        }
    }

    /// A statement that is about to run, as if it had been typed.
    pub(crate) fn echo(&mut self, statement: &str) {
        let mut prompt = PROMPT;
        let mut text = String::new();
        for line in statement.lines() {
            text.push_str(prompt);
            text.push_str(line);
            text.push('\n');
            prompt = CONTINUATION;
        }
        text.pop();
        self.line(&format!("{text};"));
    }

    pub(crate) fn done(&mut self, notes: &[String]) {
        self.info("Execute statement succeeded.");
        self.notes(notes);
        self.line("");
    }

    pub(crate) fn notes(&mut self, notes: &[String]) {
        for note in notes {
            self.warning(note);
        }
    }

    pub(crate) fn submitted(&mut self, jobs: &[JobRef], notes: &[String], sync: bool) {
        for job in jobs {
            self.info("Submitting SQL update statement to the cluster...");
            if sync {
                self.info("Complete execution of the SQL update statement.");
            } else {
                self.info("SQL update statement has been successfully submitted to the cluster:");
                self.line(&format!("Job ID: {}", job.id));
            }
        }
        self.notes(notes);
        self.line("");
        self.line("");
    }

    /// A small table; texts that are a whole page by themselves (EXPLAIN, SHOW CREATE) without a frame.
    pub(crate) fn table(&mut self, table: &ResultTable) {
        if let ([column], [row]) = (table.columns.as_slice(), table.rows.as_slice())
            && column == "result"
        {
            let text = row.first().and_then(Option::as_deref).unwrap_or_default();
            self.line(text);
        } else {
            self.raw(&static_table(table));
        }
        self.line("");
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Output that a test can look at.
    #[derive(Clone, Default)]
    pub(crate) struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Shared {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn speaks_as_flinks_client_does() {
        let shared = Shared::default();
        let mut console = Console::to(shared.clone());
        console.echo("CREATE TABLE t (\n  id INT\n)");
        console.done(&[]);
        let job = JobRef { id: "6b1af540c0c0bb3fcfcad50ac037c862".into(), name: "x".into() };
        console.submitted(&[job], &[], false);
        assert_eq!(
            shared.text(),
            "Flink SQL> CREATE TABLE t (\n>   id INT\n> );\n[INFO] Execute statement succeeded.\n\n\
             [INFO] Submitting SQL update statement to the cluster...\n\
             [INFO] SQL update statement has been successfully submitted to the cluster:\n\
             Job ID: 6b1af540c0c0bb3fcfcad50ac037c862\n\n\n"
        );
    }

    #[test]
    fn a_reader_that_has_gone_is_noticed_and_no_error() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let mut console = Console::to(Closed);
        console.line("x");
        assert!(console.is_gone());
    }
}
