-- Jobs that callers want again and again. The schedules of the program itself are in queue_schedules.

create table queue_recurring (
    name text collate "C" not null primary key,
    -- Five fields of cron in UTC, or `@every 30s`.
    expression text not null,
    job jsonb not null,
    callback jsonb,
    paused boolean not null,
    -- Whether a job is enqueued while the one before has not ended.
    overlap boolean not null,
    version bigint not null,
    next_at timestamptz not null,
    last_at timestamptz,
    last_job uuid,
    created_at timestamptz not null,
    updated_at timestamptz not null
);

create index queue_recurring_due on queue_recurring (next_at) where not paused;
