//! The `kafka` connector: append-only streams.

use std::sync::Arc;

use sluice_connector_api::{
    Connector, ConnectorInfo, FormatSlot, Formats, OptionReader, Sink, SinkTable, TableDefinition,
};
use sluice_model::{Error, Result, TableSchema};

use crate::options::{KafkaOptions, Partitioner, StringList};
use crate::projection::{Projection, check_prefix};
use crate::properties;
use crate::sink::{KafkaSink, WriteMode, client_settings, format_notes, single_topic, waits_for_brokers};

/// Writes every row of an append-only stream as a message.
#[derive(Debug, Clone, Copy, Default)]
pub struct Kafka;

const UPSERT_HINT: &str = "use 'connector' = 'upsert-kafka' with 'key.format', 'value.format' and PRIMARY KEY (…) NOT ENFORCED: it writes updates and deletions by key";

impl Connector for Kafka {
    const NAME: &'static str = "kafka";
    type Options = KafkaOptions;

    fn info(&self) -> ConnectorInfo {
        let slot = |option, prefix| FormatSlot { option, prefix, required: false };
        ConnectorInfo {
            formats: vec![slot("format", ""), slot("value.format", "value."), slot("key.format", "key.")],
            is_sink: true,
            ..ConnectorInfo::default()
        }
    }

    fn validate(&self, options: &KafkaOptions, table: &TableDefinition, reader: &mut OptionReader<'_>) {
        properties::check(&options.extra, reader);
        let format = match (&options.format, &options.value_format) {
            (None, None) => {
                reader.reject(
                    "connector",
                    "could not find required sink format 'format'".to_owned(),
                    "add 'format' = 'json' to the WITH clause",
                );
                "none"
            }
            (Some(_), Some(_)) => {
                reader.reject(
                    "value.format",
                    "'format' and 'value.format' are the same".to_owned(),
                    "leave one of them out",
                );
                "none"
            }
            (format, value_format) => format.as_deref().or(value_format.as_deref()).unwrap_or_default(),
        };
        if !table.schema.primary_key.is_empty() {
            let what = format!(
                "the Kafka table '{}' with '{format}' format doesn't support defining PRIMARY KEY constraint on the table, because it can't guarantee the semantic of primary key",
                table.name
            );
            reader.reject("connector", what, UPSERT_HINT);
        }
        validate_key(options, &table.schema, reader);
    }

    fn sink(&self, options: KafkaOptions, table: SinkTable) -> Result<Arc<dyn Sink>> {
        if !table.changelog.is_append() {
            return Err(Error::fix(format!(
                "connector 'kafka' only takes insertions, and the query for table '{}' produces changes of kinds {}",
                table.name, table.changelog
            ))
            .with_hint(UPSERT_HINT));
        }
        let topic = single_topic(&table.name, options.topic.as_ref(), options.topic_pattern.as_deref())?;
        let waits_for_brokers = waits_for_brokers(
            options.delivery_guarantee,
            "leave it out for at-least-once, or use 'upsert-kafka', which is effectively once by key",
        )?;
        let (settings, mut notes) = client_settings(&options.extra, &options.bootstrap_servers)?;
        let key_columns = key_columns(&options, &table.schema);
        let value_format = table.format(if options.format.is_some() { "format" } else { "value.format" })?;
        let mut key: Option<(Projection, Arc<dyn Formats>)> = None;
        notes.extend(format_notes(&[&value_format]));
        if options.key_format.is_some() {
            let projection = Projection::key(&table.schema, &key_columns, options.key_fields_prefix.as_deref());
            key = Some((projection, table.format("key.format")?));
        }
        Ok(Arc::new(KafkaSink {
            topic,
            servers: options.bootstrap_servers,
            settings,
            key,
            value: (Projection::value(&table.schema, &key_columns, options.value_fields), value_format),
            mode: WriteMode::Log { one_partition: options.sink_partitioner == Partitioner::Fixed },
            waits_for_brokers,
            parallelism: options.sink_parallelism,
            notes,
        }))
    }
}

fn key_names(options: &KafkaOptions) -> &[String] {
    options.key_fields.as_ref().map_or(&[], |StringList(names)| names)
}

fn key_columns(options: &KafkaOptions, schema: &TableSchema) -> Vec<usize> {
    key_names(options).iter().filter_map(|name| schema.index_of(name)).collect()
}

/// Source of the rules: Flink's `KafkaConnectorOptionsUtil`.
fn validate_key(options: &KafkaOptions, schema: &TableSchema, reader: &mut OptionReader<'_>) {
    let names = key_names(options);
    match (&options.key_format, names.is_empty()) {
        (Some(_), true) => reader.reject(
            "key.format",
            "a key format 'key.format' requires the declaration of one or more of key fields using 'key.fields'"
                .to_owned(),
            "add 'key.fields' = 'a;b' to the WITH clause",
        ),
        (None, false) => reader.reject(
            "key.fields",
            "the option 'key.fields' can only be declared if a key format is defined using 'key.format'".to_owned(),
            "add 'key.format' = 'json' to the WITH clause",
        ),
        _ => {}
    }
    for name in names.iter().filter(|name| schema.index_of(name).is_none()) {
        let columns: Vec<_> = schema.columns.iter().map(|column| column.name.as_str()).collect();
        reader.reject(
            "key.fields",
            format!("could not find the field '{name}' in the table schema for usage in the key format"),
            format!("a key field must be a regular, physical column: {}", columns.join(", ")),
        );
    }
    if options.sink_partitioner == Partitioner::RoundRobin && !names.is_empty() {
        reader.reject(
            "sink.partitioner",
            "currently 'round-robin' partitioner only works when option 'key.fields' is not specified".to_owned(),
            "leave 'sink.partitioner' out: rows are partitioned by key",
        );
    }
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    if let Some((what, hint)) = check_prefix(options.key_fields_prefix.as_deref(), options.value_fields, &names) {
        reader.reject("key.fields-prefix", what, hint);
    }
}
