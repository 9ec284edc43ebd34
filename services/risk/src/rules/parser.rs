//! The grammar of expressions: a Pratt parser that resolves every name while it reads.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;

use super::expression::{Expr, Expression, Operator, Range};
use super::fields::Fields;
use super::functions::Function;
use super::lexer::{Token, TokenKind, place, tokens};

/// Longest expression or cell, in characters.
pub const EXPRESSION_CHARS_MAX: usize = 2_000;
/// How deep an expression may be nested.
pub(crate) const EXPRESSION_DEPTH_MAX: usize = 64;

/// The names that an expression may read.
#[derive(Clone, Copy)]
pub(crate) struct Names<'n> {
    pub(crate) fields: &'n Fields,
    /// The slots of outputs of earlier nodes, the latest first.
    pub(crate) written: &'n BTreeMap<&'n str, Arc<[usize]>>,
}

/// One alternative of a cell.
#[derive(Clone, Debug)]
pub(crate) enum Test {
    /// `> 0.7`
    Order(Operator, Expr),
    /// `[0..5)`
    Within(Range),
    /// `"CH"`
    Equal(Expr),
    /// An expression with `$`, or the cell of a column without an expression.
    Condition(Expr),
}

/// Compiles an expression.
pub(crate) fn expression(text: &str, names: Names<'_>) -> Result<Expression, String> {
    let mut parser = Parser::new(text, names, false)?;
    let (root, _) = parser.binary(0)?;
    parser.end()?;
    Ok(Expression { text: text.to_owned(), root, reads: parser.reads })
}

/// Compiles the cell of a column. `has_subject` says whether the column has an expression whose value `$` is.
pub(crate) fn cell(text: &str, names: Names<'_>, has_subject: bool) -> Result<Vec<Test>, String> {
    let mut parser = Parser::new(text, names, has_subject)?;
    let mut tests = Vec::new();
    loop {
        tests.push(if has_subject { parser.test()? } else { Test::Condition(parser.binary(0)?.0) });
        if !has_subject || !parser.take(",") {
            parser.end()?;
            return Ok(tests);
        }
    }
}

struct Parser<'n> {
    text: &'n str,
    tokens: Vec<Token>,
    next: usize,
    names: Names<'n>,
    /// Whether `$` has a meaning here.
    has_subject: bool,
    saw_subject: bool,
    nested: usize,
    reads: Vec<(String, Expr)>,
}

/// An expression and how deep it is.
type Deep = (Expr, usize);

/// An infix operator and how strongly it binds.
enum Infix {
    All,
    Any,
    Choice,
    In { not: bool },
    Binary(Operator),
}

impl<'n> Parser<'n> {
    fn new(text: &'n str, names: Names<'n>, has_subject: bool) -> Result<Self, String> {
        if text.chars().nth(EXPRESSION_CHARS_MAX).is_some() {
            return Err(format!("an expression has at most {EXPRESSION_CHARS_MAX} characters"));
        }
        let (tokens, reads) = (tokens(text)?, Vec::new());
        Ok(Self { text, tokens, next: 0, names, has_subject, saw_subject: false, nested: 0, reads })
    }

    fn test(&mut self) -> Result<Test, String> {
        for (sign, operator) in ORDERS {
            if self.take(sign) {
                return Ok(Test::Order(operator, self.binary(POWER_SUM)?.0));
            }
        }
        for (sign, operator) in [("==", Operator::Equal), ("!=", Operator::Unequal)] {
            if self.take(sign) {
                let right = self.binary(POWER_SUM)?.0;
                return Ok(Test::Condition(Expr::Binary(operator, Box::new(Expr::Subject), Box::new(right))));
            }
        }
        let not =
            self.peek_word("not") && self.tokens.get(self.next + 1).is_some_and(|token| token.is_word("in"));
        if not || self.peek_word("in") {
            self.next += 1 + usize::from(not);
            let inside = self.within((Expr::Subject, 1))?.0;
            return Ok(Test::Condition(if not { Expr::Not(Box::new(inside)) } else { inside }));
        }
        if self.peek("[") || self.peek("(") {
            let before = self.next;
            if let Some((range, _)) = self.range()? {
                return Ok(Test::Within(range));
            }
            self.next = before;
        }
        self.saw_subject = false;
        let (expr, _) = self.binary(0)?;
        Ok(if self.saw_subject { Test::Condition(expr) } else { Test::Equal(expr) })
    }

    fn binary(&mut self, least: u8) -> Result<Deep, String> {
        self.nested += 1;
        if self.nested > EXPRESSION_DEPTH_MAX {
            return Err(too_deep());
        }
        let mut left = self.prefix()?;
        while let Some((infix, power)) = self.infix().filter(|(_, power)| *power >= least) {
            self.next += 1;
            left = self.infix_of(left, infix, power)?;
        }
        self.nested -= 1;
        Ok(left)
    }

    fn infix(&self) -> Option<(Infix, u8)> {
        let token = self.tokens.get(self.next)?;
        let orders = ORDERS.iter().find(|(sign, _)| token.is_sign(sign));
        if let Some((_, operator)) = orders {
            return Some((Infix::Binary(*operator), POWER_ORDER));
        }
        let (infix, power) = match &token.kind {
            TokenKind::Sign("?") => (Infix::Choice, 1),
            TokenKind::Sign("??") => (Infix::Binary(Operator::Otherwise), 2),
            TokenKind::Sign("||") => (Infix::Any, 3),
            TokenKind::Sign("&&") => (Infix::All, 4),
            TokenKind::Sign("==") => (Infix::Binary(Operator::Equal), POWER_ORDER),
            TokenKind::Sign("!=") => (Infix::Binary(Operator::Unequal), POWER_ORDER),
            TokenKind::Sign("+") => (Infix::Binary(Operator::Add), POWER_SUM),
            TokenKind::Sign("-") => (Infix::Binary(Operator::Subtract), POWER_SUM),
            TokenKind::Sign("*") => (Infix::Binary(Operator::Multiply), POWER_PRODUCT),
            TokenKind::Sign("/") => (Infix::Binary(Operator::Divide), POWER_PRODUCT),
            TokenKind::Sign("%") => (Infix::Binary(Operator::Remainder), POWER_PRODUCT),
            TokenKind::Word(word) => match word.as_str() {
                "or" => (Infix::Any, 3),
                "and" => (Infix::All, 4),
                "in" => (Infix::In { not: false }, POWER_ORDER),
                "not" => (Infix::In { not: true }, POWER_ORDER),
                _ => return None,
            },
            _ => return None,
        };
        Some((infix, power))
    }

    fn infix_of(&mut self, left: Deep, infix: Infix, power: u8) -> Result<Deep, String> {
        match infix {
            Infix::Choice => {
                let then = self.binary(0)?;
                self.expect(":")?;
                let otherwise = self.binary(1)?;
                let depth = left.1.max(then.1).max(otherwise.1);
                deeper(Expr::Choice(Box::new([left.0, then.0, otherwise.0])), depth)
            }
            Infix::In { not } => {
                if not {
                    if !self.peek_word("in") {
                        return Err(self.unexpected("`in`"));
                    }
                    self.next += 1;
                }
                let (inside, depth) = self.within(left)?;
                if not { deeper(Expr::Not(Box::new(inside)), depth) } else { Ok((inside, depth)) }
            }
            Infix::All | Infix::Any => {
                let right = self.binary(power + 1)?;
                let depth = left.1.max(right.1 + 1);
                // A long chain is one list of operands, and so no deeper than a short one.
                Ok(match (left.0, &infix) {
                    (Expr::All(operands), Infix::All) => (Expr::All(with(operands, right.0)), depth),
                    (Expr::Any(operands), Infix::Any) => (Expr::Any(with(operands, right.0)), depth),
                    (first, Infix::All) => deeper(Expr::All(vec![first, right.0]), depth)?,
                    (first, _) => deeper(Expr::Any(vec![first, right.0]), depth)?,
                })
            }
            Infix::Binary(operator) => {
                let right = self.binary(power + 1)?;
                let depth = left.1.max(right.1);
                deeper(Expr::Binary(operator, Box::new(left.0), Box::new(right.0)), depth)
            }
        }
    }

    /// The right side of `in`: a range or a list.
    fn within(&mut self, value: Deep) -> Result<Deep, String> {
        let before = self.next;
        if let Some((range, depth)) = self.range()? {
            return deeper(Expr::Within(Box::new(value.0), Box::new(range)), depth.max(value.1));
        }
        self.next = before;
        let (list, depth) = self.binary(POWER_SUM)?;
        deeper(Expr::In(Box::new(value.0), Box::new(list)), depth.max(value.1))
    }

    /// A range, if one begins here. Otherwise the caller goes back.
    fn range(&mut self) -> Result<Option<(Range, usize)>, String> {
        let low_inside = self.take("[");
        if !low_inside && !self.take("(") {
            return Ok(None);
        }
        // Only the dots tell a range from a list. They are looked for first, so that nothing is parsed twice.
        if !self.dots_before_the_end() {
            return Ok(None);
        }
        let low = self.binary(POWER_SUM)?;
        self.expect("..")?;
        let high = self.binary(POWER_SUM)?;
        let high_inside = self.take("]");
        if !high_inside {
            self.expect(")")?;
        }
        let depth = low.1.max(high.1);
        Ok(Some((Range { low: low.0, low_inside, high: high.0, high_inside }, depth)))
    }

    /// Whether the bracket that was just read closes only after two dots.
    fn dots_before_the_end(&self) -> bool {
        let mut open = 0_usize;
        for token in &self.tokens[self.next..] {
            match token.kind {
                TokenKind::Sign("..") if open == 0 => return true,
                TokenKind::Sign(")" | "]") if open == 0 => return false,
                TokenKind::Sign(")" | "]") => open -= 1,
                TokenKind::Sign("(" | "[") => open += 1,
                _ => {}
            }
        }
        false
    }

    fn prefix(&mut self) -> Result<Deep, String> {
        let Some(token) = self.tokens.get(self.next).cloned() else { return Err(self.unexpected("a value")) };
        self.next += 1;
        let found = match token.kind {
            TokenKind::Number(number) => (Expr::Constant(Json::from(number)), 1),
            TokenKind::Text(text) => (Expr::Constant(Json::from(text)), 1),
            TokenKind::Sign("$") if self.has_subject => {
                self.saw_subject = true;
                (Expr::Subject, 1)
            }
            TokenKind::Sign("$") => {
                return Err("`$` is the value of a column, and only its cells have it".to_owned());
            }
            TokenKind::Sign("-") => match self.binary(POWER_PRODUCT + 1)? {
                (Expr::Constant(Json::Number(number)), _) => {
                    (Expr::Constant(Json::from(-number.as_f64().unwrap_or_default())), 1)
                }
                (operand, depth) => deeper(Expr::Negative(Box::new(operand)), depth)?,
            },
            TokenKind::Sign("!") => {
                let (operand, depth) = self.binary(POWER_PRODUCT + 1)?;
                deeper(Expr::Not(Box::new(operand)), depth)?
            }
            TokenKind::Sign("(") => {
                let inside = self.binary(0)?;
                self.expect(")")?;
                inside
            }
            TokenKind::Sign("[") => list_of(self.items("]")?)?,
            TokenKind::Word(word) => self.word(&word)?,
            TokenKind::Sign(_) => {
                self.next -= 1;
                return Err(self.unexpected("a value"));
            }
        };
        self.postfix(found)
    }

    fn word(&mut self, word: &str) -> Result<Deep, String> {
        match word {
            "true" => Ok((Expr::Constant(Json::from(true)), 1)),
            "false" => Ok((Expr::Constant(Json::from(false)), 1)),
            "null" => Ok((Expr::Constant(Json::Null), 1)),
            "not" => {
                let (operand, depth) = self.binary(POWER_ORDER)?;
                deeper(Expr::Not(Box::new(operand)), depth)
            }
            "and" | "or" | "in" => {
                self.next -= 1;
                Err(self.unexpected("a value"))
            }
            _ if self.take("(") => {
                let arguments = self.items(")")?;
                let function = Function::named(word, arguments.len())?;
                let depth = arguments.iter().map(|argument| argument.1).max().unwrap_or(0);
                deeper(
                    Expr::Call(function, arguments.into_iter().map(|argument| argument.0).collect()),
                    depth,
                )
            }
            _ => self.name(word),
        }
    }

    /// A name with the members that belong to it, such as `velocity.last_hour`.
    fn name(&mut self, first: &str) -> Result<Deep, String> {
        let mut path = first.to_owned();
        let mut ends = vec![(path.len(), self.next)];
        while self.peek(".") {
            let Some(TokenKind::Word(word)) = self.tokens.get(self.next + 1).map(|token| &token.kind) else {
                break;
            };
            path = format!("{path}.{word}");
            self.next += 2;
            ends.push((path.len(), self.next));
        }
        // The longest declared beginning is the field; the words behind it are members of its value.
        for (end, next) in ends.iter().rev() {
            let leaf = match &path[..*end] {
                "level" => Some(Expr::Level),
                "policy" => Some(Expr::Policy),
                name => match self.names.written.get(name) {
                    Some(slots) => Some(Expr::Written { name: name.to_owned(), slots: slots.clone() }),
                    None => self.names.fields.number(name).map(Expr::Field),
                },
            };
            if let Some(leaf) = leaf {
                if let (Expr::Field(number), true) = (&leaf, *end < path.len()) {
                    self.names.fields.check_members(*number)?;
                }
                self.next = *next;
                let name = path[..*end].to_owned();
                if !self.reads.iter().any(|read| read.0 == name) {
                    self.reads.push((name, leaf.clone()));
                }
                return Ok((leaf, 1));
            }
        }
        Err(format!("`{path}` is neither a declared field nor an output of a node before this one"))
    }

    fn postfix(&mut self, mut found: Deep) -> Result<Deep, String> {
        loop {
            if self.take(".") {
                let Some(TokenKind::Word(name)) = self.tokens.get(self.next).map(|token| token.kind.clone())
                else {
                    return Err(self.unexpected("the name of a member"));
                };
                self.next += 1;
                found = deeper(Expr::Member(Box::new(found.0), name), found.1)?;
            } else if self.take("[") {
                let index = self.binary(0)?;
                self.expect("]")?;
                let depth = found.1.max(index.1);
                found = deeper(Expr::Index(Box::new(found.0), Box::new(index.0)), depth)?;
            } else {
                return Ok(found);
            }
        }
    }

    /// Expressions between commas, up to this sign.
    fn items(&mut self, end: &'static str) -> Result<Vec<Deep>, String> {
        let mut found = Vec::new();
        if self.take(end) {
            return Ok(found);
        }
        loop {
            found.push(self.binary(0)?);
            if self.take(end) {
                return Ok(found);
            }
            self.expect(",")?;
        }
    }

    fn peek(&self, sign: &str) -> bool {
        self.tokens.get(self.next).is_some_and(|token| token.is_sign(sign))
    }

    fn peek_word(&self, word: &str) -> bool {
        self.tokens.get(self.next).is_some_and(|token| token.is_word(word))
    }

    fn take(&mut self, sign: &str) -> bool {
        let found = self.peek(sign);
        self.next += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.take(sign) { Ok(()) } else { Err(self.unexpected(&format!("`{sign}`"))) }
    }

    fn end(&self) -> Result<(), String> {
        if self.next >= self.tokens.len() { Ok(()) } else { Err(self.unexpected("an operator or the end")) }
    }

    fn unexpected(&self, expected: &str) -> String {
        match self.tokens.get(self.next) {
            None => format!("{expected} is missing at the end"),
            Some(token) => format!("{expected} is expected at character {}", place(self.text, token.at)),
        }
    }
}

const POWER_ORDER: u8 = 5;
const POWER_SUM: u8 = 6;
const POWER_PRODUCT: u8 = 7;
const ORDERS: [(&str, Operator); 4] =
    [("<=", Operator::AtMost), (">=", Operator::AtLeast), ("<", Operator::Less), (">", Operator::Greater)];

impl Token {
    fn is_sign(&self, sign: &str) -> bool {
        matches!(self.kind, TokenKind::Sign(found) if found == sign)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(&self.kind, TokenKind::Word(found) if found == word)
    }
}

fn deeper(expr: Expr, depth: usize) -> Result<Deep, String> {
    if depth < EXPRESSION_DEPTH_MAX { Ok((expr, depth + 1)) } else { Err(too_deep()) }
}

fn too_deep() -> String {
    format!("an expression is nested at most {EXPRESSION_DEPTH_MAX} deep")
}

fn with(mut operands: Vec<Expr>, last: Expr) -> Vec<Expr> {
    operands.push(last);
    operands
}

/// A list of constants is one constant, and so nothing is made when it is evaluated.
fn list_of(items: Vec<Deep>) -> Result<Deep, String> {
    let depth = items.iter().map(|item| item.1).max().unwrap_or(0);
    if items.iter().any(|item| matches!(item.0, Expr::Constant(Json::Array(_)) | Expr::List(_))) {
        return Err("a list holds no lists".to_owned());
    }
    let constants: Option<Vec<Json>> = items
        .iter()
        .map(|item| match &item.0 {
            Expr::Constant(json) => Some(json.clone()),
            _ => None,
        })
        .collect();
    match constants {
        Some(constants) => deeper(Expr::Constant(Json::from(constants)), depth),
        None => deeper(Expr::List(items.into_iter().map(|item| item.0).collect()), depth),
    }
}
