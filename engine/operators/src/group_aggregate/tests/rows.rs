//! Which rows are put out.

use sluice_model::Reaction;

use super::{Case, call, put};

fn sum() -> Case {
    Case::new("id INT, qty INT", vec![call("sum", &[1], "INT")])
}

#[test]
fn a_group_is_put_out_once_a_batch() {
    sum().check(&[
        ("+I 1 5 / +I 2 3 / +I 1 2", "+I 1 7 / +I 2 3"),
        ("-D 2 3 / -U 1 2 / +U 1 4", "-D 2 3 / -U 1 7 / +U 1 9"),
        ("+I 2 1 / -D 2 1", ""),
        ("-D 1 5 / -D 1 4", "-D 1 9"),
        ("+I 1 8", "+I 1 8"),
    ]);
}

#[test]
fn what_stays_the_same_is_not_put_out() {
    sum().check(&[("+I 1 5", "+I 1 5"), ("+I 1 0", ""), ("-U 1 5 / +U 1 5", ""), ("-D 1 0", "")]);
}

#[test]
fn old_rows_are_left_out_where_nobody_wants_them() {
    let case = Case { update_before: false, ..sum() };
    case.check(&[("+I 1 5", "+I 1 5"), ("+I 1 2", "+U 1 7"), ("-D 1 5 / -D 1 2", "-D 1 7")]);
}

#[test]
fn null_is_a_group() {
    sum().check(&[("+I NULL 5 / +I 1 NULL", "+I NULL 5 / +I 1 NULL"), ("-D NULL 5", "-D NULL 5")]);
}

#[test]
fn rows_taken_back_from_no_group_are_ignored() {
    sum().check(&[
        ("-D 1 5 / -U 2 7", ""),
        ("-U 2 7 / +U 2 8", "+I 2 8"),
        ("-D 2 8 / -D 2 8 / +I 3 1", "-D 2 8 / +I 3 1"),
        ("+I 1 5", "+I 1 5"),
    ]);
}

#[test]
fn without_calls_there_are_the_groups() {
    Case::new("id INT, name STRING", vec![]).groups(2).check(&[
        ("+I 1 a / +I 1 a / +I 2 b", "+I 1 a / +I 2 b"),
        ("-D 1 a / -D 2 b", "-D 2 b"),
        ("-D 1 a", "-D 1 a"),
    ]);
}

#[test]
fn without_group_columns_the_row_stays() {
    let calls = vec![call("count", &[], "BIGINT"), call("sum", &[0], "INT")];
    Case::new("qty INT", calls).groups(0).check(&[
        ("-D 1", ""),
        ("+I 5 / +I 7", "+I 2 12"),
        ("-D 5 / -D 7", "-U 2 12 / +U 0 NULL"),
        ("-D 7", ""),
        ("+I NULL", "-U 0 NULL / +U 1 NULL"),
    ]);
}

#[test]
fn appended_rows_need_no_weights() {
    sum().append().check(&[("+I 1 5 / +I 2 3", "+I 1 5 / +I 2 3"), ("+I 1 2", "-U 1 5 / +U 1 7")]);
    let error = put(&mut sum().append().operator(), sum().batch("+I 1 5 / -D 1 5")).unwrap_err();
    assert_eq!(error.reaction(), Reaction::Bug);
}

#[test]
fn an_empty_batch_changes_nothing() {
    sum().check(&[("", ""), ("+I 1 5", "+I 1 5"), ("", "")]);
}

#[test]
fn unknown_functions_are_named() {
    let case = Case::new("id INT, x INT", vec![call("percentile", &[1], "INT")]);
    assert_eq!(case.try_operator().err().unwrap().what(), "the aggregate function PERCENTILE is not supported");
}
