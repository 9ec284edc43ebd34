//! Tables with a partition for each month, on PostgreSQL. SQLite keeps one table: there is nothing to do there.

use std::time::Duration;

use futures_util::future::BoxFuture;
use pando_clock::Timestamp;
use pando_resilience::Call;

use crate::{Database, DatabaseError, Engine, Query, Transaction, Value, params};

/// A statement that waits for a lock blocks all statements behind it, so it waits only a short time and lets others run in between.
const LOCK_SHORTLY: Query = Query::write("partitions.lock_shortly", "set local lock_timeout = 500");
const LOCK_PAUSE: Duration = Duration::from_millis(200);

const IS_THERE: Query =
    Query::write("partitions.is_there", "select to_regclass(cast($1 as text)) is not null");

const ALL: Query = Query::scan(
    "partitions.all",
    "select cast(c.relname as text) from pg_inherits i join pg_class c on c.oid = i.inhrelid \
     where i.inhparent = to_regclass(cast($1 as text)) order by 1",
);

/// A table that is partitioned by month on a moment. Its partitions are called `<table>_YYYY_MM`, and rows of other months lie in
/// `<table>_default`.
#[derive(Clone, Copy, Debug)]
pub struct MonthlyTable {
    /// The table.
    pub table: &'static str,
    /// The column of the moment.
    pub column: &'static str,
}

/// The outcome of [`MonthlyTable::make`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionsMade {
    /// The partitions that were made.
    pub made: Vec<String>,
    /// How many rows were moved into them from the default partition.
    pub moved: u64,
    /// The partitions that were not made, because too many rows would have to be moved.
    pub left: Vec<String>,
}

/// A month of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Month {
    year: i64,
    month: i64,
}

impl MonthlyTable {
    /// Makes the partitions that are missing for the month of a moment and so many months after it. The rows of such a month that
    /// lie in the default partition move into the new one, in the same transaction. If there are more than `rows_max` of these, the
    /// partition is not made, because nobody can write the default partition meanwhile.
    ///
    /// If several processes do this at once, each partition is made by one of them.
    pub fn make<'a>(
        &'a self,
        database: &'a Database,
        call: &'a Call,
        (from, months_ahead): (Timestamp, u32),
        rows_max: u64,
    ) -> BoxFuture<'a, Result<PartitionsMade, DatabaseError>> {
        Box::pin(async move {
            let mut made = PartitionsMade::default();
            if database.engine() == Engine::Sqlite {
                return Ok(made);
            }
            let mut month = Month::of(from);
            for _ in 0..=months_ahead {
                let name = self.name(month);
                let done = loop {
                    match self.make_one(database, call, month, rows_max).await {
                        Ok(done) => break done,
                        Err(error) => pause(call, error).await?,
                    }
                };
                match done {
                    Made::New(rows) => {
                        made.moved += rows;
                        made.made.push(name);
                    }
                    Made::Old => {}
                    Made::TooMany => made.left.push(name),
                }
                month = month.next();
            }
            Ok(made)
        })
    }

    /// Drops the partitions that hold only moments before this one, and no rows; answers their names.
    pub fn drop_empty<'a>(
        &'a self,
        database: &'a Database,
        call: &'a Call,
        before: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<String>, DatabaseError>> {
        Box::pin(async move {
            let mut dropped = Vec::new();
            for month in self.months(database, call).await? {
                if month.next().first() > before {
                    break;
                }
                let is_dropped = loop {
                    match self.drop_one(database, call, month).await {
                        Ok(is_dropped) => break is_dropped,
                        Err(error) => pause(call, error).await?,
                    }
                };
                if is_dropped {
                    dropped.push(self.name(month));
                }
            }
            Ok(dropped)
        })
    }

    /// The names of the partitions for months, in their order.
    pub fn partitions<'a>(
        &'a self,
        database: &'a Database,
        call: &'a Call,
    ) -> BoxFuture<'a, Result<Vec<String>, DatabaseError>> {
        Box::pin(async move {
            Ok(self.months(database, call).await?.into_iter().map(|month| self.name(month)).collect())
        })
    }

    async fn months(&self, database: &Database, call: &Call) -> Result<Vec<Month>, DatabaseError> {
        if database.engine() == Engine::Sqlite {
            return Ok(Vec::new());
        }
        let rows = database.read_primary(call).rows(&ALL, params![self.table]).await?;
        let names: Result<Vec<String>, _> = rows.iter().map(|row| row.get(0)).collect();
        let month = |name: String| Month::parse(name.strip_prefix(self.table)?.strip_prefix('_')?);
        Ok(names?.into_iter().filter_map(month).collect())
    }

    /// The new table is filled before it becomes a partition, so that readers of the whole table miss nothing: until the commit they
    /// see the rows in the default partition. Its indexes are those of the whole table.
    async fn make_one(
        &self,
        database: &Database,
        call: &Call,
        month: Month,
        rows_max: u64,
    ) -> Result<Made, DatabaseError> {
        let Self { table, column } = self;
        let name = self.name(month);
        let mut tx = begin(database, call).await?;
        if is_there(&mut tx, &name).await? {
            return Ok(Made::Old);
        }
        // A writer chooses the partition of its row after it has locked the whole table. So writers must wait there: one that waits for
        // the default partition would find that its row does not belong there any more, and fail.
        run(database, &mut tx, &format!("lock table only {table} in share row exclusive mode")).await?;
        // Nobody adds a row of this month to the default partition between the move and the end of the transaction.
        run(database, &mut tx, &format!("lock table {table}_default in access exclusive mode")).await?;
        if is_there(&mut tx, &name).await? {
            return Ok(Made::Old);
        }
        let (first, next) = (month.first(), month.next().first());
        let within = format!("{column} >= '{first}' and {column} < '{next}'");
        let more = format!("select 1 from {table}_default where {within} offset {rows_max} limit 1");
        if !rows(database, &mut tx, &more).await?.is_empty() {
            return Ok(Made::TooMany);
        }
        run(database, &mut tx, &format!("create table {name} (like {table} including all)")).await?;
        let moved = format!(
            "with moved as (delete from {table}_default where {within} returning *) \
             insert into {name} select * from moved"
        );
        let moved = run(database, &mut tx, &moved).await?;
        let attach =
            format!("alter table {table} attach partition {name} for values from ('{first}') to ('{next}')");
        run(database, &mut tx, &attach).await?;
        tx.commit().await?;
        Ok(Made::New(moved))
    }

    async fn drop_one(&self, database: &Database, call: &Call, month: Month) -> Result<bool, DatabaseError> {
        let name = self.name(month);
        let mut tx = begin(database, call).await?;
        if !is_there(&mut tx, &name).await? {
            return Ok(false);
        }
        run(database, &mut tx, &format!("lock table {name} in access exclusive mode")).await?;
        if !rows(database, &mut tx, &format!("select 1 from {name} limit 1")).await?.is_empty() {
            return Ok(false);
        }
        run(database, &mut tx, &format!("drop table {name}")).await?;
        tx.commit().await?;
        Ok(true)
    }

    fn name(&self, month: Month) -> String {
        format!("{}_{:04}_{:02}", self.table, month.year, month.month)
    }
}

/// The outcome for one month.
enum Made {
    /// The partition is new, and so many rows were moved into it.
    New(u64),
    Old,
    TooMany,
}

impl Month {
    fn of(moment: Timestamp) -> Self {
        let text = moment.to_string();
        Self::parse(&text[..7].replace('-', "_")).unwrap_or(Self { year: 1970, month: 1 })
    }

    /// Reads `2026_01`.
    fn parse(text: &str) -> Option<Self> {
        let (year, month) = text.split_once('_')?;
        let is_date = year.len() == 4 && month.len() == 2;
        let (year, month) = (year.parse().ok()?, month.parse().ok()?);
        (is_date && (1..=12).contains(&month)).then_some(Self { year, month })
    }

    fn next(self) -> Self {
        let Self { year, month } = self;
        if month == 12 { Self { year: year + 1, month: 1 } } else { Self { month: month + 1, ..self } }
    }

    fn first(self) -> Timestamp {
        let text = format!("{:04}-{:02}-01T00:00:00Z", self.year, self.month);
        text.parse().unwrap_or(Timestamp::from_micros(0))
    }
}

/// Lets others work if a table is in use and the call has time; any other error ends the attempts.
async fn pause(call: &Call, error: DatabaseError) -> Result<(), DatabaseError> {
    if !matches!(error, DatabaseError::Contention { .. }) || call.deadline.is_past() {
        return Err(error);
    }
    tokio::time::sleep(LOCK_PAUSE).await;
    Ok(())
}

async fn begin(database: &Database, call: &Call) -> Result<Transaction, DatabaseError> {
    let mut tx = database.transaction(call).await?;
    tx.execute(&LOCK_SHORTLY, []).await?;
    Ok(tx)
}

async fn is_there(tx: &mut Transaction, name: &str) -> Result<bool, DatabaseError> {
    let row = tx.row(&IS_THERE, [Value::from(name)]).await?;
    row.map_or(Ok(false), |row| row.get(0))
}

async fn run(database: &Database, tx: &mut Transaction, text: &str) -> Result<u64, DatabaseError> {
    let statement = database.inner().book.once_as_is("partitions", text);
    tx.run(&statement, &[], false).await.map(|(_, changed)| changed)
}

async fn rows(
    database: &Database,
    tx: &mut Transaction,
    text: &str,
) -> Result<Vec<crate::Row>, DatabaseError> {
    let statement = database.inner().book.once_as_is("partitions", text);
    tx.run(&statement, &[], true).await.map(|(rows, _)| rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_read_from_a_moment_and_from_a_name() {
        let december = Month::of("2026-12-31T23:59:59.999999Z".parse().unwrap());
        assert_eq!(december, Month { year: 2026, month: 12 });
        assert_eq!(december.next().first().to_string(), "2027-01-01T00:00:00.000000Z");
        assert_eq!(Month::parse("2026_12"), Some(december));
        for bad in ["default", "2026_13", "2026_1", "26_01", "2026_ab"] {
            assert_eq!(Month::parse(bad), None, "{bad}");
        }
    }
}
