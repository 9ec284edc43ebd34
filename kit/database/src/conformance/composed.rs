//! Statements that are put together at run time, rows one after the other, batches, and writes that count what they change.

use uuid::Uuid;

use super::call;
use crate::{BatchQuery, ColumnType, ComposedQuery, Database, DatabaseError, Query, Value, params};

const PLANT: Query =
    Query::write("goods.insert", "insert into samples (id, name, number) values ($1, $2, $3)");
const TAKE: Query =
    Query::write("goods.take", "update samples set number = number - $2 where name = $1 and number >= $2")
        .must_change(1);
const TAKE_EACH: BatchQuery = BatchQuery {
    name: "goods.take_each",
    columns: &[("name", ColumnType::Text), ("wanted", ColumnType::Bigint), ("moment", ColumnType::Timestamp)],
    sql: "update samples set number = samples.number - batch.wanted, moment = batch.moment from batch \
          where samples.name = batch.name and samples.number >= batch.wanted \
          returning samples.name, samples.number, samples.moment",
};
const PUT_EACH: BatchQuery = BatchQuery {
    name: "goods.put_each",
    columns: &[("id", ColumnType::Uuid), ("name", ColumnType::Text)],
    sql: "insert into samples (id, name) select id, name from batch where true \
          on conflict (id) do update set name = excluded.name returning id",
};

pub(super) async fn exercise(database: &Database) -> Result<(), DatabaseError> {
    let mut tx = database.transaction(&call()).await?;
    for number in 0..300_i64 {
        let id = database.inner().clock.fresh_id();
        tx.execute_later(&PLANT, params![id, format!("good-{number:03}"), number]);
    }
    tx.commit().await?;
    filters_compose(database).await?;
    more_statements_than_are_kept(database).await?;
    rows_come_one_by_one(database).await?;
    a_write_counts_what_it_changes(database).await?;
    batches(database).await
}

/// The goods from this number on, as many as are wanted, in this direction.
fn goods(from: i64, name: Option<&str>, (descending, limit): (bool, i64)) -> ComposedQuery {
    let mut query = ComposedQuery::scan("goods.list");
    query.push("select number, name from samples where name >= 'good' and number >= $1", params![from]);
    if let Some(part) = name {
        query.push_per_engine(
            " and position($1 in name) > 0 and name <> $2 || $1",
            " and instr(name, $1) > 0 and name <> $2 || $1",
            params![part, "good"],
        );
    }
    query.push(if descending { " order by name desc" } else { " order by name" }, []);
    query.push(" limit $1", params![limit]);
    query
}

async fn filters_compose(database: &Database) -> Result<(), DatabaseError> {
    let call = call();
    let read = database.read(&call);
    for (query, expected) in [
        (goods(0, None, (false, 2)), vec![0, 1]),
        (goods(7, None, (false, 2)), vec![7, 8]),
        (goods(7, Some("-10"), (false, 2)), vec![100, 101]),
        (goods(0, Some("-10"), (true, 3)), vec![109, 108, 107]),
    ] {
        let rows = read.composed(&query).await?;
        let numbers: Vec<i64> = rows.iter().map(|row| row.get("number")).collect::<Result<_, _>>()?;
        assert_eq!(numbers, expected);
        let mut tx = database.transaction(&call).await?;
        assert_eq!(tx.composed(&query).await?.len(), expected.len());
        assert_eq!(rows[0].get::<String>("name")?, rows[0].get::<String>(1)?);
    }
    let mut wrong = goods(0, None, (false, 1));
    wrong.push(" offset $1", []);
    assert!(matches!(read.composed(&wrong).await, Err(DatabaseError::BadParameter { parameter: 3, .. })));
    Ok(())
}

/// Each combination of nine pieces is a statement. All statements run twice, so evicted statements are prepared again.
async fn more_statements_than_are_kept(database: &Database) -> Result<(), DatabaseError> {
    const PIECES: [&str; 9] = [
        " + 1",
        " + 10",
        " + 100",
        " + 1000",
        " + 10000",
        " + 100000",
        " + 1000000",
        " + 10000000",
        " + 100000000",
    ];
    let call = call();
    for round in 0..2_u32 {
        for choice in 0..1_u32 << PIECES.len() {
            let (mut query, mut expected, mut worth) = (ComposedQuery::scan("sum"), i64::from(round), 1);
            query.push("select cast($1 as bigint)", params![round]);
            for (place, piece) in PIECES.iter().enumerate() {
                if choice & 1 << place > 0 {
                    query.push(piece, []);
                    expected += worth;
                }
                worth *= 10;
            }
            let rows = database.read(&call).composed(&query).await?;
            assert_eq!(rows[0].get::<i64>(0)?, expected);
        }
    }
    Ok(())
}

async fn rows_come_one_by_one(database: &Database) -> Result<(), DatabaseError> {
    let call = call();
    let read = database.read(&call);
    let all = goods(0, None, (false, 300));
    let mut rows = read.stream(&all, 300).await?;
    let mut seen = 0;
    while let Some(row) = rows.next().await? {
        assert_eq!(row.get::<i64>("number")?, seen);
        seen += 1;
    }
    assert_eq!(seen, 300);
    assert!(rows.next().await?.is_none());

    let mut limited = read.stream(&all, 10).await?;
    for _ in 0..10 {
        assert!(limited.next().await?.is_some());
    }
    let refused = limited.next().await;
    assert!(
        matches!(refused, Err(DatabaseError::TooManyRows { name: "goods.list", limit: 10 })),
        "{refused:?}"
    );
    assert!(limited.next().await?.is_none());

    // A reader that stops early gives its connection back: more readers stop here than there are connections.
    let mut endless = ComposedQuery::scan("goods.endless");
    endless.push("with recursive n(i) as (select 1 union all select i + 1 from n) select i from n", []);
    for _ in 0..30 {
        let mut rows = read.stream(&endless, usize::MAX).await?;
        assert!(rows.next().await?.is_some());
    }
    let mut broken = ComposedQuery::scan("goods.broken");
    broken.push(
        "select i, 1 / (i - 5) from (select number as i from samples where number > 0 order by number) as n",
        [],
    );
    let mut rows = read.stream(&broken, usize::MAX).await?;
    let mut ended = rows.next().await;
    while let Ok(Some(_)) = ended {
        ended = rows.next().await;
    }
    assert_eq!(
        ended.is_err(),
        database.engine() == crate::Engine::Postgres,
        "SQLite divides by zero: it gives null"
    );
    Ok(())
}

async fn a_write_counts_what_it_changes(database: &Database) -> Result<(), DatabaseError> {
    let call = call();
    let wrong = |result: &Result<_, DatabaseError>| {
        matches!(result, Err(DatabaseError::WrongCount { name: "goods.take", expected: 1 }))
    };
    let mut tx = database.transaction(&call).await?;
    assert_eq!(tx.execute(&TAKE, params!["good-150", 100]).await?, 1);
    assert!(tx.rows(&TAKE, params!["good-150", 1]).await?.is_empty());
    tx.execute_later(&TAKE, params!["good-150", 40]);
    tx.commit().await?;

    // Nine are left: the second write of this transaction finds too few, so neither happens.
    let mut tx = database.transaction(&call).await?;
    tx.execute_later(&TAKE, params!["good-200", 1]);
    tx.execute_later(&TAKE, params!["good-150", 10]);
    let refused = tx.commit().await;
    assert!(wrong(&refused), "{refused:?}");
    let mut tx = database.transaction(&call).await?;
    let refused = tx.execute(&TAKE, params!["good-150", 10]).await.map(drop);
    assert!(matches!(refused, Err(DatabaseError::WrongCount { .. })), "{refused:?}");
    drop(tx);
    let rows = database.read(&call).composed(&goods(0, None, (true, 300))).await?;
    let left =
        |wanted: &str| rows.iter().find(|row| row.get::<String>("name").is_ok_and(|name| name == wanted));
    assert_eq!(left("good-150").expect("there").get::<i64>("number")?, 9);
    assert_eq!(left("good-200").expect("there").get::<i64>("number")?, 200);
    Ok(())
}

async fn batches(database: &Database) -> Result<(), DatabaseError> {
    let call = call();
    let now = database.inner().clock.now();
    let mut tx = database.transaction(&call).await?;
    assert!(tx.batch(&TAKE_EACH, Vec::new()).await?.is_empty());
    let wanted = |name: &str, count: i64, moment: Value| vec![name.into(), count.into(), moment];
    let taken = tx
        .batch(
            &TAKE_EACH,
            vec![
                wanted("good-020", 5, now.into()),
                wanted("good-021", 22, now.into()),
                wanted("good-022", 22, Value::Null),
            ],
        )
        .await?;
    let mut left: Vec<(String, i64, bool)> = Vec::new();
    for row in &taken {
        left.push((
            row.get("name")?,
            row.get("number")?,
            row.get::<Option<pando_clock::Timestamp>>("moment")? == Some(now),
        ));
    }
    left.sort();
    assert_eq!(left, [("good-020".to_owned(), 15, true), ("good-022".to_owned(), 0, false)]);
    let ids: Vec<Uuid> = (0..3).map(|_| database.inner().clock.fresh_id()).collect();
    for names in [["put-a", "put-b", "put-c"], ["put-d", "put-e", "put-f"]] {
        let rows = ids.iter().zip(names).map(|(id, name)| params![*id, name].to_vec()).collect();
        assert_eq!(tx.batch(&PUT_EACH, rows).await?.len(), 3);
    }
    tx.commit().await?;
    let mut query = ComposedQuery::scan("goods.put");
    query.push("select name from samples where id = any($1) order by name", params![ids.clone()]);
    let names: Vec<String> = database
        .read(&call)
        .composed(&query)
        .await?
        .iter()
        .map(|row| row.get("name"))
        .collect::<Result<_, _>>()?;
    assert_eq!(names, ["put-d", "put-e", "put-f"]);

    let mut tx = database.transaction(&call).await?;
    let twice = vec![params![ids[0], "x"].to_vec(), params![ids[0], "y"].to_vec()];
    let refused = tx.batch(&PUT_EACH, twice).await.map(|_| ());
    let said = refused.expect_err("one row depends on the other").to_string();
    assert_eq!(said, "parameter 1 of goods.put_each: rows 0 and 1 have the same key");
    Ok(())
}
