//! Predictions for several horizons, and the measurements of the models.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{House, business, each_house};

async fn ask(house: &House, more: &Value) -> Value {
    let mut asked = business("Acme Ltd");
    asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let answer = house.server.post("/v1/risk/predict-advanced", &asked).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn every_horizon_has_the_score_that_its_model_gives() {
    each_house(async |house| {
        let more = json!({
            "prediction_horizons": [3, 12], "include_model_comparison": true, "include_temporal_analysis": true,
            "include_scenario_analysis": true, "custom_scenarios": [{"name": "strike", "changes": {"annual_revenue_log": -1}}],
        });
        let found = ask(&house, &more).await;
        let (near, far) = (&found["predictions"]["3"], &found["predictions"]["12"]);
        assert_eq!((&near["model_type"], &far["model_type"]), (&json!("gradient_boosting"), &json!("sequence")));
        let compared = &found["model_comparison"]["horizons"];
        assert_eq!(compared["3"]["xgboost_prediction"]["predicted_score"], near["predicted_score"]);
        assert_eq!(compared["12"]["lstm_prediction"]["predicted_score"], far["predicted_score"]);
        for months in ["3", "12"] {
            let scores = ["xgboost_prediction", "lstm_prediction", "ensemble_prediction"]
                .map(|model| compared[months][model]["predicted_score"].as_f64().unwrap());
            let spread = scores.iter().copied().fold(0.0, f64::max) - scores.iter().copied().fold(1.0, f64::min);
            assert!((spread - compared[months]["score_difference"].as_f64().unwrap()).abs() < 1e-12);
            let agreement = found["model_comparison"]["agreement_analysis"]["agreement_by_horizon"][months].clone();
            assert!((agreement.as_f64().unwrap() - (1.0 - spread)).abs() < 1e-12);
        }
        let names: Vec<&Value> =
            near["scenario_analysis"].as_array().unwrap().iter().map(|one| &one["scenario_name"]).collect();
        assert_eq!(names, ["optimistic", "base", "pessimistic", "strike"]);
        assert_eq!(found["scenario_analysis"].as_array().unwrap().len(), 8, "four scenarios for each of two horizons");
        assert_eq!(found["temporal_analysis"]["volatility_analysis"]["sample_size"], 0);
        assert!(found["processing_time"].as_u64().unwrap() > 0);
        assert!(found["request_id"].as_str().unwrap().starts_with("adv_pred_"));
        // The same business gets the same score when it is assessed.
        let made = house.assess(&business("Acme Ltd")).await;
        assert_eq!(made["risk_score"], near["predicted_score"]);
        assert_eq!(made["business_id"], found["business_id"]);
    })
    .await;
}

#[tokio::test]
async fn the_threshold_parts_predictions_and_parts_are_left_out_that_nobody_asks_for() {
    each_house(async |house| {
        house.assess(&business("Acme Ltd")).await;
        house.parts.clock.advance(Duration::from_secs(3_600));
        house.assess(&business("Acme Ltd")).await;
        for (threshold, low, high) in [(0.0, json!([]), json!([1, 24])), (1.0, json!([1, 24]), json!([]))] {
            let more = json!({"prediction_horizons": [24, 1, 1], "confidence_threshold": threshold});
            let found = ask(&house, &more).await;
            let parted = &found["confidence_analysis"];
            assert_eq!(
                (&parted["low_confidence_predictions"], &parted["high_confidence_predictions"]),
                (&low, &high)
            );
            let calibration = parted["calibration_score"].as_f64().unwrap();
            assert!((0.9..1.0).contains(&calibration), "{calibration}");
            assert_eq!((&found["model_comparison"], &found["scenario_analysis"]), (&Value::Null, &json!([])));
        }
        let more = json!({"prediction_horizons": [3], "include_temporal_analysis": true});
        let found = ask(&house, &more).await;
        assert_eq!(found["temporal_analysis"]["volatility_analysis"]["sample_size"], 2);
    })
    .await;
}

#[tokio::test]
async fn every_bad_field_of_an_advanced_prediction_is_named() {
    each_house(async |house| {
        let bad = json!({
            "business_name": "", "prediction_horizons": [0], "confidence_threshold": 2, "model_preference": "magic",
            "custom_scenarios": ["?"],
        });
        let answer = house.server.post("/v1/risk/predict-advanced", &bad).await;
        assert_eq!(answer.status, 400);
        let error = answer.json()["error"].clone();
        let fields: Vec<&str> =
            error["validation"].as_array().unwrap().iter().map(|one| one["field"].as_str().unwrap()).collect();
        let expected = [
            "prediction_horizons",
            "model_preference",
            "confidence_threshold",
            "custom_scenarios[0]",
            "business_name",
            "business_address",
            "industry",
            "country",
        ];
        assert_eq!(fields, expected);
    })
    .await;
}

#[tokio::test]
async fn the_performance_of_models_is_what_this_process_measured() {
    each_house(async |house| {
        let before = house.get("/v1/models/performance").await.json();
        let none = &before["models"]["sequence"];
        assert_eq!(
            (&none["request_count"], &none["latency_p50"], &none["error_rate"]),
            (&json!(0), &Value::Null, &Value::Null)
        );
        assert_eq!(before["overall_metrics"]["average_latency"], Value::Null);
        for number in 0..3 {
            house.assess(&business(&format!("Acme {number}"))).await;
        }
        let after = house.get("/v1/models/performance").await.json();
        let trees = &after["models"]["gradient_boosting"];
        assert_eq!(
            (&trees["request_count"], &after["overall_metrics"]["total_requests"]),
            (&json!(3), &json!(3))
        );
        let latency = |name: &str| trees[name].as_u64().unwrap();
        assert!(latency("latency_p50") > 0 && latency("latency_p50") <= latency("latency_p95"));
        assert!(latency("latency_p95") <= latency("latency_p99"));
        assert_eq!(trees["error_rate"], 0.0);
        let info = house.get("/v1/models/xgboost/info").await.json();
        assert_eq!(
            (&trees["accuracy"], &after["overall_metrics"]["overall_accuracy"]),
            (&info["accuracy"], &info["accuracy"])
        );
        assert!(trees["throughput"].as_f64().unwrap() > 0.0 && trees["memory_usage"].as_u64().unwrap() > 0);
        assert_eq!(after["since"], "2026-01-01T00:00:00.000000Z");
    })
    .await;
}
