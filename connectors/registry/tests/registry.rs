//! What a build of Sluice knows.

#[test]
fn every_connector_has_a_name_and_documents_its_options() {
    let connectors = sluice_registry::connectors();
    let names: Vec<_> = connectors.iter().map(|connector| connector.name()).collect();
    assert_eq!(
        names,
        [
            "blackhole",
            "datagen",
            "filesystem",
            "jdbc",
            "kafka",
            "mysql-cdc",
            "nexmark",
            "print",
            "upsert-kafka",
            "values"
        ]
    );
    for connector in connectors.iter() {
        let info = connector.info();
        assert!(info.is_source || info.is_sink, "{} neither reads nor writes", connector.name());
        for option in connector.docs() {
            assert!(!option.doc.trim().is_empty(), "option '{}' of '{}' says nothing", option.key, connector.name());
        }
    }
}
