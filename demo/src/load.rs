//! A live load: inserts, updates and deletes at a steady rate, by key, in small transactions.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::Result;
use crate::tpcds::{Kind, Table};

/// What a load has done so far.
#[derive(Debug, Default)]
pub struct Counts {
    /// Inserted rows.
    pub inserts: AtomicU64,
    /// Updated rows.
    pub updates: AtomicU64,
    /// Deleted rows.
    pub deletes: AtomicU64,
}

impl Counts {
    /// All changes.
    pub fn total(&self) -> u64 {
        [&self.inserts, &self.updates, &self.deletes].iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }
}

/// Switch and counters of a running load.
#[derive(Debug, Clone, Default)]
pub struct Load {
    stopped: Arc<AtomicBool>,
    /// What it has done so far.
    pub counts: Arc<Counts>,
}

impl Load {
    /// Tells the load to stop after its current transaction.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Changes `table` until it is told to stop, at about `rate` changes per second (0: as fast as
    /// the server takes them). The table holds the rows `0 .. rows`; new rows follow them.
    ///
    /// # Errors
    /// The server refuses, or is gone.
    pub async fn run(
        &self,
        connection: &mut mysql_async::Conn,
        table: Table,
        rows: u64,
        rate: u64,
        seed: u64,
    ) -> Result<()> {
        let mut random = StdRng::seed_from_u64(seed);
        let mut next_row = rows;
        let (start, mut done) = (Instant::now(), 0);
        while !self.stopped.load(Ordering::Relaxed) {
            let changes = random.random_range(1..=8);
            connection.query_drop("BEGIN").await?;
            for _ in 0..changes {
                let statement = self.change(&table, &mut next_row, &mut random);
                connection.query_drop(statement).await?;
            }
            connection.query_drop("COMMIT").await?;
            done += changes;
            if rate > 0 {
                let due = start + Duration::from_secs_f64(done as f64 / rate as f64);
                tokio::time::sleep_until(due.into()).await;
            }
        }
        Ok(())
    }

    /// One change: a half are updates, a third inserts, the rest deletes.
    fn change(&self, table: &Table, next_row: &mut u64, random: &mut StdRng) -> String {
        let [item_name, ticket_name] = table.key();
        let (item, ticket) = table.key_of(random.random_range(0..(*next_row).max(1)));
        let condition = format!("WHERE {item_name} = {item} AND {ticket_name} = {ticket}");
        match random.random_range(0..6) {
            0..=2 => {
                self.counts.updates.fetch_add(1, Ordering::Relaxed);
                let money: Vec<_> = table.columns.iter().filter(|(_, kind)| *kind == Kind::Money).collect();
                let (column, _) = money[random.random_range(0..money.len())];
                let cents = random.random_range(0..9_999_999);
                format!("UPDATE {} SET {column} = {}.{:02} {condition}", table.name, cents / 100, cents % 100)
            }
            3 | 4 => {
                self.counts.inserts.fetch_add(1, Ordering::Relaxed);
                let mut statement = String::new();
                let _ = write!(statement, "INSERT INTO {} ({}) VALUES ", table.name, table.column_list());
                table.write_row(*next_row, random, &mut statement);
                *next_row += 1;
                statement
            }
            _ => {
                self.counts.deletes.fetch_add(1, Ordering::Relaxed);
                format!("DELETE FROM {} {condition}", table.name)
            }
        }
    }
}
