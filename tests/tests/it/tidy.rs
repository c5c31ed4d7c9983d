//! The layers of the code, where a machine can check them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The crates of this workspace that a crate's sources depend on.
fn imports(directory: &str) -> BTreeSet<String> {
    let manifest = fs::read_to_string(root().join(directory).join("Cargo.toml")).expect("a manifest");
    let dependencies = manifest.split("[dependencies]").nth(1).unwrap_or_default();
    let dependencies = dependencies.split("\n[").next().unwrap_or_default();
    dependencies
        .lines()
        .filter_map(|line| line.strip_prefix("sluice-")?.split(['.', ' ']).next())
        .filter(|name| *name != "workspace-hack")
        .map(str::to_owned)
        .collect()
}

fn sources(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources_of(directories: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for directory in directories {
        sources(&root().join(directory), &mut found);
    }
    found
}

#[test]
fn layers_import_downwards_only() {
    let allowed: [(&str, &[&str]); 14] = [
        ("engine/model", &[]),
        ("engine/plan", &["model"]),
        ("engine/connector-api", &["model"]),
        ("engine/state", &["model"]),
        ("engine/functions", &["model"]),
        ("engine/operators", &["model", "plan", "functions"]),
        ("engine/batch", &["model", "functions"]),
        ("engine/runtime", &["model", "plan", "operators", "state", "connector-api", "batch"]),
        ("engine/planner", &["model", "plan", "functions", "connector-api"]),
        ("engine/sql", &["model", "plan", "planner", "functions", "runtime", "connector-api"]),
        ("connectors/mysql-cdc", &["model", "connector-api", "mysql-decode", "tls"]),
        ("connectors/kafka", &["model", "connector-api"]),
        ("connectors/jdbc", &["model", "connector-api", "tls"]),
        ("connectors/blackhole", &["model", "connector-api"]),
    ];
    for (directory, allowed) in allowed {
        for import in imports(directory) {
            assert!(allowed.contains(&import.as_str()), "{directory} must not import sluice-{import}");
        }
    }
}

#[test]
fn only_the_runtime_and_the_programs_spawn() {
    for path in sources_of(&["engine/model", "engine/plan", "engine/operators", "engine/planner", "engine/functions"]) {
        let text = fs::read_to_string(&path).expect("a source");
        assert!(!text.contains("tokio::spawn"), "{} spawns a task", path.display());
    }
}

#[test]
fn only_the_clock_tells_the_time_of_data() {
    for path in sources_of(&["engine/operators", "engine/functions", "engine/planner", "engine/plan"]) {
        let text = fs::read_to_string(&path).expect("a source");
        assert!(!text.contains("SystemTime::now"), "{} asks the machine for the time", path.display());
    }
}

/// A sink that does nothing must not need more than forty lines: that is the test of the API.
#[test]
fn the_blackhole_is_small() {
    let text = fs::read_to_string(root().join("connectors/blackhole/src/lib.rs")).expect("a source");
    assert!(text.lines().count() <= 40, "{} lines", text.lines().count());
}
