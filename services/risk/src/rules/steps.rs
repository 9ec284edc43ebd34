//! The other nodes of a graph that do something: expressions and switches.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::expression::{Expression, Scope};
use super::faults::{Faults, Object, RuleError};
use super::output::{OUTPUTS_MAX, Output, collect, write};
use super::parser::{EXPRESSION_CHARS_MAX, Names, expression};
use super::table::{read_hit_policy, read_id};
use super::trace::Trace;
use super::verdict::Collected;

/// Most statements of one switch.
pub(crate) const STATEMENTS_MAX: usize = 40;

/// A node of expressions. Each sees the outputs of the ones above it.
#[derive(Clone, Debug)]
pub(crate) struct Expressions {
    outputs: Vec<Output>,
    /// One for each output.
    list: Vec<Expression>,
}

/// The outputs that the content of a node of expressions declares, with their places.
pub(crate) fn output_names(content: &Object<'_>, faults: &mut Faults) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for part in content.items("expressions", OUTPUTS_MAX, faults) {
        let Some(object) = part.object(&["id", "key", "value"], faults) else { continue };
        if let Some(key) = object.text("key", 100, faults) {
            found.push((key.to_owned(), object.at("key")));
        }
    }
    found
}

impl Expressions {
    pub(crate) fn read(
        content: &Object<'_>,
        outputs: Vec<Output>,
        names: Names<'_>,
        faults: &mut Faults,
    ) -> Option<Self> {
        // Faults of the list itself were reported when its names were read.
        let parts = content.part("expressions")?.items(OUTPUTS_MAX, &mut Faults::default());
        if parts.len() != outputs.len() {
            return None;
        }
        let mut written: BTreeMap<&str, Arc<[usize]>> = names.written.clone();
        let mut list = Vec::new();
        for (part, output) in parts.iter().zip(&outputs) {
            let object = part.open_object(&mut Faults::default())?;
            if let Some(text) = object.text("value", EXPRESSION_CHARS_MAX, faults) {
                let names = Names { written: &written, ..names };
                let compiled = expression(text, names).and_then(|expression| {
                    output.check(&expression)?;
                    Ok(expression)
                });
                list.extend(faults.keep(&object.at("value"), compiled));
            }
            if let Some(slot) = output.slot {
                written.insert(&output.name, Arc::from([slot]));
            }
        }
        drop(written);
        (list.len() == outputs.len()).then_some(Self { outputs, list })
    }

    pub(crate) fn run<'a>(
        &'a self,
        scope: &mut Scope<'a>,
        collected: &mut Collected,
        mut trace: Option<&mut Trace>,
    ) -> Result<(), RuleError> {
        if let Some(trace) = trace.as_deref_mut() {
            inputs(self.list.iter(), scope, trace);
        }
        let mut values = Vec::with_capacity(self.list.len());
        for (output, expression) in self.outputs.iter().zip(&self.list) {
            let value = expression.root.evaluate(scope).and_then(|value| {
                output.role.check(&value)?;
                Ok(value)
            });
            let value = value.map_err(|message| {
                RuleError::new(format!("key `{}`", output.name), &expression.text, message)
            })?;
            write(std::slice::from_ref(output), vec![value.clone()], scope, trace.as_deref_mut());
            values.push(value);
        }
        collect(&self.outputs, &values, collected)
            .map_err(|message| RuleError::new("its outputs", "", message))
    }
}

/// A node that chooses among the edges that leave it.
#[derive(Clone, Debug)]
pub(crate) struct Switch {
    collects: bool,
    statements: Vec<Statement>,
}

#[derive(Clone, Debug)]
struct Statement {
    id: String,
    /// Absent if the statement always holds.
    condition: Option<Expression>,
}

impl Switch {
    pub(crate) fn read(content: &Object<'_>, names: Names<'_>, faults: &mut Faults) -> Option<Self> {
        let collects = read_hit_policy(content, faults)?;
        let mut statements: Vec<Statement> = Vec::new();
        for part in content.items("statements", STATEMENTS_MAX, faults) {
            let Some(object) = part.object(&["id", "condition"], faults) else { continue };
            let Some(id) = read_id(&object, "id", faults) else { continue };
            if statements.iter().any(|statement| statement.id == id) {
                faults.add(object.at("id"), format!("the statement id `{id}` is taken"));
            }
            let text = object.text_or_none("condition", EXPRESSION_CHARS_MAX, faults).unwrap_or_default();
            let condition = match text.trim() {
                "" => None,
                text => faults.keep(&object.at("condition"), expression(text, names)),
            };
            statements.push(Statement { id: id.to_owned(), condition });
        }
        Some(Self { collects, statements })
    }

    /// The number of each statement by its id.
    pub(crate) fn number(&self, id: &str) -> Option<usize> {
        self.statements.iter().position(|statement| statement.id == id)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.statements.iter().map(|statement| statement.id.as_str())
    }

    /// The numbers of the statements that hold.
    pub(crate) fn run<'a>(
        &'a self,
        scope: &mut Scope<'a>,
        mut trace: Option<&mut Trace>,
    ) -> Result<Vec<usize>, RuleError> {
        if let Some(trace) = trace.as_deref_mut() {
            inputs(self.statements.iter().filter_map(|statement| statement.condition.as_ref()), scope, trace);
        }
        let mut chosen = Vec::new();
        for (number, statement) in self.statements.iter().enumerate() {
            let holds = match &statement.condition {
                None => true,
                Some(condition) => condition.root.truth(scope, "a statement").map_err(|message| {
                    RuleError::new(format!("statement `{}`", statement.id), &condition.text, message)
                })?,
            };
            if holds {
                if let Some(trace) = trace.as_deref_mut() {
                    trace.matched(&statement.id);
                }
                chosen.push(number);
                if !self.collects {
                    break;
                }
            }
        }
        if chosen.is_empty() {
            return Err(RuleError::new("its statements", "", "no statement holds".to_owned()));
        }
        Ok(chosen)
    }
}

/// Notes the values that expressions read. Outputs of the same node, which are not there yet, are left out.
fn inputs<'a>(expressions: impl Iterator<Item = &'a Expression>, scope: &mut Scope<'a>, trace: &mut Trace) {
    for (name, read) in expressions.flat_map(|expression| &expression.reads) {
        // A trace costs no steps: with it and without it, the same requests have a verdict.
        let steps = scope.steps;
        if let Ok(value) = read.evaluate(scope) {
            trace.input(name, &value);
        }
        scope.steps = steps;
    }
}
