//! Removes secrets from texts that people will read.

/// The text with the passwords of URLs (`scheme://user:secret@host`) and the values of `password=` parameters
/// replaced by `***`. For connection strings in logs, errors and printed configurations.
pub fn redact(text: &str) -> String {
    let mut text = text.to_owned();
    let mut from = 0;
    while let Some(start) = text[from..].find("://").map(|at| from + at + 3) {
        from = hide_credentials(&mut text, start);
    }
    from = 0;
    while let Some(found) = text[from..].to_ascii_lowercase().find("password") {
        let after = from + found + "password".len();
        from = after;
        let rest = text[after..].trim_start();
        if let Some(value) = rest.strip_prefix('=') {
            let value = value.trim_start();
            let start = text.len() - value.len();
            let end = start + value_length(value);
            text.replace_range(start..end, "***");
            from = start + 3;
        }
    }
    text
}

/// Hides the password of the URL whose scheme ends at `start`; returns where to go on.
fn hide_credentials(text: &mut String, start: usize) -> usize {
    // The text after the next scheme belongs to another URL.
    let limit = text[start..].find("://").map_or(text.len(), |at| start + at);
    let word = text[start..limit].find(char::is_whitespace).map_or(limit, |at| start + at);
    let end = text[start..word].find(['/', '?', '#']).map_or(word, |at| start + at);
    // The last @ ends the credentials: a password that was not escaped may hold one itself, or a slash or a space.
    // Rather hide too much than too little.
    let last_at = |end: usize| text[start..end].rfind('@');
    let credentials_end = last_at(end).or_else(|| last_at(word)).or_else(|| last_at(limit));
    if let Some(at) = credentials_end.map(|at| start + at)
        && let Some(colon) = text[start..at].find(':').map(|colon| start + colon)
    {
        text.replace_range(colon + 1..at, "***");
    }
    start
}

/// The bytes of a parameter's value: up to its closing quote, in which a backslash takes the next character for what
/// it is, or else up to what separates parameters. A quote that is not closed takes all.
fn value_length(value: &str) -> usize {
    let quote = value.chars().next().filter(|first| matches!(first, '\'' | '"'));
    let mut escaped = false;
    for (at, character) in value.char_indices().skip(usize::from(quote.is_some())) {
        match quote {
            _ if escaped => escaped = false,
            _ if character == '\\' => escaped = true,
            Some(quote) if character == quote => return at + 1,
            None if character.is_whitespace() || matches!(character, '&' | '#') => return at,
            _ => {}
        }
    }
    value.len()
}

#[cfg(test)]
mod tests {
    use super::redact;

    #[test]
    fn passwords_leave_and_everything_else_stays() {
        for (given, expected) in [
            ("postgres://pando:s3cret@db:5432/pando", "postgres://pando:***@db:5432/pando"),
            ("amqp://u:a:b@c@mq/%2f", "amqp://u:***@mq/%2f"),
            ("redis://:s3cret@redis:6379/0", "redis://:***@redis:6379/0"),
            ("postgres://u:a/b@db/pando", "postgres://u:***@db/pando"),
            (
                "postgres://db/pando?user=u&password=s3cret&sslmode=off",
                "postgres://db/pando?user=u&password=***&sslmode=off",
            ),
            ("host=db Password='s3 cret' dbname=pando", "host=db Password=*** dbname=pando"),
            (r"host=db password = 'it\'s s3cret' user=u", "host=db password = *** user=u"),
            (r"password=s3\ cret user=u", "password=*** user=u"),
            ("password='never closed", "password=***"),
            ("postgres://u:s3 cret@db/pando", "postgres://u:***@db/pando"),
            ("a password is missing", "a password is missing"),
            (
                "from postgres://u:one@a/x to postgres://u:two@b/y, or amqp://u:three@c",
                "from postgres://u:***@a/x to postgres://u:***@b/y, or amqp://u:***@c",
            ),
            ("postgres://pando@db:5432/pando", "postgres://pando@db:5432/pando"),
            ("http://[::1]:8080/path", "http://[::1]:8080/path"),
            ("data/pando.db", "data/pando.db"),
        ] {
            assert_eq!(redact(given), expected);
        }
    }
}
