//! Takes secrets out of texts that people will read.

/// The text with the password of a URL (`scheme://user:secret@host`) and the value of a `password=` parameter
/// replaced by `***`. For connection strings in logs, errors and printed configurations.
pub fn redact(text: &str) -> String {
    let mut text = text.to_owned();
    if let Some(start) = text.find("://").map(|at| at + 3) {
        let end = text[start..].find(['/', '?', '#']).map_or(text.len(), |at| start + at);
        // The last @ ends the credentials: a password that was not escaped may hold one itself.
        let credentials_end = text[start..end].rfind('@').or_else(|| text[start..].rfind('@'));
        if let Some(at) = credentials_end.map(|at| start + at)
            && let Some(colon) = text[start..at].find(':').map(|colon| start + colon)
        {
            text.replace_range(colon + 1..at, "***");
        }
    }
    let mut from = 0;
    while let Some(found) = text[from..].to_ascii_lowercase().find("password=") {
        let start = from + found + "password=".len();
        let quoted =
            text[start..].strip_prefix('\'').and_then(|rest| rest.find('\'')).map(|at| start + at + 2);
        let plain = || text[start..].find([' ', '&', '#']).map_or(text.len(), |at| start + at);
        let end = quoted.unwrap_or_else(plain);
        text.replace_range(start..end, "***");
        from = start + 3;
    }
    text
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
            ("postgres://pando@db:5432/pando", "postgres://pando@db:5432/pando"),
            ("http://[::1]:8080/path", "http://[::1]:8080/path"),
            ("data/pando.db", "data/pando.db"),
        ] {
            assert_eq!(redact(given), expected);
        }
    }
}
