//! Dates and times.

use crate::harness::{check, check_all, check_in, check_type, fails};

#[test]
fn formats_and_parses() {
    check_all(&[
        (
            "DATE_FORMAT(CAST('2021-04-13 20:12:11.123' AS TIMESTAMP(3)), 'yyyy/MM/dd HH.mm.ss.SSS')",
            "2021/04/13 20.12.11.123",
        ),
        ("DATE_FORMAT('2021-04-13 20:12:11', 'yyyyMMdd')", "20210413"),
        ("DATE_FORMAT('nonsense', 'yyyyMMdd')", "NULL"),
        ("DATE_FORMAT(DATE '2021-04-13', 'EEE d MMM')", "Tue 13 Apr"),
        ("TO_DATE('2021-04-13')", "2021-04-13"),
        ("TO_DATE('13/04/2021', 'dd/MM/yyyy')", "2021-04-13"),
        ("TO_DATE('nonsense')", "NULL"),
        ("TO_DATE('nonsense', 'yyyy')", "NULL"),
        ("TO_TIMESTAMP('1970-01-01 08:01:40.123456')", "1970-01-01 08:01:40.123"),
        ("TO_TIMESTAMP('1970-01-01')", "1970-01-01 00:00:00.000"),
        ("TO_TIMESTAMP('20210413201211', 'yyyyMMddHHmmss')", "2021-04-13 20:12:11.000"),
        ("TO_TIMESTAMP('1999-9-10 05:20:10', 'yyyy-MM-dd HH:mm:ss')", "1999-09-10 05:20:10.000"),
        ("TO_TIMESTAMP('2021-04-13T20:12:11Z', 'yyyy-MM-dd''T''HH:mm:ss''Z''')", "2021-04-13 20:12:11.000"),
        ("TO_TIMESTAMP('nonsense')", "NULL"),
        ("CONVERT_TZ('1970-01-01 00:00:00', 'UTC', 'America/Los_Angeles')", "1969-12-31 16:00:00"),
        ("CONVERT_TZ('1970-01-01 00:00:00', 'GMT+08:00', 'UTC')", "1969-12-31 16:00:00"),
    ]);
    check_type("TO_TIMESTAMP('1970-01-01')", "1970-01-01 00:00:00.000", "TIMESTAMP(3)");
    fails("DATE_FORMAT(DATE '2021-04-13', 'yyyy-bb')", "letter 'b' has no meaning");
    fails("TO_TIMESTAMP(5)", "cannot apply TO_TIMESTAMP to (INT)");
}

#[test]
fn unix_times_are_of_the_session() {
    check_in("Asia/Shanghai", "FROM_UNIXTIME(44)", "1970-01-01 08:00:44");
    check_in("UTC", "FROM_UNIXTIME(44, 'HH:mm')", "00:00");
    check_in("Asia/Shanghai", "UNIX_TIMESTAMP('1970-01-01 08:00:44')", "44");
    check_in("Europe/Berlin", "UNIX_TIMESTAMP('2021-07-01', 'yyyy-MM-dd')", "1625090400");
    check_in("Asia/Shanghai", "DATE_FORMAT(TO_TIMESTAMP_LTZ(0, 3), 'HH')", "08");
    check_all(&[
        ("UNIX_TIMESTAMP('nonsense')", "-9223372036854775808"),
        ("UNIX_TIMESTAMP()", "1618315200"),
        ("TO_TIMESTAMP_LTZ(4001, 3)", "1970-01-01 00:00:04.001"),
        ("TO_TIMESTAMP_LTZ(100, 0)", "1970-01-01 00:01:40.000"),
        ("TO_TIMESTAMP_LTZ(100)", "1970-01-01 00:00:00.100"),
        ("TO_TIMESTAMP_LTZ(CAST(1.5 AS DOUBLE), 0)", "1970-01-01 00:00:01.500"),
        ("TO_TIMESTAMP_LTZ(253402300800, 0)", "NULL"),
        ("TO_TIMESTAMP_LTZ('2021-01-01 00:00:00')", "2021-01-01 00:00:00.000"),
    ]);
    check_type("TO_TIMESTAMP_LTZ(0, 0)", "1970-01-01 00:00:00.000", "TIMESTAMP_LTZ(3)");
    fails("TO_TIMESTAMP_LTZ(1, 12)", "precision of TO_TIMESTAMP_LTZ");
}

#[test]
fn the_clock_is_that_of_the_session() {
    check_in("Asia/Shanghai", "CURRENT_TIMESTAMP", "2021-04-13 20:00:00.123");
    check_in("Asia/Shanghai", "LOCALTIMESTAMP", "2021-04-13 20:00:00.123");
    check_in("Asia/Shanghai", "CURRENT_TIME", "20:00:00");
    check_in("Pacific/Auckland", "CURRENT_DATE", "2021-04-14");
    check("NOW() = PROCTIME()", "TRUE");
    check_type("PROCTIME()", "2021-04-13 12:00:00.123", "TIMESTAMP_LTZ(3)");
    check_type("LOCALTIMESTAMP", "2021-04-13 12:00:00.123", "TIMESTAMP(3)");
    check("CURRENT_DATABASE()", "default_database");
}

#[test]
fn parts_of_a_point_in_time() {
    let t = "CAST('2021-04-13 20:12:11.123456' AS TIMESTAMP)";
    for (unit, expected) in [
        ("MILLENNIUM", "3"),
        ("CENTURY", "21"),
        ("DECADE", "202"),
        ("YEAR", "2021"),
        ("QUARTER", "2"),
        ("MONTH", "4"),
        ("WEEK", "15"),
        ("DAY", "13"),
        ("DOW", "3"),
        ("ISODOW", "2"),
        ("DOY", "103"),
        ("ISOYEAR", "2021"),
        ("HOUR", "20"),
        ("MINUTE", "12"),
        ("SECOND", "11"),
        ("MILLISECOND", "123"),
        ("MICROSECOND", "123456"),
        ("EPOCH", "1618344731"),
    ] {
        check(&format!("EXTRACT({unit} FROM {t})"), expected);
    }
    check_type("EXTRACT(YEAR FROM DATE '2021-04-13')", "2021", "BIGINT");
    check_all(&[
        ("YEAR(DATE '2021-04-13')", "2021"),
        ("DAYOFWEEK(DATE '2021-04-11')", "1"),
        ("DAYOFMONTH(DATE '2021-04-11')", "11"),
        ("HOUR(TIME '12:34:56')", "12"),
        ("WEEK(DATE '2021-01-03')", "53"),
        ("SECOND(NULL)", "NULL"),
    ]);
    check_in("Asia/Shanghai", "HOUR(TO_TIMESTAMP_LTZ(0, 0))", "8");
    fails("EXTRACT(YEAR FROM TIME '12:34:56')", "a TIME has hours");
}

#[test]
fn boundaries_of_units() {
    let t = "CAST('2021-04-14 10:20:30.5' AS TIMESTAMP(3))";
    for (unit, floor, ceil) in [
        ("SECOND", "2021-04-14 10:20:30.000", "2021-04-14 10:20:31.000"),
        ("MINUTE", "2021-04-14 10:20:00.000", "2021-04-14 10:21:00.000"),
        ("HOUR", "2021-04-14 10:00:00.000", "2021-04-14 11:00:00.000"),
        ("DAY", "2021-04-14 00:00:00.000", "2021-04-15 00:00:00.000"),
        ("WEEK", "2021-04-11 00:00:00.000", "2021-04-18 00:00:00.000"),
        ("MONTH", "2021-04-01 00:00:00.000", "2021-05-01 00:00:00.000"),
        ("QUARTER", "2021-04-01 00:00:00.000", "2021-07-01 00:00:00.000"),
        ("YEAR", "2021-01-01 00:00:00.000", "2022-01-01 00:00:00.000"),
        ("CENTURY", "2001-01-01 00:00:00.000", "2101-01-01 00:00:00.000"),
    ] {
        check(&format!("__floor_to('{unit}', {t})"), floor);
        check(&format!("__ceil_to('{unit}', {t})"), ceil);
    }
    check_type("__floor_to('MONTH', DATE '2021-04-14')", "2021-04-01", "DATE");
    check("__ceil_to('MINUTE', TIME '12:44:31')", "12:45:00");
    check_in("Asia/Shanghai", "__floor_to('DAY', TO_TIMESTAMP_LTZ(72000, 0))", "1970-01-02 00:00:00.000");
    fails("__floor_to('EPOCH', DATE '2021-04-14')", "FLOOR has no unit EPOCH");
}

#[test]
fn adds_and_subtracts() {
    check_all(&[
        ("TIMESTAMPADD('WEEK', 1, DATE '2003-01-02')", "2003-01-09"),
        ("TIMESTAMPADD('MONTH', 1, DATE '2021-01-31')", "2021-02-28"),
        ("TIMESTAMPADD('HOUR', -1, CAST('2021-01-01 00:30:00' AS TIMESTAMP(0)))", "2020-12-31 23:30:00"),
        (
            "TIMESTAMPDIFF('DAY', CAST('2003-01-02 10:00:00' AS TIMESTAMP), CAST('2003-01-03 10:00:00' AS TIMESTAMP))",
            "1",
        ),
        (
            "TIMESTAMPDIFF('DAY', CAST('2003-01-03 10:00:00' AS TIMESTAMP), CAST('2003-01-02 11:00:00' AS TIMESTAMP))",
            "0",
        ),
        ("TIMESTAMPDIFF('MONTH', DATE '2021-01-31', DATE '2021-02-28')", "1"),
        ("TIMESTAMPDIFF('MONTH', DATE '2021-03-15', DATE '2021-01-15')", "-2"),
        ("TIMESTAMPDIFF('YEAR', DATE '2020-02-29', DATE '2021-02-28')", "1"),
        ("TIMESTAMPDIFF('SECOND', DATE '2021-01-01', CAST('2021-01-01 00:01:00' AS TIMESTAMP))", "60"),
        ("CAST('2021-01-31 00:00:00' AS TIMESTAMP(3)) + INTERVAL '1' DAY", "2021-02-01 00:00:00.000"),
        ("CAST('2021-01-31 00:00:00' AS TIMESTAMP(0)) - INTERVAL '1' SECOND", "2021-01-30 23:59:59"),
        ("DATE '2021-01-31' + INTERVAL '1' MONTH", "2021-02-28"),
    ]);
    check_type("TIMESTAMPDIFF('DAY', DATE '2021-01-01', DATE '2021-01-03')", "2", "INT");
    fails("TIMESTAMPADD('FORTNIGHT', 1, DATE '2021-01-01')", "unknown unit of time 'FORTNIGHT'");
}
