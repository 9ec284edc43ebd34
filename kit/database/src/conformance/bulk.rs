//! Bulk inserts: existing rows stay as they are, and the ids of the inserted rows are returned.

use uuid::Uuid;

use super::call;
use crate::{BulkInsert, ColumnType, Database, DatabaseError, OnConflict, Query, Value, params};

const COLUMNS: &[(&str, ColumnType)] =
    &[("id", ColumnType::Uuid), ("email_key", ColumnType::Text), ("balance", ColumnType::Bigint)];
const SKIP: BulkInsert = BulkInsert {
    name: "accounts.import",
    table: "accounts",
    columns: COLUMNS,
    on_conflict: OnConflict::Skip("(email_key) where deleted_at is null"),
    key: "id",
};
const FAIL: BulkInsert = BulkInsert { on_conflict: OnConflict::Fail, ..SKIP };
const CHANGE: BulkInsert = BulkInsert {
    on_conflict: OnConflict::Change(
        "(email_key) where deleted_at is null do update set balance = excluded.balance \
         where accounts.balance < excluded.balance",
    ),
    ..SKIP
};
const BALANCES: Query = Query::scan(
    "accounts.balances",
    "select balance from accounts where email_key = any($1) and deleted_at is null order by email_key",
);
const COUNT: Query = Query::scan("accounts.count", "select count(*) from accounts where id = any($1)");

pub(super) async fn exercise(database: &Database) -> Result<(), DatabaseError> {
    let rows = |range: std::ops::Range<u32>| -> Vec<Vec<Value>> {
        let row = |number: u32| {
            params![database.inner().clock.fresh_id(), format!("bulk-{number}"), i64::from(number)].to_vec()
        };
        range.map(row).collect()
    };
    assert_eq!(insert(database, &FAIL, Vec::new()).await?, Vec::<Uuid>::new());
    assert_eq!(insert(database, &SKIP, rows(0..100)).await?.len(), 100);

    // Half of them are there already, and one comes twice: the first of the two wins.
    let mut more = rows(50..150);
    more.push(params![database.inner().clock.fresh_id(), "bulk-149", 0_i64].to_vec());
    let mut inserted = insert(database, &SKIP, more.clone()).await?;
    let mut expected: Vec<Uuid> = more[50..100].iter().map(|row| id_of(row)).collect();
    inserted.sort();
    expected.sort();
    assert_eq!(inserted, expected);
    let row = database.read(&call()).row(&COUNT, params![inserted]).await?.expect("a count");
    assert_eq!(row.get::<i64>(0)?, 50);

    let mut one_is_there = rows(150..250);
    one_is_there.insert(3, rows(149..150).remove(0));
    let failed = insert(database, &FAIL, one_is_there).await;
    assert!(
        matches!(
            &failed,
            Err(DatabaseError::UniqueViolation { constraint, row: Some(3) }) if constraint == "accounts_email_key_key"
        ),
        "{failed:?}"
    );
    let fresh = rows(150..250);
    let ids: Vec<Uuid> = fresh.iter().map(|row| id_of(row)).collect();
    assert_eq!(insert(database, &FAIL, fresh).await?, ids);

    existing_ones_are_changed(database, rows(240..252)).await?;
    twice_in_one_transaction(database, rows(260..270), rows(265..275)).await?;
    let mut wrong = rows(300..301);
    wrong[0][1] = Value::from("a\0");
    let refused = insert(database, &SKIP, wrong).await;
    assert!(matches!(refused, Err(DatabaseError::BadParameter { parameter: 2, .. })), "{refused:?}");
    Ok(())
}

async fn insert(
    database: &Database,
    bulk: &BulkInsert,
    rows: Vec<Vec<Value>>,
) -> Result<Vec<Uuid>, DatabaseError> {
    let mut transaction = database.transaction(&call()).await?;
    let inserted = transaction.bulk_insert(bulk, rows).await?;
    transaction.commit().await?;
    Ok(inserted)
}

/// The rows 240 to 249 exist already. The insert changes an existing row only if its balance grows.
async fn existing_ones_are_changed(
    database: &Database,
    mut rows: Vec<Vec<Value>>,
) -> Result<(), DatabaseError> {
    for (index, row) in rows.iter_mut().enumerate() {
        row[2] = Value::from(if index < 4 { 0 } else { 1_000 });
    }
    let mut written = insert(database, &CHANGE, rows.clone()).await?;
    written.sort();
    assert_eq!(written.len(), 8, "six changed, two inserted");
    let emails: Vec<String> = (240..252).map(|number| format!("bulk-{number}")).collect();
    let found = database.read(&call()).rows(&BALANCES, params![emails]).await?;
    let balances: Vec<i64> = found.iter().map(|row| row.get("balance")).collect::<Result<_, _>>()?;
    assert_eq!(balances, [vec![240, 241, 242, 243], vec![1_000; 8]].concat());
    Ok(())
}

async fn twice_in_one_transaction(
    database: &Database,
    first: Vec<Vec<Value>>,
    second: Vec<Vec<Value>>,
) -> Result<(), DatabaseError> {
    let mut transaction = database.transaction(&call()).await?;
    assert_eq!(transaction.bulk_insert(&SKIP, first).await?.len(), 10);
    assert_eq!(transaction.bulk_insert(&SKIP, second).await?.len(), 5);
    transaction.commit().await.map(|_| ())
}

fn id_of(row: &[Value]) -> Uuid {
    match row[0] {
        Value::Uuid(id) => id,
        ref other => panic!("{other:?} is no id"),
    }
}
