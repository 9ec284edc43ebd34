//! The words and signs of an expression.

/// One word or sign, with the byte it begins at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) at: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TokenKind {
    Number(f64),
    Text(String),
    /// A name or a word such as `and`.
    Word(String),
    /// One of [`SIGNS`].
    Sign(&'static str),
}

/// Longer signs stand before their beginnings.
const SIGNS: [&str; 26] = [
    "..", "==", "!=", "<=", ">=", "&&", "||", "??", "<", ">", "+", "-", "*", "/", "%", "(", ")", "[", "]",
    ",", ".", "?", ":", "!", "$", "=",
];

/// All tokens of a text, or the fault as a sentence.
pub(crate) fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if byte.is_ascii_whitespace() {
            at += 1;
            continue;
        }
        let (kind, end) = if byte.is_ascii_digit() {
            number(text, at)?
        } else if byte == b'"' || byte == b'\'' {
            quoted(text, at)?
        } else if byte.is_ascii_alphabetic() || byte == b'_' {
            let word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
            let end = at + bytes[at..].iter().take_while(|byte| word(byte)).count();
            (TokenKind::Word(text[at..end].to_owned()), end)
        } else {
            let sign = SIGNS.iter().find(|sign| bytes[at..].starts_with(sign.as_bytes()));
            let Some(sign) = sign.filter(|sign| **sign != "=") else {
                let letter = text[at..].chars().next().unwrap_or_default();
                let hint = if letter == '=' { "; equality is `==`" } else { "" };
                return Err(format!("`{letter}` at character {} has no meaning{hint}", place(text, at)));
            };
            (TokenKind::Sign(sign), at + sign.len())
        };
        found.push(Token { kind, at });
        at = end;
    }
    Ok(found)
}

const RESERVED: [&str; 6] = ["and", "or", "not", "in", "level", "policy"];
const CONSTANTS: [&str; 3] = ["true", "false", "null"];

/// Whether a text may name an output or a field: a word that means nothing else.
pub(crate) fn is_name(text: &str) -> bool {
    let starts = text.starts_with(|letter: char| letter.is_ascii_alphabetic() || letter == '_');
    let goes_on = text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    starts && goes_on && text.len() <= 100 && !RESERVED.contains(&text) && !CONSTANTS.contains(&text)
}

/// The place of a byte as readers count it: characters, from 1.
pub(crate) fn place(text: &str, at: usize) -> usize {
    text.char_indices().take_while(|(index, _)| *index < at).count() + 1
}

fn number(text: &str, start: usize) -> Result<(TokenKind, usize), String> {
    let bytes = text.as_bytes();
    let digits = |from: usize| from + bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut end = digits(start);
    // `0..5` is a range: its first point belongs to the dots.
    if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let signed = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + signed);
        if exponent > end + 1 + signed {
            end = exponent;
        }
    }
    match text[start..end].parse::<f64>() {
        Ok(number) if number.is_finite() => Ok((TokenKind::Number(number), end)),
        _ => Err(format!("the number at character {} is too large", place(text, start))),
    }
}

fn quoted(text: &str, start: usize) -> Result<(TokenKind, usize), String> {
    let mut letters = text[start..].char_indices();
    let quote = letters.next().map(|(_, quote)| quote);
    let mut found = String::new();
    while let Some((at, letter)) = letters.next() {
        if Some(letter) == quote {
            return Ok((TokenKind::Text(found), start + at + letter.len_utf8()));
        }
        if letter != '\\' {
            found.push(letter);
            continue;
        }
        found.push(match letters.next() {
            Some((_, letter @ ('\\' | '"' | '\''))) => letter,
            Some((_, 'n')) => '\n',
            Some((_, 't')) => '\t',
            _ => {
                let place = place(text, start + at);
                return Err(format!("the escape at character {place} is none of \\\\ \\\" \\' \\n \\t"));
            }
        });
    }
    Err(format!("the text that begins at character {} does not end", place(text, start)))
}
