//! A guest book: guests sign it, correct their words, and read what others wrote. `docs/guides/service.md` goes through it.

use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use pando_service::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

/// The tables of the guest book.
pub(crate) const MIGRATIONS: MigrationSet = MigrationSet {
    service: "guest_book",
    migrations: &[Migration {
        version: 1,
        name: "entries",
        sql: r#"create table entries (
                    tenant text collate "C" not null, id uuid not null, guest text not null, words text not null,
                    version bigint not null, signed_at timestamptz not null, primary key (id, tenant));
                create index entries_newest on entries (tenant, signed_at, id);"#,
    }],
};

static INSERT: Query = Query::write(
    "entries.insert",
    "insert into entries (tenant, id, guest, words, version, signed_at) values ($1, $2, $3, $4, 1, $5)",
);
static UPDATE: Query = Query::write(
    "entries.update",
    "update entries set words = $3, version = $4 where id = $2 and tenant = $1",
);
static LOCK: Query = Query::write(
    "entries.lock",
    "select id, guest, words, version, signed_at from entries where id = $2 and tenant = $1 for update",
);
static FIND: OwnedQuery = OwnedQuery::new(
    "entries.find",
    "select id, guest, words, version, signed_at from entries where id = any($1) and tenant = $2",
);
static NEWEST: Order =
    Order { name: "-signed_at", column: "signed_at", kind: KeyKind::Time, descending: true };
static LIST: List = List {
    name: "entries.list",
    select: "select id, guest, words, version, signed_at from entries",
    rows: "true",
};

/// An entry of a guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Entry {
    id: Uuid,
    guest: String,
    words: String,
    version: i64,
    #[schema(value_type = String, format = DateTime)]
    signed_at: Timestamp,
}

/// The guest book. Cloning shares it.
#[derive(Clone)]
pub(crate) struct GuestBook(Parts, Base);

impl GuestBook {
    /// Signs the book.
    pub(crate) async fn sign(
        &self,
        call: &Call,
        fields: &Map<String, Value>,
    ) -> Result<Written<Entry>, Fault> {
        let write = self.1.writes.once(call, |turn| async move {
            let mut reader = FieldReader::new(fields);
            let (guest, words) = (reader.required_text("guest"), reader.text("words", 500));
            let guest = guest.unwrap_or_default().to_owned();
            reader.finish()?;
            let (id, signed_at) = (self.0.clock.fresh_id(), self.0.clock.now());
            let entry = Entry { id, guest, words, version: 1, signed_at };
            let mut write = turn.begin().await?;
            let values = params![call.tenant(), id, entry.guest.as_str(), entry.words.as_str(), signed_at];
            write.tx.execute_later(&INSERT, values);
            write.created(entry.change("entry_signed"));
            write.done(entry)
        });
        write.await
    }

    /// Writes other words into an entry.
    pub(crate) async fn correct(
        &self,
        call: &Call,
        (id, expected): (Uuid, &Expected),
        fields: &Map<String, Value>,
    ) -> Result<Written<Entry>, Fault> {
        let write = self.1.writes.once(call, |turn| async move {
            let mut reader = FieldReader::new(fields);
            let words = reader.text("words", 500);
            reader.finish()?;
            let mut write = turn.begin().await?;
            let row = write.tx.row(&LOCK, params![call.tenant(), id]).await?.ok_or_else(no_entry)?;
            let entry = entry_from(&row)?;
            expected.check("entry", entry.version)?;
            let entry = Entry { words, version: entry.version + 1, ..entry };
            let values = params![call.tenant(), id, entry.words.as_str(), entry.version];
            write.tx.execute_later(&UPDATE, values);
            write.changed(entry.change("entry_corrected"));
            write.done(entry)
        });
        write.await
    }

    /// One entry.
    pub(crate) async fn read(&self, call: &Call, id: Uuid) -> Result<Kept, Fault> {
        let database = self.0.database.clone();
        let load = move |call: Call| async move {
            let row = database.read(&call).by_key_of(&FIND, call.tenant(), id).await?;
            row.map(|row| entry_from(&row)).transpose()?.map(|entry| entry.kept()).transpose()
        };
        self.1.memory.read(call, (id, ""), load).await?.ok_or_else(no_entry)
    }

    /// A page of entries, the newest first.
    pub(crate) async fn page(
        &self,
        call: &Call,
        after: Option<PageEnd>,
        limit: usize,
    ) -> Result<Kept, Fault> {
        let (key, database) = (PageEnd::key(after.as_ref(), limit)?, self.0.database.clone());
        let load = move |call: Call| async move {
            let (read, asked) = (database.read(&call), (after.as_ref(), limit));
            let page = LIST.of(call.tenant()).page(&read, &NEWEST, asked, entry_from, Entry::place).await?;
            page.json("entries")
        };
        self.1.memory.read_list(call, &key, load).await
    }
}

impl Entry {
    fn change(&self, event: &'static str) -> Change {
        Change { event, id: self.id, version: self.version, data: json!({}) }
    }

    fn place(&self) -> Place {
        Place { key: SortKey::Time(self.signed_at), id: self.id }
    }

    fn kept(&self) -> Result<Loaded, Fault> {
        Kept::object(self, self.version)
    }
}

fn entry_from(row: &Row) -> Result<Entry, DatabaseError> {
    let (id, guest, words) = (row.get("id")?, row.get("guest")?, row.get("words")?);
    Ok(Entry { id, guest, words, version: row.get("version")?, signed_at: row.get("signed_at")? })
}

fn no_entry() -> Fault {
    Fault::not_found("entry")
}

/// The fields of an entry.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body; FieldReader reads it")]
struct EntryFields {
    guest: String,
    #[schema(max_length = 500)]
    words: String,
}

/// Sign the guest book
#[utoipa::path(post, path = "/api/v1/entries", request_body = EntryFields, params(KeyParameter),
    responses((status = 201, description = "The entry", body = Entry), KeyRefused))]
async fn sign(
    State(book): State<GuestBook>,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let done = book.sign(&call, &fields).await?;
    let place = format!("/api/v1/entries/{}", done.value.id);
    Ok(WriteAnswer::json(StatusCode::CREATED, &done, &done.value).version(1).location(&place))
}

/// Correct an entry
#[utoipa::path(put, path = "/api/v1/entries/{id}", request_body = EntryFields, params(("id" = Uuid, Path), KeyParameter),
    responses((status = 200, description = "The entry", body = Entry), KeyRefused))]
async fn correct(
    State(book): State<GuestBook>,
    Id(id): Id,
    headers: HeaderMap,
    WriteFields(call, fields): WriteFields,
) -> Result<WriteAnswer, Problem> {
    let done = book.correct(&call, (id, &expected(&headers, false)?), &fields).await?;
    Ok(WriteAnswer::json(StatusCode::OK, &done, &done.value).version(done.value.version))
}

/// Read an entry
#[utoipa::path(get, path = "/api/v1/entries/{id}", params(("id" = Uuid, Path)),
    responses((status = 200, description = "The entry", body = Entry), (status = 404, description = "There is none")))]
async fn read(
    State(book): State<GuestBook>,
    Caller(call): Caller,
    Id(id): Id,
    IfNoneMatch(known): IfNoneMatch,
) -> Result<Response, Problem> {
    cached(&book.read(&call, id).await?, &known, |entry| Ok(json(entry.answer())))
}

/// List the entries, the newest first
#[utoipa::path(get, path = "/api/v1/entries", responses((status = 200, description = "A page", body = Object)))]
async fn page(
    State(book): State<GuestBook>,
    Caller(call): Caller,
    asked: PageRequest,
) -> Result<Response, Problem> {
    let page = book.page(&call, asked.position()?, asked.limit).await?;
    Ok(json(page.bytes().clone()))
}

/// The guest book before it is opened.
pub(crate) const BLUEPRINT: Blueprint = Blueprint {
    events: &[],
    name: "guest_book",
    migrations: Some(MIGRATIONS),
    queues: &[],
    described: || vec![ServiceRoutes::described("guest_book", routes())],
};

/// Opens the guest book. It has no jobs.
pub(crate) fn open(parts: &Parts, _: &mut Registry) -> Result<Service, CacheError> {
    let memory = MemoryPlan::new("entries", "entry_pages", "entry_signed");
    let base = parts.base(BasePlan::new("guest_book", memory))?;
    let routes = routes().with_state(GuestBook(parts.clone(), base.clone()));
    Ok(Service::new(vec![ServiceRoutes::new("guest_book", routes, vec![])], &base))
}

fn routes() -> OpenApiRouter<GuestBook> {
    OpenApiRouter::new().routes(routes!(sign, page)).routes(routes!(read, correct))
}
