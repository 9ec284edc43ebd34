//! The named outputs of a node: where later nodes find them, and their part in the verdict.

use std::rc::Rc;

use serde_json::Value as Json;

use super::expression::{Expr, Expression, Scope};
use super::faults::Faults;
use super::fields::Fields;
use super::lexer::is_name;
use super::trace::Trace;
use super::value::Value;
use super::verdict::{Collected, Role};

/// Most outputs of one node.
pub(crate) const OUTPUTS_MAX: usize = 40;

/// One output of a node.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    pub(crate) name: String,
    pub(crate) role: Role,
    /// The place in [`Scope::written`], if later nodes can read the output.
    pub(crate) slot: Option<usize>,
}

impl Output {
    /// Reads the names of the outputs of one node, which stand at these places, and gives each a slot.
    pub(crate) fn read(
        names: &[(String, String)],
        fields: &Fields,
        slots: &mut usize,
        faults: &mut Faults,
    ) -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        for (name, pointer) in names {
            let role = Role::of(name);
            if !role.is_of_reason() && !is_name(name) {
                faults.add(pointer, format!("`{name}` is no name of an output"));
            } else if fields.is_root(name) {
                faults.add(
                    pointer,
                    format!("`{name}` is a field of the request, and rules do not change the request"),
                );
            } else if found.iter().any(|output| output.name == *name) {
                faults.add(pointer, format!("this node has an output `{name}` already"));
            }
            let slot = (!role.is_of_reason()).then_some(*slots);
            *slots += usize::from(slot.is_some());
            found.push(Self { name: name.clone(), role, slot });
        }
        let reason = found.iter().filter(|output| output.role.is_of_reason()).count();
        if let (1 | 2, Some((_, pointer))) = (reason, names.first()) {
            faults
                .add(pointer, "a reason needs the three outputs reason.code, reason.text and reason.weight");
        }
        found
    }

    /// Checks an expression of this output as far as that is possible without a request.
    pub(crate) fn check(&self, expression: &Expression) -> Result<(), String> {
        match &expression.root {
            Expr::Constant(json @ (Json::Array(_) | Json::Object(_))) if self.role != Role::Plain => {
                self.role.check(&Value::of(json))
            }
            Expr::Constant(json) => self.role.check(&Value::of(json)),
            _ => Ok(()),
        }
    }
}

/// Hands the values of one row, or of one node of expressions, to the verdict. The names are those of `outputs`.
pub(crate) fn collect<'a>(
    outputs: &[Output],
    values: &[Value<'a>],
    collected: &mut Collected,
) -> Result<(), String> {
    collected.take(outputs.iter().map(|output| output.role).zip(values))
}

/// Writes the values of one row for later nodes.
pub(crate) fn write<'a>(
    outputs: &[Output],
    values: Vec<Value<'a>>,
    scope: &mut Scope<'a>,
    trace: Option<&mut Trace>,
) {
    if let Some(trace) = trace {
        for (output, value) in outputs.iter().zip(&values) {
            trace.output(&output.name, value);
        }
    }
    for (output, value) in outputs.iter().zip(values) {
        if let Some(slot) = output.slot {
            scope.written[slot] = Some(value);
        }
    }
}

/// Most tables match nothing most of the time, and then nothing is allocated.
static EMPTY: Json = Json::Array(Vec::new());

/// The values of many rows as one list for each output. Nulls are left out.
pub(crate) fn lists<'a>(outputs: &[Output], rows: Vec<Vec<Value<'a>>>) -> Result<Vec<Value<'a>>, String> {
    let mut lists: Vec<Vec<Value<'a>>> = vec![Vec::new(); outputs.len()];
    for row in rows {
        for (list, value) in lists.iter_mut().zip(row).filter(|(_, value)| !value.is_null()) {
            list.push(value.into_item()?);
        }
    }
    let list =
        |list: Vec<Value<'a>>| if list.is_empty() { Value::Json(&EMPTY) } else { Value::List(Rc::new(list)) };
    Ok(lists.into_iter().map(list).collect())
}
