//! Cases: opened by decisions, and closed by two persons.

use http::Method;
use pando_database::Query;
use pando_resilience::Tenant;
use pando_risk::{CaseOutcome, CaseStatus, MIGRATIONS, Risk, RiskOptions, Work};
use pando_service::testing::{TestHouse, call, each_house as each_test_house, is, still_clock};
use pando_service::{Class, Expected};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{business, each_house_with, path};

/// The id of a case as its statements have it.
fn id_of(case: &str) -> Uuid {
    Uuid::parse_str(case.trim_start_matches("case_")).unwrap()
}

#[tokio::test]
async fn a_case_is_closed_by_another_person_than_the_one_who_proposed_the_outcome() {
    each_test_house(&[MIGRATIONS], still_clock, async |TestHouse { parts, .. }| {
        // Without a list nobody is screened, so a person has to look.
        let risk = Risk::new(&parts, RiskOptions::default()).unwrap();
        let (ann, bob) = (call().by("ann"), call().by("bob"));
        let fields = business("Acme").as_object().unwrap().clone();
        let made = risk.assess(&ann, &fields).await.unwrap().value;
        let page = risk.list_cases(&ann, (Some(CaseStatus::Open), None, 10)).await.unwrap();
        let opened = &page.cases[0];
        assert_eq!((&opened.assessment_id, &opened.kind), (&Some(made.id.clone()), &"review".to_owned()));
        assert_eq!(opened.details["reasons"][0]["code"], "not_screened");
        let id = id_of(&opened.id);
        let step = async |who, work, body: Value| {
            let fields = body.as_object().unwrap().clone();
            risk.work_on_case(who, (&Expected::Any, id), (work, &fields)).await.map(|done| done.value)
        };
        step(&ann, Work::Assign, json!({"assignee": "ann"})).await.unwrap();
        step(&ann, Work::Note, json!({"note": "I have called them."})).await.unwrap();
        let early = step(&bob, Work::Confirm, json!({"agree": true})).await;
        assert!(is(&early, Class::Conflict), "nothing is proposed");
        step(&ann, Work::Propose, json!({"outcome": "decline", "note": "Nobody answers."})).await.unwrap();
        let own = step(&ann, Work::Confirm, json!({"agree": true})).await;
        assert!(is(&own, Class::Forbidden), "the same person");
        assert_eq!(own.unwrap_err().errors()[0].code, "FOUR_EYES");
        let back = step(&bob, Work::Confirm, json!({"agree": false, "note": "They do."})).await.unwrap();
        assert_eq!((back.status, back.proposed), (CaseStatus::Open, None));
        step(&bob, Work::Propose, json!({"outcome": "approve"})).await.unwrap();
        let closed = step(&ann, Work::Confirm, json!({"agree": true})).await.unwrap();
        assert_eq!((closed.status, closed.outcome), (CaseStatus::Closed, Some(CaseOutcome::Approve)));
        assert_eq!(
            (closed.proposed_by.as_deref(), closed.confirmed_by.as_deref()),
            (Some("bob"), Some("ann"))
        );
        let late = step(&bob, Work::Propose, json!({"outcome": "decline"})).await;
        assert!(is(&late, Class::Conflict), "it is closed");
        let file = risk.get_case(&bob, id).await.unwrap();
        let notes: Vec<&str> = file.notes.iter().map(|note| note.note.as_str()).collect();
        assert_eq!(notes, ["I have called them.", "Nobody answers.", "They do."]);
        let kept =
            risk.get_assessment(&ann, Uuid::parse_str(made.id.trim_start_matches("risk_")).unwrap()).await;
        assert_eq!(kept.unwrap(), made, "the assessment stays as it was made");
        let count = Query::scan("test.count_events", "select count(*) from outbox_events");
        let events = parts.database.read(&ann).row(&count, []).await.unwrap().unwrap();
        assert_eq!(events.get::<i64>(0).unwrap(), 2, "the assessment, and the case when it was closed");
        let stranger = bob.of_tenant(Tenant::named("bolt").unwrap());
        assert!(is(&risk.get_case(&stranger, id).await, Class::NotFound));
        assert!(risk.list_cases(&stranger, (None, None, 10)).await.unwrap().cases.is_empty());
    })
    .await;
}

#[tokio::test]
async fn cases_of_batches_are_listed_page_by_page_over_http() {
    each_house_with(RiskOptions::default(), async |house| {
        let many: Vec<Value> = (0..5).map(|number| business(&format!("Acme {number}"))).collect();
        house.server.post("/v1/assess/batch", &json!({"requests": many})).await;
        let page = house.get("/v1/cases?limit=3&status=open").await.json();
        assert_eq!(page["cases"].as_array().unwrap().len(), 3);
        let next = page["next"].as_str().unwrap();
        let rest = house.get(&format!("/v1/cases?limit=3&cursor={next}")).await.json();
        assert_eq!((rest["cases"].as_array().unwrap().len(), &rest["next"]), (2, &Value::Null));
        let case = &rest["cases"][0];
        let at = format!("/v1/cases/{}", case["id"].as_str().unwrap());
        let assessment = house.get(&path(&json!({"id": case["assessment_id"]}), "")).await.json();
        assert_eq!(assessment["decision"], "review");
        let bad = house.server.post(&format!("{at}/propose"), &json!({"outcome": "maybe"})).await;
        assert_eq!((bad.status.as_u16(), &bad.json()["error"]["field"]), (400, &json!("outcome")));
        let stale = [("if-match", "\"7\"")];
        let answer =
            house.ask(Method::POST, &format!("{at}/assign"), &stale, &json!({"assignee": "ann"})).await;
        assert_eq!(answer.status, 412);
        let proposed = house.server.post(&format!("{at}/propose"), &json!({"outcome": "approve"})).await;
        assert_eq!(proposed.json()["status"], "proposed");
        let own = house.server.post(&format!("{at}/confirm"), &json!({"agree": true})).await;
        assert_eq!((own.status.as_u16(), &own.json()["error"]["code"]), (403, &json!("AUTHORIZATION_ERROR")));
        assert_eq!(own.json()["error"]["validation"][0]["code"], "FOUR_EYES");
        assert_eq!(house.get("/v1/cases/case_1").await.status, 404);
    })
    .await;
}
