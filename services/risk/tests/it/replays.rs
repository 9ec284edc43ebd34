//! Decisions that are made again, whatever decides in the meantime.

use std::fs;
use std::path::Path;
use std::time::Duration;

use http::Method;
use pando_clock::Timestamp;
use pando_database::{Query, params};
use pando_queue::Registry;
use pando_risk::{MIGRATIONS, RiskOptions, open, replay_assessments};
use pando_service::testing::{TestHouse, TestServer, call, each_house as each_test_house, still_clock};
use serde_json::{Value, json};

use crate::{business, each_house, path};

/// How many decisions are made again: more in `make prove`.
fn count() -> usize {
    #[expect(clippy::disallowed_methods, reason = "how `make prove` asks for the long form")]
    if std::env::var("PANDO_PROVE").is_ok() { 10_000 } else { 1_000 }
}

/// Writes the shipped model of trees as a second version, with an offset that changes every score.
fn write_second_version(folder: &Path) {
    let mut model: Value =
        serde_json::from_str(include_str!("../../models/gradient_boosting-1.json")).unwrap();
    let mut card: Value =
        serde_json::from_str(include_str!("../../models/gradient_boosting-1.card.json")).unwrap();
    (model["version"], card["version"]) = ("2".into(), "2".into());
    model["offset"] = (1_i64 << 41).into();
    let text = model.to_string();
    card["blake3"] = blake3::hash(text.as_bytes()).to_hex().to_string().into();
    fs::write(folder.join("gradient_boosting-2.card.json"), card.to_string()).unwrap();
    fs::write(folder.join("gradient_boosting-2.json"), text).unwrap();
}

/// A batch of businesses of all kinds: their fields differ, and so do the models that they ask for.
fn batch(first: usize) -> Value {
    let models = ["auto", "gradient_boosting", "sequence", "ensemble"];
    let one = |number: usize| {
        let mut business = business(&format!("Prüfling {} & Söhne", number % 700));
        business["prediction_horizon"] = json!(number % 25);
        business["model_type"] = json!(models[number % 4]);
        business["industry"] = json!(["retail", "fintech", "Real Estate", "mining"][number % 4]);
        business["metadata"]["annual_revenue"] = json!(1_000.5 * (number + 1) as f64);
        if number.is_multiple_of(3) {
            business.as_object_mut().unwrap().remove("phone");
        }
        business
    };
    json!({"requests": (first..first + 100).map(one).collect::<Vec<_>>()})
}

#[tokio::test]
async fn decisions_come_out_the_same_after_another_model_and_other_rules_decide_prove() {
    each_test_house(&[MIGRATIONS], still_clock, async |TestHouse { parts, folder }| {
        let serve = |models: Option<&Path>| {
            let options = RiskOptions {
                sample_list: true,
                models: models.map(Path::to_owned),
                ..RiskOptions::default()
            };
            TestServer::start(&parts, open(&parts, options, &mut Registry::default()).unwrap())
        };
        let before = serve(None);
        for first in (0..count()).step_by(100) {
            let answer = before.post("/v1/assess/batch", &batch(first)).await;
            assert_eq!(answer.json()["completed"], 100);
            parts.clock.advance(Duration::from_millis(1_301));
        }
        write_second_version(folder.path());
        let after = serve(Some(folder.path()));
        let other = after.post("/v1/assess", &business("Other Ltd")).await.json();
        assert_eq!(other["metadata"]["model_version"], "2");
        let start = Timestamp::from_micros(0);
        let database = (&parts.database, &parts.clock);
        let replays = replay_assessments(database, &call(), start, count() + 1).await.unwrap();
        assert_eq!((replays.seen, replays.same), (count() + 1, count() + 1), "{:?}", replays.examples);
        let one = after.get("/v1/assess?limit=1&offset=50").await.json()["assessments"][0].clone();
        let stored = after.get(&path(&one, "")).await;
        let replay = after.get(&path(&one, "/replay")).await.json();
        assert_eq!((&replay["same"], &replay["differences"]), (&json!(true), &json!([])));
        assert_eq!(
            serde_json::to_vec(&replay["replayed"]).unwrap(),
            serde_json::to_vec(&stored.json()).unwrap()
        );
        let wanted = format!("\"replayed\":{}", std::str::from_utf8(&stored.body).unwrap());
        let body = after.get(&path(&one, "/replay")).await.body;
        assert!(std::str::from_utf8(&body).unwrap().contains(&wanted), "the same bytes");
    })
    .await;
}

#[tokio::test]
async fn a_row_that_was_changed_by_hand_is_noticed() {
    each_house(async |house| {
        let made = house.assess(&business("Acme Ltd")).await;
        let change = Query::write("test.change", "update risk_assessments set risk_score = $1");
        let call = call();
        let mut tx = house.parts.database.transaction(&call).await.unwrap();
        tx.execute(&change, params![0.000_001]).await.unwrap();
        tx.commit().await.unwrap();
        let replay = house.get(&path(&made, "/replay")).await.json();
        assert_eq!(replay["same"], false);
        let difference = &replay["differences"][0];
        assert_eq!(difference["pointer"], "/assessment/risk_score");
        assert_eq!((&difference["before"], &difference["after"]), (&json!(0.000_001), &made["risk_score"]));
    })
    .await;
}

#[tokio::test]
async fn an_assessment_without_its_facts_is_said_to_be_not_replayable() {
    each_house(async |house| {
        let made = house.assess(&business("Acme Ltd")).await;
        let database = &house.parts.database;
        let call = call();
        let read = Query::scan("test.read", "select result from risk_assessments");
        let pando_database::Json(mut basis): pando_database::Json<Value> =
            database.read(&call).row(&read, []).await.unwrap().unwrap().get(0).unwrap();
        basis.as_object_mut().unwrap().remove("facts").unwrap();
        let change = Query::write("test.change", "update risk_assessments set result = $1");
        let mut tx = database.transaction(&call).await.unwrap();
        tx.execute(&change, [pando_database::Value::json(&basis).unwrap()]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(house.get(&path(&made, "")).await.json(), made, "it can still be read");
        let refused = house.ask(Method::GET, &path(&made, "/replay"), &[], &Value::Null).await;
        assert_eq!(
            (refused.status.as_u16(), &refused.json()["error"]["code"]),
            (409, &json!("NOT_REPLAYABLE"))
        );
        let clock = &house.parts.clock;
        let replays = replay_assessments((database, clock), &call, Timestamp::from_micros(0), 10).await;
        let replays = replays.unwrap();
        assert_eq!((replays.seen, replays.not_replayable, replays.different), (1, 1, 0));
    })
    .await;
}
