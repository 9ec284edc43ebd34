//! Credentials in a place where none belongs: a caller wrote a key into the path, or into the id of a request. Such texts are
//! neither logged nor sent back.

use std::borrow::Cow;

/// No credential is shorter.
const BYTES_MIN: usize = 40;

/// Whether a text contains what looks like an API key or a token.
pub(crate) fn holds_credential(text: &[u8]) -> bool {
    text.len() >= BYTES_MIN && (has(text, b"sk_live_") || has(text, b"sk_test_") || holds_token(text))
}

/// The path with such parts replaced.
pub(crate) fn without_credentials(path: &str) -> Cow<'_, str> {
    if !holds_credential(path.as_bytes()) {
        return Cow::Borrowed(path);
    }
    let parts = path.split('/').map(|part| if holds_credential(part.as_bytes()) { "***" } else { part });
    Cow::Owned(parts.collect::<Vec<_>>().join("/"))
}

/// A token is JSON in base64 with two dots in it.
fn holds_token(text: &[u8]) -> bool {
    has(text, b"eyJ") && text.iter().filter(|byte| **byte == b'.').count() >= 2
}

fn has(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|window| window == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_tokens_leave_a_path_and_everything_else_stays() {
        let key = format!("sk_live_0123456789abcdef_{}", "x".repeat(43));
        let token = format!("eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ6b2UifQ.{}", "x".repeat(86));
        for secret in [key, token] {
            let path = format!("/api/v1/profiles/{secret}/history");
            assert_eq!(without_credentials(&path), "/api/v1/profiles/***/history");
            assert!(holds_credential(format!("\"{secret}\"").as_bytes()));
        }
        for plain in ["/api/v1/profiles/01900000-0000-7000-8000-000000000001", "/sk_live_", "/a.b.c/eyJ", ""]
        {
            assert_eq!(without_credentials(plain), plain);
        }
    }
}
