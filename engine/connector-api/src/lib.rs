//! What a connector is, and all that it may know.
//!
//! A connector is a crate that implements [`Connector`]: it declares its options with
//! [`options!`], and makes a [`Source`], a [`Sink`], a [`LookupSource`] or several of them from a table. It sees this crate and
//! `sluice-model`, nothing else: no format by name, no checkpoint file, no task.
//!
//! ```text
//! CREATE TABLE ─► TableOptions ─► Options (typed, all errors at once) ─► Source / Sink (planned)
//!                                                                           │ open
//!                                                            SourceReader / SinkWriter (running)
//! ```
//!
//! The smallest sink of all, `connectors/blackhole`, shows the shape in under forty lines.

mod connector;
mod file;
mod format;
mod lookup;
mod options;
mod sink;
mod source;
mod spawn;
pub mod testing;
pub mod text;

pub use connector::{Connector, ConnectorInfo, Connectors, ErasedConnector, SinkTable};
pub use file::{FileFormat, FileReader, FileToRead, FileWriter};
pub use format::{EncodedRows, Encoder, Format, FormatSlot, Formats};
pub use lookup::{Found, Lookup, LookupContext, LookupSource, LookupTable};
pub use options::{
    ExtraOptions, FieldType, MemorySize, NoOptions, OptionDoc, OptionReader, OptionSet, OptionValue, OptionValues,
};
pub use sink::{CommitToken, Sink, SinkContext, SinkWriter};
pub use source::{MetadataColumn, Source, SourceContext, SourceEvent, SourceReader, SourceTable};
pub use spawn::{JobTask, Spawner};

// Part of every connector's vocabulary, so that a connector needs to look in one place only.
pub use sluice_model::{TableDefinition, TableOption, TableOptions};
