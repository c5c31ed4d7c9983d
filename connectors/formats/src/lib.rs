//! Formats: how the rows of a connector look as bytes. One module per format.
//!
//! | format | writes |
//! |---|---|
//! | [`json`] | one JSON object a row |

pub mod json;

pub use json::Json;
