//! Graphs: their reading with all checks, and their evaluation in one order that never changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::expression::Scope;
use super::faults::{Faults, Object, Part, RuleError};
use super::fields::Fields;
use super::output::Output;
use super::parser::Names;
use super::shape::Shape;
use super::steps::{Expressions, Switch};
use super::table::{ROWS_MAX, Table, read_id};
use super::trace::Trace;
use super::verdict::{Collected, Decision, Role};
use super::{steps, table};

/// Most nodes of a ruleset.
pub const NODES_MAX: usize = 200;
/// Most edges of a ruleset.
pub(crate) const EDGES_MAX: usize = 1_000;

const INPUT: &str = "inputNode";
const OUTPUT: &str = "outputNode";
const TABLE: &str = "decisionTableNode";
const EXPRESSIONS: &str = "expressionNode";
const SWITCH: &str = "switchNode";
const KINDS: [&str; 5] = [INPUT, TABLE, EXPRESSIONS, SWITCH, OUTPUT];

/// The nodes of a ruleset in the order in which they run.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    nodes: Vec<Node>,
    edges: usize,
    slots: usize,
}

#[derive(Clone, Debug)]
struct Node {
    id: String,
    name: String,
    kind: &'static str,
    work: Work,
    incoming: Vec<usize>,
    /// The edges that leave the node, each with the number of its statement if the node is a switch.
    outgoing: Vec<(usize, Option<usize>)>,
}

#[derive(Clone, Debug)]
enum Work {
    Input,
    Table(Table),
    Expressions(Expressions),
    Switch(Switch),
    Output,
}

/// A node as it stands in the document.
struct Draft<'j> {
    id: &'j str,
    name: &'j str,
    kind: &'static str,
    pointer: String,
    content: Option<Object<'j>>,
    outputs: Vec<Output>,
}

struct Edge<'j> {
    from: usize,
    to: usize,
    handle: Option<&'j str>,
    pointer: String,
}

impl Graph {
    /// Reads nodes and edges. The fields are those that the input node declares.
    pub(crate) fn read(root: &Object<'_>, faults: &mut Faults) -> Option<(Self, Fields)> {
        let mut drafts = read_drafts(root, faults);
        let input = drafts.iter().find(|draft| draft.kind == INPUT).and_then(|draft| draft.content.as_ref());
        let fields = input.map_or_else(Fields::new, |content| Fields::read(content, faults));
        let slots = name_outputs(&mut drafts, &fields, faults);
        let edges = read_edges(root, &drafts, faults);
        let shape = Shape::new(drafts.len(), edges.iter().map(|edge| (edge.from, edge.to)));
        let order = check_shape(root, &drafts, &edges, &shape, faults);
        let mut nodes = Vec::with_capacity(order.len());
        let mut rows_left = ROWS_MAX;
        for number in &order {
            nodes.extend(compile(*number, &drafts, &edges, &shape, &order, &fields, &mut rows_left, faults));
        }
        // Nodes on cycles have no order; their expressions are checked all the same.
        for number in (0..drafts.len()).filter(|number| !order.contains(number)) {
            compile(number, &drafts, &edges, &shape, &order, &fields, &mut rows_left, faults);
        }
        Some((Self { nodes, edges: edges.len(), slots }, fields))
    }

    pub(crate) fn slots(&self) -> usize {
        self.slots
    }

    /// The id of the input node, for errors about the request.
    pub(crate) fn input_id(&self) -> &str {
        self.nodes.first().map_or("", |node| &node.id)
    }

    pub(crate) fn run<'a>(
        &'a self,
        scope: &mut Scope<'a>,
        mut trace: Option<&mut Trace>,
    ) -> Result<(Decision, Collected), RuleError> {
        let mut collected = Collected::default();
        let mut open = vec![false; self.edges];
        let mut last = self.input_id();
        for node in &self.nodes {
            if !matches!(node.work, Work::Input) && !node.incoming.iter().any(|edge| open[*edge]) {
                continue;
            }
            last = &node.id;
            if let Some(trace) = trace.as_deref_mut() {
                trace.begin(&node.id, &node.name, node.kind);
            }
            let trace = trace.as_deref_mut();
            let chosen = match &node.work {
                Work::Input | Work::Output => Ok(None),
                Work::Table(table) => table.run(scope, &mut collected, trace).map(|()| None),
                Work::Expressions(list) => list.run(scope, &mut collected, trace).map(|()| None),
                Work::Switch(switch) => switch.run(scope, trace).map(Some),
            };
            let chosen = chosen.map_err(|error| RuleError { node: node.id.clone(), ..error })?;
            for (edge, statement) in &node.outgoing {
                open[*edge] = match (&chosen, statement) {
                    (Some(chosen), Some(statement)) => chosen.contains(statement),
                    _ => true,
                };
            }
        }
        let Some(decision) = collected.decision else {
            let error = RuleError::new("the end", "", "no node has written a decision".to_owned());
            return Err(RuleError { node: last.to_owned(), ..error });
        };
        collected.order();
        Ok((decision, collected))
    }
}

fn read_drafts<'j>(root: &Object<'j>, faults: &mut Faults) -> Vec<Draft<'j>> {
    let mut drafts: Vec<Draft<'_>> = Vec::new();
    for part in root.items("nodes", NODES_MAX, faults) {
        let Some(draft) = read_draft(&part, faults) else { continue };
        if drafts.iter().any(|other| other.id == draft.id) {
            faults.add(format!("{}/id", part.pointer), format!("the node id `{}` is taken", draft.id));
        }
        drafts.push(draft);
    }
    for kind in [INPUT, OUTPUT] {
        let count = drafts.iter().filter(|draft| draft.kind == kind).count();
        if count != 1 {
            faults.add(root.at("nodes"), format!("a ruleset has one {kind}, not {count}"));
        }
    }
    drafts
}

fn read_draft<'j>(part: &Part<'j>, faults: &mut Faults) -> Option<Draft<'j>> {
    let object = part.object(&["id", "type", "name", "description", "position", "content"], faults)?;
    let name = object.text_or_none("name", 200, faults).unwrap_or_default();
    object.text_or_none("description", 2_000, faults);
    // The place of the node on an editor's page.
    object.part("position").and_then(|part| part.object(&["x", "y"], faults));
    let id = read_id(&object, "id", faults);
    let kind = object.text("type", 100, faults)?;
    let Some(kind) = KINDS.into_iter().find(|known| *known == kind) else {
        let known = KINDS.join(", ");
        faults.add(object.at("type"), format!("`{kind}` is no kind of node; the kinds are {known}"));
        return None;
    };
    let known: &[&str] = match kind {
        INPUT => &["fields"],
        TABLE => &["hitPolicy", "inputs", "outputs", "rules"],
        EXPRESSIONS => &["expressions"],
        SWITCH => &["hitPolicy", "statements"],
        _ => &[],
    };
    let content = match kind {
        OUTPUT => object.part("content"),
        _ => object.needed("content", faults),
    };
    let content = content.and_then(|part| part.object(known, faults));
    Some(Draft { id: id?, name, kind, pointer: part.pointer.clone(), content, outputs: Vec::new() })
}

/// Names the outputs of all nodes; the number of slots that they need.
fn name_outputs(drafts: &mut [Draft<'_>], fields: &Fields, faults: &mut Faults) -> usize {
    let mut slots = 0;
    for draft in drafts {
        let Some(content) = &draft.content else { continue };
        let names = match draft.kind {
            TABLE => table::output_names(content, faults),
            EXPRESSIONS => steps::output_names(content, faults),
            _ => continue,
        };
        draft.outputs = Output::read(&names, fields, &mut slots, faults);
    }
    slots
}

fn read_edges<'j>(root: &Object<'j>, drafts: &[Draft<'_>], faults: &mut Faults) -> Vec<Edge<'j>> {
    let (mut edges, mut ids): (Vec<Edge<'_>>, Vec<&str>) = (Vec::new(), Vec::new());
    for part in root.items("edges", EDGES_MAX, faults) {
        let known = ["id", "type", "name", "sourceId", "targetId", "sourceHandle"];
        let Some(object) = part.object(&known, faults) else { continue };
        for name in ["type", "name"] {
            object.text_or_none(name, 200, faults);
        }
        if let Some(id) = object.text_or_none("id", 100, faults) {
            if ids.contains(&id) {
                faults.add(object.at("id"), format!("the edge id `{id}` is taken"));
            }
            ids.push(id);
        }
        let handle = object.text_or_none("sourceHandle", 100, faults);
        let mut end = |name: &str, forbidden: &str| {
            let id = read_id(&object, name, faults)?;
            let node = drafts.iter().position(|draft| draft.id == id);
            match node {
                None => faults.add(object.at(name), format!("there is no node `{id}`")),
                Some(node) if drafts[node].kind == forbidden => {
                    faults.add(object.at(name), format!("no edge has this end at an {forbidden}"));
                }
                Some(_) => {}
            }
            node
        };
        let (from, to) = (end("sourceId", OUTPUT), end("targetId", INPUT));
        if let (Some(from), Some(to)) = (from, to) {
            if edges.iter().any(|edge| edge.from == from && edge.to == to && edge.handle == handle) {
                faults.add(part.pointer.as_str(), "the same edge is there already");
            }
            edges.push(Edge { from, to, handle, pointer: part.pointer });
        }
    }
    edges
}

/// Checks cycles, reachability and the decision; the order in which the nodes run.
fn check_shape(
    root: &Object<'_>,
    drafts: &[Draft<'_>],
    edges: &[Edge<'_>],
    shape: &Shape,
    faults: &mut Faults,
) -> Vec<usize> {
    let order = shape.order();
    for (number, draft) in drafts.iter().enumerate() {
        if shape.leading_to(number)[number] {
            faults.add(draft.pointer.as_str(), format!("node `{}` is on a cycle", draft.id));
        }
    }
    let node = |kind: &str| drafts.iter().position(|draft| draft.kind == kind);
    if let (Some(input), Some(output)) = (node(INPUT), node(OUTPUT)) {
        let (reached, leading) = (shape.reached_from(input), shape.leading_to(output));
        for (number, draft) in drafts.iter().enumerate() {
            if number != input && !reached[number] {
                faults.add(
                    draft.pointer.as_str(),
                    format!("node `{}` cannot be reached from the input", draft.id),
                );
            }
            if number != output && !leading[number] {
                faults
                    .add(draft.pointer.as_str(), format!("node `{}` does not lead to the output", draft.id));
            }
        }
    }
    for edge in edges.iter().filter(|edge| drafts[edge.from].kind != SWITCH && edge.handle.is_some()) {
        faults.add(
            format!("{}/sourceHandle", edge.pointer),
            "only edges that leave a switch have a sourceHandle",
        );
    }
    let decides = |draft: &Draft<'_>| draft.outputs.iter().any(|output| output.role == Role::Decision);
    if !drafts.iter().any(decides) {
        faults.add(root.at("nodes"), "no node has an output `decision`");
    }
    order
}

#[expect(clippy::too_many_arguments, reason = "one call site; a struct would only rename them")]
fn compile(
    number: usize,
    drafts: &[Draft<'_>],
    edges: &[Edge<'_>],
    shape: &Shape,
    order: &[usize],
    fields: &Fields,
    rows_left: &mut usize,
    faults: &mut Faults,
) -> Option<Node> {
    let draft = &drafts[number];
    let written = written_before(number, drafts, shape, order);
    let names = Names { fields, written: &written };
    let content = draft.content.as_ref();
    let work = match draft.kind {
        INPUT => Some(Work::Input),
        TABLE => Table::read(content?, draft.outputs.clone(), names, rows_left, faults).map(Work::Table),
        EXPRESSIONS => {
            Expressions::read(content?, draft.outputs.clone(), names, faults).map(Work::Expressions)
        }
        SWITCH => Switch::read(content?, names, faults).map(Work::Switch),
        _ => Some(Work::Output),
    };
    let leaving = edges.iter().enumerate().filter(|(_, edge)| edge.from == number);
    let outgoing = match &work {
        Some(Work::Switch(switch)) => leaving_switch(switch, leaving, &draft.pointer, faults),
        _ => leaving.map(|(edge, _)| (edge, None)).collect(),
    };
    let incoming =
        edges.iter().enumerate().filter(|(_, edge)| edge.to == number).map(|(edge, _)| edge).collect();
    let (id, name) = (draft.id.to_owned(), draft.name.to_owned());
    Some(Node { id, name, kind: draft.kind, work: work?, incoming, outgoing })
}

/// The edges that leave a switch, each with its statement.
fn leaving_switch<'e>(
    switch: &Switch,
    leaving: impl Iterator<Item = (usize, &'e Edge<'e>)>,
    pointer: &str,
    faults: &mut Faults,
) -> Vec<(usize, Option<usize>)> {
    let mut found = Vec::new();
    for (edge, Edge { handle, pointer, .. }) in leaving {
        let statement = handle.and_then(|handle| switch.number(handle));
        if statement.is_none() {
            faults.add(
                format!("{pointer}/sourceHandle"),
                "an edge that leaves a switch names one of its statements",
            );
        }
        found.push((edge, statement));
    }
    for (number, id) in switch.ids().enumerate() {
        if !found.iter().any(|(_, statement)| *statement == Some(number)) {
            faults.add(
                format!("{pointer}/content/statements/{number}"),
                format!("no edge leaves statement `{id}`"),
            );
        }
    }
    found
}

/// The outputs that a node can read: those of all nodes that lead to it, the latest first.
fn written_before<'d>(
    number: usize,
    drafts: &'d [Draft<'_>],
    shape: &Shape,
    order: &[usize],
) -> BTreeMap<&'d str, Arc<[usize]>> {
    let leading = shape.leading_to(number);
    let mut found: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for before in order.iter().rev().filter(|before| leading[**before] && **before != number) {
        for output in &drafts[*before].outputs {
            if let Some(slot) = output.slot {
                found.entry(&output.name).or_default().push(slot);
            }
        }
    }
    found.into_iter().map(|(name, slots)| (name, Arc::from(slots))).collect()
}
