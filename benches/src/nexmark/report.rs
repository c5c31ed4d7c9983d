//! The table of results.

use super::Measurement;

/// One query at one rate.
#[derive(Debug)]
pub struct Row {
    /// Number of the query.
    pub query: u32,
    /// Events of the run.
    pub events: u64,
    /// On Sluice, or why it does not run.
    pub sluice: Result<Measurement, String>,
    /// The same on Flink, if that was asked for.
    pub flink: Option<Result<Measurement, String>>,
}

impl Row {
    /// How many times as many events Sluice takes for a CPU second.
    fn ratio(&self) -> Option<f64> {
        let flink = self.flink.as_ref()?.as_ref().ok()?;
        Some(flink.cpu_seconds / self.sluice.as_ref().ok()?.cpu_seconds)
    }

    /// The same for a second of the clock.
    fn wall_ratio(&self) -> Option<f64> {
        let flink = self.flink.as_ref()?.as_ref().ok()?;
        Some(flink.wall_seconds / self.sluice.as_ref().ok()?.wall_seconds)
    }

    fn print(&self) {
        print!("q{:<4}", self.query);
        match &self.sluice {
            Ok(measured) => print!("{}{}", speed(self.events, measured), extras(measured)),
            Err(error) => print!("{error}"),
        }
        match &self.flink {
            Some(Ok(measured)) => {
                print!("   | {}", speed(self.events, measured));
                if let (Some(cpu), Some(wall)) = (self.ratio(), self.wall_ratio()) {
                    print!("  {cpu:>6.2} {wall:>6.2}");
                }
            }
            Some(Err(error)) => print!("   | {error}"),
            None => {}
        }
        println!();
    }
}

/// Seconds, rates and memory.
fn speed(events: u64, measured: &Measurement) -> String {
    let thousands = events as f64 / 1e3;
    format!(
        "{:>8.2} {:>8.2} {:>9.0} {:>9.0} {:>8.0}",
        measured.wall_seconds,
        measured.cpu_seconds,
        thousands / measured.wall_seconds,
        thousands / measured.cpu_seconds,
        measured.peak_mib
    )
}

/// Start to first row, and checkpoints.
fn extras(measured: &Measurement) -> String {
    let first = measured.first_row_millis.map_or_else(|| "-".to_owned(), |millis| format!("{millis:.0}"));
    let mut durations = measured.checkpoint_millis.clone();
    durations.sort_by(f64::total_cmp);
    let middle = durations.get(durations.len() / 2);
    let checkpoints = match (middle, durations.last()) {
        (Some(median), Some(longest)) => format!("{} x {median:.0}, {longest:.0}", durations.len()),
        _ => "-".to_owned(),
    };
    format!(" {first:>9} {checkpoints:>15}")
}

/// Names of the columns.
pub fn print_header(against_flink: bool) {
    let speed = format!("{:>8} {:>8} {:>9} {:>9} {:>8}", "wall s", "CPU s", "K ev/s", "K ev/CPUs", "peak MiB");
    print!("{:<5}{speed} {:>9} {:>15}", "", "1st ms", "checkpoints ms");
    if against_flink {
        print!("   | {speed}  {:>6} {:>6}", "x CPU", "x wall");
    }
    println!();
}

/// A row, as soon as it is there.
pub fn print_row(row: &Row) {
    row.print();
}

/// Geometric means, and how many queries they are of.
pub fn print_means(rows: &[Row]) {
    let rate = |measured: &Measurement, events: u64| events as f64 / 1e3 / measured.cpu_seconds;
    let sluice = rows.iter().filter_map(|row| Some(rate(row.sluice.as_ref().ok()?, row.events)));
    print_mean("Sluice, K events per CPU second", sluice);
    let flink = rows.iter().filter_map(|row| Some(rate(row.flink.as_ref()?.as_ref().ok()?, row.events)));
    print_mean("Flink, K events per CPU second", flink);
    print_mean("times as many events per CPU second as Flink", rows.iter().filter_map(Row::ratio));
    print_mean("times as many events per second as Flink", rows.iter().filter_map(Row::wall_ratio));
}

fn print_mean(what: &str, values: impl Iterator<Item = f64>) {
    let values: Vec<f64> = values.collect();
    if let Some(mean) = geometric_mean(&values) {
        println!("geometric mean of {:>2} queries: {mean:>8.2}  {what}", values.len());
    }
}

fn geometric_mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| (values.iter().map(|value| value.ln()).sum::<f64>() / values.len() as f64).exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_geometric() {
        assert!((geometric_mean(&[1.0, 100.0]).unwrap() - 10.0).abs() < 1e-9);
        assert_eq!(geometric_mean(&[]), None);
    }

    #[test]
    fn ratios_are_of_queries_that_both_run() {
        let of = |cpu_seconds| Measurement { cpu_seconds, wall_seconds: 1.0, ..Measurement::default() };
        let row = |sluice, flink| Row { query: 0, events: 1, sluice, flink };
        assert_eq!(row(Ok(of(2.0)), Some(Ok(of(8.0)))).ratio(), Some(4.0));
        assert_eq!(row(Ok(of(2.0)), Some(Err("no".into()))).ratio(), None);
        assert_eq!(row(Err("no".into()), Some(Ok(of(8.0)))).ratio(), None);
        assert_eq!(row(Ok(of(2.0)), None).ratio(), None);
    }
}
