//! What is said where an operator cannot take changes, and where in the text.
//!
//! ```text
//! SELECT n, SUM(n) OVER (ORDER BY ts) FROM counts
//!   OverAggregate doesn't support consuming update and delete changes which is produced by node
//!   GroupAggregate: groupBy=[$0], select=[COUNT(*) AS n]
//! ```

use datafusion_common::tree_node::TreeNode;
use datafusion_expr::Expr;
use sluice_model::{ChangelogMode, Error, Position, Result, RowKind};
use sluice_plan::Input;

use super::nodes::Nodes;

impl Nodes {
    /// Flink's refusal, if an input has more than insertions. `who` takes them.
    pub(super) fn refuse_changes(&self, who: &str, input: &Input) -> Result<()> {
        let changelog = self.plan().output(input).changelog;
        if changelog.is_append() { Ok(()) } else { Err(self.changes_refused(who, input)) }
    }

    /// The error for an input whose changes `who` cannot take.
    pub(super) fn changes_refused(&self, who: &str, input: &Input) -> Error {
        let changes = changes_of(self.plan().output(input).changelog);
        let producer = self.producer_of_changes(input);
        Error::fix(format!("{who} doesn't support consuming {changes} changes which is produced by node {producer}"))
    }

    /// The first operator, or source, that makes changes out of insertions.
    fn producer_of_changes(&self, input: &Input) -> String {
        let mut node = self.plan().node(input.node);
        while let Some(from) = node.inputs.iter().find(|from| !self.plan().output(from).changelog.is_append()) {
            node = self.plan().node(from.node);
        }
        node.operation.label()
    }
}

/// In the words of Flink.
fn changes_of(changelog: ChangelogMode) -> &'static str {
    let updates = changelog.contains(RowKind::UpdateAfter) || changelog.contains(RowKind::UpdateBefore);
    match (updates, changelog.contains(RowKind::Delete)) {
        (true, true) => "update and delete",
        (false, true) => "delete",
        _ => "update",
    }
}

/// Where the first column of an expression stands in the statement.
pub(super) fn place_of(expression: &Expr) -> Option<Position> {
    let mut place = None;
    let _ = expression.exists(|node| {
        if let Expr::Column(column) = node {
            place = column.spans().first().filter(|span| span.start.line > 0);
        }
        Ok(place.is_some())
    });
    place.map(|span| Position { line: span.start.line, column: span.start.column })
}
