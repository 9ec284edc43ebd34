//! The names of endpoints and deliveries in requests and answers.

use pando_service::IdForm;
use uuid::Uuid;

/// The ids of endpoints.
pub(crate) const WEBHOOK: IdForm = IdForm::new("wh_");
/// The ids of events: the same in every delivery of one.
pub(crate) const EVENT: IdForm = IdForm::new("evt_");
/// The half of the id of a delivery.
const HALF: IdForm = IdForm::new("");

/// The id of a delivery: of one event to one endpoint.
pub(crate) fn delivery(webhook: Uuid, event: Uuid) -> String {
    format!("dlv_{}{}", HALF.show(webhook), HALF.show(event))
}

/// The endpoint and the event of the delivery that a caller names.
pub(crate) fn parse_delivery(text: &str) -> Option<(Uuid, Uuid)> {
    let text = text.strip_prefix("dlv_")?;
    Some((HALF.parse(text.get(..32)?)?, HALF.parse(text.get(32..)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_is_written_and_in_no_other_way() {
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(u128::MAX));
        assert_eq!(parse_delivery(&delivery(one, other)), Some((one, other)));
        for text in ["dlv_", &WEBHOOK.show(one), &delivery(one, other)[..67], "dlv_é"] {
            assert_eq!(parse_delivery(text), None, "{text}");
        }
    }
}
