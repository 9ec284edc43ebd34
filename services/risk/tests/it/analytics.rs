//! Trends and insights.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{House, business, each_house};

const DAY: Duration = Duration::from_secs(86_400);

/// Assesses so many businesses of an industry.
async fn assess(house: &House, industry: &str, count: usize) -> Vec<f64> {
    let mut scores = Vec::new();
    for number in 0..count {
        let mut asked = business(&format!("{industry} {number}"));
        asked["industry"] = json!(industry);
        asked["business_address"] = json!(format!("{number} Main Street, Springfield"));
        scores.push(house.assess(&asked).await["risk_score"].as_f64().unwrap());
    }
    scores
}

#[expect(clippy::cast_precision_loss, reason = "a few scores")]
fn mean(scores: &[f64]) -> f64 {
    scores.iter().sum::<f64>() / scores.len() as f64
}

fn near(found: &Value, expected: f64) -> bool {
    (found.as_f64().unwrap() - expected).abs() < 1e-9
}

#[tokio::test]
async fn trends_are_the_sums_of_the_stored_assessments() {
    each_house(async |house| {
        let earlier = assess(&house, "retail", 3).await;
        house.parts.clock.advance(20 * DAY);
        let (later, other) = (assess(&house, "retail", 2).await, assess(&house, "energy", 2).await);
        let found = house.get("/v1/analytics/trends?timeframe=30d").await.json();
        let trends = found["trends"].as_array().unwrap();
        assert_eq!(trends.iter().map(|one| &one["industry"]).collect::<Vec<_>>(), ["retail", "energy"]);
        let all = [&earlier[..], &later].concat();
        assert_eq!(trends[0]["sample_size"], 5);
        assert!(near(&trends[0]["average_risk_score"], mean(&all)));
        let change = 100.0 * (mean(&later) - mean(&earlier)) / mean(&earlier);
        assert!((trends[0]["change_percentage"].as_f64().unwrap() - change).abs() < 1e-6);
        assert_eq!(
            (&trends[1]["change_percentage"], &trends[1]["trend_direction"]),
            (&Value::Null, &Value::Null)
        );
        let summary = &found["summary"];
        assert_eq!((&summary["total_assessments"], &summary["is_sampled"]), (&json!(7), &json!(false)));
        assert!(near(&summary["average_risk_score"], mean(&[&all[..], &other].concat())));
        for (query, total) in [
            ("timeframe=7d", 4),
            ("timeframe=1y&industry=RETAIL", 5),
            ("industry=energy&country=us", 2),
            ("country=CH", 0),
        ] {
            let found = house.get(&format!("/v1/analytics/trends?{query}")).await.json();
            assert_eq!(found["summary"]["total_assessments"], total, "{query}");
        }
        let one = house.get("/v1/analytics/trends?limit=1").await.json();
        assert_eq!(one["trends"].as_array().unwrap().len(), 1);
        for bad in ["timeframe=2d", "limit=0", "limit=1001", "country=USA"] {
            assert_eq!(house.get(&format!("/v1/analytics/trends?{bad}")).await.status, 400, "{bad}");
        }
    })
    .await;
}

#[tokio::test]
async fn insights_come_from_figures() {
    each_house(async |house| {
        let none = house.get("/v1/analytics/insights").await.json();
        assert_eq!((&none["insights"], &none["recommendations"]), (&json!([]), &json!([])));
        assess(&house, "retail", 9).await;
        assess(&house, "energy", 1).await;
        let found = house.get("/v1/analytics/insights").await.json();
        let kinds: Vec<&Value> =
            found["insights"].as_array().unwrap().iter().map(|one| &one["type"]).collect();
        assert!(kinds.contains(&&json!("concentration")), "{found}");
        assert_eq!(found["recommendations"].as_array().unwrap().len(), kinds.len());
        let low = |name: &str| format!("/v1/analytics/insights?{name}=low");
        let one = house.get(&low("risk_level")).await.json();
        assert_eq!(one, house.get(&low("riskLevel")).await.json());
        for bad in ["risk_level=none", "risk_level=low&riskLevel=high", "timeframe=1d"] {
            assert_eq!(house.get(&format!("/v1/analytics/insights?{bad}")).await.status, 400, "{bad}");
        }
    })
    .await;
}
