//! Lookups: the rows of many keys in one round trip, and a cache in front of it.
//!
//! ```text
//! keys 7 9 8 ─► cache: 7 ─► table: 9 8 (one statement, keys as array parameters) ─► rows of 7, 8
//! ```

mod cache;
mod decode;
mod statement;

use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, RecordBatch, UInt32Array};
use arrow_schema::SchemaRef;
use arrow_select::concat::concat_batches;
use arrow_select::take::{take, take_record_batch};
use async_trait::async_trait;
use futures::TryStreamExt;
use sluice_connector_api::{Found, Lookup, LookupContext, LookupSource, LookupTable};
use sluice_model::{Clock, Counter, Error, Result};
use tokio_postgres::{Client, Row, Statement};

use self::cache::{Cache, CacheLimits};
use self::decode::{Decoder, Raw, Unfit};
use self::statement::{Question, question};
use crate::catalog::{TableName, read_target};
use crate::connect::Endpoint;
use crate::encode::{ArrayParam, ColumnEncoder, array_param};
use crate::failure::Failure;
use crate::options::{JdbcOptions, LookupCache};
use crate::reduce::RowRef;

/// Longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// A planned lookup.
#[derive(Debug)]
pub(crate) struct JdbcLookup {
    table: LookupTable<JdbcOptions>,
}

impl JdbcLookup {
    /// A lookup of a table.
    ///
    /// # Errors
    /// A column of a type that PostgreSQL does not have.
    pub(crate) fn new(table: LookupTable<JdbcOptions>) -> Result<Self> {
        if table.keys.is_empty() {
            return Err(Error::bug("a lookup without keys"));
        }
        Ok(Self { table })
    }
}

#[async_trait]
impl LookupSource for JdbcLookup {
    async fn open(&self, context: LookupContext) -> Result<Box<dyn Lookup>> {
        let LookupTable { options, schema, keys, .. } = &self.table;
        let arrow = schema.to_arrow();
        let cache = match limits(options) {
            None => None,
            Some(limits) => {
                let types: Vec<_> = keys.iter().map(|key| arrow.field(*key).data_type().clone()).collect();
                Some(Cache::new(&types, &arrow, limits)?)
            }
        };
        let retries = u32::try_from(options.lookup_max_retries).unwrap_or(u32::MAX);
        let mut lookup = Running {
            endpoint: Endpoint::new(options, context.spawner)?,
            session: None,
            table: self.table.clone(),
            schema: arrow,
            cache,
            retries,
            clock: context.clock,
            hits: context.metrics.counter("lookupCacheHits"),
            misses: context.metrics.counter("lookupCacheMisses"),
        };
        lookup.session = Some(lookup.connect().await.map_err(|failure| lookup.explain(failure))?);
        Ok(Box::new(lookup))
    }
}

/// What the options say about the cache; `None` if there is to be none. The older names count where
/// they are given.
fn limits(options: &JdbcOptions) -> Option<CacheLimits> {
    let millis = |age: Duration| i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    let old_max = options.lookup_cache_max_rows.and_then(|rows| u64::try_from(rows).ok()).filter(|rows| *rows > 0);
    if options.lookup_cache == LookupCache::None && old_max.is_none() {
        return None;
    }
    let max = options.lookup_partial_max_rows.or(old_max);
    Some(CacheLimits {
        max_keys: max.map(|rows| usize::try_from(rows).unwrap_or(usize::MAX)),
        after_write: options.lookup_expire_after_write.or(options.lookup_cache_ttl).map(millis),
        after_access: options.lookup_expire_after_access.map(millis),
        missing_keys: options.lookup_cache_missing_key && options.lookup_caching_missing_key,
    })
}

/// A connection, and what is prepared on it.
struct Session {
    client: Client,
    statement: Statement,
    question: Question,
}

struct Running {
    endpoint: Endpoint,
    session: Option<Session>,
    table: LookupTable<JdbcOptions>,
    schema: SchemaRef,
    cache: Option<Cache>,
    retries: u32,
    clock: Arc<dyn Clock>,
    hits: Counter,
    misses: Counter,
}

#[async_trait]
impl Lookup for Running {
    async fn lookup(&mut self, keys: &[ArrayRef]) -> Result<Found> {
        let Some(mut cache) = self.cache.take() else {
            return self.ask(keys).await;
        };
        let found = self.through(&mut cache, keys).await;
        self.cache = Some(cache);
        found
    }

    async fn lookup_again(&mut self, keys: &[ArrayRef]) -> Result<Found> {
        let found = self.ask(keys).await?;
        if let Some(cache) = &mut self.cache {
            let encoded = cache.encode(keys)?;
            let all: Vec<u32> = (0..encoded.num_rows() as u32).collect();
            cache.insert(&encoded, &all, &found, self.clock.now_millis())?;
        }
        Ok(found)
    }
}

impl Running {
    /// What the cache knows, and what the table knows of the rest.
    async fn through(&mut self, cache: &mut Cache, keys: &[ArrayRef]) -> Result<Found> {
        let encoded = cache.encode(keys)?;
        let (places, columns, missing) = cache.find(&encoded, self.clock.now_millis())?;
        self.misses.add(missing.len() as u64);
        self.hits.add((encoded.num_rows() - missing.len()) as u64);
        let known = RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(Error::from_arrow)?;
        if missing.is_empty() {
            return Ok(Found { keys: places, rows: known });
        }
        let indices = UInt32Array::from(missing.clone());
        let asked = keys.iter().map(|key| take(key, &indices, None)).collect::<std::result::Result<Vec<_>, _>>();
        let asked = asked.map_err(Error::from_arrow)?;
        let found = self.ask(&asked).await?;
        cache.insert(&encoded, &missing, &found, self.clock.now_millis())?;
        let fresh = found.keys.iter().map(|key| missing[*key as usize]);
        let all: Vec<u32> = places.into_iter().chain(fresh).collect();
        let rows = concat_batches(&self.schema, [&known, &found.rows]).map_err(Error::from_arrow)?;
        in_order(all, &rows)
    }

    /// Asks the table, and tries again if that may help.
    async fn ask(&mut self, keys: &[ArrayRef]) -> Result<Found> {
        let mut tries = 0;
        loop {
            let failure = match self.ask_once(keys).await {
                Ok(found) => return Ok(found),
                Err(failure) => failure,
            };
            let may_help = match &failure {
                Failure::Lost(_) => {
                    self.session = None;
                    true
                }
                Failure::Conflict(_) => true,
                Failure::Own(error) => error.reaction() == sluice_model::Reaction::Retry,
                Failure::Constraint(_) | Failure::Refused(_) => false,
            };
            if !may_help || tries >= self.retries {
                return Err(self.explain(failure));
            }
            tracing::warn!(table = %self.table.name, ?failure, "a lookup is tried again");
            tokio::time::sleep(Duration::from_millis(50u64 << tries.min(6)).min(PAUSE_MAX)).await;
            tries += 1;
        }
    }

    async fn ask_once(&mut self, keys: &[ArrayRef]) -> Result<Found, Failure> {
        if self.session.is_none() {
            self.session = Some(self.connect().await?);
        }
        let Some(session) = &self.session else { return Err(Error::bug("a lookup without a connection").into()) };
        let params = self.params(keys, &session.question)?;
        let rows = session.client.query_raw(&session.statement, params).await?;
        let mut rows = std::pin::pin!(rows);
        let decoder = |column: &sluice_model::Column| {
            Decoder::new(&column.data_type).ok_or_else(|| Error::bug("a column that cannot be looked up"))
        };
        let mut decoders = self.table.schema.columns.iter().map(decoder).collect::<Result<Vec<_>>>()?;
        let mut places = Vec::new();
        while let Some(row) = rows.try_next().await? {
            let place: i32 = row.try_get(0)?;
            places.push(u32::try_from(place).map_err(|_| Error::bug("a row of a key that was not asked for"))?);
            self.decode(&row, &mut decoders)?;
        }
        let columns = decoders.iter_mut().map(Decoder::finish).collect::<Result<Vec<_>>>()?;
        let rows = RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(|error| {
            Error::fix(format!("table '{}' has NULL in a column that is declared NOT NULL", self.table.name))
                .because(error.to_string())
                .with_hint("declare the column without NOT NULL")
        })?;
        Ok(in_order(places, &rows)?)
    }

    fn decode(&self, row: &Row, decoders: &mut [Decoder]) -> Result<(), Failure> {
        for (place, decoder) in decoders.iter_mut().enumerate() {
            let field: Option<Raw<'_>> = row.try_get(place + 1)?;
            decoder.push(field).map_err(|unfit| {
                let column = &self.table.schema.columns[place];
                let (name, table) = (&column.name, &self.table.name);
                match unfit {
                    Unfit::OutOfRange => {
                        Error::fix(format!("a value in column '{name}' of table '{table}' is no {}", column.data_type))
                            .with_hint("declare the column with a type that holds all its values")
                    }
                    Unfit::Garbled => Error::retry(format!(
                        "the server sent a value of column '{name}' of table '{table}' that cannot be read"
                    )),
                }
            })?;
        }
        Ok(())
    }

    fn params(&self, keys: &[ArrayRef], question: &Question) -> Result<Vec<ArrayParam>> {
        let count = keys.first().map_or(0, |key| key.len());
        let count = u32::try_from(count).map_err(|_| Error::bug("too many keys at once"))?;
        let rows: Vec<_> = (0..count).map(|row| RowRef { batch: 0, row }).collect();
        let encoders = keys.iter().zip(&question.keys).map(|(key, wire)| ColumnEncoder::new(key.as_ref(), wire));
        let encoders = [encoders.collect::<Result<Vec<_>>>()?];
        let param = |(place, wire)| {
            array_param(&encoders, place, wire, &rows).map_err(|_| {
                Error::fix(format!("a key that table '{}' is asked for holds the character U+0000", self.table.name))
                    .because("PostgreSQL has no such texts")
                    .with_hint("remove it in the query: REPLACE(…, U&'\\0000', '')")
            })
        };
        question.keys.iter().enumerate().map(param).collect()
    }

    async fn connect(&self) -> Result<Session, Failure> {
        let LookupTable { name, options, schema, keys, .. } = &self.table;
        let client = self.endpoint.connect().await?;
        let table = TableName::parse(&options.table_name)?;
        let question = question(read_target(&client, &table).await?, &table, name, schema, keys)?;
        let statement = client.prepare(&question.sql).await?;
        Ok(Session { client, statement, question })
    }

    fn explain(&self, failure: Failure) -> Error {
        let name = &self.table.name;
        match failure {
            Failure::Own(error) => error,
            Failure::Lost(why) | Failure::Conflict(why) => Error::retry(format!("table '{name}' cannot be looked up"))
                .because(why)
                .with_hint("check that the server runs; 'lookup.max-retries' says how often a lookup is tried again"),
            Failure::Constraint(refusal) | Failure::Refused(refusal) => {
                Error::fix(format!("the server refused to look up table '{name}'"))
                    .because(refusal.sentence())
                    .with_hint("check that the user may SELECT from it, and that the keys are values that it can have")
            }
        }
    }
}

/// Rows in the order of their keys.
fn in_order(keys: Vec<u32>, rows: &RecordBatch) -> Result<Found> {
    if keys.is_sorted() {
        return Ok(Found { keys, rows: rows.clone() });
    }
    let mut order: Vec<u32> = (0..).take(keys.len()).collect();
    order.sort_by_key(|row| keys[*row as usize]);
    let sorted = order.iter().map(|row| keys[*row as usize]).collect();
    let rows = take_record_batch(rows, &UInt32Array::from(order)).map_err(Error::from_arrow)?;
    Ok(Found { keys: sorted, rows })
}
