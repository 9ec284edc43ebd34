//! Splits a migration into statements.

use crate::Engine;
use crate::sql::{Kind, Token, tokens};

/// A statement of a migration.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    /// The engine it is for, when it is not for both.
    pub(super) only: Option<Engine>,
}

/// The kinds of migrations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// One transaction.
    Plain,
    /// Each statement by itself.
    Online,
    /// The same, when there are no processes of the version before any more.
    Finish,
}

/// The kind that a script names in its first comments.
pub(super) fn step(script: &str) -> Step {
    let comments = script.lines().map(str::trim).take_while(|line| line.is_empty() || line.starts_with("--"));
    comments.map(|line| line.trim_start_matches('-').trim()).fold(Step::Plain, |step, text| match text {
        "online" => Step::Online,
        "finish" => Step::Finish,
        _ => step,
    })
}

/// Whether a statement cannot run in a transaction.
pub(super) fn is_concurrent(text: &str) -> bool {
    tokens(text).iter().any(|token| token.is("concurrently"))
}

/// The same statement, which can.
pub(super) fn without_concurrently(text: &str) -> String {
    tokens(text).iter().filter(|token| !token.is("concurrently")).map(|token| token.text).collect()
}

/// The statements of a script, in order. Semicolons in quotes, comments and trigger bodies do not end one.
pub(super) fn pieces(script: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut piece = Open::default();
    let mut at = 0;
    for token in tokens(script) {
        let end = at + token.text.len();
        if token.is(";") && piece.depth == 0 {
            pieces.extend(piece.close(script, at));
            piece = Open::default();
        } else {
            piece.take(&token, at);
        }
        at = end;
    }
    pieces.extend(piece.close(script, script.len()));
    pieces
}

/// A statement whose end is not found yet.
#[derive(Default)]
struct Open {
    start: Option<usize>,
    only: Option<Engine>,
    words: usize,
    creates: bool,
    is_trigger: bool,
    /// How many `begin` and `case` of a trigger's body are open.
    depth: usize,
}

impl Open {
    fn take(&mut self, token: &Token<'_>, at: usize) {
        match token.kind {
            Kind::Space if self.start.is_none() => self.only = tag(token.text).or(self.only),
            Kind::Space => {}
            _ => {
                self.start.get_or_insert(at);
                self.note_word(token);
            }
        }
    }

    fn note_word(&mut self, token: &Token<'_>) {
        if token.kind != Kind::Word {
            return;
        }
        self.words += 1;
        self.creates |= self.words == 1 && token.is("create");
        self.is_trigger |= self.creates && self.words <= 4 && token.is("trigger");
        if self.is_trigger && (token.is("begin") || token.is("case")) {
            self.depth += 1;
        } else if self.is_trigger && token.is("end") {
            self.depth = self.depth.saturating_sub(1);
        }
    }

    fn close<'a>(&self, script: &'a str, end: usize) -> Option<Piece<'a>> {
        let start = self.start?;
        Some(Piece { text: script[start..end].trim_end(), only: self.only })
    }
}

/// `-- only: postgres`
fn tag(comment: &str) -> Option<Engine> {
    match comment.strip_prefix("--")?.trim().strip_prefix("only:")?.trim() {
        "postgres" => Some(Engine::Postgres),
        "sqlite" => Some(Engine::Sqlite),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_cut_where_statements_end_and_nowhere_else() {
        let script = "
            -- First; a table.
            create table a (b text default ';'); -- after;
            -- only: postgres
            create function f() returns trigger as $$ begin; return new; end; $$ language plpgsql;
            -- only: sqlite
            create trigger t after insert on a begin update a set b = case when 1 then ';' end; select 1; end;
            ;
            insert into a values (1) /* ; */";
        let pieces = pieces(script);
        let starts: Vec<(&str, Option<Engine>)> =
            pieces.iter().map(|piece| (&piece.text[..15], piece.only)).collect();
        assert_eq!(
            starts,
            [
                ("create table a ", None),
                ("create function", Some(Engine::Postgres)),
                ("create trigger ", Some(Engine::Sqlite)),
                ("insert into a v", None),
            ]
        );
        assert!(pieces[2].text.ends_with("select 1; end"));
    }

    #[test]
    fn the_first_comments_say_which_step_a_script_is() {
        assert_eq!(step("-- Notes.\n\ncreate table a (b text); -- online"), Step::Plain);
        assert_eq!(step("-- Notes, which go online.\n-- online\n\ncreate table a (b text);"), Step::Online);
        assert_eq!(step("-- finish\ndrop table a;\n-- online\ndrop table b"), Step::Finish);
        assert!(is_concurrent("create index CONCURRENTLY a on b (c)"));
        assert!(!is_concurrent("create index \"concurrently\" on b (c)"));
        assert_eq!(without_concurrently("create index concurrently a"), "create index  a");
    }

    #[test]
    fn a_script_of_comments_has_no_statements() {
        assert_eq!(pieces("-- nothing\n/* at all; */ ;;"), []);
    }
}
