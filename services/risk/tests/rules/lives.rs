//! Versions of a ruleset, and the comparison of two of them.

use pando_risk::rules::{
    Change, Outcome, Publication, Ruleset, State, Summary, Version, VersionError, compare,
};
use serde_json::{Value, json};

use super::parsed;

fn shipped() -> Value {
    serde_json::from_str(Ruleset::default_document()).unwrap()
}

fn tested(number: u64, ruleset: &Ruleset) -> Version {
    Version::draft(number, ruleset).test(ruleset).unwrap()
}

#[test]
fn a_version_is_tested_published_retired_and_rolled_back_to() {
    let (first, mut document) = (parsed(&shipped()), shipped());
    document["description"] = json!("Another one.");
    let second = parsed(&document);
    let one = tested(1, &first).publish(None).unwrap().published;
    assert_eq!(one.state, State::Published);
    let Publication { published: two, retired } = tested(2, &second).publish(Some(one)).unwrap();
    let one = retired.unwrap();
    assert_eq!((one.state, two.state), (State::Retired, State::Published));
    let Publication { published: three, retired } = one.roll_back(3, two).unwrap();
    assert_eq!(retired.unwrap().state, State::Retired);
    assert_eq!((three.number, three.hash.as_str(), three.state), (3, first.hash(), State::Published));
    assert_eq!((three.restores, three.rolled_back_from), (Some(1), Some(2)));
    let stored = serde_json::to_value(&three).unwrap();
    assert_eq!(serde_json::from_value::<Version>(stored).unwrap(), three);
}

#[test]
fn steps_that_are_not_allowed_are_refused() {
    let ruleset = parsed(&shipped());
    let draft = Version::draft(1, &ruleset);
    let error = draft.clone().publish(None).unwrap_err();
    assert_eq!(error.to_string(), "version 1 is Draft and cannot be published");
    let live = tested(1, &ruleset).publish(None).unwrap().published;
    assert!(matches!(live.clone().test(&ruleset), Err(VersionError::State { step: "tested", .. })));
    assert!(matches!(live.roll_back(2, live.clone()), Err(VersionError::State { .. })));
    assert_eq!(tested(2, &ruleset).publish(Some(draft)).unwrap_err(), VersionError::NotLive(1));
    assert_eq!(
        tested(1, &ruleset).publish(Some(live.clone())).unwrap_err(),
        VersionError::Number { number: 1, live: 1 }
    );
    let next = tested(2, &ruleset).publish(Some(live)).unwrap();
    assert!(matches!(next.retired.unwrap().roll_back(2, next.published), Err(VersionError::Number { .. })));
}

#[test]
fn a_ruleset_that_fails_its_tests_or_has_none_is_not_tested() {
    let mut document = shipped();
    document["tests"][0]["expect"]["decision"] = json!("decline");
    let ruleset = parsed(&document);
    let Err(VersionError::TestsFailed(failures)) = Version::draft(1, &ruleset).test(&ruleset) else {
        panic!("the tests passed");
    };
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].message, "the decision is `approve`, not `decline`");
    let other = parsed(&shipped());
    assert!(matches!(Version::draft(1, &ruleset).test(&other), Err(VersionError::OtherDocument { .. })));
    document["tests"] = json!([]);
    let ruleset = parsed(&document);
    assert_eq!(Version::draft(1, &ruleset).test(&ruleset), Err(VersionError::NoTests));
}

#[test]
fn the_hash_is_of_the_content_and_not_of_its_layout() {
    let document = shipped();
    let pretty = serde_json::to_string_pretty(&document).unwrap();
    let hash = parsed(&document).hash().to_owned();
    assert_eq!(hash.len(), 64);
    assert_eq!(Ruleset::parse(&pretty).unwrap().hash(), hash);
    let reordered = pretty.replacen("\"critical\": 0.8", "\"critical\": 0.80", 1);
    assert_ne!(reordered, pretty);
    assert_eq!(Ruleset::parse(&reordered).unwrap().hash(), hash);
    let changed = pretty.replacen("\"critical\": 0.8", "\"critical\": 0.81", 1);
    assert_ne!(Ruleset::parse(&changed).unwrap().hash(), hash);
}

#[test]
fn a_comparison_names_the_differences_and_a_summary_counts_them() {
    let live = parsed(&shipped());
    let mut document = shipped();
    document["levels"]["high"] = json!(0.5);
    // The score table: high scores are reviewed.
    let rule = &mut document["nodes"][3]["content"]["rules"][1];
    assert_eq!(rule["_id"], "high");
    rule["decision"] = json!("'review'");
    rule["code"] = json!("'score_doubtful'");
    let candidate = parsed(&document);
    let request = |score: f64| {
        let mut request = shipped()["tests"][0]["input"].clone();
        request["score"] = json!(score);
        request
    };
    let difference = compare(&live, &candidate, &request(0.55));
    assert_eq!(difference.outcome, Change { live: Outcome::Approve, candidate: Outcome::Review });
    assert_eq!(
        serde_json::to_value(difference.level).unwrap(),
        json!({"live": "medium", "candidate": "high"})
    );
    assert_eq!(
        (difference.reasons.added.as_slice(), difference.reasons.removed.as_slice()),
        (["score_doubtful".to_owned()].as_slice(), ["score_medium".to_owned()].as_slice())
    );
    assert!(compare(&live, &candidate, &request(0.1)).is_empty());
    let bad = compare(&live, &candidate, &request(2.0));
    assert_eq!(
        (bad.outcome.live, bad.outcome.candidate, bad.is_empty()),
        (Outcome::Failed, Outcome::Failed, true)
    );
    let (mut summary, mut other) = (Summary::default(), Summary::default());
    for step in 0..100 {
        let request = request(f64::from(step) / 100.0);
        let part = if step < 50 { &mut summary } else { &mut other };
        part.add(&step.to_string(), compare(&live, &candidate, &request));
    }
    summary.merge(other);
    assert_eq!((summary.compared, summary.different, summary.levels_changed), (100, 30, 10));
    assert_eq!(summary.examples.len(), 20);
    assert_eq!(
        serde_json::to_value(&summary.outcomes).unwrap(),
        json!({"approve": {"approve": 50, "review": 30}, "review": {"review": 20}})
    );
    assert_eq!((summary.reasons_added["score_doubtful"], summary.reasons_removed["score_high"]), (30, 20));
}
