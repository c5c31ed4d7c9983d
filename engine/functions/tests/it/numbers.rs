//! Functions of numbers.

use crate::harness::{check_all, check_type, evaluate, fails, session};

#[test]
fn rounding_keeps_the_type() {
    check_type("ROUND(2.345, 2)", "2.35", "DECIMAL(4, 2)");
    check_type("ROUND(-2.345, 2)", "-2.35", "DECIMAL(4, 2)");
    check_type("ROUND(2.5)", "3", "DECIMAL(2, 0)");
    check_type("ROUND(147, -1)", "150", "INT");
    check_type("ROUND(CAST(2.675 AS DOUBLE), 2)", "2.68", "DOUBLE");
    check_type("ROUND(CAST('1e300' AS DOUBLE), 2)", "1.0E300", "DOUBLE");
    check_type("TRUNCATE(42.324, 2)", "42.32", "DECIMAL(5, 2)");
    check_type("TRUNCATE(CAST(-42.329 AS DOUBLE), 2)", "-42.32", "DOUBLE");
    check_type("TRUNCATE(147, -1)", "140", "INT");
    check_type("CEIL(1.2)", "2", "DECIMAL(2, 0)");
    check_type("CEILING(-1.2)", "-1", "DECIMAL(2, 0)");
    check_type("FLOOR(-1.2)", "-2", "DECIMAL(2, 0)");
    check_type("FLOOR(5)", "5", "INT");
    check_type("FLOOR(CAST(1.9 AS DOUBLE))", "1.0", "DOUBLE");
    check_type("ABS(-5)", "5", "INT");
    check_type("ABS(-1.50)", "1.50", "DECIMAL(3, 2)");
    check_type("SIGN(-1.50)", "-1.00", "DECIMAL(3, 2)");
    check_type("SIGN(0)", "0", "INT");
}

#[test]
fn analytic_functions_are_doubles() {
    check_type("POWER(2, 10)", "1024.0", "DOUBLE");
    check_all(&[
        ("SQRT(4)", "2.0"),
        ("SQRT(-1)", "NaN"),
        ("LN(E())", "1.0"),
        ("LOG(E())", "1.0"),
        ("LOG(2, 8)", "3.0"),
        ("LOG10(1000)", "3.0"),
        ("LOG2(8)", "3.0"),
        ("EXP(0)", "1.0"),
        ("COS(0)", "1.0"),
        ("ATAN2(0, 1)", "0.0"),
        ("DEGREES(PI())", "180.0"),
        ("COT(CAST(NULL AS DOUBLE))", "NULL"),
        ("MOD(-7, 3)", "-1"),
        ("MOD(7.5, 2)", "1.5"),
        ("MOD(CAST(7.5 AS DOUBLE), 2)", "1.5"),
        ("RAND() < 1", "TRUE"),
        ("RAND(5) = RAND(5)", "TRUE"),
        ("RAND_INTEGER(1)", "0"),
        ("RAND_INTEGER(3, 10) < 10", "TRUE"),
    ]);
    fails("MOD(1, 0)", "/ by zero");
    fails("RAND_INTEGER(0)", "must be positive");
    fails("SQRT('a')", "cannot apply SQRT to (STRING)");
}

#[test]
fn random_numbers_differ() {
    let random = || evaluate("RAND()", &session("UTC")).unwrap().text;
    assert_ne!(random(), random());
}
