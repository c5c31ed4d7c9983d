//! `CAST` and `TRY_CAST`.

use crate::harness::{check, check_all, check_in, check_type, fails};

#[test]
fn text_becomes_numbers() {
    check_all(&[
        ("CAST(' 42 ' AS INT)", "42"),
        ("CAST('1.234' AS TINYINT)", "1"),
        ("CAST('123' AS SMALLINT)", "123"),
        ("CAST('-9223372036854775808' AS BIGINT)", "-9223372036854775808"),
        ("CAST('1.234' AS DECIMAL(5, 3))", "1.234"),
        ("CAST('1.2' AS DECIMAL(5, 3))", "1.200"),
        ("CAST(' 1e3 ' AS DOUBLE)", "1000.0"),
        ("CAST('-123.456' AS FLOAT)", "-123.456"),
        ("CAST('Infinity' AS DOUBLE)", "Infinity"),
        ("TRY_CAST('abc' AS INT)", "NULL"),
        ("TRY_CAST('-130' AS TINYINT)", "NULL"),
        ("TRY_CAST('12345.6789' AS DECIMAL(8, 4))", "NULL"),
        ("TRY_CAST('inf' AS DOUBLE)", "NULL"),
        ("TRY_CAST('5' AS INT)", "5"),
    ]);
    fails("CAST('abc' AS INT)", "cannot cast 'abc' to INT");
    fails("CAST('abc' AS INT)", "TRY_CAST");
    fails("CAST('-130' AS TINYINT)", "cannot cast '-130' to TINYINT");
    fails("CAST('12345.6789' AS DECIMAL(8, 4))", "cannot cast '12345.6789' to DECIMAL(8, 4)");
    fails("CAST('' AS INT)", "cannot cast '' to INT");
}

#[test]
fn numbers_narrow_as_in_java() {
    check_all(&[
        ("CAST(12345 AS TINYINT)", "57"),
        ("CAST(-1234567 AS TINYINT)", "121"),
        ("CAST(32780 AS SMALLINT)", "-32756"),
        ("CAST(12345678901 AS INT)", "-539222987"),
        ("CAST(CAST(123456.78 AS FLOAT) AS SMALLINT)", "-7616"),
        ("CAST(CAST('1e20' AS DOUBLE) AS BIGINT)", "9223372036854775807"),
        ("CAST(CAST('-1e20' AS DOUBLE) AS INT)", "-2147483648"),
        ("CAST(CAST('NaN' AS DOUBLE) AS INT)", "0"),
        ("CAST(9.87 AS TINYINT)", "9"),
        ("CAST(9123.87 AS TINYINT)", "-93"),
        ("CAST(91235.87 AS SMALLINT)", "25699"),
        ("CAST(CAST('-1.7976931348623157E308' AS DOUBLE) AS FLOAT)", "-Infinity"),
        ("CAST(TRUE AS INT)", "1"),
        ("CAST(0 AS BOOLEAN)", "FALSE"),
        ("CAST(-5 AS BOOLEAN)", "TRUE"),
    ]);
}

#[test]
fn decimals_round_half_up_and_overflow_to_null() {
    check_all(&[
        ("CAST(12.34561234 AS DECIMAL(8, 4))", "12.3456"),
        ("CAST(CAST(3.123456 AS DOUBLE) AS DECIMAL(8, 4))", "3.1235"),
        ("CAST(12345 AS DECIMAL(8, 4))", "NULL"),
        ("CAST(2.5 AS DECIMAL(3, 0))", "3"),
        ("CAST(-2.5 AS DECIMAL(3, 0))", "-3"),
        ("CAST(TRUE AS DECIMAL(5, 3))", "1.000"),
        ("CAST(42 AS DECIMAL(5, 3))", "42.000"),
        ("CAST(CAST(12.678 AS DOUBLE) AS DECIMAL(5, 3))", "12.678"),
        ("CAST(9223372036854775807 AS DECIMAL(38, 0))", "9223372036854775807"),
    ]);
    check_type("CAST('1' AS DECIMAL)", "1", "DECIMAL(10, 0)");
}

#[test]
fn values_become_text() {
    check_all(&[
        ("CAST(TRUE AS STRING)", "TRUE"),
        ("CAST(CAST('1e10' AS DOUBLE) AS STRING)", "1.0E10"),
        ("CAST(CAST(0.1 AS FLOAT) AS STRING)", "0.1"),
        ("CAST(9.870 AS STRING)", "9.870"),
        ("CAST(DATE '2021-09-24' AS STRING)", "2021-09-24"),
        ("CAST(DATE '2021-09-24' AS CHAR(3))", "202"),
        ("CAST(TIME '12:34:56.123' AS STRING)", "12:34:56"),
        ("CAST(CAST('2021-09-24 12:34:56.1234567' AS TIMESTAMP) AS STRING)", "2021-09-24 12:34:56.123456"),
        ("CAST(CAST('2021-09-24 12:34:56.1234567' AS TIMESTAMP(9)) AS STRING)", "2021-09-24 12:34:56.123456700"),
        ("CAST(CAST('2021-09-24 12:34:56.1' AS TIMESTAMP(3)) AS STRING)", "2021-09-24 12:34:56.100"),
        ("CAST(CAST('2021-09-24 12:34:56.1' AS TIMESTAMP(0)) AS STRING)", "2021-09-24 12:34:56"),
        ("CAST(ARRAY[1, NULL, 3] AS STRING)", "[1, NULL, 3]"),
        ("CAST(MAP('k', 1, 'l', NULL) AS STRING)", "{k=1, l=NULL}"),
        ("CAST(ROW(1, 'a', NULL) AS STRING)", "(1, a, NULL)"),
        ("CAST('foo' AS CHAR(5))", "foo  "),
        ("CAST('abcdef' AS VARCHAR(3))", "abc"),
        ("CAST('数据库' AS VARCHAR(2))", "数据"),
        ("CAST(12345 AS VARCHAR(3))", "123"),
        ("CAST(CAST('abc' AS BYTES) AS STRING)", "abc"),
        ("CAST(NULL AS STRING)", "NULL"),
    ]);
    check_type("CAST('abcdef' AS VARCHAR(3))", "abc", "VARCHAR(3)");
    check_type(
        "CAST(CAST('2021-01-01' AS TIMESTAMP(3)) AS TIMESTAMP(9))",
        "2021-01-01 00:00:00.000000000",
        "TIMESTAMP(9)",
    );
}

#[test]
fn text_becomes_truth() {
    for text in ["t", "TRUE", "Y", "yes", "1"] {
        check(&format!("CAST('{text}' AS BOOLEAN)"), "TRUE");
    }
    for text in ["f", "FalsE", "n", "NO", "0"] {
        check(&format!("CAST('{text}' AS BOOLEAN)"), "FALSE");
    }
    fails("CAST('foo' AS BOOLEAN)", "cannot cast 'foo' to BOOLEAN");
    fails("CAST('' AS BOOLEAN)", "cannot cast '' to BOOLEAN");
    fails("CAST(' true ' AS BOOLEAN)", "cannot cast ' true ' to BOOLEAN");
}

#[test]
fn text_becomes_points_in_time() {
    check_all(&[
        ("CAST('2021-4-3' AS DATE)", "2021-04-03"),
        ("CAST('2017-12-12 09:30:00.0' AS DATE)", "2017-12-12"),
        ("CAST('12:34' AS TIME)", "12:34:00"),
        ("CAST('2021-04-13' AS TIMESTAMP(0))", "2021-04-13 00:00:00"),
        ("CAST('2021-4-3 1:2:3' AS TIMESTAMP(0))", "2021-04-03 01:02:03"),
        ("TRY_CAST('2021-13-01' AS DATE)", "NULL"),
        ("TRY_CAST('yesterday' AS TIMESTAMP)", "NULL"),
        ("TRY_CAST('25:00' AS TIME)", "NULL"),
    ]);
    fails("CAST('2021-02-30' AS DATE)", "cannot cast '2021-02-30' to DATE");
    fails("CAST('yesterday' AS TIMESTAMP(3))", "cannot cast 'yesterday' to TIMESTAMP(3)");
}

#[test]
fn timestamps_change_zone_and_precision() {
    let ltz = "CAST('2021-07-01 12:00:00.5' AS TIMESTAMP_LTZ(3))";
    check_in("Europe/Berlin", &format!("CAST({ltz} AS STRING)"), "2021-07-01 12:00:00.500");
    check_in("Europe/Berlin", &format!("CAST({ltz} AS TIMESTAMP(0))"), "2021-07-01 12:00:00");
    check_in(
        "Asia/Shanghai",
        "CAST(CAST('2021-07-01 00:00:00' AS TIMESTAMP(0)) AS TIMESTAMP_LTZ(0))",
        "2021-07-01 00:00:00",
    );
    check_in("Asia/Shanghai", "CAST(TO_TIMESTAMP_LTZ(0, 0) AS TIMESTAMP(0))", "1970-01-01 08:00:00");
    check_in("Asia/Shanghai", "CAST(TO_TIMESTAMP_LTZ(72000, 0) AS DATE)", "1970-01-02");
    check_in("Asia/Shanghai", "CAST(DATE '1970-01-02' AS TIMESTAMP_LTZ(0))", "1970-01-02 00:00:00");
    check_all(&[
        ("CAST(CAST('2021-07-01 12:34:56' AS TIMESTAMP) AS DATE)", "2021-07-01"),
        ("CAST(CAST('2021-07-01 12:34:56' AS TIMESTAMP) AS TIME)", "12:34:56"),
        ("CAST(CAST('2021-07-01 12:34:56.987' AS TIMESTAMP(3)) AS TIMESTAMP(1))", "2021-07-01 12:34:56.9"),
        ("CAST(DATE '2021-07-01' AS TIMESTAMP(0))", "2021-07-01 00:00:00"),
        ("CAST(TIME '12:34:56' AS TIMESTAMP(0))", "1970-01-01 12:34:56"),
    ]);
    fails(
        "CAST(CAST('9999-12-31' AS TIMESTAMP(3)) AS TIMESTAMP(9))",
        "cannot cast '9999-12-31 00:00:00' to TIMESTAMP(9)",
    );
}

#[test]
fn bytes_are_cut_and_filled_up() {
    check_all(&[
        ("HEX(CAST(CAST(CAST('abc' AS BYTES) AS VARBINARY(2)) AS STRING))", "6162"),
        ("HEX(CAST(CAST('a' AS BINARY(2)) AS STRING))", "6100"),
        ("HEX(CAST(CAST('abc' AS BINARY(2)) AS STRING))", "6162"),
        ("TRY_CAST(UNHEX('FF') AS STRING)", "NULL"),
    ]);
    fails("CAST(UNHEX('FF') AS STRING)", "not valid UTF-8");
}

#[test]
fn collections_are_cast_element_by_element() {
    check_all(&[
        ("CAST(ARRAY['1', '2'] AS ARRAY<INT>)", "[1, 2]"),
        ("CAST(ARRAY[1, NULL, 2] AS ARRAY<BIGINT>)", "[1, NULL, 2]"),
        ("TRY_CAST(ARRAY['1', 'x'] AS ARRAY<INT>)", "[1, NULL]"),
    ]);
    fails("CAST(ARRAY['x'] AS ARRAY<INT>)", "cannot cast 'x' to INT");
}

#[test]
fn some_casts_do_not_exist() {
    fails("CAST(1 AS TIMESTAMP(3))", "use TO_TIMESTAMP(FROM_UNIXTIME(seconds)) instead");
    fails("CAST(1 AS TIMESTAMP_LTZ(3))", "use TO_TIMESTAMP_LTZ(number, precision) instead");
    fails("CAST(CURRENT_TIMESTAMP AS BIGINT)", "use UNIX_TIMESTAMP(CAST(timestamp_col AS STRING)) instead");
    fails("CAST(TRUE AS DATE)", "cannot convert a value of type BOOLEAN to type DATE");
    fails("CAST(DATE '2020-01-01' AS INT)", "cannot convert a value of type DATE to type INT");
    fails("CAST(5 AS BYTES)", "cannot convert a value of type INT to type BYTES");
    fails("CAST('x' AS ARRAY<INT>)", "cannot convert a value of type STRING to type ARRAY<INT>");
    fails("TRY_CAST(1 AS DATE)", "cannot convert a value of type INT to type DATE");
}
