//! A scene: the users' system in a database, topic and schema of its own.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use rand::Rng;
use sluice_demo::Result;
use sluice_demo::compare;
use sluice_demo::endpoints::{Endpoints, Flavor, HOST, WAREHOUSE};
use sluice_demo::tpcds::{STORE_SALES, Table};

use crate::ClientProcess;

/// `store_sales` in MySQL, a topic and a warehouse table, all with names of their own.
#[derive(Debug)]
pub struct Scene {
    /// Which server the source is.
    pub flavor: Flavor,
    /// Which instance of the servers.
    pub endpoints: Endpoints,
    /// The table.
    pub table: Table,
    /// Database in MySQL, schema in the warehouse and prefix of the topic.
    pub name: String,
    /// First id of the job's range.
    pub server_id: u32,
    /// Rows that the table was made with.
    pub rows: u64,
    directory: tempfile::TempDir,
}

impl Scene {
    /// A scene on the common servers.
    ///
    /// # Errors
    /// A server is not there; the text says how to start it.
    pub async fn create(name: &str, flavor: Flavor, rows: u64) -> Result<Self> {
        Self::create_at(Endpoints::default(), name, flavor, rows).await
    }

    /// A scene on an instance of the servers.
    ///
    /// # Errors
    /// A server is not there; the text says how to start it.
    pub async fn create_at(endpoints: Endpoints, name: &str, flavor: Flavor, rows: u64) -> Result<Self> {
        let number: u32 = rand::rng().random_range(0..u32::MAX / 16);
        let scene = Self {
            flavor,
            endpoints,
            table: STORE_SALES,
            name: format!("{name}_{}_{number:08x}", flavor.service()),
            // Ten ids for this scene; ranges of different scenes hardly ever meet.
            server_id: 100_000 + number % 40_000_000 * 10,
            rows,
            directory: crate::scratch()?,
        };
        let mut mysql = endpoints.mysql(flavor).await?;
        mysql.query_drop(format!("CREATE DATABASE {}", scene.name)).await?;
        mysql.query_drop(format!("USE {}", scene.name)).await?;
        scene.table.create_in_mysql(&mut mysql, rows).await?;
        let warehouse = endpoints.warehouse().await?;
        scene.table.create_in_warehouse(&warehouse, &scene.warehouse_table()).await?;
        Ok(scene)
    }

    /// A connection to the scene's database.
    ///
    /// # Errors
    /// The server is not there.
    pub async fn mysql(&self) -> Result<mysql_async::Conn> {
        let mut connection = self.endpoints.mysql(self.flavor).await?;
        connection.query_drop(format!("USE {}", self.name)).await?;
        Ok(connection)
    }

    /// The Kafka topic.
    pub fn topic(&self) -> String {
        format!("{}.store_sales", self.name)
    }

    /// The warehouse table.
    pub fn warehouse_table(&self) -> String {
        format!("{}.store_sales_heap", self.name)
    }

    /// The home directory of the scene's programs.
    pub fn home(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// Job 01 as it stands in `jobs/`, with the names, ports and ids of this scene.
    ///
    /// # Errors
    /// The job file cannot be read.
    pub fn job_text(&self) -> Result<String> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../jobs/01-sales-cdc-sync.sql");
        let text = std::fs::read_to_string(path)?;
        let default = Endpoints::default();
        let replacements = [
            ("'port' = '23306'".to_owned(), format!("'port' = '{}'", self.endpoints.mysql_port(self.flavor))),
            ("'database-name' = 'business_db'".to_owned(), format!("'database-name' = '{}'", self.name)),
            ("'5001-5010'".to_owned(), format!("'{}-{}'", self.server_id, self.server_id + 9)),
            ("'8192'".to_owned(), "'1000'".to_owned()),
            ("'topic' = 'tpcds.store_sales'".to_owned(), format!("'topic' = '{}'", self.topic())),
            ("'tpcds.store_sales_heap'".to_owned(), format!("'{}'", self.warehouse_table())),
            (default.kafka(), self.endpoints.kafka()),
            (
                format!("{HOST}:{}/{WAREHOUSE}", default.postgres_port()),
                format!("{HOST}:{}/{WAREHOUSE}", self.endpoints.postgres_port()),
            ),
            (
                "'execution.checkpointing.interval' = '10s'".to_owned(),
                "'execution.checkpointing.interval' = '1s'".to_owned(),
            ),
        ];
        let mut job = text;
        for (from, to) in replacements {
            if !job.contains(&from) {
                return Err(format!("the job file has no {from}").into());
            }
            job = job.replace(&from, &to);
        }
        Ok(job)
    }

    /// Writes a job file into the scene's directory.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_job(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.home().join(name);
        std::fs::write(&path, text)?;
        Ok(path)
    }

    /// Runs job 01 of this scene.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start_job(&self) -> Result<ClientProcess> {
        let file = self.write_job("01-sales-cdc-sync.sql", &self.job_text()?)?;
        ClientProcess::start(&file, self.home())
    }

    /// Waits until both sinks hold what MySQL holds. Call it when nothing changes MySQL any more.
    ///
    /// # Errors
    /// They do not within the time; the text has the first differences.
    pub async fn wait_until_equal(&self, timeout: Duration) -> Result<()> {
        let deadline = Instant::now() + timeout;
        let expected = compare::in_mysql(&mut self.mysql().await?, &self.table).await?;
        loop {
            let differences = self.differences(&expected).await?;
            if differences.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("not equal after {timeout:?}:\n  {}", differences.join("\n  ")).into());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn differences(&self, expected: &compare::Contents) -> Result<Vec<String>> {
        let warehouse = self.endpoints.warehouse().await?;
        let actual = compare::in_warehouse(&warehouse, &self.table, &self.warehouse_table()).await?;
        let mut differences: Vec<_> =
            actual.differences(expected, 5).into_iter().map(|line| format!("warehouse: {line}")).collect();
        if differences.is_empty() {
            let (brokers, topic, table) = (self.endpoints.kafka(), self.topic(), self.table);
            let actual = tokio::task::spawn_blocking(move || compare::in_kafka(&brokers, &topic, &table)).await??;
            differences.extend(actual.differences(expected, 5).into_iter().map(|line| format!("kafka: {line}")));
        }
        Ok(differences)
    }
}

/// Ids of the replication clients of a server that lie in `ids`.
///
/// # Errors
/// The server refuses.
pub async fn replication_clients(
    connection: &mut mysql_async::Conn,
    flavor: Flavor,
    ids: std::ops::Range<u32>,
) -> Result<Vec<u32>> {
    let statement = match flavor {
        Flavor::MariaDb => "SHOW SLAVE HOSTS",
        Flavor::MySql => "SHOW REPLICAS",
    };
    let rows: Vec<mysql_async::Row> = connection.query(statement).await?;
    let all = rows.iter().filter_map(|row| row.get::<u32, _>(0));
    Ok(all.filter(|id| ids.contains(id)).collect())
}
