//! Global transaction ids: sets of them, as text and in the binary form of the replication protocol.
//!
//! | flavour | one id | what was executed |
//! |---|---|---|
//! | MySQL | [`Gtid`] `uuid[:tag]:number` | [`GtidSet`] `uuid:1-5:7,uuid:tag:1-3` |
//! | MariaDB | [`MariaGtid`] `domain-server-sequence` | [`MariaGtidPos`] `0-1-5,1-2-7` |

mod binary;
mod id;
mod interval;
mod maria;
mod set;
mod text;

pub use id::{Gtid, GtidSource, ServerUuid, Tag};
pub use interval::Interval;
pub use maria::{MariaGtid, MariaGtidPos};
pub use set::GtidSet;
