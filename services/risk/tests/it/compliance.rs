//! Checks of compliance.

use pando_risk::RiskOptions;
use serde_json::{Value, json};

use crate::{House, business, each_house, each_house_with};

async fn check(house: &House, body: &Value) -> Value {
    let answer = house.server.post("/v1/compliance/check", body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// The status of one check.
fn status<'a>(found: &'a Value, kind: &str) -> &'a Value {
    &found["checks"].as_array().unwrap().iter().find(|one| one["type"] == kind).unwrap()["status"]
}

#[tokio::test]
async fn a_sound_business_passes_and_no_event_is_published() {
    each_house(async |house| {
        let mut sound = business("Quiet Meadow Bakery Ltd");
        sound["metadata"]["employee_count"] = json!(12);
        let found = check(&house, &sound).await;
        assert_eq!(found["checks"].as_array().unwrap().len(), 3);
        assert_eq!(
            (&found["compliance_status"], &found["status"]),
            (&json!("passed"), &json!("passed")),
            "{found}"
        );
        assert_eq!((&found["risk_level"], &found["check_type"]), (&json!("low"), &json!("comprehensive")));
        let made = house.assess(&sound).await;
        assert_eq!(found["business_id"], made["business_id"]);
        assert_eq!(house.events("compliance.alert").await, 0);
    })
    .await;
}

#[tokio::test]
async fn each_rule_has_its_effect() {
    each_house(async |house| {
        let with = |changes: Value| {
            let mut changed = business("Quiet Meadow Bakery Ltd");
            changed.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            changed
        };
        for (changes, kind, expected) in [
            (json!({}), "kyc", "passed"),
            (json!({"phone": "+41446681800"}), "kyc", "warning"),
            (json!({"metadata": {}, "website": ""}), "kyc", "warning"),
            (json!({"phone": "+41446681800", "website": "https://other.example"}), "kyc", "failed"),
            (json!({"industry": "Crypto exchange"}), "aml", "warning"),
            (json!({"country": "BG", "phone": ""}), "aml", "warning"),
            (json!({"country": "IR", "phone": ""}), "aml", "failed"),
            (json!({"business_name": "Viktor Zabolotnikov", "country": "RU"}), "sanctions", "failed"),
            (json!({"business_name": "Viktor Zabolotnikov", "country": "RU"}), "aml", "failed"),
        ] {
            let found = check(&house, &with(changes.clone())).await;
            assert_eq!(status(&found, kind), expected, "{changes}: {found}");
        }
        assert_eq!(house.events("compliance.alert").await, 4);
        assert_eq!(house.get("/v1/assess").await.json()["total"], 0, "a check keeps no assessment");
    })
    .await;
}

#[tokio::test]
async fn the_other_published_form_names_an_entity() {
    each_house(async |house| {
        let named =
            json!({"entity_name": "Viktor Zabolotnikov", "entity_type": "individual", "country": "RU"});
        let found = check(&house, &named).await;
        assert_eq!(
            (status(&found, "sanctions"), status(&found, "aml")),
            (&json!("failed"), &json!("passed"))
        );
        assert_eq!(found["risk_level"], "high");
        let vessel = json!({"entity_name": "Viktor Zabolotnikov", "entity_type": "vessel"});
        let found = check(&house, &vessel).await;
        assert_eq!(
            (&found["status"], &found["check_type"]),
            (&json!("passed"), &json!("sanctions")),
            "a person is no ship"
        );
        let bad =
            json!({"entity_name": " ", "entity_type": "ghost", "country": "XX", "compliance_types": ["kyc"]});
        let answer = house.server.post("/v1/compliance/check", &bad).await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()["error"]["validation"].as_array().unwrap().len()),
            (400, 4)
        );
        let answer = house.server.post("/v1/compliance/check", &json!({"compliance_types": []})).await;
        assert_eq!(answer.json()["error"]["validation"].as_array().unwrap().len(), 5, "{answer:?}");
    })
    .await;
}

#[tokio::test]
async fn without_a_list_sanctions_are_not_checked() {
    each_house_with(RiskOptions::default(), async |house| {
        let asked = business("Quiet Meadow Bakery Ltd");
        assert_eq!(house.server.post("/v1/compliance/check", &asked).await.status, 503);
        let mut asked = asked;
        asked["compliance_types"] = json!(["kyc"]);
        let found = check(&house, &asked).await;
        assert_eq!((&found["check_type"], &found["status"]), (&json!("kyc"), &json!("passed")));
    })
    .await;
}
