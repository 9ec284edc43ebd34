//! Decides whether a text mentions a person: the whole address, not a part of another one.
//!
//! The comparison is done here and not in SQL so that both engines agree: SQLite lowers ASCII letters only. Texts are
//! compared in Unicode's composed form (NFC) and in lower case.

use serde_json::Value;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// How many layers of escapes are taken off a text: `%2540` has two.
const LAYERS_MAX: usize = 3;

/// The names of a person: e-mail addresses, and words such as an id.
///
/// A text mentions an address if the characters around it cannot belong to the address: `<AL@example.org>`,
/// `write to al@example.org.` and `?to=al%40example.org` mention `al@example.org`, but `michal@example.org`,
/// `x.al@example.org` and `al@example.org.uk` do not. A text mentions a word if no letter or digit stands beside it.
///
/// Percent escapes and the escapes of JSON strings are decoded before the comparison, so a line of JSON can be passed as it
/// is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mentions(Vec<String>);

impl Mentions {
    /// Mentions of any of these addresses and words. Empty ones are left out.
    pub fn of<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Self {
        let mut names: Vec<String> = names.into_iter().map(|name| fold(name.as_ref().trim())).collect();
        names.retain(|name| !name.is_empty());
        names.sort_unstable();
        names.dedup();
        Self(names)
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the text mentions one of them.
    pub fn stand_in(&self, text: &str) -> bool {
        if self.is_empty() {
            return false;
        }
        let mut text = fold(text);
        for _ in 0..LAYERS_MAX {
            if self.0.iter().any(|name| stands_in(name, &text)) {
                return true;
            }
            match without_escapes(&text) {
                Some(plainer) => text = fold(&plainer),
                None => return false,
            }
        }
        self.0.iter().any(|name| stands_in(name, &text))
    }

    /// Whether a text or the name of a field within the value mentions one of them.
    pub fn stand_in_json(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.stand_in(text),
            Value::Array(items) => items.iter().any(|item| self.stand_in_json(item)),
            Value::Object(fields) => {
                fields.iter().any(|(name, value)| self.stand_in(name) || self.stand_in_json(value))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }
}

/// The form in which texts are compared. Both Greek small sigmas are one letter.
fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let lower = text.chars().flat_map(char::to_lowercase);
    lower.map(|letter| if letter == 'ς' { 'σ' } else { letter }).nfc().collect()
}

/// Whether a folded text holds the folded name, with nothing around it that makes it another name.
fn stands_in(name: &str, text: &str) -> bool {
    let is_address = name.contains('@');
    let mut from = 0;
    while let Some(found) = text[from..].find(name) {
        let (before, after) = (&text[..from + found], &text[from + found + name.len()..]);
        let apart = match is_address {
            true => !is_local_part(before) && !goes_on_as_domain(after),
            false => {
                !before.chars().next_back().is_some_and(is_letter)
                    && !after.chars().next().is_some_and(is_letter)
            }
        };
        // The meaning of an escape is visible once it is decoded.
        if apart && escape(after).is_none() {
            return true;
        }
        from += found + name.chars().next().map_or(1, char::len_utf8);
    }
    false
}

/// A letter or digit of any script, or a mark that belongs to one.
fn is_letter(character: char) -> bool {
    character.is_alphanumeric() || is_combining_mark(character)
}

/// Whether what ends here is the beginning of a local part.
///
/// Of the signs that RFC 5321 allows, `=`, `/`, `?`, `{`, `|`, `}` and the grave accent are taken for what they are in
/// URLs, templates and logs, where they stand before addresses: not a part of one. Most others count between letters
/// only: `o'al@` is another address than `al@`, and `'al@` is not.
fn is_local_part(before: &str) -> bool {
    let mut back = before.chars().rev();
    let Some(last) = back.next() else { return false };
    match last {
        '-' | '+' | '_' => true,
        '.' | '\'' | '&' | '!' | '#' | '$' | '%' | '*' | '^' | '~' => {
            back.next().is_some_and(|letter| is_letter(letter) || matches!(letter, '-' | '+' | '_'))
        }
        letter => is_letter(letter),
    }
}

/// Whether the domain goes on: with a letter, or with a letter behind a full stop or a hyphen.
fn goes_on_as_domain(after: &str) -> bool {
    let mut characters = after.chars();
    match characters.next() {
        Some('.' | '-') => characters.next().is_some_and(is_letter),
        Some(letter) => is_letter(letter),
        None => false,
    }
}

/// The text with one layer of escapes taken off, or nothing where it has none.
fn without_escapes(text: &str) -> Option<String> {
    let mut plain: Vec<u8> = Vec::new();
    let (mut rest, mut escapes) = (text, 0);
    while let Some(at) = rest.find(['%', '\\']) {
        plain.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at..];
        if let Some((bytes, length)) = escape(rest) {
            plain.extend_from_slice(&bytes);
            rest = &rest[length..];
            escapes += 1;
        } else {
            plain.push(rest.as_bytes()[0]);
            rest = &rest[1..];
        }
    }
    plain.extend_from_slice(rest.as_bytes());
    (escapes > 0).then(|| String::from_utf8_lossy(&plain).into_owned())
}

/// The character that the escape at the start of the text stands for, and the length of the escape.
fn escape(text: &str) -> Option<(Vec<u8>, usize)> {
    let mut bytes = text.bytes();
    match (bytes.next()?, bytes.next()?) {
        (b'%', _) => Some((vec![u8::try_from(hexadecimal(text, 1, 2)?).ok()?], 3)),
        (b'\\', b'u') => {
            let first = hexadecimal(text, 2, 4)?;
            let second =
                text.get(6..).filter(|next| next.starts_with("\\u")).and_then(|next| hexadecimal(next, 2, 4));
            let units = match second {
                Some(second) if (0xd800..0xdc00).contains(&first) => vec![first, second],
                _ => vec![first],
            };
            let length = units.len() * 6;
            Some((String::from_utf16_lossy(&units).into_bytes(), length))
        }
        (b'\\', sign @ (b'"' | b'\\' | b'/')) => Some((vec![sign], 2)),
        (b'\\', b'b' | b'f' | b'n' | b'r' | b't') => Some((vec![b'\n'], 2)),
        _ => None,
    }
}

/// The hexadecimal number of `count` digits that stands at `from`.
fn hexadecimal(text: &str, from: usize, count: usize) -> Option<u16> {
    let digits = text
        .get(from..from + count)
        .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mentions(name: &str, text: &str) -> bool {
        Mentions::of([name]).stand_in(text)
    }

    #[test]
    fn an_address_is_mentioned_wherever_it_stands_alone() {
        for text in [
            "al@example.org",
            "AL@Example.ORG",
            "write to al@example.org.",
            "al@example.org, bo@example.org",
            "bo@example.org;al@example.org",
            "Al <al@example.org>",
            "(al@example.org)",
            "\"al@example.org\"",
            "'al@example.org' is taken",
            "`al@example.org`",
            "“al@example.org”",
            "mailto:al@example.org?subject=x",
            "https://example.net/?to=al@example.org&x=1",
            "https://example.net/?to=al%40example.org&x=1",
            "https://example.net/?to=al%2540example.org",
            "https://example.net/users/al@example.org/edit",
            "profiles:mail:al@example.org",
            "{al@example.org}",
            "...al@example.org...",
            "*al@example.org*",
            "al@example.org-",
            "al@example.org\\nbo@example.org",
            "bo@example.org\\nal@example.org",
            "{\"to\":\"al@example.org\"}",
            "{\\\"to\\\":\\\"al@example.org\\\"}",
            "{\"to\":\"al\\u0040example.org\"}",
            "to:%20al@example.org%20or",
            "michal@example.org and al@example.org",
        ] {
            assert!(mentions("al@example.org", text), "{text}");
        }
    }

    #[test]
    fn a_longer_address_is_somebody_else() {
        for text in [
            "michal@example.org",
            "x.al@example.org",
            "x-al@example.org",
            "x_al@example.org",
            "x+al@example.org",
            "o'al@example.org",
            "r&al@example.org",
            "éal@example.org",
            "e\u{301}al@example.org",
            "журал@example.org al",
            "王al@example.org",
            "9al@example.org",
            "al@example.org.uk",
            "al@example.organ",
            "al@example.org-x.net",
            "al@example.orgé",
            "al@example.org\u{301}",
            "x%2Eal@example.org",
            "x%2Bal@example.org",
            "al@example.org%2Euk",
            "{\"to\":\"al@example.org\\u002euk\"}",
            "{\"to\":\"\\u00e5al@example.org\"}",
            "al@example",
            "al at example.org",
            "",
        ] {
            assert!(!mentions("al@example.org", text), "{text}");
        }
    }

    #[test]
    fn letters_of_every_script_are_compared_without_their_case() {
        for (name, text) in [
            ("åsa@example.org", "ÅSA@EXAMPLE.ORG"),
            ("åsa@example.org", "A\u{30a}sa@example.org"),
            ("A\u{30a}sa@example.org", "åsa@example.org"),
            ("åsa@example.org", "{\"to\":\"\\u00c5SA@example.org\"}"),
            ("åsa@example.org", "?to=%C3%A5sa%40example.org"),
            ("ОЛЬГА@пример.рф", "ольга@пример.рф"),
            ("ΝΊΚΟΣ@example.org", "νίκος@example.org"),
            ("νίκος@example.org", "ΝΊΚΟΣ@EXAMPLE.ORG"),
            ("😀@example.org", "{\"to\":\"\\ud83d\\ude00@example.org\"}"),
        ] {
            assert!(mentions(name, text), "{name} in {text}");
        }
        assert!(!mentions("åsa@example.org", "asa@example.org"), "another letter");
    }

    #[test]
    fn a_word_stands_between_other_characters() {
        let id = "019aa1d2-3b4c-7d5e-8f60-718293a4b5c6";
        for text in [id, &id.to_uppercase(), &format!("erase_{id}.csv"), &format!("profile:{id}")] {
            assert!(mentions(id, text), "{text}");
        }
        assert!(!mentions(id, &format!("{id}7")));
        assert!(!mentions(id, "019aa1d2-3b4c-7d5e-8f60-718293a4b5c7"));
    }

    #[test]
    fn a_value_mentions_what_its_texts_and_field_names_do() {
        let mentions = Mentions::of(["al@example.org", "", " "]);
        for value in [
            json!("al@example.org"),
            json!({"deep": [{"to": "al@example.org"}]}),
            json!({"al@example.org": 1}),
            json!({"body": "{\"to\":\"al@example.org\"}"}),
        ] {
            assert!(mentions.stand_in_json(&value), "{value}");
        }
        for value in [json!(null), json!(7), json!({"to": "michal@example.org"})] {
            assert!(!mentions.stand_in_json(&value), "{value}");
        }
        assert!(Mentions::of([""]).is_empty());
        assert!(!Mentions::of(["", " "]).stand_in("anything"));
    }
}
