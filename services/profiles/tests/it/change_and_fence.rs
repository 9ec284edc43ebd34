//! Many changing one profile at once: no change is lost, no version is given twice.

use std::collections::HashSet;

use pando_service::Expected;
use serde_json::json;

use crate::{call, each_house, fields};

#[tokio::test]
async fn concurrent_changes_all_happen_each_with_its_own_version() {
    each_house(async |house| {
        let ada = house.person("Ada").await;
        let writers = (0..30).map(|writer| {
            let profiles = house.profiles.clone();
            async move {
                let change = fields(json!({"bio": format!("by writer {writer}")}));
                profiles.update_profile(&call(), ada.id, &Expected::Any, &change).await.unwrap().value.version
            }
        });
        let versions: HashSet<i64> = futures_util::future::join_all(writers).await.into_iter().collect();
        assert_eq!(versions, (2..=31).collect());
        assert_eq!(house.profiles.get_profile(&call(), ada.id).await.unwrap().version, 31);
        assert_eq!(house.profiles.list_changes(&call(), ada.id, None, 100).await.unwrap().len(), 31);
    })
    .await;
}

#[tokio::test]
async fn of_many_who_expect_the_same_version_one_wins() {
    each_house(async |house| {
        let ada = house.person("Ada").await;
        let writers = (0..20).map(|writer| {
            let profiles = house.profiles.clone();
            async move {
                let change = fields(json!({"bio": format!("by writer {writer}")}));
                profiles.update_profile(&call(), ada.id, &Expected::OneOf(vec![1]), &change).await.is_ok()
            }
        });
        let won = futures_util::future::join_all(writers).await.into_iter().filter(|won| *won).count();
        assert_eq!(won, 1);
    })
    .await;
}
