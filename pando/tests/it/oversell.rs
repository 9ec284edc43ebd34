//! Many buyers want the last units at once, each asks again with its key until it has an answer, the provider of payments is slow, loses requests
//! and answers and calls back twice, and the server is killed at random: every unit is sold once, and paid once.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, RwLock};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::client::{Client, Reply};
use crate::engines::Place;
use crate::tasks::SHORT_LEASES;

const BUYERS: usize = 500;
const STOCK: usize = 37;
const THREADS: usize = 8;
const PATIENCE: Duration = Duration::from_secs(120);

/// Two seeds in every test run; fifty where the long proofs are asked for, and a provider that takes three seconds.
fn proof() -> (usize, &'static str) {
    #[expect(clippy::disallowed_methods, reason = "how `make prove` asks for the long form")]
    if std::env::var("PANDO_PROVE").is_ok() { (50, "2900") } else { (2, "500") }
}

#[test]
fn prove_that_the_last_units_are_sold_once_on_sqlite() {
    let (seeds, latency) = proof();
    (1..=seeds).for_each(|seed| sell_out(&Place::both()[0], seed, latency));
}

#[test]
fn prove_that_the_last_units_are_sold_once_on_postgres() {
    let (seeds, latency) = proof();
    (1..=seeds).for_each(|seed| sell_out(&Place::both()[1], seed, latency));
}

/// Where the server listens at this moment.
struct Front(RwLock<SocketAddr>);

impl Front {
    fn connect(&self) -> Client {
        loop {
            match Client::connect(*self.0.read().unwrap()) {
                Ok(client) => return client,
                // It is dead, and another one starts.
                Err(_) => thread::yield_now(),
            }
        }
    }

    /// Sends a request again and again, until somebody has answered it to its end.
    fn insist(&self, headers: &[(&str, &str)], (method, path): (&str, &str), body: &Value) -> Reply {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers = [headers, &[("content-type", "application/json")]].concat();
        loop {
            match self.connect().send(method, path, &headers, body.as_bytes()) {
                // Another request with the key is on its way, or the server is busy or ends.
                Ok(reply) if reply.status < 500 && reply.status != 409 => return reply,
                Ok(_) | Err(_) => thread::yield_now(),
            }
        }
    }

    fn read(&self, path: &str) -> Value {
        let reply = self.insist(&[], ("GET", path), &Value::Null);
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        reply.value()
    }

    /// The number of things in a list.
    fn count(&self, path: &str) -> u64 {
        self.read(path)["pagination"]["totalElements"].as_u64().unwrap()
    }
}

fn sell_out(place: &Place, seed: usize, latency: &str) {
    let seed_text = seed.to_string();
    let sandbox = [
        ("SEED", seed_text.as_str()),
        ("LATENCY_MS", latency),
        ("UNKNOWN_PERCENT", "20"),
        ("LOST_PERCENT", "10"),
        ("CALLBACKS", "2"),
        ("CALLBACK_DELAY_MS", "500"),
    ];
    let sandbox = sandbox.map(|(name, value)| (format!("PANDO_COMMERCE__PAYMENTS__SANDBOX__{name}"), value));
    let settings = sandbox.iter().map(|(name, value)| (name.as_str(), *value));
    let settings: Vec<_> = settings.chain(SHORT_LEASES.iter().copied()).collect();
    let mut running = place.start(&settings);
    let front = Front(RwLock::new(running.address));
    let tea = json!({"name": "Tea", "price": 30, "category": "Kitchen", "stockQuantity": STOCK});
    let product = front.insist(&[("idempotency-key", "tea")], ("POST", "/api/products"), &tea).value();
    let product = product["data"]["id"].as_str().unwrap().to_owned();
    let (won, answered, next) = (&Mutex::new(BTreeSet::new()), &AtomicUsize::new(0), &AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(buyer) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).filter(|buyer| *buyer < BUYERS)
                {
                    if let Some(order) = buy(&front, &product, buyer) {
                        won.lock().unwrap().insert(order);
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Moments that differ with the seed: while units are there, when they are gone, and when nobody asks any more.
        for moment in [7 + seed % 11, 40 + seed * 13 % 97, BUYERS] {
            pando_servers::until("buyers are answered", PATIENCE, || {
                answered.load(Ordering::Relaxed) >= moment
            });
            running.tell(Signal::KILL);
            running = place.start(&settings);
            *front.0.write().unwrap() = running.address;
        }
    });
    assert_eq!(
        won.lock().unwrap().len(),
        STOCK,
        "so many buyers have an order on {}, seed {seed}",
        place.name
    );
    pando_servers::until("all orders are paid", PATIENCE, || {
        front.count("/api/orders?status=CONFIRMED") == STOCK as u64
    });
    assert_eq!(front.count("/api/orders"), STOCK as u64, "an order without units was left behind");
    assert_eq!(front.count("/api/payments?status=COMPLETED"), STOCK as u64);
    assert_eq!(front.count("/api/payments"), STOCK as u64);
    let stock = front.read(&format!("/api/inventory/{product}"))["data"].clone();
    assert_eq!((&stock["available"], &stock["reserved"]), (&json!(0), &json!(0)), "{stock}");
    drop(running);
    let verified = place.printed(&["commerce", "verify"], &[]);
    assert!(verified.ends_with(" 0 mistakes\n"), "{verified}");
}

/// A buyer that asks until it has an answer, and then once more; its order, if it got one.
fn buy(front: &Front, product: &str, buyer: usize) -> Option<String> {
    let card = json!({"cardNumber": "4111111111111111", "expiryMonth": 12, "expiryYear": 2030, "cvv": "123"});
    let order = json!({
        "userId": format!("buyer-{buyer}"), "items": [{"productId": product, "quantity": 1}],
        "shippingAddress": "1 Elm St", "paymentMethod": "CREDIT_CARD", "cardDetails": card,
    });
    let key = format!("buyer-{buyer}");
    let ask = || front.insist(&[("idempotency-key", &key)], ("POST", "/api/orders"), &order);
    let answer = ask();
    let again = ask();
    match answer.status {
        201 => {
            assert_eq!((again.status, &again.body), (201, &answer.body));
            Some(answer.value()["orderId"].as_str().unwrap().to_owned())
        }
        // Nobody gives units back, so there never are any later.
        422 => {
            assert_eq!((answer.value()["code"].as_str(), again.status), (Some("INSUFFICIENT_STOCK"), 422));
            None
        }
        _ => panic!("{answer:?}"),
    }
}
