//! A schema of its own on the test server, and sinks that write to it.
#![allow(dead_code, reason = "not every test file needs every helper")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use sluice_connector_api::{Connectors, SinkContext, SinkWriter, Spawner, TableDefinition, TableOption, TableOptions};
use sluice_jdbc::JdbcConnector;
use sluice_model::{
    ChangelogBatch, ChangelogMode, Column, MetricGroup, MetricRegistry, Result, SqlType, SystemClock, TableSchema,
};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

pub(crate) const USER: &str = "sluice";
pub(crate) const PASSWORD: &str = "sluice-secret";

pub(crate) fn port() -> u16 {
    std::env::var("SLUICE_POSTGRES_PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(25432)
}

/// A connection for looking at what was written.
pub(crate) async fn connect() -> Client {
    let parameters =
        format!("host=127.0.0.1 port={} user={USER} password={PASSWORD} dbname=warehouse connect_timeout=5", port());
    let (client, connection) = tokio_postgres::connect(&parameters, NoTls)
        .await
        .unwrap_or_else(|error| panic!("no PostgreSQL: {error}; start it with: scripts/services.sh up postgres"));
    tokio::spawn(connection);
    client
}

/// A schema that no other test uses. It is dropped by [`Warehouse::drop`], and stays if the test fails.
pub(crate) struct Warehouse {
    pub(crate) client: Client,
    pub(crate) schema: String,
    pub(crate) metrics: MetricRegistry,
}

static NEXT: AtomicU32 = AtomicU32::new(0);

impl Warehouse {
    /// Makes the schema and runs `ddl` in it.
    pub(crate) async fn new(ddl: &str) -> Self {
        let client = connect().await;
        let nanos = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos();
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let schema = format!("jdbc_{}_{nanos}_{number}", std::process::id());
        client
            .batch_execute(&format!("CREATE SCHEMA {schema}; SET search_path = {schema}; SET timezone = 'UTC'; {ddl}"))
            .await
            .unwrap();
        Self { client, schema, metrics: MetricRegistry::default() }
    }

    pub(crate) async fn drop(self) {
        self.client.batch_execute(&format!("DROP SCHEMA {} CASCADE", self.schema)).await.unwrap();
    }

    pub(crate) async fn execute(&self, sql: &str) {
        self.client.batch_execute(sql).await.unwrap();
    }

    /// Rows as `1 a / 2 NULL`.
    pub(crate) async fn rows(&self, sql: &str) -> String {
        let mut rows = Vec::new();
        for message in self.client.simple_query(sql).await.unwrap() {
            if let SimpleQueryMessage::Row(row) = message {
                let values: Vec<&str> = (0..row.len()).map(|column| row.get(column).unwrap_or("NULL")).collect();
                rows.push(values.join(" "));
            }
        }
        rows.join(" / ")
    }

    /// The options of a table that writes to `table`, and more.
    pub(crate) fn options(&self, table: &str, more: &[(&str, &str)]) -> TableOptions {
        let url = format!("jdbc:postgresql://127.0.0.1:{}/warehouse?ApplicationName={}", port(), self.schema);
        let table = format!("{}.{table}", self.schema);
        let mut options = TableOptions::from_pairs([
            ("connector", "jdbc"),
            ("url", url.as_str()),
            ("table-name", table.as_str()),
            ("username", USER),
            ("password", PASSWORD),
        ]);
        for (key, value) in more {
            options.set(TableOption { key: (*key).into(), value: (*value).into(), position: None });
        }
        options
    }

    /// A writer to `table`.
    pub(crate) async fn open(
        &self,
        table: &str,
        schema: TableSchema,
        more: &[(&str, &str)],
    ) -> Result<Box<dyn SinkWriter>> {
        let changelog = if schema.primary_key.is_empty() { ChangelogMode::APPEND } else { ChangelogMode::UPSERT };
        let definition = TableDefinition {
            name: table.to_owned(),
            schema,
            options: self.options(table, more),
            ..TableDefinition::default()
        };
        open(&definition, changelog, &self.metrics).await
    }

    pub(crate) fn metric(&self, name: &str) -> i64 {
        let samples = self.metrics.samples();
        samples.iter().find(|sample| sample.name == name).map_or(0, |sample| sample.value)
    }
}

pub(crate) async fn open(
    definition: &TableDefinition,
    changelog: ChangelogMode,
    metrics: &MetricRegistry,
) -> Result<Box<dyn SinkWriter>> {
    let connectors = Connectors::default().with(JdbcConnector);
    let sink = connectors.sink(definition, changelog)?;
    let metrics: MetricGroup = metrics.group(Vec::new());
    sink.open(SinkContext {
        subtask: 0,
        parallelism: 1,
        restored: Vec::new(),
        metrics,
        spawner: Spawner::new(|_, task| drop(tokio::spawn(task))),
        clock: SystemClock::shared(),
    })
    .await
}

/// The schema of a batch, keyed by these columns.
pub(crate) fn keyed(batch: &ChangelogBatch, key: &[usize]) -> TableSchema {
    let mut columns: Vec<Column> = batch.schema().fields().iter().map(|field| Column::of_field(field)).collect();
    for index in key {
        columns[*index].nullable = false;
    }
    TableSchema::new(columns).with_primary_key(key.to_vec())
}

/// `id INT, v STRING`, keyed by `id`.
pub(crate) fn id_and_value() -> TableSchema {
    let columns = vec![Column::new("id", SqlType::Int).not_null(), Column::new("v", SqlType::STRING)];
    TableSchema::new(columns).with_primary_key(vec![0])
}

/// Waits until `sql` gives `expected`.
pub(crate) async fn eventually(warehouse: &Warehouse, sql: &str, expected: &str) {
    let mut found = String::new();
    for _ in 0..400 {
        found = warehouse.rows(sql).await;
        if found == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(found, expected, "{sql}");
}
