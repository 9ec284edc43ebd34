-- Two tenants may give recurring jobs the same name. Processes of the version before need the name alone to be unique.
-- finish

-- only: postgres
alter table queue_recurring drop constraint queue_recurring_pkey, add primary key (tenant, name);
-- only: postgres
alter table queue_recurring alter column tenant drop default;
-- only: postgres
alter table outbox_events alter column tenant drop default;

-- only: sqlite
alter table queue_recurring rename to queue_recurring_before;
-- only: sqlite
create table queue_recurring (
    tenant text not null,
    name text not null,
    expression text not null,
    job jsonb not null,
    callback jsonb,
    paused boolean not null,
    overlap boolean not null,
    version bigint not null,
    next_at timestamptz not null,
    last_at timestamptz,
    last_job uuid,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (tenant, name)
);
-- only: sqlite
insert into queue_recurring (tenant, name, expression, job, callback, paused, overlap, version, next_at, last_at, last_job,
    created_at, updated_at)
    select tenant, name, expression, job, callback, paused, overlap, version, next_at, last_at, last_job, created_at,
        updated_at from queue_recurring_before;
-- only: sqlite
drop table queue_recurring_before;
-- only: sqlite
create index queue_recurring_due on queue_recurring (next_at) where not paused;
