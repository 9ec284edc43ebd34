//! Who is told of events: listed, and given up when it will not come back.

use std::time::Duration;

use pando_clock::Clock;
use pando_servers::{RabbitMq, until};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::engines::Place;
use crate::harness::{Running, ask, complaint};

const PATIENCE: Duration = Duration::from_secs(60);
const ALONE: u64 = 3;
/// Webhooks have a subscriber of their own.
const ROLES: (&str, &str) = ("PANDO_ROLES", "profiles,worker");

/// Publishes as many events as there are names.
fn publish(running: &Running, names: &[&str]) {
    for name in names {
        let body = json!({"name": name, "email": format!("{name}@example.org")}).to_string();
        assert_eq!(running.ask("POST", "/api/v1/profiles", &body).status, 201);
    }
}

fn listed(running: &mut Running) -> Value {
    ask(running.admin(), "GET", "/api/v1/admin/subscribers", "").json()
}

#[test]
fn a_broker_that_was_taken_out_of_the_settings_is_forgotten_by_name() {
    let (url, namespace) = (RabbitMq::shared().amqp_url(), Clock::system().fresh_id().to_string());
    for place in Place::both() {
        let broker = [ROLES, ("RABBITMQ_URI", url.as_str()), ("PANDO_QUEUE__BROKER__NAMESPACE", &namespace)];
        assert!(place.printed(&["migrate"], &[]).contains("applied"));
        assert!(place.printed(&["queue", "subscribers"], &[]).starts_with("there are no subscribers"));

        let mut with = place.start(&broker);
        publish(&with, &["Ada"]);
        until("the broker has it", PATIENCE, || {
            place.printed(&["queue", "subscribers"], &broker).ends_with(", has them all\n")
        });
        assert_eq!(listed(&mut with)[0]["in_use"], true);
        let refused = place.run(&["queue", "forget-subscriber", "rabbitmq"], &broker);
        assert_eq!(refused.status.code(), Some(1), "{}", place.name);
        assert!(complaint(&refused).contains("--force"), "{refused:?}");
        with.tell(Signal::TERM);
        assert!(with.ended().0.success());

        // From here on nobody delivers to it, and everything is kept for it.
        let mut without = place.start(&[ROLES]);
        publish(&without, &["Berta", "Cleo", "Dora"]);
        let said = place.printed(&["queue", "subscribers"], &[]);
        let behind = format!(", {ALONE} events behind since ");
        assert!(said.starts_with("rabbitmq: at ") && said.contains(&behind), "{}: {said}", place.name);
        assert!(said.ends_with(&format!(", {ALONE} kept for it alone, not in use here\n")), "{said}");
        let status = &listed(&mut without)[0];
        assert_eq!((&status["events"], &status["kept_alone"]), (&json!(ALONE), &json!(ALONE)), "{status}");
        assert_eq!((&status["subscriber"], &status["in_use"]), (&json!("rabbitmq"), &json!(false)));

        let stranger = place.run(&["queue", "forget-subscriber", "nobody"], &[]);
        assert!(complaint(&stranger).contains("there is no subscriber nobody"), "{stranger:?}");
        let said = place.printed(&["queue", "forget-subscriber", "rabbitmq"], &[]);
        assert!(said.starts_with(&format!("rabbitmq is forgotten; {ALONE} events")), "{said}");
        assert_eq!(listed(&mut without), json!([]), "{}", place.name);
    }
}

#[test]
fn operators_forget_a_subscriber_over_their_port_and_are_asked_to_mean_it() {
    let (url, namespace) = (RabbitMq::shared().amqp_url(), Clock::system().fresh_id().to_string());
    for place in Place::both() {
        let broker = [ROLES, ("RABBITMQ_URI", url.as_str()), ("PANDO_QUEUE__BROKER__NAMESPACE", &namespace)];
        let mut running = place.start(&broker);
        let admin = running.admin();
        let forget = |path: &str| ask(admin, "DELETE", &format!("/api/v1/admin/subscribers/{path}"), "");
        assert_eq!(forget("nobody").status, 404);
        assert_eq!(forget("rabbitmq?force=perhaps").status, 400);
        let refused = forget("rabbitmq");
        assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("conflict")), "{refused:?}");
        let forgotten = forget("rabbitmq?force=true");
        assert_eq!((forgotten.status, &forgotten.json()["subscriber"]), (200, &json!("rabbitmq")));
        assert_eq!(listed(&mut running), json!([]), "{}", place.name);
        assert_eq!(running.ask("GET", "/api/v1/admin/subscribers", "").status, 200, "the console asks here");
    }
}
