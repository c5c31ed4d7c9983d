//! Settings of the Kafka client, by librdkafka's names.

use std::collections::BTreeMap;

use rdkafka::config::ClientConfig;

/// Names and values. `ClientConfig` itself cannot serve: it does not give secrets back. Nor does
/// the `Debug` of this.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Settings(BTreeMap<String, String>);

impl Settings {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.insert(name.into(), value.into());
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// Adds the settings of another; they win.
    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Only those whose name is wanted.
    pub(crate) fn filtered(&self, is_wanted: impl Fn(&str) -> bool) -> Self {
        let wanted = self.0.iter().filter(|(name, _)| is_wanted(name));
        Self(wanted.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// What a client is made from.
    pub(crate) fn to_client_config(&self) -> ClientConfig {
        self.0.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
