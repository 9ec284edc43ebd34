//! kill -9 between any two steps of an order, and of its way back. The steps are enumerated: after each the order stands in the database in a
//! state of its own, and the provider of payments knows of it or not. After each death there is one charge at most, and the books agree.

use std::time::Duration;

use pando_clock::Clock;
use pando_database::{Database, DatabaseOptions, Query, Transaction, params};
use pando_resilience::Call;
use pando_telemetry::{Metrics, Secret};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::bank::{Bank, Moment};
use crate::client::Client;
use crate::engines::Place;
use crate::harness::Running;
use crate::tasks::SHORT_LEASES;

const PATIENCE: Duration = Duration::from_secs(60);

/// The moments at which the server dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Death {
    /// The order is placed, and nobody has looked at its risk.
    Placed,
    /// The payment has begun, and the provider has not booked the charge.
    ChargeAsked,
    /// The provider has booked the charge, and has not answered.
    ChargeBooked,
    /// The provider has answered, and the answer is not stored.
    ChargeAnswered,
    /// The order is paid.
    Confirmed,
    /// The order is cancelled, and the provider has not booked the refund.
    RefundAsked,
    /// The provider has booked the refund, and has not answered.
    RefundBooked,
}

const DEATHS: [Death; 7] = [
    Death::Placed,
    Death::ChargeAsked,
    Death::ChargeBooked,
    Death::ChargeAnswered,
    Death::Confirmed,
    Death::RefundAsked,
    Death::RefundBooked,
];

static ORDERS: Query = Query::scan("test.hold_orders", "select id from commerce_orders for update");
static TOUCH: Query = Query::write("test.hold_file", "update commerce_orders set notes = notes");
/// Only a transaction that has ended lets this through.
static STOCK: Query =
    Query::write("test.stock_is_free", "select product_id from commerce_stock for update nowait")
        .on_sqlite("select 1");

/// One server after the other, on one place and with one bank.
struct Shop<'a> {
    place: &'a Place,
    bank: &'a Bank,
    running: Running,
}

impl<'a> Shop<'a> {
    fn start(place: &'a Place, bank: &'a Bank, more: &[(&str, &str)]) -> Self {
        let settings = bank.settings();
        let settings = settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let all: Vec<(&str, &str)> =
            settings.chain(SHORT_LEASES.iter().copied()).chain(more.iter().copied()).collect();
        Self { place, bank, running: place.start(&all) }
    }

    fn die(self) {
        self.running.tell(Signal::KILL);
        drop(self.running);
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &Value) -> Value {
        let mut client = Client::connect(self.running.address).unwrap();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers = [headers, &[("content-type", "application/json")]].concat();
        let reply = client.send(method, path, &headers, body.as_bytes()).unwrap();
        assert!(reply.status < 300, "{method} {path}: {reply:?}");
        reply.value()
    }

    /// A product with five units, and an order of two.
    fn place_order(&self) -> (String, String) {
        let tea = json!({"name": "Tea", "price": 30, "category": "Kitchen", "stockQuantity": 5});
        let product = self.ask("POST", "/api/products", &[], &tea)["data"]["id"].as_str().unwrap().to_owned();
        let order = json!({
            "items": [{"productId": product, "quantity": 2}], "shippingAddress": "1 Elm St",
            "paymentMethod": {"type": "CREDIT_CARD", "token": "tok_of_the_buyer"},
        });
        let placed = self.ask("POST", "/api/orders", &[("idempotency-key", "k-1")], &order);
        (product, placed["orderId"].as_str().unwrap().to_owned())
    }

    fn cancel(&self, order: &str) {
        self.ask("POST", &format!("/api/orders/{order}/cancel"), &[], &json!({"reason": "too many"}));
    }

    fn wait_for(&self, order: &str, status: &str) {
        pando_servers::until(&format!("the order is {status}"), PATIENCE, || {
            self.ask("GET", &format!("/api/orders/{order}"), &[], &Value::Null)["data"]["status"] == status
        });
    }

    /// How often the provider has answered.
    fn answers(&self) -> bool {
        let text = self.running.ask("GET", "/metrics", "").body;
        let line = text.lines().find(|line| line.starts_with("payment_processing_time_seconds_count "));
        line.is_some_and(|line| !line.ends_with(" 0"))
    }
}

/// Takes the orders away from everybody else, until it is dropped.
async fn hold(place: &Place) -> Transaction {
    let mut tx = open(place).await.transaction(&call()).await.unwrap();
    match place.url() {
        Some(_) => assert!(!tx.rows(&ORDERS, params![]).await.unwrap().is_empty()),
        None => drop(tx.execute(&TOUCH, params![]).await.unwrap()),
    }
    tx
}

fn call() -> Call {
    Call::internal("test", PATIENCE)
}

async fn open(place: &Place) -> Database {
    let mut options = DatabaseOptions::default();
    options.sqlite.path = place.folder().join("pando.db");
    options.url = place.url().map(Secret::new);
    Database::open(&options, &Metrics::new(), &Clock::system()).await.unwrap()
}

/// Nobody holds the units of a product while the provider takes its time.
async fn stock_is_free(place: &Place) {
    let mut tx = open(place).await.transaction(&call()).await.unwrap();
    tx.rows(&STOCK, params![]).await.unwrap();
    // On SQLite, whoever holds anything holds everything: the transaction itself is the proof.
    tx.execute(&TOUCH, params![]).await.unwrap();
    tx.rollback().await.unwrap();
}

/// Has the server die at this moment; the product, the order, and the state that it must end in.
fn die(shop: Shop<'_>, death: Death) -> (String, String, &'static str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (place, bank) = (shop.place, shop.bank);
    match death {
        Death::ChargeAsked => bank.stop_at(Moment::Asked),
        Death::ChargeBooked | Death::ChargeAnswered => bank.stop_at(Moment::Booked),
        _ => {}
    }
    let (product, order) = shop.place_order();
    match death {
        Death::Placed => {}
        Death::ChargeAsked | Death::ChargeBooked => {
            bank.wait();
            runtime.block_on(stock_is_free(place));
        }
        Death::ChargeAnswered => {
            bank.wait();
            let held = runtime.block_on(hold(place));
            bank.go_on();
            pando_servers::until("the provider has answered", PATIENCE, || shop.answers());
            shop.running.tell(Signal::KILL);
            runtime.block_on(held.rollback()).unwrap();
        }
        Death::Confirmed => shop.wait_for(&order, "CONFIRMED"),
        Death::RefundAsked | Death::RefundBooked => {
            shop.wait_for(&order, "CONFIRMED");
            bank.stop_at(if death == Death::RefundAsked { Moment::Asked } else { Moment::Booked });
            shop.cancel(&order);
            bank.wait();
            runtime.block_on(stock_is_free(place));
        }
    }
    shop.die();
    bank.go_on();
    let end =
        if matches!(death, Death::RefundAsked | Death::RefundBooked) { "REFUNDED" } else { "CONFIRMED" };
    (product, order, end)
}

#[test]
fn an_order_whose_server_dies_between_any_two_steps_ends_right() {
    for death in DEATHS {
        for place in Place::both() {
            let bank = Bank::open();
            // Without a worker, a placed order stays as it is.
            let roles: &[(&str, &str)] =
                if death == Death::Placed { &[("PANDO_ROLES", "commerce")] } else { &[] };
            let shop = Shop::start(&place, &bank, roles);
            let (product, order, end) = die(shop, death);
            let shop = Shop::start(&place, &bank, &[]);
            shop.wait_for(&order, end);
            let (money, charges, refunds) = bank.balance();
            let stock =
                shop.ask("GET", &format!("/api/inventory/{product}"), &[], &Value::Null)["data"].clone();
            let seen = (money, charges, refunds, stock["available"].as_i64(), stock["reserved"].as_i64());
            let expected = match end {
                "REFUNDED" => (0, 1, 1, Some(5), Some(0)),
                _ => (6_000, 1, 0, Some(3), Some(0)),
            };
            assert_eq!(seen, expected, "{death:?} on {}", place.name);
            drop(shop);
            let verified = place.printed(&["commerce", "verify"], &[]);
            assert!(verified.ends_with(" 0 mistakes\n"), "{verified}");
        }
    }
}
