//! Connectors and the list of them.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::Arc;

use sluice_model::{
    ChangelogMode, Column, Error, Result, TableDefinition, TableOption, TableOptions, TableSchema, suggest,
};

use crate::{
    FileFormat, Format, FormatSlot, Formats, LookupSource, LookupTable, MetadataColumn, OptionDoc, OptionReader,
    OptionSet, Sink, Source, SourceTable,
};

/// A table that a sink shall write.
pub struct SinkTable {
    /// Name for messages.
    pub name: String,
    /// Columns in the order of the batches, and the primary key.
    pub schema: TableSchema,
    /// Writable metadata columns, behind the physical ones.
    pub metadata: Vec<(String, Column)>,
    /// The kinds that the query produces.
    pub changelog: ChangelogMode,
    /// Names of the columns that it is partitioned by.
    pub partitioned_by: Vec<String>,
    /// The format of its files, for a connector that has any.
    pub files: Option<Arc<dyn FileFormat>>,
    formats: BTreeMap<&'static str, Arc<dyn Formats>>,
}

impl SinkTable {
    /// The format of a slot that the connector declared as required.
    ///
    /// # Errors
    /// A bug: a slot that the connector did not declare.
    pub fn format(&self, option: &'static str) -> Result<Arc<dyn Formats>> {
        self.formats.get(option).cloned().ok_or_else(|| Error::bug(format!("no format was resolved for '{option}'")))
    }
}

/// What a connector is called and offers.
#[derive(Debug, Clone, Default)]
pub struct ConnectorInfo {
    /// Where it takes formats.
    pub formats: Vec<FormatSlot>,
    /// Whether its formats are those of files.
    pub files: bool,
    /// Metadata columns it can deliver.
    pub metadata: Vec<MetadataColumn>,
    /// Whether it reads.
    pub is_source: bool,
    /// Whether it writes.
    pub is_sink: bool,
    /// Whether a source may be asked for fewer fields of a ROW column than are declared.
    pub narrows_rows: bool,
    /// Whether its rows can be looked up by key.
    pub is_lookup: bool,
}

/// A connector. Registered once, in `connectors/registry`.
pub trait Connector: Send + Sync + 'static {
    /// Name as written in `'connector' = '…'`.
    const NAME: &'static str;
    /// Its options, declared with [`options!`](crate::options).
    type Options: OptionSet;

    /// What it offers.
    fn info(&self) -> ConnectorInfo;

    /// Checks that need the options together with the table; leave errors in the reader.
    fn validate(&self, _options: &Self::Options, _table: &TableDefinition, _reader: &mut OptionReader<'_>) {}

    /// Tables of one job with an equal key are read by one source over one connection.
    fn sharing_key(&self, _options: &Self::Options) -> Option<String> {
        None
    }

    /// Makes a source from one table, or from several that share a key.
    ///
    /// # Errors
    /// The tables cannot be read.
    fn source(&self, _tables: Vec<SourceTable<Self::Options>>) -> Result<Arc<dyn Source>> {
        Err(Error::fix(format!("connector '{}' cannot be read from", Self::NAME)))
    }

    /// Makes a sink.
    ///
    /// # Errors
    /// The table cannot be written.
    fn sink(&self, _options: Self::Options, _table: SinkTable) -> Result<Arc<dyn Sink>> {
        Err(Error::fix(format!("connector '{}' cannot be written to", Self::NAME)))
    }

    /// Makes a lookup.
    ///
    /// # Errors
    /// Rows of the table cannot be looked up.
    fn lookup(&self, table: LookupTable<Self::Options>) -> Result<Arc<dyn LookupSource>> {
        Err(Error::fix(format!("rows of table '{}' cannot be looked up", table.name))
            .because(format!("connector '{}' cannot be asked for the rows of a key", Self::NAME))
            .with_hint(
                "join without FOR SYSTEM_TIME AS OF, or keep the table where it can be asked, e.g. behind 'jdbc'",
            ))
    }
}

/// A [`Connector`] without its type.
pub trait ErasedConnector: Send + Sync {
    /// Name.
    fn name(&self) -> &'static str;
    /// What it offers.
    fn info(&self) -> ConnectorInfo;
    /// Documentation of its options.
    fn docs(&self) -> Vec<OptionDoc>;
    /// Key under which tables share a source.
    ///
    /// # Errors
    /// Wrong options.
    fn sharing_key(&self, table: &TableDefinition) -> Result<Option<String>>;
    /// Makes a source.
    ///
    /// # Errors
    /// Wrong options, all at once.
    fn source(&self, tables: Vec<(TableDefinition, ChangelogMode)>, formats: &FormatList) -> Result<Arc<dyn Source>>;
    /// Makes a sink.
    ///
    /// # Errors
    /// Wrong options, all at once.
    fn sink(&self, table: &TableDefinition, changelog: ChangelogMode, formats: &FormatList) -> Result<Arc<dyn Sink>>;
    /// Makes a lookup of a table by some of its columns.
    ///
    /// # Errors
    /// Wrong options, all at once; a connector without lookups.
    fn lookup(&self, table: &TableDefinition, keys: Vec<usize>, formats: &FormatList) -> Result<Arc<dyn LookupSource>>;
}

type FormatList = BTreeMap<&'static str, Box<dyn Format>>;

struct Erased<C>(C, PhantomData<fn() -> C>);

impl<C: Connector> Erased<C> {
    fn read(&self, table: &TableDefinition, formats: Option<&FormatList>) -> Result<(C::Options, ResolvedFormats)> {
        let owner = format!("connector '{}' of table '{}'", C::NAME, table.name);
        let mut reader = OptionReader::new(owner, table.position, &table.options);
        let info = self.0.info();
        let mut resolved = ResolvedFormats::default();
        for slot in &info.formats {
            if let Some(name) = read_slot(&mut reader, slot) {
                reader.allow_prefixes([format!("{name}."), format!("{}{name}.", slot.prefix)]);
                if let Some(formats) = formats {
                    resolve_slot(&mut reader, slot, &name, table, formats, info.files, &mut resolved);
                }
            }
        }
        let options = C::Options::read(&mut reader);
        if let Some(options) = &options {
            self.0.validate(options, table, &mut reader);
        }
        reader.finish()?;
        let options = options.ok_or_else(|| Error::bug("options were refused without an error"))?;
        Ok((options, resolved))
    }
}

/// The formats of a table.
#[derive(Default)]
struct ResolvedFormats {
    encoders: BTreeMap<&'static str, Arc<dyn Formats>>,
    files: Option<Arc<dyn FileFormat>>,
}

fn read_slot(reader: &mut OptionReader<'_>, slot: &FormatSlot) -> Option<String> {
    if slot.required { reader.required(slot.option) } else { reader.optional(slot.option) }
}

fn resolve_slot(
    reader: &mut OptionReader<'_>,
    slot: &FormatSlot,
    name: &str,
    table: &TableDefinition,
    formats: &FormatList,
    files: bool,
    resolved: &mut ResolvedFormats,
) {
    let Some(format) = formats.get(name) else {
        let hint = match suggest(name, formats.keys().copied()) {
            Some(like) => format!("did you mean '{like}'?"),
            None => format!("formats: {}", formats.keys().copied().collect::<Vec<_>>().join(", ")),
        };
        reader.reject(slot.option, format!("unknown format '{name}' in option '{}'", slot.option), hint);
        return;
    };
    let options = format_options(&table.options, slot.prefix, name);
    let found = if files {
        format.files(&options).map(|files| resolved.files = Some(files))
    } else {
        format.encoders(&options).map(|encoders| _ = resolved.encoders.insert(slot.option, encoders))
    };
    if let Err(error) = found {
        reader.push(error);
    }
}

/// The options of a format without their prefix; `value.json.x` wins over `json.x`.
fn format_options(options: &TableOptions, slot_prefix: &str, format: &str) -> TableOptions {
    let mut found = TableOptions::default();
    for prefix in [format!("{format}."), format!("{slot_prefix}{format}.")] {
        for option in options.iter() {
            if let Some(key) = option.key.strip_prefix(&prefix) {
                found.set(TableOption { key: key.to_owned(), ..option.clone() });
            }
        }
    }
    found
}

impl<C: Connector> ErasedConnector for Erased<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn info(&self) -> ConnectorInfo {
        self.0.info()
    }

    fn docs(&self) -> Vec<OptionDoc> {
        C::Options::docs()
    }

    fn sharing_key(&self, table: &TableDefinition) -> Result<Option<String>> {
        let (options, _) = self.read(table, None)?;
        Ok(self.0.sharing_key(&options))
    }

    fn source(&self, tables: Vec<(TableDefinition, ChangelogMode)>, formats: &FormatList) -> Result<Arc<dyn Source>> {
        let mut read = Vec::with_capacity(tables.len());
        let formats = self.0.info().files.then_some(formats);
        for (table, changelog) in tables {
            let (options, ResolvedFormats { files, .. }) = self.read(&table, formats)?;
            let TableDefinition { name, schema, metadata, declared, partitioned_by, .. } = table;
            read.push(SourceTable { name, options, schema, metadata, changelog, declared, partitioned_by, files });
        }
        self.0.source(read)
    }

    fn sink(&self, table: &TableDefinition, changelog: ChangelogMode, formats: &FormatList) -> Result<Arc<dyn Sink>> {
        let (options, ResolvedFormats { encoders: formats, files }) = self.read(table, Some(formats))?;
        let TableDefinition { name, schema, metadata, position, partitioned_by, .. } = table.clone();
        let sink_table = SinkTable { name, schema, metadata, changelog, partitioned_by, files, formats };
        self.0.sink(options, sink_table).map_err(|error| error.at_opt(position))
    }

    fn lookup(&self, table: &TableDefinition, keys: Vec<usize>, formats: &FormatList) -> Result<Arc<dyn LookupSource>> {
        let formats = self.0.info().files.then_some(formats);
        let (options, ResolvedFormats { files, .. }) = self.read(table, formats)?;
        let TableDefinition { name, schema, declared, partitioned_by, position, .. } = table.clone();
        let table = LookupTable { name, options, schema, keys, declared, partitioned_by, files };
        self.0.lookup(table).map_err(|error| error.at_opt(position))
    }
}

/// All connectors and formats that a process knows.
#[derive(Clone, Default)]
pub struct Connectors {
    connectors: Arc<BTreeMap<&'static str, Box<dyn ErasedConnector>>>,
    formats: Arc<FormatList>,
}

impl Connectors {
    /// Adds a connector. For the registry, while it builds the list.
    #[must_use]
    pub fn with(mut self, connector: impl Connector) -> Self {
        let erased: Box<dyn ErasedConnector> = Box::new(Erased(connector, PhantomData));
        if let Some(connectors) = Arc::get_mut(&mut self.connectors) {
            connectors.insert(erased.name(), erased);
        }
        self
    }

    /// Adds a format. For the registry, while it builds the list.
    #[must_use]
    pub fn with_format(mut self, format: impl Format + 'static) -> Self {
        if let Some(formats) = Arc::get_mut(&mut self.formats) {
            formats.insert(format.name(), Box::new(format));
        }
        self
    }

    /// All connectors by name.
    pub fn iter(&self) -> impl Iterator<Item = &dyn ErasedConnector> {
        self.connectors.values().map(AsRef::as_ref)
    }

    /// The connector that a table names in its options.
    ///
    /// # Errors
    /// No `connector` option, or an unknown one, with a suggestion.
    pub fn of_table(&self, table: &TableDefinition) -> Result<&dyn ErasedConnector> {
        let Some(name) = table.options.get("connector") else {
            return Err(Error::fix(format!("table '{}' has no option 'connector'", table.name))
                .at_opt(table.position)
                .with_hint("add 'connector' = '…' to the WITH clause"));
        };
        self.by_name(name).map_err(|error| error.at_opt(table.options.position_of("connector").or(table.position)))
    }

    /// The connector called `name`.
    ///
    /// # Errors
    /// An unknown name, with a suggestion.
    pub fn by_name(&self, name: &str) -> Result<&dyn ErasedConnector> {
        self.connectors.get(name).map(AsRef::as_ref).ok_or_else(|| {
            let hint = match suggest(name, self.connectors.keys().copied()) {
                Some(like) => format!("did you mean '{like}'?"),
                None => format!("connectors: {}", self.connectors.keys().copied().collect::<Vec<_>>().join(", ")),
            };
            Error::fix(format!("unknown connector '{name}'")).with_hint(hint)
        })
    }

    /// Makes the source of one table, or of several that share a connection.
    ///
    /// # Errors
    /// Wrong options, all at once.
    pub fn source(&self, tables: Vec<(TableDefinition, ChangelogMode)>) -> Result<Arc<dyn Source>> {
        let Some((first, _)) = tables.first() else {
            return Err(Error::bug("a source without tables"));
        };
        self.of_table(first)?.source(tables, &self.formats)
    }

    /// Makes the sink of a table.
    ///
    /// # Errors
    /// Wrong options, all at once.
    pub fn sink(&self, table: &TableDefinition, changelog: ChangelogMode) -> Result<Arc<dyn Sink>> {
        self.of_table(table)?.sink(table, changelog, &self.formats)
    }

    /// Makes a lookup of a table by some of its columns.
    ///
    /// # Errors
    /// Wrong options, all at once; a connector without lookups.
    pub fn lookup(&self, table: &TableDefinition, keys: Vec<usize>) -> Result<Arc<dyn LookupSource>> {
        self.of_table(table)?.lookup(table, keys, &self.formats)
    }

    /// Key under which a table shares its source with others.
    ///
    /// # Errors
    /// Wrong options, all at once.
    pub fn sharing_key(&self, table: &TableDefinition) -> Result<Option<String>> {
        let connector = self.of_table(table)?;
        Ok(connector.sharing_key(table)?.map(|key| format!("{}|{key}", connector.name())))
    }
}

impl std::fmt::Debug for Connectors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.connectors.keys()).finish()
    }
}
