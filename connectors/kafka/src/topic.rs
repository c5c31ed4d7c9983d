//! Before the first row: are the brokers there, and is the topic?

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use sluice_model::{Error, Result};

use crate::errors::client_error;
use crate::producer::Producer;
use crate::settings::Settings;

/// How long to wait for a broker.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to go on when a broker has refused the connection: it may be starting.
const REFUSED_TIMEOUT: Duration = Duration::from_secs(3);
const ADMIN_TIMEOUT: Duration = Duration::from_secs(15);

/// What a topic shall be like if it has to be created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TopicKind {
    /// The newest message of a key is what counts: the topic is compacted.
    Keyed,
    /// Every message counts: the broker's defaults.
    Log,
}

/// Waits until a broker has answered.
///
/// # Errors
/// None does, with what the client last said about why.
pub(crate) async fn connect(producer: Arc<Producer>, servers: String) -> Result<()> {
    // The client's call blocks; it ends by itself, and the writer waits for it right here.
    let asked = tokio::task::spawn_blocking(move || wait_for_broker(&producer, &servers));
    asked.await.map_err(|error| Error::bug(format!("asking for the Kafka cluster ended early: {error}")))?
}

fn wait_for_broker(producer: &Producer, servers: &str) -> Result<()> {
    let started = Instant::now();
    loop {
        if producer.client().fetch_cluster_id(Duration::from_millis(250)).is_some() {
            return Ok(());
        }
        producer.poll()?;
        let words = producer.client().context().last_words();
        let code = words.as_ref().and_then(|(code, _)| *code);
        let is_final = matches!(
            code,
            Some(RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed | RDKafkaErrorCode::SSL)
        );
        let waited = started.elapsed();
        if is_final || waited > CONNECT_TIMEOUT || (words.is_some() && waited > REFUSED_TIMEOUT) {
            return Err(unreachable_error(servers, code, words.map(|(_, words)| words)));
        }
    }
}

fn unreachable_error(servers: &str, code: Option<RDKafkaErrorCode>, words: Option<String>) -> Error {
    let why = words.unwrap_or_else(|| format!("no broker answered within {} s", CONNECT_TIMEOUT.as_secs()));
    match code {
        Some(code @ (RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed | RDKafkaErrorCode::SSL)) => {
            client_error(format!("the Kafka brokers at {servers} refuse the connection"), &KafkaError::Global(code)).because(why)
        }
        _ => Error::retry(format!("no Kafka broker can be reached at {servers}")).because(why).with_hint(
            "check 'properties.bootstrap.servers', that the brokers are up, and that the addresses they advertise can be reached from here",
        ),
    }
}

/// Creates the topic if it does not exist, with the brokers' numbers of partitions and replicas.
///
/// # Errors
/// It does not exist and cannot be created.
pub(crate) async fn ensure(settings: &Settings, topic: &str, kind: TopicKind) -> Result<()> {
    let admin: AdminClient<DefaultClientContext> = admin_settings(settings)
        .to_client_config()
        .create()
        .map_err(|error| client_error(format!("the Kafka client for topic '{topic}' cannot be made"), &error))?;
    let options = AdminOptions::new().request_timeout(Some(ADMIN_TIMEOUT)).operation_timeout(Some(ADMIN_TIMEOUT));
    let asked = admin.describe_configs(&[ResourceSpecifier::Topic(topic)], &options).await;
    let described = asked
        .map_err(|error| client_error(format!("Kafka topic '{topic}' cannot be looked up"), &error))?
        .into_iter()
        .next();
    match described {
        Some(Ok(found)) => {
            let policy = found.get("cleanup.policy").and_then(|entry| entry.value.as_deref()).unwrap_or_default();
            if kind == TopicKind::Keyed && !policy.is_empty() && !policy.contains("compact") {
                tracing::warn!(
                    "Kafka topic '{topic}' has cleanup.policy={policy}: the newest message of a key is deleted with age; \
                     set cleanup.policy=compact to keep it"
                );
            }
            Ok(())
        }
        Some(Err(RDKafkaErrorCode::UnknownTopicOrPartition)) => create(&admin, &options, topic, kind).await,
        // Without the right to describe it, writing will tell.
        Some(Err(_)) | None => Ok(()),
    }
}

async fn create(
    admin: &AdminClient<DefaultClientContext>,
    options: &AdminOptions,
    topic: &str,
    kind: TopicKind,
) -> Result<()> {
    let mut wanted = NewTopic::new(topic, -1, TopicReplication::Fixed(-1));
    if kind == TopicKind::Keyed {
        wanted = wanted.set("cleanup.policy", "compact");
    }
    let what = || format!("Kafka topic '{topic}' does not exist and cannot be created");
    let created = admin.create_topics([&wanted], options).await.map_err(|error| client_error(what(), &error))?;
    match created.into_iter().next() {
        None | Some(Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(()),
        Some(Err((_, code))) => Err(client_error(what(), &KafkaError::AdminOp(code))
            .with_hint("create the topic, or allow the user to create it")),
    }
}

/// The settings that say how to connect; the rest is about writing.
fn admin_settings(settings: &Settings) -> Settings {
    const CONNECTION: [&str; 8] =
        ["bootstrap.", "security.", "sasl.", "ssl.", "socket.", "client.", "broker.address.", "reconnect."];
    const FURTHER: [&str; 2] = ["enable.ssl.certificate.verification", "log.connection.close"];
    settings.filtered(|name| CONNECTION.iter().any(|prefix| name.starts_with(prefix)) || FURTHER.contains(&name))
}

/// Number of partitions of the topic.
///
/// # Errors
/// The brokers do not say.
pub(crate) async fn partition_count(producer: Arc<Producer>) -> Result<i32> {
    let asked = tokio::task::spawn_blocking(move || {
        let topic = producer.topic();
        let metadata = producer.client().fetch_metadata(Some(topic), CONNECT_TIMEOUT);
        let metadata = metadata.map_err(|error| {
            client_error(format!("the partitions of Kafka topic '{topic}' cannot be listed"), &error)
        })?;
        let count = metadata.topics().first().map_or(0, |topic| topic.partitions().len());
        i32::try_from(count)
            .ok()
            .filter(|count| *count > 0)
            .ok_or_else(|| Error::retry(format!("Kafka topic '{topic}' has no partitions yet")))
    });
    asked.await.map_err(|error| Error::bug(format!("asking for partitions ended early: {error}")))?
}
