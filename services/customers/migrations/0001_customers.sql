-- Customers. A deleted one keeps its row, so that its id stays taken, but nothing that a caller said about it.

create table customers (
    tenant text collate "C" not null,
    -- The id itself if it is a UUID, and otherwise one that is made of its text.
    id uuid not null,
    -- The id as callers write it.
    given_id text collate "C" not null,
    email text not null,
    -- The forms in which e-mail addresses and phone numbers are compared.
    email_key text collate "C" not null,
    name text not null,
    phone text not null,
    phone_key text collate "C" not null,
    metadata jsonb not null,
    -- Fields of a newer version of the message, encoded.
    unknown bytea not null,
    version bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    deleted_at timestamptz,
    primary key (id, tenant)
);

create index customers_newest on customers (tenant, created_at, id) where deleted_at is null;
-- In the order of a list: otherwise a plan may look for one address through all customers, the newest first.
create index customers_by_email on customers (tenant, email_key, created_at, id) where deleted_at is null;
create index customers_by_phone on customers (tenant, phone_key, created_at, id)
    where deleted_at is null and phone_key <> '';
