//! One error for the whole engine: what, where, why and how to fix it.
//!
//! ```text
//! unknown option 'sever-id' of connector 'mysql-cdc'
//!   at line 12, column 5
//!   because: …
//!   hint: did you mean 'server-id'?
//! ```
//!
//! Callers do not match on a catalogue of variants; they ask for the [`Reaction`] that the error
//! calls for. Everything else is for people to read.

use std::fmt;

/// Result with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the one who meets an error should do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// The user has to change something (SQL, options, grants, the server): trying again is in vain.
    Fix,
    /// It may go away by itself: restart the job from its last checkpoint.
    Retry,
    /// A defect of Sluice.
    Bug,
}

/// A place in the SQL text. Both count from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Line.
    pub line: u64,
    /// Column.
    pub column: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// An error of the engine. Build it with [`Error::fix`], [`Error::retry`] or [`Error::bug`].
#[derive(Clone)]
pub struct Error(Box<Parts>);

#[derive(Clone)]
struct Parts {
    reaction: Reaction,
    what: String,
    position: Option<Position>,
    why: Option<String>,
    hint: Option<String>,
    /// Further errors of the same kind, reported together (several bad options of one table).
    also: Vec<Error>,
}

impl Error {
    fn new(reaction: Reaction, what: impl Into<String>) -> Self {
        Self(Box::new(Parts { reaction, what: what.into(), position: None, why: None, hint: None, also: Vec::new() }))
    }

    /// The user has to change something.
    pub fn fix(what: impl Into<String>) -> Self {
        Self::new(Reaction::Fix, what)
    }

    /// It may go away by itself.
    pub fn retry(what: impl Into<String>) -> Self {
        Self::new(Reaction::Retry, what)
    }

    /// A defect of Sluice.
    pub fn bug(what: impl Into<String>) -> Self {
        Self::new(Reaction::Bug, what)
    }

    /// An Arrow kernel refused what should have been right.
    pub fn from_arrow(error: arrow_schema::ArrowError) -> Self {
        match error {
            arrow_schema::ArrowError::DivideByZero => {
                Self::fix("/ by zero").with_hint("guard the divisor, for example with NULLIF(x, 0)")
            }
            arrow_schema::ArrowError::CastError(text)
            | arrow_schema::ArrowError::ParseError(text)
            | arrow_schema::ArrowError::ComputeError(text)
            | arrow_schema::ArrowError::InvalidArgumentError(text) => Self::fix(text),
            other => Self::bug(other.to_string()),
        }
    }

    /// Many errors as one, in their order; `None` if there are none.
    pub fn many(errors: Vec<Self>) -> Option<Self> {
        let mut errors = errors.into_iter();
        let mut first = errors.next()?;
        first.0.also.extend(errors);
        Some(first)
    }

    /// Adds the place in the SQL text, unless a closer one is known.
    #[must_use]
    pub fn at(mut self, position: Position) -> Self {
        self.0.position.get_or_insert(position);
        self
    }

    /// Adds the place if there is one.
    #[must_use]
    pub fn at_opt(self, position: Option<Position>) -> Self {
        match position {
            Some(position) => self.at(position),
            None => self,
        }
    }

    /// Adds why it happened.
    #[must_use]
    pub fn because(mut self, why: impl Into<String>) -> Self {
        self.0.why = Some(why.into());
        self
    }

    /// Adds how to fix it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Says what was being done, in front of what went wrong.
    #[must_use]
    pub fn while_doing(mut self, context: impl fmt::Display) -> Self {
        self.0.what = format!("{context}: {}", self.0.what);
        self
    }

    /// What the one who meets it should do.
    pub fn reaction(&self) -> Reaction {
        self.0.reaction
    }

    /// What went wrong, one line.
    pub fn what(&self) -> &str {
        &self.0.what
    }

    /// Place in the SQL text.
    pub fn position(&self) -> Option<Position> {
        self.0.position
    }

    /// Why it happened.
    pub fn why(&self) -> Option<&str> {
        self.0.why.as_deref()
    }

    /// How to fix it.
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Errors reported together with this one.
    pub fn also(&self) -> &[Self] {
        &self.0.also
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.what)?;
        if let Some(position) = self.0.position {
            write!(f, "\n  at {position}")?;
        }
        if let Some(why) = &self.0.why {
            write!(f, "\n  because: {why}")?;
        }
        if let Some(hint) = &self.0.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        for error in &self.0.also {
            write!(f, "\n{error}")?;
        }
        if self.0.reaction == Reaction::Bug {
            f.write_str("\n  hint: this is a defect of Sluice, please report it with the job file")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.reaction)
    }
}

impl std::error::Error for Error {}

/// The candidate that is most like `word`, if one is like it at all: for "did you mean".
///
/// Allows one edit per three characters, and ignores case.
pub fn suggest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word_lower = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (edit_distance(&word_lower, &candidate.to_lowercase()), candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= word.chars().count().max(3) / 3)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance with swaps of neighbours counted once (optimal string alignment).
fn edit_distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().collect();
    let b: Vec<char> = b.chars().collect();
    let mut before_last = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let substitution = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = substitution.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before_last[j - 2] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_where_why_and_how() {
        let error = Error::fix("unknown option 'sever-id'")
            .at(Position { line: 12, column: 5 })
            .because("connector 'mysql-cdc' has no such option")
            .with_hint("did you mean 'server-id'?");
        assert_eq!(
            error.to_string(),
            "unknown option 'sever-id'\n  at line 12, column 5\n  because: connector 'mysql-cdc' has no such option\n  hint: did you mean 'server-id'?"
        );
    }

    #[test]
    fn suggests_only_what_is_alike() {
        let options = ["server-id", "hostname", "table-name"];
        assert_eq!(suggest("sever-id", options), Some("server-id"));
        assert_eq!(suggest("hsotname", options), Some("hostname"));
        assert_eq!(suggest("colour", options), None);
    }
}
