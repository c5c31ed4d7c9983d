//! What `kafka` and `upsert-kafka` share between planning and writing.

use std::sync::Arc;

use async_trait::async_trait;
use sluice_connector_api::{ExtraOptions, Formats, Sink, SinkContext, SinkWriter};
use sluice_model::{ChangelogMode, Error, Result};

use crate::options::{DeliveryGuarantee, StringList};
use crate::pacing;
use crate::producer::Producer;
use crate::projection::Projection;
use crate::properties;
use crate::settings::Settings;
use crate::topic::{self, TopicKind};
use crate::writer::{KeyedWriter, LogWriter, Output, WriterMetrics};

/// A planned sink.
pub(crate) struct KafkaSink {
    pub(crate) topic: String,
    pub(crate) servers: String,
    pub(crate) settings: Settings,
    pub(crate) key: Option<(Projection, Arc<dyn Formats>)>,
    pub(crate) value: (Projection, Arc<dyn Formats>),
    pub(crate) mode: WriteMode,
    /// Whether a checkpoint waits for the brokers.
    pub(crate) waits_for_brokers: bool,
    pub(crate) parallelism: Option<usize>,
    pub(crate) notes: Vec<String>,
}

/// How rows become messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteMode {
    /// By key, with tombstones; `compaction` is rows and milliseconds of the buffer, if there is one.
    Keyed { compaction: Option<(u64, i64)> },
    /// Every row is a message; `one_partition` pins each writer to one partition.
    Log { one_partition: bool },
}

impl std::fmt::Debug for KafkaSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaSink")
            .field("topic", &self.topic)
            .field("servers", &self.servers)
            .field("mode", &self.mode)
            .finish()
    }
}

#[async_trait]
impl Sink for KafkaSink {
    fn accepts(&self) -> ChangelogMode {
        match self.mode {
            WriteMode::Keyed { .. } => ChangelogMode::RETRACT,
            WriteMode::Log { .. } => ChangelogMode::APPEND,
        }
    }

    fn parallelism(&self) -> Option<usize> {
        self.parallelism
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }

    async fn open(&self, context: SinkContext) -> Result<Box<dyn SinkWriter>> {
        let producer = Arc::new(Producer::new(&self.settings, &self.topic)?);
        topic::connect(Arc::clone(&producer), self.servers.clone()).await?;
        if context.subtask == 0 {
            let kind = match self.mode {
                WriteMode::Keyed { .. } => TopicKind::Keyed,
                WriteMode::Log { .. } => TopicKind::Log,
            };
            topic::ensure(&producer, &self.settings, kind).await?;
        }
        let partition = match self.mode {
            WriteMode::Log { one_partition: true } => {
                let count = topic::partition_count(Arc::clone(&producer)).await?;
                Some(context.subtask as i32 % count)
            }
            _ => None,
        };
        context.spawner.spawn("kafka pacing", pacing::pace(Arc::downgrade(&producer)));
        let metrics = WriterMetrics::new(&context.metrics);
        let output = Output::new(producer, partition, metrics, self.waits_for_brokers);
        let (value, value_format) = &self.value;
        let values = (value.columns.clone(), value_format.encoder(Arc::clone(&value.schema))?);
        let keys = match &self.key {
            Some((key, format)) => Some((key.columns.clone(), format.encoder(Arc::clone(&key.schema))?)),
            None => None,
        };
        Ok(match (self.mode, keys) {
            (WriteMode::Keyed { compaction }, Some(keys)) => {
                Box::new(KeyedWriter::new(keys, values, output, compaction, context.clock))
            }
            (WriteMode::Keyed { .. }, None) => return Err(Error::bug("a keyed Kafka sink without a key")),
            (WriteMode::Log { .. }, keys) => Box::new(LogWriter::new(keys, values, output)),
        })
    }
}

/// The one topic that a sink writes.
pub(crate) fn single_topic(table: &str, topic: Option<&StringList>, pattern: Option<&str>) -> Result<String> {
    match (topic, pattern) {
        (Some(StringList(topics)), None) => match topics.as_slice() {
            [topic] => Ok(topic.clone()),
            _ => Err(Error::fix(format!("table '{table}' names {} topics, and a sink writes one", topics.len()))
                .with_hint("declare one table for each topic")),
        },
        (None, Some(_)) => Err(Error::fix(format!("table '{table}' has 'topic-pattern', and a sink writes one topic"))
            .with_hint("set 'topic' = '…' instead")),
        (Some(_), Some(_)) => Err(Error::fix("option 'topic' and 'topic-pattern' shouldn't be set together")
            .with_hint("a sink needs 'topic' only")),
        (None, None) => Err(Error::fix("either 'topic' or 'topic-pattern' must be set")
            .with_hint("add 'topic' = '…' to the WITH clause")),
    }
}

/// Whether a checkpoint waits for the brokers.
pub(crate) fn waits_for_brokers(guarantee: DeliveryGuarantee, way_out: &str) -> Result<bool> {
    match guarantee {
        DeliveryGuarantee::None => Ok(false),
        DeliveryGuarantee::AtLeastOnce => Ok(true),
        DeliveryGuarantee::ExactlyOnce => {
            Err(Error::fix("'sink.delivery-guarantee' = 'exactly-once' is not supported yet")
                .with_hint(way_out.to_owned()))
        }
    }
}

/// The client's settings and notes on them; `validate` has already told what is wrong with them.
pub(crate) fn client_settings(extra: &ExtraOptions, servers: &str) -> Result<(Settings, Vec<String>)> {
    let properties::Properties { mut settings, notes } = properties::read(extra).map_err(|refusals| {
        let errors = refusals.into_iter().map(|refusal| Error::fix(refusal.what).with_hint(refusal.hint)).collect();
        Error::many(errors).unwrap_or_else(|| Error::bug("properties were refused without a reason"))
    })?;
    settings.set("bootstrap.servers", servers.split(',').map(str::trim).collect::<Vec<_>>().join(","));
    Ok((settings, notes))
}

/// Notes of the formats, each once.
pub(crate) fn format_notes(formats: &[&Arc<dyn Formats>]) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    for note in formats.iter().flat_map(|format| format.notes()) {
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    notes
}
