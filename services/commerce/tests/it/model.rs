//! Random operations beside a model of the shop that fits on two pages: after each of them, both say the same.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use pando_commerce::CommerceOptions;
use serde_json::{Value, json};

use crate::orders::{address, cancel, order, place, token};
use crate::{House, each_house_with};

/// A few operations in every test run; a million, on both engines together, where the long proofs are asked for.
fn operations() -> usize {
    #[expect(clippy::disallowed_methods, reason = "how `make prove` asks for the long form")]
    if std::env::var("PANDO_PROVE").is_ok() { 500_000 } else { 400 }
}

const PRICES: [i64; 3] = [2_999, 501, 12_345];
const MINUTE: u64 = 60;

/// Random numbers of a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % sides
    }

    fn some<T: Copy>(&mut self, things: &[T]) -> T {
        things[self.roll(things.len())]
    }
}

/// An order as the model knows it.
struct Known {
    id: Value,
    lines: BTreeMap<usize, i64>,
    status: &'static str,
    /// The token with which it pays by itself, once its job runs.
    token: Option<&'static str>,
    /// Until when its units are reserved, if they are.
    reserved_until: Option<u64>,
    pay_until: u64,
    /// The payment of a paid order, and how much of it was sent back.
    paid: Option<(Value, i64)>,
}

impl Known {
    fn total(&self) -> i64 {
        self.lines.iter().map(|(product, count)| PRICES[*product] * count).sum()
    }
}

/// The shop as it should be.
struct Model<'a> {
    house: &'a House,
    products: Vec<Value>,
    available: [i64; 3],
    cart: BTreeMap<usize, i64>,
    orders: Vec<Known>,
    /// Seconds since the beginning.
    now: u64,
    keys: usize,
}

impl Model<'_> {
    async fn step(&mut self, dice: &mut Dice) {
        let (product, count) = (dice.roll(3), i64::try_from(dice.roll(4) + 1).unwrap());
        match dice.roll(12) {
            0 | 1 => self.put_into_cart(product, count).await,
            2 => self.change_cart(product, count - 1).await,
            3 => {
                self.check_out(dice.some(&[None, Some("tok_ok"), Some("tok_declined"), Some("tok_unknown")]))
                    .await
            }
            4 | 5 => {
                let lines = BTreeMap::from([(product, count), (dice.roll(3), 1)]);
                let token =
                    dice.some(&[None, None, Some("tok_ok"), Some("tok_declined"), Some("tok_unknown")]);
                self.place(lines, token, false).await;
            }
            6 => self.work().await,
            7 => self.wait(dice.some(&[30, 2 * MINUTE, 6 * MINUTE, 31 * MINUTE])).await,
            8 => self.restock(product, count).await,
            9 => self.pay(dice).await,
            10 => self.cancel(dice).await,
            _ => self.refund(dice).await,
        }
    }

    async fn put_into_cart(&mut self, product: usize, count: i64) {
        let body = json!({"items": self.items(&{
            let mut lines = self.cart.clone();
            *lines.entry(product).or_default() += count;
            lines
        })});
        let has = self.cart.get(&product).copied().unwrap_or_default() + count;
        let fits = has <= 10
            && self.cart.iter().all(|(other, count)| *other == product || *count <= self.available[*other])
            && has <= self.available[product];
        let answer = self.house.ask(Method::PUT, "/api/cart/anonymous", &body).await;
        assert_eq!(answer.status.is_success(), fits, "{answer:?}");
        if fits {
            self.cart.insert(product, has);
        }
    }

    async fn change_cart(&mut self, product: usize, count: i64) {
        let mut lines = self.cart.clone();
        match count {
            0 => drop(lines.remove(&product)),
            count => drop(lines.insert(product, count)),
        }
        let fits = lines.iter().all(|(product, count)| *count <= self.available[*product]);
        let body = json!({"items": self.items(&lines)});
        let answer = self.house.ask(Method::PUT, "/api/cart/anonymous", &body).await;
        assert_eq!(answer.status.is_success(), fits, "{answer:?}");
        if fits {
            self.cart = lines;
        }
    }

    async fn check_out(&mut self, token: Option<&'static str>) {
        let lines = self.cart.clone();
        self.place(lines, token, true).await;
    }

    async fn place(&mut self, lines: BTreeMap<usize, i64>, paid_by: Option<&'static str>, of_cart: bool) {
        self.keys += 1;
        let mut body = json!({"shippingAddress": address()});
        if !of_cart {
            body["items"] = self.items(&lines);
        }
        if let Some(name) = paid_by {
            body["paymentMethod"] = token(name);
        }
        let known = Known {
            id: Value::Null,
            status: "PENDING",
            token: paid_by,
            reserved_until: Some(self.now + 5 * MINUTE),
            pay_until: self.now + 30 * MINUTE,
            paid: None,
            lines,
        };
        let can_be_sold = !known.lines.is_empty()
            && known.total() >= 1_000
            && known.lines.iter().all(|(product, count)| *count <= self.available[*product]);
        let answer = place(self.house, &format!("k-{}", self.keys), &body).await;
        assert_eq!(answer.status == 201, can_be_sold, "{answer:?}");
        if can_be_sold {
            self.move_units(&known.lines, -1);
            if of_cart {
                self.cart.clear();
            }
            self.orders.push(Known { id: answer.json()["orderId"].clone(), ..known });
        }
    }

    /// Jobs run: orders with a card are charged.
    async fn work(&mut self) {
        self.house.work().await;
        for place in 0..self.orders.len() {
            let known = &self.orders[place];
            let Some(token) = known.token.filter(|_| known.status == "PENDING") else { continue };
            // If time was up, the units are reserved again if they are there.
            if known.reserved_until.is_none() {
                let lines = known.lines.clone();
                if lines.iter().any(|(product, count)| *count > self.available[*product]) {
                    self.orders[place].status = "CANCELLED";
                    continue;
                }
                self.move_units(&lines, -1);
            }
            match token {
                "tok_ok" => self.is_paid(place).await,
                "tok_unknown" => {
                    (self.orders[place].status, self.orders[place].reserved_until) =
                        ("PENDING_PAYMENT", Some(u64::MAX))
                }
                _ => {
                    let lines = self.orders[place].lines.clone();
                    self.move_units(&lines, 1);
                    (self.orders[place].status, self.orders[place].reserved_until) = ("CANCELLED", None);
                }
            }
        }
    }

    async fn is_paid(&mut self, place: usize) {
        let payment = order(self.house, &self.orders[place].id).await["paymentId"].clone();
        let known = &mut self.orders[place];
        (known.status, known.reserved_until, known.paid) = ("CONFIRMED", None, Some((payment, 0)));
    }

    /// Time goes by, and everything happens that time brings: first orders are charged, so that none is swept on its way.
    async fn wait(&mut self, seconds: u64) {
        self.work().await;
        self.now += seconds;
        self.house.clock.advance(Duration::from_secs(seconds));
        for sweep in ["payment_reconcile", "order_sweep", "reservation_sweep"] {
            self.house.run(sweep).await;
        }
        for place in 0..self.orders.len() {
            let known = &self.orders[place];
            match known.status {
                // After a second the job asks again, and hears that the money moved.
                "PENDING_PAYMENT" => self.is_paid(place).await,
                "PENDING" if known.pay_until <= self.now => {
                    let lines = known.lines.clone();
                    if known.reserved_until.is_some() {
                        self.move_units(&lines, 1);
                    }
                    (self.orders[place].status, self.orders[place].reserved_until) = ("CANCELLED", None);
                }
                "PENDING" if known.reserved_until.is_some_and(|until| until <= self.now) => {
                    let lines = known.lines.clone();
                    self.move_units(&lines, 1);
                    self.orders[place].reserved_until = None;
                }
                _ => {}
            }
        }
    }

    async fn restock(&mut self, product: usize, count: i64) {
        let body = json!({"productId": self.products[product]["id"], "kind": "RESTOCK", "quantity": count});
        assert_eq!(self.house.server.post("/api/inventory/movements", &body).await.status, 201);
        self.available[product] += count;
    }

    async fn pay(&mut self, dice: &mut Dice) {
        let waiting: Vec<usize> = (0..self.orders.len())
            .filter(|place| self.orders[*place].status == "PENDING" && self.orders[*place].token.is_none())
            .collect();
        if waiting.is_empty() {
            return;
        }
        let (place, name) = (dice.some(&waiting), dice.some(&["tok_ok", "tok_declined"]));
        let (id, amount) = (self.orders[place].id.clone(), self.orders[place].total());
        let amount = format!("{}.{:02}", amount / 100, amount % 100);
        let body = json!({"orderId": id, "amount": amount, "paymentMethod": token(name)});
        let lines = self.orders[place].lines.clone();
        let is_reserved = self.orders[place].reserved_until.is_some();
        let is_there = is_reserved || lines.iter().all(|(product, count)| *count <= self.available[*product]);
        let answer = self.house.server.post("/api/payments", &body).await;
        assert_eq!(answer.status == 201, is_there && name == "tok_ok", "{answer:?}");
        if !is_there {
            return;
        }
        if !is_reserved {
            self.move_units(&lines, -1);
        }
        match name {
            "tok_ok" => self.is_paid(place).await,
            _ => self.orders[place].reserved_until = Some(self.now + 5 * MINUTE),
        }
    }

    async fn cancel(&mut self, dice: &mut Dice) {
        if self.orders.is_empty() {
            return;
        }
        let place = dice.roll(self.orders.len());
        let known = &self.orders[place];
        let (status, lines) = (known.status, known.lines.clone());
        let (code, answer) = cancel(self.house, &known.id).await;
        assert_eq!(code == 200, status != "PENDING_PAYMENT", "{answer}");
        match status {
            "PENDING" => {
                if self.orders[place].reserved_until.is_some() {
                    self.move_units(&lines, 1);
                }
                (self.orders[place].status, self.orders[place].reserved_until) = ("CANCELLED", None);
            }
            "CONFIRMED" => {
                self.move_units(&lines, 1);
                // The refund is a job, and all jobs that are due run with it.
                self.orders[place].status = "REFUNDED";
                self.work().await;
            }
            _ => {}
        }
    }

    async fn refund(&mut self, dice: &mut Dice) {
        let paid: Vec<usize> =
            (0..self.orders.len()).filter(|place| self.orders[*place].status == "CONFIRMED").collect();
        if paid.is_empty() {
            return;
        }
        let place = dice.some(&paid);
        let total = self.orders[place].total();
        let minor = i64::try_from(dice.roll(usize::try_from(total).unwrap()) + 1).unwrap();
        let (payment, back) = self.orders[place].paid.clone().unwrap();
        let path = format!("/api/payments/{}/refund", payment.as_str().unwrap());
        let body = json!({"amount": format!("{}.{:02}", minor / 100, minor % 100), "reason": "OTHER"});
        let answer = self.house.server.post(&path, &body).await;
        assert_eq!(answer.status == 200, back + minor <= total, "{answer:?}");
        if back + minor <= total {
            self.orders[place].paid = Some((payment, back + minor));
        }
    }

    fn items(&self, lines: &BTreeMap<usize, i64>) -> Value {
        lines
            .iter()
            .map(|(product, count)| json!({"productId": self.products[*product]["id"], "quantity": count}))
            .collect()
    }

    fn move_units(&mut self, lines: &BTreeMap<usize, i64>, sign: i64) {
        for (product, count) in lines {
            self.available[*product] += sign * count;
        }
    }

    /// The model and the shop say the same.
    async fn compare(&self) {
        for (place, product) in self.products.iter().enumerate() {
            let path = format!("/api/inventory/{}", product["id"].as_str().unwrap());
            let stock = self.house.server.get(&path).await.json()["data"].clone();
            let reserved: i64 = self
                .orders
                .iter()
                .filter(|known| known.reserved_until.is_some())
                .map(|known| known.lines.get(&place).copied().unwrap_or_default())
                .sum();
            let seen = (stock["available"].as_i64(), stock["reserved"].as_i64());
            assert_eq!(seen, (Some(self.available[place]), Some(reserved)), "product {place}");
        }
        // The latest orders: the earlier ones change no more once they are old.
        for known in self.orders.iter().rev().take(30) {
            let seen = order(self.house, &known.id).await;
            assert_eq!(seen["status"], known.status, "{seen}");
        }
        self.house.books_agree().await;
    }
}

#[tokio::test]
async fn prove_that_the_shop_is_as_its_model_whatever_happens() {
    let mut options = CommerceOptions { waiting_orders_max: 0, ..CommerceOptions::default() };
    options.payments.sandbox.callbacks = 0;
    each_house_with(&options, async |house| {
        let mut products = Vec::new();
        for price in PRICES {
            let price = format!("{}.{:02}", price / 100, price % 100);
            products.push(house.product(json!({"price": price, "stockQuantity": 25})).await);
        }
        let mut model = Model {
            house: &house,
            products,
            available: [25; 3],
            cart: BTreeMap::new(),
            orders: Vec::new(),
            now: 0,
            keys: 0,
        };
        let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
        for number in 0..operations() {
            model.step(&mut dice).await;
            if number % 20 == 19 {
                model.compare().await;
            }
        }
    })
    .await;
}
