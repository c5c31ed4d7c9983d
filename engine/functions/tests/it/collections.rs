//! Arrays, maps and rows.

use crate::harness::{check_all, check_type, fails};

#[test]
fn arrays() {
    check_all(&[
        ("ARRAY[1, 2, 3][2]", "2"),
        ("ARRAY[1, 2, 3][4]", "NULL"),
        ("CARDINALITY(ARRAY[1, 2, 3])", "3"),
        ("CARDINALITY(CAST(NULL AS ARRAY<INT>))", "NULL"),
        ("ELEMENT(ARRAY[7])", "7"),
        ("ARRAY_APPEND(ARRAY[1, 2], 3)", "[1, 2, 3]"),
        ("ARRAY_APPEND(ARRAY[1], NULL)", "[1, NULL]"),
        ("ARRAY_PREPEND(ARRAY[1, 2], 0)", "[0, 1, 2]"),
        ("ARRAY_CONCAT(ARRAY[1], ARRAY[2, 3])", "[1, 2, 3]"),
        ("ARRAY_CONTAINS(ARRAY[1, 2], 2)", "TRUE"),
        ("ARRAY_CONTAINS(ARRAY[1, 2], 5)", "FALSE"),
        ("ARRAY_CONTAINS(ARRAY[1, NULL], NULL)", "TRUE"),
        ("ARRAY_DISTINCT(ARRAY[2, 1, 2, NULL, NULL])", "[2, 1, NULL]"),
        ("ARRAY_EXCEPT(ARRAY[1, 2, 3], ARRAY[2])", "[1, 3]"),
        ("ARRAY_INTERSECT(ARRAY[1, 1, 2, 3], ARRAY[3, 1])", "[1, 3]"),
        ("ARRAY_UNION(ARRAY[1, 2], ARRAY[2, 3])", "[1, 2, 3]"),
        ("ARRAY_JOIN(ARRAY['a', NULL, 'b'], ',')", "a,b"),
        ("ARRAY_JOIN(ARRAY['a', NULL, 'b'], ',', '-')", "a,-,b"),
        ("ARRAY_MAX(ARRAY[1, NULL, 3])", "3"),
        ("ARRAY_MIN(ARRAY[2, NULL, 3])", "2"),
        ("ARRAY_POSITION(ARRAY['a', 'b'], 'b')", "2"),
        ("ARRAY_POSITION(ARRAY['a', 'b'], 'x')", "0"),
        ("ARRAY_POSITION(ARRAY['a', 'b'], NULL)", "NULL"),
        ("ARRAY_REMOVE(ARRAY[1, 2, 1], 1)", "[2]"),
        ("ARRAY_REVERSE(ARRAY[1, 2, 3])", "[3, 2, 1]"),
        ("ARRAY_SLICE(ARRAY[1, 2, 3, 4], 2, 3)", "[2, 3]"),
        ("ARRAY_SLICE(ARRAY[1, 2, 3, 4], -2)", "[3, 4]"),
        ("ARRAY_SLICE(ARRAY[1, 2, 3, 4], 0, 2)", "[1, 2]"),
        ("ARRAY_SLICE(ARRAY[1, 2], 3, 1)", "[]"),
        ("ARRAY_SORT(ARRAY[3, NULL, 1])", "[NULL, 1, 3]"),
        ("ARRAY_SORT(ARRAY[3, NULL, 1], FALSE)", "[3, 1, NULL]"),
        ("ARRAY_SORT(ARRAY[3, NULL, 1], TRUE, FALSE)", "[1, 3, NULL]"),
        ("SPLIT('a,b', ',')", "[a, b]"),
        ("SPLIT('ab', '')", "[a, b]"),
    ]);
    check_type("ARRAY[1, 2.5]", "[1.0, 2.5]", "ARRAY<DECIMAL(11, 1)>");
    fails("ARRAY[1][0]", "array index 0 is not positive");
    fails("ELEMENT(ARRAY[1, 2])", "at most one element");
    fails("ARRAY[1, 'a']", "cannot apply ARRAY to (INT, STRING)");
}

#[test]
fn maps_and_rows() {
    check_all(&[
        ("MAP('a', 1, 'b', 2)['b']", "2"),
        ("MAP('a', 1)['z']", "NULL"),
        ("CARDINALITY(MAP('a', 1, 'b', 2))", "2"),
        ("MAP_KEYS(MAP('a', 1, 'b', 2))", "[a, b]"),
        ("MAP_VALUES(MAP('a', 1, 'b', 2))", "[1, 2]"),
        ("MAP_ENTRIES(MAP('a', 1))", "[(a, 1)]"),
        ("MAP_FROM_ARRAYS(ARRAY['x', 'y'], ARRAY[1, 2])", "{x=1, y=2}"),
        ("STR_TO_MAP('k1=v1,k2')", "{k1=v1, k2=NULL}"),
        ("STR_TO_MAP('a=1,b=2,a=3')", "{a=3, b=2}"),
        ("STR_TO_MAP('k1:v1;k2:v2', ';', ':')['k2']", "v2"),
        ("ROW(1, 'x')", "(1, x)"),
    ]);
    fails("MAP(NULL, 1, 'a', 2)", "a key of a MAP is NULL");
    fails("MAP_FROM_ARRAYS(ARRAY['x'], ARRAY[1, 2])", "arrays of one length");
}
