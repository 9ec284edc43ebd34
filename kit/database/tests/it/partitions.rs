//! Partitions of months.

use pando_clock::{Clock, Timestamp};
use pando_database::testing::TestDatabase;
use pando_database::{Database, MonthlyTable, PartitionsMade, Query, params};
use uuid::Uuid;

use crate::call;

const NOTES: MonthlyTable = MonthlyTable { table: "notes", column: "made_at" };
const CREATE: Query = Query::write(
    "notes.create",
    "create table notes (id uuid not null, made_at timestamptz not null, primary key (id, made_at)) \
     partition by range (made_at)",
);
const DEFAULT: Query = Query::write("notes.default", "create table notes_default partition of notes default");
const INDEX: Query = Query::write("notes.index", "create index notes_made on notes (made_at)");
const INSERT: Query = Query::write("notes.insert", "insert into notes (id, made_at) values ($1, $2)");
const PLACES: Query = Query::scan(
    "notes.places",
    "select cast(cast(tableoid as regclass) as text) from notes order by made_at",
);
const INDEXES: Query =
    Query::scan("notes.indexes", "select count(*) from pg_indexes where tablename = 'notes_2026_02'");

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

async fn add(database: &Database, moments: &[&str]) {
    let (call, clock) = (call(), Clock::system());
    let mut tx = database.transaction(&call).await.unwrap();
    for moment in moments {
        let id: Uuid = clock.fresh_id();
        tx.execute(&INSERT, params![id, at(moment)]).await.unwrap();
    }
    tx.commit().await.unwrap();
}

async fn places(database: &Database) -> Vec<String> {
    let rows = database.read(&call()).rows(&PLACES, []).await.unwrap();
    rows.iter().map(|row| row.get(0).unwrap()).collect()
}

#[tokio::test]
async fn rows_of_the_default_partition_move_into_that_of_their_month() {
    let database = TestDatabase::postgres().await.open().await;
    let mut tx = database.transaction(&call()).await.unwrap();
    for query in [&CREATE, &DEFAULT, &INDEX] {
        tx.execute(query, []).await.unwrap();
    }
    tx.commit().await.unwrap();
    add(
        &database,
        &["2026-01-31T23:59:59Z", "2026-02-01T00:00:00Z", "2026-02-28T23:59:59Z", "2026-04-01T00:00:00Z"],
    )
    .await;
    let call = call();
    let make = async |from: &str, ahead, rows_max| {
        NOTES.make(&database, &call, (at(from), ahead), rows_max).await.unwrap()
    };
    let left = PartitionsMade { left: vec!["notes_2026_02".to_owned()], ..PartitionsMade::default() };
    assert_eq!(make("2026-02-15T00:00:00Z", 0, 1).await, left);
    let made = PartitionsMade {
        made: vec!["notes_2026_02".to_owned(), "notes_2026_03".to_owned()],
        moved: 2,
        left: Vec::new(),
    };
    assert_eq!(make("2026-02-15T00:00:00Z", 1, 2).await, made);
    assert_eq!(make("2026-02-15T00:00:00Z", 1, 2).await, PartitionsMade::default(), "they are there");
    add(&database, &["2026-03-31T23:59:59Z"]).await;
    let expected = ["notes_default", "notes_2026_02", "notes_2026_02", "notes_2026_03", "notes_default"];
    assert_eq!(places(&database).await, expected);
    let indexes = database.read(&call).row(&INDEXES, []).await.unwrap().unwrap();
    assert_eq!(indexes.get::<i64>(0).unwrap(), 2, "the key and the index of the whole table");
    assert_eq!(
        NOTES.drop_empty(&database, &call, at("2026-04-01T00:00:00Z")).await.unwrap(),
        Vec::<String>::new()
    );
    assert_eq!(make("2025-01-01T00:00:00Z", 0, 2).await.made, ["notes_2025_01"]);
    assert_eq!(
        NOTES.drop_empty(&database, &call, at("2025-01-31T00:00:00Z")).await.unwrap(),
        Vec::<String>::new()
    );
    assert_eq!(
        NOTES.drop_empty(&database, &call, at("2025-02-01T00:00:00Z")).await.unwrap(),
        ["notes_2025_01"]
    );
    assert_eq!(NOTES.partitions(&database, &call).await.unwrap(), ["notes_2026_02", "notes_2026_03"]);
}

#[tokio::test]
async fn sqlite_keeps_one_table() {
    let test = TestDatabase::sqlite();
    let (database, call) = (test.open().await, call());
    let made = NOTES.make(&database, &call, (at("2026-02-15T00:00:00Z"), 3), 1).await.unwrap();
    assert_eq!(made, PartitionsMade::default());
    assert_eq!(
        NOTES.drop_empty(&database, &call, at("2030-01-01T00:00:00Z")).await.unwrap(),
        Vec::<String>::new()
    );
}
