//! Formats: how the rows of a connector look as bytes. One module per format.
//!
//! | format | writes |
//! |---|---|
//! | [`csv`] | a line a row, for files |
//! | [`json`] | one JSON object a row |

mod columns;
pub mod csv;
pub mod json;

pub use csv::Csv;
pub use json::Json;
