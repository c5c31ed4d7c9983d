//! Reads the catalog of PostgreSQL 9.4 and later.

use sluice_model::{Error, Result};
use tokio_postgres::{Client, Row};

use super::{Distribution, Server, TableKind, TableName, Target, TargetColumn, UniqueIndex};
use crate::failure::Failure;

/// The target, or what is there instead of it.
pub(crate) enum Found {
    Table(Box<Target>),
    /// No such table; the names of those there are, for a suggestion.
    Nothing {
        others: Vec<String>,
    },
}

/// Reads what the server is and what the table called `name` looks like.
///
/// # Errors
/// The connection broke, or the catalog may not be read.
pub(crate) async fn read_target(client: &Client, name: &TableName) -> Result<Found> {
    read(client, name).await.map_err(|error| match Failure::from(error) {
        Failure::Lost(why) | Failure::Conflict(why) => {
            Error::retry("the connection to the target broke while its catalog was read").because(why)
        }
        Failure::Own(error) => error,
        Failure::Constraint(refusal) | Failure::Refused(refusal) => {
            Error::fix("the catalog of the target cannot be read").because(refusal.sentence())
        }
    })
}

async fn read(client: &Client, name: &TableName) -> Result<Found, tokio_postgres::Error> {
    let server = read_server(client).await?;
    let Some((id, schema, table, kind)) = find_table(client, server, name).await? else {
        return Ok(Found::Nothing { others: table_names(client).await? });
    };
    let distribution = if server.is_warehouse { read_distribution(client, id).await? } else { None };
    Ok(Found::Table(Box::new(Target {
        server,
        schema,
        table,
        kind,
        columns: read_columns(client, server, id).await?,
        uniques: read_uniques(client, server, id).await?,
        is_referenced: read_referenced(client, id).await?,
        distribution,
    })))
}

async fn read_server(client: &Client) -> Result<Server, tokio_postgres::Error> {
    let row = client
        .query_one(
            "SELECT current_setting('server_version_num')::int4, \
             version() ~* 'greenplum|cloudberry' \
             OR EXISTS (SELECT 1 FROM pg_catalog.pg_class WHERE relname = 'gp_distribution_policy')",
            &[],
        )
        .await?;
    Ok(Server { version: row.try_get(0)?, is_warehouse: row.try_get(1)? })
}

type TableRow = (u32, String, String, TableKind);

async fn find_table(
    client: &Client,
    server: Server,
    name: &TableName,
) -> Result<Option<TableRow>, tokio_postgres::Error> {
    // The access method says how rows are stored since version 12; Greenplum 6 has a column for it.
    let storage = match server {
        Server { version: 120_000.., .. } => "(SELECT amname::text FROM pg_catalog.pg_am m WHERE m.oid = c.relam)",
        Server { is_warehouse: true, .. } => "CASE WHEN c.relstorage IN ('a', 'c') THEN 'ao_row' ELSE 'heap' END",
        _ => "'heap'::text",
    };
    let sql = format!(
        "SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, COALESCE({storage}, 'heap') \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relname = ANY($1::text[]) \
         AND CASE WHEN $2::text[] IS NULL THEN n.nspname = ANY(current_schemas(false)) \
             ELSE n.nspname = ANY($2::text[]) END \
         ORDER BY array_position(current_schemas(false)::text[], n.nspname::text), \
             c.relname <> ($1::text[])[1], n.nspname <> ($2::text[])[1] LIMIT 1"
    );
    // array_position exists since 9.5; before it, the order of equal names in a search path is the catalog's.
    let sql = if server.version < 90_500 {
        sql.replace("array_position(current_schemas(false)::text[], n.nspname::text)", "1")
    } else {
        sql
    };
    let schemas = name.schema.as_ref().map(|part| part.candidates());
    let Some(row) = client.query_opt(&sql, &[&name.table.candidates(), &schemas]).await? else {
        return Ok(None);
    };
    let (kind, storage): (String, String) = (row.try_get(3)?, row.try_get(4)?);
    let kind = match kind.as_str() {
        "v" => TableKind::Indirect("a view"),
        "m" => TableKind::Indirect("a materialized view"),
        "f" => TableKind::Indirect("a foreign table"),
        _ if storage.starts_with("ao_") => TableKind::AppendOptimised,
        _ => TableKind::Heap,
    };
    Ok(Some((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?, kind)))
}

async fn table_names(client: &Client) -> Result<Vec<String>, tokio_postgres::Error> {
    let sql = "SELECT n.nspname::text || '.' || c.relname::text FROM pg_catalog.pg_class c \
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
               WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^(pg_|information_schema$)' ORDER BY 1 LIMIT 10000";
    client.query(sql, &[]).await?.iter().map(|row| row.try_get(0)).collect()
}

async fn read_columns(client: &Client, server: Server, id: u32) -> Result<Vec<TargetColumn>, tokio_postgres::Error> {
    let identity = if server.version >= 100_000 { "a.attidentity = 'a'" } else { "false" };
    let generated = if server.version >= 120_000 { "a.attgenerated <> ''" } else { "false" };
    let has_default = if server.version >= 100_000 { "a.atthasdef OR a.attidentity <> ''" } else { "a.atthasdef" };
    let sql = format!(
        "SELECT a.attname::text, pg_catalog.format_type(a.atttypid, a.atttypmod), b.oid, \
           CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END, \
           CASE WHEN b.typcategory = 'A' THEN b.typelem END, \
           a.attnotnull OR t.typnotnull, {has_default}, {identity}, {generated} \
         FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
         JOIN pg_catalog.pg_type b ON b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END \
         WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"
    );
    client.query(&sql, &[&id]).await?.iter().map(column_of).collect()
}

fn column_of(row: &Row) -> Result<TargetColumn, tokio_postgres::Error> {
    Ok(TargetColumn {
        name: row.try_get(0)?,
        type_name: row.try_get(1)?,
        type_id: row.try_get(2)?,
        modifier: row.try_get(3)?,
        element_id: row.try_get(4)?,
        not_null: row.try_get(5)?,
        has_default: row.try_get(6)?,
        identity_always: row.try_get(7)?,
        generated: row.try_get(8)?,
    })
}

async fn read_uniques(client: &Client, server: Server, id: u32) -> Result<Vec<UniqueIndex>, tokio_postgres::Error> {
    // Columns behind INCLUDE are in the index and not in its key.
    let width = if server.version >= 110_000 { "x.indnkeyatts" } else { "x.indnatts" };
    let sql = format!(
        "SELECT ARRAY(SELECT a.attname::text FROM generate_series(0, {width} - 1) k \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[k] ORDER BY k), \
           x.indpred IS NULL AND x.indexprs IS NULL AND x.indisvalid AND x.indisready, x.indimmediate \
         FROM pg_catalog.pg_index x WHERE x.indrelid = $1 AND x.indisunique"
    );
    let rows = client.query(&sql, &[&id]).await?;
    rows.iter()
        .map(|row| {
            Ok(UniqueIndex { columns: row.try_get(0)?, is_plain: row.try_get(1)?, is_immediate: row.try_get(2)? })
        })
        .collect()
}

async fn read_referenced(client: &Client, id: u32) -> Result<bool, tokio_postgres::Error> {
    let sql = "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint WHERE contype = 'f' AND confrelid = $1)";
    client.query_one(sql, &[&id]).await?.try_get(0)
}

async fn read_distribution(client: &Client, id: u32) -> Result<Option<Distribution>, tokio_postgres::Error> {
    let sql = "SELECT p.policytype::text, ARRAY(SELECT a.attname::text \
                 FROM unnest(p.distkey::int2[]) WITH ORDINALITY k(number, place) \
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = p.localoid AND a.attnum = k.number ORDER BY k.place) \
               FROM pg_catalog.gp_distribution_policy p WHERE p.localoid = $1";
    let Some(row) = client.query_opt(sql, &[&id]).await? else {
        return Ok(None);
    };
    let (policy, columns): (String, Vec<String>) = (row.try_get(0)?, row.try_get(1)?);
    Ok(Some(match policy.as_str() {
        "r" => Distribution::Replicated,
        _ if columns.is_empty() => Distribution::Random,
        _ => Distribution::Columns(columns),
    }))
}
