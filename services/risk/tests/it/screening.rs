//! Screening of names.

use pando_risk::RiskOptions;
use serde_json::json;

use crate::{business, each_house, each_house_with};

#[tokio::test]
async fn a_name_on_the_list_is_found_and_declined() {
    each_house(async |house| {
        let list = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/lists/sample.csv")).unwrap();
        let (list, _) = pando_risk::screening::List::read(
            list.as_bytes(),
            pando_risk::screening::ListFormat::Csv,
            "sample",
        )
        .unwrap();
        let listed = list.entries().iter().find(|entry| entry.name.is_ascii()).unwrap();
        let found = house.server.post("/v1/sanctions/screen", &json!({"business_name": listed.name})).await;
        assert_eq!(found.status, 200, "{found:?}");
        let found = found.json();
        assert_eq!(
            (&found["sanctions_status"], &found["matches"][0]["entry_id"]),
            (&json!("match"), &json!(listed.id))
        );
        assert_eq!(found["matches"][0]["match_type"], "exact");
        let mut asked = business(&listed.name);
        asked["country"] = json!(listed.countries.first().map_or("US", |country| &country[..2]));
        let made = house.assess(&asked).await;
        assert_eq!(made["decision"], "decline", "{made}");
        assert_eq!(made["reasons"][0]["code"], "sanctions_match");
        let clear = json!({"business_name": "Quiet Meadow Bakery"});
        let clear = house.server.post("/v1/sanctions/screen", &clear).await.json();
        assert_eq!((&clear["sanctions_status"], &clear["matches"]), (&json!("clear"), &json!([])));
    })
    .await;
}

#[tokio::test]
async fn without_a_list_nobody_is_clear() {
    each_house_with(RiskOptions::default(), async |house| {
        let answer = house.server.post("/v1/sanctions/screen", &json!({"business_name": "Acme"})).await;
        assert_eq!(answer.status, 503);
        assert_eq!(answer.json()["error"]["code"], "SERVICE_UNAVAILABLE");
        let made = house.assess(&business("Acme")).await;
        assert_eq!(
            (&made["decision"], &made["reasons"][0]["code"]),
            (&json!("review"), &json!("not_screened"))
        );
    })
    .await;
}

#[tokio::test]
async fn a_large_list_is_searched_beside_other_requests_with_the_same_result() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.csv");
    let mut list = "id,name,aliases\n".to_owned();
    for entry in 0..101 {
        let aliases: Vec<String> = (0..1_000).map(|number| format!("Alias{number} Group{entry}")).collect();
        list.push_str(&format!("{entry},Group{entry},{}\n", aliases.join(";")));
    }
    std::fs::write(&path, list).unwrap();
    let options = RiskOptions { lists: vec![path], ..RiskOptions::default() };
    each_house_with(options, async |house| {
        let found =
            house.server.post("/v1/sanctions/screen", &json!({"business_name": "Alias77 Group42"})).await;
        assert_eq!(found.json()["matches"][0]["entry_id"], "42", "{found:?}");
        let made = house.assess(&business("Alias77 Group42")).await;
        assert_eq!(made["decision"], "decline", "{made}");
        let entity = json!({"entity_name": "Alias77 Group42"});
        let checked = house.server.post("/v1/compliance/check", &entity).await.json();
        assert_eq!(checked["compliance_status"], "failed");
    })
    .await;
}
