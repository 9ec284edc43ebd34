-- Jobs. One text for both engines; the row is the truth about a job, from its enqueueing to its sweeping.

create table queue_jobs (
    id uuid not null primary key,
    queue text collate "C" not null,
    kind text collate "C" not null,
    payload jsonb not null,
    -- 9 is the most urgent.
    priority smallint not null,
    -- scheduled, pending, running; completed, cancelled, dead.
    state text collate "C" not null,
    run_at timestamptz not null,
    created_at timestamptz not null,
    started_at timestamptz,
    ended_at timestamptz,
    -- Those that count: one that was handed back does not.
    attempts integer not null,
    attempts_max integer not null,
    -- The fencing token: fresh for every claim. Who does not name it changes nothing.
    lease uuid,
    lease_until timestamptz,
    cancel_requested boolean not null,
    -- Taken by one job at a time; how long is what the scope says: waiting, live, window.
    unique_key text collate "C",
    unique_scope text,
    unique_until timestamptz,
    -- Jobs of a lane run one after the other, in the order of their numbers.
    lane text collate "C",
    lane_number bigint,
    -- Whom a fair queue takes turns for.
    tenant text collate "C",
    -- What a rate limit counts by, and whether this job has its place already.
    rate_key text collate "C",
    rate_granted boolean not null,
    batch_id uuid,
    -- What is not as usual: the time limit, the pauses between attempts.
    settings jsonb,
    -- What follows when it is completed.
    sequel jsonb,
    cursor jsonb,
    progress jsonb,
    result jsonb,
    error text,
    fingerprint text collate "C"
);

-- Small, and in the order in which jobs are claimed: only waiting jobs are in it.
create index queue_jobs_pending on queue_jobs (queue, priority desc, run_at, id) where state = 'pending';
create index queue_jobs_scheduled on queue_jobs (queue, run_at) where state = 'scheduled';
create index queue_jobs_running on queue_jobs (queue, lease_until) where state = 'running';
create index queue_jobs_ended on queue_jobs (state, ended_at) where ended_at is not null;
create index queue_jobs_fair on queue_jobs (queue, tenant, priority desc, run_at, id)
    where state = 'pending' and tenant is not null;
create index queue_jobs_dead on queue_jobs (queue, fingerprint, ended_at) where state = 'dead';
create index queue_jobs_lane on queue_jobs (queue, lane, lane_number)
    where lane is not null and ended_at is null;
create unique index queue_jobs_unique_key_key on queue_jobs (unique_key) where unique_key is not null;

-- Rows come and go quickly: the visible ones are few, the vacuum must keep up.
-- only: postgres
alter table queue_jobs set (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_cost_delay = 0, autovacuum_analyze_scale_factor = 0.05);

-- What operators said about a queue, and the lock of queues with a limit over all processes.
create table queue_controls (
    queue text collate "C" not null primary key,
    paused boolean not null
);

-- The last number given in each lane. Its row lock makes the numbers follow the order of commits.
create table queue_lanes (
    queue text collate "C" not null,
    lane text collate "C" not null,
    last_number bigint not null,
    used_at timestamptz not null,
    primary key (queue, lane)
);

-- When the next job of a key may run.
create table queue_rates (
    queue text collate "C" not null,
    rate_key text collate "C" not null,
    next_at timestamptz not null,
    primary key (queue, rate_key)
);

-- Jobs that are counted together; the callback is enqueued by whoever ends the last one.
create table queue_batches (
    id uuid not null primary key,
    total bigint not null,
    unfinished bigint not null,
    failed bigint not null,
    callback jsonb,
    created_at timestamptz not null,
    ended_at timestamptz
);

-- When each schedule fires next. Whoever moves the moment enqueues the job, in one transaction.
create table queue_schedules (
    name text collate "C" not null primary key,
    expression text not null,
    next_at timestamptz not null,
    last_at timestamptz
);
