//! Decision tables.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value as Json;

use super::expression::{Expr, Expression, Operator, Scope};
use super::faults::{Faults, Object, Part, RuleError};
use super::functions::contains;
use super::output::{Output, collect, lists, write};
use super::parser::{Names, Test, cell, expression};
use super::trace::Trace;
use super::value::Value;
use super::verdict::Collected;

/// Most rows of all tables of a ruleset together.
pub const ROWS_MAX: usize = 5_000;
/// Most columns of one table whose cells are tests.
pub(crate) const COLUMNS_MAX: usize = 40;
/// Tables with fewer rows are read from the top.
const INDEX_ROWS_MIN: usize = 8;

/// A table, compiled.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    collects: bool,
    columns: Vec<Column>,
    outputs: Vec<Output>,
    rows: Vec<Row>,
    index: Option<Index>,
}

#[derive(Clone, Debug)]
struct Column {
    id: String,
    label: String,
    /// Absent if each cell of the column is a whole condition, or if the expression has a fault.
    subject: Option<Expression>,
    has_subject: bool,
}

#[derive(Clone, Debug)]
struct Row {
    id: String,
    /// The cells that are not empty.
    cells: Vec<Cell>,
    /// One expression for each output; absent where the cell is empty.
    outputs: Vec<Option<Expression>>,
}

#[derive(Clone, Debug)]
struct Cell {
    column: usize,
    text: String,
    tests: Vec<Test>,
}

/// The rows by the texts and numbers that one column of them must equal.
#[derive(Clone, Debug)]
struct Index {
    column: usize,
    texts: HashMap<String, Vec<usize>>,
    numbers: HashMap<u64, Vec<usize>>,
    /// The rows whose cell is empty.
    others: Vec<usize>,
}

/// The outputs that the content of a table declares, with their places.
pub(crate) fn output_names(content: &Object<'_>, faults: &mut Faults) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for part in content.items("outputs", super::output::OUTPUTS_MAX, faults) {
        let Some(object) = part.object(&["id", "name", "field"], faults) else { continue };
        if let Some(field) = object.text("field", 100, faults) {
            found.push((field.to_owned(), object.at("field")));
        }
    }
    found
}

impl Table {
    /// Compiles the content of a table. `rows_left` counts down over all tables.
    pub(crate) fn read(
        content: &Object<'_>,
        outputs: Vec<Output>,
        names: Names<'_>,
        rows_left: &mut usize,
        faults: &mut Faults,
    ) -> Option<Self> {
        let collects = read_hit_policy(content, faults)?;
        let columns = Self::read_columns(content, names, faults);
        let output_ids = ids_of(content, "outputs", faults);
        let mut seen: BTreeSet<&str> = columns.iter().map(|column| column.id.as_str()).collect();
        for (id, pointer) in &output_ids {
            if !seen.insert(id) {
                faults.add(pointer, format!("the column id `{id}` is taken"));
            }
        }
        let parts = content.items("rules", ROWS_MAX, faults);
        if parts.len() > *rows_left {
            faults.add(content.at("rules"), format!("all tables together have at most {ROWS_MAX} rows"));
            return None;
        }
        *rows_left -= parts.len();
        if output_ids.len() != outputs.len() {
            return None;
        }
        let output_ids: Vec<&str> = output_ids.iter().map(|(id, _)| id.as_str()).collect();
        let (mut rows, mut row_ids) = (Vec::new(), BTreeSet::new());
        for part in parts {
            let Some(row) = Row::read(&part, &columns, &output_ids, &outputs, names, faults) else {
                continue;
            };
            if !row_ids.insert(row.id.clone()) {
                faults.add(part.pointer, format!("the row id `{}` is taken", row.id));
            }
            rows.push(row);
        }
        let index = Index::of(&columns, &rows);
        Some(Self { collects, columns, outputs, rows, index })
    }

    fn read_columns(content: &Object<'_>, names: Names<'_>, faults: &mut Faults) -> Vec<Column> {
        let mut columns: Vec<Column> = Vec::new();
        for part in content.items("inputs", COLUMNS_MAX, faults) {
            let Some(object) = part.object(&["id", "name", "field"], faults) else { continue };
            let name = object.text_or_none("name", 200, faults).unwrap_or_default();
            let Some(id) = read_id(&object, "id", faults) else { continue };
            if columns.iter().any(|column| column.id == id) {
                faults.add(object.at("id"), format!("the column id `{id}` is taken"));
            }
            let field =
                object.part("field").and_then(|part| part.text(usize::MAX - 1, faults)).unwrap_or_default();
            let subject = match field {
                "" => None,
                field => faults.keep(&object.at("field"), expression(field, names)),
            };
            let label = if field.is_empty() { name } else { field };
            // The cells of a column whose expression has a fault are tests all the same, and may have faults of their own.
            let has_subject = !field.is_empty();
            columns.push(Column { id: id.to_owned(), label: label.to_owned(), subject, has_subject });
        }
        columns
    }

    pub(crate) fn run<'a>(
        &'a self,
        scope: &mut Scope<'a>,
        collected: &mut Collected,
        mut trace: Option<&mut Trace>,
    ) -> Result<(), RuleError> {
        let mut subjects = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let Some(subject) = &column.subject else {
                subjects.push(Value::Null);
                continue;
            };
            let value = subject.root.evaluate(scope);
            let value = value.map_err(|message| {
                RuleError::new(format!("column `{}`", column.label), &subject.text, message)
            })?;
            if let Some(trace) = trace.as_deref_mut() {
                trace.input(&column.label, &value);
            }
            subjects.push(value);
        }
        let candidates = self.index.as_ref().and_then(|index| index.candidates(&subjects));
        let matched = match candidates {
            Some(candidates) => self.matching(candidates, &subjects, scope)?,
            None => self.matching(0..self.rows.len(), &subjects, scope)?,
        };
        let mut written = Vec::with_capacity(matched.len());
        for row in matched {
            if let Some(trace) = trace.as_deref_mut() {
                trace.matched(&row.id);
            }
            let values = row.values(&self.outputs, scope)?;
            collect(&self.outputs, &values, collected)
                .map_err(|message| row.error("its outputs", "", message))?;
            written.push(values);
        }
        let values = if self.collects {
            lists(&self.outputs, written).map_err(|message| RuleError::new("the outputs", "", message))?
        } else {
            written.pop().unwrap_or_else(|| vec![Value::Null; self.outputs.len()])
        };
        write(&self.outputs, values, scope, trace);
        Ok(())
    }

    fn matching<'a>(
        &'a self,
        candidates: impl Iterator<Item = usize>,
        subjects: &[Value<'a>],
        scope: &mut Scope<'a>,
    ) -> Result<Vec<&'a Row>, RuleError> {
        let mut found = Vec::new();
        for row in candidates.filter_map(|number| self.rows.get(number)) {
            if row.matches(&self.columns, subjects, scope)? {
                found.push(row);
                if !self.collects {
                    break;
                }
            }
        }
        Ok(found)
    }
}

/// Whether a table or a switch takes everything that matches, or only the first.
pub(crate) fn read_hit_policy(content: &Object<'_>, faults: &mut Faults) -> Option<bool> {
    match content.text("hitPolicy", 20, faults)? {
        "first" => Some(false),
        "collect" => Some(true),
        other => {
            faults.add(
                content.at("hitPolicy"),
                format!("`{other}` is no hit policy; there are first and collect"),
            );
            None
        }
    }
}

/// An id, which is short enough to be named in errors and traces.
pub(crate) fn read_id<'j>(object: &Object<'j>, name: &str, faults: &mut Faults) -> Option<&'j str> {
    object.text(name, 100, faults)
}

fn ids_of(content: &Object<'_>, list: &str, faults: &mut Faults) -> Vec<(String, String)> {
    let Some(list) = content.part(list) else { return Vec::new() };
    // Other faults of this list were reported when its names were read.
    let parts = list.items(super::output::OUTPUTS_MAX, &mut Faults::default());
    let objects = parts.iter().filter_map(|part| part.open_object(&mut Faults::default()));
    let ids =
        objects.filter_map(|object| Some((read_id(&object, "id", faults)?.to_owned(), object.at("id"))));
    ids.collect()
}

impl Row {
    fn read(
        part: &Part<'_>,
        columns: &[Column],
        output_ids: &[&str],
        outputs: &[Output],
        names: Names<'_>,
        faults: &mut Faults,
    ) -> Option<Self> {
        let object = part.open_object(faults)?;
        let id = read_id(&object, "_id", faults)?;
        object.text_or_none("_description", 1_000, faults);
        let mut row = Self { id: id.to_owned(), cells: Vec::new(), outputs: vec![None; outputs.len()] };
        for (name, part) in object.parts().filter(|(name, _)| !["_id", "_description"].contains(name)) {
            let Some(text) = part.text(super::parser::EXPRESSION_CHARS_MAX, faults) else { continue };
            let is_empty = text.trim().is_empty();
            if let Some(column) = columns.iter().position(|column| column.id == name) {
                if is_empty {
                    continue;
                }
                let has_subject = columns[column].has_subject;
                if let Some(tests) = faults.keep(&part.pointer, cell(text, names, has_subject)) {
                    row.cells.push(Cell { column, text: text.to_owned(), tests });
                }
            } else if let Some(output) = output_ids.iter().position(|id| *id == name) {
                if is_empty {
                    continue;
                }
                let compiled = expression(text, names).and_then(|expression| {
                    outputs[output].check(&expression)?;
                    Ok(expression)
                });
                row.outputs[output] = faults.keep(&part.pointer, compiled);
            } else {
                faults.add(part.pointer, format!("the table has no column `{name}`"));
            }
        }
        row.cells.sort_by_key(|cell| cell.column);
        Some(row)
    }

    fn matches<'a>(
        &'a self,
        columns: &[Column],
        subjects: &[Value<'a>],
        scope: &mut Scope<'a>,
    ) -> Result<bool, RuleError> {
        scope.spend(1).map_err(|message| self.error("its cells", "", message))?;
        for cell in &self.cells {
            let holds = cell.holds(&subjects[cell.column], scope).map_err(|message| {
                self.error(&format!("column `{}`", columns[cell.column].label), &cell.text, message)
            })?;
            if !holds {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn values<'a>(&'a self, outputs: &[Output], scope: &mut Scope<'a>) -> Result<Vec<Value<'a>>, RuleError> {
        let mut values = Vec::with_capacity(outputs.len());
        for (output, expression) in outputs.iter().zip(&self.outputs) {
            values.push(match expression {
                None => Value::Null,
                Some(expression) => {
                    let value = expression.root.evaluate(scope).and_then(|value| {
                        output.role.check(&value)?;
                        Ok(value)
                    });
                    value.map_err(|message| {
                        self.error(&format!("output `{}`", output.name), &expression.text, message)
                    })?
                }
            });
        }
        Ok(values)
    }

    fn error(&self, place: &str, text: &str, message: String) -> RuleError {
        RuleError::new(format!("row `{}`, {place}", self.id), text, message)
    }
}

impl Cell {
    fn holds<'a>(&'a self, subject: &Value<'a>, scope: &mut Scope<'a>) -> Result<bool, String> {
        for test in &self.tests {
            if holds(test, subject, scope)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether a test holds for the value of its column. Null is neither in a range nor above or below anything.
fn holds<'a>(test: &'a Test, subject: &Value<'a>, scope: &mut Scope<'a>) -> Result<bool, String> {
    scope.subject = subject.clone();
    match test {
        Test::Order(..) | Test::Within(_) if subject.is_null() => Ok(false),
        Test::Order(operator, right) => {
            scope.spend(subject.steps())?;
            operator.orders(subject, &right.evaluate(scope)?)
        }
        Test::Within(range) => range.holds(subject, scope),
        Test::Condition(condition) => condition.truth(scope, "a cell"),
        Test::Equal(right) => {
            let right = right.evaluate(scope)?;
            if let Some(len) = right.list_len() {
                scope.spend(len + subject.steps())?;
                return contains(&right, subject);
            }
            Ok(matches!(Operator::Equal.apply(subject, &right, scope)?, Value::Bool(true)))
        }
    }
}

impl Index {
    /// An index over the column whose cells have the most different values, if that saves anything.
    fn of(columns: &[Column], rows: &[Row]) -> Option<Self> {
        if rows.len() < INDEX_ROWS_MIN {
            return None;
        }
        let indexes = (0..columns.len()).filter_map(|column| Self::over(column, columns, rows));
        let keys = |index: &Self| index.texts.len() + index.numbers.len();
        indexes.filter(|index| keys(index) > 1).max_by_key(keys)
    }

    fn over(column: usize, columns: &[Column], rows: &[Row]) -> Option<Self> {
        columns[column].subject.as_ref()?;
        let mut index = Self { column, texts: HashMap::new(), numbers: HashMap::new(), others: Vec::new() };
        for (number, row) in rows.iter().enumerate() {
            let Some(cell) = row.cells.iter().find(|cell| cell.column == column) else {
                index.others.push(number);
                continue;
            };
            for test in &cell.tests {
                let list = match test {
                    Test::Equal(Expr::Constant(Json::String(text))) => {
                        index.texts.entry(text.clone()).or_default()
                    }
                    Test::Equal(Expr::Constant(Json::Number(key))) => {
                        index.numbers.entry(bits(key.as_f64()?)).or_default()
                    }
                    _ => return None,
                };
                if list.last() != Some(&number) {
                    list.push(number);
                }
            }
        }
        Some(index)
    }

    /// The rows that may match, in order. `None` if the value is none that the index is about.
    fn candidates<'i>(&'i self, subjects: &[Value<'_>]) -> Option<Candidates<'i>> {
        let equal = match &subjects[self.column] {
            Value::Number(number) => self.numbers.get(&bits(*number)),
            Value::Null | Value::Bool(_) => None,
            subject => self.texts.get(subject.text()?),
        };
        Some(Candidates { equal: equal.map_or(&[], Vec::as_slice), others: &self.others })
    }
}

/// The bits of a number, alike for both zeros.
fn bits(number: f64) -> u64 {
    if number == 0.0 { 0 } else { number.to_bits() }
}

/// Two ascending lists of rows as one.
struct Candidates<'i> {
    equal: &'i [usize],
    others: &'i [usize],
}

impl Iterator for Candidates<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let from_equal = match (self.equal.first(), self.others.first()) {
            (Some(equal), Some(other)) => equal < other,
            (equal, _) => equal.is_some(),
        };
        let list = if from_equal { &mut self.equal } else { &mut self.others };
        let (first, rest) = list.split_first()?;
        *list = rest;
        Some(*first)
    }
}
