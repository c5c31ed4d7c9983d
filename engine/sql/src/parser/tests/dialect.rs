//! Constructs of Flink's queries, one per line.

use sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, SelectItem, SetExpr, TableFactor, TableVersion,
};

use super::super::{QueryHintKind, TableArgument, parse_type_text, sql_type_of};
use super::{error, query};

fn select(sql: &str) -> sqlparser::ast::Select {
    match *query(sql).query.body {
        SetExpr::Select(select) => *select,
        other => panic!("{sql}: {other}"),
    }
}

/// The only expression of `SELECT expression`.
fn expression(sql: &str) -> Expr {
    match select(&format!("SELECT {sql} FROM t")).projection.remove(0) {
        SelectItem::UnnamedExpr(expr) => expr,
        other => panic!("{sql}: {other}"),
    }
}

#[test]
fn queries_of_the_dialect_are_read() {
    let mut wrong = Vec::new();
    for sql in [
        "SELECT * FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' MINUTES))",
        "SELECT * FROM TABLE(TUMBLE(TABLE c.d.t, DESCRIPTOR(ts), INTERVAL '5' MINUTE, INTERVAL '1' MINUTE))",
        "SELECT * FROM TABLE(TUMBLE(DATA => TABLE t, TIMECOL => DESCRIPTOR(ts), SIZE => INTERVAL '10' MINUTES))",
        "SELECT * FROM TABLE(HOP(TABLE t, DESCRIPTOR(ts), INTERVAL '5' MINUTES, INTERVAL '10' MINUTES))",
        "SELECT * FROM TABLE(CUMULATE(TABLE t, DESCRIPTOR(ts), INTERVAL '2' MINUTES, INTERVAL '10' MINUTES))",
        "SELECT * FROM TABLE(SESSION(TABLE t PARTITION BY k, DESCRIPTOR(ts), INTERVAL '5' MINUTES))",
        "SELECT * FROM TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '10' MINUTES)",
        "SELECT * FROM TABLE(TUMBLE((SELECT * FROM t), DESCRIPTOR(ts), INTERVAL '10' MINUTES))",
        "SELECT window_start, window_end, SUM(p) FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '1' HOUR)) AS w GROUP BY window_start, window_end",
        "SELECT TUMBLE_START(ts, INTERVAL '1' DAY), COUNT(*) FROM t GROUP BY TUMBLE(ts, INTERVAL '1' DAY)",
        "SELECT * FROM o JOIN c FOR SYSTEM_TIME AS OF o.proctime ON o.id = c.id",
        "SELECT * FROM o AS o JOIN c FOR SYSTEM_TIME AS OF o.proctime AS c ON o.id = c.id",
        "SELECT * FROM o LEFT JOIN c FOR SYSTEM_TIME AS OF o.proctime AS x ON o.id = x.id",
        "SELECT * FROM t FOR SYSTEM_TIME AS OF TIMESTAMP '2023-07-31 00:00:00'",
        "INSERT INTO s SELECT * FROM t /*+ OPTIONS('scan.startup.mode'='earliest-offset') */ AS x",
        "SELECT * FROM t, LATERAL TABLE(f(x)) AS u(a, b)",
        "SELECT * FROM t LEFT JOIN LATERAL TABLE(f(x)) AS u(a) ON TRUE",
        "SELECT * FROM c, LATERAL (SELECT * FROM o WHERE o.id = c.id) AS u",
        "SELECT * FROM t CROSS JOIN UNNEST(t.arr) AS u(x)",
        "SELECT * FROM t CROSS JOIN UNNEST(arr) WITH ORDINALITY AS u(x, i)",
        "SELECT id, SUM(x) OVER (PARTITION BY id ORDER BY ts RANGE BETWEEN INTERVAL '1' HOUR PRECEDING AND CURRENT ROW) FROM t",
        "SELECT SUM(x) OVER w FROM t WINDOW w AS (PARTITION BY id ORDER BY ts ROWS 10 PRECEDING)",
        "SELECT COUNT(DISTINCT x) FILTER (WHERE y > 0) FROM t",
        "SELECT LISTAGG(x, ',') WITHIN GROUP (ORDER BY y) FROM t",
        "SELECT a, b, COUNT(*) FROM t GROUP BY GROUPING SETS ((a), (b), ())",
        "SELECT a, b, COUNT(*) FROM t GROUP BY ROLLUP (a, b)",
        "SELECT a, b, COUNT(*) FROM t GROUP BY CUBE (a, b)",
        "SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY a ORDER BY b DESC) AS rn FROM t) WHERE rn <= 5",
        "SELECT * FROM t QUALIFY ROW_NUMBER() OVER (PARTITION BY a ORDER BY b) = 1",
        "SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS t(id, name)",
        "VALUES (1, 'a'), (2, 'b')",
        "WITH a AS (SELECT 1 AS x), b(y) AS (SELECT x FROM a) SELECT * FROM b",
        "SELECT a FROM t UNION ALL SELECT a FROM u INTERSECT SELECT a FROM v EXCEPT ALL SELECT a FROM w",
        "SELECT a FROM t ORDER BY a DESC NULLS LAST LIMIT 10 OFFSET 5",
        "SELECT a FROM t ORDER BY a FETCH FIRST 10 ROWS ONLY",
        "SELECT * FROM t WHERE a IN (SELECT x FROM u) AND EXISTS (SELECT 1 FROM v WHERE v.a = t.a)",
        "SELECT * FROM a NATURAL JOIN b",
        "SELECT * FROM a JOIN b USING (id)",
        "SELECT * FROM (a JOIN b ON a.x = b.x) LEFT JOIN c ON a.x = c.x",
        "(SELECT a FROM t) UNION (SELECT b FROM u)",
        "SELECT 1",
        "select `select`, t.`order` from t where `timestamp` > timestamp '2020-01-01 00:00:00'",
        "SELECT DATE_FORMAT(ts, 'yyyy-MM-dd') AS d, COUNT(*) cnt FROM t GROUP BY DATE_FORMAT(ts, 'yyyy-MM-dd')",
        "SELECT * FROM t MATCH_RECOGNIZE (PARTITION BY a ORDER BY ts MEASURES A.x AS ax, LAST(B.x) AS bx ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW PATTERN (A B+ C{2,3}) DEFINE B AS B.x > A.x) AS m",
    ] {
        if let Err(error) = super::super::parse_one(sql) {
            wrong.push(format!("{sql}\n  {error}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn expressions_of_the_dialect_are_read() {
    let mut wrong = Vec::new();
    for sql in [
        "CAST(a AS ROW<x INT, y STRING>)",
        "TRY_CAST(a AS DECIMAL(10, 2))",
        "CAST(a AS TIMESTAMP(3) WITH LOCAL TIME ZONE)",
        "CAST(NULL AS STRING)",
        "INTERVAL '1' DAY",
        "INTERVAL '10' MINUTES",
        "INTERVAL 10 MINUTE",
        "INTERVAL '1 10:00' DAY TO SECOND",
        "INTERVAL '400' DAY(3)",
        "INTERVAL '1-2' YEAR TO MONTH",
        "-INTERVAL '1' DAY",
        "INTERVAL -'1' DAY",
        "ts - INTERVAL '5' SECOND",
        "DATE '2020-01-01'",
        "TIME '10:00:00'",
        "TIMESTAMP '2020-01-01 00:00:00.123'",
        "ROW(1, 'a')",
        "(1, 'a')",
        "MAP['a', 1, 'b', 2]",
        "ARRAY[1, 2, 3]",
        "arr[1]",
        "m['key']",
        "r.f.g",
        "a IS NOT DISTINCT FROM b",
        "a IS NOT TRUE",
        "a IS UNKNOWN",
        "a NOT BETWEEN SYMMETRIC 1 AND 2",
        "a BETWEEN ASYMMETRIC 1 AND 2",
        "a LIKE 'x!%' ESCAPE '!'",
        "a NOT SIMILAR TO 'x'",
        "a NOT IN (1, 2)",
        "CASE WHEN a = 1 THEN 'x' ELSE 'y' END",
        "CASE a WHEN 1 THEN 'x' END",
        "TIMESTAMPDIFF(DAY, a, b)",
        "TIMESTAMPADD(MONTH, 1, a)",
        "EXTRACT(YEAR FROM ts)",
        "FLOOR(ts TO DAY)",
        "CEIL(a)",
        "TRIM(BOTH ' ' FROM a)",
        "TRIM(a)",
        "SUBSTRING(a FROM 1 FOR 2)",
        "SUBSTRING(a, 1, 2)",
        "POSITION('a' IN b)",
        "OVERLAY(a PLACING 'x' FROM 1 FOR 2)",
        "JSON_VALUE(j, '$.a')",
        "JSON_VALUE(j, '$.a' RETURNING INT NULL ON EMPTY DEFAULT 1 ON ERROR)",
        "JSON_QUERY(j, '$.a' WITH CONDITIONAL ARRAY WRAPPER EMPTY ARRAY ON EMPTY ERROR ON ERROR)",
        "JSON_EXISTS(j, '$.a' TRUE ON ERROR)",
        "JSON_OBJECT('a' VALUE 1, 'b' VALUE x NULL ON NULL)",
        "JSON_OBJECT(KEY 'a' VALUE 1)",
        "JSON_ARRAY(1, 2)",
        "j IS JSON",
        "j IS NOT JSON OBJECT",
        "CURRENT_TIMESTAMP",
        "LOCALTIMESTAMP",
        "CURRENT_DATE",
        "PROCTIME()",
        "COALESCE(a, b)",
        "IF(a > 1, 'x', 'y')",
        "COUNT(*)",
        "COUNT(1)",
        "FIRST_VALUE(a IGNORE NULLS)",
        "LAG(a, 1) OVER (PARTITION BY b ORDER BY ts)",
        "a || '-' || b",
        "a % 2",
        "U&'\\263A'",
        "U&'#263A' UESCAPE '#'",
        "X'cafe'",
        "N'abc'",
        "_UTF16'abc'",
        "E'a\\nb'",
        "1.5e3",
        ".5",
        "a <> b",
        "NOT a",
        "YEAR(ts)",
        "USER",
        "`weird name`",
        "(a - b) DAY",
        "(a - b) SECOND(2, 3) > INTERVAL '1' SECOND",
        "(a - b) DAY(2) TO SECOND(3) AS x",
        "TIMESTAMP WITH LOCAL TIME ZONE '2020-01-01 00:00:00'",
        "_utf8'abc'",
    ] {
        if let Err(error) = super::super::parse_one(&format!("SELECT {sql} FROM t")) {
            wrong.push(format!("{sql}\n  {error}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn casts_carry_our_types() {
    for (sql, expected) in [
        ("CAST(a AS ROW<x INT NOT NULL, y ARRAY<STRING>>)", "ROW<x INT, y ARRAY<STRING>>"),
        ("CAST(a AS TIMESTAMP(3) WITH LOCAL TIME ZONE)", "TIMESTAMP_LTZ(3)"),
        ("CAST(a AS INT ARRAY)", "ARRAY<INT>"),
        ("TRY_CAST(a AS DOUBLE PRECISION)", "DOUBLE"),
        ("CAST(a AS ROW<`a``b` MAP<STRING, DECIMAL(5)>>)", "ROW<`a``b` MAP<STRING, DECIMAL(5, 0)>>"),
    ] {
        let Expr::Cast { data_type, .. } = expression(sql) else { panic!("{sql}") };
        assert_eq!(sql_type_of(&data_type).unwrap(), parse_type_text(expected).unwrap(), "{sql}");
    }
    for (sql, expected) in [("DATE '2020-01-01'", "DATE"), ("TIMESTAMP '2020-01-01 00:00:00'", "TIMESTAMP(6)")] {
        let Expr::TypedString(typed) = expression(sql) else { panic!("{sql}") };
        assert_eq!(sql_type_of(&typed.data_type).unwrap(), parse_type_text(expected).unwrap(), "{sql}");
    }
}

#[test]
fn the_right_side_of_is_distinct_from_ends_before_and() {
    for (sql, left_part) in [
        ("a IS DISTINCT FROM b AND c", "a IS DISTINCT FROM b"),
        ("a IS NOT DISTINCT FROM b + 1 OR c", "a IS NOT DISTINCT FROM b + 1"),
        ("a IS DISTINCT FROM b = c", "a IS DISTINCT FROM b"),
    ] {
        let Expr::BinaryOp { left, .. } = expression(sql) else { panic!("{sql}") };
        assert_eq!(left.to_string(), left_part);
    }
    let Expr::IsNull(inner) = expression("a IS DISTINCT FROM b IS NULL") else { panic!("not IS NULL") };
    assert_eq!(inner.to_string(), "a IS DISTINCT FROM b");
}

#[test]
fn string_prefixes_are_decoded() {
    for (sql, text) in [
        ("U&'a\\263Ab'", "a☺b"),
        ("U&'\\+01F600'", "😀"),
        ("U&'a#263A##' UESCAPE '#'", "a☺#"),
        ("E'a\\n\\x41\\u0042'", "a\nAB"),
        ("N'x'", "x"),
        ("'it''s'", "it's"),
    ] {
        let Expr::Value(value) = expression(sql) else { panic!("{sql}") };
        assert_eq!(value.value, sqlparser::ast::Value::SingleQuotedString(text.to_owned()), "{sql}");
    }
}

#[test]
fn rewritten_expressions() {
    for (sql, printed) in [
        ("MAP['a', 1]", "MAP('a', 1)"),
        ("a IS JSON", "IS_JSON(a, 'VALUE')"),
        ("a IS NOT JSON ARRAY", "NOT IS_JSON(a, 'ARRAY')"),
        ("a IS DISTINCT FROM b AND c", "a IS DISTINCT FROM b AND c"),
        ("a IS NOT DISTINCT FROM b IS NULL", "a IS NOT DISTINCT FROM b IS NULL"),
        ("(a - b) DAY > c", "__minus(a, b) > c"),
        ("(a - b) YEAR TO MONTH", "__minus_months(a, b)"),
        ("TIMESTAMP WITH LOCAL TIME ZONE '2020-01-01 00:00:00.5'", "CAST('2020-01-01 00:00:00.5' AS TIMESTAMP_LTZ(1))"),
        ("_UTF16'a'", "'a'"),
        ("'a'\n'b'\n'c'", "'abc'"),
        ("a BETWEEN SYMMETRIC 1 AND 2", "(a BETWEEN 1 AND 2 OR a BETWEEN 2 AND 1)"),
        ("a NOT BETWEEN SYMMETRIC 1 AND 2", "(a NOT BETWEEN 1 AND 2 AND a NOT BETWEEN 2 AND 1)"),
        ("JSON_EXISTS(j, '$' TRUE ON ERROR)", "JSON_EXISTS(j, '$', on_error => 'TRUE')"),
        (
            "JSON_VALUE(j, '$' RETURNING INT NULL ON EMPTY DEFAULT 1 ON ERROR)",
            "JSON_VALUE(j, '$', returning => 'INT', on_empty => 'NULL', default_on_error => 1)",
        ),
        (
            "JSON_QUERY(j, '$' WITHOUT ARRAY WRAPPER EMPTY OBJECT ON ERROR)",
            "JSON_QUERY(j, '$', wrapper => 'WITHOUT', on_error => 'EMPTY OBJECT')",
        ),
        ("JSON_OBJECT(KEY 'a' VALUE 1)", "JSON_OBJECT('a' VALUE 1)"),
        ("a AND b OR c BETWEEN 1 AND 2 AND d", "a AND b OR c BETWEEN 1 AND 2 AND d"),
    ] {
        assert_eq!(expression(sql).to_string(), printed, "{sql}");
    }
}

#[test]
fn table_arguments_keep_their_path_and_partitions() {
    let sql = "SELECT * FROM TABLE(SESSION(TABLE db.t PARTITION BY (a, b), DESCRIPTOR(ts), INTERVAL '5' MINUTE))";
    let TableFactor::TableFunction { expr: Expr::Function(function), .. } = &select(sql).from[0].relation else {
        panic!()
    };
    let FunctionArguments::List(list) = &function.args else { panic!() };
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(first)) = &list.args[0] else { panic!() };
    let argument = TableArgument::of(first).unwrap();
    assert_eq!(argument.table.to_string(), "db.t");
    assert_eq!(argument.partition_by.iter().map(Expr::to_string).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(argument.position().unwrap().column, 35);
    assert_eq!(list.args.len(), 3);
}

#[test]
fn lookup_joins_keep_their_version() {
    let select = select("SELECT * FROM o JOIN c FOR SYSTEM_TIME AS OF o.proctime AS x ON o.id = x.id");
    let TableFactor::Table { version: Some(TableVersion::ForSystemTimeAsOf(time)), alias: Some(alias), .. } =
        &select.from[0].joins[0].relation
    else {
        panic!()
    };
    assert_eq!((time.to_string().as_str(), alias.name.value.as_str()), ("o.proctime", "x"));
}

#[test]
fn hints_belong_to_what_they_follow() {
    let parsed = query(
        "SELECT /*+ STATE_TTL('a' = '1d', 'b' = '2h'), BROADCAST(a, b) */ *
         FROM db.a /*+ OPTIONS('k' = 'v', 'password' = 'secret') */ AS x
         JOIN a ON x.id = a.id
         JOIN TABLE(TUMBLE(TABLE w /*+ OPTIONS('p' = 'q') */, DESCRIPTOR(ts), INTERVAL '1' DAY)) ON TRUE",
    );
    let SetExpr::Select(select) = parsed.query.body.as_ref() else { panic!() };
    let hints = parsed.hints.query_hints(select);
    assert_eq!(
        hints.iter().map(|hint| hint.kind).collect::<Vec<_>>(),
        [QueryHintKind::StateTtl, QueryHintKind::Broadcast]
    );
    assert_eq!(hints[0].options.get("b"), Some("2h"));
    assert_eq!(hints[1].tables.iter().map(|name| name.value.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let TableFactor::Table { name, .. } = &select.from[0].relation else { panic!() };
    assert_eq!(parsed.hints.table_options(name).and_then(|options| options.get("k")), Some("v"));
    let TableFactor::Table { name, .. } = &select.from[0].joins[0].relation else { panic!() };
    assert_eq!(parsed.hints.table_options(name), None);
    assert!(!format!("{:?}", parsed.hints).contains("secret"));
}

#[test]
fn hints_are_never_dropped() {
    for (sql, what, hint) in [
        ("SELECT * FROM t /*+ OPTOINS('a'='b') */", "unknown hint 'OPTOINS'", "did you mean OPTIONS?"),
        ("SELECT /*+ STATE_TLT('a'='b') */ * FROM t", "unknown hint 'STATE_TLT'", "did you mean STATE_TTL?"),
        ("SELECT /*+ OPTIONS('a'='b') */ * FROM t", "a hint has no effect here", "OPTIONS(…) goes directly after"),
        ("SELECT * FROM t AS x /*+ OPTIONS('a'='b') */", "a hint has no effect here", "OPTIONS(…) goes directly after"),
        ("SELECT a /*+ OPTIONS('a'='b') */ FROM t", "a hint has no effect here", "OPTIONS(…) goes directly after"),
        ("SELECT * FROM t /*+ BROADCAST(t) */", "a hint has no effect here", "OPTIONS(…) goes directly after"),
        ("SELECT * FROM t /*+ OPTIONS('a'=1) */", "the hint OPTIONS is malformed", "write it like OPTIONS("),
        ("SELECT * FROM t /*+ OPTIONS('a'='b' */", "the hint OPTIONS is malformed", "write it like OPTIONS("),
        (
            "CREATE TABLE t /*+ OPTIONS('a'='b') */ (a INT)",
            "a hint has no effect here",
            "OPTIONS(…) goes directly after",
        ),
        ("DESCRIBE t /*+ OPTIONS('a'='b') */", "a hint has no effect here", "OPTIONS(…) goes directly after"),
    ] {
        let error = error(sql);
        assert_eq!(error.what(), what, "{sql}");
        assert!(error.hint().is_some_and(|found| found.starts_with(hint)), "{sql}: {error}");
        assert!(error.position().is_some(), "{sql}");
    }
}

#[test]
fn what_other_dialects_have_is_refused_by_name() {
    let mut wrong = Vec::new();
    for (sql, what) in [
        ("SELECT TOP 5 * FROM t", ""),
        ("SELECT * FROM t WHERE a != 1", "the operator '!=' is not part of this SQL dialect"),
        ("SELECT * FROM t WHERE a == 1", "the operator '==' is not part of this SQL dialect"),
        ("SELECT a::INT FROM t", "the operator '::' is not part of this SQL dialect"),
        ("SELECT \"a\" FROM t", "double quotes have no meaning in this SQL dialect"),
        ("SELECT DISTINCT ON (a) b FROM t", "DISTINCT ON is not part of this SQL dialect"),
        ("SELECT * EXCEPT (a) FROM t", ""),
        ("SELECT * INTO x FROM t", "SELECT … INTO is not part of this SQL dialect"),
        ("SELECT * FROM t PIVOT (SUM(a) FOR b IN (1))", "PIVOT is not part of this SQL dialect"),
        ("SELECT * FROM t FOR UPDATE", "FOR UPDATE is not part of this SQL dialect"),
        ("SELECT * FROM t LIMIT 1, 2", ""),
        ("SELECT a FROM t GROUP BY ALL", "GROUP BY ALL is not part of this SQL dialect"),
        ("WITH RECURSIVE a AS (SELECT 1) SELECT * FROM a", "WITH RECURSIVE is not part of this SQL dialect"),
        (
            "WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a",
            "WITH in front of INSERT is not part of this SQL dialect",
        ),
        ("SELECT * FROM a LEFT SEMI JOIN b ON a.x = b.x", "SEMI JOIN and ANTI JOIN are not part of this SQL dialect"),
        ("SELECT * FROM a JOIN b", "a join needs a condition"),
        ("SELECT BIGINT '5' FROM t", "expected an expression but found the reserved word 'BIGINT'"),
        ("SELECT json '{}' FROM t", ""),
        ("SELECT [1, 2] FROM t", "an array without the word ARRAY is not part of this SQL dialect"),
        ("SELECT INTERVAL '5' FROM t", "an INTERVAL needs a unit"),
        ("SELECT INTERVAL x SECOND FROM t", "an INTERVAL takes a number in single quotes"),
        ("SELECT a AS 'x' FROM t", "a string cannot be a name"),
        (
            "SELECT * FROM t TIMESTAMP AS OF '2020-01-01'",
            "this way to name a version of a table is not part of this SQL dialect",
        ),
        ("SELECT ? FROM t", "a placeholder is not part of this SQL dialect"),
        ("SELECT a | b FROM t", "the operator | is not part of this SQL dialect"),
        ("SELECT SAFE_CAST(a AS INT) FROM t", "this kind of cast is not part of this SQL dialect"),
    ] {
        let error = error(sql);
        assert!(error.position().is_some(), "{sql}: {error}");
        if !what.is_empty() && error.what() != what {
            wrong.push(format!("{sql}\n  {error}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn places_are_those_of_the_script() {
    let script = "SET 'a' = 'b';\n\n  SELECT x,\n   y FROM t";
    let raw = super::super::split(script).unwrap().remove(1);
    let super::super::Statement::Query(parsed) = super::super::parse(&raw).unwrap() else { panic!() };
    let SetExpr::Select(select) = parsed.query.body.as_ref() else { panic!() };
    let SelectItem::UnnamedExpr(Expr::Identifier(y)) = &select.projection[1] else { panic!() };
    assert_eq!((y.span.start.line, y.span.start.column), (4, 4));
    assert_eq!((parsed.position.line, parsed.position.column), (3, 3));
    assert_eq!(parsed.text, "SELECT x,\n   y FROM t");
}
