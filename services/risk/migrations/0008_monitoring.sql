-- Businesses that are screened again when lists change.
create table risk_monitored (
    tenant text collate "C" not null,
    business_id uuid not null,
    business_name text not null,
    country text not null,
    created_by text not null,
    created_at timestamptz not null,
    primary key (business_id, tenant)
);

create index risk_monitored_tenant on risk_monitored (tenant, business_id);

-- The operator's lists as processes had them at their start, one after the other. They belong to no tenant.
create table risk_operator_lists (
    name text collate "C" not null,
    number bigint not null,
    version text not null,
    -- The first 64 bits of the version of each entry, sorted: they tell which entries the next version adds or changes.
    entries bytea not null,
    seen_at timestamptz not null,
    primary key (name, number)
);
