//! How long an operator keeps what it has of one of its inputs: the hint `STATE_TTL`.
//!
//! A hinted table stands in the query as `(SELECT * FROM t AS $state_ttl$86400000) AS t`: an alias is
//! the one thing that names a part of a query and that every step of planning leaves where it is.

use std::time::Duration;

use datafusion_expr::LogicalPlan;

/// What such aliases begin with; milliseconds follow.
const MARK: &str = "$state_ttl$";

/// The alias of a table of which operators keep rows for so long; zero: for ever.
pub fn state_ttl_alias(ttl: Duration) -> String {
    format!("{MARK}{}", ttl.as_millis())
}

/// What the hint of a query block says of an input of one of its operators, if anything: `Some(None)`
/// is for ever.
pub(super) fn hinted_ttl(input: &LogicalPlan) -> Option<Option<Duration>> {
    let (mut plan, mut has_left_block) = (input, false);
    loop {
        plan = match plan {
            LogicalPlan::SubqueryAlias(alias) => {
                if let Some(millis) = alias.alias.table().strip_prefix(MARK) {
                    let ttl = millis.parse().map(Duration::from_millis).ok()?;
                    return Some(Some(ttl).filter(|ttl| !ttl.is_zero()));
                }
                // Hints in the blocks below are for their own operators.
                if std::mem::replace(&mut has_left_block, true) {
                    return None;
                }
                &alias.input
            }
            LogicalPlan::Projection(projection) => &projection.input,
            LogicalPlan::Filter(filter) => &filter.input,
            _ => return None,
        };
    }
}

/// The text of a query, the same for every duration.
pub(super) fn without_ttl(text: &str) -> String {
    let mut parts = text.split(MARK);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + MARK + part.trim_start_matches(|digit: char| digit.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_duration_is_no_part_of_the_text() {
        assert_eq!(
            without_ttl("SubqueryAlias: $state_ttl$17\n a.$state_ttl$5.id"),
            "SubqueryAlias: $state_ttl$\n a.$state_ttl$.id"
        );
        assert_eq!(without_ttl("Filter: id > 5"), "Filter: id > 5");
    }
}
