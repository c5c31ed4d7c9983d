//! No text panics, exhausts the stack or takes more than linear time.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::{Statement, is_complete, parse, parse_one, parse_script, parse_type_text, split};

/// Runs on a stack of the size that threads have by default.
fn on_a_small_stack<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap()
}

fn read_all(text: &str) {
    let _ = is_complete(text);
    let _ = parse_type_text(text);
    if let Ok(statements) = split(text) {
        for raw in &statements {
            let _ = parse(raw);
        }
    }
}

#[test]
fn nesting_is_limited() {
    let deep = 20_000;
    for (open, middle, close) in [
        ("SELECT ", "(", ""),
        ("SELECT ", "f(", ""),
        ("SELECT ", "CAST(", ""),
        ("SELECT ", "CASE WHEN ", ""),
        ("SELECT ", "NOT ", "a"),
        ("SELECT ", "- ", "1"),
        ("SELECT ", "ARRAY[", ""),
        ("SELECT ", "MAP[", ""),
        ("SELECT a", "[1]", ""),
        ("SELECT 1", " + 1", ""),
        ("SELECT 1", " OR 1", ""),
        ("SELECT a", " IS NULL", ""),
        ("SELECT ", "JSON_VALUE(", ""),
        ("SELECT * FROM ", "(SELECT * FROM ", "t"),
        ("SELECT * FROM ", "(", "t"),
        ("", "(", "SELECT 1"),
        ("SELECT 1", " UNION SELECT 1", ""),
        ("SELECT 1", " BETWEEN 1 AND 2", ""),
        ("CREATE TABLE t (a ", "ARRAY<", "INT"),
        ("SELECT 1", " EXCEPT SELECT 1", ""),
        ("CREATE TABLE t (a ", "ROW<a ", "INT"),
        ("CREATE TABLE t (a INT", " ARRAY", ")"),
        ("SELECT CAST(a AS ", "ARRAY<", "INT"),
        ("", "EXPLAIN ", "SELECT 1"),
        ("", "EXECUTE ", "SELECT 1"),
    ] {
        let text = format!("{open}{}{close}", middle.repeat(deep));
        let label = format!("{open}{middle}…");
        let outcome = on_a_small_stack(move || parse_one(&text).map(drop));
        assert!(outcome.is_err(), "{label}");
    }
}

#[test]
fn what_is_allowed_fits_the_stack() {
    for (count, open, middle, close, end) in [
        (1900, "SELECT 1", " + 1", "", ""),
        (1900, "SELECT 1 FROM t WHERE a = 1", " OR a = 1", "", ""),
        (1900, "SELECT 1", " UNION ALL SELECT 1", "", ""),
        (30, "SELECT ", "COALESCE(x, ", "1", ")"),
        (40, "SELECT ", "(", "1", ")"),
        (15, "SELECT * FROM ", "(SELECT * FROM ", "t", ")"),
        (40, "CREATE TABLE t (a ", "ARRAY<", "INT", ">"),
    ] {
        let count = if middle.contains("a = 1") { count / 2 } else { count };
        let tail = if open.starts_with("CREATE") { ")" } else { "" };
        let text = format!("{open}{}{close}{}{tail}", middle.repeat(count), end.repeat(count));
        let label = format!("{open}{middle}…");
        on_a_small_stack(move || {
            let statement = parse_one(&text).unwrap_or_else(|error| panic!("{label}: {error}"));
            // Walking, printing and dropping recurse too.
            if let Statement::Query(query) = &statement {
                assert!(!query.query.to_string().is_empty());
                let _ = query.query.clone();
            }
        });
    }
}

#[test]
fn long_chains_with_an_error_at_their_end_fit_the_stack() {
    for (open, middle) in [
        ("SELECT 1", " + 1"),
        ("SELECT 1", " UNION ALL SELECT 1"),
        ("SELECT 1", " EXCEPT SELECT 1"),
        ("SELECT 1 FROM t WHERE a", " IS NULL"),
        ("SELECT a", "[1]"),
    ] {
        let text = format!("{open}{} FROM FROM )", middle.repeat(900));
        assert!(on_a_small_stack(move || parse_one(&text).map(drop)).is_err());
    }
}

#[test]
fn broken_nests_take_no_exponential_time() {
    let mut slow = Vec::new();
    for (open, middle) in [
        ("SELECT ", "f("),
        ("SELECT ", "CAST("),
        ("SELECT ", "CASE WHEN "),
        ("SELECT ", "TRIM("),
        ("SELECT ", "SUBSTRING("),
        ("SELECT ", "EXTRACT("),
        ("SELECT ", "FLOOR("),
        ("SELECT ", "CONVERT("),
        ("SELECT ", "OVERLAY("),
        ("SELECT ", "POSITION("),
        ("SELECT ", "INTERVAL "),
        ("SELECT ", "ARRAY["),
        ("SELECT ", "ARRAY("),
        ("SELECT ", "EXISTS("),
        ("SELECT ", "ROW("),
        ("SELECT ", "f(x => "),
        ("SELECT ", "JSON_OBJECT('a' VALUE "),
        ("SELECT ", "STRUCT("),
        ("SELECT ", "STRUCT<"),
        ("SELECT ", "NULLABLE("),
        ("SELECT ", "TUPLE("),
        ("SELECT ", "NESTED(a "),
        ("SELECT ", "MAP("),
        ("SELECT ", "MAP<"),
        ("SELECT ", "ARRAY<"),
        ("SELECT ", "SETOF "),
        ("SELECT ", "TABLE(a "),
        ("SELECT ", "ENUM("),
        ("SELECT ", "x.NULLABLE("),
        ("SELECT ", "MAP[1, "),
        ("SELECT ", "CASE x WHEN "),
        ("SELECT ", "x BETWEEN SYMMETRIC "),
        ("SELECT ", "x LIKE "),
        ("SELECT ", "EXISTS (SELECT "),
        ("SELECT ", "(SELECT "),
        ("SELECT ", "JSON_VALUE("),
        ("SELECT ", "a + ("),
        ("SELECT * FROM t ORDER BY ", "f("),
        ("SELECT * FROM t GROUP BY ", "ROLLUP ("),
        ("SELECT * FROM t WHERE ", "a AND ("),
        ("SELECT * FROM ", "UNNEST("),
        ("SELECT * FROM ", "t AS x (a "),
        ("SELECT * FROM t AS x (a ", "NULLABLE("),
        ("SELECT * FROM t AS x (a ", "ARRAY<"),
        ("SELECT * FROM t AS x (a ", "STRUCT<b INT, a "),
        ("SELECT * FROM t AS x (a ", "MAP<STRING, "),
        ("SELECT * FROM t AS x (a ", "SETOF "),
        ("SELECT * FROM t MATCH_RECOGNIZE (PATTERN ", "("),
        ("SELECT * FROM t JOIN LATERAL ", "TABLE(f("),
        ("VALUES ", "("),
        ("INSERT INTO t ", "("),
        ("EXPLAIN ", "("),
        ("CREATE VIEW v AS ", "("),
        ("CREATE TABLE t (a AS ", "f("),
        ("SELECT ", "a IN ("),
        ("SELECT ", "a OVER ("),
        ("SELECT * FROM ", "(SELECT * FROM "),
        ("SELECT * FROM ", "("),
        ("SELECT * FROM ", "(t JOIN "),
        ("SELECT * FROM ", "TABLE(f("),
        ("SELECT * FROM ", "f(TABLE "),
        ("SELECT * FROM ", "LATERAL ("),
        ("", "WITH a AS ("),
        ("", "("),
    ] {
        for depth in [25, 60, 90, 290, 380, 1500] {
            let text = format!("{open}{}@", middle.repeat(depth)).replace('@', "FROM FROM )");
            let start = Instant::now();
            let _ = on_a_small_stack(move || parse_one(&text).map(drop));
            if start.elapsed() > Duration::from_secs(2) {
                slow.push(format!("{open}{middle}… {depth}: {:?}", start.elapsed()));
            }
        }
    }
    assert!(slow.is_empty(), "{}", slow.join("\n"));
}

type Generator = Box<dyn Fn(usize) -> String>;

#[test]
fn time_grows_with_the_text_and_no_faster() {
    let statement = "CREATE TABLE t (a INT, b STRING COMMENT 'x') WITH ('connector' = 'print', 'k' = 'v');\n";
    let values = |rows: usize| format!("INSERT INTO t VALUES {}", vec!["(1, 'abc', 2.5)"; rows].join(", "));
    let columns =
        |n: usize| format!("CREATE TABLE t ({})", (0..n).map(|i| format!("c{i} INT")).collect::<Vec<_>>().join(", "));
    let generators: [(&str, Generator); 6] = [
        ("statements", Box::new(move |n| statement.repeat(n))),
        ("values", Box::new(values)),
        ("columns", Box::new(columns)),
        ("list", Box::new(|n| format!("SELECT * FROM t WHERE a IN ({})", vec!["1"; n * 4].join(", ")))),
        ("comments", Box::new(|n| format!("SELECT 1 {}", "/* x */ -- y\n".repeat(n * 4)))),
        ("string", Box::new(|n| format!("SELECT '{}'", "ab''".repeat(n * 20)))),
    ];
    for (name, generate) in generators {
        let time = |n: usize| {
            let text = generate(n);
            (0..3)
                .map(|_| {
                    let start = Instant::now();
                    parse_script(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
                    start.elapsed()
                })
                .min()
                .unwrap_or_default()
        };
        let (small, large) = (time(1000), time(8000));
        // Eight times the text; quadratic time would be 64 times as much.
        assert!(large < small * 32 + Duration::from_millis(50), "{name}: {small:?} -> {large:?}");
    }
}

fn sql_words() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "SELECT",
        "FROM",
        "WHERE",
        "CREATE",
        "TABLE",
        "VIEW",
        "INSERT",
        "INTO",
        "VALUES",
        "WITH",
        "AS",
        "(",
        ")",
        ",",
        ";",
        ".",
        "'a'",
        "`b`",
        "t",
        "x",
        "1",
        "1.5",
        "=",
        "<>",
        "<",
        ">",
        "+",
        "-",
        "*",
        "/",
        "[",
        "]",
        "JOIN",
        "ON",
        "GROUP",
        "BY",
        "ORDER",
        "CASE",
        "WHEN",
        "THEN",
        "ELSE",
        "END",
        "CAST",
        "INT",
        "ROW",
        "MAP",
        "ARRAY",
        "BEGIN",
        "STATEMENT",
        "SET",
        "EXECUTE",
        "EXPLAIN",
        "PRIMARY",
        "KEY",
        "NOT",
        "ENFORCED",
        "WATERMARK",
        "FOR",
        "METADATA",
        "INTERVAL",
        "SECOND",
        "TIMESTAMP",
        "UNION",
        "ALL",
        "IN",
        "IS",
        "NULL",
        "JSON",
        "BETWEEN",
        "SYMMETRIC",
        "AND",
        "/*+ OPTIONS('a'='b') */",
        "/*+",
        "*/",
        "--",
        "'",
        "`",
        "\"",
        "\n",
        "=>",
        "DESCRIPTOR",
        "LATERAL",
        "UNNEST",
        "OVER",
        "PARTITION",
        "LIKE",
        "SHOW",
        "DROP",
        "IF",
        "EXISTS",
        "DEFAULT",
        "MATCH_RECOGNIZE",
        "PATTERN",
        "DEFINE",
        "{",
        "}",
        "|",
        "?",
        "JSON_VALUE",
        "RETURNING",
        "EMPTY",
        "ERROR",
        "U&'\\00e9'",
        "X'ff'",
        "UESCAPE",
        "$",
        "数",
        "LIMIT",
        "OFFSET",
        "FETCH",
        "QUALIFY",
        "WINDOW",
        "FILTER",
        "DISTINCT",
        "PIVOT",
        "TABLESAMPLE",
        "SYSTEM_TIME",
        "OF",
    ]);
    prop::collection::vec(words, 0..40).prop_map(|words| words.join(" "))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_panics(text in ".{0,200}") {
        read_all(&text);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read_all(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_words_panic(text in sql_words()) {
        read_all(&text);
    }

    #[test]
    fn no_query_of_words_panics(text in sql_words()) {
        read_all(&format!("SELECT {text}"));
        read_all(&format!("CREATE TABLE t ({text}"));
    }

    #[test]
    fn errors_have_a_place_inside_the_text(text in sql_words()) {
        if let Err(error) = parse_script(&text) {
            let at = error.position().expect("every error of the parser has a place");
            prop_assert!(at.line >= 1 && at.line <= text.lines().count().max(1) as u64);
            prop_assert!(at.column >= 1);
        }
    }

    #[test]
    fn split_loses_nothing_but_comments_and_semicolons(text in "[a-z0-9 ;\n]{0,80}") {
        let joined: String = split(&text).unwrap().iter().map(|raw| raw.text().to_owned()).collect();
        let squeeze = |text: &str| text.chars().filter(|c| !c.is_whitespace() && *c != ';').collect::<String>();
        prop_assert_eq!(squeeze(&joined), squeeze(&text));
    }
}
