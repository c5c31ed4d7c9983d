//! The users' system in small: a MySQL database with TPC-DS tables, a live load, and a comparison of
//! what arrives in Kafka and in the warehouse with what MySQL holds.
//!
//! Used by `make demo`, by the end-to-end tests and by the benchmarks, so that all three speak of
//! the same tables.
//!
//! | module | what it holds |
//! |---|---|
//! | [`endpoints`] | addresses and users of the servers that `scripts/services.sh` starts |
//! | [`tpcds`] | `store_sales` and `store_returns`: columns, rows, how to create them |
//! | [`load`] | inserts, updates and deletes at a steady rate |
//! | [`compare`] | counts and checksums of a table, wherever it is |

pub mod compare;
pub mod endpoints;
pub mod load;
pub mod progress;
pub mod tpcds;

/// Any error of the demonstration, with its text.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
/// Result with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Chooses the TLS library of this process; the HTTP client does not build without one.
pub fn choose_tls() {
    // It has been chosen already when this is called twice.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
