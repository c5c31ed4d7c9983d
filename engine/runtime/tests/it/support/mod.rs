//! What the tests share: a world of sources and sinks, plans over them, jobs.

mod faults;
mod job;
mod plan;
mod sink;
mod source;
mod world;

pub(crate) use job::{TestBed, eventually};
pub(crate) use plan::PlanBuilder;
pub(crate) use world::{Row, World, assert_rows, final_table, materialised, updates};
