//! Deleting profiles and bringing them back.

use std::time::Duration;

use pando_profiles::ProfileFilter;
use pando_service::{Class, Expected};

use crate::{call, each_house, is};

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn a_deleted_profile_is_gone_from_every_read_and_can_be_restored() {
    each_house(async |house| {
        let ada = house.person("Ada").await;
        house.profiles.delete_profile(&call(), ada.id, &Expected::Any).await.unwrap();
        assert!(is(&house.profiles.get_profile(&call(), ada.id).await, Class::NotFound));
        assert!(house.profiles.find_profiles(&call(), &[ada.id]).await.unwrap().is_empty());
        let everyone = ProfileFilter { limit: 10, ..ProfileFilter::default() };
        assert!(house.profiles.list_profiles(&call(), &everyone).await.unwrap().items.is_empty());
        assert_eq!(house.profiles.count_profiles(&call(), &everyone).await.unwrap(), 0);
        let again = house.profiles.delete_profile(&call(), ada.id, &Expected::Any).await;
        assert!(is(&again, Class::NotFound));

        let back = house.profiles.restore_profile(&call(), ada.id, &Default::default()).await.unwrap().value;
        assert_eq!((back.version, back.name.as_str()), (3, "Ada"));
        assert_eq!(house.profiles.get_profile(&call(), ada.id).await.unwrap(), back);
        assert_eq!(
            house.profiles.restore_profile(&call(), ada.id, &Default::default()).await.unwrap().value,
            back
        );
    })
    .await;
}

#[tokio::test]
async fn a_deleted_profile_gives_its_email_free_and_cannot_take_it_back() {
    each_house(async |house| {
        let first = house.person("Ada").await;
        house.profiles.delete_profile(&call(), first.id, &Expected::Any).await.unwrap();
        let second = house.person("Ada").await;
        let refused =
            house.profiles.restore_profile(&call(), first.id, &Default::default()).await.unwrap_err();
        assert!(refused.class() == Class::Conflict, "{refused:?}");
        house.profiles.delete_profile(&call(), second.id, &Expected::Any).await.unwrap();
        house.profiles.restore_profile(&call(), first.id, &Default::default()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn after_thirty_days_it_is_too_late() {
    each_house(async |house| {
        let ada = house.person("Ada").await;
        house.profiles.delete_profile(&call(), ada.id, &Expected::Any).await.unwrap();
        house.clock.advance(30 * DAY);
        house.profiles.restore_profile(&call(), ada.id, &Default::default()).await.unwrap();
        house.profiles.delete_profile(&call(), ada.id, &Expected::Any).await.unwrap();
        house.clock.advance(30 * DAY + Duration::from_micros(1));
        let late = house.profiles.restore_profile(&call(), ada.id, &Default::default()).await;
        assert!(is(&late, Class::NotFound));
    })
    .await;
}
