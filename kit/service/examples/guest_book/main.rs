//! Serves the guest book on a SQLite file: `cargo run -p pando-service --example guest_book`, and then
//! `curl -d '{"guest": "Ada"}' -H 'Content-Type: application/json' localhost:8099/api/v1/entries`.
#![expect(clippy::print_stdout, reason = "it says where it listens")]

mod guest_book;

use std::error::Error;
use std::path::Path;

use pando_clock::Clock;
use pando_database::{Database, DatabaseOptions};
use pando_http::{App, HttpOptions, Server};
use pando_queue::{Outbox, Registry, Relay};
use pando_service::Parts;
use pando_telemetry::Metrics;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let (clock, folder) = (Clock::system(), Path::new("data/guest_book"));
    let mut options = DatabaseOptions::default();
    options.sqlite.path = folder.join("guests.db");
    let database = Database::open(&options, &Metrics::new(), &clock).await?;
    let of_the_house = [pando_queue::MIGRATIONS, pando_idempotency::MIGRATIONS];
    let tables: Vec<_> = guest_book::BLUEPRINT.migrations.into_iter().chain(of_the_house).collect();
    database.migrate(&tables).await?;
    let parts = Parts::with_defaults(&database, &folder.join("objects"), &clock).await?;
    let service = guest_book::open(&parts, &mut Registry::default())?;
    let _relay = Relay::start(&Outbox::new(&parts.queue, "guest_book"), service.subscribers).await?;
    let app = service.routes.into_iter().fold(App::new("Guest book", "1"), App::serve);
    let mut http = HttpOptions::default();
    http.listen.set_port(8099);
    let server = Server::bind(&http, app, &parts.metrics, &clock)?;
    println!("http://{}/docs", server.local_addr());
    server.run(std::future::pending::<()>()).await;
    Ok(())
}
