use super::*;
use sluice_connector_api::{OptionReader, TableOptions};

fn read_pairs(pairs: &[(&str, &str)]) -> Result<Properties, Vec<Refusal>> {
    let options = TableOptions::from_pairs(pairs.iter().map(|(name, value)| (format!("properties.{name}"), *value)));
    let mut reader = OptionReader::new("test", None, &options);
    read(&ExtraOptions::below(&mut reader, &["properties."]))
}

fn refusal(pairs: &[(&str, &str)]) -> Refusal {
    read_pairs(pairs).unwrap_err().remove(0)
}

#[test]
fn java_names_are_translated() {
    let read = read_pairs(&[
        ("bootstrap.servers", "a:9092, b:9092"),
        ("max.request.size", "2000000"),
        ("buffer.memory", "33554432"),
        ("security.protocol", "SASL_PLAINTEXT"),
        ("sasl.mechanism", "PLAIN"),
        (
            "sasl.jaas.config",
            "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"u\" password=\"p\\\"q\";",
        ),
        ("key.serializer", "org.apache.kafka.common.serialization.StringSerializer"),
        ("value.deserializer", "org.apache.kafka.common.serialization.StringDeserializer"),
        ("client.dns.lookup", "use_all_dns_ips"),
        ("ssl.endpoint.identification.algorithm", ""),
        ("compression.type", "LZ4"),
    ])
    .unwrap();
    let get = |name| read.settings.get(name).unwrap();
    assert_eq!(get("bootstrap.servers"), "a:9092,b:9092");
    assert_eq!(get("message.max.bytes"), "2000000");
    assert_eq!(get("queue.buffering.max.kbytes"), "32768");
    assert_eq!((get("sasl.username"), get("sasl.password")), ("u", "p\"q"));
    assert_eq!(get("ssl.endpoint.identification.algorithm"), "none");
    assert_eq!(get("compression.type"), "lz4");
    assert!(read.settings.get("key.serializer").is_none());
    assert!(!format!("{read:?}").contains("p\\\"q"));
}

#[test]
fn defaults_keep_order_and_lose_nothing() {
    let config = read_pairs(&[("bootstrap.servers", "a:1")]).unwrap().settings;
    assert_eq!(config.get("enable.idempotence"), Some("true"));
    assert_eq!(config.get("acks"), Some("all"));
    assert_eq!(config.get("partitioner"), Some("murmur2_random"));
    config.to_client_config().create_native_config().unwrap();
}

#[test]
fn fewer_acknowledgements_switch_idempotence_off_but_keep_the_order() {
    let config = read_pairs(&[("acks", "1"), ("linger.ms", "50")]).unwrap().settings;
    assert_eq!(config.get("enable.idempotence"), Some("false"));
    assert_eq!(config.get("max.in.flight.requests.per.connection"), Some("1"));
    assert_eq!(config.get("linger.ms"), Some("50"));
}

#[test]
fn an_unknown_property_is_refused_with_a_suggestion() {
    let refused = refusal(&[("linger.msec", "5")]);
    assert_eq!(refused.key, "properties.linger.msec");
    assert_eq!(refused.what, "unknown Kafka property 'linger.msec'");
    assert_eq!(refused.hint, "did you mean 'properties.linger.ms'?");
    assert!(refusal(&[("colour", "red")]).hint.contains("CONFIGURATION.md"));
}

#[test]
fn a_wrong_value_is_refused_with_the_reason() {
    let refused = refusal(&[("linger.ms", "soon")]);
    assert!(refused.what.contains("invalid value 'soon'"), "{refused:?}");
    assert!(refusal(&[("acks", "7000")]).hint.contains("acks"), "{:?}", refusal(&[("acks", "7000")]));
}

#[test]
fn what_cannot_be_honoured_is_refused_with_the_way_out() {
    assert!(refusal(&[("ssl.truststore.location", "/a.jks")]).hint.contains("ssl.ca.location"));
    assert!(
        refusal(&[("sasl.jaas.config", "com.sun.security.auth.module.Krb5LoginModule required;")])
            .hint
            .contains("Kerberos")
    );
    assert!(refusal(&[("transactional.id", "t")]).hint.contains("transactions"));
}

#[test]
fn what_a_user_may_have_expected_is_noted() {
    let notes = read_pairs(&[("partitioner.class", "com.example.P"), ("group.id", "g")]).unwrap().notes;
    assert_eq!(notes.len(), 1);
    assert!(notes[0].contains("partitioner.class"), "{notes:?}");
}
