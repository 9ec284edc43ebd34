//! One SQL text for two engines: cutting it into tokens, and writing SQLite's form of it.

/// The kinds of pieces of an SQL text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// White space or a comment.
    Space,
    /// A name or keyword without quotes.
    Word,
    /// A quoted string or name: never looked into.
    Quoted,
    /// `$1`
    Parameter,
    /// Any other single character.
    Symbol,
}

/// A piece of SQL text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
}

impl Token<'_> {
    pub(crate) fn is(&self, word: &str) -> bool {
        matches!(self.kind, Kind::Word | Kind::Symbol) && self.text.eq_ignore_ascii_case(word)
    }
}

/// Cuts a text into tokens; put together again they are the text.
pub(crate) fn tokens(sql: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let (kind, length) = first_token(rest, first);
        let (text, after) = rest.split_at(length);
        tokens.push(Token { kind, text });
        rest = after;
    }
    tokens
}

fn first_token(sql: &str, first: char) -> (Kind, usize) {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let span = |accepts: &dyn Fn(char) -> bool| sql.find(|c| !accepts(c)).unwrap_or(sql.len());
    match first {
        c if c.is_whitespace() => (Kind::Space, span(&char::is_whitespace)),
        '-' if sql.starts_with("--") => (Kind::Space, sql.find('\n').map_or(sql.len(), |end| end + 1)),
        '/' if sql.starts_with("/*") => (Kind::Space, block_comment(sql)),
        '\'' | '"' => (Kind::Quoted, quoted(sql, first, false)),
        'e' | 'E' if sql[1..].starts_with('\'') => (Kind::Quoted, 1 + quoted(&sql[1..], '\'', true)),
        '$' => dollar(sql),
        c if c.is_alphabetic() || c == '_' => (Kind::Word, span(&is_word)),
        c if c.is_ascii_digit() => (Kind::Word, span(&|c| is_word(c) || c == '.')),
        c => (Kind::Symbol, c.len_utf8()),
    }
}

/// The length of a quoted piece: a doubled quote stays inside, and so does an escaped one where escapes count.
fn quoted(sql: &str, quote: char, escapes: bool) -> usize {
    let mut characters = sql.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        if escapes && c == '\\' {
            characters.next();
        } else if c == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            return at + 1;
        }
    }
    sql.len()
}

/// The length of a block comment; PostgreSQL nests them.
fn block_comment(sql: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < sql.len() {
        let rest = &sql.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    sql.len()
}

/// `$1`, or a text between two `$tag$`.
fn dollar(sql: &str) -> (Kind, usize) {
    let rest = &sql[1..];
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    if digits > 0 {
        return (Kind::Parameter, 1 + digits);
    }
    let tag = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
    if !rest[tag..].starts_with('$') {
        return (Kind::Symbol, 1);
    }
    let fence = &sql[..tag + 2];
    let length = sql[fence.len()..].find(fence).map_or(sql.len(), |end| fence.len() + end + fence.len());
    (Kind::Quoted, length)
}

/// How many parameters a text takes: the highest number of one.
pub(crate) fn parameter_count(sql: &str) -> usize {
    let number = |token: &Token<'_>| match token.kind {
        Kind::Parameter => token.text[1..].parse().ok(),
        _ => None,
    };
    tokens(sql).iter().filter_map(number).max().unwrap_or(0)
}

/// Adds a text whose `$1` becomes the parameter behind the first `before`.
pub(crate) fn push_numbered_from(out: &mut String, sql: &str, before: usize) {
    for token in tokens(sql) {
        match token.kind {
            Kind::Parameter => {
                let number: usize = token.text[1..].parse().unwrap_or(usize::MAX);
                out.push_str(&format!("${}", number.saturating_add(before)));
            }
            _ => out.push_str(token.text),
        }
    }
}

/// Whether a text has one of the words that change something, or lock it.
pub(crate) fn has_writing_word(sql: &str) -> bool {
    let words = ["insert", "update", "delete", "merge", "truncate", "create", "alter", "drop", "set"];
    tokens(sql).iter().any(|token| words.iter().any(|word| token.is(word)))
}

/// SQLite's form of a text written for PostgreSQL. `one_key`: the list in `= any($1)` is a single value.
pub(crate) fn for_sqlite(sql: &str, one_key: bool) -> String {
    let tokens = tokens(sql);
    let first = tokens.iter().find(|token| token.kind == Kind::Word);
    let defines = first.is_some_and(|word| word.is("create") || word.is("alter"));
    let mut writer =
        Writer { tokens: &tokens, at: 0, defines, one_key, out: String::new(), open: Vec::new() };
    while writer.at < tokens.len() {
        writer.step();
    }
    writer.out
}

struct Writer<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
    defines: bool,
    one_key: bool,
    out: String,
    /// For every open parenthesis: where the `cast` before it was written, if there was one.
    open: Vec<Option<usize>>,
}

impl Writer<'_> {
    fn step(&mut self) {
        let token = self.tokens[self.at];
        match token.kind {
            Kind::Parameter => {
                self.out.push('?');
                self.out.push_str(&token.text[1..]);
                self.at += 1;
            }
            Kind::Symbol if self.any_list() => {}
            Kind::Symbol if token.is("(") => {
                self.open.push(self.cast_before());
                self.copy();
            }
            Kind::Symbol if token.is(")") => {
                self.open.pop();
                self.copy();
            }
            Kind::Word if token.is("collate") && self.peek(1).is_some_and(|name| name.text == "\"C\"") => {
                self.skip(2);
            }
            Kind::Word if token.is("as") && self.foreign_cast() => {}
            Kind::Word if token.is("strpos") && self.peek_is(1, "(") => {
                self.out.push_str("instr");
                self.at += 1;
            }
            Kind::Word if self.defines && (token.is("jsonb") || token.is("json")) => {
                self.out.push_str("text");
                self.at += 1;
            }
            Kind::Word if !self.defines && token.is("for") && self.lock_clause() => {}
            _ => self.copy(),
        }
    }

    fn copy(&mut self) {
        self.out.push_str(self.tokens[self.at].text);
        self.at += 1;
    }

    /// The token `ahead` places further, spaces not counted; 0 is the present one.
    fn peek(&self, ahead: usize) -> Option<&Token<'_>> {
        self.tokens[self.at..].iter().filter(|token| token.kind != Kind::Space).nth(ahead)
    }

    fn peek_is(&self, ahead: usize, word: &str) -> bool {
        self.peek(ahead).is_some_and(|token| token.is(word))
    }

    /// Leaves out the present token and those after it, `count` together, with the spaces between them.
    fn skip(&mut self, count: usize) {
        let mut left = count;
        while left > 0 {
            left -= usize::from(self.tokens[self.at].kind != Kind::Space);
            self.at += 1;
        }
    }

    /// `= any($1)` and `<> all($1)`.
    fn any_list(&mut self) -> bool {
        let (operator, symbols) = match () {
            () if self.peek_is(0, "=") && self.peek_is(1, "any") => ("in", 1),
            () if self.peek_is(0, "<") && self.peek_is(1, ">") && self.peek_is(2, "all") => ("not in", 2),
            () => return false,
        };
        let list = self.peek(symbols + 2).filter(|token| token.kind == Kind::Parameter);
        let Some(number) = list.map(|token| token.text[1..].to_owned()) else { return false };
        if !self.peek_is(symbols + 1, "(") || !self.peek_is(symbols + 3, ")") {
            return false;
        }
        if self.one_key && symbols == 1 {
            self.out.push_str(&format!("= ?{number}"));
        } else {
            self.out.push_str(&format!("{operator} rarray(?{number})"));
        }
        self.skip(symbols + 4);
        true
    }

    fn cast_before(&self) -> Option<usize> {
        let start = self.out.trim_end().len().checked_sub("cast".len())?;
        let last = self.tokens[..self.at].iter().rev().find(|token| token.kind != Kind::Space)?;
        last.is("cast").then_some(start)
    }

    /// `cast(x as uuid)` is `(x)`: SQLite would bend a uuid, a moment or a json text into a number.
    fn foreign_cast(&mut self) -> bool {
        let Some(Some(cast)) = self.open.last().copied() else { return false };
        let kept = ["uuid", "timestamptz", "jsonb", "json", "bytea", "boolean"];
        if !kept.iter().any(|name| self.peek_is(1, name)) || !self.peek_is(2, ")") {
            return false;
        }
        self.out.replace_range(cast..cast + "cast".len(), "");
        self.skip(2);
        true
    }

    /// `for update skip locked` and its kin: SQLite has one writer, and no rows to lock.
    fn lock_clause(&mut self) -> bool {
        let mut count = match () {
            () if self.peek_is(1, "update") || self.peek_is(1, "share") => 2,
            () if self.peek_is(1, "no") && self.peek_is(2, "key") && self.peek_is(3, "update") => 4,
            () if self.peek_is(1, "key") && self.peek_is(2, "share") => 3,
            () => return false,
        };
        if self.peek_is(count, "of") {
            count += 2;
        }
        if self.peek_is(count, "nowait") {
            count += 1;
        } else if self.peek_is(count, "skip") && self.peek_is(count + 1, "locked") {
            count += 2;
        }
        self.skip(count);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tokens_of_a_text_are_the_whole_text() {
        for text in [
            "select 'it''s', \"a\"\"b\", $1 -- end",
            "select e'a\\'b', $f$ $1 ' $f$, $$;$$ /* a /* b */ c */ from t",
            "select 'open",
            "/* open /* ",
            "$tag$ open",
            "$",
            "1.5e3 é$1",
            "e",
        ] {
            assert_eq!(tokens(text).iter().map(|token| token.text).collect::<String>(), text);
        }
    }

    #[test]
    fn parameters_and_writing_words_are_found_outside_of_quotes_only() {
        assert_eq!(parameter_count("select $2, '$7', $11 -- $30"), 11);
        assert_eq!(parameter_count("select 1"), 0);
        assert!(has_writing_word("with a as (DELETE from t returning b) select b from a"));
        assert!(!has_writing_word("select updated_at, 'delete' from t -- insert"));
    }

    #[test]
    fn sqlite_gets_its_own_words_and_quotes_are_left_alone() {
        for (given, written) in [
            ("select $2, $1", "select ?2, ?1"),
            ("select '$1', \"$1\", $$ $1 $$ -- $1", "select '$1', \"$1\", $$ $1 $$ -- $1"),
            ("where id = any($1) and b = $2", "where id in rarray(?1) and b = ?2"),
            ("where id = ANY ( $12 )", "where id in rarray(?12)"),
            ("where id <> all($1)", "where id not in rarray(?1)"),
            ("where id = any(select 1)", "where id = any(select 1)"),
            ("order by name collate \"C\" desc", "order by name  desc"),
            ("create table t (a jsonb not null, b text)", "create table t (a text not null, b text)"),
            ("select jsonb from t", "select jsonb from t"),
            ("select cast($1 as uuid), cast($2 as bigint)", "select (?1 ), cast(?2 as bigint)"),
            ("select cast(coalesce($1, a) as jsonb) as b", "select (coalesce(?1, a) ) as b"),
            ("select 1 from t limit 1 for update skip locked", "select 1 from t limit 1 "),
            ("select 1 from t for no key update of t nowait", "select 1 from t "),
            ("select strpos from t where strpos (a, $1) > 0", "select strpos from t where instr (a, ?1) > 0"),
        ] {
            assert_eq!(for_sqlite(given, false), written);
        }
        assert_eq!(for_sqlite("where id = any($1)", true), "where id = ?1");
    }
}
