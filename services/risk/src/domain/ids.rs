//! The ids of things, and what an id tells.

use pando_clock::Timestamp;
use pando_service::IdForm;
use unicode_normalization::UnicodeNormalization as _;
use uuid::Uuid;

/// The ids of each kind of things, as callers see them.
pub(crate) const ALERT: IdForm = IdForm::new("alert_");
pub(crate) const ASSESSMENT: IdForm = IdForm::new("risk_");
pub(crate) const BACKTEST: IdForm = IdForm::new("backtest_");
pub(crate) const BATCH: IdForm = IdForm::new("batch_");
pub(crate) const BUSINESS: IdForm = IdForm::new("biz_");
pub(crate) const CASE: IdForm = IdForm::new("case_");
pub(crate) const COMPLIANCE_CHECK: IdForm = IdForm::new("comp_");
pub(crate) const LIST: IdForm = IdForm::new("list_");
pub(crate) const MONITORING: IdForm = IdForm::new("mon_");

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
        assert_eq!(ASSESSMENT.parse(&ASSESSMENT.show(id)), Some(id));
    }
}
