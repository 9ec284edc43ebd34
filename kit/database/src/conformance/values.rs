//! Values: every value is read back as it was written; lists, numbering of parameters, null.

use pando_clock::Timestamp;
use serde_json::json;
use uuid::Uuid;

use super::call;
use crate::{Database, DatabaseError, KeyedQuery, Query, Row, Value, params};

const INSERT: Query = Query::write(
    "samples.insert",
    "insert into samples (id, flag, small, middle, number, real_number, name, data, moment, document)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
);
const FIND: Query = Query::point(
    "samples.find",
    "select flag, small, middle, number, real_number, name, data, moment, document from samples where id = $1",
);
const BY_ID: KeyedQuery = KeyedQuery::new("samples.by_id", "select id, name from samples where id = any($1)");
const BY_NAME: KeyedQuery =
    KeyedQuery::new("samples.by_name", "select name, id from samples where name = any($1)");
const BY_NUMBER: KeyedQuery =
    KeyedQuery::new("samples.by_number", "select number, id from samples where number = any($1)");
const AMONG_IDS: Query = Query::scan("samples.among_ids", "select count(*) from samples where id = any($1)");
const AMONG_NAMES: Query =
    Query::scan("samples.among_names", "select count(*) from samples where name = any($1)");
const AMONG_NUMBERS: Query =
    Query::scan("samples.among_numbers", "select count(*) from samples where number = any($1)");
const NOT_AMONG: Query = Query::scan("samples.not_among", "select count(*) from samples where id <> all($1)");
const SWAPPED: Query =
    Query::point("swapped", "select cast($2 as text), cast($1 as bigint), cast($2 as text)");
const BY_BYTES: Query = Query::scan(
    "samples.names_in_order",
    "select name from samples where name is not null order by name collate \"C\"",
);

pub(super) async fn exercise(database: &Database) -> Result<(), DatabaseError> {
    values_come_back_as_they_went_in(database).await?;
    parameters_are_bound_by_number(database).await?;
    lists_may_be_empty(database).await?;
    rows_are_found_by_key(database).await?;
    text_sorts_by_its_bytes(database).await?;
    what_cannot_be_kept_is_refused(database).await
}

async fn insert(database: &Database, values: &[Value]) -> Result<Uuid, DatabaseError> {
    let id = database.inner().clock.fresh_id();
    let mut transaction = database.transaction(&call()).await?;
    let mut all = vec![Value::Uuid(id)];
    all.extend_from_slice(values);
    assert_eq!(transaction.execute(&INSERT, all).await?, 1);
    transaction.commit().await?;
    Ok(id)
}

async fn find(database: &Database, id: Uuid) -> Result<Row, DatabaseError> {
    Ok(database.read(&call()).row(&FIND, params![id]).await?.expect("the row was inserted"))
}

async fn values_come_back_as_they_went_in(database: &Database) -> Result<(), DatabaseError> {
    let first = Timestamp::from_micros(-210_866_803_200_000_000);
    let last = Timestamp::from_micros(i64::MAX);
    let deep = json!({"b": [1, 2.5, null, true, {"ü": "\u{1F333}"}], "a": "", "big": u64::MAX});
    let bytes: Vec<u8> = (0..=255).collect();
    for values in [
        params![
            true,
            7,
            -70_000,
            1_i64 << 40,
            0.1,
            "Zoë 🌳 'quoted' $1",
            bytes,
            Timestamp::from_micros(1),
            deep
        ],
        params![
            false,
            i64::from(i16::MIN),
            i64::from(i32::MIN),
            i64::MIN,
            f64::MIN,
            "",
            Vec::<u8>::new(),
            first,
            json!(null)
        ],
        params![
            true,
            i64::from(i16::MAX),
            i64::from(i32::MAX),
            i64::MAX,
            f64::INFINITY,
            "\u{10FFFF}",
            vec![0_u8],
            last,
            json!([])
        ],
        params![true, 0, 0, 0, f64::MIN_POSITIVE, "12", vec![49_u8], Timestamp::from_micros(-1), json!("12")],
    ] {
        let row = find(database, insert(database, &values).await?).await?;
        let read = params![
            row.get::<bool>(0)?,
            row.get::<i64>(1)?,
            row.get::<i64>(2)?,
            row.get::<i64>(3)?,
            row.get::<f64>(4)?,
            row.get::<String>(5)?,
            row.get::<Vec<u8>>(6)?,
            row.get::<Timestamp>(7)?,
            row.get::<serde_json::Value>(8)?,
        ];
        assert_eq!(read, values);
        let length = row.parsed(5, "a text", |text| Some(text.len()))?;
        assert_eq!(length, row.get::<String>(5)?.len());
        let color = row.parsed(5, "a color", |_| None::<u8>);
        assert!(matches!(color, Err(DatabaseError::BadColumn { expected: "a color", .. })));
    }
    let nulls = [const { Value::Null }; 9];
    let row = find(database, insert(database, &nulls).await?).await?;
    assert_eq!(row.get::<Option<bool>>(0)?, None);
    assert_eq!(row.get::<Option<String>>(5)?, None);
    assert_eq!(row.get::<Option<Timestamp>>(7)?, None);
    assert_eq!(row.get::<Option<serde_json::Value>>(8)?, None);
    assert!(matches!(row.get::<i64>(3), Err(DatabaseError::BadColumn { .. })));
    Ok(())
}

async fn parameters_are_bound_by_number(database: &Database) -> Result<(), DatabaseError> {
    let row = database.read(&call()).row(&SWAPPED, params![1_i64, "two"]).await?.expect("one row");
    assert_eq!((row.get::<String>(0)?, row.get::<i64>(1)?), ("two".to_owned(), 1));
    for wrong in [vec![Value::Int(1)], vec![Value::Int(1), Value::from("two"), Value::Int(3)]] {
        let refused = database.read(&call()).row(&SWAPPED, wrong).await;
        assert!(matches!(refused, Err(DatabaseError::BadParameter { name: "swapped", .. })), "{refused:?}");
    }
    Ok(())
}

async fn count(database: &Database, query: &Query, list: Value) -> Result<i64, DatabaseError> {
    database.read(&call()).row(query, [list]).await?.expect("a count").get(0)
}

async fn lists_may_be_empty(database: &Database) -> Result<(), DatabaseError> {
    let mut ids = Vec::new();
    for number in 1000..1003_i64 {
        let name = format!("n{number}");
        let mut values = [const { Value::Null }; 9];
        (values[3], values[5]) = (Value::from(number), Value::from(name));
        ids.push(insert(database, &values).await?);
    }
    let all = count(database, &NOT_AMONG, Value::UuidArray(Vec::new())).await?;
    assert_eq!(count(database, &NOT_AMONG, Value::from(ids.clone())).await?, all - 3);
    assert_eq!(count(database, &AMONG_IDS, Value::UuidArray(Vec::new())).await?, 0);
    ids.push(Uuid::nil());
    ids.push(ids[0]);
    assert_eq!(count(database, &AMONG_IDS, Value::from(ids)).await?, 3);
    let names = vec!["n1000".to_owned(), "n1002".to_owned(), "N1001".to_owned()];
    assert_eq!(count(database, &AMONG_NAMES, Value::from(names)).await?, 2);
    assert_eq!(count(database, &AMONG_NUMBERS, Value::from(vec![1001_i64, -1])).await?, 1);
    Ok(())
}

async fn rows_are_found_by_key(database: &Database) -> Result<(), DatabaseError> {
    let (call, mut values) = (call(), [const { Value::Null }; 9]);
    (values[3], values[5]) = (Value::from(7_777_i64), Value::from("by key"));
    let id = insert(database, &values).await?;
    let read = database.read(&call);
    assert_eq!(read.by_key(&BY_ID, id).await?.expect("by uuid").get::<String>(1)?, "by key");
    assert_eq!(read.by_key(&BY_NAME, "by key").await?.expect("by text").get::<Uuid>(1)?, id);
    assert_eq!(read.by_key(&BY_NUMBER, 7_777_i64).await?.expect("by number").get::<Uuid>(1)?, id);
    assert!(read.by_key(&BY_ID, Uuid::nil()).await?.is_none());
    assert!(read.by_key(&BY_NAME, "By key").await?.is_none());
    assert!(matches!(read.by_key(&BY_ID, 1.5).await, Err(DatabaseError::BadParameter { .. })));
    assert!(matches!(read.by_key(&BY_NAME, "a\0").await, Err(DatabaseError::BadParameter { .. })));
    Ok(())
}

async fn text_sorts_by_its_bytes(database: &Database) -> Result<(), DatabaseError> {
    let rows = database.read(&call()).rows(&BY_BYTES, []).await?;
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
    assert!(names.len() > 5 && names.is_sorted(), "{names:?}");
    Ok(())
}

async fn what_cannot_be_kept_is_refused(database: &Database) -> Result<(), DatabaseError> {
    let id = database.inner().clock.fresh_id();
    for (place, value) in
        [(7, Value::from("a\0b")), (6, Value::from(f64::NAN)), (10, Value::from(json!({"a": "\0"})))]
    {
        let mut values = vec![Value::Null; 10];
        values[0] = Value::Uuid(id);
        values[place - 1] = value;
        let mut transaction = database.transaction(&call()).await?;
        match transaction.execute(&INSERT, values).await {
            Err(DatabaseError::BadParameter { parameter, .. }) => assert_eq!(parameter, place),
            other => panic!("parameter {place} was taken: {other:?}"),
        }
        assert!(matches!(transaction.commit().await, Err(DatabaseError::TransactionFailed { .. })));
    }
    assert!(database.read(&call()).row(&FIND, params![id]).await?.is_none());
    Ok(())
}
