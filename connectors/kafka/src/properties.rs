//! `properties.*`: Kafka's own settings, by the names that Java clients and librdkafka use.
//!
//! Most names are the same in both. The others are translated, left aside because they say nothing
//! to a writer, or refused with the name to use instead. What librdkafka does not know is an error.

use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use sluice_connector_api::{ExtraOptions, OptionReader};
use sluice_model::{Secret, suggest};

use crate::properties_names::{IGNORED, IGNORED_PREFIXES, KNOWN, REFUSED, RENAMED};
use crate::settings::Settings;

/// Settings of a writer, before those of the user. Each is a name that the user may set.
const DEFAULTS: [(&str, &str); 12] = [
    ("client.id", "sluice"),
    // Order of a key and no repetition within a session: sequence numbers, checked by the broker.
    ("enable.idempotence", "true"),
    ("acks", "all"),
    // As Java's DefaultPartitioner, so that a topic may have writers of both kinds.
    ("partitioner", "murmur2_random"),
    // Long enough to fill batches under load, too short to be noticed without.
    ("linger.ms", "2"),
    ("delivery.timeout.ms", "120000"),
    // Java's max.request.size; librdkafka's own default is a little smaller.
    ("message.max.bytes", "1048576"),
    // Memory of a writer: when it is used up, the stream waits.
    ("queue.buffering.max.kbytes", "16384"),
    ("queue.buffering.max.messages", "100000"),
    // A broker that comes back is found at once.
    ("reconnect.backoff.max.ms", "1000"),
    // Success is counted, not reported message by message.
    ("delivery.report.only.error", "true"),
    ("log.connection.close", "false"),
];

/// What is wrong with a property.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The full option key: `properties.…`.
    pub(crate) key: String,
    pub(crate) what: String,
    pub(crate) hint: String,
}

/// Settings of the client, and notes on properties that were left aside.
#[derive(Debug, Clone)]
pub(crate) struct Properties {
    pub(crate) settings: Settings,
    pub(crate) notes: Vec<String>,
}

/// Leaves everything that is wrong with the properties in the reader.
pub(crate) fn check(extra: &ExtraOptions, reader: &mut OptionReader<'_>) {
    if let Err(refusals) = read(extra) {
        for Refusal { key, what, hint } in refusals {
            reader.reject(&key, what, hint);
        }
    }
}

/// Translates the properties.
pub(crate) fn read(extra: &ExtraOptions) -> Result<Properties, Vec<Refusal>> {
    let mut own = Settings::default();
    let (mut notes, mut refusals) = (Vec::new(), Vec::new());
    for (name, value) in extra.with_prefix("properties.") {
        match translate(name, value) {
            Translated::Set(pairs) => {
                for (target, value) in pairs {
                    match validate(name, &target, &value) {
                        Ok(()) => own.set(target, value),
                        Err(refusal) => refusals.push(refusal),
                    }
                }
            }
            Translated::Ignore(None) => {}
            Translated::Ignore(Some(note)) => notes.push(note),
            Translated::Refuse(what, hint) => {
                refusals.push(Refusal { key: format!("properties.{name}"), what, hint });
            }
        }
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    Ok(Properties { settings: with_defaults(own), notes })
}

/// The user's settings over the defaults. Fewer acknowledgements than all switch idempotence off,
/// as in Java; one request at a time then keeps the order of a key.
fn with_defaults(own: Settings) -> Settings {
    let mut settings = Settings::default();
    for (name, value) in DEFAULTS {
        settings.set(name, value);
    }
    let idempotence = own.get("enable.idempotence");
    let acks = own.get("acks").or_else(|| own.get("request.required.acks"));
    let few_acks = acks.is_some_and(|acks| acks != "all" && acks != "-1");
    if idempotence == Some("false") || (few_acks && idempotence.is_none()) {
        settings.set("enable.idempotence", "false");
        settings.set("max.in.flight.requests.per.connection", "1");
    }
    // An alias that the user chose must not fight with the default of its other name.
    for (alias, name) in [
        ("request.required.acks", "acks"),
        ("queue.buffering.max.ms", "linger.ms"),
        ("message.timeout.ms", "delivery.timeout.ms"),
        ("max.in.flight", "max.in.flight.requests.per.connection"),
    ] {
        if own.get(alias).is_some() {
            settings.remove(name);
        }
    }
    settings.extend(own);
    settings
}

enum Translated {
    Set(Vec<(String, String)>),
    Ignore(Option<String>),
    Refuse(String, String),
}

fn translate(name: &str, value: &str) -> Translated {
    let set = |target: &str, value: &str| Translated::Set(vec![(target.to_owned(), value.to_owned())]);
    if let Some((_, hint)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
        return Translated::Refuse(format!("property '{name}' cannot be used here"), (*hint).to_owned());
    }
    if let Some((_, note)) = IGNORED.iter().find(|(ignored, _)| *ignored == name) {
        return Translated::Ignore(note.map(|note| format!("'properties.{name}' has no effect: {note}")));
    }
    if IGNORED_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        return Translated::Ignore(None);
    }
    if let Some((_, target)) = RENAMED.iter().find(|(java, _)| *java == name) {
        return set(target, value);
    }
    match name {
        "sasl.jaas.config" => jaas(value),
        "buffer.memory" => match value.trim().parse::<u64>() {
            Ok(bytes) => set("queue.buffering.max.kbytes", &bytes.div_ceil(1024).max(1).to_string()),
            Err(_) => Translated::Refuse(
                format!("invalid value '{value}' for property 'buffer.memory'"),
                "expected a number of bytes".to_owned(),
            ),
        },
        "ssl.endpoint.identification.algorithm" if value.trim().is_empty() => set(name, "none"),
        // Java accepts blanks and any case in lists and words.
        "bootstrap.servers" => set(name, &value.split(',').map(str::trim).collect::<Vec<_>>().join(",")),
        "security.protocol" | "compression.type" | "acks" => set(name, &value.trim().to_ascii_lowercase()),
        _ => set(name, value.trim()),
    }
}

/// User and password from `…LoginModule required username="u" password="p";`.
fn jaas(config: &str) -> Translated {
    let refuse = |hint: &str| {
        Translated::Refuse("property 'sasl.jaas.config' cannot be used as it is".to_owned(), hint.to_owned())
    };
    if config.contains("Krb5LoginModule") {
        return refuse("Kerberos is not supported by this build; use SASL_SSL with PLAIN or SCRAM");
    }
    if config.contains("OAuthBearerLoginModule") {
        return refuse(
            "set 'properties.sasl.oauthbearer.method' = 'oidc' with client.id, client.secret and token.endpoint.url below 'properties.sasl.oauthbearer.'",
        );
    }
    match (jaas_value(config, "username"), jaas_value(config, "password")) {
        (Some(user), Some(password)) => {
            Translated::Set(vec![("sasl.username".to_owned(), user), ("sasl.password".to_owned(), password)])
        }
        _ => refuse("expected …LoginModule required username=\"…\" password=\"…\";"),
    }
}

/// The value of `name="…"` or `name='…'`, with backslash escapes resolved.
fn jaas_value(config: &str, name: &str) -> Option<String> {
    let at = config.match_indices(name).find(|(at, _)| {
        config[..*at].chars().next_back().is_none_or(char::is_whitespace)
            && config[at + name.len()..].trim_start().starts_with('=')
    })?;
    let rest = config[at.0 + name.len()..].trim_start().strip_prefix('=')?.trim_start();
    let quote = rest.chars().next()?;
    if quote != '"' && quote != '\'' {
        return rest.split([' ', ';', '\n']).next().map(str::to_owned);
    }
    let mut value = String::new();
    let mut characters = rest[1..].chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => value.extend(characters.next()),
            end if end == quote => return Some(value),
            other => value.push(other),
        }
    }
    None
}

/// Asks librdkafka about one setting.
fn validate(name: &str, target: &str, value: &str) -> Result<(), Refusal> {
    let Err(error) = ClientConfig::new().set(target, value).create_native_config() else {
        return Ok(());
    };
    let key = format!("properties.{name}");
    let reason = match &error {
        KafkaError::ClientConfig(_, reason, ..) => reason.trim().to_owned(),
        _ => "it holds a zero byte".to_owned(),
    };
    if reason.starts_with("No such configuration property") {
        let hint = match suggest(name, KNOWN.iter().copied().chain(RENAMED.iter().map(|(java, _)| *java))) {
            Some(like) => format!("did you mean 'properties.{like}'?"),
            None => "the names are those of librdkafka's CONFIGURATION.md, and of Java's producer where they differ"
                .to_owned(),
        };
        return Err(Refusal { key, what: format!("unknown Kafka property '{name}'"), hint });
    }
    // A private key in PEM does not look like a secret by its name.
    let is_secret = Secret::is_secret_key(target) || target.ends_with(".pem");
    let shown = if is_secret { Secret::MASK.to_owned() } else { Secret::mask_url(value) };
    let hint = if is_secret { "it is not accepted by the Kafka client".to_owned() } else { reason };
    Err(Refusal { what: format!("invalid value '{shown}' for Kafka property '{name}'"), key, hint })
}

#[cfg(test)]
#[path = "properties_tests.rs"]
mod tests;
