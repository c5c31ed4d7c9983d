//! Counters and gauges of a job's tasks.
//!
//! A metric is one atomic word: the hot path adds to it without a lock or a look-up. The registry
//! is asked only when somebody scrapes.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A number that only grows.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Adds to it.
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// What it has reached.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that goes up and down.
#[derive(Debug, Clone, Default)]
pub struct Gauge(Arc<AtomicI64>);

impl Gauge {
    /// Sets it.
    pub fn set(&self, value: i64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Adds to it.
    pub fn add(&self, amount: i64) {
        self.0.fetch_add(amount, Ordering::Relaxed);
    }

    /// Its value.
    pub fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Whether a sample only grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// A metric as it stood when it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetricSample {
    /// Name in snake case, e.g. `records_out`.
    pub name: String,
    /// Labels in order, e.g. `("task", "Source: store_sales[1]")`.
    pub labels: Vec<(String, String)>,
    /// Counter or gauge.
    pub kind: MetricKind,
    /// The value.
    pub value: i64,
}

#[derive(Debug, Clone)]
enum Metric {
    Counter(Counter),
    Gauge(Gauge),
}

#[derive(Debug)]
struct Entry {
    name: String,
    labels: Vec<(String, String)>,
    metric: Metric,
}

/// All metrics of a job.
#[derive(Debug, Clone, Default)]
pub struct MetricRegistry(Arc<Mutex<Vec<Entry>>>);

impl MetricRegistry {
    /// A group whose metrics carry these labels.
    pub fn group(&self, labels: Vec<(String, String)>) -> MetricGroup {
        MetricGroup { registry: self.clone(), labels }
    }

    /// All metrics as they stand now.
    pub fn samples(&self) -> Vec<MetricSample> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries
            .iter()
            .map(|entry| {
                let (kind, value) = match &entry.metric {
                    Metric::Counter(counter) => (MetricKind::Counter, i64::try_from(counter.get()).unwrap_or(i64::MAX)),
                    Metric::Gauge(gauge) => (MetricKind::Gauge, gauge.get()),
                };
                MetricSample { name: entry.name.clone(), labels: entry.labels.clone(), kind, value }
            })
            .collect()
    }
}

/// Makes metrics with common labels.
#[derive(Debug, Clone, Default)]
pub struct MetricGroup {
    registry: MetricRegistry,
    labels: Vec<(String, String)>,
}

impl MetricGroup {
    /// The same group with a further label.
    #[must_use]
    pub fn with_label(&self, key: impl Into<String>, value: impl Into<String>) -> Self {
        let mut group = self.clone();
        group.labels.push((key.into(), value.into()));
        group
    }

    /// The counter of this name: the existing one if the group already has it (a restarted task counts on).
    pub fn counter(&self, name: &str) -> Counter {
        match self.metric(name, || Metric::Counter(Counter::default())) {
            Metric::Counter(counter) => counter,
            Metric::Gauge(_) => Counter::default(),
        }
    }

    /// The gauge of this name: the existing one if the group already has it.
    pub fn gauge(&self, name: &str) -> Gauge {
        match self.metric(name, || Metric::Gauge(Gauge::default())) {
            Metric::Gauge(gauge) => gauge,
            Metric::Counter(_) => Gauge::default(),
        }
    }

    fn metric(&self, name: &str, make: impl FnOnce() -> Metric) -> Metric {
        let mut entries = self.registry.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.iter().find(|entry| entry.name == name && entry.labels == self.labels) {
            return entry.metric.clone();
        }
        let metric = make();
        entries.push(Entry { name: name.to_owned(), labels: self.labels.clone(), metric: metric.clone() });
        metric
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_asked_for_twice_is_the_same() {
        let registry = MetricRegistry::default();
        let group = registry.group(vec![("task".into(), "source".into())]);
        group.counter("records_out").add(2);
        group.counter("records_out").add(3);
        group.gauge("lag").set(-1);
        let samples = registry.samples();
        assert_eq!(samples.len(), 2);
        assert_eq!((samples[0].name.as_str(), samples[0].value), ("records_out", 5));
        assert_eq!((samples[1].name.as_str(), samples[1].value), ("lag", -1));
    }
}
