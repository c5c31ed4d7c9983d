//! End-to-end tests: the programs as users run them, on servers that nobody here wrote.
//!
//! | module | what it shows | servers |
//! |---|---|---|
//! | `main_job` | both sinks equal the source, over one connection | instance 0 |
//! | `recovery` | kill -9 at random moments loses nothing | instance 0 |
//! | `corpus` | functions and types give what Flink gives | none |
//! | `event_time` | queries over event time equal batch mode | none |
//! | `lookup` | streams meet the rows of tables | instance 0 |
//! | `faults` | servers that restart or are away | instance 1, started by the tests |
//! | `mistakes` | every mistake is told with its fix | instance 0 |
//! | `nexmark` | the Nexmark queries equal DataFusion's batch result | none |
//! | `oracle` | streams equal DataFusion's batch result | none |
//! | `sql` | statements and their results | none |
//! | `temporal` | streams meet the versions of tables | none |
//! | `tidy` | the layers of the code | none |
//! | `windows` | windows of time end when they should, once | none |

mod corpus;
mod event_time;
mod faults;
mod lookup;
mod main_job;
mod mistakes;
mod nexmark;
mod oracle;
mod recovery;
mod sql;
mod temporal;
mod tidy;
mod watermarks;
mod windows;

/// Runs a test whose queries are planned in its own thread: planning recurses deeper than the 2 MiB of a
/// test's thread; the programs have 32 as well.
fn with_deep_stacks(test: impl Future<Output = ()> + Send + 'static) {
    const STACK_SIZE: usize = 32 << 20;
    let run = move || {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.enable_all().thread_stack_size(STACK_SIZE).build().expect("a runtime");
        runtime.block_on(test);
    };
    let thread = std::thread::Builder::new().stack_size(STACK_SIZE).spawn(run).expect("a thread");
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}
