//! Assessments of one tenant are nothing to another.

use std::collections::BTreeMap;

use pando_queue::Registry;
use pando_resilience::Tenant;
use pando_risk::{MIGRATIONS, Risk, RiskOptions, open};
use pando_service::Class;
use pando_service::testing::{TestHouse, call, each_house, is, still_clock};
use uuid::Uuid;

use crate::business;

#[tokio::test]
async fn a_tenant_neither_reads_nor_counts_the_assessments_of_another() {
    each_house(&[MIGRATIONS], still_clock, async |TestHouse { parts, .. }| {
        open(&parts, RiskOptions::default(), &mut Registry::default()).unwrap();
        let risk = Risk::new(&parts, RiskOptions::default()).unwrap();
        let calls = ["acme", "bolt"].map(|name| call().of_tenant(Tenant::named(name).unwrap()));
        let fields = business("Acme").as_object().unwrap().clone();
        let made = calls.iter().map(|call| risk.assess(call, &fields));
        let mut ids = BTreeMap::new();
        for (place, made) in made.enumerate() {
            let made = made.await.unwrap().value;
            let id = Uuid::parse_str(made.id.trim_start_matches("risk_")).unwrap();
            let explained = risk.explain(&calls[place], id).await.unwrap().explanation;
            let seen = explained.feature_contributions.iter().find(|one| one.feature_name == "assessed_1h");
            assert_eq!(seen.unwrap().value, Some(0.0), "assessments of another tenant do not count");
            ids.insert(place, id);
        }
        for (place, id) in &ids {
            assert!(risk.get_assessment(&calls[*place], *id).await.is_ok());
            assert!(is(&risk.get_assessment(&calls[1 - place], *id).await, Class::NotFound));
            let all = pando_risk::AssessmentQuestion { limit: 10, ..Default::default() };
            assert_eq!(risk.list_assessments(&calls[*place], all).await.unwrap().total, 1);
        }
    })
    .await;
}
