//! The Prometheus text format, version 0.0.4.

use std::collections::BTreeMap;
use std::fmt::Write;

/// Counter or gauge, as `# TYPE` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
}

#[derive(Debug)]
struct Family {
    help: String,
    kind: Kind,
    lines: String,
}

/// Metrics by name: all samples of a name stand together, as the format demands.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    families: BTreeMap<String, Family>,
}

impl Exposition {
    /// Adds a sample. The first help and kind of a name count.
    pub(super) fn add(&mut self, name: &str, help: &str, kind: Kind, labels: &[(&str, &str)], value: f64) {
        let name = metric_name(name);
        let mut line = name.clone();
        let mut separator = '{';
        for (key, value) in labels {
            line.push(separator);
            separator = ',';
            let _ = write!(line, "{}=\"", label_name(key));
            escape(&mut line, value);
            line.push('"');
        }
        if !labels.is_empty() {
            line.push('}');
        }
        // Rust prints a double with the fewest digits that read back the same, and whole numbers without a point.
        let _ = writeln!(line, " {value}");
        let new = || Family { help: help.to_owned(), kind, lines: String::new() };
        self.families.entry(name).or_insert_with(new).lines.push_str(&line);
    }

    /// The text.
    pub(super) fn finish(self) -> String {
        let mut text = String::new();
        for (name, family) in self.families {
            let help = family.help.replace('\\', "\\\\").replace('\n', "\\n");
            let kind = match family.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
            };
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{}", family.lines);
        }
        text
    }
}

fn metric_name(name: &str) -> String {
    clean(name, |c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
}

fn label_name(name: &str) -> String {
    clean(name, |c| c.is_ascii_alphanumeric() || c == '_')
}

fn clean(name: &str, allowed: fn(char) -> bool) -> String {
    let cleaned: String = name.chars().map(|c| if allowed(c) { c } else { '_' }).collect();
    if cleaned.starts_with(|c: char| c.is_ascii_digit()) { format!("_{cleaned}") } else { cleaned }
}

fn escape(line: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' => line.push_str("\\\\"),
            '"' => line.push_str("\\\""),
            '\n' => line.push_str("\\n"),
            c => line.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_a_name_stand_together_and_are_escaped() {
        let mut exposition = Exposition::default();
        exposition.add("b_total", "Second.", Kind::Counter, &[("task", "Source: a\"b\\c\nd")], 7.0);
        exposition.add("a-1", "First.", Kind::Gauge, &[], 0.25);
        exposition.add("b_total", "ignored", Kind::Gauge, &[("1x", "y"), ("k.k", "")], 9_007_199_254_740_992.0);
        assert_eq!(
            exposition.finish(),
            "# HELP a_1 First.\n# TYPE a_1 gauge\na_1 0.25\n\
             # HELP b_total Second.\n# TYPE b_total counter\n\
             b_total{task=\"Source: a\\\"b\\\\c\\nd\"} 7\n\
             b_total{_1x=\"y\",k_k=\"\"} 9007199254740992\n"
        );
    }
}
