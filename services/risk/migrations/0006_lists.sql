-- The lists of tenants, and matches that they remember as false.

create table risk_lists (
    tenant text collate "C" not null,
    id uuid not null,
    name text collate "C" not null,
    kind text not null,
    entries bigint not null,
    version bigint not null,
    created_by text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (id, tenant)
);

create unique index risk_lists_name_key on risk_lists (name, tenant);
create index risk_lists_newest on risk_lists (tenant, created_at, id);

create table risk_list_entries (
    tenant text collate "C" not null,
    list_id uuid not null,
    entry_id text collate "C" not null,
    entry_version text not null,
    content jsonb not null,
    -- The version of the list in which the entry came to be as it is.
    changed_in bigint not null,
    primary key (list_id, tenant, entry_id)
);

create table risk_list_changes (
    tenant text collate "C" not null,
    list_id uuid not null,
    version bigint not null,
    added bigint not null,
    changed bigint not null,
    removed bigint not null,
    changed_by text not null,
    changed_at timestamptz not null,
    primary key (list_id, tenant, version)
);

create table risk_false_positives (
    tenant text collate "C" not null,
    business_id uuid not null,
    source text collate "C" not null,
    entry_id text collate "C" not null,
    entry_version text not null,
    reason text not null,
    created_by text not null,
    created_at timestamptz not null,
    primary key (business_id, tenant, source, entry_id)
);
