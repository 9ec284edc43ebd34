-- Batches of businesses that a job assesses, and the businesses of each in the order of the request.

create table risk_batches (
    tenant text collate "C" not null,
    id uuid not null,
    status text not null,
    -- How many businesses there are, and how many of them ended in which way.
    total bigint not null,
    succeeded bigint not null,
    failed bigint not null,
    skipped bigint not null,
    -- From 1 to 10; 10 is the most urgent.
    priority bigint not null,
    retries bigint not null,
    retries_max bigint not null,
    -- Counts the jobs that the batch had: a job of an earlier run does nothing.
    run bigint not null,
    metadata jsonb not null,
    -- The caller, and the name that the caller gave.
    user_id text collate "C" not null,
    created_by text collate "C" not null,
    error text,
    version bigint not null,
    created_at timestamptz not null,
    started_at timestamptz,
    ended_at timestamptz,
    updated_at timestamptz not null,
    primary key (id, tenant)
);

create index risk_batches_newest on risk_batches (tenant, created_at, id);
create index risk_batches_ended on risk_batches (ended_at) where ended_at is not null;
create index risk_batches_live on risk_batches (updated_at) where ended_at is null;

create table risk_batch_items (
    tenant text collate "C" not null,
    batch_id uuid not null,
    place bigint not null,
    status text not null,
    input jsonb not null,
    business_id uuid,
    assessment_id uuid,
    risk_score double precision,
    -- Every bad field, if the business is described badly.
    validation jsonb,
    error text,
    micros bigint,
    primary key (batch_id, tenant, place)
);

create index risk_batch_items_pending on risk_batch_items (batch_id, tenant, place) where status = 'pending';
