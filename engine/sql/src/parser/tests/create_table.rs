//! `CREATE TABLE`, read and printed.

use super::super::{ColumnKind, LikeFeature, LikeStrategy, format_create_table, format_create_view};
use super::super::{Statement, parse_one};
use super::{create_table, statement};

const FULL: [&str; 3] = ["default_catalog", "default_database", "t"];

const EVERYTHING: &str = "CREATE TEMPORARY TABLE IF NOT EXISTS t (
  id BIGINT NOT NULL COMMENT 'the id',
  name STRING,
  price DECIMAL(10, 2) NULL,
  r ROW<a INT, `b c` TIMESTAMP(3)>,
  m MAP<STRING, ARRAY<INT>>,
  ts TIMESTAMP_LTZ(3),
  op STRING METADATA FROM 'row_kind' VIRTUAL COMMENT 'kind',
  `timestamp` TIMESTAMP(3) METADATA,
  cost AS price * 2 COMMENT 'it''s double',
  p AS PROCTIME(),
  CONSTRAINT pk PRIMARY KEY (id, name) NOT ENFORCED,
  WATERMARK FOR ts AS ts - INTERVAL '5' SECOND
) COMMENT 'a table'
DISTRIBUTED BY HASH (id) INTO 4 BUCKETS
PARTITIONED BY (name)
WITH ('password' = 'hunter2', 'connector' = 'mysql-cdc', 'url' = 'jdbc:mysql://u:pw@h/d', 'x' = '')";

#[test]
fn every_clause_is_read() {
    let table = create_table(EVERYTHING);
    assert!(table.temporary && table.if_not_exists);
    let kinds: Vec<String> = table
        .columns
        .iter()
        .map(|column| {
            let kind = match &column.kind {
                ColumnKind::Physical(ty) => {
                    format!("{} {}", ty.sql_type, if ty.nullable { "NULL" } else { "NOT NULL" })
                }
                ColumnKind::Computed(expr) => format!("AS {}", expr.text),
                ColumnKind::Metadata { data_type, from, is_virtual } => {
                    format!("{} METADATA {from:?} {is_virtual}", data_type.sql_type)
                }
                ColumnKind::NameOnly => String::new(),
            };
            format!("{}: {kind} {}", column.name.value, column.comment.as_deref().unwrap_or("-"))
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "id: BIGINT NOT NULL the id",
            // Part of the key, so never NULL.
            "name: STRING NOT NULL -",
            "price: DECIMAL(10, 2) NULL -",
            "r: ROW<`a` INT, `b c` TIMESTAMP(3)> NULL -",
            "m: MAP<STRING, ARRAY<INT>> NULL -",
            "ts: TIMESTAMP_LTZ(3) NULL -",
            "op: STRING METADATA Some(\"row_kind\") true kind",
            "timestamp: TIMESTAMP(3) METADATA None false -",
            "cost: AS price * 2 it's double",
            "p: AS PROCTIME() -",
        ]
    );
    let key = table.primary_key.unwrap();
    assert_eq!(key.constraint.unwrap().value, "pk");
    assert_eq!(key.columns.iter().map(|column| column.value.as_str()).collect::<Vec<_>>(), ["id", "name"]);
    let watermark = table.watermark.unwrap();
    assert_eq!((watermark.column[0].value.as_str(), watermark.expr.text.as_str()), ("ts", "ts - INTERVAL '5' SECOND"));
    assert_eq!(watermark.position.line, 13);
    assert_eq!(table.comment.as_deref(), Some("a table"));
    assert_eq!(table.distribution.unwrap().buckets, Some(4));
    assert_eq!(table.partitioned_by[0].value, "name");
    assert_eq!(table.options.get("password"), Some("hunter2"));
    let place = table.options.position_of("connector").unwrap();
    assert_eq!((place.line, place.column), (17, 31));
}

#[test]
fn show_create_table_prints_the_form_of_flink_without_secrets() {
    assert_eq!(
        format_create_table(&create_table(EVERYTHING), &FULL),
        "CREATE TEMPORARY TABLE `default_catalog`.`default_database`.`t` (
  `id` BIGINT NOT NULL COMMENT 'the id',
  `name` VARCHAR(2147483647) NOT NULL,
  `price` DECIMAL(10, 2),
  `r` ROW<`a` INT, `b c` TIMESTAMP(3)>,
  `m` MAP<VARCHAR(2147483647), ARRAY<INT>>,
  `ts` TIMESTAMP(3) WITH LOCAL TIME ZONE,
  `op` VARCHAR(2147483647) METADATA FROM 'row_kind' VIRTUAL COMMENT 'kind',
  `timestamp` TIMESTAMP(3) METADATA,
  `cost` AS `price` * 2 COMMENT 'it''s double',
  `p` AS PROCTIME(),
  WATERMARK FOR `ts` AS `ts` - INTERVAL '5' SECOND,
  CONSTRAINT `pk` PRIMARY KEY (`id`, `name`) NOT ENFORCED
)
COMMENT 'a table'
DISTRIBUTED BY HASH (`id`) INTO 4 BUCKETS
PARTITIONED BY (`name`)
WITH (
  'connector' = 'mysql-cdc',
  'password' = '******',
  'url' = 'jdbc:mysql://u:******@h/d',
  'x' = ''
)
"
    );
}

#[test]
fn what_is_printed_can_be_read_again() {
    for sql in [
        EVERYTHING,
        "CREATE TABLE t (id INT PRIMARY KEY NOT ENFORCED)",
        "CREATE TABLE t (`a``b` INT, c AS `a``b` + 1)",
        "CREATE TABLE t (a INT) WITH ('k' = 'it''s')",
        "CREATE TABLE t (a INT) DISTRIBUTED INTO 3 BUCKETS",
        "CREATE TABLE t (r ROW<x INT>, c AS r.x, d AS CAST(r AS ROW<y BIGINT>))",
        "CREATE TABLE t (ts TIMESTAMP(3), WATERMARK FOR ts AS SOURCE_WATERMARK())",
        "CREATE TABLE t (a INT) LIKE c.d.s (INCLUDING ALL OVERWRITING OPTIONS EXCLUDING WATERMARKS)",
        "CREATE TABLE t LIKE s",
        "CREATE TABLE t WITH ('a'='b') AS SELECT * FROM s",
        "CREATE TABLE t (a INT, d AS TIMESTAMPDIFF(DAY, DATE '2020-01-01', CURRENT_DATE))",
    ] {
        let printed = format_create_table(&create_table(sql), &FULL);
        let again = format_create_table(&create_table(&printed), &FULL);
        assert_eq!(printed, again, "{sql}");
    }
}

#[test]
fn a_key_without_a_name_gets_one() {
    for sql in [
        "CREATE TABLE t (id INT PRIMARY KEY NOT ENFORCED, b INT)",
        "CREATE TABLE t (id INT, b INT, PRIMARY KEY (id) NOT ENFORCED)",
        "CREATE TABLE t (id INT CONSTRAINT `PK_id` PRIMARY KEY NOT ENFORCED, b INT)",
        "CREATE TABLE t (PRIMARY KEY (id) NOT ENFORCED, id INT, b INT)",
    ] {
        assert_eq!(
            format_create_table(&create_table(sql), &["t"]),
            "CREATE TABLE `t` (\n  `id` INT NOT NULL,\n  `b` INT,\n  CONSTRAINT `PK_id` PRIMARY KEY (`id`) NOT ENFORCED\n)\n",
            "{sql}"
        );
    }
}

#[test]
fn views_are_printed_with_their_columns() {
    let Statement::CreateView(view) = statement("CREATE VIEW v COMMENT 'c' AS SELECT a, 1 FROM t") else { panic!() };
    assert_eq!(
        format_create_view(&view, &["c", "d", "v"], &["a".to_owned(), "EXPR$1".to_owned()]),
        "CREATE VIEW `c`.`d`.`v` (\n  `a`,\n  `EXPR$1`\n)\nCOMMENT 'c'\nAS SELECT a, 1 FROM t\n"
    );
}

#[test]
fn like_and_as_bring_columns() {
    let table = create_table(
        "CREATE TABLE t (c AS unknown_here + 1, WATERMARK FOR ts AS ts) WITH ('a'='b')
         LIKE c.s (EXCLUDING ALL INCLUDING GENERATED OVERWRITING METADATA)",
    );
    let like = table.like.unwrap();
    assert_eq!(like.source.to_string(), "c.s");
    assert_eq!(
        like.options.iter().map(|option| (option.strategy, option.feature)).collect::<Vec<_>>(),
        [
            (LikeStrategy::Excluding, LikeFeature::All),
            (LikeStrategy::Including, LikeFeature::Generated),
            (LikeStrategy::Overwriting, LikeFeature::Metadata)
        ]
    );
    let table = create_table("CREATE TABLE t (b, a) WITH ('a'='b') AS SELECT a, b FROM s /*+ OPTIONS('x'='y') */");
    assert!(matches!(table.columns[0].kind, ColumnKind::NameOnly));
    assert!(!table.as_query.unwrap().hints.is_empty());
    assert!(create_table("CREATE TABLE t LIKE s").columns.is_empty());
}

#[test]
fn styles_found_in_the_wild() {
    for sql in [
        "create table t(id int,name string,primary key(id) not enforced)with('connector'='print')",
        "CREATE TABLE t (\n  id INT\n, name STRING\n, PRIMARY KEY (id) NOT ENFORCED\n)\nWITH\n(\n 'a' = 'b'\n)",
        "CREATE TABLE t (`id` INT NOT NULL, /* c */ `db` STRING METADATA FROM 'database_name' VIRTUAL -- x\n)",
        "CREATE TABLE t (id INT) WITH ()",
        "CREATE TABLE t (type STRING, key STRING, data STRING, status INT, comment STRING, version INT, metadata STRING)",
        "CREATE TABLE t (ts BIGINT, rt AS TO_TIMESTAMP_LTZ(ts, 3), WATERMARK FOR rt AS rt - INTERVAL '1' SECOND)",
        "CREATE TABLE t (a ROW<ts TIMESTAMP(3)>, WATERMARK FOR a.ts AS a.ts)",
        "CREATE TABLE t (id INT, dt AS DATE_FORMAT(PROCTIME(), 'yyyy'), x AS CAST(id AS STRING) || '-x')",
    ] {
        parse_one(sql).unwrap_or_else(|error| panic!("{sql}\n{error}"));
    }
}
