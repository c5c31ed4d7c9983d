//! End-to-end tests: the programs as users run them, on servers that nobody here wrote.
//!
//! | module | what it shows | servers |
//! |---|---|---|
//! | `main_job` | both sinks equal the source, over one connection | instance 0 |
//! | `recovery` | kill -9 at random moments loses nothing | instance 0 |
//! | `faults` | servers that restart or are away | instance 1, started by the tests |
//! | `mistakes` | every mistake is told with its fix | instance 0 |
//! | `nexmark` | the Nexmark queries equal DataFusion's batch result | none |
//! | `oracle` | streams equal DataFusion's batch result | none |
//! | `sql` | statements and their results | none |
//! | `tidy` | the layers of the code | none |

mod faults;
mod main_job;
mod mistakes;
mod nexmark;
mod oracle;
mod recovery;
mod sql;
mod tidy;
