//! The ids of assessments and businesses.

use pando_clock::Timestamp;
use unicode_normalization::UnicodeNormalization as _;
use uuid::Uuid;

/// The id of an assessment, as its callers see it.
pub(crate) fn assessment(id: Uuid) -> String {
    format!("risk_{}", id.simple())
}

/// The assessment that a caller names.
pub(crate) fn parse_assessment(text: &str) -> Option<Uuid> {
    parse("risk_", text)
}

/// The thing of a kind, such as `backtest_`, that a caller names.
pub(crate) fn parse(prefix: &str, text: &str) -> Option<Uuid> {
    simple(text.strip_prefix(prefix)?)
}

/// The id of a business, as its callers see it.
pub(crate) fn business(id: Uuid) -> String {
    format!("biz_{}", id.simple())
}

/// The id of a batch, as its callers see it.
pub(crate) fn batch(id: Uuid) -> String {
    format!("batch_{}", id.simple())
}

/// The batch that a caller names.
pub(crate) fn parse_batch(text: &str) -> Option<Uuid> {
    simple(text.strip_prefix("batch_")?)
}

/// The id of a monitoring, as its callers see it.
pub(crate) fn monitoring(id: Uuid) -> String {
    format!("mon_{}", id.simple())
}

/// The monitoring that a caller names.
pub(crate) fn parse_monitoring(text: &str) -> Option<Uuid> {
    simple(text.strip_prefix("mon_")?)
}

/// The business that a caller names.
pub(crate) fn parse_business(text: &str) -> Option<Uuid> {
    simple(text.strip_prefix("biz_")?)
}

/// The business with this name, address and country: the same ones give the same id, however they are written.
pub(crate) fn of_business(name: &str, address: &str, country: &str) -> Uuid {
    let mut hasher = blake3::Hasher::new_derive_key("pando risk business 1");
    for text in [name, address, country] {
        let folded: String = text.nfkc().flat_map(char::to_lowercase).collect();
        let words: Vec<&str> = folded.split_whitespace().collect();
        hasher.update(words.join(" ").as_bytes()).update(&[0]);
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

/// The moment in which an assessment was made: its id begins with it. So a read by id looks into one month.
pub(crate) fn moment_of(id: Uuid) -> Timestamp {
    let millis = id.as_u128() >> 80;
    Timestamp::from_micros(i64::try_from(millis).unwrap_or(0) * 1_000)
}

/// One form for each id, so that two texts never mean the same thing.
fn simple(text: &str) -> Option<Uuid> {
    let plain = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    plain.then(|| Uuid::parse_str(text).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_business_has_the_same_id_however_it_is_written() {
        let one = of_business("Müller GmbH", "Hauptstrasse 1,  Bern", "CH");
        assert_eq!(one, of_business("MÜLLER  gmbh", "hauptstrasse 1, bern", "CH"));
        assert_ne!(one, of_business("Müller GmbH", "Hauptstrasse 1, Bern", "DE"));
        assert_ne!(of_business("a b", "c", "CH"), of_business("a", "b c", "CH"));
    }

    #[test]
    fn an_id_tells_its_moment() {
        let id = Uuid::parse_str("019b76da-a800-7000-8000-000000000005").unwrap();
        assert_eq!(moment_of(id).to_string(), "2026-01-01T00:00:00.000000Z");
        assert_eq!(parse_assessment(&assessment(id)), Some(id));
        assert_eq!(parse_assessment("risk_1"), None);
    }
}
