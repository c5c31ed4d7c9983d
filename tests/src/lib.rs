//! The harness of the end-to-end tests: a scene with its own database, topic and schema, and the
//! `sql-client` as a process that can be killed.
//!
//! ```no_run
//! # async fn demo() -> sluice_demo::Result<()> {
//! use sluice_demo::endpoints::Flavor;
//! use sluice_tests::Scene;
//!
//! let scene = Scene::create("first_try", Flavor::MariaDb, 1_000).await?;
//! let mut job = scene.start_job()?;
//! scene.wait_until_equal(std::time::Duration::from_secs(30)).await?;
//! job.kill();
//! # Ok(())
//! # }
//! ```

mod process;
mod scene;
mod scratch;

pub use process::{ClientProcess, program, run_client};
pub use scene::{Scene, replication_clients};
pub use scratch::scratch;
