//! Addresses, preferences, and the composite read.

use pando_profiles::{FetchMode, PartWritten, Theme};
use pando_service::{Class, Expected};
use serde_json::json;

use crate::{call, each_house, fields, is};

#[tokio::test]
async fn the_composite_is_the_same_however_it_is_fetched() {
    each_house(async |house| {
        let ada = house.person("Ada").await;
        let bare = house.profiles.get_full_profile(&call(), ada.id, FetchMode::Joined).await.unwrap();
        assert_eq!((bare.profile, bare.address, bare.preferences), (ada.clone(), None, None));

        let address = fields(json!({"street": "12 St James's Square", "city": "London", "country": "GB"}));
        let written =
            house.profiles.put_address(&call(), ada.id, &Expected::OneOf(vec![1]), &address).await.unwrap();
        assert_eq!(written.value.version, 2);
        let preferences = fields(json!({"language": "en-GB", "theme": "dark", "newsletter": true}));
        house.profiles.put_preferences(&call(), ada.id, &Expected::Any, &preferences).await.unwrap();

        let joined = house.profiles.get_full_profile(&call(), ada.id, FetchMode::Joined).await.unwrap();
        assert_eq!(joined.profile.version, 3);
        assert_eq!(joined.address.as_ref().unwrap().street, "12 St James's Square");
        assert_eq!(joined.preferences.as_ref().unwrap().theme, Theme::Dark);
        for mode in [FetchMode::Sequential, FetchMode::Concurrent] {
            assert_eq!(house.profiles.get_full_profile(&call(), ada.id, mode).await.unwrap(), joined);
        }
    })
    .await;
}

#[tokio::test]
async fn a_part_is_written_whole_and_writing_it_again_is_no_change() {
    each_house(async |house| {
        let ada = house.person("Ada").await;
        let put =
            async |part| house.profiles.put_address(&call(), ada.id, &Expected::Any, &fields(part)).await;
        put(json!({"street": "A", "city": "B"})).await.unwrap();
        let PartWritten { part: address, version } = put(json!({"city": "C"})).await.unwrap().value;
        assert_eq!((address.street.as_str(), address.city.as_str(), version), ("", "C", 3));
        assert_eq!(put(json!({"city": "C"})).await.unwrap().value.version, 3);
        assert!(is(&put(json!({"country": "Germany"})).await, Class::Invalid));
        let stale = Expected::OneOf(vec![1]);
        let refused =
            house.profiles.put_address(&call(), ada.id, &stale, &fields(json!({"city": "D"}))).await;
        assert_eq!(refused.unwrap_err().current(), Some(3));
    })
    .await;
}

#[tokio::test]
async fn a_deleted_profile_has_no_parts() {
    each_house(async |house| {
        let ada = house.person("Ada").await;
        house.profiles.delete_profile(&call(), ada.id, &Expected::Any).await.unwrap();
        for mode in [FetchMode::Sequential, FetchMode::Concurrent, FetchMode::Joined] {
            let refused = house.profiles.get_full_profile(&call(), ada.id, mode).await;
            assert!(is(&refused, Class::NotFound), "{mode:?}");
        }
        let put = house.profiles.put_address(&call(), ada.id, &Expected::Any, &fields(json!({}))).await;
        assert!(is(&put, Class::NotFound));
    })
    .await;
}
