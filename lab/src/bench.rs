//! `pando-lab bench`: Pando and its limits in one interleaved run, on the same rows with the same clients.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use pando_clock::Clock;
use pando_database::testing::TestPostgres;
use serde_json::Value;

use crate::load::{self, Pressure};
use crate::report::Report;
use crate::server::Server;
use crate::{credentials, customers, limits, outage, sample, tls, webhooks};

/// Profiles of one read by many ids.
const ROWS: usize = 100;
/// Items of one batch request.
const BATCH: usize = 1000;
/// Rows of one batch measurement, on both sides.
const BATCH_ROWS: usize = 10_000;
/// Comparisons of batches and `\copy` in a round.
const BATCH_PAIRS: usize = 2;
/// Batch requests on their way at once.
const BATCHES_AT_ONCE: usize = 4;

/// Which profile is made large enough to be packed.
const LARGE: usize = 1;

/// Every read is the database's.
const UNCACHED: &[(&str, &str)] = &[
    ("PANDO_PROFILES__CACHE__L1", "false"),
    ("PANDO_PROFILES__CACHE__L2", "false"),
    ("PANDO_PROFILES__PAGES__L1", "false"),
    ("PANDO_CUSTOMERS__PAGES__L1", "false"),
];

/// The extent of a run.
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) seconds: u64,
    pub(crate) clients: usize,
    pub(crate) profiles: usize,
    pub(crate) only: Option<Part>,
    pub(crate) binary: PathBuf,
    pub(crate) results: PathBuf,
}

/// Everything the rounds share.
struct Stage {
    plan: Plan,
    folder: tempfile::TempDir,
    /// Ends with the run.
    postgres: TestPostgres,
    postgres_url: String,
    /// Without a cache: each read is the database's.
    on_postgres: Server,
    on_sqlite: Server,
    /// SQLite with the cache as it comes.
    remembering: Server,
    /// On the same file, with hot reads answered behind hyper.
    behind_hyper: Server,
    bare_url: String,
    /// Bare hyper with the bytes of a packed answer.
    bare_packed_url: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// A part of the comparison, which can be run alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// Reads and writes of profiles.
    Profiles,
    /// Customers over gRPC.
    Customers,
    /// Hot reads over TLS.
    Tls,
    /// Hot reads with credentials.
    Credentials,
    /// Deliveries to webhooks.
    Webhooks,
}

/// How often a Redis dies for the figures.
const OUTAGES: usize = 3;

/// Rates of every round, by contestant.
#[derive(Default)]
struct Rates {
    bare: Vec<f64>,
    pgbench_read: Vec<f64>,
    read_postgres: Vec<f64>,
    rusqlite: Vec<f64>,
    read_sqlite: Vec<f64>,
    rows_sqlite: Vec<f64>,
    bare_pipelined: Vec<f64>,
    read_sqlite_pipelined: Vec<f64>,
    read_memory: Vec<f64>,
    bare_one: Vec<f64>,
    read_one: Vec<f64>,
    read_one_behind_hyper: Vec<f64>,
    bare_packed: Vec<f64>,
    read_packed: Vec<f64>,
    pgbench_create: Vec<f64>,
    create_postgres: Vec<f64>,
    create_sqlite: Vec<f64>,
    copy: Vec<f64>,
    batch_postgres: Vec<f64>,
}

/// Runs the comparison.
pub(crate) async fn run(plan: Plan) -> Result<()> {
    let results = plan.results.clone();
    let stage = Stage::set(plan).await?;
    let mut report = Report::default();
    let only = stage.plan.only;
    let wants = |part| only.is_none_or(|only| only == part);
    if wants(Part::Profiles) {
        stage.figures(&mut report).await?;
    }
    let of_customers = if wants(Part::Customers) { Some(stage.customers().await?) } else { None };
    let over_tls = if wants(Part::Tls) { Some(stage.over_tls().await?) } else { None };
    let with_credentials =
        if wants(Part::Credentials) { Some(stage.with_credentials().await?) } else { None };
    let of_webhooks = if wants(Part::Webhooks) { Some(stage.webhooks().await?) } else { None };
    let (mut rates, mut rates_of_customers) = (Rates::default(), customers::Rates::default());
    let mut rates_over_tls = tls::Rates::default();
    let mut rates_with_credentials = credentials::Rates::default();
    let mut rates_of_webhooks = webhooks::Rates::default();
    for round in 0..stage.plan.rounds {
        eprintln!("round {} of {}", round + 1, stage.plan.rounds);
        if wants(Part::Profiles) {
            stage.round(round, &mut rates).await?;
        }
        if let Some(stage_of_credentials) = &with_credentials {
            stage_of_credentials.round(round, stage.pressure(), &mut rates_with_credentials).await?;
        }
        if let Some(over_tls) = &over_tls {
            over_tls.round(round, stage.pressure(), &mut rates_over_tls).await?;
        }
        if let Some(of_customers) = &of_customers {
            of_customers.round(round, stage.pressure(), &mut rates_of_customers).await?;
        }
        if let Some(of_webhooks) = &of_webhooks {
            of_webhooks.round(round, &mut rates_of_webhooks).await?;
        }
    }
    if wants(Part::Profiles) {
        rates.judge(&mut report);
    }
    if over_tls.is_some() {
        rates_over_tls.judge(&mut report);
    }
    if with_credentials.is_some() {
        rates_with_credentials.judge(&mut report);
    }
    if of_customers.is_some() {
        rates_of_customers.judge(&mut report);
    }
    if of_webhooks.is_some() {
        rates_of_webhooks.judge(&mut report);
    }
    stage.strike().await?;
    eprintln!();
    print(&report.table());
    report.keep(&results, &Clock::system())
}

#[expect(clippy::print_stdout, reason = "the table is what the command is for")]
fn print(table: &str) {
    println!("{table}");
}

impl Stage {
    /// Starts the servers and fills both databases with the same profiles.
    async fn set(plan: Plan) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        // A server of its own, with its disk flushes on, as in production.
        let postgres = TestPostgres::start(&[]);
        let name = postgres.create_database().await;
        let (server_url, _) = postgres.url().rsplit_once('/').context("an address with a database")?;
        let postgres_url = format!("{server_url}/{name}");
        let data = |name: &str| folder.path().join(name);
        let on_postgres = [UNCACHED, &[("DATABASE_URL", postgres_url.as_str())]].concat();
        let on_postgres = Server::start(&plan.binary, &data("postgres"), &on_postgres).await?;
        let on_sqlite = Server::start(&plan.binary, &data("sqlite"), UNCACHED).await?;
        let remembering = Server::start(&plan.binary, &data("remembering"), &[]).await?;
        let behind = [("PANDO_HTTP__HOT_WIRE", "false")];
        let behind_hyper = Server::start(&plan.binary, &data("remembering"), &behind).await?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let mut stage = Self {
            plan,
            folder,
            postgres,
            postgres_url,
            on_postgres,
            on_sqlite,
            remembering,
            behind_hyper,
            bare_url: String::new(),
            bare_packed_url: String::new(),
            client,
        };
        eprintln!("filling both databases with {} profiles", stage.plan.profiles);
        for url in [&stage.on_postgres.url, &stage.on_sqlite.url, &stage.remembering.url] {
            for first in (0..stage.plan.profiles).step_by(BATCH) {
                let last = (first + BATCH).min(stage.plan.profiles);
                let items = (first..last).map(|number| {
                    let mut item = sample::profile("base", number);
                    item["id"] = Value::from(sample::id(number));
                    item
                });
                stage.post_batch(url, items.collect()).await?;
            }
        }
        load::psql(&stage.postgres_url, "vacuum analyze profiles").await?;
        let answer = stage.answer().await?;
        stage.bare_url = limits::bare_hyper(answer, None).await?;
        stage.bare_packed_url = limits::bare_hyper(stage.packed_answer().await?, None).await?;
        Ok(stage)
    }

    /// A profile from memory.
    async fn answer(&self) -> Result<Bytes> {
        let path = format!("{}/api/v1/profiles/{}", self.remembering.url, sample::id(0));
        let mut answer = Bytes::new();
        // Twice: the second one is from memory, and a little shorter.
        for _ in 0..2 {
            let read = self.client.get(path.parse()?).await?;
            ensure!(read.status().is_success(), "a sample profile cannot be read: {}", read.status());
            answer = read.into_body().collect().await?.to_bytes();
        }
        Ok(answer)
    }

    /// On the data of the server that runs already: SQLite takes several.
    async fn with_credentials(&self) -> Result<credentials::Stage> {
        let data = self.folder.path().join("remembering");
        credentials::Stage::set(&self.plan.binary, &data, &self.bare_url).await
    }

    async fn over_tls(&self) -> Result<tls::Stage> {
        let data = self.folder.path().join("remembering");
        tls::Stage::set(&self.plan.binary, &data, self.answer().await?).await
    }

    async fn customers(&self) -> Result<customers::Stage> {
        let servers = (&self.remembering, &self.on_postgres);
        customers::Stage::set(self.folder.path(), servers, &self.postgres_url).await
    }

    async fn webhooks(&self) -> Result<webhooks::Stage> {
        // A database of its own: events of other contestants would reach the webhooks as well.
        let name = self.postgres.create_database().await;
        let (server_url, _) = self.postgres_url.rsplit_once('/').context("an address with a database")?;
        let url = format!("{server_url}/{name}");
        webhooks::Stage::set(&self.plan.binary, self.folder.path(), &url).await
    }

    fn pressure(&self) -> Pressure {
        Pressure { clients: self.plan.clients, seconds: self.plan.seconds }
    }

    /// A profile of two kilobytes from memory, for a client that accepts gzip.
    async fn packed_answer(&self) -> Result<Bytes> {
        let url = format!("{}/api/v1/profiles/{}", self.remembering.url, sample::id(LARGE));
        let body = serde_json::to_vec(&serde_json::json!({"bio": sample::biography(2_048)}))?;
        let change = Request::put(&url).header("content-type", "application/json").body(body.into())?;
        ensure!(self.client.request(change).await?.status().is_success(), "a profile cannot be changed");
        let mut answer = Bytes::new();
        for _ in 0..3 {
            let read = Request::get(&url).header("accept-encoding", "gzip").body(Full::default())?;
            let read = self.client.request(read).await?;
            ensure!(read.headers().contains_key("content-encoding"), "the answer is not packed");
            answer = read.into_body().collect().await?.to_bytes();
        }
        Ok(answer)
    }

    /// Figures that need no rounds: memory, start-up, size.
    async fn figures(&self, report: &mut Report) -> Result<()> {
        let data = self.folder.path().join("idle");
        Server::start(&self.plan.binary, &data, &[]).await?.stop().await?;
        let mut starts = Vec::new();
        let mut memory = 0.0;
        for _ in 0..5 {
            let server = Server::start(&self.plan.binary, &data, &[]).await?;
            starts.push(server.started_in.as_secs_f64() * 1000.0);
            memory = server.memory_mb()?;
            server.stop().await?;
        }
        report.figure("idle memory, embedded database", memory, "MB", Some(40.0));
        report.figure("start-up on an existing database", crate::report::median(&starts), "ms", Some(300.0));
        #[expect(clippy::cast_precision_loss, reason = "a file size is far below 2^52")]
        let size = std::fs::metadata(&self.plan.binary)?.len() as f64 / 1e6;
        report.figure("binary size", size, "MB", None);
        let script = self.folder.path().join("outage.lua");
        std::fs::write(&script, sample::wrk_read_script(self.plan.profiles))?;
        let pressure = Pressure { clients: self.plan.clients, seconds: self.plan.seconds };
        let (binary, profiles) = (&self.plan.binary, self.plan.profiles);
        // On the data of the server that runs already: SQLite takes several.
        let data = self.folder.path().join("remembering");
        let (mut alive, mut added) = (Vec::new(), Vec::new());
        for _ in 0..OUTAGES {
            let (with, without) = outage::slowest_reads(binary, &data, profiles, &script, pressure).await?;
            alive.push(with);
            added.push(without - with);
        }
        let middle = crate::report::median(&alive);
        report.figure("slowest 1 % of reads with Redis, nothing kept in the process", middle, "ms", None);
        report.difference("added to them once Redis is known to be dead", &added, "ms", Some(5.0));
        Ok(())
    }

    /// One measurement of every contestant, limit and product next to each other.
    async fn round(&self, round: usize, rates: &mut Rates) -> Result<()> {
        let pressure = self.pressure();
        let script = |name: &str, text: String| -> Result<PathBuf> {
            let file = self.folder.path().join(name);
            std::fs::write(&file, text)?;
            Ok(file)
        };
        let read = script("read.lua", sample::wrk_read_script(self.plan.profiles))?;
        let create = script("create.lua", sample::wrk_create_script())?;
        let pgbench_read = script("read.sql", sample::pgbench_read_script(self.plan.profiles))?;
        let pgbench_create = script("create.sql", sample::pgbench_create_script())?;

        // Alternately first and second, because the second contestant finds the machine warmer.
        let one = |url: &str| format!("{url}/api/v1/profiles/{}", sample::id(0));
        if round.is_multiple_of(2) {
            rates.bare_one.push(load::wrk(&one(&self.bare_url), None, pressure).await?);
            rates.read_one.push(load::wrk(&one(&self.remembering.url), None, pressure).await?);
            rates.read_one_behind_hyper.push(load::wrk(&one(&self.behind_hyper.url), None, pressure).await?);
            rates.bare.push(load::wrk(&self.bare_url, Some(&read), pressure).await?);
            rates.read_memory.push(load::wrk(&self.remembering.url, Some(&read), pressure).await?);
        } else {
            rates.read_one_behind_hyper.push(load::wrk(&one(&self.behind_hyper.url), None, pressure).await?);
            rates.read_one.push(load::wrk(&one(&self.remembering.url), None, pressure).await?);
            rates.bare_one.push(load::wrk(&one(&self.bare_url), None, pressure).await?);
            rates.read_memory.push(load::wrk(&self.remembering.url, Some(&read), pressure).await?);
            rates.bare.push(load::wrk(&self.bare_url, Some(&read), pressure).await?);
        }
        let packed = script("packed.lua", sample::WRK_GZIP_SCRIPT.to_owned())?;
        let large = format!("{}/api/v1/profiles/{}", self.remembering.url, sample::id(LARGE));
        rates.bare_packed.push(load::wrk(&self.bare_packed_url, Some(&packed), pressure).await?);
        rates.read_packed.push(load::wrk(&large, Some(&packed), pressure).await?);
        rates.read_postgres.push(load::wrk(&self.on_postgres.url, Some(&read), pressure).await?);
        rates.pgbench_read.push(load::pgbench(&self.postgres_url, &pgbench_read, pressure).await?);
        rates.read_sqlite.push(load::wrk(&self.on_sqlite.url, Some(&read), pressure).await?);
        let pipelined = script("pipelined.lua", sample::wrk_pipelined_read_script(self.plan.profiles))?;
        rates.bare_pipelined.push(load::wrk(&self.bare_url, Some(&pipelined), pressure).await?);
        rates.read_sqlite_pipelined.push(load::wrk(&self.on_sqlite.url, Some(&pipelined), pressure).await?);
        let some =
            format!("{}/api/v1/profiles?ids={}", self.on_sqlite.url, sample::ids(ROWS, self.plan.profiles));
        #[expect(clippy::cast_precision_loss, reason = "a hundred is far below 2^52")]
        rates.rows_sqlite.push(load::wrk(&some, None, pressure).await? * ROWS as f64);
        let file = self.folder.path().join("sqlite").join("pando.db");
        let (profiles, time) = (self.plan.profiles, Duration::from_secs(self.plan.seconds));
        rates
            .rusqlite
            .push(tokio::task::spawn_blocking(move || limits::rusqlite_reads(&file, profiles, time)).await??);

        // The second contestant finds the disk busy with the writes of the first, and takes twice the time. So each figure comes
        // from two runs, one before and one after the other contestant.
        for pair in 0..BATCH_PAIRS {
            let run = 2 * (round * BATCH_PAIRS + pair);
            let first = self.batch_rate(run).await?;
            let copies = [self.copy_rate(run).await?, self.copy_rate(run + 1).await?];
            let batches = [first, self.batch_rate(run + 1).await?];
            rates.batch_postgres.push(rate_of_both(batches));
            rates.copy.push(rate_of_both(copies));
        }
        rates.create_postgres.push(load::wrk(&self.on_postgres.url, Some(&create), pressure).await?);
        rates.pgbench_create.push(load::pgbench(&self.postgres_url, &pgbench_create, pressure).await?);
        rates.create_sqlite.push(load::wrk(&self.on_sqlite.url, Some(&create), pressure).await?);

        Ok(())
    }

    /// Rows per second of batch requests.
    async fn batch_rate(&self, round: usize) -> Result<f64> {
        let generation = format!("batch{round}");
        let bodies: Vec<Value> = (0..BATCH_ROWS)
            .step_by(BATCH)
            .map(|first| (first..first + BATCH).map(|number| sample::profile(&generation, number)).collect())
            .collect();
        let begun = Instant::now();
        let sent = bodies.into_iter().map(|body| self.post_batch(&self.on_postgres.url, body));
        stream::iter(sent).buffer_unordered(BATCHES_AT_ONCE).try_collect::<Vec<()>>().await?;
        Ok(rows_per_second(begun.elapsed()))
    }

    /// Rows per second of `\copy` of as many rows into the same table.
    async fn copy_rate(&self, round: usize) -> Result<f64> {
        let file = self.folder.path().join("copy.csv");
        std::fs::write(&file, sample::copy_file(&format!("copy{round}"), BATCH_ROWS))?;
        Ok(rows_per_second(load::psql_timed(&self.postgres_url, &sample::copy_command(&file)).await?))
    }

    async fn post_batch(&self, url: &str, items: Value) -> Result<()> {
        let request = Request::post(format!("{url}/api/v1/profiles:batch"))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(items.to_string())))?;
        let answer = self.client.request(request).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        ensure!(status.is_success(), "a batch was refused ({status}): {}", String::from_utf8_lossy(&body));
        let answer: Value = serde_json::from_slice(&body).context("the answer to a batch")?;
        let results = answer["results"].as_array().context("no results")?;
        ensure!(
            results.iter().all(|item| item["status"] == "created"),
            "some items were not created: {answer}"
        );
        Ok(())
    }

    async fn strike(self) -> Result<()> {
        self.on_postgres.stop().await?;
        self.remembering.stop().await?;
        self.behind_hyper.stop().await?;
        self.on_sqlite.stop().await
    }
}

/// As much work at one rate as at the other.
fn rate_of_both([one, other]: [f64; 2]) -> f64 {
    2.0 / (one.recip() + other.recip())
}

fn rows_per_second(time: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "ten thousand is far below 2^52")]
    let rows = BATCH_ROWS as f64;
    rows / time.as_secs_f64()
}

impl Rates {
    fn judge(&self, report: &mut Report) {
        let requests = "requests/s";
        for (name, ours, limit, goal) in [
            (
                "GET a hot profile from memory / bare hyper, same bytes",
                &self.read_one,
                &self.bare_one,
                Some(0.85),
            ),
            (
                "the same, answered behind hyper (http.hot_wire off)",
                &self.read_one_behind_hyper,
                &self.bare_one,
                None,
            ),
            (
                "GET a hot profile of 2 KiB as gzip / bare hyper, same packed bytes",
                &self.read_packed,
                &self.bare_packed,
                Some(0.9),
            ),
            (
                "GET any of 10,000 profiles from memory / bare hyper, always the same bytes",
                &self.read_memory,
                &self.bare,
                None,
            ),
            (
                "GET profile on PostgreSQL / pgbench -S -M prepared",
                &self.read_postgres,
                &self.pgbench_read,
                Some(0.6),
            ),
            (
                "GET profile on SQLite, 16 requests in flight a connection / bare rusqlite loop",
                &self.read_sqlite_pipelined,
                &self.rusqlite,
                Some(0.5),
            ),
            ("GET profile on SQLite / bare rusqlite loop", &self.read_sqlite, &self.rusqlite, None),
            ("bare hyper, same bytes / bare rusqlite loop", &self.bare, &self.rusqlite, None),
            (
                "bare hyper, same bytes, 16 in flight a connection / bare rusqlite loop",
                &self.bare_pipelined,
                &self.rusqlite,
                None,
            ),
            (
                "GET a hundred profiles by id on SQLite, rows / bare rusqlite loop",
                &self.rows_sqlite,
                &self.rusqlite,
                None,
            ),
            ("GET profile on PostgreSQL / bare hyper, same bytes", &self.read_postgres, &self.bare, None),
            ("GET profile on SQLite / bare hyper, same bytes", &self.read_sqlite, &self.bare, None),
            ("create on PostgreSQL / pgbench insert", &self.create_postgres, &self.pgbench_create, None),
            ("create on SQLite / create on PostgreSQL", &self.create_sqlite, &self.create_postgres, None),
        ] {
            report.compare(name, ours, limit, requests, goal);
        }
        report.compare(
            "batch create of 10,000, four batches at once / psql \\copy",
            &self.batch_postgres,
            &self.copy,
            "rows/s",
            Some(0.7),
        );
    }
}
