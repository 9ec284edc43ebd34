//! The history of a profile.

use std::time::Duration;

use pando_profiles::Operation::{AddressPut, Created, Deleted, Restored, Updated};
use pando_profiles::{Change, ProfilesOptions};
use pando_service::Expected;
use serde_json::{Value, json};

use crate::{call, each_house, each_house_with, fields};

#[tokio::test]
async fn a_history_tells_who_changed_what_from_the_creation_on() {
    each_house(async |house| {
        let ada = house.person("Ada").await;
        let only = house.profiles.list_changes(&call(), ada.id, None, 10).await.unwrap();
        assert_eq!(only.len(), 1);
        assert_eq!((only[0].operation, only[0].version), (Created, 1));
        assert_eq!(only[0].after["name"], "Ada");

        house.clock.advance(Duration::from_secs(60));
        let boss = call().by("boss");
        let change = fields(json!({"bio": "counts", "name": "Ada L."}));
        house.profiles.update_profile(&boss, ada.id, &Expected::Any, &change).await.unwrap();
        let address = fields(json!({"city": "London"}));
        house.profiles.put_address(&call(), ada.id, &Expected::Any, &address).await.unwrap();
        house.profiles.delete_profile(&call(), ada.id, &Expected::Any).await.unwrap();
        house.profiles.restore_profile(&call(), ada.id, &Default::default()).await.unwrap();

        let changes = house.profiles.list_changes(&call(), ada.id, None, 10).await.unwrap();
        let told: Vec<_> = changes.iter().map(|change| (change.version, change.operation)).collect();
        assert_eq!(told, [(5, Restored), (4, Deleted), (3, AddressPut), (2, Updated), (1, Created)]);
        let updated = &changes[3];
        assert_eq!(
            (&*updated.changed_by, updated.changed_at.to_string().as_str()),
            ("boss", "2026-01-01T00:01:00.000000Z")
        );
        assert_eq!(Value::Object(updated.before.clone()), json!({"name": "Ada", "bio": ""}));
        assert_eq!(Value::Object(updated.after.clone()), json!({"name": "Ada L.", "bio": "counts"}));
        assert_eq!(changes[2].after["city"], "London");
        assert_eq!(changes[4], only[0], "the creation reads as it did before anything changed");

        let older = house.profiles.list_changes(&call(), ada.id, Some(3), 1).await.unwrap();
        assert_eq!(older.iter().map(|change| change.version).collect::<Vec<_>>(), [2]);
    })
    .await;
}

#[tokio::test]
async fn a_long_history_is_cut_and_keeps_every_address() {
    let options = ProfilesOptions { history_bytes_max: 16_384, ..ProfilesOptions::default() };
    each_house_with(options, async |house| {
        let ada = house.person("Ada").await;
        let large = |number: i64| json!({"note": format!("{number}{}", "x".repeat(2_000))});
        let mut change = json!({"email": "countess@example.org", "attributes": large(0)});
        for number in 1..32 {
            let changed =
                house.profiles.update_profile(&call(), ada.id, &Expected::Any, &fields(change)).await;
            assert_eq!(changed.unwrap().value.version, number + 1);
            change = json!({"attributes": large(number)});
        }
        let changes = house.profiles.list_changes(&call(), ada.id, None, 100).await.unwrap();
        let bytes = |change: &Change| json!([change.before, change.after]).to_string().len();
        let total: usize = changes.iter().map(bytes).sum();
        assert!((14_000..22_000).contains(&total), "{total}");
        let versions: Vec<i64> = changes.iter().map(|change| change.version).collect();
        assert_eq!(versions, [32, 31, 30, 29, 28, 2, 1], "the same on both engines");
        assert_eq!(changes[0].after["attributes"], large(30));
        let [.., second, creation] = &changes[..] else { panic!("{changes:?}") };
        assert_eq!(json!(second.before), json!({"email": "ada@example.org"}));
        assert_eq!(json!(second.after), json!({"email": "countess@example.org"}));
        assert_eq!(
            (json!(creation.before), json!(creation.after)),
            (json!({}), json!({"email": "ada@example.org"}))
        );
    })
    .await;
}
