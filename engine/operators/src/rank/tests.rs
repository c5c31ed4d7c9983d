use sluice_model::from_pretty;
use sluice_plan::SortColumn;

use crate::testing::{Harness, checked};

use super::*;

const COLUMNS: &str = "k STRING, v INT, id INT";

/// `PARTITION BY k ORDER BY v DESC`, ranks 1 and 2.
fn top_2() -> sluice_plan::Rank {
    let order = vec![SortColumn { column: 1, descending: true, nulls_first: false }];
    sluice_plan::Rank {
        partition: vec![0],
        order,
        newest_first: false,
        first: 1,
        last: Some(2),
        rank_column: false,
        retracts: false,
        unique_key: None,
        update_before: true,
        window_end: None,
    }
}

fn harness(node: sluice_plan::Rank) -> Harness {
    harness_of(COLUMNS, node)
}

fn harness_of(columns: &'static str, node: sluice_plan::Rank) -> Harness {
    let schema = from_pretty(columns, "").schema();
    let ranked = from_pretty(&format!("{columns}, rank BIGINT"), "").schema();
    let output = if node.rank_column { ranked } else { Arc::clone(&schema) };
    let (key, update_before) = (node.result_key(3), node.update_before);
    let harness = Harness::new(columns, move || Box::new(Rank::new(&node, &schema, &output).unwrap()));
    match key {
        Some(key) => harness.by_key(&key, update_before),
        None => harness,
    }
}

#[test]
fn keeps_the_first_of_insertions() {
    let mut operator = harness(top_2());
    assert_eq!(operator.run("+I a 1 1"), "+I a 1 1");
    assert_eq!(operator.run("+I a 3 2"), "+I a 3 2");
    assert_eq!(operator.run("+I a 2 3"), "-D a 1 1 / +I a 2 3");
    assert_eq!(operator.run("+I a 2 4 / +I a NULL 5"), "");
    assert_eq!(operator.run("+I b NULL 6 / +I NULL 1 7"), "+I b NULL 6 / +I NULL 1 7");
    assert_eq!(operator.run("+I a 4 8 / +I a 5 9 / +I a 6 10"), "-D a 3 2 / -D a 2 3 / +I a 6 10 / +I a 5 9");
}

#[test]
fn keeps_the_newest_of_rows_of_one_time() {
    let mut operator = harness(sluice_plan::Rank { newest_first: true, last: Some(1), ..top_2() });
    assert_eq!(operator.run("+I a 1 1 / +I a 1 2"), "+I a 1 2");
    assert_eq!(operator.run("+I a 1 3"), "-U a 1 2 / +U a 1 3");
    assert_eq!(operator.run("+I a 0 4"), "");
}

#[test]
fn moves_rows_along_the_ranks() {
    let mut operator = harness(sluice_plan::Rank { rank_column: true, ..top_2() });
    assert_eq!(operator.run("+I a 1 1"), "+I a 1 1 1");
    assert_eq!(operator.run("+I a 3 2"), "-U a 1 1 1 / +U a 3 2 1 / +I a 1 1 2");
    assert_eq!(operator.run("+I a 2 3"), "-U a 1 1 2 / +U a 2 3 2");
    let mut operator = harness(sluice_plan::Rank { rank_column: true, update_before: false, ..top_2() });
    assert_eq!(operator.run("+I a 1 1"), "+I a 1 1 1");
    assert_eq!(operator.run("+I a 3 2"), "+U a 3 2 1 / +I a 1 1 2");
}

#[test]
fn brings_rows_back_when_others_go() {
    for unique_key in [None, Some(vec![2])] {
        let mut operator = harness(sluice_plan::Rank { retracts: true, unique_key, ..top_2() });
        assert_eq!(operator.run("+I a 1 1 / +I a 2 2 / +I a 3 3"), "+I a 3 3 / +I a 2 2");
        assert_eq!(operator.run("-D a 2 2"), "-D a 2 2 / +I a 1 1");
        assert_eq!(operator.run("-D a 9 9 / -D c 1 1"), "");
        let by_key = operator.by_key.is_some();
        let expected = if by_key { "-U a 3 3 / +U a 0 3" } else { "-D a 3 3 / +I a 0 3" };
        assert_eq!(operator.run("-U a 3 3 / +U a 0 3"), expected);
        assert_eq!(operator.run("-D a 0 3 / -D a 1 1"), "-D a 1 1 / -D a 0 3");
    }
}

#[test]
fn one_row_per_partition_is_an_update() {
    let mut operator = harness(sluice_plan::Rank { last: Some(1), ..top_2() });
    assert_eq!(operator.run("+I a 1 1 / +I a 1 2"), "+I a 1 1");
    assert_eq!(operator.run("+I a 2 3"), "-U a 1 1 / +U a 2 3");
    let mut operator = harness(sluice_plan::Rank { last: Some(1), update_before: false, ..top_2() });
    assert_eq!(operator.run("+I a 1 1"), "+I a 1 1");
    assert_eq!(operator.run("+I a 2 3"), "+U a 2 3");
}

#[test]
fn the_newest_of_a_unique_key_replaces() {
    let mut operator = harness(sluice_plan::Rank { retracts: true, unique_key: Some(vec![0, 2]), ..top_2() });
    assert_eq!(operator.run("+I a 1 1 / +I a 2 2 / +I a 3 3"), "+I a 3 3 / +I a 2 2");
    assert_eq!(operator.run("+U a 5 1"), "-D a 2 2 / +I a 5 1");
    assert_eq!(operator.run("+U a 4 1"), "-U a 5 1 / +U a 4 1");
    assert_eq!(operator.run("+U a 4 1"), "");
    assert_eq!(operator.run("-D a NULL 1"), "-D a 4 1 / +I a 2 2");
}

#[test]
fn orders_by_several_columns_with_nulls_at_either_end() {
    let columns = |first: bool| {
        vec![
            SortColumn { column: 1, descending: false, nulls_first: first },
            SortColumn { column: 2, descending: true, nulls_first: !first },
        ]
    };
    let node = |first| sluice_plan::Rank { order: columns(first), rank_column: true, last: Some(9), ..top_2() };
    let rows = "+I a 1 1 / +I a NULL 1 / +I a 1 2 / +I a -1 NULL / +I a -1 5";
    let mut operator = harness(node(true));
    assert_eq!(operator.run(rows), "+I a NULL 1 1 / +I a -1 5 2 / +I a -1 NULL 3 / +I a 1 2 4 / +I a 1 1 5");
    let mut operator = harness(node(false));
    assert_eq!(operator.run(rows), "+I a -1 NULL 1 / +I a -1 5 2 / +I a 1 2 3 / +I a 1 1 4 / +I a NULL 1 5");
}

#[test]
fn without_an_order_the_first_to_arrive_are_kept() {
    let limit = sluice_plan::Rank { partition: vec![], order: vec![], first: 2, last: Some(3), ..top_2() };
    let mut operator = harness(limit.clone());
    assert_eq!(operator.run("+I a 1 1"), "");
    assert_eq!(operator.run("+I b 2 2 / +I c 3 3 / +I d 4 4"), "+I b 2 2 / +I c 3 3");
    assert_eq!(operator.run("+I e 5 5"), "");
    for unique_key in [None, Some(vec![2])] {
        let mut operator = harness(sluice_plan::Rank { retracts: true, unique_key, ..limit.clone() });
        assert_eq!(operator.run("+I a 1 1 / +I b 2 2 / +I c 3 3 / +I d 4 4"), "+I b 2 2 / +I c 3 3");
        assert_eq!(operator.run("-D a 1 1"), "-D b 2 2 / +I d 4 4");
        assert_eq!(operator.run("-D d 4 4 / -D c 3 3"), "-D c 3 3 / -D d 4 4");
    }
    let mut operator = harness(sluice_plan::Rank { first: 1, last: Some(0), ..limit });
    assert_eq!(operator.run("+I a 1 1"), "");
}

#[test]
fn a_snapshot_of_changes_has_nothing_else() {
    let mut operator = harness(top_2());
    operator.run("+I a 1 1 / +I a 2 2 / +I b 3 3 / +I a 3 4");
    // The sequence number stands behind the partition.
    assert_eq!(operator.changes(), "+I a 1 2 2 / +I b 2 3 3 / +I a 3 3 4");
    operator.run("+I a 9 5");
    assert_eq!(operator.changes(), "-D a 1 2 2 / +I a 4 9 5");
    operator.run("+I a 0 6");
    assert_eq!(operator.changes(), "");
    let mut operator = harness(sluice_plan::Rank { retracts: true, unique_key: Some(vec![2]), ..top_2() });
    operator.run("+I a 1 1 / +I a 2 2 / +I a 3 3 / -D a 3 3");
    assert_eq!(operator.changes(), "+I a 1 1 0 / +I a 2 2 1");
    operator.run("+U a 5 1 / -D a 2 2 / +I a 7 7 / -D a 7 7");
    assert_eq!(operator.changes(), "-D a 2 2 1 / +U a 1 5 3");
    operator.restart();
    assert_eq!(operator.run("-D a 5 1"), "-D a 5 1");
    assert_eq!(operator.changes(), "-D a 1 5 3");
}

/// A row of the model, in order of arrival.
type Row = (u32, Option<u32>, u32);

fn random_node(random: &mut crate::testing::Random) -> sluice_plan::Rank {
    let retracts = random.flag();
    let order = match random.below(4) {
        0 => vec![],
        1 => vec![SortColumn { column: 1, descending: random.flag(), nulls_first: random.flag() }],
        2 => vec![SortColumn { column: 2, descending: random.flag(), nulls_first: false }],
        _ => [1, 2].map(|column| SortColumn { column, descending: random.flag(), nulls_first: random.flag() }).into(),
    };
    let first = u64::from(random.below(2)) + 1;
    sluice_plan::Rank {
        partition: if random.flag() { vec![0] } else { vec![] },
        order,
        newest_first: !retracts && random.flag(),
        first,
        last: (random.below(5) > 0).then(|| first + u64::from(random.below(3))),
        rank_column: random.flag(),
        retracts,
        unique_key: (retracts && random.flag()).then(|| random.of(&[&[2][..], &[0, 2], &[2, 0]]).to_vec()),
        update_before: true,
        window_end: None,
    }
}

/// The rows of the result, without ranks and with them.
fn naive(node: &sluice_plan::Rank, rows: &[Row]) -> (Vec<String>, Vec<String>) {
    let mut partitions = std::collections::BTreeMap::<u32, Vec<Row>>::new();
    for row in rows {
        partitions.entry(if node.partition.is_empty() { 0 } else { row.0 }).or_default().push(*row);
    }
    let (mut content, mut ranked) = (Vec::new(), Vec::new());
    for rows in partitions.values_mut() {
        if node.newest_first {
            rows.reverse();
        }
        rows.sort_by(|left, right| {
            let compare = |sort: &SortColumn| {
                let value = |row: &Row| if sort.column == 1 { row.1 } else { Some(row.2) };
                match (value(left), value(right)) {
                    (Some(left), Some(right)) if sort.descending => right.cmp(&left),
                    (Some(left), Some(right)) => left.cmp(&right),
                    (left, right) if sort.nulls_first => left.is_some().cmp(&right.is_some()),
                    (left, right) => left.is_none().cmp(&right.is_none()),
                }
            };
            node.order.iter().map(compare).find(|order| order.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
        });
        let last = node.last.map_or(rows.len(), |last| rows.len().min(last as usize));
        for rank in node.first as usize..=last {
            let text = text(&rows[rank - 1]);
            ranked.push(format!("{text} {rank}"));
            content.push(text);
        }
    }
    content.sort();
    ranked.sort();
    (content, ranked)
}

fn text(row: &Row) -> String {
    format!("{} {} {}", row.0, row.1.map_or("NULL".to_owned(), |value| value.to_string()), row.2)
}

/// A change of the model that is valid for the node, as a line.
fn random_change(
    node: &sluice_plan::Rank,
    rows: &mut Vec<Row>,
    next: &mut u32,
    random: &mut crate::testing::Random,
) -> String {
    if node.retracts && !rows.is_empty() && random.below(5) < 2 {
        let victim = rows[random.below(rows.len() as u32) as usize];
        // Of equal rows the oldest goes.
        let oldest = rows.iter().position(|row| *row == victim).unwrap();
        rows.remove(oldest);
        return format!("{} {}", random.of(&["-D", "-U"]), text(&victim));
    }
    let value = (random.below(6) > 0).then(|| random.below(4));
    if node.unique_key.is_some() && !rows.is_empty() && random.below(3) == 0 {
        // An update that keeps its partition and does not say what it replaces.
        let index = random.below(rows.len() as u32) as usize;
        let (old, new) = (rows[index], (rows[index].0, value, rows[index].2));
        let ordered = |column| node.order.iter().any(|sort| sort.column == column);
        if ordered(1) && old.1 != new.1 {
            rows.remove(index);
            rows.push(new);
        } else {
            rows[index] = new;
        }
        return format!("+U {}", text(&new));
    }
    *next += 1;
    let id = if node.unique_key.is_some() { *next } else { random.below(3) };
    rows.push((random.below(3), value, id));
    format!("+I {}", text(&rows[rows.len() - 1]))
}

#[test]
fn agrees_with_sorting_on_random_changes() {
    checked(4000, |random| {
        let node = random_node(random);
        let node = sluice_plan::Rank { update_before: node.result_key(3).is_none() || random.flag(), ..node };
        let mut operator = harness_of("k INT, v INT, id INT", node.clone());
        let (mut rows, mut next) = (Vec::new(), 0);
        for _ in 0..random.below(10) {
            let count = random.below(10) + 1;
            let input: Vec<String> = (0..count).map(|_| random_change(&node, &mut rows, &mut next, random)).collect();
            operator.run(&input.join(" / "));
            let (content, ranked) = naive(&node, &rows);
            assert_eq!(operator.result(), if node.rank_column { ranked } else { content }, "{node:?}");
            operator.maybe_restart(random);
        }
        if !node.retracts
            && let Some(last) = node.last
        {
            operator.changes();
            let partitions = if node.partition.is_empty() { 1 } else { 3 };
            assert!(operator.state_rows() <= last as usize * partitions, "more is kept than needed");
        }
    });
}

#[test]
#[ignore = "prints a figure"]
fn rows_per_second() {
    use arrow_array::StringArray;
    const PARTITIONS: u64 = 100_000;
    const ROWS: u64 = 2_000_000;
    let schema = from_pretty("k BIGINT, v BIGINT, name STRING", "").schema();
    for (name, last, descending) in [("keep first", 1, false), ("keep last", 1, true), ("Top-10", 10, true)] {
        // By time: every row of "keep last" enters; for Top-10 values are random.
        let value = |row: u64| if last == 1 { row } else { row.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20 } as i64;
        let batches: Vec<ChangelogBatch> = (0..ROWS / 8192)
            .map(|batch| {
                let rows = batch * 8192..(batch + 1) * 8192;
                let partition = |row: u64| (row.wrapping_mul(0xD134_2543_DE82_EF95) >> 30) % PARTITIONS;
                let columns: Vec<ArrayRef> = vec![
                    Arc::new(rows.clone().map(|row| partition(row) as i64).collect::<Int64Array>()),
                    Arc::new(rows.clone().map(value).collect::<Int64Array>()),
                    Arc::new(StringArray::from_iter_values(rows.map(|row| format!("name of row {row}")))),
                ];
                ChangelogBatch::append(RecordBatch::try_new(Arc::clone(&schema), columns).unwrap())
            })
            .collect();
        let order = vec![SortColumn { column: 1, descending, nulls_first: false }];
        let node = sluice_plan::Rank { order, last: Some(last), ..top_2() };
        let mut operator = Rank::new(&node, &schema, &schema).unwrap();
        let (start, mut changes) = (std::time::Instant::now(), 0);
        for batch in batches {
            operator
                .on_batch(0, batch, &mut |batch| {
                    changes += batch.num_rows();
                    Ok(())
                })
                .unwrap();
        }
        let rate = ROWS as f64 / start.elapsed().as_secs_f64() / 1e6;
        println!("{name}: {rate:.2} M rows/s, {changes} changes");
    }
}

mod windows {
    use sluice_model::to_pretty;
    use sluice_plan::SortColumn;

    use super::*;

    const COLUMNS: &str = "window_end TIMESTAMP(3), k STRING, v INT";
    const ROWS: &str = "+I 1970-01-01T00:00:10 a 1 / +I 1970-01-01T00:00:10 b 5 / +I 1970-01-01T00:00:10 a 3 / \
                        +I 1970-01-01T00:00:10 a 2 / +I 1970-01-01T00:00:20 a 7";

    /// `PARTITION BY window_end, k ORDER BY v DESC`, ranks 1 and 2.
    fn operator(retracts: bool) -> Rank {
        let node = sluice_plan::Rank {
            partition: vec![0, 1],
            order: vec![SortColumn { column: 2, descending: true, nulls_first: false }],
            rank_column: true,
            retracts,
            window_end: Some(sluice_plan::WindowEnd { column: 0, zone: chrono_tz::Tz::UTC }),
            ..top_2()
        };
        let ranked = from_pretty(&format!("{COLUMNS}, rank BIGINT"), "").schema();
        Rank::new(&node, &from_pretty(COLUMNS, "").schema(), &ranked).unwrap()
    }

    fn push(operator: &mut Rank, rows: &str) {
        let silent = |batch: ChangelogBatch| panic!("{} before the end of the window", to_pretty(&batch));
        operator.on_batch(0, from_pretty(COLUMNS, rows), &mut { silent }).unwrap();
    }

    fn advance(operator: &mut Rank, seconds: i64) -> Vec<String> {
        let mut out = Vec::new();
        let mut output = |batch: ChangelogBatch| {
            out.extend(to_pretty(&batch).split(" / ").map(|row| row.replace("1970-01-01T00:00:", "")));
            Ok(())
        };
        operator.on_watermark(seconds * 1000, &mut output).unwrap();
        out
    }

    #[test]
    fn a_window_is_put_out_once_when_its_time_is_over() {
        let mut operator = operator(false);
        push(&mut operator, ROWS);
        assert_eq!(advance(&mut operator, 9), [""; 0]);
        assert_eq!(advance(&mut operator, 10), ["+I 10 a 3 1", "+I 10 a 2 2", "+I 10 b 5 1"]);
        push(&mut operator, "+I 1970-01-01T00:00:10 a 9 / +I 1970-01-01T00:00:20 a 8 / +I 1970-01-01T00:00:20 a 6");
        assert_eq!(advance(&mut operator, 30), ["+I 20 a 8 1", "+I 20 a 7 2"]);
        assert_eq!(operator.rows.index.slots().count(), 0, "nothing is kept");
    }

    #[test]
    fn rows_may_be_taken_back_while_the_window_is_open() {
        let mut operator = operator(true);
        push(&mut operator, ROWS);
        push(&mut operator, "-D 1970-01-01T00:00:10 a 3 / -D 1970-01-01T00:00:10 b 5 / +I 1970-01-01T00:00:10 a 2");
        assert_eq!(advance(&mut operator, 10), ["+I 10 a 2 1", "+I 10 a 2 2"]);
        // The slot of `b` serves another window now.
        push(&mut operator, "+I 1970-01-01T00:00:40 c 3");
        assert_eq!(advance(&mut operator, 39), ["+I 20 a 7 1"]);
        assert_eq!(advance(&mut operator, 40), ["+I 40 c 3 1"]);
    }

    #[test]
    fn open_windows_and_the_watermark_survive_a_restart() {
        for (scope, retracts) in
            [(Scope::All, false), (Scope::Changes, false), (Scope::All, true), (Scope::Changes, true)]
        {
            let mut first = operator(retracts);
            let mut second = operator(retracts);
            push(&mut first, ROWS);
            first.snapshot(scope, &mut |table, rows| second.restore(table, rows)).unwrap();
            advance(&mut first, 10);
            first.snapshot(Scope::Changes, &mut |table, rows| second.restore(table, rows)).unwrap();
            push(&mut second, "+I 1970-01-01T00:00:10 a 9 / +I 1970-01-01T00:00:20 a 8");
            assert_eq!(advance(&mut second, 20), ["+I 20 a 8 1", "+I 20 a 7 2"], "{scope:?}");
            second.snapshot(Scope::All, &mut |_, _| Ok(())).unwrap();
            assert_eq!(second.rows.index.slots().count(), 0, "{scope:?}: nothing is kept");
        }
    }
}
