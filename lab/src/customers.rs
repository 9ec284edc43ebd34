//! Customers over gRPC: beside a bare tonic server, `\copy`, pgbench, and the first page of a list.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::future::BoxFuture;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use pando_customers::messages::{BatchCreateRequest, CreateRequest, Customer, GetRequest};
use pando_wire::Raw;
use prost::Message;
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic_prost::ProstCodec;
use tower::Service;

use crate::load::{self, Pressure};
use crate::report::Report;
use crate::server::Server;

/// Customers of one batch.
const BATCH: usize = 10_000;
/// Comparisons of batches and `\copy` in a round.
const PAIRS: usize = 2;
/// Customers of the long list, and how far its page lies that is compared with the first: page 10,000 of twenty.
const LIST: usize = 201_000;
const DEPTH: usize = 200_000;
const SERVICE: &str = "pando.customers.v1.CustomerService";

/// The servers that all rounds share.
pub(crate) struct Stage {
    folder: PathBuf,
    remembering: String,
    on_postgres: String,
    postgres_url: String,
    bare: String,
    /// The place of the page behind [`DEPTH`] customers.
    cursor: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// Rates of every round, by contestant.
#[derive(Default)]
pub(crate) struct Rates {
    get: Vec<f64>,
    bare_get: Vec<f64>,
    batch: Vec<f64>,
    copy: Vec<f64>,
    create: Vec<f64>,
    pgbench_create: Vec<f64>,
    pgbench_create_and_event: Vec<f64>,
    first_page: Vec<f64>,
    deep_page: Vec<f64>,
}

impl Stage {
    /// Makes a customer to be read, and a long list.
    pub(crate) async fn set(
        folder: &Path,
        (remembering, on_postgres): (&Server, &Server),
        postgres_url: &str,
    ) -> Result<Self> {
        let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
        let mut stage = Self {
            folder: folder.to_owned(),
            remembering: remembering.url.clone(),
            on_postgres: on_postgres.url.clone(),
            postgres_url: postgres_url.to_owned(),
            bare: String::new(),
            cursor: String::new(),
            client,
        };
        let create = CreateRequest { customer: Some(Raw::of(&customer(0))) };
        let made = stage.call(&stage.remembering, "Create", &create).await?;
        std::fs::write(stage.file("get"), frame(&GetRequest { id: ID.to_owned() }))?;
        let new = Customer { id: String::new(), ..customer(1) };
        std::fs::write(stage.file("create"), frame(&CreateRequest { customer: Some(Raw::of(&new)) }))?;
        let read = stage.call(&stage.remembering, "Get", &GetRequest { id: ID.to_owned() }).await?;
        ensure!(made == read, "the customer is not read as it was created");
        stage.bare = bare_tonic(Raw::from_bytes(read)).await?;
        load::psql(&stage.postgres_url, &many(LIST)).await?;
        load::psql(&stage.postgres_url, "vacuum analyze customers").await?;
        stage.cursor = stage.walk().await?;
        Ok(stage)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.join(format!("customers-{name}"))
    }

    /// One measurement of every contestant, limit and product next to each other.
    pub(crate) async fn round(&self, round: usize, pressure: Pressure, rates: &mut Rates) -> Result<()> {
        let get = |url: &str| load::h2load(format!("{url}/{SERVICE}/Get"), self.file("get"), pressure);
        // Alternately first and second.
        if round.is_multiple_of(2) {
            rates.bare_get.push(get(&self.bare).await?);
            rates.get.push(get(&self.remembering).await?);
        } else {
            rates.get.push(get(&self.remembering).await?);
            rates.bare_get.push(get(&self.bare).await?);
        }
        let page = format!("{}/api/v1/customers?limit=20", self.on_postgres);
        rates.first_page.push(load::wrk(&page, None, pressure).await?);
        let deep = format!("{page}&cursor={}", self.cursor);
        rates.deep_page.push(load::wrk(&deep, None, pressure).await?);
        for pair in 0..PAIRS {
            // Each figure comes from two runs, one before and one after the other contestant.
            let run = 2 * (round * PAIRS + pair);
            let first = self.batch_time(run).await?;
            let copies = self.copy_time(run).await? + self.copy_time(run + 1).await?;
            rates.copy.push(rows_per_second(copies));
            rates.batch.push(rows_per_second(first + self.batch_time(run + 1).await?));
        }
        let url = format!("{}/{SERVICE}/Create", self.on_postgres);
        rates.create.push(load::h2load(url, self.file("create"), pressure).await?);
        for (name, script, pgbench) in [
            ("create.sql", insert(), &mut rates.pgbench_create),
            ("create_and_event.sql", with_its_event(), &mut rates.pgbench_create_and_event),
        ] {
            let file = self.file(name);
            std::fs::write(&file, script)?;
            pgbench.push(load::pgbench(&self.postgres_url, &file, pressure).await?);
        }
        Ok(())
    }

    async fn batch_time(&self, run: usize) -> Result<Duration> {
        let customers = (0..BATCH)
            .map(|number| Raw::of(&Customer { id: String::new(), ..customer(run * BATCH + number) }));
        let batch = BatchCreateRequest { customers: customers.collect(), partial: false };
        let (begun, body) = (Instant::now(), frame(&batch));
        self.send(&self.on_postgres, "BatchCreate", body).await?;
        Ok(begun.elapsed())
    }

    async fn copy_time(&self, run: usize) -> Result<Duration> {
        let file = self.file("copy.csv");
        std::fs::write(&file, copy_file(run))?;
        load::psql_timed(&self.postgres_url, &copy_command(&file)).await
    }

    /// The cursor behind so many customers of the long list.
    async fn walk(&self) -> Result<String> {
        let mut cursor = String::new();
        for _ in 0..DEPTH / 1_000 {
            let url = format!("{}/api/v1/customers?limit=1000&cursor={cursor}", self.on_postgres);
            let page = self.client.get(url.parse()?).await?.into_body().collect().await?.to_bytes();
            let page: serde_json::Value = serde_json::from_slice(&page)?;
            page["next"].as_str().context("the list is too short")?.clone_into(&mut cursor);
        }
        Ok(cursor)
    }

    async fn call(&self, url: &str, method: &str, message: &impl Message) -> Result<Bytes> {
        self.send(url, method, frame(message)).await
    }

    /// Calls a method; the message of its answer.
    async fn send(&self, url: &str, method: &str, body: Bytes) -> Result<Bytes> {
        let request = Request::post(format!("{url}/{SERVICE}/{method}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(Full::new(body))?;
        let answer = self.client.request(request).await?;
        let head = answer.headers().clone();
        let body = answer.into_body().collect().await?;
        let trailers = body.trailers().cloned().unwrap_or(head);
        let status = trailers.get("grpc-status").context("no grpc-status")?;
        ensure!(status == "0", "{method} failed: {trailers:?}");
        Ok(body.to_bytes().slice(5..))
    }
}

impl Rates {
    pub(crate) fn judge(&self, report: &mut Report) {
        for (name, ours, limit, unit, goal) in [
            (
                "gRPC Get of a customer from memory / bare tonic, same message",
                &self.get,
                &self.bare_get,
                "requests/s",
                Some(0.85),
            ),
            ("gRPC BatchCreate of 10,000 / psql \\copy", &self.batch, &self.copy, "rows/s", Some(0.7)),
            (
                "gRPC Create on PostgreSQL / pgbench insert",
                &self.create,
                &self.pgbench_create,
                "requests/s",
                Some(0.65),
            ),
            (
                "gRPC Create on PostgreSQL / pgbench, the customer and its event",
                &self.create,
                &self.pgbench_create_and_event,
                "requests/s",
                None,
            ),
            ("page 10,000 of customers / page 1", &self.deep_page, &self.first_page, "requests/s", Some(0.8)),
        ] {
            report.compare(name, ours, limit, unit, goal);
        }
    }
}

/// The customer that is read.
const ID: &str = "01900000-0000-7000-8000-000000000001";

fn customer(number: usize) -> Customer {
    Customer {
        id: ID.to_owned(),
        email: format!("customer{number}@example.org"),
        name: format!("Customer Number {number}"),
        phone: format!("+41 44 {number:07}"),
        metadata: [("tier".to_owned(), "gold".to_owned()), ("source".to_owned(), "shop".to_owned())].into(),
        ..Customer::default()
    }
}

/// A message as gRPC sends it.
fn frame(message: &impl Message) -> Bytes {
    let length = message.encoded_len();
    let mut frame = BytesMut::with_capacity(5 + length);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(length).unwrap_or(u32::MAX));
    message.encode_raw(&mut frame);
    frame.freeze()
}

fn rows_per_second(time: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "twenty thousand is far below 2^52")]
    let rows = 2.0 * BATCH as f64;
    rows / time.as_secs_f64()
}

const COLUMNS: &str = "tenant, id, given_id, email, email_key, name, phone, phone_key, metadata, unknown, version, \
                       created_at, updated_at";

/// Adds customers of different moments, the newest first in a list.
fn many(count: usize) -> String {
    format!(
        "insert into customers ({COLUMNS}) select '', id, cast(id as text), 'c' || n || '@example.org', \
         'c' || n || '@example.org', 'Customer ' || n, '+41 44 ' || n, '+4144' || n, '{{\"tier\": \"gold\"}}', '', 1, \
         timestamptz '2020-01-01' + n * interval '1 second', now() \
         from (select n, gen_random_uuid() as id from generate_series(1, {count}) as n) as many"
    )
}

/// The same rows as a batch makes.
fn copy_file(run: usize) -> String {
    let mut csv = String::new();
    for number in 0..BATCH {
        let id = format!("{run:08x}-0000-7000-9000-{number:012}");
        let made = customer(run * BATCH + number);
        let key = made.phone.replace(' ', "");
        let moment = "2026-01-01T00:00:00.000001Z";
        csv.push_str(&format!(
            "\"\",{id},{id},{email},{email},{name},{phone},{key},\"{{\"\"tier\"\": \"\"gold\"\", \"\"source\"\": \"\"shop\"\"}}\",\\x,1,{moment},{moment}\n",
            email = made.email,
            name = made.name,
            phone = made.phone,
        ));
    }
    csv
}

fn copy_command(file: &Path) -> String {
    format!("\\copy customers ({COLUMNS}) from '{}' csv", file.display())
}

/// Writes the row of a create.
fn insert() -> String {
    format!(
        "insert into customers ({COLUMNS}) select '', id, cast(id as text), 'customer1@example.org', 'customer1@example.org', \
         'Customer Number 1', '+41 44 0000001', '+41440000001', '{{\"tier\": \"gold\", \"source\": \"shop\"}}', '', 1, now(), now() \
         from (select gen_random_uuid() as id) as one;\n"
    )
}

/// All that a create writes, in one transaction that travels at once, as ours does.
fn with_its_event() -> String {
    let insert = insert();
    format!(
        "\\startpipeline\nbegin;\n{insert}\
         insert into outbox_events (id, service, type, subject, version, data, trace, created_at, event_count, tenant, \
         log_number) select id, 'lab', 'customer_created', cast(id as text), 1, '{{}}', cast(id as text), now(), 1, '', \
         null from (select gen_random_uuid() as id) as one;\ncommit;\n\\endpipeline\n"
    )
}

/// Serves this message to every call with nothing but tonic; answers with its address.
async fn bare_tonic(message: Raw<Customer>) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let incoming = tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true));
    let server = tonic::transport::Server::builder().add_service(Bare(message));
    pando_telemetry::spawn("lab.bare_tonic", async move { server.serve_with_incoming(incoming).await });
    Ok(format!("http://{address}"))
}

/// The service, as generated code answers a call.
#[derive(Clone)]
struct Bare(Raw<Customer>);

impl NamedService for Bare {
    const NAME: &'static str = SERVICE;
}

impl UnaryService<GetRequest> for Bare {
    type Response = Raw<Customer>;
    type Future = BoxFuture<'static, Result<tonic::Response<Raw<Customer>>, tonic::Status>>;

    fn call(&mut self, _: tonic::Request<GetRequest>) -> Self::Future {
        let message = self.0.clone();
        Box::pin(async move { Ok(tonic::Response::new(message)) })
    }
}

impl Service<Request<Body>> for Bare {
    type Response = hyper::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(Grpc::new(ProstCodec::default()).unary(service, request).await) })
    }
}

#[cfg(test)]
mod tests {
    use pando_database::testing::TestDatabase;

    use super::*;

    /// The rows of the limits go into the real table.
    #[tokio::test]
    async fn the_table_takes_what_the_limits_write() {
        let test = TestDatabase::postgres().await;
        test.open().await.migrate(&[pando_customers::MIGRATIONS]).await.unwrap();
        let server = test.options.url.as_ref().unwrap().expose();
        let (server, name) = (server.rsplit_once('/').unwrap().0, test.options.database.as_ref().unwrap());
        let (url, folder) = (format!("{server}/{name}"), tempfile::tempdir().unwrap());
        let file = folder.path().join("copy.csv");
        std::fs::write(&file, copy_file(0)).unwrap();
        load::psql(&url, &many(7)).await.unwrap();
        for commands in [copy_command(&file), insert()] {
            load::psql(&url, &commands).await.unwrap();
        }
        assert_eq!(load::psql(&url, "select count(*) from customers").await.unwrap().trim(), "10008");
    }
}
