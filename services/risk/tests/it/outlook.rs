//! Predictions, scenarios and simulations.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::{House, business, each_house, path};

/// Two assessments of a business, of which the second one knows an earlier score.
async fn assessed(house: &House) -> Value {
    house.assess(&business("Acme Ltd")).await;
    house.parts.clock.advance(Duration::from_secs(86_400));
    house.assess(&business("Acme Ltd")).await
}

#[tokio::test]
async fn a_prediction_is_the_score_of_the_stored_features_at_another_horizon() {
    each_house(async |house| {
        let made = assessed(&house).await;
        let ask = async |body: &Value| house.server.post(&path(&made, "/predict"), body).await;
        let same = ask(&json!({"horizon_months": 3})).await.json();
        assert_eq!(same["predicted_score"], made["risk_score"], "nothing but the horizon changes");
        assert_eq!(same["business_id"], made["business_id"]);
        let later = ask(&json!({"horizon_months": 24})).await.json();
        assert_eq!(later["metadata"]["model_type"], "sequence");
        assert_ne!(later["predicted_score"], made["risk_score"]);
        let names = |answer: &Value, list: &str, name: &str| -> Vec<String> {
            let items = answer[list].as_array().unwrap();
            items.iter().map(|one| one[name].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names(&later, "scenarios", "name"), ["optimistic", "base", "pessimistic"]);
        assert_eq!(names(&later, "scenario_analysis", "scenario_name"), names(&later, "scenarios", "name"));
        let base = &later["scenario_analysis"][1];
        assert_eq!((&base["risk_score"], &base["impact"]), (&later["predicted_score"], &json!("none")));
        assert_eq!(base["probability"], Value::Null, "nobody knows it");
        assert_eq!(later["trend_analysis"]["sample_size"], 2);
        assert!(later["key_factors"][0]["factor"].is_string());
        let none = ask(&json!({"scenarios": [], "include_temporal_analysis": false})).await.json();
        assert_eq!((&none["scenarios"], &none["trend_analysis"]), (&json!([]), &Value::Null));
    })
    .await;
}

#[tokio::test]
async fn an_event_says_that_a_prediction_has_changed_and_only_then() {
    each_house(async |house| {
        let made = assessed(&house).await;
        let ask = async |body: Value| {
            let answer = house.server.post(&path(&made, "/predict"), &body).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            answer.json()["version"].clone()
        };
        assert_eq!(ask(json!({"horizon_months": 6})).await, 1);
        assert_eq!(ask(json!({"horizon_months": 6})).await, 1, "it has not changed");
        assert_eq!(ask(json!({"horizon_months": 7})).await, 1, "it is another horizon");
        assert_eq!(ask(json!({"horizon_months": 6, "model_type": "xgboost"})).await, 2);
        assert_eq!(house.events("prediction.updated").await, 3);
    })
    .await;
}

#[tokio::test]
async fn bad_predictions_are_refused_with_their_published_codes() {
    each_house(async |house| {
        let made = house.assess(&business("Acme Ltd")).await;
        for (body, code) in [
            (json!({"horizon_months": 0}), "INVALID_PREDICTION_HORIZON"),
            (json!({"horizon_months": 25}), "INVALID_PREDICTION_HORIZON"),
            (json!({"scenarios": vec!["base"; 11]}), "TOO_MANY_SCENARIOS"),
            (json!({"scenarios": ["x".repeat(51)]}), "INVALID_SCENARIO_NAME"),
            (json!({"scenarios": ["never heard of it"]}), "INVALID_SCENARIO_NAME"),
        ] {
            let answer = house.server.post(&path(&made, "/predict"), &body).await;
            assert_eq!(
                (answer.status.as_u16(), &answer.json()["error"]["validation"][0]["code"]),
                (400, &json!(code))
            );
        }
        for missing in ["risk_00000000000000000000000000000000", "nothing"] {
            let answer = house.server.post(&format!("/v1/assess/{missing}/predict"), &json!({})).await;
            assert_eq!(answer.status, 404);
        }
    })
    .await;
}

#[tokio::test]
async fn the_same_seed_gives_the_same_bytes() {
    each_house(async |house| {
        let made = assessed(&house).await;
        let ask = async |seed: Option<u64>, runs: u32| {
            let body = json!({"business_id": made["business_id"], "monte_carlo_runs": runs, "seed": seed});
            let answer = house.ask(Method::POST, "/v1/scenarios/analyze", &[], &body).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            answer.body
        };
        let (first, second, other) =
            (ask(Some(7), 500).await, ask(Some(7), 500).await, ask(Some(8), 500).await);
        assert_eq!(first, second);
        assert_ne!(first, other);
        let made_up: Value = serde_json::from_slice(&ask(None, 500).await).unwrap();
        let seed = made_up["monte_carlo_results"]["seed"].as_u64().unwrap();
        let again: Value = serde_json::from_slice(&ask(Some(seed), 500).await).unwrap();
        assert_eq!(again, made_up, "the answer names the seed");
    })
    .await;
}

#[tokio::test]
async fn a_simulation_has_the_figures_of_its_runs_and_of_stress_cases() {
    each_house(async |house| {
        let made = assessed(&house).await;
        let body = json!({
            "assessment_id": made["id"], "monte_carlo_runs": 300, "seed": 1, "time_horizon": 6,
            "scenarios": [{"name": "strike", "probability": 0.2, "changes": {"annual_revenue_log": -0.2}}],
        });
        let found = house.server.post("/v1/scenarios/analyze", &body).await.json();
        let results = &found["monte_carlo_results"];
        let percentiles: Vec<f64> = ["5th", "10th", "25th", "50th", "75th", "90th", "95th", "99th"]
            .iter()
            .map(|name| results["percentiles"][name].as_f64().unwrap())
            .collect();
        assert!(percentiles.is_sorted() && percentiles[0] < percentiles[7], "{percentiles:?}");
        let shares = results["level_distribution"].as_object().unwrap().values();
        assert!((shares.map(|share| share.as_f64().unwrap()).sum::<f64>() - 1.0).abs() < 1e-9);
        let varied = results["varied_features"].as_array().unwrap();
        assert!(varied.iter().any(|one| one["feature"] == "annual_revenue_log"));
        assert!(varied.iter().all(|one| one["feature"] != "employee_count_log"), "it is not known");
        assert_eq!((&found["scenarios"][0]["probability"], &results["runs"]), (&json!(0.2), &json!(300)));
        let predicted = json!({"horizon_months": 6, "scenarios": ["crisis", "recovery"]});
        let predicted = house.server.post(&path(&made, "/predict"), &predicted).await.json();
        let stress = &found["stress_test_results"];
        assert_eq!(found["base_risk_score"], predicted["predicted_score"]);
        assert_eq!(stress["crisis_scenario"]["risk_score"], predicted["scenarios"][0]["score"]);
        assert_eq!(stress["recovery_scenario"]["risk_score"], predicted["scenarios"][1]["score"]);
    })
    .await;
}

#[tokio::test]
async fn bad_simulations_are_refused() {
    each_house(async |house| {
        let made = house.assess(&business("Acme Ltd")).await;
        for (body, status) in [
            (json!({}), 400),
            (json!({"business_id": made["business_id"], "assessment_id": made["id"]}), 400),
            (json!({"business_id": made["business_id"], "monte_carlo_runs": 10_001}), 400),
            (json!({"business_id": made["business_id"], "monte_carlo_runs": 0}), 400),
            (json!({"business_id": made["business_id"], "seed": -1}), 400),
            (json!({"business_id": made["business_id"], "time_horizon": 25}), 400),
            (json!({"business_id": "biz_00000000000000000000000000000000"}), 404),
            (json!({"business_id": "Acme"}), 404),
            (json!({"assessment_id": "risk_1"}), 404),
        ] {
            assert_eq!(house.server.post("/v1/scenarios/analyze", &body).await.status, status, "{body}");
        }
    })
    .await;
}
