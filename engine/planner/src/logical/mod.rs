//! Parts of a query that DataFusion has no plan node for: those of time.

mod rowtime;
mod watermark;
mod window;

pub(crate) use rowtime::rowtime;
pub(crate) use watermark::WatermarkNode;
pub(crate) use window::WindowNode;
