//! `sql-client`: Flink's client, on Sluice.

use std::process::ExitCode;

fn main() -> ExitCode {
    sluice_sql_client::sql_client_main()
}
