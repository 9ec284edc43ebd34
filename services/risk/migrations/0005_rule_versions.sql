-- The rules of tenants: versions, the one that runs in the shadow, and runs over stored assessments.

-- One row for each tenant that has changed anything that its decisions stand on. Processes compare the generation with the one
-- that they hold.
create table risk_grounds (
    tenant text collate "C" not null,
    generation bigint not null,
    -- The version that runs in the shadow.
    shadow bigint,
    primary key (tenant)
);

create table risk_rule_versions (
    tenant text collate "C" not null,
    number bigint not null,
    id uuid not null,
    hash text not null,
    name text not null,
    note text not null,
    state text not null,
    restores bigint,
    rolled_back_from bigint,
    version bigint not null,
    created_by text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    published_by text,
    published_at timestamptz,
    primary key (number, tenant)
);

-- A tenant has one version that decides.
create unique index risk_rule_versions_published_key on risk_rule_versions (tenant) where state = 'published';

create table risk_shadow_runs (
    tenant text collate "C" not null,
    number bigint not null,
    since timestamptz not null,
    updated_at timestamptz not null,
    summary jsonb not null,
    primary key (number, tenant)
);

create table risk_backtests (
    tenant text collate "C" not null,
    id uuid not null,
    number bigint not null,
    candidate_hash text not null,
    live_hash text not null,
    range_from timestamptz not null,
    range_to timestamptz not null,
    assessments_max bigint not null,
    status text not null,
    summary jsonb not null,
    skipped bigint not null,
    created_by text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (id, tenant)
);

create index risk_backtests_newest on risk_backtests (tenant, created_at, id);
