//! The trace of one evaluation: each node that ran, in order, with its inputs and outputs.

use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::value::Value;

/// Most bytes of the names and values in one trace. Long texts and lists are shortened as well.
pub(crate) const TRACE_BYTES_MAX: usize = 64 * 1024;
/// Most rows that are named for one table.
pub(crate) const TRACE_ROWS_MAX: usize = 50;

/// How a verdict came about.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Trace {
    /// The nodes that ran, in the order in which they ran.
    pub nodes: Vec<NodeTrace>,
    /// Whether values were left out because the trace had become too large.
    pub truncated: bool,
    #[serde(skip)]
    bytes: usize,
}

/// One node of a trace.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NodeTrace {
    /// The id of the node.
    pub id: String,
    /// The name of the node; empty if it has none.
    pub name: String,
    /// The kind of the node, such as `decisionTableNode`.
    pub kind: String,
    /// The values that the node read, by the text of the expression.
    pub inputs: Map<String, Json>,
    /// The values that the node wrote, by their names; of a table that collects, a list for each name.
    pub outputs: Map<String, Json>,
    /// The ids of the rows of a table, or of the statements of a switch, that matched.
    pub matched: Vec<String>,
}

impl Trace {
    /// Begins the entry of a node.
    pub(crate) fn begin(&mut self, id: &str, name: &str, kind: &str) {
        let (id, name, kind) = (id.to_owned(), name.to_owned(), kind.to_owned());
        self.nodes.push(NodeTrace { id, name, kind, ..NodeTrace::default() });
    }

    pub(crate) fn input(&mut self, name: &str, value: &Value<'_>) {
        let value = value.excerpt();
        if let Some(node) = self.room(name.len() + bytes(&value)) {
            node.inputs.insert(name.to_owned(), value);
        }
    }

    pub(crate) fn output(&mut self, name: &str, value: &Value<'_>) {
        let value = value.excerpt();
        if let Some(node) = self.room(name.len() + bytes(&value)) {
            node.outputs.insert(name.to_owned(), value);
        }
    }

    pub(crate) fn matched(&mut self, id: &str) {
        if self.nodes.last().is_some_and(|node| node.matched.len() >= TRACE_ROWS_MAX) {
            self.truncated = true;
        } else if let Some(node) = self.room(id.len()) {
            node.matched.push(id.to_owned());
        }
    }

    /// The node under way, if the trace has room for so many bytes more.
    fn room(&mut self, bytes: usize) -> Option<&mut NodeTrace> {
        if self.bytes + bytes > TRACE_BYTES_MAX {
            self.truncated = true;
            return None;
        }
        self.bytes += bytes;
        self.nodes.last_mut()
    }
}

/// About as many bytes as a shortened value takes.
fn bytes(value: &Json) -> usize {
    match value {
        Json::String(text) => text.len(),
        Json::Array(items) => items.iter().map(bytes).sum(),
        _ => 8,
    }
}
