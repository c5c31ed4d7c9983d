//! Servers, tables and readers for tests.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder, Row, Value};
use sluice_connector_api::{
    Connectors, SourceContext, SourceEvent, SourceReader, Spawner, TableDefinition, TableOptions,
};
use sluice_model::{
    ChangelogBatch, ChangelogMode, Column, Error, MetricRegistry, RowKind, SqlType, SystemClock, TableSchema, to_pretty,
};
use tokio::task::JoinHandle;

/// Which server a test runs against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    MariaDb,
    MySql,
}

/// Makes one test per server out of an async function that takes the server.
#[macro_export]
macro_rules! on_both_servers {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn mariadb() {
                super::$name($crate::support::Server::MariaDb).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn mysql() {
                super::$name($crate::support::Server::MySql).await;
            }
        }
    )*};
}

pub(crate) const USER: &str = "sluice";
pub(crate) const PASSWORD: &str = "sluice-secret";

impl Server {
    pub(crate) fn port(self) -> u16 {
        let (variable, default) = match self {
            Self::MariaDb => ("SLUICE_MARIADB_PORT", 23306),
            Self::MySql => ("SLUICE_MYSQL_PORT", 23307),
        };
        std::env::var(variable).ok().and_then(|port| port.parse().ok()).unwrap_or(default)
    }

    pub(crate) async fn root(self) -> Conn {
        let options = OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(self.port())
            .user(Some("root"))
            .pass(Some("root-secret"))
            .prefer_socket(false);
        let name = if self == Self::MariaDb { "mariadb" } else { "mysql" };
        match Conn::new(options).await {
            Ok(conn) => conn,
            Err(error) => panic!("{self:?} does not answer ({error}); start it with: scripts/services.sh up {name}"),
        }
    }
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A database of its own, dropped at the end.
pub(crate) struct Database {
    pub(crate) server: Server,
    pub(crate) name: String,
    conn: Conn,
}

impl Database {
    pub(crate) async fn new(server: Server) -> Self {
        let mut conn = server.root().await;
        let name = format!("cdc_{}_{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        conn.query_drop(format!("DROP DATABASE IF EXISTS {name}")).await.unwrap();
        conn.query_drop(format!("CREATE DATABASE {name} CHARACTER SET utf8mb4")).await.unwrap();
        conn.query_drop(format!("USE {name}")).await.unwrap();
        Self { server, name, conn }
    }

    pub(crate) async fn run(&mut self, sql: &str) {
        if let Err(error) = self.conn.query_drop(sql).await {
            panic!("{sql}: {error}");
        }
    }

    /// A further connection in the database.
    pub(crate) async fn connect(&self) -> Conn {
        let mut conn = self.server.root().await;
        conn.query_drop(format!("USE {}", self.name)).await.unwrap();
        conn
    }

    pub(crate) async fn rows(&mut self, sql: &str) -> Vec<Vec<String>> {
        let rows: Vec<Row> = self.conn.query(sql).await.unwrap();
        rows.into_iter().map(|row| row.unwrap().into_iter().map(text).collect()).collect()
    }

    /// The rows of a table as the materialised changelog has them.
    pub(crate) async fn table(&mut self, sql: &str) -> BTreeMap<String, u32> {
        let mut table = BTreeMap::new();
        for row in self.rows(sql).await {
            let cells: Vec<String> = row.into_iter().map(|cell| quote(&cell)).collect();
            *table.entry(cells.join(" ")).or_default() += 1;
        }
        table
    }

    pub(crate) async fn drop(mut self) {
        let name = self.name.clone();
        self.run(&format!("DROP DATABASE {name}")).await;
    }
}

fn text(value: Value) -> String {
    match value {
        Value::NULL => "NULL".into(),
        Value::Bytes(bytes) => String::from_utf8(bytes).unwrap(),
        other => panic!("{other:?} in a text result"),
    }
}

fn quote(cell: &str) -> String {
    if cell.contains(' ') || cell.is_empty() { format!("'{cell}'") } else { cell.to_owned() }
}

/// A SQL table over a MySQL table.
#[derive(Clone)]
pub(crate) struct Table {
    definition: TableDefinition,
    pub(crate) mode: ChangelogMode,
}

impl Table {
    /// `columns` with the first `keys` of them as primary key.
    pub(crate) fn new(database: &Database, name: &str, columns: &[(&str, SqlType)], keys: usize) -> Self {
        let columns = columns.iter().map(|(name, sql_type)| Column::new(*name, sql_type.clone())).collect();
        let options = TableOptions::from_pairs([
            ("connector", "mysql-cdc".to_owned()),
            ("hostname", "127.0.0.1".to_owned()),
            ("port", database.server.port().to_string()),
            ("username", USER.to_owned()),
            ("password", PASSWORD.to_owned()),
            ("database-name", database.name.clone()),
            ("table-name", name.to_owned()),
            ("heartbeat.interval", "2s".to_owned()),
        ]);
        let definition = TableDefinition {
            name: format!("default_catalog.default_database.{name}"),
            schema: TableSchema::new(columns).with_primary_key((0..keys).collect()),
            options,
            ..TableDefinition::default()
        };
        Self { definition, mode: ChangelogMode::RETRACT }
    }

    pub(crate) fn with(mut self, key: &str, value: &str) -> Self {
        self.definition.options.set(sluice_connector_api::TableOption {
            key: key.to_owned(),
            value: value.to_owned(),
            position: None,
        });
        self
    }

    pub(crate) fn with_metadata(mut self, key: &str, column: &str, data_type: SqlType) -> Self {
        self.definition.metadata.push((key.to_owned(), Column::new(column, data_type)));
        self
    }

    pub(crate) fn upsert(mut self) -> Self {
        self.mode = ChangelogMode::UPSERT;
        self
    }
}

/// A running reader and what its consumer has.
pub(crate) struct Job {
    tables: Vec<Table>,
    reader: Box<dyn SourceReader>,
    tasks: Tasks,
    /// Per table: the rows, with how often each is there.
    pub(crate) state: Vec<BTreeMap<String, u32>>,
    /// Everything that came, if it is kept.
    pub(crate) seen: Vec<String>,
    pub(crate) keep: bool,
    pub(crate) metrics: MetricRegistry,
    pub(crate) ended: bool,
}

#[derive(Clone, Default)]
struct Tasks(Arc<Mutex<Vec<JoinHandle<()>>>>);

impl Drop for Job {
    fn drop(&mut self) {
        self.tasks.abort();
    }
}

impl Tasks {
    fn spawner(&self) -> Spawner {
        let tasks = Arc::clone(&self.0);
        Spawner::new(move |name, task| {
            let handle = tokio::spawn(async move {
                if let Err(error) = task.await {
                    panic!("task {name}: {error}");
                }
            });
            tasks.lock().unwrap().push(handle);
        })
    }

    fn abort(&self) {
        for task in self.0.lock().unwrap().drain(..) {
            task.abort();
        }
    }
}

impl Job {
    pub(crate) async fn try_start(tables: &[Table], restored: Option<Vec<u8>>) -> Result<Self, Error> {
        let connectors = Connectors::default().with(sluice_mysql_cdc::MysqlCdc);
        let wanted = tables.iter().map(|table| (table.definition.clone(), table.mode)).collect();
        let source = connectors.source(wanted)?;
        let tasks = Tasks::default();
        let metrics = MetricRegistry::default();
        let context = SourceContext {
            // The changelog has to be exact: what was not delivered since the checkpoint is not taken back.
            feeds_state: true,
            subtask: 0,
            parallelism: 1,
            restored: restored.into_iter().collect(),
            metrics: metrics.group(Vec::new()),
            spawner: tasks.spawner(),
            clock: SystemClock::shared(),
        };
        let reader = source.open(context).await?;
        Ok(Self {
            tables: tables.to_vec(),
            reader,
            tasks,
            state: vec![BTreeMap::new(); tables.len()],
            seen: Vec::new(),
            keep: false,
            metrics,
            ended: false,
        })
    }

    pub(crate) async fn start(tables: &[Table]) -> Self {
        Self::try_start(tables, None).await.unwrap()
    }

    /// The error that a job without rows ends with.
    pub(crate) async fn error_of(tables: &[Table]) -> String {
        match Self::try_start(tables, None).await {
            Err(error) => error.to_string(),
            Ok(mut job) => job.failure().await,
        }
    }

    /// Reads on until an error comes.
    pub(crate) async fn failure(&mut self) -> String {
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline {
            match tokio::time::timeout(Duration::from_secs(30), self.reader.next()).await {
                Ok(Err(error)) => return error.to_string(),
                Ok(Ok(_)) => {}
                Err(_) => break,
            }
        }
        panic!("no error came");
    }

    /// Ends the job as a crash would, and starts it from the position; the consumer keeps what it had then.
    pub(crate) async fn restart(self, checkpoint: Checkpoint) -> Self {
        let (tables, keep) = (self.tables.clone(), self.keep);
        drop(self);
        let mut job = Self::try_start(&tables, Some(checkpoint.position)).await.unwrap();
        job.state = checkpoint.state;
        job.keep = keep;
        job
    }

    pub(crate) fn checkpoint(&mut self) -> Checkpoint {
        Checkpoint { position: self.reader.position().unwrap(), state: self.state.clone() }
    }

    pub(crate) fn position(&mut self) -> String {
        String::from_utf8(self.reader.position().unwrap()).unwrap()
    }

    /// Waits for one batch; false if none came in time.
    pub(crate) async fn step(&mut self, wait: Duration) -> bool {
        match tokio::time::timeout(wait, self.reader.next()).await {
            Err(_) => false,
            Ok(Err(error)) => panic!("{error}"),
            Ok(Ok(SourceEvent::End)) => {
                self.ended = true;
                false
            }
            Ok(Ok(SourceEvent::Split { .. } | SourceEvent::SplitBatch { .. })) => panic!("a log has no splits"),
            Ok(Ok(SourceEvent::Batch { table, batch })) => {
                self.apply(table, &batch);
                true
            }
        }
    }

    /// Reads until the state of table `table` is `expected`.
    pub(crate) async fn expect(&mut self, table: usize, expected: &BTreeMap<String, u32>) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.state[table] != *expected {
            if Instant::now() > deadline {
                panic!("{}", difference(&self.state[table], expected));
            }
            self.step(Duration::from_millis(200)).await;
        }
    }

    /// Reads until table 0 has these rows.
    pub(crate) async fn expect_rows(&mut self, rows: &[&str]) {
        let expected = rows.iter().map(|row| ((*row).to_owned(), 1)).collect();
        self.expect(0, &expected).await;
    }

    /// Reads until nothing has come for a while.
    pub(crate) async fn settle(&mut self) {
        while self.step(Duration::from_millis(700)).await {}
    }

    fn apply(&mut self, table: usize, batch: &ChangelogBatch) {
        let pretty = to_pretty(batch);
        let upsert = self.tables[table].mode == ChangelogMode::UPSERT;
        for (index, row) in pretty.split(" / ").filter(|row| !row.is_empty()).enumerate() {
            if self.keep {
                self.seen.push(row.to_owned());
            }
            let (_, content) = row.split_once(' ').unwrap();
            let kind = batch.kind(index);
            let state = &mut self.state[table];
            if upsert {
                apply_upsert(state, kind, content);
            } else {
                apply_retract(state, kind, content, row);
            }
        }
    }

    pub(crate) fn metric(&self, name: &str) -> i64 {
        self.metrics.samples().into_iter().filter(|sample| sample.name == name).map(|sample| sample.value).sum()
    }
}

/// Every retraction must name a row that is there: the changelog is exact.
fn apply_retract(state: &mut BTreeMap<String, u32>, kind: RowKind, content: &str, row: &str) {
    if kind.is_addition() {
        let count = state.entry(content.to_owned()).or_default();
        *count += 1;
        assert_eq!(*count, 1, "'{row}' came twice");
    } else {
        assert!(state.remove(content).is_some(), "'{row}' retracts what is not there");
    }
}

/// The key is the first column.
fn apply_upsert(state: &mut BTreeMap<String, u32>, kind: RowKind, content: &str) {
    let key = content.split(' ').next().unwrap();
    state.retain(|row, _| row.split(' ').next() != Some(key));
    if kind.is_addition() {
        state.insert(content.to_owned(), 1);
    }
}

fn difference(found: &BTreeMap<String, u32>, expected: &BTreeMap<String, u32>) -> String {
    let mut text = format!("{} rows, expected {}\n", found.len(), expected.len());
    for (row, _) in expected.iter().filter(|(row, _)| !found.contains_key(*row)).take(10) {
        let _ = writeln!(text, "missing: {row}");
    }
    for (row, _) in found.iter().filter(|(row, _)| !expected.contains_key(*row)).take(10) {
        let _ = writeln!(text, "too many: {row}");
    }
    text
}

/// A position and what the consumer had there.
#[derive(Clone)]
pub(crate) struct Checkpoint {
    pub(crate) position: Vec<u8>,
    pub(crate) state: Vec<BTreeMap<String, u32>>,
}

/// xorshift64*.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % sides
    }
}
