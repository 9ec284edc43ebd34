//! The names of endpoints and deliveries in requests and answers.

use uuid::Uuid;

/// The id of an endpoint, as its callers see it.
pub(crate) fn webhook(id: Uuid) -> String {
    format!("wh_{}", id.simple())
}

/// The id of an event: the same in every delivery of it.
pub(crate) fn event(id: Uuid) -> String {
    format!("evt_{}", id.simple())
}

/// The id of a delivery: of one event to one endpoint.
pub(crate) fn delivery(webhook: Uuid, event: Uuid) -> String {
    format!("dlv_{}{}", webhook.simple(), event.simple())
}

/// The endpoint that a caller names.
pub(crate) fn parse_webhook(text: &str) -> Option<Uuid> {
    simple(text.strip_prefix("wh_")?)
}

/// The endpoint and the event of the delivery that a caller names.
pub(crate) fn parse_delivery(text: &str) -> Option<(Uuid, Uuid)> {
    let text = text.strip_prefix("dlv_")?;
    Some((simple(text.get(..32)?)?, simple(text.get(32..)?)?))
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
    fn an_id_is_read_as_it_is_written_and_in_no_other_way() {
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(u128::MAX));
        assert_eq!(parse_webhook(&webhook(one)), Some(one));
        assert_eq!(parse_delivery(&delivery(one, other)), Some((one, other)));
        let upper = webhook(other).to_uppercase().replace("WH_", "wh_");
        for text in ["", "wh_", "wh_1", &upper, &other.to_string(), &delivery(one, other)] {
            assert_eq!(parse_webhook(text), None, "{text}");
        }
        for text in ["dlv_", &webhook(one), &delivery(one, other)[..67], "dlv_é"] {
            assert_eq!(parse_delivery(text), None, "{text}");
        }
    }
}
