//! A provider of payments on a socket: it books charges and refunds, and stops at the moment that a test names.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);

/// A moment on the way of an order to move money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// It has come, and is not booked.
    Asked,
    /// It is booked, and not answered.
    Booked,
}

/// The bank. Its books outlive every server.
pub(crate) struct Bank {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The booked charges and refunds, by path and key.
    books: BTreeMap<(String, String), Value>,
    /// Where the next order stops.
    stop: Option<Moment>,
    /// Whether one stands there.
    reached: bool,
}

impl Bank {
    pub(crate) fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let of_bank = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&of_bank);
                thread::spawn(move || while shared.serve(&stream).is_some() {});
            }
        });
        Self { address, shared }
    }

    /// The settings of a server that uses it.
    pub(crate) fn settings(&self) -> Vec<(String, String)> {
        let of = |name: &str, value: &str| (format!("PANDO_COMMERCE__PAYMENTS__{name}"), value.to_owned());
        vec![
            of("PROVIDER", "http"),
            of("CALLBACK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            of("HTTP__URL", &format!("http://{}", self.address)),
            of("HTTP__SECRET_KEY", "sk_test_0123456789abcdef"),
            of("HTTP__ALLOW_HTTP", "true"),
            of("HTTP__NETWORKS", "127.0.0.0/8"),
        ]
    }

    /// The next order to move money stops at this moment.
    pub(crate) fn stop_at(&self, moment: Moment) {
        let mut state = self.shared.state.lock().unwrap();
        (state.stop, state.reached) = (Some(moment), false);
    }

    /// Waits until an order stands at the moment.
    pub(crate) fn wait(&self) {
        let state = self.shared.state.lock().unwrap();
        let (state, _) =
            self.shared.changed.wait_timeout_while(state, PATIENCE, |state| !state.reached).unwrap();
        assert!(state.reached, "no order came to the bank");
    }

    /// Lets the order go on, and every later one.
    pub(crate) fn go_on(&self) {
        self.shared.state.lock().unwrap().stop = None;
        self.shared.changed.notify_all();
    }

    /// How much was charged and not given back, and how many charges and refunds there are.
    pub(crate) fn balance(&self) -> (i64, usize, usize) {
        let state = self.shared.state.lock().unwrap();
        let of = |path: &str| -> Vec<i64> {
            let booked = state.books.iter().filter(|((of, _), _)| of == path);
            booked.map(|(_, thing)| thing["amount"].as_i64().unwrap()).collect()
        };
        let (charges, refunds) = (of("/v1/payment_intents"), of("/v1/refunds"));
        (charges.iter().sum::<i64>() - refunds.iter().sum::<i64>(), charges.len(), refunds.len())
    }
}

impl Shared {
    /// Answers one request; none when the connection has ended.
    fn serve(&self, mut stream: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
        let (method, rest) = line.split_once(' ')?;
        let target = rest.split(' ').next()?.to_owned();
        let (method, mut length) = (method.to_owned(), 0);
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok().filter(|count| *count > 0)?;
            if header.trim().is_empty() {
                break;
            }
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let answer = self.answer(&method, &target, &body).to_string();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{answer}",
            answer.len()
        )
        .ok()
    }

    fn answer(&self, method: &str, target: &str, body: &[u8]) -> Value {
        let (path, question) = target.split_once('?').unwrap_or((target, ""));
        if method == "GET" {
            let key = question.trim_start_matches("key=").to_owned();
            let state = self.state.lock().unwrap();
            let found = state.books.get(&(path.to_owned(), key));
            return json!({"data": found.into_iter().collect::<Vec<_>>()});
        }
        if path == "/v1/payment_methods" {
            return json!({"id": "tok_of_the_bank"});
        }
        let asked: Value = serde_json::from_slice(body).unwrap();
        let key = asked["metadata"]["key"].as_str().unwrap().to_owned();
        self.stand_at(Moment::Asked);
        let booked = {
            let mut state = self.state.lock().unwrap();
            let id = format!("id_{}", state.books.len());
            let fresh = || {
                json!({"id": id, "status": "succeeded", "amount": asked["amount"], "currency": asked["currency"],
                    "authorization_code": "A1", "metadata": asked["metadata"]})
            };
            state.books.entry((path.to_owned(), key)).or_insert_with(fresh).clone()
        };
        self.stand_at(Moment::Booked);
        booked
    }

    /// Stops here if that is asked for, until it may go on.
    fn stand_at(&self, moment: Moment) {
        let mut state = self.state.lock().unwrap();
        if state.stop != Some(moment) {
            return;
        }
        state.reached = true;
        self.changed.notify_all();
        drop(self.changed.wait_timeout_while(state, PATIENCE, |state| state.stop == Some(moment)).unwrap());
    }
}
