//! Webhooks of one tenant get no event of another.

use pando_webhooks::DeliveryStatus;
use serde_json::json;

use crate::{Receiver, each_house, of_tenant};

#[tokio::test]
async fn a_webhook_gets_the_events_of_its_own_tenant_only() {
    each_house(async |house| {
        let receiver = Receiver::start().await;
        let webhook = house.webhook(&receiver, json!({"events": ["*"]})).await;
        receiver.take();
        house.work().await;
        receiver.take();
        let event = |tree: &str| house.event("tree.planted", tree, 1, json!({}));
        house.publish(&[of_tenant(event("foreign"), "acme"), event("own")]).await;
        house.work().await;
        let trees: Vec<String> = receiver.take().iter().map(|received| received.tree()).collect();
        assert!(trees.contains(&"own".to_owned()) && !trees.contains(&"foreign".to_owned()), "{trees:?}");
        let delivered = json!(DeliveryStatus::Delivered);
        assert!(house.deliveries(&webhook).await.iter().all(|one| one["status"] == delivered));
    })
    .await;
}
