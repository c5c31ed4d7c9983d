//! Random rows, watermarks and restarts, against a list that is searched from end to end.

use super::tests::{World, node};
use super::*;
use crate::testing::{Random, checked};

/// A row: key, second, value.
type Row = (Option<u32>, i64, u32);

/// A row that is kept, and whether it has had a partner.
type Kept = (Row, bool);

#[derive(Default)]
struct Model {
    kept: [Vec<Kept>; 2],
    watermark: i64,
}

impl Model {
    fn push(&mut self, node: &sluice_plan::IntervalJoin, input: usize, rows: &[Row], out: &mut Vec<String>) {
        for row in rows {
            let mut is_matched = false;
            for (other, other_matched) in &mut self.kept[1 - input] {
                let (left, right) = if input == 0 { (row, &*other) } else { (&*other, row) };
                let apart = (left.1 - right.1) * 1000;
                if left.0 == right.0 && left.0.is_some() && apart >= node.lower && apart <= node.upper {
                    out.push(format!("+I {} {}", text(Some(left)), text(Some(right))));
                    (is_matched, *other_matched) = (true, true);
                }
            }
            if row.0.is_some() && self.watermark * 1000 < row.1 * 1000 + node.reach()[input] {
                self.kept[input].push((*row, is_matched));
            } else if !is_matched {
                pad(node.kind, input, row, out);
            }
        }
    }

    fn advance(&mut self, node: &sluice_plan::IntervalJoin, second: i64, out: &mut Vec<String>) {
        self.watermark = self.watermark.max(second);
        for input in 0..2 {
            let reach = node.reach()[input];
            let over = |(row, _): &Kept| self.watermark * 1000 >= row.1 * 1000 + reach;
            let (over, kept) = std::mem::take(&mut self.kept[input]).into_iter().partition(over);
            self.kept[input] = kept;
            let alone = over.into_iter().filter(|(_, is_matched)| !is_matched);
            alone.for_each(|(row, _)| pad(node.kind, input, &row, out));
        }
    }
}

fn pad(kind: JoinKind, input: usize, row: &Row, out: &mut Vec<String>) {
    match (kind, input) {
        (JoinKind::Left | JoinKind::Full, 0) => out.push(format!("+I {} {}", text(Some(row)), text(None))),
        (JoinKind::Right | JoinKind::Full, 1) => out.push(format!("+I {} {}", text(None), text(Some(row)))),
        _ => {}
    }
}

fn text(row: Option<&Row>) -> String {
    let Some((key, second, value)) = row else { return "NULL NULL NULL".to_owned() };
    format!("{} {second:02} {value}", key.map_or("NULL".to_owned(), |key| format!("k{key}")))
}

fn random_rows(random: &mut Random, watermark: i64, late: bool) -> Vec<Row> {
    let count = random.below(6) + 1;
    let row = |random: &mut Random| {
        let key = Some(random.below(4)).filter(|key| *key > 0 || random.flag());
        let first = if late { (watermark - 6).max(0) } else { watermark + 1 };
        (key, (first + i64::from(random.below(9))).min(59), random.below(100))
    };
    (0..count).map(|_| row(random)).collect()
}

#[test]
fn does_what_a_list_does() {
    checked(400, |random| {
        let kind = random.of(&[JoinKind::Inner, JoinKind::Left, JoinKind::Right, JoinKind::Full]);
        let lower = i64::from(random.below(9)) - 4;
        let upper = lower + i64::from(random.below(6));
        let node = node(kind, lower * 1000, upper * 1000);
        let late = random.flag();
        let (mut world, mut model) = (World::new(node.clone()), Model { watermark: -99, ..Model::default() });
        let (mut seen, mut everything) = ([Vec::new(), Vec::new()], Vec::new());
        let mut second = 0;
        while second < 50 {
            let mut expected = Vec::new();
            let actual = if random.below(3) > 0 {
                let (input, rows) = (random.below(2) as usize, random_rows(random, second, late));
                let lines: Vec<String> = rows.iter().map(|row| text(Some(row))).collect();
                let actual = world.push(input, &lines.join(" / "));
                model.push(&node, input, &rows, &mut expected);
                seen[input].extend(rows);
                actual
            } else {
                second += i64::from(random.below(4));
                model.advance(&node, second, &mut expected);
                world.watermark(second)
            };
            let mut actual: Vec<String> =
                actual.split(" / ").filter(|row| !row.is_empty()).map(str::to_owned).collect();
            actual.sort();
            expected.sort();
            assert_eq!(actual, expected, "{node:?} at {second}");
            everything.extend(actual);
            if random.below(4) == 0 {
                world.snapshot(random.of(&[Scope::All, Scope::Changes, Scope::Changes]));
                if random.flag() {
                    world.restart();
                }
            }
        }
        let rest = world.watermark(i64::MAX);
        everything.extend(rest.split(" / ").filter(|row| !row.is_empty()).map(str::to_owned));
        if !late {
            // Nothing was late: together it is the join of all the rows, whenever they came.
            let (mut whole, mut expected) = (Model { watermark: -99, ..Model::default() }, Vec::new());
            (0..2).for_each(|input| whole.push(&node, input, &seen[input], &mut expected));
            whole.advance(&node, i64::MAX / 2000, &mut expected);
            expected.sort();
            everything.sort();
            assert_eq!(everything, expected);
        }
        assert!(world.operator.sides.iter().all(RowsByTime::is_empty));
        world.snapshot(Scope::Changes);
        assert!(world.operator.is_empty());
    });
}
