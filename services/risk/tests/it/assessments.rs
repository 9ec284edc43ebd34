//! Single assessments.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::{business, each_house, path};

#[tokio::test]
async fn an_assessment_is_read_as_it_was_made() {
    each_house(async |house| {
        let made = house.assess(&business("Acme Trading Ltd")).await;
        assert!(made["id"].as_str().unwrap().starts_with("risk_"));
        assert!(made["business_id"].as_str().unwrap().starts_with("biz_"));
        for number in ["risk_score", "confidence_score"] {
            assert!((0.0..=1.0).contains(&made[number].as_f64().unwrap()), "{number}");
        }
        assert!(["low", "medium", "high", "critical"].contains(&made["risk_level"].as_str().unwrap()));
        assert!(["approve", "review", "decline"].contains(&made["decision"].as_str().unwrap()));
        assert_eq!((&made["status"], &made["prediction_horizon"]), (&json!("completed"), &json!(3)));
        for field in ["created_at", "updated_at"] {
            made[field].as_str().unwrap().parse::<pando_clock::Timestamp>().unwrap();
        }
        let factor = &made["risk_factors"][0];
        for (field, is_right) in [
            ("category", Value::is_string as fn(&Value) -> bool),
            ("subcategory", Value::is_string),
            ("name", Value::is_string),
            ("score", Value::is_f64),
            ("weight", Value::is_f64),
            ("description", Value::is_string),
            ("source", Value::is_string),
            ("confidence", Value::is_f64),
            ("impact", Value::is_f64),
            ("mitigation", Value::is_string),
            ("last_updated", Value::is_string),
        ] {
            assert!(is_right(&factor[field]), "{field}: {factor}");
        }
        let metadata = &made["metadata"];
        assert_eq!(metadata["model_type"], "gradient_boosting");
        assert_eq!(metadata["levels"], json!({"medium": 0.3, "high": 0.6, "critical": 0.8}));
        assert_eq!(house.get(&path(&made, "")).await.json(), made);
        for missing in ["risk_00000000000000000000000000000000", "nothing"] {
            let answer = house.get(&format!("/v1/assess/{missing}")).await;
            assert_eq!((answer.status.as_u16(), &answer.json()["error"]["code"]), (404, &json!("NOT_FOUND")));
        }
    })
    .await;
}

#[tokio::test]
async fn the_contributions_add_up_to_the_score_exactly() {
    each_house(async |house| {
        for (number, model) in ["gradient_boosting", "sequence", "ensemble", "auto"].iter().enumerate() {
            let mut asked = business(&format!("Acme {number} Ltd"));
            asked["model_type"] = json!(model);
            let made = house.assess(&asked).await;
            let path = format!("/v1/explain/{}", made["id"].as_str().unwrap());
            let explanation = house.get(&path).await.json()["explanation"].clone();
            let number = |value: &Value| value.as_f64().unwrap();
            let parts = explanation["feature_contributions"].as_array().unwrap();
            let sum = parts
                .iter()
                .fold(number(&explanation["base"]), |sum, part| sum + number(&part["contribution"]));
            assert_eq!(sum.to_bits(), number(&explanation["log_odds"]).to_bits(), "{model}");
            let score = 1.0 / (1.0 + (-sum).exp());
            assert!((score - number(&made["risk_score"])).abs() < 1e-12, "{model}");
            assert_eq!(explanation["overall_risk_score"], made["risk_score"]);
        }
    })
    .await;
}

#[tokio::test]
async fn earlier_assessments_of_a_business_count() {
    each_house(async |house| {
        let first = house.assess(&business("Acme Ltd")).await;
        house.parts.clock.advance(Duration::from_secs(60));
        let second = house.assess(&business("ACME  ltd")).await;
        assert_eq!(first["business_id"], second["business_id"], "it is the same business");
        let other = house.assess(&business("Other Ltd")).await;
        assert_ne!(first["business_id"], other["business_id"]);
        let value = async |assessment: &Value, feature: &str| {
            let path = format!("/v1/explain/{}", assessment["id"].as_str().unwrap());
            let explanation = house.get(&path).await.json();
            let all = explanation["explanation"]["feature_contributions"].as_array().unwrap().clone();
            all.into_iter().find(|one| one["feature_name"] == feature).unwrap()["value"].clone()
        };
        assert_eq!(value(&first, "assessed_1h").await, 0.0);
        assert_eq!(value(&first, "last_score").await, Value::Null, "it is missing, not zero");
        assert_eq!(value(&second, "assessed_1h").await, 1.0);
        assert_eq!(value(&second, "earlier_count").await, 1.0);
        assert_eq!(value(&other, "assessed_1h").await, 0.0);
        assert_eq!(value(&other, "same_address_7d").await, 1.0, "another business was at this address");
        assert_eq!(value(&other, "same_phone_7d").await, 1.0);

        let history = house.get(&path(&second, "/history")).await.json();
        let ids: Vec<&Value> =
            history["assessments"].as_array().unwrap().iter().map(|one| &one["id"]).collect();
        assert_eq!(ids, [&second["id"], &first["id"]]);
        assert_eq!(history["business_id"], first["business_id"]);
        for trend in ["score_trend", "level_trend", "confidence_trend"] {
            let trend = history["trends"][trend].as_str().unwrap();
            assert!(["improving", "stable", "deteriorating"].contains(&trend));
        }
    })
    .await;
}

#[tokio::test]
async fn assessments_are_listed_page_by_page() {
    each_house(async |house| {
        let mut made = Vec::new();
        for number in 0..5 {
            made.push(house.assess(&business(&format!("Acme {number}"))).await["id"].clone());
            house.parts.clock.advance(Duration::from_millis(7));
        }
        made.reverse();
        let ids = |page: &Value| -> Vec<Value> {
            page["assessments"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect()
        };
        let page = house.get("/v1/assess?limit=2").await.json();
        assert_eq!((ids(&page), &page["total"]), (made[..2].to_vec(), &json!(5)));
        let next = page["next"].as_str().unwrap();
        let page = house.get(&format!("/v1/assess?limit=2&cursor={next}")).await.json();
        assert_eq!(ids(&page), made[2..4]);
        let page = house.get("/v1/assess?limit=2&offset=3&status=completed").await.json();
        assert_eq!((ids(&page), &page["next"]), (made[3..].to_vec(), &Value::Null));
        assert_eq!(house.get("/v1/assess?status=pending").await.json()["total"], 0);
        assert_eq!(house.get("/v1/assess?limit=0").await.status, 400);
    })
    .await;
}

#[tokio::test]
async fn every_bad_field_is_named_in_the_published_form() {
    each_house(async |house| {
        let bad = json!({"business_name": "", "country": "XX", "phone": "1", "prediction_horizon": 99});
        let answer = house.server.post("/api/v1/assess", &bad).await;
        assert_eq!(answer.status, 400);
        let error = answer.json()["error"].clone();
        assert_eq!(error["code"], "VALIDATION_ERROR");
        let codes: Vec<&str> =
            error["validation"].as_array().unwrap().iter().map(|one| one["code"].as_str().unwrap()).collect();
        let expected = [
            "INVALID_BUSINESS_NAME",
            "INVALID_BUSINESS_ADDRESS",
            "INVALID_INDUSTRY",
            "INVALID_COUNTRY",
            "INVALID_PHONE",
            "INVALID_PREDICTION_HORIZON",
        ];
        assert_eq!(codes, expected);
        assert_eq!(house.get("/v1/assess").await.json()["total"], 0);
    })
    .await;
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_assessment() {
    each_house(async |house| {
        let key = [("idempotency-key", "one")];
        let ask = async || house.ask(Method::POST, "/v1/assess", &key, &business("Acme")).await;
        let (first, second) = (ask().await, ask().await);
        assert_eq!(first.json(), second.json());
        assert_eq!(second.headers["idempotent-replayed"], "true");
        assert_eq!(house.get("/v1/assess").await.json()["total"], 1);
    })
    .await;
}

#[tokio::test]
async fn a_model_shows_the_sample_on_which_it_was_measured() {
    each_house(async |house| {
        for (name, kind) in [("xgboost", "gradient_boosting"), ("lstm", "sequence"), ("ensemble", "ensemble")]
        {
            let info = house.get(&format!("/v1/models/{name}/info")).await.json();
            assert_eq!(info["type"], kind);
            for figure in ["accuracy", "precision", "recall", "f1_score"] {
                assert!((0.0..=1.0).contains(&info[figure].as_f64().unwrap()), "{figure}");
            }
            assert!(info["metadata"]["held_out"].is_object() && info["features"].is_array());
        }
        assert_eq!(house.get("/v1/models/magic/info").await.status, 404);
        assert_eq!(house.get("/v1/models/info").await.json()["models"].as_object().unwrap().len(), 3);
    })
    .await;
}
