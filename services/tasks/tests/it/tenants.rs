//! Two tenants with the same keys and names: neither sees, waits for or cancels a task of the other.

use std::time::Duration;

use pando_clock::Timestamp;
use pando_resilience::{Call, Tenant};
use pando_service::{Class, Fault};
use pando_tasks::{Expected, TaskFilter, TaskRequest};
use serde_json::{Map, Value, json};

use crate::harness::{House, each_house, open_minded};

fn of(tenant: &str) -> Call {
    Call::internal("test", Duration::from_secs(30)).of_tenant(Tenant::stored(tenant))
}

fn fields(body: &Value) -> Map<String, Value> {
    body.as_object().unwrap().clone()
}

fn request(house: &House, body: &Value) -> TaskRequest {
    let now: Timestamp = house.queue.clock().now();
    TaskRequest::parse(&fields(body), &house.registry, &open_minded(), now).unwrap()
}

fn is_missing<T: std::fmt::Debug>(done: Result<T, Fault>) {
    assert_eq!(done.unwrap_err().class(), Class::NotFound);
}

#[tokio::test]
async fn tasks_of_one_key_are_two() {
    each_house(async |house| {
        let body = json!({"task_type": "echo", "data": {"n": 1}, "unique_key": "once"});
        let mut ids = Vec::new();
        for tenant in ["", "acme", "zoo"] {
            let first = house.tasks.create_task(&of(tenant), request(house, &body)).await.unwrap().value;
            let again = house.tasks.create_task(&of(tenant), request(house, &body)).await.unwrap().value;
            assert_eq!(first.id, again.id, "{tenant:?}");
            ids.push((tenant, first.id));
        }
        let worker = house.worker();
        for (owner, id) in &ids {
            house.tasks.wait_for_task(&of(owner), *id, Duration::from_secs(20)).await.unwrap();
            for asks in ["", "acme", "zoo"].into_iter().filter(|asks| asks != owner) {
                is_missing(house.tasks.get_task(&of(asks), *id).await);
                is_missing(house.tasks.wait_for_task(&of(asks), *id, Duration::from_secs(20)).await);
                is_missing(house.tasks.cancel_task(&of(asks), *id).await);
            }
            let listed = house.tasks.list_tasks(&of(owner), TaskFilter::default(), 10).await.unwrap();
            assert_eq!(listed.tasks.iter().map(|task| task.id).collect::<Vec<_>>(), [*id]);
        }
        worker.stop(Duration::from_secs(10)).await;
        // Callers of HTTP are of the default tenant until they can say who they are.
        let status = async |id: uuid::Uuid| house.get(&format!("/api/v1/tasks/{id}")).await.status.as_u16();
        assert_eq!((status(ids[0].1).await, status(ids[1].1).await), (200, 404));
        assert!(!house.get("/api/v1/tasks").await.body.windows(6).any(|it| it == b"tenant"));
    })
    .await;
}

#[tokio::test]
async fn schedules_of_one_name_are_two() {
    each_house(async |house| {
        for tenant in ["acme", "zoo"] {
            let body = json!({"cron": "0 3 * * *", "task_type": "echo", "data": {"of": tenant}});
            let (call, fields, any) = (of(tenant), fields(&body), Expected::default());
            let (kept, _) = house.tasks.put_schedule(&call, "nightly", &fields, &any).await.unwrap();
            assert_eq!(kept.version, 1);
        }
        for tenant in ["acme", "zoo"] {
            let schedule = house.tasks.get_schedule(&of(tenant), "nightly").await.unwrap();
            assert_eq!(schedule.data, json!({"of": tenant}));
            assert_eq!(house.tasks.list_schedules(&of(tenant), "", 10).await.unwrap().0.len(), 1);
        }
        is_missing(house.tasks.get_schedule(&of(""), "nightly").await);
        is_missing(house.tasks.delete_schedule(&of(""), "nightly").await);
        house.tasks.delete_schedule(&of("acme"), "nightly").await.unwrap();
        house.tasks.get_schedule(&of("zoo"), "nightly").await.unwrap();
    })
    .await;
}
