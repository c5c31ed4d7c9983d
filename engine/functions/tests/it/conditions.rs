//! Comparisons, `CASE` and its short forms, and what must not be evaluated.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, StringArray};
use arrow_schema::{DataType, Field};

use crate::harness::{check_all, check_in, check_type, evaluate_over, fails, session};

#[test]
fn text_is_compared_with_other_types_as_those() {
    check_all(&[
        ("'1' = 1", "TRUE"),
        ("1 = ' 1 '", "TRUE"),
        ("1.50 = '1.5'", "TRUE"),
        ("DATE '2020-01-01' = '2020-01-01'", "TRUE"),
        ("CAST('2020-01-01' AS TIMESTAMP(3)) > '2019-12-31 23:59:59'", "TRUE"),
        ("TRUE = 'true'", "TRUE"),
        ("1 IN ('1', '2')", "TRUE"),
        ("'3' IN (1, 2)", "FALSE"),
        ("5 BETWEEN '1' AND '10'", "TRUE"),
        ("1 IS DISTINCT FROM '1'", "FALSE"),
        ("NULL IS NOT DISTINCT FROM 1", "FALSE"),
        ("1 = NULL", "NULL"),
        ("1 <> 1.0", "FALSE"),
    ]);
    fails("1 = 'abc'", "cannot cast 'abc' to INT");
    fails("TRUE = 1", "cannot apply '=' to BOOLEAN and INT");
    fails("DATE '2020-01-01' = 1", "cannot apply '=' to DATE and INT");
}

#[test]
fn instants_and_wall_clocks_are_compared_in_the_zone_of_the_session() {
    let comparison = "TO_TIMESTAMP_LTZ(0, 0) = CAST('1970-01-01 08:00:00' AS TIMESTAMP(0))";
    check_in("Asia/Shanghai", comparison, "TRUE");
    check_in("UTC", comparison, "FALSE");
    check_in("UTC", "DATE '1970-01-01' = CAST('1970-01-01 00:00:00' AS TIMESTAMP(0))", "TRUE");
}

#[test]
fn branches_meet_in_their_common_type() {
    check_type("CASE WHEN TRUE THEN 1 ELSE 2.50 END", "1.00", "DECIMAL(12, 2)");
    check_type("CASE WHEN FALSE THEN 1 ELSE 2147483648 END", "2147483648", "BIGINT");
    check_type("CASE 2 WHEN 1 THEN 'a' WHEN 2 THEN 'bbb' END", "bbb", "STRING");
    check_type("CASE 3 WHEN 1 THEN 'a' END", "NULL", "STRING");
    check_type("CASE WHEN TRUE THEN CAST('2021-01-01' AS TIMESTAMP(3)) END", "2021-01-01 00:00:00.000", "TIMESTAMP(3)");
    check_type("COALESCE(NULL, 1, 2.5)", "1.0", "DECIMAL(11, 1)");
    check_type("IF(1 > 2, 1, NULL)", "NULL", "INT");
    check_type("NULLIF(1, 1)", "NULL", "INT");
    check_all(&[
        ("CASE '1' WHEN 1 THEN 'one' ELSE 'other' END", "one"),
        ("COALESCE(CAST(NULL AS STRING), 'x')", "x"),
        ("IFNULL(NULL, 5)", "5"),
        ("IFNULL(3, 5)", "3"),
        ("NULLIF(5, '5')", "NULL"),
        ("NULLIF(5, 6)", "5"),
        ("GREATEST(1, 3, 2)", "3"),
        ("LEAST(1.5, 1)", "1.0"),
        ("GREATEST(1, NULL)", "NULL"),
        ("LEAST('b', 'a')", "a"),
        ("TYPEOF(1)", "INT NOT NULL"),
        ("TYPEOF(CAST(NULL AS DECIMAL(7, 2)))", "DECIMAL(7, 2)"),
    ]);
    fails("CASE WHEN TRUE THEN 1 ELSE 'a' END", "types that do not go together: INT, STRING");
    fails("COALESCE(1, 'a')", "INT, STRING");
}

fn over(sql: &str) -> Result<Vec<Option<String>>, String> {
    let columns: Vec<(Field, ArrayRef)> = vec![
        (Field::new("x", DataType::Int32, true), Arc::new(Int32Array::from(vec![Some(0), Some(2), None, Some(5)]))),
        (Field::new("s", DataType::Utf8, true), Arc::new(StringArray::from(vec!["n", "2", "n", "5"]))),
    ];
    evaluate_over(sql, columns, &session("UTC"))
        .map(|values| values.into_iter().map(|value| value.text).collect())
        .map_err(|error| sluice_functions::from_datafusion(error).to_string())
}

fn texts(values: [&str; 4]) -> Result<Vec<Option<String>>, String> {
    Ok(values.into_iter().map(|value| (value != "NULL").then(|| value.to_owned())).collect())
}

#[test]
fn what_can_fail_stays_behind_its_guard() {
    assert_eq!(over("x <> 0 AND 10 / x > 2"), texts(["FALSE", "TRUE", "NULL", "FALSE"]));
    assert_eq!(over("x = 0 OR 10 / x > 2"), texts(["TRUE", "TRUE", "NULL", "FALSE"]));
    assert_eq!(over("x IS NOT NULL AND x <> 0 AND 10 / x > 2"), texts(["FALSE", "TRUE", "FALSE", "FALSE"]));
    assert_eq!(over("CASE WHEN x = 0 THEN FALSE ELSE 10 / x > 2 END"), texts(["FALSE", "TRUE", "NULL", "FALSE"]));
    assert_eq!(over("CASE WHEN x = 0 THEN -1 ELSE 10 / x END"), texts(["-1", "5", "NULL", "2"]));
    assert_eq!(over("IF(s = 'n', 0, CAST(s AS INT))"), texts(["0", "2", "0", "5"]));
    assert_eq!(over("REGEXP(s, '^[0-9]+$') AND CAST(s AS INT) > 2"), texts(["FALSE", "FALSE", "FALSE", "TRUE"]));
    assert!(over("10 / x > 2 AND x <> 0").unwrap_err().contains("/ by zero"));
    assert!(over("CAST(s AS INT)").unwrap_err().contains("cannot cast 'n' to INT"));
}

#[test]
fn columns_are_evaluated_row_by_row() {
    assert_eq!(over("CONCAT(s, '-', CAST(x AS STRING))"), texts(["n-0", "2-2", "NULL", "5-5"]));
    assert_eq!(over("COALESCE(x, -1) + 1"), texts(["1", "3", "0", "6"]));
    assert_eq!(over("SUBSTRING('abcdef', x + 1, 2)"), texts(["ab", "cd", "NULL", "f"]));
    assert_eq!(over("x * 1.5"), texts(["0.0", "3.0", "NULL", "7.5"]));
    assert_eq!(over("s LIKE s"), texts(["TRUE", "TRUE", "TRUE", "TRUE"]));
    assert_eq!(over("GREATEST(x, 2)"), texts(["2", "2", "NULL", "5"]));
    assert_eq!(over("ARRAY[x, 1][1]"), texts(["0", "2", "NULL", "5"]));
    assert_eq!(over("TRY_CAST(s AS INT)"), texts(["NULL", "2", "NULL", "5"]));
}
