-- Entries wait in audit_unsealed from the commit of their change until a sealer moves them into the chain. Details are text, because
-- a hash needs the same bytes again, and jsonb rewrites numbers and the order of fields. On SQLite a table without rowid is one
-- tree instead of two, so a commit writes fewer pages.

-- only: postgres
create table audit_unsealed (
    tenant text collate "C" not null,
    id uuid not null,
    at timestamptz not null,
    actor text not null,
    request_id text not null,
    action text not null,
    resource text not null,
    resource_id text not null,
    result text not null,
    details text not null,
    primary key (tenant, id)
);
-- only: sqlite
create table audit_unsealed (
    tenant text collate "C" not null,
    id uuid not null,
    at timestamptz not null,
    actor text not null,
    request_id text not null,
    action text not null,
    resource text not null,
    resource_id text not null,
    result text not null,
    details text not null,
    primary key (tenant, id)
) without rowid;

-- The chain: written once, in the order of the numbers, and never changed.
-- only: postgres
create table audit_entries (
    tenant text collate "C" not null,
    number bigint not null,
    id uuid not null,
    at timestamptz not null,
    actor text not null,
    request_id text not null,
    action text not null,
    resource text not null,
    resource_id text not null,
    result text not null,
    details text not null,
    -- The hash of the entry before this one, and the hash of this entry.
    previous bytea not null,
    hash bytea not null,
    primary key (tenant, number)
);
-- only: sqlite
create table audit_entries (
    tenant text collate "C" not null,
    number bigint not null,
    id uuid not null,
    at timestamptz not null,
    actor text not null,
    request_id text not null,
    action text not null,
    resource text not null,
    resource_id text not null,
    result text not null,
    details text not null,
    -- The hash of the entry before this one, and the hash of this entry.
    previous bytea not null,
    hash bytea not null,
    primary key (tenant, number)
) without rowid;

create unique index audit_entries_tenant_id_key on audit_entries (tenant, id);

-- The last number and hash of each chain. A sealer locks the row while it adds to the chain.
create table audit_heads (
    tenant text collate "C" not null primary key,
    number bigint not null,
    hash bytea not null
);

-- Every row of this table is deleted within a second.
-- only: postgres
alter table audit_unsealed set (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 2000);
