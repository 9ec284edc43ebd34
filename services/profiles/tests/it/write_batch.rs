//! Batches: each item its own outcome.

use pando_profiles::{ItemOutcome, ItemStatus, Profiles, ProfilesOptions};
use pando_service::Expected;
use serde_json::{Value, json};

use crate::{House, call, each_house, each_house_with, fields};

async fn write(house: &House, items: Vec<Value>) -> Vec<ItemOutcome> {
    let items: Vec<_> = items.into_iter().map(|item| Ok(fields(item))).collect();
    house.profiles.write_batch(&call(), &items).await.unwrap().value
}

fn statuses(outcomes: &[ItemOutcome]) -> Vec<ItemStatus> {
    outcomes.iter().map(|outcome| outcome.status).collect()
}

#[tokio::test]
async fn every_item_gets_its_outcome_in_the_order_of_the_batch() {
    use ItemStatus::{Conflict, Created, Invalid, Updated};
    each_house(async |house| {
        let ada = house.person("Ada").await;
        let gone = house.person("Gone").await;
        house.profiles.delete_profile(&call(), gone.id, &Expected::Any).await.unwrap();
        let own_id = house.clock.fresh_id();
        let outcomes = write(
            &house,
            vec![
                json!({"name": "New", "email": "new@example.org"}),
                json!({"name": "", "email": "bad"}),
                json!({"name": "Taken", "email": "ADA@example.org"}),
                json!({"name": "Twice", "email": "NEW@example.org"}),
                json!({"id": ada.id, "bio": "changed"}),
                json!({"id": ada.id, "bio": "changed twice"}),
                json!({"id": own_id, "name": "Own id", "email": "own@example.org"}),
                json!({"id": gone.id, "name": "Back?"}),
                json!({"id": "no-uuid", "name": "x", "email": "x@example.org"}),
                json!({"id": null, "name": "Null id", "email": "null@example.org"}),
                json!({"id": "00000000-0000-0000-0000-000000000000", "name": "Nil", "email": "nil@example.org"}),
            ],
        )
        .await;
        assert_eq!(
            statuses(&outcomes),
            [Created, Invalid, Conflict, Conflict, Updated, Conflict, Created, Conflict, Invalid, Created, Invalid]
        );
        assert_eq!(
            outcomes[1].errors.iter().map(|error| &*error.field).collect::<Vec<_>>(),
            ["name", "email"]
        );
        for (index, field, code) in [(2, "email", "taken"), (3, "email", "conflict"), (5, "id", "conflict")] {
            let [error] = &outcomes[index].errors[..] else { panic!("{:?}", outcomes[index]) };
            assert_eq!((&*error.field, &*error.code), (field, code));
        }
        assert_eq!(outcomes[4].version, Some(2));
        assert_eq!(outcomes[6].id, Some(own_id.into()));
        let read = house.profiles.get_profile(&call(), outcomes[0].id.unwrap()).await.unwrap();
        assert_eq!((read.name.as_str(), read.version), ("New", 1));
        assert_eq!(house.profiles.get_profile(&call(), ada.id).await.unwrap().bio, "changed");
        assert_eq!(house.profiles.list_changes(&call(), ada.id, None, 10).await.unwrap().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn an_email_cannot_be_taken_by_changing_to_it() {
    each_house(async |house| {
        let (ada, _) = (house.person("Ada").await, house.person("Grace").await);
        let outcomes = write(&house, vec![json!({"id": ada.id, "email": "grace@example.org"})]).await;
        assert_eq!(statuses(&outcomes), [ItemStatus::Conflict]);
        assert_eq!(house.profiles.get_profile(&call(), ada.id).await.unwrap(), ada);
    })
    .await;
}

#[tokio::test]
async fn a_thousand_are_written_at_once_and_again_they_all_conflict() {
    each_house(async |house| {
        let people: Vec<Value> =
            (0..1000).map(|number| json!({"name": "P", "email": format!("p{number}@example.org")})).collect();
        assert!(
            write(&house, people.clone()).await.iter().all(|outcome| outcome.status == ItemStatus::Created)
        );
        assert!(write(&house, people).await.iter().all(|outcome| outcome.status == ItemStatus::Conflict));
    })
    .await;
}

#[tokio::test]
async fn an_item_that_names_a_version_changes_only_that_version() {
    use ItemStatus::{Conflict, Invalid, Updated};
    each_house(async |house| {
        let ada = house.person("Ada").await;
        let change = |version: Value, bio: &str| json!({"id": ada.id, "bio": bio, "version": version});
        assert_eq!(statuses(&write(&house, vec![change(json!(1), "first")]).await), [Updated]);
        assert_eq!(statuses(&write(&house, vec![change(json!(1), "late")]).await), [Conflict]);
        assert_eq!(statuses(&write(&house, vec![change(json!("2"), "second")]).await), [Updated]);
        assert_eq!(statuses(&write(&house, vec![change(json!("two"), "never")]).await), [Invalid]);
        assert_eq!(house.profiles.get_profile(&call(), ada.id).await.unwrap().bio, "second");
    })
    .await;
    let strict = ProfilesOptions { require_if_match: true, ..ProfilesOptions::default() };
    each_house_with(strict, async |house| {
        let ada = house.person("Ada").await;
        assert_eq!(statuses(&write(&house, vec![json!({"id": ada.id, "bio": "unfenced"})]).await), [Invalid]);
        let fenced = json!({"id": ada.id, "bio": "fenced", "version": 1});
        assert_eq!(statuses(&write(&house, vec![fenced]).await), [Updated]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_that_want_the_same_addresses_share_them_without_a_failure() {
    each_house(async |house| {
        for round in 0..10 {
            let people: Vec<Value> = (0..100)
                .map(|number| json!({"name": "P", "email": format!("p{round}.{number}@example.org")}))
                .collect();
            let backwards: Vec<Value> = people.iter().rev().cloned().collect();
            let one = pando_telemetry::spawn("batch", write_alone(house.profiles.clone(), people));
            let two = pando_telemetry::spawn("batch", write_alone(house.profiles.clone(), backwards));
            let (one, two) = (one.await.unwrap(), two.await.unwrap());
            let created =
                one.iter().chain(&two).filter(|outcome| outcome.status == ItemStatus::Created).count();
            assert_eq!(created, 100);
        }
    })
    .await;
}

async fn write_alone(profiles: Profiles, items: Vec<Value>) -> Vec<ItemOutcome> {
    let items: Vec<_> = items.into_iter().map(|item| Ok(fields(item))).collect();
    profiles.write_batch(&call(), &items).await.unwrap().value
}
