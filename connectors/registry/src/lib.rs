//! The only place that names concrete connectors and formats.

use sluice_connector_api::Connectors;

/// All connectors and formats of this build.
pub fn connectors() -> Connectors {
    Connectors::default()
        .with(sluice_blackhole::Blackhole)
        .with(sluice_datagen::Datagen)
        .with(sluice_filesystem::Filesystem)
        .with(sluice_jdbc::JdbcConnector)
        .with(sluice_kafka::Kafka)
        .with(sluice_kafka::UpsertKafka)
        .with(sluice_mysql_cdc::MysqlCdc)
        .with(sluice_nexmark::Nexmark)
        .with(sluice_print::Print)
        .with(sluice_values::Values)
        .with_format(sluice_formats::Csv)
        .with_format(sluice_formats::Json)
}
