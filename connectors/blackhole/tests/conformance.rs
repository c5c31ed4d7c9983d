//! The shared checks of every connector.

use sluice_connector_api::{Connectors, testing};
use sluice_model::{ChangelogMode, Column, SqlType, TableSchema, from_pretty};

#[tokio::test]
async fn takes_every_changelog_and_survives_repeated_commits() {
    let connectors = Connectors::default().with(sluice_blackhole::Blackhole);
    let schema = TableSchema::new(vec![Column::new("id", SqlType::Int)]);
    let options = [("connector", "blackhole")];
    let sink = testing::plan_sink(&connectors, &testing::table(schema, &options), ChangelogMode::RETRACT);
    let batches = vec![from_pretty("id INT", "+I 1 / -U 1 / +U 1"), from_pretty("id INT", "-D 1")];
    testing::check_sink_commits_twice(sink.as_ref(), batches).await;
}
