//! Before the first row: are the brokers there, and is the topic?

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, ConfigResource, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use sluice_model::{Error, Result};

use crate::errors::client_error;
use crate::producer::{LastWords, Producer};
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
        let waited = started.elapsed();
        let has_given_up = words.all_brokers_down && waited > REFUSED_TIMEOUT;
        if is_refusal(words.code) || has_given_up || waited > CONNECT_TIMEOUT {
            return Err(unreachable_error(servers, words));
        }
    }
}

/// Whether a broker has answered, and said no.
fn is_refusal(code: Option<RDKafkaErrorCode>) -> bool {
    use RDKafkaErrorCode::{Authentication, SSL, SaslAuthenticationFailed};
    matches!(code, Some(Authentication | SaslAuthenticationFailed | SSL))
}

fn unreachable_error(servers: &str, words: LastWords) -> Error {
    let why = match words.reason.as_str() {
        "" => format!("no broker answered within {} s", CONNECT_TIMEOUT.as_secs()),
        reason => reason.to_owned(),
    };
    if let Some(code) = words.code.filter(|code| is_refusal(Some(*code))) {
        let what = format!("the Kafka brokers at {servers} refuse the connection");
        return client_error(what, &KafkaError::Global(code)).because(why);
    }
    Error::retry(format!("no Kafka broker can be reached at {servers}")).because(why).with_hint(
        "check 'properties.bootstrap.servers', that the brokers are up, and that the addresses they advertise can be reached from here",
    )
}

/// Creates the topic if it does not exist, with the brokers' numbers of partitions and replicas.
///
/// # Errors
/// It does not exist and cannot be created.
pub(crate) async fn ensure(producer: &Arc<Producer>, settings: &Settings, kind: TopicKind) -> Result<()> {
    let topic = producer.topic();
    let admin: AdminClient<DefaultClientContext> = admin_settings(settings)
        .to_client_config()
        .create()
        .map_err(|error| client_error(format!("the Kafka client for topic '{topic}' cannot be made"), &error))?;
    let options = AdminOptions::new().request_timeout(Some(ADMIN_TIMEOUT)).operation_timeout(Some(ADMIN_TIMEOUT));
    let described = admin.describe_configs(&[ResourceSpecifier::Topic(topic)], &options).await;
    let described =
        described.map_err(|error| client_error(format!("Kafka topic '{topic}' cannot be looked up"), &error))?;
    // The client reports a topic that does not exist, or must not be seen, as one without settings.
    match described.iter().flatten().find(|found| !found.entries.is_empty()) {
        Some(found) => {
            warn_unless_compacted(topic, kind, found);
            Ok(())
        }
        None => create(&admin, &options, producer, kind).await,
    }
}

fn warn_unless_compacted(topic: &str, kind: TopicKind, found: &ConfigResource) {
    let policy = found.get("cleanup.policy").and_then(|entry| entry.value.as_deref()).unwrap_or("compact");
    if kind == TopicKind::Keyed && !policy.contains("compact") {
        tracing::warn!(
            "Kafka topic '{topic}' has cleanup.policy={policy}: the newest message of a key is deleted with age; \
             set cleanup.policy=compact to keep it"
        );
    }
}

async fn create(
    admin: &AdminClient<DefaultClientContext>,
    options: &AdminOptions,
    producer: &Arc<Producer>,
    kind: TopicKind,
) -> Result<()> {
    let topic = producer.topic();
    let mut wanted = NewTopic::new(topic, -1, TopicReplication::Fixed(-1));
    if kind == TopicKind::Keyed {
        wanted = wanted.set("cleanup.policy", "compact");
    }
    let what = || format!("Kafka topic '{topic}' does not exist and cannot be created");
    let created = admin.create_topics([&wanted], options).await.map_err(|error| client_error(what(), &error))?;
    let Some(Err((_, code))) = created.into_iter().next() else {
        return Ok(());
    };
    let is_there = match code {
        RDKafkaErrorCode::TopicAlreadyExists => true,
        RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed => {
            partition_count(Arc::clone(producer)).await.is_ok()
        }
        _ => false,
    };
    let refused = || {
        client_error(what(), &KafkaError::AdminOp(code)).with_hint("create the topic, or allow the user to create it")
    };
    if is_there { Ok(()) } else { Err(refused()) }
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
