//! The ruleset that is shipped.

use pando_risk::rules::Ruleset;
use serde_json::json;

#[test]
fn the_shipped_ruleset_passes_its_own_tests() {
    let ruleset = Ruleset::parse(Ruleset::default_document()).unwrap();
    assert!(ruleset.tests() >= 13);
    assert_eq!(ruleset.run_tests(), []);
}

#[test]
fn the_shipped_policies_have_the_documented_weights() {
    let ruleset = Ruleset::parse(Ruleset::default_document()).unwrap();
    let general = json!({
        "financial": 0.3, "operational": 0.25, "compliance": 0.2, "reputational": 0.15, "regulatory": 0.1,
    });
    for industry in [
        "finance",
        "healthcare",
        "technology",
        "retail",
        "manufacturing",
        "energy",
        "real_estate",
        "transportation",
    ] {
        let (name, policy) = ruleset.policy(industry).unwrap();
        assert_eq!((name, serde_json::to_value(&policy.weights).unwrap()), (industry, general.clone()));
    }
    assert_eq!(ruleset.policy("beekeeping").unwrap().0, "general");
    let (_, fintech) = ruleset.policy("FinTech").unwrap();
    assert_eq!((fintech.weights["regulatory"], fintech.weights["environmental"]), (0.25, 0.02));
}

#[test]
fn the_same_request_has_the_same_bytes_each_time() {
    let document: serde_json::Value = serde_json::from_str(Ruleset::default_document()).unwrap();
    let rulesets = [(); 2].map(|()| Ruleset::parse(Ruleset::default_document()).unwrap());
    for test in document["tests"].as_array().unwrap() {
        let bytes = rulesets.each_ref().map(|ruleset| {
            let verdict = ruleset.evaluate(&test["input"], true);
            verdict.map(|verdict| serde_json::to_string(&verdict).unwrap())
        });
        assert_eq!(bytes[0], bytes[1]);
    }
}
