//! Operators on numbers.

use crate::harness::{check_all, check_type, fails};

#[test]
fn integers_truncate_and_wrap() {
    check_all(&[
        ("7 / 2", "3"),
        ("-7 / 2", "-3"),
        ("-7 % 3", "-1"),
        ("2147483647 + 1", "-2147483648"),
        ("2147483647 * 2", "-2"),
        ("CAST(-2147483648 AS INT) / -1", "-2147483648"),
        ("1 / CAST(NULL AS INT)", "NULL"),
        ("NULL / 0", "NULL"),
        ("-(-5)", "5"),
    ]);
    check_type("1 + 1", "2", "INT");
    check_type("9223372036854775808 + 1", "9223372036854775809", "DECIMAL(20, 0)");
    check_type("1 + 2147483648", "2147483649", "BIGINT");
    check_type("CAST(1 AS TINYINT) + CAST(1 AS SMALLINT)", "2", "SMALLINT");
    fails("1 / 0", "/ by zero");
    fails("5 % 0", "/ by zero");
}

#[test]
fn decimals_have_flinks_types() {
    check_type("1.50 + 2.5", "4.00", "DECIMAL(4, 2)");
    check_type("1.5 - 2.25", "-0.75", "DECIMAL(4, 2)");
    check_type("1.5 * 2.25", "3.375", "DECIMAL(6, 3)");
    check_type("1.0 / 3.0", "0.333333", "DECIMAL(8, 6)");
    check_type("2.0 / 3.0", "0.666667", "DECIMAL(8, 6)");
    check_type("5.5 % 2.0", "1.5", "DECIMAL(2, 1)");
    check_type("1.5 + 1", "2.5", "DECIMAL(12, 1)");
    check_type("CAST(7 AS DECIMAL(10, 0)) % CAST(4 AS DECIMAL(5, 0))", "3", "DECIMAL(5, 0)");
    check_type("CAST(1 AS DECIMAL(38, 10)) * CAST(1 AS DECIMAL(38, 10))", "1.000000", "DECIMAL(38, 6)");
    check_type("CAST(1 AS DECIMAL(38, 0)) + CAST(1 AS DECIMAL(38, 0))", "2", "DECIMAL(38, 0)");
    check_type("CAST(10 AS DECIMAL(38, 18)) / CAST(3 AS DECIMAL(38, 18))", "3.333333", "DECIMAL(38, 6)");
    check_all(&[
        ("CAST('99999999999999999999999999999999999999' AS DECIMAL(38, 0)) + CAST(1 AS DECIMAL(38, 0))", "NULL"),
        ("CAST('99999999999999999999999999999999999999' AS DECIMAL(38, 0)) * 10.5", "NULL"),
        ("CAST('0.0000005' AS DECIMAL(38, 10)) * CAST(1 AS DECIMAL(38, 10))", "0.000001"),
        ("-7.5 % 2", "-1.5"),
        ("1.5 / NULL", "NULL"),
        ("-(1.5)", "-1.5"),
    ]);
    fails("1.5 / 0", "/ by zero");
    fails("1.5 / 0.0", "/ by zero");
}

#[test]
fn doubles_follow_ieee() {
    check_all(&[
        ("CAST(1 AS DOUBLE) / 0", "Infinity"),
        ("CAST(0 AS DOUBLE) / 0", "NaN"),
        ("CAST(1 AS DOUBLE) / 4", "0.25"),
    ]);
    check_type("CAST(1 AS DOUBLE) + 1.5", "2.5", "DOUBLE");
    check_type("CAST(1 AS FLOAT) + 1", "2.0", "FLOAT");
    check_type("CAST(1 AS FLOAT) + 1.5", "2.5", "DOUBLE");
}

#[test]
fn text_is_no_number() {
    fails("'1' + 1", "cannot apply '+' to STRING and INT");
    fails("'a' || 1", "cannot apply '||' to STRING and INT");
}
