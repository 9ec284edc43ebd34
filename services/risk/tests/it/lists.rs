//! The lists of tenants, and matches that are remembered as false.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use crate::business;
use crate::pair::{Pair, Process, each_pair};

impl Process {
    /// Makes a list of a kind with these entries; the path of it.
    async fn list(&self, kind: &str, entries: &Value) -> String {
        let named = json!({"name": format!("our {kind} list"), "kind": kind});
        let list = self.done(Method::POST, "/v1/lists", &named).await;
        let path = format!("/v1/lists/{}", list["id"].as_str().unwrap());
        self.done(Method::POST, &format!("{path}/entries"), entries).await;
        path
    }
}

#[tokio::test]
async fn a_business_on_a_block_list_is_declined_whatever_it_is_recognised_by() {
    each_pair(async |Pair { house, one, other }| {
        let known = one.assess("Acme Ltd").await;
        assert_ne!(known["decision"], "decline");
        let path = one
            .list(
                "block",
                &json!([
                    {"id": "a", "business_id": known["business_id"]},
                    {"id": "b", "phone": "+41 44 668 18 00"},
                    {"id": "c", "email": "Fraud@Example.net"},
                    {"id": "d", "name": "Blocked Trading GmbH"},
                    {"id": "e", "address": "9 Dark Alley, Springfield", "countries": ["us"]},
                ]),
            )
            .await;
        house.parts.clock.advance(Duration::from_secs(1));
        let changed = |name: &str, field: &str, value: &str| {
            let mut business = business(name);
            business[field] = json!(value);
            business
        };
        for (asked, by) in [
            (business("Acme Ltd"), "a"),
            (changed("Bolt Ltd", "phone", "+41446681800"), "b"),
            (changed("Cork Ltd", "email", "fraud@example.net"), "c"),
            (business("Blocked Trading GmbH"), "d"),
            (changed("Dorn Ltd", "business_address", "9 dark alley,  Springfield"), "e"),
        ] {
            let made = other.done(Method::POST, "/v1/assess", &asked).await;
            assert_eq!(
                (&made["decision"], &made["reasons"][0]["code"]),
                (&json!("decline"), &json!("blocked")),
                "{by}"
            );
            let replay = other.get(&format!("/v1/assess/{}/replay", made["id"].as_str().unwrap())).await;
            assert_eq!(replay["same"], true, "{by}");
        }
        assert_ne!(other.assess("Quite Another Firm").await["decision"], "decline");
        one.done(Method::DELETE, &format!("{path}/entries/d"), &Value::Null).await;
        assert_ne!(one.assess("Blocked Trading GmbH").await["decision"], "decline");
        let history = one.get(&path).await;
        let counts: Vec<(&Value, &Value)> = history["changes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|change| (&change["added"], &change["removed"]))
            .collect();
        assert_eq!(counts, [(&json!(0), &json!(1)), (&json!(5), &json!(0))]);
        one.done(Method::DELETE, &path, &Value::Null).await;
        assert_ne!(one.assess("Acme Ltd").await["decision"], "decline");
        assert_eq!(one.get("/v1/lists").await["lists"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn an_upload_is_taken_as_a_whole_or_every_bad_record_is_named() {
    each_pair(async |Pair { one, .. }| {
        let path = one.list("watch", &json!([{"id": "1", "name": "Ada"}, {"id": "2", "name": "Bob"}])).await;
        let entries = format!("{path}/entries");
        let csv = "id,name,phone\n1,Ada,\n3,,+1 555 123 4567\n4,Dora,12\n5,,\n";
        let sent = async |text: &str| {
            one.server.ask(Method::PUT, &entries, &[("content-type", "text/csv")], text).await
        };
        let refused = sent(csv).await;
        assert_eq!(refused.status, 400);
        let error = refused.json()["error"].clone();
        let fields: Vec<&str> = error["validation"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["field"].as_str().unwrap())
            .collect();
        assert_eq!(fields, ["line 5", "entry 4.phone"]);
        assert_eq!(one.get(&entries).await["entries"].as_array().unwrap().len(), 2, "nothing was changed");
        let replaced = sent("id,name,phone\n1,Ada,\n3,,+1 555 123 4567\n").await.json();
        assert_eq!((&replaced["entries"], &replaced["version"]), (&json!(2), &json!(3)));
        assert_eq!(
            sent("id,name,phone\n1,Ada,\n3,,+1 555 123 4567\n").await.json()["version"],
            3,
            "the same"
        );
        let page = one.get(&format!("{entries}?limit=1")).await;
        assert_eq!((&page["entries"][0]["entry_id"], &page["next"]), (&json!("1"), &json!("1")));
        assert_eq!(page["entries"][0]["changed_in"], 2, "it was not changed by the upload");
        let page = one.get(&format!("{entries}?limit=1&after=1")).await;
        assert_eq!(page["entries"][0]["content"]["phone"], "+15551234567");
        let picture = one.server.ask(Method::PUT, &entries, &[("content-type", "image/png")], "x").await;
        assert_eq!(picture.status, 415);
        let stale = [("content-type", "text/csv"), ("if-match", "\"1\"")];
        assert_eq!(one.server.ask(Method::PUT, &entries, &stale, "id,name\n").await.status, 412);
        let twice =
            one.send(Method::POST, "/v1/lists", &json!({"name": "our watch list", "kind": "allow"})).await;
        assert_eq!(twice.status, 409);
        let bad = one.send(Method::POST, "/v1/lists", &json!({"name": "", "kind": "grey"})).await;
        assert_eq!(bad.json()["error"]["validation"].as_array().unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_false_match_is_suppressed_until_its_entry_changes() {
    each_pair(async |Pair { house, one, other }| {
        let path = one.list("watch", &json!([{"id": "1", "name": "Zebulon Quartermain"}])).await;
        let asked = business("Zebulon Quartermain");
        let screened =
            async |process: &Process| process.done(Method::POST, "/v1/sanctions/screen", &asked).await;
        let made = one.done(Method::POST, "/v1/assess", &asked).await;
        assert_eq!(made["reasons"][0]["code"], "sanctions_match");
        let screening = screened(&one).await;
        let found = &screening["matches"][0];
        assert_eq!((&found["source"], &found["suppressed"]), (&json!("our watch list"), &json!(false)));
        let mut it = json!({
            "business_id": screening["business_id"], "source": found["source"], "entry_id": found["entry_id"],
            "entry_version": "another", "reason": "A shop of the same name.",
        });
        let stale = one.send(Method::POST, "/v1/sanctions/false-positives", &it).await;
        assert_eq!(stale.status, 409, "the entry does not say so any more");
        it["entry_version"] = found["entry_version"].clone();
        one.done(Method::POST, "/v1/sanctions/false-positives", &it).await;
        house.parts.clock.advance(Duration::from_secs(1));
        for process in [&one, &other] {
            let screening = screened(process).await;
            assert_eq!(screening["sanctions_status"], "clear");
            assert_eq!(screening["matches"][0]["suppressed"], true, "it is shown");
            let made = process.done(Method::POST, "/v1/assess", &asked).await;
            assert_ne!(made["decision"], "decline");
        }
        let mut elsewhere = asked.clone();
        elsewhere["business_address"] = json!("77 Another Street, Shelbyville");
        let made = one.done(Method::POST, "/v1/assess", &elsewhere).await;
        assert_eq!(made["decision"], "decline", "another business of the same name");
        let entry = json!([{"id": "1", "name": "Zebulon Quartermain", "programs": ["fraud"]}]);
        one.done(Method::POST, &format!("{path}/entries"), &entry).await;
        assert_eq!(screened(&one).await["sanctions_status"], "match", "the entry says something else");
        let all = one.get("/v1/sanctions/false-positives").await;
        assert_eq!(all["false_positives"][0]["reason"], "A shop of the same name.");
        let bad = one.send(Method::POST, "/v1/sanctions/false-positives", &json!({"business_id": "x"})).await;
        assert_eq!(bad.json()["error"]["validation"].as_array().unwrap().len(), 5);
    })
    .await;
}
