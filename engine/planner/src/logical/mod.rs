//! Parts of a query that DataFusion has no plan node for: those of time.

mod interval;
mod processing_time;
mod rowtime;
mod version;
mod versions;
mod watermark;
mod window;

pub(crate) use interval::{Interval, interval};
pub(crate) use processing_time::{is_clock, is_processing_time};
pub(crate) use rowtime::{is_rowtime, rowtimes};
pub(crate) use version::{AS_OF, VersionNode, as_of};
pub(crate) use versions::{Versions, find_versions, time_of, version};
pub(crate) use watermark::WatermarkNode;
pub(crate) use window::{WindowNode, Windowing};
