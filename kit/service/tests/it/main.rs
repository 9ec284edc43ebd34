//! Writes and reads of a small service on both engines: what happens once, who is told, and what the caches hold.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod grpc;
mod guest_book;
mod http;
mod reads;
mod tenants;
mod writes;

use std::sync::Arc;
use std::time::Duration;

use pando_cache::{CacheOptions, Caches, Loaded, RedisOptions};
use pando_clock::Clock;
use pando_database::testing::each_engine;
use pando_database::{Database, Migration, MigrationSet, OwnedQuery, Query, Row, Transaction, params};
use pando_idempotency::{Idempotency, IdempotencyOptions};
use pando_queue::{Outbox, Queue, QueueOptions, QueueParts};
use pando_resilience::{Call, Repeat, Tenant};
use pando_service::{
    CacheWrites, Change, Fault, Kept, Memory, MemoryPlan, Rule, Writes, WritesParts, Written,
};
use pando_telemetry::Metrics;
use pando_vault::{Keyring, KeyringOptions};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

const NOTES: MigrationSet = MigrationSet {
    service: "notes",
    migrations: &[Migration {
        version: 1,
        name: "notes",
        sql: "create table notes (tenant text not null, id uuid not null, title text not null, version bigint not null, \
              primary key (id, tenant)); create unique index notes_title_tenant_key on notes (title, tenant);",
    }],
};
static INSERT: Query =
    Query::write("notes.insert", "insert into notes (tenant, id, title, version) values ($1, $2, $3, 1)");
static UPDATE: Query =
    Query::write("notes.update", "update notes set title = $3, version = $4 where id = $2 and tenant = $1");
static LOCK: Query = Query::write(
    "notes.lock",
    "select id, title, version from notes where id = $2 and tenant = $1 for update",
);
static FIND: OwnedQuery =
    OwnedQuery::new("notes.find", "select id, title, version from notes where id = any($1) and tenant = $2");
static COUNT: Query = Query::scan("notes.count", "select count(*) from notes");
static EVENTS: Query = Query::scan("notes.events", "select count(*) from outbox_events");

const UNIQUE_KEYS: &[Rule] = &[("notes_title_tenant_key", title_taken)];

/// A note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) id: Uuid,
    pub(crate) title: String,
    pub(crate) version: i64,
}

/// The service, and what stands around it.
#[derive(Clone)]
pub(crate) struct House {
    pub(crate) database: Database,
    pub(crate) clock: Clock,
    pub(crate) memory: Memory,
    pub(crate) writes: Writes,
    pub(crate) idempotency: Idempotency,
    pub(crate) queue: Queue,
    /// Dropping the caches ends the connection to Redis.
    _caches: Caches,
}

/// Runs a test in a fresh house on every engine.
pub(crate) async fn each_house(test: impl AsyncFn(House)) {
    each_engine(async |database: Database| {
        database.migrate(&[NOTES, pando_queue::MIGRATIONS, pando_idempotency::MIGRATIONS]).await.unwrap();
        test(House::open(&database, CacheWrites::Through).await).await;
    })
    .await;
}

impl House {
    /// The service as one process has it.
    pub(crate) async fn open(database: &Database, writes: CacheWrites) -> Self {
        Self::open_with(database, writes, &RedisOptions::default()).await
    }

    /// The same, beside a Redis.
    pub(crate) async fn open_with(database: &Database, writes: CacheWrites, redis: &RedisOptions) -> Self {
        let (clock, metrics) = (Clock::system(), Metrics::new());
        let parts = QueueParts { database: database.clone(), clock: clock.clone(), metrics: Metrics::new() };
        let queue = Queue::new(parts, QueueOptions::default()).unwrap();
        let caches = Caches::open(redis, &metrics, &clock).await.unwrap();
        let options = IdempotencyOptions::default();
        let idempotency = Idempotency::new(database, &clock, &metrics, options).unwrap();
        let outbox = Some(Outbox::new(&queue, "notes"));
        let plan = MemoryPlan {
            things: ("notes", CacheOptions::default()),
            forms: &["", "/long"],
            lists: ("note_lists", CacheOptions::default()),
            writes,
            created: "note_created",
        };
        let memory = Memory::new(&caches, "notes", plan, (database, outbox.clone(), &clock)).unwrap();
        let writes = Writes::new(WritesParts {
            database: database.clone(),
            idempotency: idempotency.clone(),
            outbox,
            vault: Arc::new(Keyring::new(&KeyringOptions::default()).unwrap()),
            audit: None,
            memory: Some(memory.clone()),
            rules: UNIQUE_KEYS,
        });
        Self { database: database.clone(), clock, memory, writes, idempotency, queue, _caches: caches }
    }

    pub(crate) async fn create(&self, call: &Call, title: &str) -> Result<Written<Note>, Fault> {
        self.create_as(call, self.clock.fresh_id(), title).await
    }

    pub(crate) async fn create_as(&self, call: &Call, id: Uuid, title: &str) -> Result<Written<Note>, Fault> {
        let note = Note { id, title: title.to_owned(), version: 1 };
        let write = self.writes.once(call, |turn| async move {
            let mut write = turn.begin().await?;
            write.tx.execute(&INSERT, params![call.tenant(), note.id, note.title.as_str()]).await?;
            write.created(change("note_created", &note));
            write.remember_new(note.id, || kept(&note))?;
            write.about(note.id);
            write.done(note)
        });
        write.await
    }

    pub(crate) async fn rename(&self, call: &Call, id: Uuid, title: &str) -> Result<Written<Note>, Fault> {
        let write = self.writes.once(call, |turn| async move {
            let mut write = turn.begin().await?;
            let ticket = write.before_change(id);
            let found =
                lock(&mut write.tx, call.tenant(), id).await?.ok_or_else(|| Fault::not_found("note"))?;
            let note = Note { title: title.to_owned(), version: found.version + 1, ..found };
            write.tx.execute(&UPDATE, params![call.tenant(), id, title, note.version]).await?;
            write.changed(change("note_renamed", &note));
            write.remember(ticket, id, || kept(&note))?;
            write.done(note)
        });
        write.await
    }

    pub(crate) async fn read(&self, call: &Call, id: Uuid) -> Result<Kept, Fault> {
        let database = self.database.clone();
        let load = move |call: Call| async move {
            let row = database.read(&call).by_key_of(&FIND, call.tenant(), id).await?;
            row.as_ref().map(note_from).transpose()?.as_ref().map(kept).transpose()
        };
        self.memory.read(call, (id, ""), load).await?.ok_or_else(|| Fault::not_found("note"))
    }

    pub(crate) async fn count(&self, query: &'static Query) -> i64 {
        let call = call();
        self.database.read_primary(&call).row(query, []).await.unwrap().unwrap().get(0).unwrap()
    }
}

pub(crate) async fn lock(tx: &mut Transaction, tenant: &Tenant, id: Uuid) -> Result<Option<Note>, Fault> {
    Ok(tx.row(&LOCK, params![tenant, id]).await?.as_ref().map(note_from).transpose()?)
}

fn note_from(row: &Row) -> Result<Note, pando_database::DatabaseError> {
    Ok(Note { id: row.get(0)?, title: row.get(1)?, version: row.get(2)? })
}

pub(crate) fn kept(note: &Note) -> Result<Loaded, Fault> {
    Kept::named("note", note, note.version)
}

pub(crate) fn change(event: &'static str, note: &Note) -> Change {
    Change { event, id: note.id, version: note.version, data: json!({}) }
}

fn title_taken() -> Fault {
    Fault::conflict("another note has this title").named("title_taken")
}

/// A call with enough time for a busy machine.
pub(crate) fn call() -> Call {
    Call::internal("test", Duration::from_secs(30))
}

/// A request with a key.
pub(crate) fn keyed(request_id: &str, key: &str, body: u8) -> Call {
    let repeat = Repeat { operation: "POST /notes".to_owned(), key: key.to_owned(), hash: [body; 32] };
    Call { repeat: Some(Arc::new(repeat)), ..Call::internal(request_id, Duration::from_secs(30)) }
}
