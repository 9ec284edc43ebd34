-- The addresses to which events are sent, the events that at least one of them wants, and each delivery of one to one.

create table webhooks (
    tenant text collate "C" not null,
    id uuid not null,
    name text not null,
    url text not null,
    status text not null,
    events jsonb not null,
    settings jsonb not null,
    -- The secrets that sign, and the headers of the caller; sealed where there are keys.
    secrets text not null,
    delivered bigint not null,
    failed bigint not null,
    last_delivery jsonb,
    -- How many attempts have failed since the last one that did not, and since when.
    failures bigint not null,
    failing_since timestamptz,
    -- The breaker: nothing is sent before this moment; and how often it opened since the last success.
    closed_until timestamptz,
    opened bigint not null,
    -- When the next attempt fits the rate.
    next_slot timestamptz,
    version bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (id, tenant)
);

create index webhooks_newest on webhooks (tenant, created_at, id);

create table webhook_events (
    tenant text collate "C" not null,
    id uuid not null,
    kind text not null,
    subject text not null,
    data jsonb not null,
    published_at timestamptz not null,
    primary key (id, tenant)
);

-- The id of an event begins with its time: the key serves the list of an endpoint and the sweep as well.
create table webhook_deliveries (
    tenant text collate "C" not null,
    webhook_id uuid not null,
    event_id uuid not null,
    -- Events of one thing are in the order of its versions.
    subject text not null,
    version bigint not null,
    status text not null,
    attempts bigint not null,
    -- When the next attempt is due.
    next_at timestamptz not null,
    attempted_at timestamptz,
    response_code bigint,
    latency_micros bigint,
    response text not null,
    error text not null,
    primary key (webhook_id, event_id, tenant)
);

create index webhook_deliveries_due on webhook_deliveries (webhook_id, next_at, event_id) where status = 'pending';
create index webhook_deliveries_dead on webhook_deliveries (webhook_id, event_id) where status = 'dead';
