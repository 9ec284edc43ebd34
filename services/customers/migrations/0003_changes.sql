-- The history of customers: a row for every change after the creation. Until the first change, the customer's own row tells of
-- its creation.

-- Empty for customers from before this migration, and after a deletion.
alter table customers add column created_by text not null default '';

create table customer_changes (
    tenant text collate "C" not null,
    customer_id uuid not null,
    version bigint not null,
    operation text not null,
    changed_at timestamptz not null,
    changed_by text not null,
    fields_before jsonb not null,
    fields_after jsonb not null,
    -- How long the fields are as JSON.
    bytes bigint not null,
    primary key (tenant, customer_id, version),
    foreign key (customer_id, tenant) references customers (id, tenant)
);
