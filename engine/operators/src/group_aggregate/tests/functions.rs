//! Each function on rows that are added only, and on rows that are taken back.

use super::{Case, call, distinct, filtered, literal, put};
use crate::Operator;

/// One call without group columns, over column `x` of a type.
fn over(input: &'static str, calls: Vec<super::AggregateCall>) -> Case {
    Case::new(input, calls).groups(0)
}

#[test]
fn count() {
    let calls =
        vec![call("count", &[], "BIGINT"), call("count", &[0], "BIGINT"), distinct(call("count", &[0], "BIGINT"))];
    over("x STRING", calls.clone()).append().check(&[("a / b / NULL / a", "+I 4 3 2"), ("a", "-U 4 3 2 / +U 5 4 2")]);
    over("x STRING", calls).check(&[
        ("+I a / +I a / +I NULL", "+I 3 2 1"),
        ("-D a", "-U 3 2 1 / +U 2 1 1"),
        ("-D a", "-U 2 1 1 / +U 1 0 0"),
        ("-D NULL", "-U 1 0 0 / +U 0 0 0"),
    ]);
}

#[test]
fn sums_of_integers_wrap() {
    over("x INT", vec![call("sum", &[0], "INT"), call("sum0", &[0], "INT")]).check(&[
        ("+I NULL", "+I NULL 0"),
        ("+I 2147483647 / +I 1", "-U NULL 0 / +U -2147483648 -2147483648"),
        ("-D 1", "-U -2147483648 -2147483648 / +U 2147483647 2147483647"),
        ("-D 2147483647", "-U 2147483647 2147483647 / +U NULL 0"),
    ]);
    over("x TINYINT", vec![call("sum", &[0], "TINYINT")]).check(&[("+I 100 / +I 100", "+I -56")]);
    over("x SMALLINT", vec![call("sum", &[0], "SMALLINT")]).check(&[("+I 100 / +I 100", "+I 200")]);
    over("x BIGINT", vec![call("sum", &[0], "BIGINT")])
        .check(&[("+I 9223372036854775807 / +I 1", "+I -9223372036854775808")]);
}

#[test]
fn sums_of_decimals_are_null_while_they_are_too_long() {
    let max = "99999999999999999999999999999999999999";
    let case = over("x DECIMAL(38,0)", vec![call("sum", &[0], "DECIMAL(38,0)")]);
    let mut operator = case.operator();
    let mut step = |rows: &str| put(&mut operator, case.batch(rows)).unwrap();
    assert_eq!(step(&format!("+I {max}")), format!("+I {max}"));
    assert_eq!(step("+I 1"), format!("-U {max} / +U NULL"));
    assert_eq!(step(&format!("+I {max} / +I {max} / +I {max}")), "");
    assert_eq!(step(&format!("-D {max} / -D {max} / -D 1 / -D {max}")), format!("-U NULL / +U {max}"));
    over("x DECIMAL(7,2)", vec![call("sum", &[0], "DECIMAL(38,2)")])
        .check(&[("+I 12345.67 / +I -0.05 / +I NULL", "+I 12345.62"), ("-D 12345.67", "-U 12345.62 / +U -0.05")]);
}

#[test]
fn sums_of_floats() {
    over("x DOUBLE", vec![call("sum", &[0], "DOUBLE")]).check(&[
        ("+I 1.5 / +I 2.25 / +I NULL", "+I 3.75"),
        ("-D 1.5", "-U 3.75 / +U 2.25"),
        ("+I NaN", "-U 2.25 / +U NaN"),
        ("-D NaN / -D 2.25", "-U NaN / +U NULL"),
        ("+I 1", "-U NULL / +U 1.0"),
    ]);
    over("x FLOAT", vec![call("sum", &[0], "FLOAT"), call("avg", &[0], "FLOAT")])
        .check(&[("+I 1.5 / +I 2", "+I 3.5 1.75")]);
}

#[test]
fn averages() {
    over("x INT", vec![call("avg", &[0], "INT")]).check(&[
        ("+I 1 / +I 2 / +I NULL", "+I 1"),
        ("+I 2147483647 / +I 2147483647", "-U 1 / +U 1073741824"),
        ("-D 2147483647 / -D 2147483647 / -D 2 / -D 1", "-U 1073741824 / +U NULL"),
        ("+I -7 / +I 2", "-U NULL / +U -2"),
    ]);
    over("x DECIMAL(7,2)", vec![call("avg", &[0], "DECIMAL(38,6)")])
        .check(&[("+I 1 / +I 1 / +I 0", "+I 0.666667"), ("-D 0", "-U 0.666667 / +U 1.000000")]);
    over("x DOUBLE", vec![call("avg", &[0], "DOUBLE")]).append().check(&[("1 / 2", "+I 1.5")]);
}

#[test]
fn extremes_of_appended_rows() {
    let both = |data_type: &str| vec![call("min", &[0], data_type), call("max", &[0], data_type)];
    over("x INT", both("INT")).append().check(&[
        ("NULL", "+I NULL NULL"),
        ("5 / 3", "-U NULL NULL / +U 3 5"),
        ("4", ""),
        ("9 / 1", "-U 3 5 / +U 1 9"),
    ]);
    over("x STRING", both("STRING")).append().check(&[("b / NULL / c", "+I b c"), ("'' / c", "-U b c / +U '' c")]);
    over("x DATE", both("DATE")).append().check(&[("2024-02-01 / 2023-12-31", "+I 2023-12-31 2024-02-01")]);
    over("x BOOLEAN", both("BOOLEAN"))
        .append()
        .check(&[("true", "+I true true"), ("false", "-U true true / +U false true")]);
    over("x DECIMAL(5,2)", both("DECIMAL(5,2)")).append().check(&[("1.50 / -2.25", "+I -2.25 1.50")]);
    over("x DOUBLE", both("DOUBLE")).append().check(&[("1.5 / -2.25", "+I -2.25 1.5")]);
}

#[test]
fn extremes_of_rows_that_are_taken_back() {
    let both = |data_type: &str| vec![call("min", &[0], data_type), call("max", &[0], data_type)];
    over("x INT", both("INT")).check(&[
        ("+I 5 / +I 9 / +I 7 / +I NULL", "+I 5 9"),
        ("-D 9", "-U 5 9 / +U 5 7"),
        ("+I 7 / -D 7", ""),
        ("-D 5 / +I -1 / -D -1", "-U 5 7 / +U 7 7"),
        ("-D 7", "-U 7 7 / +U NULL NULL"),
        ("-D 9 / +I 2", "-U NULL NULL / +U 2 2"),
    ]);
    over("x STRING", both("STRING")).check(&[
        ("+I b / +I abc / +I NULL", "+I abc b"),
        ("-D abc / +I zz", "-U abc b / +U b zz"),
        ("-U b / +U a", "-U b zz / +U a zz"),
    ]);
}

#[test]
fn values_that_come_and_go_do_not_pile_up() {
    let case = over("x INT", vec![call("max", &[0], "INT")]);
    let mut operator = case.operator();
    put(&mut operator, case.batch("+I 1000000")).unwrap();
    for value in 0..1000 {
        assert_eq!(put(&mut operator, case.batch(&format!("+I {value} / -D {value}"))).unwrap(), "");
    }
    assert_eq!(put(&mut operator, case.batch("-D 1000000")).unwrap(), "-U 1000000 / +U NULL");
}

#[test]
fn first_and_last() {
    let calls = vec![call("first_value", &[0], "STRING"), call("last_value", &[0], "STRING")];
    over("x STRING", calls.clone()).append().check(&[
        ("NULL", "+I NULL NULL"),
        ("a / b / NULL", "-U NULL NULL / +U a b"),
        ("c", "-U a b / +U a c"),
    ]);
    over("x STRING", calls).check(&[
        ("+I a / +I b / +I a", "+I a a"),
        ("-D a", "-U a a / +U b a"),
        ("-D a", "-U b a / +U b b"),
        ("-D b", "-U b b / +U NULL NULL"),
    ]);
    let calls = vec![call("first_value", &[0], "BIGINT"), call("last_value", &[0], "BIGINT")];
    over("x BIGINT", calls).append().check(&[("7 / 8", "+I 7 8")]);
}

#[test]
fn lists_as_text() {
    let calls = vec![call("listagg", &[0], "STRING"), literal(distinct(call("listagg", &[0], "STRING")), "; ")];
    over("x STRING", calls.clone()).append().check(&[
        ("NULL", "+I NULL NULL"),
        ("a / b / a", "-U NULL NULL / +U a,b,a 'a; b'"),
        ("NULL / ''", "-U a,b,a 'a; b' / +U a,b,a, 'a; b; '"),
    ]);
    over("x STRING", calls).check(&[
        ("+I a / +I b / +I a", "+I a,b,a 'a; b'"),
        ("-D a", "-U a,b,a 'a; b' / +U b,a 'a; b'"),
        ("-D a / -D b / +I NULL", "-U b,a 'a; b' / +U NULL NULL"),
    ]);
}

#[test]
fn lists_as_arrays() {
    let calls =
        vec![call("array_agg", &[0], "ARRAY INT"), literal(call("array_agg", &[0], "ARRAY INT"), "IGNORE NULLS")];
    over("x INT", calls).check(&[
        ("+I NULL", "+I [NULL] NULL"),
        ("+I 1 / +I 2 / +I 1", "-U [NULL] NULL / +U '[NULL, 1, 2, 1]' '[1, 2, 1]'"),
        ("-D 1", "-U '[NULL, 1, 2, 1]' '[1, 2, 1]' / +U '[NULL, 2, 1]' '[2, 1]'"),
    ]);
}

#[test]
fn spread() {
    let calls = |data_type: &str| {
        let names = ["var_pop", "var_samp", "stddev_pop", "stddev_samp"];
        names.iter().map(|name| call(name, &[0], data_type)).collect::<Vec<_>>()
    };
    over("x DOUBLE", calls("DOUBLE")).check(&[
        ("+I 2", "+I 0.0 NULL 0.0 NULL"),
        ("+I 4 / +I NULL", "-U 0.0 NULL 0.0 NULL / +U 1.0 2.0 1.0 1.4142135623730951"),
        ("+I 99 / -D 99", ""),
        ("-D 2 / -D 4", "-U 1.0 2.0 1.0 1.4142135623730951 / +U NULL NULL NULL NULL"),
    ]);
    over("x INT", calls("INT")).append().check(&[("1 / 5 / 9", "+I 10 16 3 4")]);
    over("x DECIMAL(7,2)", calls("DECIMAL(38,6)"))
        .check(&[("+I 1.50 / +I 2.50", "+I 0.250000 0.500000 0.500000 0.707107")]);
}

#[test]
fn the_only_value() {
    let case = over("x INT", vec![call("single_value", &[0], "INT")]);
    case.check(&[("+I NULL", "+I NULL"), ("-U NULL / +U 5", "-U NULL / +U 5"), ("-D 5", "-U 5 / +U NULL")]);
    let error = put(&mut case.operator(), case.batch("+I 1 / +I 2")).unwrap_err();
    assert_eq!(error.what(), "a scalar sub-query has more than one row");
}

#[test]
fn filters_let_rows_through_that_are_true() {
    let calls = vec![
        filtered(call("count", &[], "BIGINT"), 1),
        filtered(call("sum", &[0], "INT"), 1),
        filtered(distinct(call("count", &[0], "BIGINT")), 1),
        filtered(call("max", &[0], "INT"), 1),
    ];
    over("x INT, f BOOLEAN", calls).check(&[
        ("+I 1 true / +I 2 false / +I 4 NULL / +I NULL true", "+I 2 1 1 1"),
        ("-U 1 true / +U 1 false", "-U 2 1 1 1 / +U 1 NULL 0 NULL"),
        ("-U 2 false / +U 2 true", "-U 1 NULL 0 NULL / +U 2 2 1 2"),
    ]);
}

#[test]
fn distinct_values_count_once() {
    let calls = vec![
        distinct(call("sum", &[1], "INT")),
        distinct(call("avg", &[1], "INT")),
        distinct(call("min", &[1], "INT")),
        call("approx_count_distinct", &[1], "BIGINT"),
    ];
    Case::new("id INT, x INT", calls.clone()).check(&[
        ("+I 1 5 / +I 1 5 / +I 2 5 / +I 1 1", "+I 1 6 3 1 2 / +I 2 5 5 5 1"),
        ("-D 1 5 / -D 2 5", "-D 2 5 5 5 1"),
        ("-D 1 5 / +I 2 1", "-U 1 6 3 1 2 / +U 1 1 1 1 1 / +I 2 1 1 1 1"),
    ]);
    Case::new("id INT, x INT", calls).append().check(&[("1 5 / 1 5", "+I 1 5 5 5 1"), ("1 5", "")]);
}

#[test]
fn calls_over_the_same_column_count_apart() {
    let count = || distinct(call("count", &[1], "BIGINT"));
    let case =
        Case::new("id INT, x INT, f BOOLEAN, g BOOLEAN", vec![count(), filtered(count(), 2), filtered(count(), 3)]);
    case.check(&[
        ("+I 1 5 true false / +I 1 6 false false / +I 2 5 false false", "+I 1 2 1 0 / +I 2 1 0 0"),
        ("+I 1 5 true true / -D 2 5 false false", "-U 1 2 1 0 / +U 1 2 1 1 / -D 2 1 0 0"),
        ("-D 1 5 true true / -D 1 6 false false", "-U 1 2 1 1 / +U 1 1 1 0"),
    ]);
    // Nothing is kept of a row that no call sees.
    let case = Case::new("id INT, x INT, f BOOLEAN, g BOOLEAN", vec![filtered(count(), 2), filtered(count(), 3)]);
    let mut operator = case.operator();
    let empty = operator.state_bytes();
    put(&mut operator, case.batch("+I 1 5 false NULL / +I 1 6 NULL false")).unwrap();
    let seen = operator.state_bytes();
    put(&mut operator, case.batch("+I 1 5 false true")).unwrap();
    assert!(empty < seen && seen < operator.state_bytes());
}

#[test]
fn averages_are_put_together_from_sums_and_counts() {
    let case = over("s BIGINT, n BIGINT", vec![call("$avg", &[0, 1], "INT")]).append();
    case.check(&[("10 4 / NULL 0 / 5 1", "+I 3"), ("1 3", "-U 3 / +U 2")]);
    let case = over("s DECIMAL(38,1), n BIGINT", vec![call("$avg", &[0, 1], "DECIMAL(38,6)")]).append();
    case.check(&[("NULL 0", "+I NULL"), ("1.0 2 / 1.5 1", "-U NULL / +U 0.833333")]);
    let case = over("s DOUBLE, n BIGINT", vec![call("$avg", &[0, 1], "DOUBLE")]).append();
    case.check(&[("1.0 2 / 1.5 1 / 0.0 2", "+I 0.5")]);
}

#[test]
fn what_was_never_counted_cannot_be_taken_back() {
    let calls = vec![distinct(call("sum", &[1], "INT")), call("max", &[1], "INT"), call("last_value", &[1], "INT")];
    let case = Case::new("id INT, x INT", calls);
    // The rows contradict each other: the group ends with values left, and starts anew.
    case.check(&[
        ("+I 1 5 / +I 1 6", "+I 1 11 6 6"),
        ("-D 1 7 / -D 1 8", "-D 1 11 6 6"),
        ("+I 2 1 / +I 1 3", "+I 2 1 1 1 / +I 1 3 3 3"),
    ]);
}

#[test]
fn values_may_be_nested() {
    use std::sync::Arc;

    use arrow_array::builder::{Int32Builder, MapBuilder, MapFieldNames, StringBuilder};
    use arrow_array::{ArrayRef, RecordBatch};
    use sluice_model::{ChangelogBatch, RowKinds, SqlType};

    let names = MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() };
    let mut maps = MapBuilder::new(Some(names), StringBuilder::new(), Int32Builder::new());
    for value in [1, 2, 1] {
        maps.keys().append_value("k");
        maps.values().append_value(value);
        maps.append(true).unwrap();
    }
    let maps: ArrayRef = Arc::new(maps.finish());
    let data_type = SqlType::Map(SqlType::STRING.into(), SqlType::Int.into()).to_arrow();
    let schema = Arc::new(arrow_schema::Schema::new(vec![arrow_schema::Field::new("x", data_type, true)]));
    let result = Arc::new(schema.field(0).clone());
    let call = |function, distinct| super::AggregateCall {
        function: String::from(function),
        arguments: vec![0],
        literals: Vec::new(),
        distinct,
        filter: None,
        result: if function == "count" { call("count", &[], "BIGINT").result } else { Arc::clone(&result) },
    };
    let calls = vec![call("last_value", false), call("count", true)];
    let output = Arc::new(arrow_schema::Schema::new(calls.iter().map(|call| call.result.clone()).collect::<Vec<_>>()));
    let node = sluice_plan::GroupAggregate {
        group: vec![],
        calls,
        retracts: true,
        update_before: true,
        window_end: None,
        row_count: None,
    };
    let mut operator = super::GroupAggregate::new(&node, &schema, &output).unwrap();
    let rows = RecordBatch::try_new(schema, vec![maps]).unwrap();
    let mut step = |from: usize, length: usize, kind: u8| {
        let rows = rows.slice(from, length);
        put(&mut operator, ChangelogBatch::try_new(rows, Some(RowKinds::from(vec![kind; length]))).unwrap()).unwrap()
    };
    assert_eq!(step(0, 2, 0), "+I '{k: 2}' 2");
    assert_eq!(step(2, 1, 0), "-U '{k: 2}' 2 / +U '{k: 1}' 2");
    assert_eq!(step(1, 1, 3), "-U '{k: 1}' 2 / +U '{k: 1}' 1");
}
