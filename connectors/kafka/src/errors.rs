//! Errors of the Kafka client as errors of the engine.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use sluice_model::{Error, Reaction, Secret};

/// A message that could not be delivered.
#[derive(Debug, Clone)]
pub(crate) struct DeliveryFailure {
    pub(crate) code: RDKafkaErrorCode,
    /// The beginning of the key, to find the row by.
    pub(crate) key: Option<String>,
    /// What the client last said about the connection.
    pub(crate) last_words: Option<String>,
}

impl DeliveryFailure {
    pub(crate) fn to_error(&self, topic: &str) -> Error {
        let key = self.key.as_ref().map_or(String::new(), |key| format!(" (first with key {key})"));
        let error = with_reaction(self.code, format!("messages could not be delivered to Kafka topic '{topic}'{key}"));
        let reason = self.code.to_string();
        let why = match &self.last_words {
            Some(words) if !words.is_empty() => format!("{reason}; the client last said: {words}"),
            _ => reason,
        };
        let error = error.because(why);
        match hint(self.code) {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

/// The beginning of a key as it may be shown in an error.
pub(crate) fn shown_key(key: &[u8]) -> String {
    const LONGEST: usize = 80;
    let text = String::from_utf8_lossy(&key[..key.len().min(LONGEST)]).into_owned();
    if key.len() > LONGEST { format!("{text}…") } else { text }
}

/// An error that names what was being done and what the client said.
pub(crate) fn client_error(what: impl Into<String>, error: &KafkaError) -> Error {
    let typed = match error.rdkafka_error_code() {
        Some(code) => {
            let typed = with_reaction(code, what);
            match hint(code) {
                Some(hint) => typed.with_hint(hint),
                None => typed,
            }
        }
        None => Error::fix(what),
    };
    typed.because(Secret::mask_url(&error.to_string()))
}

fn with_reaction(code: RDKafkaErrorCode, what: impl Into<String>) -> Error {
    match reaction(code) {
        Reaction::Fix => Error::fix(what),
        Reaction::Retry => Error::retry(what),
        Reaction::Bug => Error::bug(what),
    }
}

/// Whether trying again can help. Only what the user has to change is `Fix`: everything about
/// brokers and networks may go away.
fn reaction(code: RDKafkaErrorCode) -> Reaction {
    use RDKafkaErrorCode as Code;
    match code {
        Code::UnknownTopic
        | Code::UnknownPartition
        | Code::InvalidTopic
        | Code::MessageSizeTooLarge
        | Code::InvalidRecord
        | Code::PolicyViolation
        | Code::TopicAuthorizationFailed
        | Code::ClusterAuthorizationFailed
        | Code::TransactionalIdAuthorizationFailed
        | Code::SaslAuthenticationFailed
        | Code::Authentication
        | Code::UnsupportedSASLMechanism
        | Code::SSL
        | Code::InvalidReplicationFactor
        | Code::InvalidPartitions
        | Code::InvalidConfig
        | Code::UnsupportedVersion
        | Code::UnsupportedFeature => Reaction::Fix,
        _ => Reaction::Retry,
    }
}

fn hint(code: RDKafkaErrorCode) -> Option<&'static str> {
    use RDKafkaErrorCode as Code;
    Some(match code {
        Code::UnknownTopic | Code::UnknownPartition | Code::UnknownTopicOrPartition => {
            "create the topic, or allow the user to create it"
        }
        Code::MessageSizeTooLarge => "raise 'properties.max.request.size', and max.message.bytes of the topic",
        Code::TopicAuthorizationFailed => "grant Write and Describe on the topic to the user",
        Code::ClusterAuthorizationFailed => {
            "grant IdempotentWrite on the cluster to the user (brokers before 2.8 ask for it)"
        }
        Code::SaslAuthenticationFailed | Code::Authentication | Code::UnsupportedSASLMechanism => {
            "check 'properties.security.protocol', 'properties.sasl.mechanism' and the user's name and password"
        }
        Code::SSL => "check 'properties.security.protocol' and 'properties.ssl.ca.location'",
        Code::MessageTimedOut => {
            "check that the brokers are up; 'properties.delivery.timeout.ms' says how long messages wait for them"
        }
        Code::NotEnoughReplicas | Code::NotEnoughReplicasAfterAppend => {
            "the topic has fewer replicas in sync than its min.insync.replicas"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(code: RDKafkaErrorCode) -> Error {
        DeliveryFailure { code, key: Some("{\"id\":1}".to_owned()), last_words: None }.to_error("sales")
    }

    #[test]
    fn a_broker_that_is_down_is_tried_again() {
        let error = failure(RDKafkaErrorCode::MessageTimedOut);
        assert_eq!(error.reaction(), Reaction::Retry);
        assert!(error.to_string().contains("topic 'sales' (first with key {\"id\":1})"), "{error}");
    }

    #[test]
    fn what_the_user_has_to_change_is_not() {
        for code in [
            RDKafkaErrorCode::MessageSizeTooLarge,
            RDKafkaErrorCode::TopicAuthorizationFailed,
            RDKafkaErrorCode::UnknownTopic,
        ] {
            assert_eq!(failure(code).reaction(), Reaction::Fix);
            assert!(failure(code).hint().is_some());
        }
    }

    #[test]
    fn a_long_key_is_cut() {
        assert_eq!(shown_key(b"abc"), "abc");
        assert!(shown_key(&[b'x'; 500]).chars().count() < 100);
    }
}
