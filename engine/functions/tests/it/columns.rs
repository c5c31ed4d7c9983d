//! Columns, where a kernel does more than a row at a time.

use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray, TimestampMillisecondArray};
use arrow_schema::{DataType, Field, TimeUnit};

use crate::harness::{evaluate_over, session};

/// What an expression gives for each text of column `s`.
fn over_texts(sql: &str, texts: &[Option<&str>]) -> Vec<Option<String>> {
    let column: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
    over(sql, Field::new("s", DataType::Utf8, true), column)
}

fn over(sql: &str, field: Field, column: ArrayRef) -> Vec<Option<String>> {
    let values = evaluate_over(sql, vec![(field, column)], &session("UTC")).unwrap();
    values.into_iter().map(|value| value.text).collect()
}

fn some(texts: &[&str]) -> Vec<Option<String>> {
    texts.iter().map(|text| (*text != "NULL").then(|| (*text).to_owned())).collect()
}

#[test]
fn case_changes_with_and_without_other_letters_than_those_of_ascii() {
    let texts = [Some("aBc"), None, Some(""), Some("XYZ 1")];
    assert_eq!(over_texts("LOWER(s)", &texts), some(&["abc", "NULL", "", "xyz 1"]));
    assert_eq!(over_texts("UPPER(s)", &texts), some(&["ABC", "NULL", "", "XYZ 1"]));
    let texts = [Some("ÄB"), None, Some("straße"), Some("x")];
    assert_eq!(over_texts("LOWER(s)", &texts), some(&["äb", "NULL", "straße", "x"]));
    assert_eq!(over_texts("UPPER(s)", &texts), some(&["ÄB", "NULL", "STRASSE", "X"]));
    // A part of a column keeps its place in the whole.
    let column: ArrayRef = Arc::new(StringArray::from(vec![Some("Ä"), None, Some("bC"), Some("D")]).slice(1, 2));
    assert_eq!(over("UPPER(s)", Field::new("s", DataType::Utf8, true), column), some(&["NULL", "BC"]));
}

#[test]
fn texts_are_replaced_and_taken_apart() {
    let texts = [Some("a-b--c"), None, Some(""), Some("--"), Some("äß")];
    assert_eq!(over_texts("REPLACE(s, '-', '+')", &texts), some(&["a+b++c", "NULL", "", "++", "äß"]));
    assert_eq!(over_texts("REPLACE(s, '--', '')", &texts), some(&["a-bc", "NULL", "", "", "äß"]));
    assert_eq!(over_texts("REPLACE(s, s, 'x')", &texts[..2]), some(&["x", "NULL"]));
    assert_eq!(over_texts("SPLIT_INDEX(s, '-', 2)", &texts), some(&["", "NULL", "NULL", "", "NULL"]));
    let texts = [Some("k=1;l=22"), Some("l=3"), None, Some("k="), Some("kk=7")];
    assert_eq!(
        over_texts("REGEXP_EXTRACT(s, '(^|;)l=([^;]*)', 2)", &texts),
        some(&["22", "3", "NULL", "NULL", "NULL"])
    );
    assert_eq!(over_texts("REGEXP_EXTRACT(s, 'k=.')", &texts), some(&["k=1", "NULL", "NULL", "NULL", "k=7"]));
}

/// Times of one day have one text, whatever lies between them.
#[test]
fn times_are_formatted_by_the_units_of_the_pattern() {
    let (day, hour) = (86_400_000, 3_600_000);
    let times = [Some(0), Some(hour + 1), None, Some(-1), Some(59_999), Some(60_000), Some(day), Some(day + 1_500)];
    let check = |pattern: &str, expected: &[&str]| {
        let column: ArrayRef = Arc::new(TimestampMillisecondArray::from(times.to_vec()));
        let field = Field::new("t", DataType::Timestamp(TimeUnit::Millisecond, None), true);
        assert_eq!(over(&format!("DATE_FORMAT(t, '{pattern}')"), field, column), some(expected), "{pattern}");
    };
    check(
        "yyyy-MM-dd",
        &["1970-01-01", "1970-01-01", "NULL", "1969-12-31", "1970-01-01", "1970-01-01", "1970-01-02", "1970-01-02"],
    );
    check("HH:mm", &["00:00", "01:00", "NULL", "23:59", "00:00", "00:01", "00:00", "00:00"]);
    check("d HH", &["1 00", "1 01", "NULL", "31 23", "1 00", "1 00", "2 00", "2 00"]);
    check("ss", &["00", "00", "NULL", "59", "59", "00", "00", "01"]);
    check("s.SSS", &["0.000", "0.001", "NULL", "59.999", "59.999", "0.000", "0.000", "1.500"]);
}
