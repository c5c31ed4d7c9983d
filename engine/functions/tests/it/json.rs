//! JSON.

use crate::harness::{check_all, fails};

#[test]
fn reads_values() {
    check_all(&[
        (r#"JSON_VALUE('{"a": "x"}', '$.a')"#, "x"),
        (r#"JSON_VALUE('{"a": 1.50}', '$.a')"#, "1.5"),
        (r#"JSON_VALUE('{"a": true}', 'lax $.a')"#, "true"),
        (r#"JSON_VALUE('{"a": {"b": [10, 20]}}', '$.a.b[1]')"#, "20"),
        (r#"JSON_VALUE('{"a": {}}', '$.a')"#, "NULL"),
        (r#"JSON_VALUE('{"a": 1}', 'lax $.z', NULL, 'DEFAULT', 'none', 'NULL', NULL)"#, "none"),
        (r#"JSON_VALUE('no json', '$.a', NULL, 'NULL', NULL, 'DEFAULT', 'bad')"#, "bad"),
        ("JSON_VALUE('no json', '$.a')", "NULL"),
        (r#"JSON_VALUE('{"a": 1.5}', '$.a', CAST(NULL AS INT), 'NULL', NULL, 'NULL', NULL)"#, "1"),
        (r#"JSON_VALUE('{"a": "x"}', '$.a', CAST(NULL AS INT), 'NULL', NULL, 'DEFAULT', 7)"#, "7"),
        (r#"JSON_QUERY('{"a": [1, 2]}', '$.a')"#, "[1,2]"),
        (r#"JSON_QUERY('{"a": 1}', '$.a')"#, "NULL"),
        (r#"JSON_QUERY('{"a": 1}', '$.a', NULL, 'CONDITIONAL', 'NULL', 'NULL')"#, "[1]"),
        (r#"JSON_QUERY('{"a": [1]}', '$.a', NULL, 'UNCONDITIONAL', 'NULL', 'NULL')"#, "[[1]]"),
        (r#"JSON_QUERY('{"a": [{"b": 1}, {"b": 2}]}', '$.a[*].b', NULL, 'CONDITIONAL', 'NULL', 'NULL')"#, "[1,2]"),
        (r#"JSON_QUERY('{"a": 1}', 'lax $.z', NULL, 'WITHOUT', 'EMPTY ARRAY', 'NULL')"#, "[]"),
        (r#"JSON_EXISTS('{"a": true}', '$.a')"#, "TRUE"),
        (r#"JSON_EXISTS('{"a": [{ "b": 1 }]}', '$.a[0].b')"#, "TRUE"),
        (r#"JSON_EXISTS('{"a": true}', '$.b')"#, "FALSE"),
        (r#"JSON_EXISTS('{"a": true}', 'strict $.b', 'TRUE')"#, "TRUE"),
        (r#"__is_json('{"a": 1}', 'OBJECT')"#, "TRUE"),
        ("__is_json('1', 'SCALAR')", "TRUE"),
        ("__is_json('[1', 'VALUE')", "FALSE"),
        (r#"JSON_UNQUOTE('"x"')"#, "x"),
    ]);
    fails(r#"JSON_VALUE('no json', '$.a', NULL, 'NULL', NULL, 'ERROR', NULL)"#, "JSON_VALUE cannot read the JSON");
    fails("JSON_VALUE('{}', '$[?(@.a)]')", "not a JSON path");
}

#[test]
fn writes_values() {
    check_all(&[
        ("JSON_STRING(1)", "1"),
        ("JSON_STRING(TRUE)", "true"),
        (r#"JSON_STRING('Hello, "World"')"#, r#""Hello, \"World\"""#),
        ("JSON_STRING(ARRAY[1, NULL])", "[1,null]"),
        ("JSON_STRING(MAP('a', 1))", r#"{"a":1}"#),
        ("JSON_STRING(CAST(NULL AS INT))", "NULL"),
        ("JSON_QUOTE('a\"b')", r#""a\"b""#),
        ("__json_object('NULL', 'K1', 'V1', 'K2', NULL)", r#"{"K1":"V1","K2":null}"#),
        ("__json_object('ABSENT', 'K1', 1, 'K2', NULL)", r#"{"K1":1}"#),
        ("__json_object('NULL', 'K', __json_object('NULL', 'L', 1.5))", r#"{"K":{"L":1.5}}"#),
        ("__json_array('ABSENT', 1, NULL, 'a')", r#"[1,"a"]"#),
        ("__json_array('NULL', 1, NULL, __json_array('NULL', 2))", "[1,null,[2]]"),
    ]);
}
