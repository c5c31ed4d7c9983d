//! Statements and what they come to, without servers.

use std::sync::Arc;

use sluice_model::SystemClock;
use sluice_runtime::Engine;
use sluice_sql::{Environment, Home, Outcome, Script, ScriptEvent, Session};

fn session(home: &std::path::Path) -> Session {
    let connectors = sluice_registry::connectors();
    Session::new(Arc::new(Environment {
        connectors: connectors.clone(),
        engine: Arc::new(Engine::new(connectors, SystemClock::shared())),
        home: Home::at(home),
        clock: SystemClock::shared(),
    }))
}

/// Runs statements, and returns the last one's cells, a line per row.
async fn run(statements: &[&str]) -> Result<String, String> {
    let home = sluice_tests::scratch().expect("a directory");
    let mut session = session(home.path());
    let mut last = String::new();
    for statement in statements {
        last = match session.execute_text(statement).await.map_err(|error| error.to_string())? {
            Outcome::Rows(table) => {
                let line = |row: &Vec<Option<String>>| {
                    row.iter()
                        .map(|cell| cell.clone().unwrap_or_else(|| "-".to_owned()))
                        .collect::<Vec<_>>()
                        .join(" | ")
                };
                table.rows.iter().map(line).collect::<Vec<_>>().join("\n")
            }
            Outcome::Done { notes } => notes.join("\n"),
            other => format!("{other:?}"),
        };
    }
    Ok(last)
}

const ORDERS: &str = "CREATE TABLE orders (id BIGINT, qty INT, price DECIMAL(10, 2), total AS qty * price, \
     PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'datagen', 'number-of-rows' = '3')";

/// What the operators of a query keep, and how long.
async fn state_ttls(settings: &[&str], query: &str) -> Result<Vec<String>, String> {
    let customers = "CREATE TABLE customers (id BIGINT, name STRING) WITH ('connector' = 'datagen')";
    let explain = format!("EXPLAIN {query}");
    let statements = [&[ORDERS, customers], settings, &[explain.as_str()]].concat();
    let text = run(&statements).await?;
    let plan = text.split("== Optimized Execution Plan ==").last().unwrap_or_default().to_owned();
    let ttl = |line: &str| Some(line.split_once("stateTtl=[")?.1.split_once(']')?.0.to_owned());
    Ok(plan.lines().filter_map(ttl).collect())
}

#[tokio::test]
async fn state_is_kept_as_long_as_the_setting_or_the_hint_says() {
    let hour: &[&str] = &["SET 'table.exec.state.ttl' = '1 h'"];
    let events = "CREATE TABLE e (id BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH ('connector' = 'datagen')";
    let timed = &[hour[0], events][..];
    let windows = "TABLE(TUMBLE(TABLE e, DESCRIPTOR(ts), INTERVAL '1' HOUR))";
    let join = |hint: &str| {
        format!(
            "SELECT {hint} o.qty, c.name FROM orders AS o JOIN (SELECT * FROM customers WHERE id > 5) AS c ON o.id = c.id"
        )
    };
    let group = |hint: &str| format!("SELECT {hint} qty, COUNT(*) AS n FROM orders WHERE id > 3 GROUP BY qty");
    for (settings, query, expected) in [
        (&[][..], join(""), &[][..]),
        (hour, join(""), &["3600s, 3600s"]),
        (hour, join("/*+ STATE_TTL('o' = '3 d') */"), &["259200s, 3600s"]),
        (&[], join("/*+ STATE_TTL('c' = '1 d', 'o' = '2 h') */"), &["7200s, 86400s"]),
        (hour, join("/*+ STATE_TTL('c' = '0') */"), &["3600s, never"]),
        (&[], join("/*+ STATE_TTL('o' = '1 h', 'o' = '2 h'), STATE_TTL('o' = '3 h') */"), &["7200s, never"]),
        (&[], group("/*+ STATE_TTL('orders' = '1 d') */"), &["86400s"]),
        (&[], "WITH q AS (SELECT id, qty FROM orders) SELECT /*+ STATE_TTL('q' = '1 d') */ DISTINCT qty FROM q".into(), &["86400s"]),
        // A hint is for the operators of its own block.
        (&[], "SELECT qty, COUNT(*) AS n FROM (SELECT /*+ STATE_TTL('orders' = '1 d') */ qty FROM orders) AS q GROUP BY qty".into(), &[]),
        (hour, "SELECT qty FROM orders LIMIT 3".into(), &["3600s"]),
        // What goes with event time does not expire.
        (timed, "SELECT a.id FROM e AS a JOIN e AS b ON a.id = b.id AND a.ts BETWEEN b.ts AND b.ts + INTERVAL '1' HOUR".into(), &[]),
        (timed, format!("SELECT COUNT(*) AS n FROM {windows} GROUP BY window_start, window_end"), &[]),
        (timed, "SELECT SUM(id) OVER (ORDER BY ts) AS s FROM e".into(), &[]),
        (timed, "SELECT id, COUNT(*) AS n FROM e GROUP BY id".into(), &["3600s"]),
    ] {
        assert_eq!(state_ttls(settings, &query).await.unwrap(), expected, "{query}");
    }
    let error = state_ttls(&[], &join("/*+ STATE_TTL('orders' = '1 d') */")).await.unwrap_err();
    assert!(error.contains("the hint STATE_TTL names 'orders', which is no input of this SELECT"), "{error}");
    let error = state_ttls(&[], &join("/*+ STATE_TTL('o' = 'soon') */")).await.unwrap_err();
    assert!(error.contains("'soon' in the hint STATE_TTL is not a duration"), "{error}");
    let view = "CREATE VIEW v AS SELECT /*+ STATE_TTL('orders' = '1 d') */ qty, COUNT(*) AS n FROM orders GROUP BY qty";
    let explained = run(&[ORDERS, view, "EXPLAIN SELECT * FROM v"]).await.unwrap();
    assert!(explained.contains("stateTtl=[86400s]"), "{explained}");
    let view = "CREATE VIEW v AS SELECT qty FROM orders /*+ OPTIONS('number-of-rows' = '3') */";
    let error = run(&[ORDERS, view]).await.unwrap_err();
    assert!(error.contains("the hint OPTIONS inside of a view is not supported yet"), "{error}");
}

#[tokio::test]
async fn tables_and_views_are_listed_and_described() {
    assert_eq!(
        run(&[ORDERS, "CREATE VIEW big AS SELECT id, total FROM orders WHERE qty > 5", "SHOW TABLES"]).await.unwrap(),
        "big\norders"
    );
    assert_eq!(
        run(&[ORDERS, "DESCRIBE orders"]).await.unwrap(),
        "id | BIGINT | FALSE | PRI(id) | - | -\n\
         qty | INT | TRUE | - | - | -\n\
         price | DECIMAL(10, 2) | TRUE | - | - | -\n\
         total | DECIMAL(21, 2) | TRUE | - | AS qty * price | -"
    );
}

#[tokio::test]
async fn show_create_table_masks_secrets() {
    let table = "CREATE TABLE t (id INT, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector' = 'jdbc', \
         'url' = 'jdbc:postgresql://h/d?password=one', 'table-name' = 't', 'username' = 'u', 'password' = 'two')";
    let shown = run(&[table, "SHOW CREATE TABLE t"]).await.unwrap();
    assert!(shown.contains("'password' = '******'") && !shown.contains("two") && !shown.contains("one"), "{shown}");
}

#[tokio::test]
async fn mistakes_in_queries_are_placed_and_explained() {
    let error = run(&[ORDERS, "CREATE VIEW v AS\n  SELECT id, qtty FROM orders"]).await.unwrap_err();
    assert!(error.contains("column 'qtty' not found") && error.contains("line 2, column 14"), "{error}");
    assert!(error.contains("did you mean 'qty'?"), "{error}");
    let error = run(&[ORDERS, "CREATE VIEW v AS SELECT uper('a') FROM orders"]).await.unwrap_err();
    assert!(error.contains("did you mean UPPER?"), "{error}");
    let error = run(&[ORDERS, "CREATE VIEW v AS SELECT id FROM oders"]).await.unwrap_err();
    assert!(error.contains("object 'oders' not found") && error.contains("did you mean 'orders'?"), "{error}");
    let error = run(&[ORDERS, "EXPLAIN SELECT id, SUM(qty) OVER (PARTITION BY id) FROM orders"]).await.unwrap_err();
    assert!(error.contains("without ORDER BY cannot run on a stream"), "{error}");
    let ordered = "EXPLAIN SELECT id, SUM(qty) OVER (PARTITION BY id ORDER BY qty) FROM orders";
    let error = run(&[ORDERS, ordered]).await.unwrap_err();
    assert!(error.contains("must be defined on a time attribute") && error.contains("WATERMARK FOR"), "{error}");
}

#[tokio::test]
async fn windows_are_explained_and_their_mistakes_placed() {
    let bids = "CREATE TABLE bids (auction BIGINT, price BIGINT, ts TIMESTAMP(3), \
         WATERMARK FOR ts AS ts - INTERVAL '4' SECOND) WITH ('connector' = 'datagen')";
    let query = "EXPLAIN CHANGELOG_MODE SELECT window_end, auction, MAX(price) AS best FROM TABLE(TUMBLE(TABLE bids, \
         DESCRIPTOR(ts), INTERVAL '10' SECOND)) GROUP BY window_start, window_end, auction";
    let plan = run(&[bids, query]).await.unwrap();
    assert!(plan.contains("WatermarkAssigner: rowtime=[ts]"), "{plan}");
    assert!(plan.contains("window=[TUMBLE(size=[10000 ms])]"), "{plan}");
    // A window that is put out once only appears.
    let results = plan.lines().find(|line| line.contains("GroupAggregate")).unwrap_or_default();
    assert!(results.contains("changelogMode=[I]"), "{plan}");
    let mistake = "EXPLAIN SELECT * FROM TABLE(TUMBLE(TABLE bids, DESCRIPTOR(tss), INTERVAL '10' SECOND))";
    let error = run(&[bids, mistake]).await.unwrap_err();
    assert!(error.contains("column 'tss'") && error.contains("did you mean 'ts'?"), "{error}");
    let session =
        "EXPLAIN SELECT * FROM TABLE(SESSION(TABLE bids PARTITION BY auctoin, DESCRIPTOR(ts), INTERVAL '10' SECOND))";
    let error = run(&[bids, session]).await.unwrap_err();
    assert!(error.contains("column 'auctoin'") && error.contains("did you mean 'auction'?"), "{error}");
    let tumble =
        "EXPLAIN SELECT * FROM TABLE(TUMBLE(TABLE bids PARTITION BY auction, DESCRIPTOR(ts), INTERVAL '10' SECOND))";
    let error = run(&[bids, tumble]).await.unwrap_err();
    assert!(error.contains("TUMBLE takes no PARTITION BY"), "{error}");
    let start =
        "EXPLAIN SELECT TUMBLE_START(ts, INTERVAL '5' SECOND) FROM bids GROUP BY TUMBLE(ts, INTERVAL '10' SECOND)";
    let error = run(&[bids, start]).await.unwrap_err();
    assert!(error.contains("TUMBLE_START does not belong to the window of GROUP BY"), "{error}");
}

#[tokio::test]
async fn sinks_that_cannot_take_updates_say_so() {
    let statements = [
        "CREATE TABLE s (id INT, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector'='values', 'data-id'='sql-updates', \
         'changelog-mode'='I,UB,UA,D')",
        "CREATE TABLE k (id INT) WITH ('connector'='kafka', 'topic'='t', 'properties.bootstrap.servers'='127.0.0.1:1', 'format'='json')",
        "EXPLAIN INSERT INTO k SELECT * FROM s",
    ];
    let error = run(&statements).await.unwrap_err();
    assert!(error.contains("upsert-kafka"), "{error}");
}

/// Queries over insertions whose rows are never taken back go into sinks that only insert.
#[tokio::test]
async fn results_that_only_grow_are_insertions() {
    let bids = "CREATE TABLE bids (id INT, k STRING, ts TIMESTAMP(3), p AS PROCTIME(), WATERMARK FOR ts AS ts) \
         WITH ('connector' = 'datagen')";
    let windows = "TABLE(TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '10' SECOND))";
    for query in [
        "SELECT id FROM bids LIMIT 5 OFFSET 2".to_owned(),
        "SELECT id, rn FROM (SELECT id, ROW_NUMBER() OVER (PARTITION BY k ORDER BY p) AS rn FROM bids) WHERE rn <= 2"
            .to_owned(),
        "SELECT id FROM bids WHERE k IN (SELECT k FROM bids)".to_owned(),
        "SELECT a.id FROM bids AS a JOIN bids AS b ON a.k = b.k".to_owned(),
        format!("SELECT window_end, COUNT(*) FROM {windows} GROUP BY window_start, window_end, ROLLUP (k)"),
        format!(
            "SELECT window_end, COUNT(*) FROM (SELECT * FROM {windows} UNION ALL SELECT * FROM {windows}) \
             GROUP BY window_start, window_end"
        ),
    ] {
        let plan = run(&[bids, &format!("EXPLAIN CHANGELOG_MODE {query}")]).await.unwrap();
        let (_, plan) = plan.split_once("== Optimized Execution Plan ==").expect("a plan");
        assert!(!plan.contains("UA") && plan.contains("changelogMode=[I]"), "{query}\n{plan}");
    }
}

#[tokio::test]
async fn rows_are_kept_in_front_of_a_sink_with_a_key_of_its_own() {
    let source = "CREATE TABLE s (id INT, other INT, PRIMARY KEY (id) NOT ENFORCED) WITH ('connector'='values', \
         'data-id'='sql-key', 'changelog-mode'='I,UB,UA,D')";
    let sink = "CREATE TABLE k (id INT, other INT, PRIMARY KEY (other) NOT ENFORCED) WITH ('connector'='values', 'data-id'='sql-key')";
    let explain = "EXPLAIN CHANGELOG_MODE INSERT INTO k SELECT * FROM s";
    let explained = run(&[source, sink, explain]).await.unwrap();
    assert!(explained.contains("SinkUpsertMaterializer: key=[$1]"), "{explained}");
    let never = "SET 'table.exec.sink.upsert-materialize' = 'NONE'";
    let explained = run(&[source, sink, never, explain]).await.unwrap();
    assert!(
        explained.contains("changelogMode=[I,UB,UA,D]") && !explained.contains("SinkUpsertMaterializer"),
        "{explained}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_delivers_its_rows() {
    let home = sluice_tests::scratch().expect("a directory");
    let mut session = session(home.path());
    let query = "SELECT x + 1 AS y, 'a' || s AS t FROM (VALUES (1, 'b'), (2, 'c')) AS v(x, s)";
    let Outcome::Query(mut result) = session.execute_text(query).await.unwrap() else { panic!("no query") };
    assert!(result.bounded);
    let mut rows = Vec::new();
    while let Some(batch) = result.batches.recv().await {
        rows.push(sluice_model::to_pretty(&batch));
    }
    assert_eq!(rows.join(" / "), "+I 2 ab / +I 3 ac");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_insert_into_a_bounded_job_runs_to_its_end() {
    let home = sluice_tests::scratch().expect("a directory");
    let mut session = session(home.path());
    for statement in [
        "CREATE TABLE s (id BIGINT NOT NULL, name VARCHAR(5)) WITH ('connector'='values', 'data-id'='sql-insert')",
        "SET 'table.dml-sync' = 'true'",
        "INSERT INTO s VALUES (1, 'a'), (2, NULL)",
    ] {
        session.execute_text(statement).await.unwrap();
    }
    assert_eq!(sluice_values::sink_rows("sql-insert").join(" / "), "+I 1 a / +I 2 NULL");
}

/// `window_start` is a `TIMESTAMP(3)` as others are, also inside of rows and arrays.
#[tokio::test(flavor = "multi_thread")]
async fn borders_of_windows_are_written_as_the_times_of_their_columns() {
    let home = sluice_tests::scratch().expect("a directory");
    let mut session = session(home.path());
    let batch = sluice_model::from_pretty("ts TIMESTAMP(3), v INT", "+I 1970-01-01T00:00:01 7");
    sluice_values::register_source("sql-borders", vec![batch]);
    for statement in [
        "CREATE TABLE t (ts TIMESTAMP(3), v INT, WATERMARK FOR ts AS ts) \
         WITH ('connector'='values', 'data-id'='sql-borders')",
        "CREATE TABLE s (w TIMESTAMP(3), r ROW<w TIMESTAMP(3), v INT>, a ARRAY<TIMESTAMP(3)>, fine TIMESTAMP(6)) \
         WITH ('connector'='values', 'data-id'='sql-borders-sink')",
        "SET 'table.dml-sync' = 'true'",
        "INSERT INTO s SELECT window_start, ROW(window_end, v), ARRAY[window_start, window_time], window_time \
         FROM TABLE(TUMBLE(TABLE t, DESCRIPTOR(ts), INTERVAL '2' SECOND))",
    ] {
        session.execute_text(statement).await.unwrap_or_else(|error| panic!("{statement}\n{error}"));
    }
    assert_eq!(
        sluice_values::sink_rows("sql-borders-sink").join(" / "),
        "+I 1970-01-01T00:00:00 '{w: 1970-01-01T00:00:02, v: 7}' '[1970-01-01T00:00:00, 1970-01-01T00:00:01.999]' \
         1970-01-01T00:00:01.999"
    );
}

/// The rows of a query as changelog text.
async fn query(session: &mut Session, query: &str) -> String {
    let Outcome::Query(mut result) = session.execute_text(query).await.unwrap() else { panic!("no query") };
    let mut rows = Vec::new();
    while let Some(batch) = result.batches.recv().await {
        rows.push(sluice_model::to_pretty(&batch));
    }
    rows.join(" / ")
}

#[tokio::test(flavor = "multi_thread")]
async fn options_of_columns_that_are_not_read_hold() {
    let home = sluice_tests::scratch().expect("a directory");
    let mut session = session(home.path());
    session
        .execute_text(
            "CREATE TABLE d (id INT, v INT) WITH ('connector'='datagen', 'fields.id.kind'='sequence', \
             'fields.id.start'='1', 'fields.id.end'='3', 'fields.v.min'='5', 'fields.v.max'='5')",
        )
        .await
        .unwrap();
    assert_eq!(query(&mut session, "SELECT id FROM d").await, "+I 1 / +I 2 / +I 3");
    assert_eq!(query(&mut session, "SELECT v FROM d").await, "+I 5 / +I 5 / +I 5");
    assert_eq!(query(&mut session, "SELECT 7 AS n FROM d").await, "+I 7 / +I 7 / +I 7");
    let table = "CREATE TABLE o (id INT) WITH ('connector'='values', 'data-id'='sql-unread')";
    session.execute_text(table).await.unwrap();
    session.execute_text("SET 'table.dml-sync' = 'true'").await.unwrap();
    session.execute_text("INSERT INTO o SELECT id FROM d").await.unwrap();
    assert_eq!(sluice_values::sink_rows("sql-unread").len(), 3);
}

/// Programs write such queries.
#[tokio::test(flavor = "multi_thread")]
async fn chains_of_hundreds_of_operators_are_planned() {
    let home = sluice_tests::scratch().expect("a directory");
    let mut session = session(home.path());
    session
        .execute_text(
            "CREATE TABLE c (id INT) WITH ('connector'='datagen', 'fields.id.kind'='sequence', \
             'fields.id.start'='398', 'fields.id.end'='401')",
        )
        .await
        .unwrap();
    let chain = |term: fn(usize) -> String, op: &str| (0..400).map(term).collect::<Vec<_>>().join(op);
    let (any, all) =
        (chain(|number| format!("id = {number}"), " OR "), chain(|number| format!("id <> {number}"), " AND "));
    let (sum, text) = (chain(|_| "id".to_owned(), " + "), chain(|_| "'x'".to_owned(), " || "));
    assert_eq!(query(&mut session, &format!("SELECT id FROM c WHERE {any}")).await, "+I 398 / +I 399");
    assert_eq!(query(&mut session, &format!("SELECT id FROM c WHERE {all}")).await, "+I 400 / +I 401");
    let texts = format!("SELECT {sum} AS s, CHAR_LENGTH({text}) AS n FROM c WHERE id = 400");
    assert_eq!(query(&mut session, &texts).await, "+I 160000 400");
}

#[tokio::test(flavor = "multi_thread")]
async fn batch_mode_puts_a_result_out_once_and_in_order() {
    let home = sluice_tests::scratch().expect("a directory");
    let mut session = session(home.path());
    session.execute_text("SET 'execution.runtime-mode' = 'batch'").await.unwrap();
    let groups = "SELECT a, SUM(b) AS total FROM (VALUES (2, 5), (1, 3), (2, 4), (3, 1)) AS v(a, b) GROUP BY a";
    assert_eq!(query(&mut session, &format!("{groups} ORDER BY a DESC")).await, "+I 3 1 / +I 2 9 / +I 1 3");
    // Read by two sides of a join, from one source.
    session
        .execute_text(
            "CREATE TABLE n (id INT NOT NULL) WITH ('connector'='datagen', 'number-of-rows'='20000', \
             'fields.id.kind'='sequence', 'fields.id.start'='1', 'fields.id.end'='20000')",
        )
        .await
        .unwrap();
    // Without a table, and without a column.
    for (text, rows) in [
        ("SELECT COUNT(*) AS n", "+I 1"),
        ("SELECT 5 AS n FROM (SELECT 1 UNION ALL SELECT 2) AS t", "+I 5 / +I 5"),
        ("SELECT COUNT(*) AS n FROM (SELECT 1 UNION ALL SELECT 2) AS t", "+I 2"),
        ("VALUES (1), (1) ORDER BY 1", "+I 1 / +I 1"),
        ("SELECT COUNT(*) AS n FROM n", "+I 20000"),
    ] {
        assert_eq!(query(&mut session, text).await, rows, "{text}");
    }
    let joined = "SELECT COUNT(*) AS pairs FROM n AS l JOIN n AS r ON l.id = r.id + 1";
    assert_eq!(query(&mut session, joined).await, "+I 19999");
    assert_eq!(query(&mut session, "SELECT id FROM n ORDER BY id DESC LIMIT 2").await, "+I 20000 / +I 19999");
    session.execute_text("CREATE TABLE e (id INT) WITH ('connector'='datagen')").await.unwrap();
    let error = session.execute_text("SELECT COUNT(*) AS n FROM e").await.unwrap_err().to_string();
    assert!(error.contains("never ends") && error.contains("streaming"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_shows_costs_advice_and_json() {
    let source = "CREATE TABLE s (a INT, b INT) WITH ('connector'='datagen')";
    let explain = "EXPLAIN ESTIMATED_COST, PLAN_ADVICE, JSON_EXECUTION_PLAN SELECT a, COUNT(*) AS n FROM s GROUP BY a";
    let explained = run(&[source, explain]).await.unwrap();
    for part in
        ["rowcount = 1E7", "advice[1]: [ADVICE] GroupAggregate", "\"ship_strategy\": \"FORWARD\"", "With Advice"]
    {
        assert!(explained.contains(part), "{part} is not in {explained}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_echoes_masked_statements_and_submits_jobs() {
    let home = sluice_tests::scratch().expect("a directory");
    let mut session = session(home.path());
    let script = Script::parse(
        "-- two jobs\nCREATE TABLE a (id INT) WITH ('connector'='datagen', 'number-of-rows'='5');\n\
         CREATE TABLE b (id INT) WITH ('connector'='blackhole');\nINSERT INTO b SELECT id FROM a;\nINSERT INTO b SELECT id + 1 FROM a;",
    )
    .unwrap();
    let (mut echoed, mut jobs) = (Vec::new(), Vec::new());
    session
        .run_script(&script, Some("two"), &mut |event| {
            match event {
                ScriptEvent::Statement(text) => echoed.push(text.to_owned()),
                ScriptEvent::Outcome(Outcome::Submitted { jobs: submitted, .. }) => jobs.extend(submitted),
                _ => {}
            }
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(echoed.len(), 4);
    assert_eq!(jobs.len(), 2, "tables that are no change log are not merged");
    for job in jobs {
        job.handle.wait().await.unwrap();
    }
}

/// What the sink of a query gets when rows come one by one.
async fn one_by_one(name: &str, settings: &[&str]) -> Vec<String> {
    let home = tempfile::tempdir().expect("a directory");
    let mut session = session(home.path());
    let rows = ["+I 1 a", "+I 2 a", "+I 3 b", "+I 4 a"];
    let batches = rows.map(|row| sluice_model::from_pretty("id INT, k STRING", row)).to_vec();
    sluice_values::register_source(name, batches);
    let source = format!("CREATE TABLE t (id INT, k STRING) WITH ('connector' = 'values', 'data-id' = '{name}')");
    let sink = format!(
        "CREATE TABLE s (k STRING, n BIGINT, PRIMARY KEY (k) NOT ENFORCED) \
         WITH ('connector' = 'values', 'data-id' = '{name}-sink', 'sink.parallelism' = '1')"
    );
    for statement in settings.iter().copied().chain([source.as_str(), &sink]) {
        session.execute_text(statement).await.expect("a statement that runs");
    }
    let insert = session.execute_text("INSERT INTO s SELECT k, COUNT(*) FROM t GROUP BY k").await;
    let Ok(Outcome::Submitted { mut jobs, .. }) = insert else { panic!("INSERT does not submit") };
    jobs.pop().expect("a job").handle.wait().await.expect("a job that ends");
    sluice_values::sink_rows(&format!("{name}-sink"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_has_one_result_per_mini_batch() {
    let each = one_by_one("mini-batch-off", &[]).await;
    assert_eq!(each.len(), 6, "{each:?}");
    let settings = [
        "SET 'table.exec.mini-batch.enabled' = 'true'",
        "SET 'table.exec.mini-batch.allow-latency' = '1 h'",
        "SET 'table.exec.mini-batch.size' = '100'",
    ];
    let mut together = one_by_one("mini-batch-on", &settings).await;
    together.sort();
    assert_eq!(together, ["+I a 3", "+I b 1"]);
}

#[tokio::test]
async fn what_cannot_be_unnested_is_told() {
    for (query, expected) in [
        ("SELECT * FROM orders CROSS JOIN UNNEST(qty) AS u (x)", "UNNEST takes an ARRAY, a MAP or a MULTISET, not INT"),
        (
            "SELECT * FROM orders LEFT JOIN UNNEST(ARRAY[qty]) AS u (x) ON u.x > 3",
            "LEFT JOIN with UNNEST takes ON TRUE only",
        ),
        (
            "SELECT * FROM orders, LATERAL (SELECT SUM(x) FROM UNNEST(ARRAY[qty]) AS u (x)) AS q",
            "a LATERAL sub-query over UNNEST selects, filters and joins only",
        ),
        ("SELECT id FROM orders EXCEPT ALL SELECT id, qty FROM orders", "the sides of EXCEPT ALL have 1 and 2 columns"),
    ] {
        let error = run(&[ORDERS, &format!("EXPLAIN {query}")]).await.unwrap_err();
        assert!(error.contains(expected), "{query}\n{error}");
    }
}
