//! The changes of a query, newest last: what changelog mode shows.

use std::collections::VecDeque;

use sluice_server::protocol::TextRow;

/// Changes that are kept, as in Flink.
const KEPT: usize = 1000;

/// The newest changes.
#[derive(Debug, Default)]
pub(super) struct Changelog {
    rows: VecDeque<TextRow>,
}

impl Changelog {
    pub(super) fn apply(&mut self, row: TextRow) {
        if self.rows.len() == KEPT {
            self.rows.pop_front();
        }
        self.rows.push_back(row);
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Rows `from..to` with their kinds in front.
    pub(super) fn slice(&self, from: usize, to: usize) -> Vec<Vec<Option<String>>> {
        let with_kind = |row: &TextRow| {
            std::iter::once(Some(row.kind.clone())).chain(row.cells.iter().cloned()).collect::<Vec<_>>()
        };
        self.rows.iter().skip(from).take(to.saturating_sub(from)).map(with_kind).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_newest_thousand() {
        let mut changelog = Changelog::default();
        for number in 0..1500 {
            changelog.apply(TextRow { kind: "+I".into(), cells: vec![Some(number.to_string())] });
        }
        assert_eq!(changelog.len(), 1000);
        assert_eq!(changelog.slice(0, 1), [[Some("+I".to_owned()), Some("500".to_owned())]]);
    }
}
