//! What the operating system says about this process, under the names that Prometheus' client
//! libraries use (`process_cpu_seconds_total`, …).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::text::{Exposition, Kind};

/// Clock ticks per second in `/proc/self/stat`: fixed at 100 by Linux' interface to user space.
const TICKS_PER_SECOND: f64 = 100.0;

/// Measures of this process and of the machine; what cannot be read is 0.
#[derive(Debug, Clone, Default)]
pub(crate) struct Process {
    pub(crate) cpu_seconds: f64,
    pub(crate) resident_bytes: u64,
    pub(crate) virtual_bytes: u64,
    pub(crate) threads: u64,
    pub(crate) open_files: u64,
    pub(crate) max_files: u64,
    pub(crate) machine_bytes: u64,
    pub(crate) machine_free_bytes: u64,
}

impl Process {
    /// Reads `/proc`.
    pub(crate) fn read() -> Self {
        let text = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let status = text("/proc/self/status");
        let memory = text("/proc/meminfo");
        Self {
            cpu_seconds: cpu_seconds(&text("/proc/self/stat")).unwrap_or(0.0),
            resident_bytes: kilobytes(&status, "VmRSS:"),
            virtual_bytes: kilobytes(&status, "VmSize:"),
            threads: number_after(&status, "Threads:").unwrap_or(0),
            open_files: std::fs::read_dir("/proc/self/fd").map_or(0, |entries| entries.count() as u64),
            max_files: max_files(&text("/proc/self/limits")).unwrap_or(0),
            machine_bytes: kilobytes(&memory, "MemTotal:"),
            machine_free_bytes: kilobytes(&memory, "MemAvailable:"),
        }
    }
}

/// Adds them.
pub(super) fn add(exposition: &mut Exposition, process: &Process, uptime: Duration) {
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(uptime);
    let mut gauge = |name: &str, help: &str, value: f64| exposition.add(name, help, Kind::Gauge, &[], value);
    gauge("process_resident_memory_bytes", "Memory of the process that is in RAM.", process.resident_bytes as f64);
    gauge("process_virtual_memory_bytes", "Address space of the process.", process.virtual_bytes as f64);
    gauge("process_open_fds", "Open file descriptors.", process.open_files as f64);
    gauge("process_max_fds", "Limit of open file descriptors.", process.max_files as f64);
    gauge("process_threads", "Threads of the process.", process.threads as f64);
    gauge("process_start_time_seconds", "When the server started, seconds since 1970.", started.as_secs_f64().floor());
    gauge("sluice_uptime_seconds", "How long the server has been running.", uptime.as_secs_f64());
    let help = "CPU time that the process has used.";
    exposition.add("process_cpu_seconds_total", help, Kind::Counter, &[], process.cpu_seconds);
    let help = "Version of Sluice, in a label.";
    exposition.add("sluice_build_info", help, Kind::Gauge, &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
}

/// User and system time, fields 14 and 15 of `/proc/self/stat`; the name before them may hold blanks.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

fn kilobytes(text: &str, key: &str) -> u64 {
    number_after(text, key).unwrap_or(0) * 1024
}

fn number_after(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

fn max_files(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_forms_of_proc() {
        let stat = "42 (a ) b) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(kilobytes("VmSize:\t  10 kB\nVmRSS:\t   3 kB\n", "VmRSS:"), 3072);
        assert_eq!(max_files("Max open files            1024                 524288               files"), Some(1024));
    }

    #[test]
    fn this_process_has_memory_threads_and_files() {
        let process = Process::read();
        assert!(process.resident_bytes > 0 && process.threads > 0 && process.open_files > 0);
        assert!(process.machine_bytes >= process.resident_bytes);
    }
}
