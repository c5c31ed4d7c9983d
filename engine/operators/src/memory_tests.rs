//! What operators say that they take is what they were given, and less than as much again.

use std::sync::Arc;

use arrow_array::{Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use sluice_model::{ChangelogBatch, RowKind, RowKinds};
use sluice_plan::{AggregateCall, JoinKind, SortColumn};

use crate::{GroupAggregate, Join, Normalize, Operator, Rank, Scope};

const ROWS: i64 = 20_000;
const WIDTH: usize = 500;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true), Field::new("v", DataType::Utf8, true)]))
}

/// Rows with keys of their own.
fn rows(keys: std::ops::Range<i64>, kind: RowKind) -> ChangelogBatch {
    let texts = keys.clone().map(|key| format!("{key:0>WIDTH$}")).collect::<Vec<_>>();
    let columns: Vec<arrow_array::ArrayRef> =
        vec![Arc::new(Int64Array::from_iter_values(keys)), Arc::new(StringArray::from(texts))];
    let rows = RecordBatch::try_new(schema(), columns).unwrap();
    let kinds = RowKinds::from(vec![kind as u8; rows.num_rows()]);
    ChangelogBatch::try_new(rows, (kind != RowKind::Insert).then_some(kinds)).unwrap()
}

fn aggregate(function: &str, retracts: bool) -> Box<dyn Operator> {
    let result = Arc::new(Field::new("x", DataType::Utf8, true));
    let call = AggregateCall {
        function: function.to_owned(),
        arguments: vec![1],
        literals: vec![],
        distinct: false,
        filter: None,
        result,
    };
    let node = sluice_plan::GroupAggregate {
        group: vec![0],
        calls: vec![call],
        retracts,
        update_before: true,
        window_end: None,
        row_count: None,
    };
    Box::new(GroupAggregate::new(&node, &schema(), &schema()).unwrap())
}

fn operators() -> Vec<(&'static str, Box<dyn Operator>)> {
    let join = sluice_plan::Join {
        kind: JoinKind::LeftAnti,
        keys: vec![(0, 0)],
        null_equals_null: false,
        condition: None,
        unique_keys: [Some(vec![0]), None],
        window_ends: None,
        inserts_only: [false, false],
    };
    let rank = sluice_plan::Rank {
        partition: vec![0],
        order: vec![SortColumn { column: 1, descending: true, nulls_first: false }],
        newest_first: false,
        first: 1,
        last: Some(3),
        rank_column: false,
        retracts: true,
        unique_key: None,
        update_before: true,
        window_end: None,
    };
    let normalize = sluice_plan::Normalize { key: vec![0], update_before: true };
    vec![
        ("max", aggregate("max", false)),
        ("max with rows taken back", aggregate("max", true)),
        ("listagg", aggregate("listagg", false)),
        ("listagg with rows taken back", aggregate("listagg", true)),
        ("join", Box::new(Join::new(&join, [&schema(), &schema()], &schema()).unwrap())),
        ("rank", Box::new(Rank::new(&rank, &schema(), &schema()).unwrap())),
        ("normalize", Box::new(Normalize::new(normalize, &schema()).unwrap())),
    ]
}

#[test]
fn memory_is_that_of_the_rows_and_less_than_as_much_again() {
    for (name, mut operator) in operators() {
        let content = ROWS as usize * (WIDTH + size_of::<i64>());
        for start in (0..ROWS).step_by(1000) {
            operator.on_batch(0, rows(start..start + 1000, RowKind::Insert), &mut |_| Ok(())).unwrap();
        }
        let bytes = operator.state_bytes();
        assert!((content..2 * content).contains(&bytes), "{name}: {bytes} for {content}");
        operator.snapshot(Scope::All, &mut |_, _| Ok(())).unwrap();
        if name == "max" || name == "listagg" {
            continue;
        }
        for start in (0..ROWS).step_by(1000) {
            operator.on_batch(0, rows(start..start + 1000, RowKind::Delete), &mut |_| Ok(())).unwrap();
        }
        operator.snapshot(Scope::Changes, &mut |_, _| Ok(())).unwrap();
        let rest = operator.state_bytes();
        assert!(rest < bytes / 2, "{name}: {rest} of {bytes} are left");
    }
}
