//! `store_sales` and `store_returns` of TPC-DS (Specification 3.2.0, sections 2.3.1 and 2.3.2).

use std::fmt::Write;

use mysql_async::prelude::Queryable;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::Result;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `INT`; a surrogate key or a quantity.
    Int,
    /// `BIGINT`; the ticket number.
    BigInt,
    /// `DECIMAL(7, 2)`; money.
    Money,
}

/// A table: its name, its columns in order, and its key.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Name in MySQL.
    pub name: &'static str,
    /// Columns.
    pub columns: &'static [(&'static str, Kind)],
    /// Position of the item number, first part of the key.
    pub item: usize,
    /// Position of the ticket number, second part of the key.
    pub ticket: usize,
}

use Kind::{BigInt, Int, Money};

/// Sales in stores.
pub const STORE_SALES: Table = Table {
    name: "store_sales",
    columns: &[
        ("ss_sold_date_sk", Int),
        ("ss_sold_time_sk", Int),
        ("ss_item_sk", Int),
        ("ss_customer_sk", Int),
        ("ss_cdemo_sk", Int),
        ("ss_hdemo_sk", Int),
        ("ss_addr_sk", Int),
        ("ss_store_sk", Int),
        ("ss_promo_sk", Int),
        ("ss_ticket_number", BigInt),
        ("ss_quantity", Int),
        ("ss_wholesale_cost", Money),
        ("ss_list_price", Money),
        ("ss_sales_price", Money),
        ("ss_ext_discount_amt", Money),
        ("ss_ext_sales_price", Money),
        ("ss_ext_wholesale_cost", Money),
        ("ss_ext_list_price", Money),
        ("ss_ext_tax", Money),
        ("ss_coupon_amt", Money),
        ("ss_net_paid", Money),
        ("ss_net_paid_inc_tax", Money),
        ("ss_net_profit", Money),
    ],
    item: 2,
    ticket: 9,
};

/// Returns of what was sold in stores.
pub const STORE_RETURNS: Table = Table {
    name: "store_returns",
    columns: &[
        ("sr_returned_date_sk", Int),
        ("sr_return_time_sk", Int),
        ("sr_item_sk", Int),
        ("sr_customer_sk", Int),
        ("sr_cdemo_sk", Int),
        ("sr_hdemo_sk", Int),
        ("sr_addr_sk", Int),
        ("sr_store_sk", Int),
        ("sr_reason_sk", Int),
        ("sr_ticket_number", BigInt),
        ("sr_return_quantity", Int),
        ("sr_return_amt", Money),
        ("sr_return_tax", Money),
        ("sr_return_amt_inc_tax", Money),
        ("sr_fee", Money),
        ("sr_return_ship_cost", Money),
        ("sr_refunded_cash", Money),
        ("sr_reversed_charge", Money),
        ("sr_store_credit", Money),
        ("sr_net_loss", Money),
    ],
    item: 2,
    ticket: 9,
};

/// Items that a shop has; a ticket has several.
const ITEMS: i64 = 18_000;
/// Items on one ticket, so that the first key column repeats and the second does.
const ITEMS_PER_TICKET: i64 = 12;

impl Table {
    /// Names of the key columns, in key order.
    pub fn key(&self) -> [&'static str; 2] {
        [self.columns[self.item].0, self.columns[self.ticket].0]
    }

    /// All column names with commas between.
    pub fn column_list(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    /// `CREATE TABLE` that both MySQL and PostgreSQL read.
    pub fn ddl(&self, name: &str) -> String {
        let mut ddl = format!("CREATE TABLE {name} (");
        for (column, kind) in self.columns {
            let sql_type = match kind {
                Int => "INT",
                BigInt => "BIGINT",
                Money => "DECIMAL(7, 2)",
            };
            let not_null = if self.key().contains(column) { " NOT NULL" } else { "" };
            let _ = write!(ddl, "{column} {sql_type}{not_null}, ");
        }
        let [item, ticket] = self.key();
        let _ = write!(ddl, "PRIMARY KEY ({item}, {ticket}))");
        ddl
    }

    /// The key of row number `row`: item and ticket. Different rows have different keys.
    pub fn key_of(&self, row: u64) -> (i64, i64) {
        let row = row as i64;
        let ticket = row / ITEMS_PER_TICKET + 1;
        // Neighbouring items of a ticket are far apart, so that the key's first column is in no order.
        let item = (row * 7_919) % ITEMS + 1;
        (item, ticket)
    }

    /// A row as the text of a `VALUES` entry, from a generator so that a seed repeats it.
    pub fn write_row(&self, row: u64, random: &mut StdRng, out: &mut String) {
        let (item, ticket) = self.key_of(row);
        out.push('(');
        for (index, (_, kind)) in self.columns.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            let is_null = index != self.item && index != self.ticket && random.random_ratio(1, 25);
            let _ = match kind {
                _ if index == self.item => write!(out, "{item}"),
                _ if index == self.ticket => write!(out, "{ticket}"),
                _ if is_null => write!(out, "NULL"),
                Int => write!(out, "{}", random.random_range(1..=100_000)),
                BigInt => write!(out, "{}", random.random_range(1..=i64::from(i32::MAX))),
                Money => {
                    let cents: i64 = random.random_range(-99_999..=9_999_999);
                    let sign = if cents < 0 { "-" } else { "" };
                    write!(out, "{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100)
                }
            };
        }
        out.push(')');
    }

    /// Creates the table anew in the current database and fills it with rows `0 .. rows`.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn create_in_mysql(&self, connection: &mut mysql_async::Conn, rows: u64) -> Result<()> {
        connection.query_drop(format!("DROP TABLE IF EXISTS {}", self.name)).await?;
        connection.query_drop(self.ddl(self.name)).await?;
        self.insert_rows(connection, 0, rows).await
    }

    /// Inserts rows `from .. to` in transactions of 2,000.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn insert_rows(&self, connection: &mut mysql_async::Conn, from: u64, to: u64) -> Result<()> {
        let mut random = StdRng::seed_from_u64(from);
        let mut statement = String::new();
        let mut row = from;
        while row < to {
            statement.clear();
            let _ = write!(statement, "INSERT INTO {} ({}) VALUES ", self.name, self.column_list());
            let end = to.min(row + 2_000);
            for number in row..end {
                if number > row {
                    statement.push(',');
                }
                self.write_row(number, &mut random, &mut statement);
            }
            connection.query_drop(&statement).await?;
            row = end;
        }
        Ok(())
    }

    /// Creates the table anew in the warehouse, empty. `name` is `schema.table`.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn create_in_warehouse(&self, client: &tokio_postgres::Client, name: &str) -> Result<()> {
        if let Some((schema, _)) = name.split_once('.') {
            client.batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS {schema}")).await?;
        }
        client.batch_execute(&format!("DROP TABLE IF EXISTS {name}; {}", self.ddl(name))).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn keys_do_not_repeat() {
        let keys: HashSet<_> = (0..500_000).map(|row| STORE_SALES.key_of(row)).collect();
        assert_eq!(keys.len(), 500_000);
    }

    #[test]
    fn a_row_has_a_value_for_every_column() {
        let mut text = String::new();
        STORE_RETURNS.write_row(7, &mut StdRng::seed_from_u64(1), &mut text);
        assert_eq!(text.matches(',').count() + 1, STORE_RETURNS.columns.len());
    }
}
