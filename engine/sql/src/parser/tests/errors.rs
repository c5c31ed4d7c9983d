//! Errors: what they say, where they point, what they advise.

use super::{super::parse_script, error};

/// SQL, what, line:column, hint.
const MISTAKES: &[(&str, &str, (u64, u64), &str)] = &[
    // statements
    ("CRAETE TABLE t (a INT)", "unknown statement 'CRAETE'", (1, 1), "did you mean CREATE?"),
    ("SELCT 1", "unknown statement 'SELCT'", (1, 1), "did you mean SELECT?"),
    (
        "CREATE TABEL t (a INT)",
        "expected TABLE, VIEW, DATABASE, CATALOG or FUNCTION but found 'TABEL'",
        (1, 8),
        "did you mean TABLE?",
    ),
    ("INSERT t SELECT 1", "expected INTO or OVERWRITE but found 't'", (1, 8), ""),
    ("INSERT INTO t", "expected SELECT, VALUES or WITH but found the end of the statement", (1, 14), ""),
    ("DROP TABLE", "expected the name of the table but found the end of the statement", (1, 11), ""),
    ("123", "expected a statement but found '123'", (1, 1), ""),
    ("'abc'", "expected a statement but found a string", (1, 1), ""),
    // columns
    ("CREATE TABLE t (a INT b STRING)", "expected ',' or ')' but found 'b'", (1, 23), "is a comma missing before 'b'?"),
    (
        "CREATE TABLE t (a INT, b STRING,)",
        "expected another column but found ')'",
        (1, 33),
        "remove the comma before it",
    ),
    ("CREATE TABLE t (a INT,, b INT)", "expected a column but found ','", (1, 23), "there is one comma too many"),
    (
        "CREATE TABLE t (a INT",
        "expected ',' or ')' but found the end of the statement",
        (1, 22),
        "the list of columns is never closed: add the missing ')'",
    ),
    (
        "CREATE TABLE t (timestamp TIMESTAMP(3))",
        "expected the name of a column but found the reserved word 'timestamp'",
        (1, 17),
        "quote it with backticks: `timestamp`",
    ),
    (
        "CREATE TABLE t (a INT, value STRING)",
        "expected the name of a column but found the reserved word 'value'",
        (1, 24),
        "quote it with backticks: `value`",
    ),
    (
        "CREATE TABLE order (a INT)",
        "expected the name of the table but found the reserved word 'order'",
        (1, 14),
        "quote it with backticks: `order`",
    ),
    ("CREATE TABLE t (a INTT)", "unknown type 'INTT'", (1, 19), "did you mean INT?"),
    ("CREATE TABLE t (a DATETIME)", "unknown type 'DATETIME'", (1, 19), "did you mean TIMESTAMP(3)?"),
    ("CREATE TABLE t (a DECIMAL(40, 2))", "the precision of DECIMAL must be between 1 and 38, but is 40", (1, 27), ""),
    (
        "CREATE TABLE t (a INT DEFAULT 5)",
        "expected ',' or ')' but found 'DEFAULT'",
        (1, 23),
        "columns have no default here",
    ),
    ("CREATE TABLE t (a INT COMENT 'x')", "expected ',' or ')' but found 'COMENT'", (1, 23), "did you mean COMMENT?"),
    (
        "CREATE TABLE t (a STRING METADTA FROM 'x')",
        "expected ',' or ')' but found 'METADTA'",
        (1, 26),
        "did you mean METADATA?",
    ),
    ("CREATE TABLE t (a INT, a STRING)", "the table has two columns called 'a'", (1, 24), ""),
    ("CREATE TABLE t (a)", "column 'a' has no type", (1, 17), ""),
    ("CREATE TABLE t WITH ('a'='b')", "table 't' has no columns", (1, 14), ""),
    (
        "CREATE TABLE t (\"a\" INT)",
        "double quotes have no meaning in this SQL dialect",
        (1, 17),
        "use single quotes for a string ('text') and backticks for a name (`name`)",
    ),
    // keys
    (
        "CREATE TABLE t (a INT, PRIMARY KEY (a))",
        "a primary key must be declared NOT ENFORCED",
        (1, 39),
        "write PRIMARY KEY (…) NOT ENFORCED",
    ),
    (
        "CREATE TABLE t (a INT PRIMARY KEY)",
        "a primary key must be declared NOT ENFORCED",
        (1, 34),
        "write PRIMARY KEY (…) NOT ENFORCED",
    ),
    (
        "CREATE TABLE t (a INT, PRIMARY KEY (a) ENFORCED)",
        "a primary key cannot be ENFORCED",
        (1, 40),
        "write PRIMARY KEY (…) NOT ENFORCED",
    ),
    (
        "CREATE TABLE t (a INT PRIMARY KEY NOT ENFORCED, b INT PRIMARY KEY NOT ENFORCED)",
        "the table has two primary keys",
        (1, 55),
        "a key of several columns is written PRIMARY KEY (a, b) NOT ENFORCED, once",
    ),
    (
        "CREATE TABLE t (id INT, PRIMARY KEY (idd) NOT ENFORCED)",
        "the primary key names the unknown column 'idd'",
        (1, 38),
        "did you mean 'id'?",
    ),
    (
        "CREATE TABLE t (id INT, PRIMARY KEY (ID) NOT ENFORCED)",
        "the primary key names the unknown column 'ID'",
        (1, 38),
        "names are case-sensitive: did you mean 'id'?",
    ),
    (
        "CREATE TABLE t (id INT, PRIMARY KEY (id, id) NOT ENFORCED)",
        "the primary key names column 'id' twice",
        (1, 42),
        "",
    ),
    (
        "CREATE TABLE t (id INT, c AS id + 1, PRIMARY KEY (c) NOT ENFORCED)",
        "column 'c' cannot be part of the primary key",
        (1, 51),
        "",
    ),
    (
        "CREATE TABLE t (id INT, UNIQUE (id))",
        "UNIQUE is not supported",
        (1, 25),
        "declare a PRIMARY KEY (…) NOT ENFORCED",
    ),
    // watermarks and computed columns
    (
        "CREATE TABLE t (ts TIMESTAMP(3), WATERMARK FOR tss AS ts)",
        "the watermark names the unknown column 'tss'",
        (1, 48),
        "did you mean 'ts'?",
    ),
    (
        "CREATE TABLE t (ts TIMESTAMP(3), WATERMARK FOR ts AS tz - INTERVAL '5' SECOND)",
        "the watermark names the unknown column 'tz'",
        (1, 54),
        "did you mean 'ts'?",
    ),
    (
        "CREATE TABLE t (ts TIMESTAMP(3), WATERMARK FOR ts AS ts, WATERMARK FOR ts AS ts)",
        "a table has one watermark at most",
        (1, 58),
        "",
    ),
    (
        "CREATE TABLE t (price INT, c AS prize * 2)",
        "computed column 'c' names the unknown column 'prize'",
        (1, 33),
        "did you mean 'price'?",
    ),
    (
        "CREATE TABLE t (a INT, b AS a + 1, c AS b + 1)",
        "computed column 'c' uses the computed column 'b'",
        (1, 41),
        "repeat the expression, or use a view",
    ),
    ("CREATE TABLE t (a INT, b AS (SELECT 1))", "a computed column or watermark must not contain a query", (1, 30), ""),
    (
        "CREATE TABLE t (ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL x SECOND)",
        "an INTERVAL takes a number in single quotes",
        (1, 68),
        "write it like INTERVAL '5' SECOND",
    ),
    ("CREATE TABLE t (a INT) PARTITIONED BY (dt)", "PARTITIONED BY names the unknown column 'dt'", (1, 40), ""),
    // options
    (
        "CREATE TABLE t (a INT) WITH (\"connector\" = \"print\")",
        "double quotes have no meaning in this SQL dialect",
        (1, 30),
        "use single quotes for a string ('text') and backticks for a name (`name`)",
    ),
    (
        "CREATE TABLE t (a INT) WITH (connector = 'print')",
        "the key of an option must be in single quotes",
        (1, 30),
        "write it as '…'",
    ),
    (
        "CREATE TABLE t (a INT) WITH ('connector' = print)",
        "the value of the option must be in single quotes",
        (1, 44),
        "write it as '…'",
    ),
    (
        "CREATE TABLE t (a INT) WITH ('port' = 3306)",
        "the value of the option must be in single quotes",
        (1, 39),
        "write it as '…'",
    ),
    (
        "CREATE TABLE t (a INT) WITH ('x' = true)",
        "the value of the option must be in single quotes",
        (1, 36),
        "write it as 'true'",
    ),
    (
        "CREATE TABLE t (a INT) WITH ('a' = 'b' 'c' = 'd')",
        "expected ',' or ')' but found a string",
        (1, 40),
        "add a comma between the options",
    ),
    (
        "CREATE TABLE t (a INT) WITH ('a' = 'b',)",
        "expected another option but found ')'",
        (1, 40),
        "remove the comma after the last option",
    ),
    (
        "CREATE TABLE t (a INT) WITH ('a' 'b')",
        "expected '=' but found a string",
        (1, 34),
        "options are written 'key' = 'value'",
    ),
    (
        "CREATE TABLE t (a INT) WITH ('a' = 'b'",
        "expected ',' or ')' but found the end of the statement",
        (1, 39),
        "the '(' after WITH is never closed",
    ),
    (
        "CREATE TABLE t (a INT) WTIH ('a' = 'b')",
        "expected COMMENT, PARTITIONED, WITH, LIKE or AS but found 'WTIH'",
        (1, 24),
        "did you mean WITH?",
    ),
    (
        "CREATE TABLE t (a INT) ('a' = 'b')",
        "expected COMMENT, PARTITIONED, WITH, LIKE or AS but found '('",
        (1, 24),
        "options are written WITH ('key' = 'value', …)",
    ),
    (
        "CREATE TABLE t (a INT) WITH ('a'='b') PARTITIONED BY (a)",
        "PARTITIONED is at the wrong place",
        (1, 39),
        "the order is: (columns) COMMENT DISTRIBUTED PARTITIONED BY WITH, and then LIKE or AS",
    ),
    ("CREATE TABLE t (a INT) WITH (‘a’ = 'b')", "unexpected character '‘'", (1, 30), "use a plain single quote: '"),
    (
        "CREATE TABLE t LIKE s (OVERWRITING CONSTRAINTS)",
        "OVERWRITING CONSTRAINTS does not exist",
        (1, 24),
        "only GENERATED, METADATA, OPTIONS and WATERMARKS can be overwritten",
    ),
    (
        "CREATE TABLE t LIKE s (INCLUDING OPTOINS)",
        "expected ALL, CONSTRAINTS, DISTRIBUTION, GENERATED, METADATA, OPTIONS, PARTITIONS or WATERMARKS but found 'OPTOINS'",
        (1, 34),
        "did you mean OPTIONS?",
    ),
    // queries
    (
        "SELECT a, FROM t",
        "expected an expression but found the reserved word 'FROM'",
        (1, 11),
        "remove the comma before FROM, or add what is missing between them",
    ),
    (
        "SELECT a b c FROM t",
        "expected the end of the statement but found 'c'",
        (1, 12),
        "is a comma or an operator missing before 'c'?",
    ),
    (
        "SELECT a FORM t",
        "expected the end of the statement but found 't'",
        (1, 15),
        "did you mean FROM instead of 'FORM'?",
    ),
    (
        "SELECT a FROM t WEHRE a = 1",
        "expected the end of the statement but found 'a'",
        (1, 23),
        "did you mean WHERE instead of 'WEHRE'?",
    ),
    ("SELECT a FROM t WHERE", "expected an expression but found the end of the statement", (1, 22), ""),
    ("SELECT a FROM t WHERE a = ", "expected an expression but found the end of the statement", (1, 26), ""),
    ("SELECT a FROM t GROUP a", "expected the end of the statement but found 'GROUP'", (1, 17), "write GROUP BY"),
    (
        "SELECT value FROM t",
        "expected an expression but found the reserved word 'value'",
        (1, 8),
        "if it is a name, quote it with backticks: `value`",
    ),
    ("SELECT COUNT(a FROM t", "expected ')' but found 'FROM'", (1, 16), ""),
    ("SELECT (a + b FROM t", "expected ')' but found 'FROM'", (1, 15), ""),
    (
        "SELECT a) FROM t",
        "expected the end of the statement but found ')'",
        (1, 9),
        "this ')' closes nothing: remove it, or add the '(' before it",
    ),
    (
        "SELECT * FROM (SELECT a FROM t",
        "expected ')' but found the end of the statement",
        (1, 31),
        "a '(' is never closed: add the missing ')'",
    ),
    (
        "SELECT * FROM (SELECT a, FROM t) x",
        "expected an expression but found the reserved word 'FROM'",
        (1, 26),
        "remove the comma before FROM, or add what is missing between them",
    ),
    (
        "SELECT * FROM a JOIN (SELECT b FROM (SELECT c d e FROM t)) x ON TRUE",
        "expected ')' but found 'e'",
        (1, 49),
        "is a comma or an operator missing before 'e'?",
    ),
    ("SELECT CASE WHEN a = 1 THEN FROM t", "expected an expression but found the reserved word 'FROM'", (1, 29), ""),
    ("SELECT CAST(a AS STRIN) FROM t", "unknown type 'STRIN'", (1, 18), "did you mean STRING?"),
    ("SELECT CAST(a INT) FROM t", "expected AS but found 'INT'", (1, 15), ""),
    (
        "SELECT * FROM @t",
        "unexpected character '@'",
        (1, 15),
        "put a name with special characters in backticks, and a text in single quotes",
    ),
    ("SELECT a FROM t WHERE x = U&'\\12'", "an escape in this string needs 4 hexadecimal digits", (1, 27), ""),
    ("SELECT X'abc'", "a binary literal holds pairs of hexadecimal digits", (1, 8), "write it like X'0AFF'"),
    (
        "SELECT * FROM o JOIN c AS x FOR SYSTEM_TIME AS OF o.p ON o.id = x.id",
        "FOR SYSTEM_TIME is at the wrong place",
        (1, 29),
        "write it directly behind the table's name: t FOR SYSTEM_TIME AS OF o.time AS alias",
    ),
    ("SELECT a FROM WHERE b", "expected a table but found the reserved word 'WHERE'", (1, 15), ""),
    ("SELECT a FROM order", "expected a table but found the reserved word 'order'", (1, 15), ""),
    (
        "SELECT a AS from FROM t",
        "the reserved word 'from' cannot be an alias",
        (1, 13),
        "if it is a name, quote it with backticks: `from`",
    ),
    (
        "SELECT * FROM t MATCH_RECOGNIZE (ORDER BY ts PATTERN (A) WITHIN INTERVAL '1' HOUR DEFINE A AS TRUE)",
        "MATCH_RECOGNIZE … WITHIN is not supported yet",
        (1, 58),
        "",
    ),
    ("SELECT * FROM a JOIN (SELECT b FROM (SELECT c FROM t) x ON TRUE", "expected ')' but found 'ON'", (1, 57), ""),
];

#[test]
fn mistakes_are_explained() {
    let mut wrong = Vec::new();
    for (sql, what, place, hint) in MISTAKES {
        let error = error(sql);
        let place = Some(*place);
        let found = (error.what(), error.position().map(|at| (at.line, at.column)), error.hint().unwrap_or_default());
        if found != (*what, place, *hint) {
            wrong.push(format!("{sql}\n  {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn places_count_from_the_start_of_the_script() {
    let script = "-- 任务\nSET 'a' = 'b';\n\nCREATE TABLE t (\n  a INT,\n  名 STRING,\n  c INTT\n);";
    let error = parse_script(script).unwrap_err();
    assert_eq!((error.what(), error.position().map(|at| (at.line, at.column))), ("unknown type 'INTT'", Some((7, 5))));

    let error = parse_script("SELECT 1;\nINSERT INTO t\nSELECT a,\n  '中文' x y\nFROM s;").unwrap_err();
    assert_eq!(error.position().map(|at| (at.line, at.column)), Some((4, 10)));
}

#[test]
fn secrets_are_not_repeated() {
    for sql in [
        "CREATE TABLE t (a INT) WITH ('password' 'hunter2')",
        "CREATE TABLE t (a INT) WITH ('password' = 'x' 'hunter2')",
        "CREATE TABLE t (a INT) WITH ('password' = hunter2)",
        "SET 'password' = hunter2",
        "SET password hunter2 = 'a",
        "SET 'password' 'hunter2'",
        "SELECT * FROM t /*+ OPTIONS('password'='x' 'hunter2') */",
        "SELECT 'a' FROM t 'x' 'hunter2'",
    ] {
        if let Err(error) = parse_script(sql) {
            assert!(!error.to_string().contains("hunter2"), "{sql}: {error}");
        } else {
            panic!("{sql}");
        }
    }
}
