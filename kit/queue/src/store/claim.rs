//! The statements that claim jobs. Only here do the two engines get different texts: see docs/decisions/0010.

use pando_clock::Timestamp;
use pando_database::{DatabaseError, Engine, Json, Query, Row, Transaction, Value, params};
use uuid::Uuid;

use crate::job::Settings;

/// A job that was claimed.
#[derive(Clone, Debug)]
pub(crate) struct Claimed {
    pub(crate) id: Uuid,
    /// The fencing token.
    pub(crate) lease: Uuid,
    pub(crate) kind: String,
    pub(crate) payload: serde_json::Value,
    pub(crate) priority: i64,
    pub(crate) attempts: i64,
    pub(crate) attempts_max: i64,
    pub(crate) run_at: Timestamp,
    pub(crate) created_at: Timestamp,
    pub(crate) tenant: Option<String>,
    pub(crate) rate_key: Option<String>,
    pub(crate) rate_granted: bool,
    pub(crate) settings: Settings,
    pub(crate) cursor: Option<serde_json::Value>,
}

/// The parameters of a claim.
#[derive(Clone, Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) queue: &'a str,
    pub(crate) kinds: &'a [String],
    /// Whose jobs, in a fair queue.
    pub(crate) tenant: Option<&'a str>,
    pub(crate) count: usize,
    pub(crate) lease: Uuid,
    pub(crate) now: Timestamp,
    pub(crate) lease_until: Timestamp,
}

/// The columns that every claim writes and reads back. A job that was enqueued after the claim read the clock must not seem
/// to have begun before it was due.
macro_rules! claim {
    ($chosen:literal, $candidates:literal, $lock:literal, $end:literal) => {
        concat!(
            "update queue_jobs set state = 'running', lease = $2, lease_until = $3, started_at = case when run_at > $4 then run_at else $4 end, \
             attempts = attempts + 1, error = null, \
             unique_key = case when unique_scope = 'waiting' then null else unique_key end where id ",
            $chosen,
            "select id from queue_jobs where queue = $1 and state = 'pending' and kind = any($5) ",
            $candidates,
            "and not exists (select 1 from queue_controls where queue = $1 and paused) \
             order by priority desc, run_at, id limit $6 ",
            $lock,
            $end,
            " returning id, kind, payload, priority, attempts, attempts_max, run_at, created_at, tenant, \
             rate_key, rate_granted, settings, cursor"
        )
    };
}

static CLAIM_POSTGRES: Query =
    Query::write("queue.claim", claim!("= any(array(", "", "for update skip locked", "))"));
static CLAIM_SQLITE: Query = Query::write("queue.claim", claim!("in (", "", "", ")"));
static CLAIM_TENANT_POSTGRES: Query = Query::write(
    "queue.claim_tenant",
    claim!("= any(array(", "and tenant = $7 ", "for update skip locked", "))"),
);
static CLAIM_TENANT_SQLITE: Query =
    Query::write("queue.claim_tenant", claim!("in (", "and tenant = $7 ", "", ")"));

/// Jobs whose moment has come wait for a worker from now on. Chosen first and once, whatever the plan.
static PROMOTE: Query = Query::write(
    "queue.promote",
    "with due as materialized (select id from queue_jobs where queue = $1 and state = 'scheduled' \
     and run_at <= $2 order by run_at limit $3 for update skip locked) \
     update queue_jobs set state = 'pending' where id in (select id from due)",
);

static NEXT_DUE: Query = Query::write(
    "queue.next_due",
    "select run_at from queue_jobs where queue = $1 and state = 'scheduled' order by run_at limit 1",
);

/// Serialises the claims of one queue, for those that count what runs.
static LOCK_QUEUE: Query = Query::write(
    "queue.lock",
    "insert into queue_controls (queue, paused) values ($1, false) \
     on conflict (queue) do update set paused = queue_controls.paused",
);

static COUNT_RUNNING: Query = Query::write(
    "queue.count_running",
    "select count(*) from queue_jobs where queue = $1 and state = 'running'",
);

/// The tenants that have something waiting, found by stepping through the index from one to the next.
static TENANTS: Query = Query::write(
    "queue.tenants",
    "with recursive turn (tenant) as (select (select min(tenant) from queue_jobs where queue = $1 \
     and state = 'pending' and tenant is not null and tenant > $2) union all \
     select (select min(job.tenant) from queue_jobs as job where job.queue = $1 and job.state = 'pending' \
     and job.tenant is not null and job.tenant > turn.tenant) from turn where turn.tenant is not null) \
     select tenant from turn where tenant is not null limit $3",
);

/// The text an engine reads.
pub(super) fn text(engine: Engine) -> &'static Query {
    match engine {
        Engine::Postgres => &CLAIM_POSTGRES,
        Engine::Sqlite => &CLAIM_SQLITE,
    }
}

/// Takes at most `ask.count` jobs, the most urgent first.
pub(crate) async fn claim(
    tx: &mut Transaction,
    engine: Engine,
    ask: &Ask<'_>,
) -> Result<Vec<Claimed>, DatabaseError> {
    let (query, values) = ask.question(engine);
    in_order(&tx.rows(query, values).await?, ask.lease)
}

/// The same, as the last thing the transaction does.
pub(crate) async fn claim_and_commit(
    tx: Transaction,
    engine: Engine,
    ask: &Ask<'_>,
) -> Result<Vec<Claimed>, DatabaseError> {
    let (query, values) = ask.question(engine);
    let (rows, _) = tx.rows_and_commit(query, values).await?;
    in_order(&rows, ask.lease)
}

impl Ask<'_> {
    fn question(&self, engine: Engine) -> (&'static Query, Vec<Value>) {
        let count = i64::try_from(self.count).unwrap_or(i64::MAX);
        let kinds = self.kinds.to_vec();
        let values = params![self.queue, self.lease, self.lease_until, self.now, kinds, count];
        let mut values = Vec::from(values);
        let query = match (self.tenant, engine) {
            (None, engine) => text(engine),
            (Some(_), Engine::Postgres) => &CLAIM_TENANT_POSTGRES,
            (Some(_), Engine::Sqlite) => &CLAIM_TENANT_SQLITE,
        };
        values.extend(self.tenant.map(Value::from));
        (query, values)
    }
}

/// `returning` has no order.
fn in_order(rows: &[Row], lease: Uuid) -> Result<Vec<Claimed>, DatabaseError> {
    let mut claimed: Vec<Claimed> =
        rows.iter().map(|row| claimed_from(row, lease)).collect::<Result<_, _>>()?;
    claimed.sort_unstable_by_key(|job| (-job.priority, job.run_at, job.id));
    Ok(claimed)
}

/// Makes jobs that are due claimable, with whatever the transaction does next.
pub(crate) fn promote(tx: &mut Transaction, queue: &str, now: Timestamp, count: usize) {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    tx.execute_later(&PROMOTE, params![queue, now, count]);
}

/// When the next scheduled job is due, as the last thing the transaction does.
pub(crate) async fn next_due_and_commit(
    tx: Transaction,
    queue: &str,
) -> Result<Option<Timestamp>, DatabaseError> {
    let (rows, _) = tx.rows_and_commit(&NEXT_DUE, params![queue]).await?;
    rows.first().map(|row| row.get(0)).transpose()
}

/// Waits for other claims of this queue to end, keeps new ones waiting, and counts what runs.
pub(crate) async fn lock_and_count(tx: &mut Transaction, queue: &str) -> Result<usize, DatabaseError> {
    tx.execute(&LOCK_QUEUE, params![queue]).await?;
    let row = tx.row(&COUNT_RUNNING, params![queue]).await?;
    let count: i64 = row.map_or(Ok(0), |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Up to `count` tenants with waiting jobs, in order, from the one after `after`.
pub(crate) async fn tenants(
    tx: &mut Transaction,
    queue: &str,
    after: &str,
    count: usize,
) -> Result<Vec<String>, DatabaseError> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let rows = tx.rows(&TENANTS, params![queue, after, count]).await?;
    rows.iter().map(|row| row.get(0)).collect()
}

/// The moment from which a key of a rate limit is free again; its row stays locked until the transaction ends.
static RATE_LOCK: Query = Query::write(
    "queue.rate_lock",
    "insert into queue_rates (queue, rate_key, next_at) values ($1, $2, $3) \
     on conflict (queue, rate_key) do update set next_at = queue_rates.next_at returning next_at",
);

static RATE_SET: Query =
    Query::write("queue.rate_set", "update queue_rates set next_at = $3 where queue = $1 and rate_key = $2");

/// Puts a job that was just claimed back until its place in the rate comes.
static POSTPONE: Query = Query::write(
    "queue.postpone",
    "update queue_jobs set state = 'scheduled', run_at = $3, rate_granted = true, attempts = attempts - 1, \
     lease = null, lease_until = null where id = $1 and lease = $2 and state = 'running'",
);

/// From when on a key is free, at least `now`. Nobody else can ask until the transaction ends.
pub(crate) async fn rate_free_at(
    tx: &mut Transaction,
    queue: &str,
    key: &str,
    now: Timestamp,
) -> Result<Timestamp, DatabaseError> {
    let row = tx.row(&RATE_LOCK, params![queue, key, now]).await?;
    Ok(row.map_or(Ok(now), |row| row.get(0))?.max(now))
}

/// Says from when on a key is free.
pub(crate) async fn set_rate(
    tx: &mut Transaction,
    queue: &str,
    key: &str,
    free_at: Timestamp,
) -> Result<(), DatabaseError> {
    tx.execute(&RATE_SET, params![queue, key, free_at]).await.map(drop)
}

/// Gives a claimed job its place in the rate.
pub(crate) async fn postpone(
    tx: &mut Transaction,
    job: &Claimed,
    run_at: Timestamp,
) -> Result<(), DatabaseError> {
    tx.execute(&POSTPONE, params![job.id, job.lease, run_at]).await.map(drop)
}

fn claimed_from(row: &Row, lease: Uuid) -> Result<Claimed, DatabaseError> {
    Ok(Claimed {
        id: row.get(0)?,
        lease,
        kind: row.get(1)?,
        payload: row.get(2)?,
        priority: row.get(3)?,
        attempts: row.get(4)?,
        attempts_max: row.get(5)?,
        run_at: row.get(6)?,
        created_at: row.get(7)?,
        tenant: row.get(8)?,
        rate_key: row.get(9)?,
        rate_granted: row.get(10)?,
        settings: row.get::<Option<Json<Settings>>>(11)?.map(|it| it.0).unwrap_or_default(),
        cursor: row.get(12)?,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pando_clock::Clock;
    use pando_database::Database;
    use pando_database::testing::TestDatabase;
    use pando_resilience::Call;
    use pando_telemetry::Metrics;

    use super::*;
    use crate::{Job, MIGRATIONS, Queue, QueueOptions, QueueParts};

    static WAITING: Query = Query::scan(
        "claim.waiting",
        "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    );

    /// Runs two simultaneous claims on PostgreSQL with the text of one engine, and returns the jobs that each claim gets. The
    /// first one commits as soon as the second one waits for it or has its jobs.
    async fn two_workers_claim(read_by: Engine, jobs: usize) -> [Vec<Claimed>; 2] {
        let test = TestDatabase::postgres().await;
        let (database, clock) = (test.open().await, Clock::system());
        database.migrate(&[MIGRATIONS]).await.unwrap();
        let parts = QueueParts { database: database.clone(), clock: clock.clone(), metrics: Metrics::new() };
        let queue = Queue::new(parts, QueueOptions::default()).unwrap();
        let mut tx = database.transaction(&call()).await.unwrap();
        let some = (0..jobs).map(|_| Job::new("any", serde_json::Value::Null)).collect();
        queue.enqueue_many(&mut tx, some).await.unwrap();
        tx.commit().await.unwrap();
        let mut first = database.transaction(&call()).await.unwrap();
        let firsts = claim_one(&mut first, &clock, read_by).await;
        let (there, other) = (database.clone(), clock.clone());
        let second = pando_telemetry::spawn("claim.second", async move {
            let mut second = there.transaction(&call()).await.unwrap();
            let seconds = claim_one(&mut second, &other, read_by).await;
            second.commit().await.unwrap();
            seconds
        });
        let meeting = async {
            while !second.is_finished() && waiting(&database).await == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), meeting).await.expect("it is served, or waits");
        first.commit().await.unwrap();
        [firsts, second.await.unwrap()]
    }

    async fn claim_one(tx: &mut Transaction, clock: &Clock, read_by: Engine) -> Vec<Claimed> {
        let (now, kinds) = (clock.now(), ["any".to_owned()]);
        let (lease, lease_until) = (clock.fresh_id(), now.plus_micros(60_000_000));
        let ask = Ask { queue: "default", kinds: &kinds, tenant: None, count: 1, lease, now, lease_until };
        claim(tx, read_by, &ask).await.unwrap()
    }

    async fn waiting(database: &Database) -> i64 {
        let call = call();
        let row = database.read_primary(&call).row(&WAITING, []).await.unwrap();
        row.unwrap().get(0).unwrap()
    }

    fn call() -> Call {
        Call::internal("test", Duration::from_secs(30))
    }

    /// Why there are two texts: docs/decisions/0010.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn the_portable_text_hands_one_job_to_two_workers_on_postgresql() {
        let [first, second] = two_workers_claim(Engine::Sqlite, 2).await;
        assert_eq!(first[0].id, second[0].id, "although another one waits");
        assert_ne!(first[0].lease, second[0].lease, "and the fence shuts the first one out");
        assert_eq!((first[0].attempts, second[0].attempts), (1, 2));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn skipping_what_is_locked_hands_each_job_to_one_worker_at_once() {
        let [first, second] = two_workers_claim(Engine::Postgres, 2).await;
        assert_ne!(first[0].id, second[0].id);
        let [first, second] = two_workers_claim(Engine::Postgres, 1).await;
        assert_eq!((first.len(), second.len()), (1, 0));
    }
}
