//! Event time: watermarks and windows.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::Schema;
use chrono_tz::Tz;
use datafusion_expr::{Extension, LogicalPlan};
use sluice_functions::UnnestNode;
use sluice_model::{Error, Result, SqlType};
use sluice_plan::{
    AssignWatermark, AssignWindow, Input, NodeId, Operation, Output, SessionWindow, WatermarkAlignment, WatermarkEmit,
    WindowEnd, WindowKind,
};

use super::changes::place_of;
use super::nodes::{Nodes, unqualified};
use crate::logical::{WatermarkNode, WindowNode, Windowing, is_rowtime};

/// Where the borders of the rows' windows are among the columns of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WindowColumns {
    pub(super) start: usize,
    pub(super) end: usize,
    /// The zone of whose wall clock they are times.
    pub(super) zone: Tz,
    /// Set behind sessions: the columns that rows are dealt by already.
    pub(super) dealt_by: Option<Vec<usize>>,
}

/// The windows of all streams whose rows are in windows.
pub(super) type Windows = HashMap<(NodeId, usize), WindowColumns>;

impl WindowColumns {
    /// The same after a projection; `passed` has the source of every column that is a plain copy.
    pub(super) fn projected(&self, passed: &[Option<usize>]) -> Option<Self> {
        let place = |column| passed.iter().position(|source| *source == Some(column));
        self.placed(place)
    }

    /// The same where column `c` has become `place(c)`.
    pub(super) fn placed(&self, place: impl Fn(usize) -> Option<usize>) -> Option<Self> {
        let dealt_by = self.dealt_by.as_ref().and_then(|columns| columns.iter().map(|c| place(*c)).collect());
        Some(Self { start: place(self.start)?, end: place(self.end)?, zone: self.zone, dealt_by })
    }

    /// What tells when the window of a row is over.
    pub(super) fn window_end(&self) -> WindowEnd {
        WindowEnd { column: self.end, zone: self.zone }
    }
}

impl Nodes {
    /// The windows of an input's rows.
    pub(super) fn window_of(&self, input: &Input) -> Option<WindowColumns> {
        self.windows.get(&(input.node, input.port)).cloned()
    }

    /// Notes that the rows of an input are in windows.
    pub(super) fn set_window(&mut self, input: &Input, window: Option<WindowColumns>) {
        if let Some(window) = window {
            self.windows.insert((input.node, input.port), window);
        }
    }

    pub(super) fn extension(&mut self, extension: &Extension, query: &LogicalPlan) -> Result<Input> {
        let node = extension.node.as_any();
        if let Some(watermark) = node.downcast_ref::<WatermarkNode>() {
            return self.watermark(watermark, query);
        }
        if let Some(unnest) = node.downcast_ref::<UnnestNode>() {
            return self.unnest(unnest, query);
        }
        match node.downcast_ref::<WindowNode>() {
            Some(window) => self.assign_window(window, query),
            None => Err(Error::bug(format!("a plan node {} of nobody", extension.node.name()))),
        }
    }

    /// In batch mode time ends with the rows, and none of them is late.
    fn watermark(&mut self, node: &WatermarkNode, query: &LogicalPlan) -> Result<Input> {
        let from = self.lower(&node.input)?;
        if self.settings.batch {
            return Ok(from);
        }
        let output = self.plan().output(&from).clone();
        let watermark = unqualified(&node.watermark, node.input.schema(), &output.schema)?;
        let options = &node.options;
        if let Some(alignment) = &options.alignment {
            self.check_alignment(&from, alignment)?;
        }
        let interval = WatermarkEmit::Periodic(self.settings.watermark_interval);
        let operation = Operation::AssignWatermark(AssignWatermark {
            column: node.column.clone(),
            watermark,
            idle_timeout: options.idle_timeout.or(self.settings.idle_timeout).filter(|timeout| !timeout.is_zero()),
            emit: if options.on_event { WatermarkEmit::OnEvent } else { interval },
            alignment: options.alignment.clone(),
        });
        let id = self.state_id("watermark", query);
        let parallelism = self.plan().node(from.node).parallelism;
        self.add(operation, vec![from], output, parallelism, id)
    }

    /// On a stream nothing but a watermark tells when a window is over.
    fn check_time(&self, node: &WindowNode, time: usize) -> Result<()> {
        let is_time = self.is_batch || node.processing_time || is_rowtime(&node.input, time);
        if is_time { Ok(()) } else { Err(no_time_attribute(node, time)) }
    }

    /// The source has to know how far its rows are. Two groups could wait for each other for ever, if some
    /// connection had tables of both.
    fn check_alignment(&mut self, from: &Input, alignment: &WatermarkAlignment) -> Result<()> {
        let mut source = from.node;
        while let (Operation::Calc(_), [input]) =
            (&self.plan().node(source).operation, self.plan().node(source).inputs.as_slice())
        {
            source = input.node;
        }
        let Operation::Source(tables) = &self.plan().node(source).operation else {
            return Err(Error::fix(
                "'scan.watermark.alignment.group' of a table whose rows are kept is not supported yet",
            )
            .because("its source tells the key of a deleted row only, and the time of a row is known behind that")
            .with_hint("leave the options 'scan.watermark.alignment.*' out"));
        };
        let tables: Vec<_> = tables.tables.iter().map(|table| table.definition.name.clone()).collect();
        let group = self.alignment_groups.entry(source).or_insert_with(|| alignment.group.clone());
        if *group == alignment.group {
            return Ok(());
        }
        Err(Error::fix(format!("tables of one connection are in groups '{group}' and '{}'", alignment.group))
            .because(format!("{} are read together, and wait together", tables.join(", ")))
            .with_hint("give them the same 'scan.watermark.alignment.group'"))
    }

    fn assign_window(&mut self, node: &WindowNode, query: &LogicalPlan) -> Result<Input> {
        let from = self.lower(&node.input)?;
        let source = self.plan().output(&from).clone();
        let time = node.time_index().ok_or_else(|| Error::bug("a window without its time"))?;
        self.check_time(node, time)?;
        let width = source.schema.fields().len();
        let added = query.schema().fields().iter().skip(width).cloned();
        let fields: Vec<_> = source.schema.fields().iter().cloned().chain(added).collect();
        // A row comes once for each window: what identifies it identifies it inside a window.
        let (start, end) = (width, width + 1);
        let keys = source.keys.iter().map(|key| [key.as_slice(), &[start, end]].concat()).collect();
        let output = Output { schema: Arc::new(Schema::new(fields)), changelog: source.changelog, keys };
        let (processing_time, zone) = (node.processing_time, node.zone);
        let id = self.state_id("window", query);
        let (operation, from, parallelism, dealt_by) = match &node.windowing {
            Windowing::Fixed(kind) => {
                let parallelism = self.plan().node(from.node).parallelism;
                let operation = Operation::AssignWindow(AssignWindow { time, kind: *kind, processing_time, zone });
                (operation, from, parallelism, None)
            }
            Windowing::Session { gap, .. } => {
                let partition = node.partition().ok_or_else(|| Error::bug("a session without its partition"))?;
                let (from, parallelism) = self.dealt_by(from, &partition);
                let session = SessionWindow { partition: partition.clone(), time, gap: *gap, processing_time, zone };
                (Operation::SessionWindow(session), from, parallelism, Some(partition))
            }
        };
        let input = self.add(operation, vec![from], output, parallelism, id)?;
        self.set_window(&input, Some(WindowColumns { start, end, zone, dealt_by }));
        Ok(input)
    }
}

fn no_time_attribute(node: &WindowNode, time: usize) -> Error {
    let name = match &node.windowing {
        Windowing::Fixed(WindowKind::Tumble { .. }) => "TUMBLE",
        Windowing::Fixed(WindowKind::Hop { .. }) => "HOP",
        Windowing::Fixed(WindowKind::Cumulate { .. }) => "CUMULATE",
        Windowing::Session { .. } => "SESSION",
    };
    let field = node.input.schema().field(time);
    let column = SqlType::of_field(field);
    Error::fix(format!("the window function {name} requires the timecol is a time attribute type, but is {column}"))
        .because(format!("nothing tells when all rows of a window by '{}' are there", field.name()))
        .at_opt(place_of(&node.time))
        .with_hint("declare WATERMARK FOR the column on its table, and pass it on as it is, not through a regular join")
}
