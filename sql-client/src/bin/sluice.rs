//! `sluice`: the server, the client and the operations verbs in one program.

use std::process::ExitCode;

fn main() -> ExitCode {
    sluice_sql_client::sluice_main()
}
