//! What was typed, so that an error can be shown where it is.
//!
//! An option that is wrong is found when a statement uses its table, long after the `CREATE TABLE`
//! was typed. So each statement is run behind as many empty lines as were typed before it: a place
//! then says by its line in which statement it lies.

use sluice_model::Error;
use sluice_server::protocol::ErrorDetail;

/// After this many lines counting begins anew: empty lines are cheap, not free.
const MOST_LINES: u64 = 20_000;

/// The statements of a shell by their first line.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    /// Lines before a statement, and its text.
    statements: Vec<(u64, String)>,
    lines: u64,
}

impl Transcript {
    /// Adds a statement, and returns the text to run.
    pub(super) fn add(&mut self, statement: &str) -> String {
        if self.lines > MOST_LINES {
            *self = Self::default();
        }
        let before = self.lines;
        self.lines += statement.split('\n').count() as u64;
        self.statements.push((before, statement.to_owned()));
        format!("{}{statement}", "\n".repeat(usize::try_from(before).unwrap_or(0)))
    }

    /// The error with its place in the statement it lies in, and the text of that statement.
    pub(super) fn locate(&self, error: &Error) -> (Error, Option<&str>) {
        let mut detail = ErrorDetail::from(error);
        let Some(line) = detail.line else {
            return (error.clone(), None);
        };
        let index = self.statements.partition_point(|(before, _)| *before < line);
        let Some((before, text)) = index.checked_sub(1).and_then(|index| self.statements.get(index)) else {
            return (error.clone(), None);
        };
        move_up(&mut detail, *before);
        (detail.into(), Some(text))
    }
}

/// Errors reported together are of one table, so of one statement.
fn move_up(detail: &mut ErrorDetail, lines: u64) {
    detail.line = detail.line.map(|line| line.saturating_sub(lines));
    detail.also.iter_mut().for_each(|also| move_up(also, lines));
}

#[cfg(test)]
mod tests {
    use sluice_model::Position;

    use super::*;

    #[test]
    fn an_error_is_found_in_the_statement_it_lies_in() {
        let mut transcript = Transcript::default();
        assert_eq!(transcript.add("CREATE TABLE t\nWITH ('a'='b')"), "CREATE TABLE t\nWITH ('a'='b')");
        assert_eq!(transcript.add("SELECT 1"), "\n\nSELECT 1");
        let at = |line| Error::fix("x").at(Position { line, column: 7 });
        let (error, text) = transcript.locate(&at(2));
        assert_eq!((error.position().unwrap().line, text), (2, Some("CREATE TABLE t\nWITH ('a'='b')")));
        let (error, text) = transcript.locate(&at(3));
        assert_eq!((error.position().unwrap().line, text), (1, Some("SELECT 1")));
        assert_eq!(transcript.locate(&Error::fix("x")).1, None);
    }
}
