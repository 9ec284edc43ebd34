//! Changing profiles.

use std::time::Duration;

use pando_service::{Class, Expected};
use serde_json::json;

use crate::{call, each_house, fields};

#[tokio::test]
async fn absent_fields_stay_and_null_clears() {
    each_house(async |house| {
        let given =
            json!({"name": "Ada", "email": "ada@example.org", "bio": "counts", "attributes": {"a": 1}});
        let ada = house.profiles.create_profile(&call(), &fields(given)).await.unwrap().value;
        house.clock.advance(Duration::from_secs(1));
        let change = fields(json!({"bio": null, "unknown": 1}));
        let changed =
            house.profiles.update_profile(&call(), ada.id, &Expected::Any, &change).await.unwrap().value;
        assert_eq!((changed.name.as_str(), changed.bio.as_str()), ("Ada", ""));
        assert_eq!(changed.attributes, ada.attributes);
        assert_eq!(changed.version, 2);
        assert_eq!(changed.created_at, ada.created_at);
        assert!(changed.updated_at > ada.updated_at);
        assert_eq!(house.profiles.get_profile(&call(), ada.id).await.unwrap(), changed);
    })
    .await;
}

#[tokio::test]
async fn a_change_that_changes_nothing_is_no_new_version() {
    each_house(async |house| {
        let ada = house.person("Ada").await;
        let same = fields(json!({"name": "Ada"}));
        let written = house.profiles.update_profile(&call(), ada.id, &Expected::Any, &same).await.unwrap();
        assert_eq!(written.value, ada);
    })
    .await;
}

#[tokio::test]
async fn an_old_version_is_refused_and_nothing_is_written() {
    each_house(async |house| {
        let ada = house.person("Ada").await;
        let expected = Expected::OneOf(vec![1]);
        let first = fields(json!({"bio": "first"}));
        house.profiles.update_profile(&call(), ada.id, &expected, &first).await.unwrap();
        let second = fields(json!({"bio": "second"}));
        let refused = house.profiles.update_profile(&call(), ada.id, &expected, &second).await.unwrap_err();
        assert!(refused.class() == Class::VersionMismatch && refused.current() == Some(2), "{refused:?}");
        assert_eq!(house.profiles.get_profile(&call(), ada.id).await.unwrap().bio, "first");
    })
    .await;
}

#[tokio::test]
async fn a_taken_email_is_a_conflict_and_its_own_email_is_not() {
    each_house(async |house| {
        let ada = house.person("Ada").await;
        house.person("Grace").await;
        let taken = fields(json!({"email": "GRACE@example.org"}));
        let refused =
            house.profiles.update_profile(&call(), ada.id, &Expected::Any, &taken).await.unwrap_err();
        assert!(refused.class() == Class::Conflict, "{refused:?}");
        let own = fields(json!({"email": "ADA@example.org"}));
        let changed =
            house.profiles.update_profile(&call(), ada.id, &Expected::Any, &own).await.unwrap().value;
        assert_eq!(changed.email.as_str(), "ADA@example.org");
    })
    .await;
}

#[tokio::test]
async fn bad_fields_are_named_and_nothing_is_written() {
    each_house(async |house| {
        let ada = house.person("Ada").await;
        let bad = fields(json!({"name": "", "email": "nowhere", "bio": "fine"}));
        let refused = house.profiles.update_profile(&call(), ada.id, &Expected::Any, &bad).await.unwrap_err();
        assert_eq!(refused.class(), Class::Invalid);
        assert_eq!(refused.errors().iter().map(|error| &*error.field).collect::<Vec<_>>(), ["name", "email"]);
        assert_eq!(house.profiles.get_profile(&call(), ada.id).await.unwrap(), ada);
    })
    .await;
}
