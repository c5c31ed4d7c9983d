//! The result of a query as it stands: what table mode shows.

use std::collections::{BTreeMap, HashMap};

use sluice_server::protocol::TextRow;

type Cells = Vec<Option<String>>;

/// A multiset of rows in the order in which they came.
#[derive(Debug)]
pub(super) struct Materialized {
    rows: BTreeMap<u64, Cells>,
    /// Where equal rows are.
    places: HashMap<Cells, Vec<u64>>,
    next: u64,
    most_rows: usize,
}

impl Materialized {
    /// Keeps at most `most_rows`; the oldest go first.
    pub(super) fn new(most_rows: usize) -> Self {
        Self { rows: BTreeMap::new(), places: HashMap::new(), next: 0, most_rows: most_rows.max(1) }
    }

    /// `+I` and `+U` add a row, `-U` and `-D` take an equal one away.
    pub(super) fn apply(&mut self, row: TextRow) {
        if row.kind.starts_with('+') {
            if self.rows.len() == self.most_rows
                && let Some((place, oldest)) = self.rows.pop_first()
            {
                self.forget(&oldest, |places| places.retain(|other| *other != place));
            }
            self.places.entry(row.cells.clone()).or_default().push(self.next);
            self.rows.insert(self.next, row.cells);
            self.next += 1;
        } else {
            let mut place = None;
            self.forget(&row.cells, |places| place = places.pop());
            if let Some(place) = place {
                self.rows.remove(&place);
            }
        }
    }

    fn forget(&mut self, cells: &Cells, take: impl FnOnce(&mut Vec<u64>)) {
        if let Some(places) = self.places.get_mut(cells) {
            take(places);
            if places.is_empty() {
                self.places.remove(cells);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn slice(&self, from: usize, to: usize) -> Vec<Cells> {
        self.rows.values().skip(from).take(to.saturating_sub(from)).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(table: &mut Materialized, changes: &str) {
        for change in changes.split(" / ") {
            let (kind, cell) = change.split_once(' ').unwrap();
            table.apply(TextRow { kind: kind.into(), cells: vec![Some(cell.into())] });
        }
    }

    fn rows(table: &Materialized) -> Vec<String> {
        table.slice(0, usize::MAX).into_iter().map(|cells| cells[0].clone().unwrap()).collect()
    }

    #[test]
    fn is_the_sum_of_its_changes() {
        let mut table = Materialized::new(10);
        apply(&mut table, "+I a / +I b / +I a / -U b / +U c / -D a / -D unknown");
        assert_eq!(rows(&table), ["a", "c"]);
        apply(&mut table, "-D a / -D c");
        assert_eq!(table.len(), 0);
        assert!(table.places.is_empty());
    }

    #[test]
    fn the_oldest_rows_go_first() {
        let mut table = Materialized::new(2);
        apply(&mut table, "+I a / +I b / +I c / -D b");
        assert_eq!(rows(&table), ["c"]);
    }
}
