//! Compiled expressions and their evaluation: no input or output, no loops but over lists, a budget of steps.

use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value as Json;

use super::functions::{Function, bounded, contains, finite};
use super::value::Value;

/// Most steps of one evaluation of a ruleset. One takes about ten nanoseconds.
pub const STEPS_MAX: usize = 1_000_000;

/// An expression with the text that it was compiled from.
#[derive(Clone, Debug)]
pub(crate) struct Expression {
    pub(crate) text: String,
    pub(crate) root: Expr,
    /// The names that the expression reads, for traces.
    pub(crate) reads: Vec<(String, Expr)>,
}

#[derive(Clone, Debug)]
pub(crate) enum Expr {
    Constant(Json),
    /// A declared field of the request, by its number.
    Field(usize),
    /// The level of the score.
    Level,
    /// The name of the policy.
    Policy,
    /// An output of earlier nodes: the slots that may hold it, the latest node first.
    Written {
        name: String,
        slots: Arc<[usize]>,
    },
    /// `$`, the value of the column that a cell tests.
    Subject,
    Member(Box<Expr>, String),
    Index(Box<Expr>, Box<Expr>),
    List(Vec<Expr>),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    All(Vec<Expr>),
    Any(Vec<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    In(Box<Expr>, Box<Expr>),
    Within(Box<Expr>, Box<Range>),
    Choice(Box<[Expr; 3]>),
    Call(Function, Vec<Expr>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    /// `??`: the right side if the left one is null.
    Otherwise,
}

/// The two ends of a range, each inside or outside of it.
#[derive(Clone, Debug)]
pub(crate) struct Range {
    pub(crate) low: Expr,
    pub(crate) low_inside: bool,
    pub(crate) high: Expr,
    pub(crate) high_inside: bool,
}

/// Everything that expressions can see while one request is evaluated.
pub(crate) struct Scope<'a> {
    pub(crate) fields: Vec<Value<'a>>,
    pub(crate) written: Vec<Option<Value<'a>>>,
    pub(crate) level: &'static str,
    pub(crate) policy: &'a str,
    pub(crate) subject: Value<'a>,
    pub(crate) steps: usize,
}

impl Scope<'_> {
    pub(crate) fn spend(&mut self, steps: usize) -> Result<(), String> {
        self.steps += steps;
        if self.steps <= STEPS_MAX {
            return Ok(());
        }
        Err(format!("the evaluation takes more than {STEPS_MAX} steps"))
    }
}

impl Expr {
    pub(crate) fn evaluate<'a>(&'a self, scope: &mut Scope<'a>) -> Result<Value<'a>, String> {
        scope.spend(1)?;
        match self {
            Self::Constant(json) => Ok(Value::of(json)),
            Self::Field(number) => Ok(scope.fields[*number].clone()),
            Self::Level => Ok(Value::Text(scope.level)),
            Self::Policy => Ok(Value::Text(scope.policy)),
            Self::Subject => Ok(scope.subject.clone()),
            Self::Written { name, slots } => {
                scope.spend(slots.len())?;
                let found = slots.iter().find_map(|slot| scope.written[*slot].clone());
                found.ok_or_else(|| format!("no node that writes `{name}` has run"))
            }
            Self::Member(of, name) => member(of.evaluate(scope)?, name),
            Self::Index(of, index) => {
                let (list, index) = (of.evaluate(scope)?, index.evaluate(scope)?);
                element(&list, &index)
            }
            Self::List(items) => {
                let items: Result<Vec<_>, _> =
                    items.iter().map(|item| item.evaluate(scope).and_then(Value::into_item)).collect();
                Ok(Value::List(Rc::new(items?)))
            }
            Self::Not(operand) => Ok(Value::Bool(!operand.truth(scope, "not")?)),
            Self::Negative(operand) => match operand.evaluate(scope)? {
                Value::Number(number) => Ok(Value::Number(-number)),
                other => Err(format!("`-` takes a number, not {}", other.kind())),
            },
            Self::All(operands) => decided(operands, false, "and", scope),
            Self::Any(operands) => decided(operands, true, "or", scope),
            Self::Binary(Operator::Otherwise, left, right) => match left.evaluate(scope)? {
                Value::Null => right.evaluate(scope),
                value => Ok(value),
            },
            Self::Binary(operator, left, right) => {
                let (left, right) = (left.evaluate(scope)?, right.evaluate(scope)?);
                operator.apply(&left, &right, scope)
            }
            Self::In(value, list) => {
                let (value, list) = (value.evaluate(scope)?, list.evaluate(scope)?);
                let Some(len) = list.list_len() else {
                    return Err(format!("`in` takes a list or a range, not {}", list.kind()));
                };
                scope.spend(len + value.steps())?;
                contains(&list, &value).map(Value::Bool)
            }
            Self::Within(value, range) => {
                let value = value.evaluate(scope)?;
                range.holds(&value, scope).map(Value::Bool)
            }
            Self::Choice(parts) => {
                let [condition, then, otherwise] = &**parts;
                if condition.truth(scope, "?")? { then.evaluate(scope) } else { otherwise.evaluate(scope) }
            }
            Self::Call(function, arguments) => call(*function, arguments, scope),
        }
    }

    /// The expression as a condition of this operator.
    pub(crate) fn truth<'a>(&'a self, scope: &mut Scope<'a>, operator: &str) -> Result<bool, String> {
        match self.evaluate(scope)? {
            Value::Bool(truth) => Ok(truth),
            other => Err(format!("`{operator}` takes a boolean, not {}", other.kind())),
        }
    }
}

/// `and` and `or`: the first operand with this truth decides, and the ones behind it are not evaluated.
fn decided<'a>(
    operands: &'a [Expr],
    truth: bool,
    operator: &str,
    scope: &mut Scope<'a>,
) -> Result<Value<'a>, String> {
    for operand in operands {
        if operand.truth(scope, operator)? == truth {
            return Ok(Value::Bool(truth));
        }
    }
    Ok(Value::Bool(!truth))
}

fn call<'a>(function: Function, arguments: &'a [Expr], scope: &mut Scope<'a>) -> Result<Value<'a>, String> {
    let arguments: Result<Vec<_>, _> = arguments.iter().map(|argument| argument.evaluate(scope)).collect();
    let arguments = arguments?;
    for argument in &arguments {
        let size = argument.list_len().or_else(|| argument.text().map(|text| text.len() / 8));
        scope.spend(size.unwrap_or(0))?;
    }
    function.call(&arguments)
}

fn member<'a>(of: Value<'a>, name: &str) -> Result<Value<'a>, String> {
    match of {
        Value::Null => Ok(Value::Null),
        Value::Json(Json::Object(fields)) => Ok(fields.get(name).map_or(Value::Null, Value::of)),
        other => Err(format!("{} has no member `{name}`", other.kind())),
    }
}

fn element<'a>(list: &Value<'a>, index: &Value<'a>) -> Result<Value<'a>, String> {
    let (Some(len), Value::Number(number)) = (list.list_len(), index) else {
        return Err(format!("`[ ]` takes a list and a number, not {} and {}", list.kind(), index.kind()));
    };
    let found =
        (0..len).find(|position| *position as f64 == *number).and_then(|position| list.item(position));
    found.ok_or_else(|| format!("a list of {len} items has no item {number}"))
}

impl Operator {
    pub(crate) fn apply<'a>(
        self,
        left: &Value<'a>,
        right: &Value<'a>,
        scope: &mut Scope<'a>,
    ) -> Result<Value<'a>, String> {
        scope.spend(left.steps())?;
        match self {
            Self::Equal | Self::Unequal => {
                let equal = left.scalar_equal(right).ok_or_else(|| self.mismatch(left, right))?;
                Ok(Value::Bool(equal == (self == Self::Equal)))
            }
            Self::Less | Self::AtMost | Self::Greater | Self::AtLeast => {
                self.orders(left, right).map(Value::Bool)
            }
            _ => match (left, right) {
                (Value::Number(left), Value::Number(right)) => self.calculate(*left, *right),
                _ => match (self, left.text(), right.text()) {
                    (Self::Add, Some(left), Some(right)) => {
                        scope.spend((left.len() + right.len()) / 8)?;
                        Ok(Value::Made(Rc::from(bounded(format!("{left}{right}"))?)))
                    }
                    _ => Err(self.mismatch(left, right)),
                },
            },
        }
    }

    /// Whether two numbers, or two texts, stand in this order.
    pub(crate) fn orders(self, left: &Value<'_>, right: &Value<'_>) -> Result<bool, String> {
        let order = match (left, right) {
            (Value::Number(left), Value::Number(right)) => left.partial_cmp(right),
            _ => match (left.text(), right.text()) {
                (Some(left), Some(right)) => Some(left.cmp(right)),
                _ => None,
            },
        };
        let order = order.ok_or_else(|| self.mismatch(left, right))?;
        Ok(match self {
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::Greater => order.is_gt(),
            _ => order.is_ge(),
        })
    }

    fn calculate<'a>(self, left: f64, right: f64) -> Result<Value<'a>, String> {
        if right == 0.0 && matches!(self, Self::Divide | Self::Remainder) {
            return Err("division by zero".to_owned());
        }
        finite(match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
            _ => left % right,
        })
    }

    fn mismatch(self, left: &Value<'_>, right: &Value<'_>) -> String {
        let takes = match self {
            Self::Equal | Self::Unequal => "scalars",
            Self::Subtract | Self::Multiply | Self::Divide | Self::Remainder => "two numbers",
            _ => "two numbers or two texts",
        };
        format!("`{}` takes {takes}, not {} and {}", self.sign(), left.kind(), right.kind())
    }

    fn sign(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::Unequal => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
            Self::Otherwise => "??",
        }
    }
}

impl Range {
    pub(crate) fn holds<'a>(&'a self, value: &Value<'a>, scope: &mut Scope<'a>) -> Result<bool, String> {
        scope.spend(value.steps())?;
        let (low, high) = (self.low.evaluate(scope)?, self.high.evaluate(scope)?);
        let above = if self.low_inside { Operator::AtLeast } else { Operator::Greater };
        let below = if self.high_inside { Operator::AtMost } else { Operator::Less };
        Ok(above.orders(value, &low)? && below.orders(value, &high)?)
    }
}
