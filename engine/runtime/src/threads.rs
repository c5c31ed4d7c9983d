//! The threads that the engine runs on.

use tokio::runtime::Builder;

/// Stack of a thread, in bytes: planning a query recurses over it, and the usual 2 MiB are not enough
/// for a deep one. Only what is used is ever backed by memory.
const STACK_SIZE: usize = 32 << 20;

/// Turns of a thread between two looks at sockets and timers. A turn of the engine is a batch, a
/// millisecond or more, where the usual 61 turns are thought of as microseconds: on a busy machine
/// timers and sockets would wait for a tenth of a second.
const EVENT_INTERVAL: u32 = 5;

/// A runtime fit for the engine, one thread per processor; to be built by the program.
///
/// ```
/// let runtime = sluice_runtime::threads().build()?;
/// assert_eq!(runtime.block_on(async { 1 + 1 }), 2);
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use]
pub fn threads() -> Builder {
    let mut builder = Builder::new_multi_thread();
    builder.enable_all().thread_stack_size(STACK_SIZE).event_interval(EVENT_INTERVAL);
    builder
}
