//! Lookup joins with a table in PostgreSQL.

use std::sync::Arc;

use rand::Rng;
use sluice_demo::endpoints::Endpoints;
use sluice_model::{SystemClock, from_pretty};
use sluice_runtime::Engine;
use sluice_sql::{Environment, Home, Outcome, Session};

/// A schema with a table of customers, and a session that knows it and a stream of orders.
struct Shop {
    schema: String,
    session: Session,
    _home: tempfile::TempDir,
}

impl Shop {
    async fn new(orders: &str) -> Self {
        let endpoints = Endpoints::default();
        let schema = format!("lookup_{:016x}", rand::rng().random_range(0..u64::MAX));
        let warehouse =
            endpoints.warehouse().await.expect("PostgreSQL; start it with: scripts/services.sh up postgres");
        warehouse
            .batch_execute(&format!(
                "CREATE SCHEMA {schema}; CREATE TABLE {schema}.customer (id int PRIMARY KEY, name text, city text);
                 INSERT INTO {schema}.customer VALUES (7, 'ann', 'rome'), (8, 'bob', 'bonn'), (9, NULL, 'rome')"
            ))
            .await
            .unwrap();
        let batches = orders.split(" | ").map(|rows| from_pretty("id INT, cust INT", rows)).collect();
        sluice_values::register_source(&schema, batches);
        let home = sluice_tests::scratch().expect("a directory");
        let connectors = sluice_registry::connectors();
        let session = Session::new(Arc::new(Environment {
            connectors: connectors.clone(),
            engine: Arc::new(Engine::new(connectors, SystemClock::shared())),
            home: Home::at(home.path()),
            clock: SystemClock::shared(),
        }));
        let mut shop = Self { schema: schema.clone(), session, _home: home };
        let port = endpoints.postgres_port();
        shop.execute(&format!(
            "CREATE TABLE orders (id INT, cust INT, proc_time AS PROCTIME(), `at` AS CURRENT_TIMESTAMP) \
             WITH ('connector' = 'values', 'data-id' = '{schema}')"
        ))
        .await
        .unwrap();
        shop.execute(&format!(
            "CREATE TABLE customer (id INT, name STRING, city STRING, PRIMARY KEY (id) NOT ENFORCED) WITH ( \
             'connector' = 'jdbc', 'url' = 'jdbc:postgresql://127.0.0.1:{port}/warehouse', \
             'table-name' = '{schema}.customer', 'username' = 'sluice', 'password' = 'sluice-secret')"
        ))
        .await
        .unwrap();
        shop
    }

    async fn execute(&mut self, statement: &str) -> Result<Outcome, String> {
        self.session.execute_text(statement).await.map_err(|error| error.to_string())
    }

    /// The rows that a query delivers, in their order.
    async fn rows(&mut self, query: &str) -> String {
        let Outcome::Query(mut result) = self.execute(query).await.unwrap() else { panic!("no query") };
        let mut rows = Vec::new();
        while let Some(batch) = result.batches.recv().await {
            rows.push(sluice_model::to_pretty(&batch));
        }
        result.job.wait().await.unwrap_or_else(|error| panic!("{query}\n{error}"));
        rows.join(" / ")
    }

    async fn error(&mut self, query: &str) -> String {
        self.execute(query).await.err().unwrap_or_else(|| panic!("{query} was taken"))
    }

    async fn close(self) {
        let warehouse = Endpoints::default().warehouse().await.unwrap();
        warehouse.batch_execute(&format!("DROP SCHEMA {} CASCADE", self.schema)).await.unwrap();
    }
}

const ORDERS: &str = "+I 1 7 / +I 2 8 / +I 3 5 | +I 4 NULL / +I 5 9 / +I 6 7";

#[tokio::test(flavor = "multi_thread")]
async fn orders_meet_their_customers() {
    let mut shop = Shop::new(ORDERS).await;
    assert_eq!(
        shop.rows(
            "SELECT o.id, c.name FROM orders AS o \
             JOIN customer FOR SYSTEM_TIME AS OF o.proc_time AS c ON o.cust = c.id"
        )
        .await,
        "+I 1 ann / +I 2 bob / +I 5 NULL / +I 6 ann"
    );
    assert_eq!(
        shop.rows(
            "SELECT o.id, c.city, c.id FROM orders AS o \
             LEFT JOIN customer FOR SYSTEM_TIME AS OF o.proc_time AS c ON o.cust = c.id"
        )
        .await,
        "+I 1 rome 7 / +I 2 bonn 8 / +I 3 NULL NULL / +I 4 NULL NULL / +I 5 rome 9 / +I 6 rome 7"
    );
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_decide_who_is_met() {
    let mut shop = Shop::new(ORDERS).await;
    let join = "FROM orders AS o LEFT JOIN customer FOR SYSTEM_TIME AS OF o.proc_time AS c \
                ON c.id = o.cust AND c.city = 'rome' AND o.id + c.id > 8";
    assert_eq!(
        shop.rows(&format!("SELECT o.id, c.name {join}")).await,
        "+I 1 NULL / +I 2 NULL / +I 3 NULL / +I 4 NULL / +I 5 NULL / +I 6 ann"
    );
    assert_eq!(shop.rows(&format!("SELECT o.id {join} WHERE c.city LIKE 'r%'")).await, "+I 5 / +I 6");
    // An expression of the stream is a key as well; a name may be left out; joins go on behind it.
    assert_eq!(
        shop.rows(
            "SELECT o.id, customer.id, d.city FROM orders AS o \
             JOIN customer FOR SYSTEM_TIME AS OF o.proc_time ON o.cust + 1 = customer.id \
             JOIN customer FOR SYSTEM_TIME AS OF o.proc_time AS d ON customer.id = d.id WHERE o.id < 3"
        )
        .await,
        "+I 1 8 bonn / +I 2 9 rome"
    );
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_looked_up_like_rows() {
    let mut shop = Shop::new("+I 1 7 / +I 2 8 | -U 1 7 / +U 1 9 / -D 2 8").await;
    assert_eq!(
        shop.rows(
            "SELECT o.id, c.city FROM orders AS o \
             JOIN customer FOR SYSTEM_TIME AS OF o.proc_time AS c ON o.cust = c.id"
        )
        .await,
        "+I 1 rome / +I 2 bonn / -U 1 rome / +U 1 rome / -D 2 bonn"
    );
    shop.close().await;
}

/// The shape of Nexmark's q13: the time comes from a sub-query, the key is computed.
#[tokio::test(flavor = "multi_thread")]
async fn a_side_input() {
    let mut shop = Shop::new(ORDERS).await;
    assert_eq!(
        shop.rows(
            "SELECT b.id, s.name FROM (SELECT *, PROCTIME() AS p_time FROM orders) b \
             JOIN customer FOR SYSTEM_TIME AS OF b.p_time AS s ON MOD(b.cust, 100) = s.id"
        )
        .await,
        "+I 1 ann / +I 2 bob / +I 5 NULL / +I 6 ann"
    );
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lookup_is_explained_and_its_mistakes_as_well() {
    let mut shop = Shop::new("+I 1 7").await;
    let join = "FROM orders AS o JOIN customer FOR SYSTEM_TIME AS OF";
    let query = format!("EXPLAIN SELECT o.id, c.name {join} o.proc_time AS c ON o.cust = c.id");
    let Outcome::Rows(plan) = shop.execute(&query).await.unwrap() else { panic!("no plan") };
    let plan = format!("{:?}", plan.rows);
    assert!(plan.contains("LookupJoin: table=[customer], joinType=[InnerJoin], lookup=[id="), "{plan}");
    assert!(!plan.contains("Source: customer"), "{plan}");
    for (query, expected) in [
        ("o.`at` AS c ON o.cust = c.id", "left table's time attribute field"),
        ("o.proc_time AS c ON o.cust > c.id", "needs an equality on a column of table 'customer'"),
        ("o.proctime AS c ON o.cust = c.id", "did you mean 'proc_time'?"),
    ] {
        let error = shop.error(&format!("SELECT o.id {join} {query}")).await;
        assert!(error.contains(expected), "{error}");
    }
    let error =
        shop.error("SELECT o.id FROM orders AS o CROSS JOIN customer FOR SYSTEM_TIME AS OF o.proc_time AS c").await;
    assert!(error.contains("goes with JOIN … ON and LEFT JOIN … ON only"), "{error}");
    let error = shop
        .error("SELECT o.id FROM orders AS o JOIN orders FOR SYSTEM_TIME AS OF o.proc_time AS c ON o.cust = c.id")
        .await;
    assert!(error.contains("connector 'values' cannot be asked for the rows of a key"), "{error}");
    shop.close().await;
}

const RETRY: &str = "'retry-predicate' = 'lookup_miss', 'retry-strategy' = 'fixed_delay'";

/// Customer 5 comes later than its order, and past a cache that knows that there is none.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_customer_is_waited_for() {
    let mut shop = Shop::new(ORDERS).await;
    shop.execute("CREATE TABLE cached WITH ('lookup.cache' = 'PARTIAL') LIKE customer").await.unwrap();
    let late = {
        let schema = shop.schema.clone();
        tokio::spawn(async move {
            tokio::time::sleep(std::time::Duration::from_millis(600)).await;
            let warehouse = Endpoints::default().warehouse().await.unwrap();
            warehouse.batch_execute(&format!("INSERT INTO {schema}.customer VALUES (5, 'eve', 'oslo')")).await.unwrap();
        })
    };
    let hint = format!("LOOKUP('table' = 'c', {RETRY}, 'fixed-delay' = '100 ms', 'max-attempts' = '600')");
    let join = "FROM orders AS o JOIN cached FOR SYSTEM_TIME AS OF o.proc_time AS c ON o.cust = c.id";
    assert_eq!(
        shop.rows(&format!("SELECT /*+ {hint} */ o.id, c.name {join}")).await,
        "+I 1 ann / +I 2 bob / +I 3 eve / +I 5 NULL / +I 6 ann"
    );
    late.await.unwrap();
    let Outcome::Rows(plan) = shop.execute(&format!("EXPLAIN SELECT /*+ {hint} */ o.id {join}")).await.unwrap() else {
        panic!("no plan")
    };
    let plan = format!("{:?}", plan.rows);
    assert!(plan.contains("retry=[lookup_miss, FIXED_DELAY, 100ms, 600]"), "{plan}");
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_that_never_comes_is_given_up() {
    let mut shop = Shop::new("+I 1 5 / +I 2 7").await;
    let hint = format!("LOOKUP('table' = 'customer', {RETRY}, 'fixed-delay' = '1 ms', 'max-attempts' = '2')");
    assert_eq!(
        shop.rows(&format!(
            "SELECT /*+ {hint} */ o.id, customer.name FROM orders AS o \
             LEFT JOIN customer FOR SYSTEM_TIME AS OF o.proc_time ON o.cust = customer.id"
        ))
        .await,
        "+I 1 NULL / +I 2 ann"
    );
    shop.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_in_the_hint() {
    let mut shop = Shop::new("+I 1 7").await;
    let all = format!("{RETRY}, 'fixed-delay' = '1 s', 'max-attempts' = '2'");
    for (hint, expected) in [
        (format!("'table' = 'd', {all}"), "the hint LOOKUP names 'd', which is not looked up in this SELECT"),
        (format!("'table' = 'customer', {all}"), "looked up are c; an alias hides the name of its table"),
        (all.clone(), "the hint LOOKUP does not say for which table"),
        (format!("'table' = 'c', {RETRY}"), "missing: fixed-delay, max-attempts"),
        ("'table' = 'c', 'max-attempt' = '3'".to_owned(), "did you mean 'max-attempts'?"),
        ("'table' = 'c', 'max-attempts' = '0'".to_owned(), "is a number above zero, not '0'"),
        ("'table' = 'c', 'async' = 'maybe'".to_owned(), "'async' in the hint LOOKUP is 'true' or 'false', not 'maybe'"),
    ] {
        let error = shop
            .error(&format!(
                "SELECT /*+ LOOKUP({hint}) */ o.id FROM orders AS o \
                 JOIN customer FOR SYSTEM_TIME AS OF o.proc_time AS c ON o.cust = c.id"
            ))
            .await;
        assert!(error.contains(expected), "{error}");
    }
    shop.close().await;
}
