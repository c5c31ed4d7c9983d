//! Types as written.

use sluice_model::SqlType;

use super::super::{parse_type_text, type_text};

#[test]
fn types_and_their_aliases() {
    use SqlType as T;
    for (text, expected) in [
        ("BOOLEAN", T::Boolean),
        ("tinyint", T::TinyInt),
        ("SMALLINT", T::SmallInt),
        ("INT", T::Int),
        ("INTEGER", T::Int),
        ("BIGINT", T::BigInt),
        ("FLOAT", T::Float),
        ("REAL", T::Float),
        ("DOUBLE", T::Double),
        ("DOUBLE PRECISION", T::Double),
        ("DECIMAL", T::Decimal(10, 0)),
        ("DEC(5)", T::Decimal(5, 0)),
        ("NUMERIC(38, 38)", T::Decimal(38, 38)),
        ("CHAR", T::Char(1)),
        ("CHAR(10)", T::Char(10)),
        ("CHARACTER VARYING(10)", T::VarChar(10)),
        ("VARCHAR(10)", T::VarChar(10)),
        ("VARCHAR", T::STRING),
        ("STRING", T::STRING),
        ("VARCHAR(2147483647)", T::STRING),
        ("BINARY", T::Binary(1)),
        ("BINARY(4)", T::Binary(4)),
        ("VARBINARY(4)", T::VarBinary(4)),
        ("VARBINARY", T::BYTES),
        ("BYTES", T::BYTES),
        ("DATE", T::Date),
        ("TIME", T::Time(0)),
        ("TIME(3) WITHOUT TIME ZONE", T::Time(3)),
        ("TIMESTAMP", T::Timestamp(6)),
        ("TIMESTAMP(3)", T::Timestamp(3)),
        ("TIMESTAMP(0) WITHOUT TIME ZONE", T::Timestamp(0)),
        ("TIMESTAMP_LTZ", T::TimestampLtz(6)),
        ("TIMESTAMP_LTZ(3)", T::TimestampLtz(3)),
        ("TIMESTAMP WITH LOCAL TIME ZONE", T::TimestampLtz(6)),
        ("TIMESTAMP(9) WITH LOCAL TIME ZONE", T::TimestampLtz(9)),
        ("INTERVAL YEAR", T::IntervalYearMonth),
        ("INTERVAL YEAR(4) TO MONTH", T::IntervalYearMonth),
        ("INTERVAL MONTH", T::IntervalYearMonth),
        ("INTERVAL DAY TO SECOND", T::IntervalDaySecond),
        ("INTERVAL DAY(3) TO SECOND(3)", T::IntervalDaySecond),
        ("INTERVAL SECOND(3)", T::IntervalDaySecond),
        ("ARRAY<INT>", T::Array(Box::new(T::Int))),
        ("INT ARRAY", T::Array(Box::new(T::Int))),
        ("INT ARRAY ARRAY", T::Array(Box::new(T::Array(Box::new(T::Int))))),
        ("ARRAY<ARRAY<INT NOT NULL> NOT NULL>", T::Array(Box::new(T::Array(Box::new(T::Int))))),
        ("MAP<STRING, BIGINT>", T::Map(Box::new(T::STRING), Box::new(T::BigInt))),
        ("ROW<a INT, b STRING>", T::Row(vec![("a".into(), T::Int), ("b".into(), T::STRING)])),
        ("ROW(a INT 'the a', `b c` STRING NOT NULL)", T::Row(vec![("a".into(), T::Int), ("b c".into(), T::STRING)])),
        (
            "ROW<a ROW<b ARRAY<INT>>>",
            T::Row(vec![("a".into(), T::Row(vec![("b".into(), T::Array(Box::new(T::Int)))]))]),
        ),
        ("NULL", T::Null),
    ] {
        assert_eq!(parse_type_text(text).unwrap_or_else(|error| panic!("{text}: {error}")), expected, "{text}");
        assert_eq!(parse_type_text(&type_text(&expected)).unwrap(), expected, "{text}");
        assert_eq!(parse_type_text(&expected.to_string()).unwrap(), expected, "{text}");
    }
}

#[test]
fn wrong_types_say_what_is_wrong() {
    for (text, what, hint) in [
        ("DECIMAL(39)", "the precision of DECIMAL must be between 1 and 38, but is 39", ""),
        ("DECIMAL(5, 6)", "the scale of DECIMAL must be between 0 and 5, but is 6", ""),
        ("VARCHAR(0)", "the length of VARCHAR must be between 1 and 2147483647, but is 0", ""),
        ("VARCHAR(99999999999)", "the length of VARCHAR must be between 1 and 2147483647, but is 99999999999", ""),
        ("TIMESTAMP(10)", "the precision of TIMESTAMP must be between 0 and 9, but is 10", ""),
        (
            "TIMESTAMP WITH TIME ZONE",
            "the type TIMESTAMP WITH TIME ZONE is not supported yet",
            "use TIMESTAMP_LTZ, an instant that is shown in the session's time zone",
        ),
        ("MULTISET<INT>", "the type MULTISET is not supported yet", ""),
        ("INT MULTISET", "the type MULTISET is not supported yet", ""),
        ("RAW('a', 'b')", "the type RAW is not supported yet", ""),
        ("VARIANT", "the type VARIANT is not supported yet", ""),
        ("TEXT", "unknown type 'TEXT'", "did you mean STRING?"),
        ("DATETIME", "unknown type 'DATETIME'", "did you mean TIMESTAMP(3)?"),
        ("STRNIG", "unknown type 'STRNIG'", "did you mean STRING?"),
        ("ROW<a INT, a INT>", "the row has two fields called 'a'", ""),
        ("ROW", "expected '<' or '(' but found the end of the statement", ""),
        ("ARRAY<INT", "expected '>' but found the end of the statement", ""),
        ("INT INT", "expected the end of the type but found 'INT'", ""),
        ("5", "expected a type but found '5'", ""),
        ("INTERVAL WEEK", "expected YEAR, MONTH, DAY, HOUR, MINUTE or SECOND but found 'WEEK'", ""),
        (
            "ROW<order INT>",
            "expected the name of a field but found the reserved word 'order'",
            "quote it with backticks: `order`",
        ),
    ] {
        let error = parse_type_text(text).unwrap_err();
        assert_eq!(error.what(), what, "{text}");
        assert_eq!(error.hint().unwrap_or_default(), hint, "{text}");
    }
}
