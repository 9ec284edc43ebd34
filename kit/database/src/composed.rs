//! Statements that are put together at run time: a list with filters has too many forms for a constant each.

use crate::query::Cost;
use crate::{DatabaseError, Engine, Value, sql};

/// A statement has at most so many pieces, and as many parameters.
const PIECES_MAX: usize = 100;
const VALUES_MAX: usize = 1_000;

/// A statement out of pieces. Each piece is a text of the program, with parameters of its own that count from `$1`. A value from a
/// caller can only be a parameter.
///
/// ```
/// # use pando_database::{ComposedQuery, params};
/// # let (tenant, status) = ("acme", Some("open"));
/// let mut query = ComposedQuery::scan("orders.list");
/// query.push("select id, total from orders where tenant = $1", params![tenant]);
/// if let Some(status) = status {
///     query.push(" and status = $1", params![status]);
/// }
/// query.push(" order by id limit $1", params![20]);
/// ```
///
/// The statements that were used last are kept, prepared, and an older one makes room for a new one.
#[derive(Clone, Debug)]
pub struct ComposedQuery {
    pub(crate) name: &'static str,
    pub(crate) cost: Cost,
    pieces: Vec<Piece>,
    values: Vec<Value>,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    postgres: &'static str,
    sqlite: &'static str,
    values: usize,
}

/// Names one statement. Texts of the program live as long as it does, so the addresses of the name and of the pieces stand for them.
pub(crate) type PiecesKey = Vec<(usize, usize, usize)>;

impl ComposedQuery {
    /// An indexed read of a few rows, like [`Query::point`](crate::Query::point).
    pub fn point(name: &'static str) -> Self {
        Self { name, cost: Cost::Point, pieces: Vec::new(), values: Vec::new() }
    }

    /// A read that may take its time, like [`Query::scan`](crate::Query::scan); inside of a transaction also a statement that changes
    /// something.
    pub fn scan(name: &'static str) -> Self {
        Self { cost: Cost::Scan, ..Self::point(name) }
    }

    /// Adds a piece, whose `$1` is the first of its own values.
    pub fn push(&mut self, sql: &'static str, values: impl Into<Vec<Value>>) -> &mut Self {
        self.push_per_engine(sql, sql, values)
    }

    /// Adds a piece that has another text on SQLite.
    pub fn push_per_engine(
        &mut self,
        postgres: &'static str,
        sqlite: &'static str,
        values: impl Into<Vec<Value>>,
    ) -> &mut Self {
        let values = values.into();
        self.pieces.push(Piece { postgres, sqlite, values: values.len() });
        self.values.extend(values);
        self
    }

    pub(crate) fn values(&self) -> &[Value] {
        &self.values
    }

    pub(crate) fn key(&self, engine: Engine) -> PiecesKey {
        let part = |piece: &Piece| {
            let text = piece.text_for(engine);
            (text.as_ptr() as usize, text.len(), piece.values)
        };
        let name = (self.name.as_ptr() as usize, self.name.len(), 0);
        std::iter::once(name).chain(self.pieces.iter().map(part)).collect()
    }

    /// Refuses a statement that is too long, or has a piece that asks for other parameters than it was given.
    pub(crate) fn check(&self, engine: Engine) -> Result<(), DatabaseError> {
        let bad = |parameter, reason| Err(DatabaseError::BadParameter { name: self.name, parameter, reason });
        if self.pieces.len() > PIECES_MAX || self.values.len() > VALUES_MAX {
            let reason = format!("a statement has at most {PIECES_MAX} pieces and {VALUES_MAX} parameters");
            return bad(self.values.len(), reason);
        }
        let mut before = 0;
        for piece in &self.pieces {
            let needed = sql::parameter_count(piece.text_for(engine));
            if needed != piece.values {
                let reason = format!("a piece needs {needed} parameters, but {} were given", piece.values);
                return bad(before + needed.min(piece.values) + 1, reason);
            }
            before += piece.values;
        }
        Ok(())
    }

    /// The whole text, whose parameters are counted through.
    pub(crate) fn text_for(&self, engine: Engine) -> String {
        let (mut text, mut before) = (String::new(), 0);
        for piece in &self.pieces {
            sql::push_numbered_from(&mut text, piece.text_for(engine), before);
            before += piece.values;
        }
        text
    }
}

impl Piece {
    fn text_for(&self, engine: Engine) -> &'static str {
        match engine {
            Engine::Postgres => self.postgres,
            Engine::Sqlite => self.sqlite,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params;

    fn list(values: &[Value]) -> ComposedQuery {
        let mut query = ComposedQuery::scan("list");
        query.push("select '$1', a from t where b = $1 or c = $1", values);
        query.push_per_engine(" and strpos(d, $2) > $1", " and instr(d, $2) > $1", params![0, "x"]);
        query
    }

    #[test]
    fn parameters_of_pieces_are_counted_through() {
        let query = list(&params![7]);
        query.check(Engine::Postgres).unwrap();
        let text = "select '$1', a from t where b = $1 or c = $1 and strpos(d, $3) > $2";
        assert_eq!(query.text_for(Engine::Postgres), text);
        assert_eq!(query.text_for(Engine::Sqlite), text.replace("strpos", "instr"));
        assert_eq!(query.values(), params![7, 0, "x"]);
    }

    #[test]
    fn a_piece_without_its_parameters_and_a_statement_without_end_are_refused() {
        let error = list(&[]).check(Engine::Sqlite).unwrap_err().to_string();
        assert_eq!(error, "parameter 1 of list: a piece needs 1 parameters, but 0 were given");
        let mut long = ComposedQuery::scan("long");
        for _ in 0..=PIECES_MAX {
            long.push("select 1 union all ", []);
        }
        assert!(long.check(Engine::Sqlite).is_err());
    }
}
