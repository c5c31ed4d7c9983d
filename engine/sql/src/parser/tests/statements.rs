//! Every kind of statement of the dialect.

use super::super::{
    Describe, DropKind, Explain, ExplainDetail, LikePattern, ObjectPath, Show, Statement, parse, split,
};
use super::{error, statement};

/// A statement in one line, for tables.
fn summary(statement: &Statement) -> String {
    match statement {
        Statement::CreateTable(table) => format!("create table {} ({} columns)", table.name, table.columns.len()),
        Statement::CreateView(view) => format!(
            "create view {} {:?} {:?} as {}{}{}",
            view.name,
            view.columns.iter().map(|column| column.value.as_str()).collect::<Vec<_>>(),
            view.comment,
            view.query.text,
            if view.temporary { " temporary" } else { "" },
            if view.or_replace {
                " or replace"
            } else if view.if_not_exists {
                " if not exists"
            } else {
                ""
            },
        ),
        Statement::CreateDatabase(database) => {
            format!("create database {} {} {:?}", database.name, database.if_not_exists, database.comment)
        }
        Statement::CreateCatalog(catalog) => format!("create catalog {} {:?}", catalog.name.value, catalog.options),
        Statement::Drop(drop) => format!(
            "drop {:?} {} temporary={} if_exists={} cascade={}",
            drop.kind, drop.name, drop.temporary, drop.if_exists, drop.cascade
        ),
        Statement::Insert(insert) => {
            let columns: Vec<&str> = insert.columns.iter().map(|column| column.value.as_str()).collect();
            let overwrite = if insert.overwrite { " overwrite" } else { "" };
            format!("insert{overwrite} {} {columns:?} <- {}", insert.target, insert.source.text)
        }
        Statement::StatementSet(set) => {
            format!("set of {:?}", set.inserts.iter().map(|insert| insert.target.to_string()).collect::<Vec<_>>())
        }
        Statement::Query(query) => format!("query {}", query.text),
        Statement::Set { key, value, .. } => format!("set {key}={value}"),
        Statement::SetList => "set".to_owned(),
        Statement::Reset { key, .. } => format!("reset {key}"),
        Statement::ResetAll => "reset".to_owned(),
        Statement::Show(show) => format!("show {}", summary_of_show(show)),
        Statement::Describe(describe) => match describe {
            Describe::Table(path) => format!("describe table {path}"),
            Describe::Catalog(name) => format!("describe catalog {}", name.value),
            Describe::Database(path) => format!("describe database {path}"),
            Describe::Job(id, _) => format!("describe job {id}"),
        },
        Statement::Explain(Explain { details, target }) => format!("explain {details:?} {}", summary(target)),
        Statement::UseCatalog(name) => format!("use catalog {}", name.value),
        Statement::UseDatabase(path) => format!("use {path}"),
        Statement::UseModules(names) => {
            format!("use modules {:?}", names.iter().map(|name| name.value.as_str()).collect::<Vec<_>>())
        }
        Statement::StopJob(stop) => format!("stop {} savepoint={} drain={}", stop.id, stop.savepoint, stop.drain),
        Statement::AddJar(path) => format!("add jar {path}"),
        Statement::RemoveJar(path) => format!("remove jar {path}"),
        Statement::Quit => "quit".to_owned(),
        Statement::Clear => "clear".to_owned(),
        Statement::Help => "help".to_owned(),
        Statement::NotSupported(what) => format!("not supported: {}", what.name),
    }
}

fn summary_of_show(show: &Show) -> String {
    let path = |path: &Option<ObjectPath>| path.as_ref().map_or(String::new(), |path| format!(" from {path}"));
    let like = |like: &Option<LikePattern>| {
        like.as_ref().map_or(String::new(), |like| {
            let not = if like.negated { " not" } else { "" };
            format!("{not} {} {}", if like.case_insensitive { "ilike" } else { "like" }, like.pattern)
        })
    };
    match show {
        Show::Catalogs(pattern) => format!("catalogs{}", like(pattern)),
        Show::CurrentCatalog => "current catalog".to_owned(),
        Show::CurrentDatabase => "current database".to_owned(),
        Show::Databases(catalog, pattern) => {
            format!("databases {:?}{}", catalog.as_ref().map(|name| name.value.as_str()), like(pattern))
        }
        Show::Tables(from, pattern) => format!("tables{}{}", path(from), like(pattern)),
        Show::Views(from, pattern) => format!("views{}{}", path(from), like(pattern)),
        Show::Columns(table, pattern) => format!("columns {table}{}", like(pattern)),
        Show::CreateTable(path) => format!("create table {path}"),
        Show::CreateView(path) => format!("create view {path}"),
        Show::CreateCatalog(name) => format!("create catalog {}", name.value),
        Show::Functions { user, from, like: pattern } => {
            format!("functions user={user}{}{}", path(from), like(pattern))
        }
        Show::Modules { full } => format!("modules full={full}"),
        Show::Jars => "jars".to_owned(),
        Show::Jobs => "jobs".to_owned(),
    }
}

#[test]
fn statements_are_read() {
    for (sql, expected) in [
        // DDL
        ("CREATE TABLE t (a INT)", "create table t (1 columns)"),
        (
            "CREATE TEMPORARY TABLE IF NOT EXISTS c.d.t (a INT, b STRING) WITH ('connector'='print')",
            "create table c.d.t (2 columns)",
        ),
        ("create table `my-db`.`t 1` (a int)", "create table my-db.t 1 (1 columns)"),
        ("CREATE VIEW v AS SELECT 1", "create view v [] None as SELECT 1"),
        (
            "CREATE TEMPORARY VIEW IF NOT EXISTS v (a, b) COMMENT 'x' AS SELECT 1, 2",
            "create view v [\"a\", \"b\"] Some(\"x\") as SELECT 1, 2 temporary if not exists",
        ),
        ("CREATE OR REPLACE VIEW v AS SELECT * FROM t", "create view v [] None as SELECT * FROM t or replace"),
        ("CREATE DATABASE IF NOT EXISTS c.d COMMENT 'x' WITH ('a'='b')", "create database c.d true Some(\"x\")"),
        (
            "CREATE CATALOG c WITH ('type'='jdbc', 'password'='x')",
            "create catalog c TableOptions(['type' = 'jdbc', 'password' = '******'])",
        ),
        ("DROP TABLE t", "drop Table t temporary=false if_exists=false cascade=false"),
        ("DROP TEMPORARY TABLE IF EXISTS d.t", "drop Table d.t temporary=true if_exists=true cascade=false"),
        ("DROP VIEW IF EXISTS v", "drop View v temporary=false if_exists=true cascade=false"),
        ("DROP DATABASE IF EXISTS d CASCADE", "drop Database d temporary=false if_exists=true cascade=true"),
        ("DROP DATABASE d RESTRICT", "drop Database d temporary=false if_exists=false cascade=false"),
        ("DROP CATALOG c", "drop Catalog c temporary=false if_exists=false cascade=false"),
        // DML
        ("INSERT INTO t SELECT * FROM s", "insert t [] <- SELECT * FROM s"),
        ("INSERT OVERWRITE t SELECT * FROM s", "insert overwrite t [] <- SELECT * FROM s"),
        ("EXECUTE INSERT INTO a SELECT * FROM b", "insert a [] <- SELECT * FROM b"),
        ("INSERT INTO c.d.t (a, b) SELECT 1, 2", "insert c.d.t [\"a\", \"b\"] <- SELECT 1, 2"),
        ("INSERT INTO t VALUES (1, 'a'), (2, 'b')", "insert t [] <- VALUES (1, 'a'), (2, 'b')"),
        ("INSERT INTO t (SELECT 1)", "insert t [] <- (SELECT 1)"),
        ("INSERT INTO t WITH x AS (SELECT 1) SELECT * FROM x", "insert t [] <- WITH x AS (SELECT 1) SELECT * FROM x"),
        ("INSERT INTO t PARTITION (dt='2020-01-01', hr) SELECT 1", "insert t [] <- SELECT 1"),
        ("INSERT INTO t /*+ OPTIONS('a'='b') */ SELECT 1", "insert t [] <- SELECT 1"),
        ("EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 1; INSERT INTO b SELECT 2; END", "set of [\"a\", \"b\"]"),
        ("BEGIN STATEMENT SET; INSERT INTO a SELECT 1; INSERT INTO b SELECT 2; END", "set of [\"a\", \"b\"]"),
        ("EXECUTE SELECT 1", "query SELECT 1"),
        ("SELECT * FROM t", "query SELECT * FROM t"),
        // jobs
        ("SHOW JOBS", "show jobs"),
        ("DESCRIBE JOB 'abc'", "describe job abc"),
        ("DESC JOB 'abc'", "describe job abc"),
        ("STOP JOB 'abc'", "stop abc savepoint=false drain=false"),
        ("STOP JOB 'abc' WITH SAVEPOINT WITH DRAIN", "stop abc savepoint=true drain=true"),
        // introspection
        ("DESCRIBE t", "describe table t"),
        ("DESC EXTENDED d.t", "describe table d.t"),
        ("DESCRIBE CATALOG c", "describe catalog c"),
        ("DESCRIBE DATABASE EXTENDED_X", "describe database EXTENDED_X"),
        ("EXPLAIN SELECT 1", "explain [] query SELECT 1"),
        ("EXPLAIN PLAN FOR INSERT INTO t SELECT 1", "explain [] insert t [] <- SELECT 1"),
        ("EXPLAIN CHANGELOG_MODE SELECT 1", "explain [ChangelogMode] query SELECT 1"),
        (
            "EXPLAIN ESTIMATED_COST, CHANGELOG_MODE, JSON_EXECUTION_PLAN SELECT 1",
            "explain [EstimatedCost, ChangelogMode, JsonExecutionPlan] query SELECT 1",
        ),
        ("EXPLAIN STATEMENT SET BEGIN INSERT INTO a SELECT 1; END", "explain [] set of [\"a\"]"),
        ("EXPLAIN EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 1; END", "explain [] set of [\"a\"]"),
        ("SHOW CATALOGS", "show catalogs"),
        ("SHOW CATALOGS NOT ILIKE 'x%'", "show catalogs not ilike x%"),
        ("SHOW CURRENT CATALOG", "show current catalog"),
        ("SHOW CURRENT DATABASE", "show current database"),
        ("SHOW DATABASES", "show databases None"),
        ("SHOW DATABASES FROM c LIKE 'd%'", "show databases Some(\"c\") like d%"),
        ("SHOW TABLES", "show tables"),
        ("SHOW TABLES IN c.d NOT LIKE 'x%'", "show tables from c.d not like x%"),
        ("SHOW VIEWS FROM d", "show views from d"),
        ("SHOW COLUMNS FROM t LIKE 'a%'", "show columns t like a%"),
        ("SHOW CREATE TABLE c.d.t", "show create table c.d.t"),
        ("SHOW CREATE VIEW v", "show create view v"),
        ("SHOW CREATE CATALOG c", "show create catalog c"),
        ("SHOW FUNCTIONS", "show functions user=false"),
        ("SHOW USER FUNCTIONS FROM d LIKE 'x'", "show functions user=true from d like x"),
        ("SHOW MODULES", "show modules full=false"),
        ("SHOW FULL MODULES", "show modules full=true"),
        ("SHOW JARS", "show jars"),
        // session
        ("USE CATALOG c", "use catalog c"),
        ("USE c.d", "use c.d"),
        ("USE MODULES a, b", "use modules [\"a\", \"b\"]"),
        ("SET", "set"),
        ("SET 'execution.runtime-mode' = 'batch'", "set execution.runtime-mode=batch"),
        ("SET 'a' = 'it''s'", "set a=it's"),
        ("set execution.checkpointing.interval = 3s", "set execution.checkpointing.interval=3s"),
        ("SET parallelism.default=8", "set parallelism.default=8"),
        ("SET table.exec.state.ttl = 1 h", "set table.exec.state.ttl=1 h"),
        ("SET pipeline.name='my job'", "set pipeline.name=my job"),
        ("SET state.checkpoints.dir = file:///tmp/a@b/c?d=e", "set state.checkpoints.dir=file:///tmp/a@b/c?d=e"),
        ("RESET", "reset"),
        ("RESET 'a.b'", "reset a.b"),
        ("RESET a.b-c", "reset a.b-c"),
        ("ADD JAR '/a/b.jar'", "add jar /a/b.jar"),
        ("ADD JAR /a/b.jar", "add jar /a/b.jar"),
        ("REMOVE JAR '/a/b.jar'", "remove jar /a/b.jar"),
        ("QUIT", "quit"),
        ("exit", "quit"),
        ("CLEAR", "clear"),
        ("HELP", "help"),
    ] {
        assert_eq!(summary(&statement(sql)), expected, "{sql}");
        assert_eq!(summary(&statement(&format!("-- comment\n{sql} ;"))), expected, "{sql}");
    }
}

#[test]
fn what_sluice_has_not_is_named() {
    for (sql, name) in [
        ("ALTER TABLE t ADD (a INT)", "ALTER TABLE"),
        ("ALTER TABLE t SET ('a'='b')", "ALTER TABLE"),
        ("ALTER TABLE t RESET ('a')", "ALTER TABLE"),
        ("ALTER TABLE t ADD WATERMARK FOR ts AS ts", "ALTER TABLE"),
        ("ALTER VIEW v RENAME TO w", "ALTER VIEW"),
        ("ALTER DATABASE d SET ('a'='b')", "ALTER DATABASE"),
        ("ALTER CATALOG c SET ('a'='b')", "ALTER CATALOG"),
        ("ALTER FUNCTION f AS 'x'", "ALTER FUNCTION"),
        ("ALTER MATERIALIZED TABLE m SUSPEND", "ALTER MATERIALIZED TABLE"),
        ("CREATE FUNCTION f AS 'a.B' LANGUAGE JAVA USING JAR 'x.jar'", "CREATE FUNCTION"),
        ("CREATE TEMPORARY SYSTEM FUNCTION IF NOT EXISTS f AS 'a.B'", "CREATE FUNCTION"),
        ("CREATE MODEL m INPUT (a INT) OUTPUT (b INT) WITH ('provider'='x')", "CREATE MODEL"),
        ("CREATE CONNECTION c WITH ('a'='b')", "CREATE CONNECTION"),
        ("CREATE MATERIALIZED TABLE m FRESHNESS = INTERVAL '1' MINUTE AS SELECT 1", "CREATE MATERIALIZED TABLE"),
        ("CREATE OR REPLACE TABLE t AS SELECT 1", "CREATE OR REPLACE TABLE"),
        ("REPLACE TABLE t AS SELECT 1", "REPLACE TABLE"),
        ("CREATE TABLE t (a INT) USING CONNECTION c WITH ('a'='b')", "CREATE TABLE … USING CONNECTION"),
        ("DROP FUNCTION IF EXISTS f", "DROP FUNCTION"),
        ("DROP TEMPORARY SYSTEM FUNCTION f", "DROP FUNCTION"),
        ("DROP MODEL m", "DROP MODEL"),
        ("DROP MATERIALIZED TABLE m", "DROP MATERIALIZED TABLE"),
        ("LOAD MODULE hive WITH ('hive-version'='3.1.3')", "LOAD MODULE"),
        ("UNLOAD MODULE hive", "UNLOAD MODULE"),
        ("ANALYZE TABLE t COMPUTE STATISTICS", "ANALYZE TABLE"),
        ("TRUNCATE TABLE t", "TRUNCATE TABLE"),
        ("COMPILE PLAN 'f' FOR INSERT INTO a SELECT 1", "COMPILE PLAN"),
        ("COMPILE AND EXECUTE PLAN 'f' FOR STATEMENT SET BEGIN INSERT INTO a SELECT 1; END", "COMPILE PLAN"),
        ("EXECUTE PLAN 'f'", "EXECUTE PLAN"),
        ("UPDATE t SET a = 1", "UPDATE"),
        ("DELETE FROM t WHERE a = 1", "DELETE"),
        ("UPSERT INTO t SELECT 1", "UPSERT INTO"),
        ("INSERT INTO t SELECT 1 FROM s ON CONFLICT DO NOTHING", "INSERT … ON CONFLICT"),
        ("CALL sys.compact(a => 1)", "CALL"),
        ("SHOW PARTITIONS t", "SHOW PARTITIONS"),
        ("SHOW PROCEDURES", "SHOW PROCEDURES"),
        ("SHOW MODELS", "SHOW MODELS"),
        ("SHOW MATERIALIZED TABLES", "SHOW MATERIALIZED TABLES"),
        ("SHOW CREATE MODEL m", "SHOW CREATE MODEL"),
        ("DESCRIBE FUNCTION f", "DESCRIBE FUNCTION"),
        ("EXPLAIN CREATE TABLE t AS SELECT 1", "EXPLAIN of a CREATE, REPLACE or ALTER statement"),
    ] {
        let Statement::NotSupported(what) = statement(sql) else { panic!("{sql}") };
        assert_eq!(what.name, name, "{sql}");
        assert_eq!(what.to_error().what(), format!("{name} is not supported yet"));
        assert_eq!((what.position.line, what.position.column), (1, 1));
    }
}

#[test]
fn inserts_keep_their_parts() {
    let Statement::Insert(insert) = statement(
        "INSERT INTO d.t /*+ OPTIONS('sink.parallelism'='4') */ PARTITION (dt = '2020-01-01', hr) (a, b)
         SELECT a, b FROM s /*+ OPTIONS('x'='y') */",
    ) else {
        panic!()
    };
    assert_eq!(insert.target_options.get("sink.parallelism"), Some("4"));
    assert_eq!(insert.partition.len(), 2);
    assert_eq!(insert.partition[0].1.as_ref().map(ToString::to_string).as_deref(), Some("'2020-01-01'"));
    assert!(insert.partition[1].1.is_none());
    assert!(!insert.source.hints.is_empty());
    assert_eq!(insert.source.text, "SELECT a, b FROM s /*+ OPTIONS('x'='y') */");
}

#[test]
fn each_insert_of_a_set_has_its_own_hints() {
    let Statement::StatementSet(set) = statement(
        "EXECUTE STATEMENT SET BEGIN
           INSERT INTO a /*+ OPTIONS('k'='1') */ SELECT * FROM s;
           INSERT INTO b SELECT * FROM s /*+ OPTIONS('k'='2') */;
         END;",
    ) else {
        panic!()
    };
    assert_eq!(set.inserts[0].target_options.get("k"), Some("1"));
    assert!(set.inserts[0].source.hints.is_empty());
    assert!(set.inserts[1].target_options.get("k").is_none());
    assert!(!set.inserts[1].source.hints.is_empty());
    assert_eq!(set.inserts[1].position.line, 3);
}

#[test]
fn sets_have_to_be_well_formed() {
    for (sql, what, line, column) in [
        ("EXECUTE STATEMENT SET BEGIN END", "the statement set is empty", 1, 1),
        ("EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 1;", "the statement set is never closed", 1, 1),
        ("EXECUTE STATEMENT SET BEGIN INSERT INTO a SELECT 1 END", "expected ';' but found 'END'", 1, 52),
        ("EXECUTE STATEMENT SET BEGIN SELECT 1; END", "expected INSERT or END but found 'SELECT'", 1, 29),
        ("END", "END without BEGIN", 1, 1),
        ("STOP JOB 'a' WITH DRAIN", "WITH DRAIN needs WITH SAVEPOINT before it", 1, 14),
        ("STOP JOB abc", "expected the id of the job but found 'abc'", 1, 10),
        (
            "SHOW TABELS",
            "expected TABLES, VIEWS, DATABASES, CATALOGS, COLUMNS, FUNCTIONS, MODULES, JARS, JOBS, CREATE or CURRENT but found 'TABELS'",
            1,
            6,
        ),
        ("USE a.b.c", "the name of the database has at most 2 parts", 1, 8),
        ("SELECT * FROM t; SELECT 1", "expected one statement, but another one follows", 1, 18),
        ("DROP TEMPORARY DATABASE d", "only tables and views can be temporary", 1, 6),
        ("SET 'a'", "expected '='", 1, 5),
        ("SET a", "expected '=' and a value", 1, 5),
        ("SET 'a' = b", "the value must be in single quotes, as the key is", 1, 9),
        ("SET a b = c", "a key must be one word, or in single quotes", 1, 5),
        ("SET \"a\" = \"b\"", "a key must be one word, or in single quotes", 1, 5),
    ] {
        let error = error(sql);
        assert_eq!(error.what(), what, "{sql}");
        assert_eq!(error.position().map(|at| (at.line, at.column)), Some((line, column)), "{sql}");
    }
}

#[test]
fn details_and_kinds_are_told_apart() {
    let Statement::Explain(explain) = statement("EXPLAIN PLAN_ADVICE SELECT 1") else { panic!() };
    assert_eq!(explain.details, [ExplainDetail::PlanAdvice]);
    let Statement::Drop(drop) = statement("DROP VIEW v") else { panic!() };
    assert_eq!(drop.kind, DropKind::View);
    let Statement::Describe(Describe::Table(path)) = statement("DESCRIBE `catalog`") else { panic!() };
    assert_eq!(path.name(), "catalog");
}

#[test]
fn scripts_are_read_statement_by_statement() {
    let script = "SET 'a' = 'b';\nSELECT 'x;y' FROM t WHERE \"bad\";\nSELECT 1;";
    let raw = split(script).unwrap();
    assert!(parse(&raw[0]).is_ok());
    assert_eq!(parse(&raw[1]).unwrap_err().position().map(|at| (at.line, at.column)), Some((2, 27)));
    assert!(parse(&raw[2]).is_ok());
}
