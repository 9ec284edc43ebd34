//! Creating profiles.

use std::collections::HashSet;

use pando_service::Class;
use serde_json::json;

use crate::{call, each_house, fields, is};

#[tokio::test]
async fn what_is_created_is_read_back_to_the_microsecond() {
    each_house(async |house| {
        house.clock.advance(std::time::Duration::from_nanos(123_456_789));
        let given = json!({
            "name": "Zoë O'Brien 李雷", "email": "Zoë@Example.org", "bio": "two\nlines",
            "image_urls": ["/media/a.webp"], "attributes": {"b": [1, 2.5, null], "a": {"deep": "ü"}},
            "version": 99, "surprise": true
        });
        let made = house.profiles.create_profile(&call(), &fields(given)).await.unwrap().value;
        assert_eq!(made.version, 1);
        assert_eq!(made.created_at.to_string(), "2026-01-01T00:00:00.123456Z");
        assert_eq!(made.created_at, made.updated_at);
        let read = house.profiles.get_profile(&call(), made.id).await.unwrap();
        assert_eq!(read, made);
        let written = serde_json::to_string(&made).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), written);
    })
    .await;
}

#[tokio::test]
async fn an_email_belongs_to_one_profile_whatever_its_case() {
    each_house(async |house| {
        house.person("Åsa").await;
        let again = fields(json!({"name": "Other", "email": "ÅSA@EXAMPLE.org"}));
        let refused = house.profiles.create_profile(&call(), &again).await.unwrap_err();
        assert!(refused.class() == Class::Conflict, "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn of_many_at_once_one_gets_the_email() {
    each_house(async |house| {
        let given = fields(json!({"name": "Racer", "email": "racer@example.org"}));
        let tries = (0..20).map(|_| {
            let (profiles, given) = (house.profiles.clone(), given.clone());
            async move { profiles.create_profile(&call(), &given).await.map(drop) }
        });
        let outcomes = futures_util::future::join_all(tries).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        assert!(outcomes.iter().all(|outcome| outcome.is_ok() || is(outcome, Class::Conflict)));
    })
    .await;
}

#[tokio::test]
async fn made_up_profiles_never_collide() {
    each_house(async |house| {
        // More than there are names: some share one, and none shares an address.
        let (mut names, mut emails) = (HashSet::new(), HashSet::new());
        for _ in 0..300 {
            let made = house.profiles.create_random_profile(&call()).await.unwrap().value;
            names.insert(made.name.as_str().to_owned());
            emails.insert(made.email.key());
        }
        assert_eq!(emails.len(), 300);
        assert!((2..=256).contains(&names.len()), "{}", names.len());
    })
    .await;
}

#[tokio::test]
async fn an_unknown_id_is_not_found() {
    each_house(async |house| {
        let refused = house.profiles.get_profile(&call(), house.clock.fresh_id().into()).await.unwrap_err();
        assert!(refused.class() == Class::NotFound);
    })
    .await;
}
