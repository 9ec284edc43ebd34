-- Customers whose newest version the pipeline could not archive. A row goes when a later version of its customer is archived.

create table customer_pipeline_dead (
    tenant text collate "C" not null,
    -- The id as callers write it.
    customer_id text collate "C" not null,
    version bigint not null,
    -- It never contains data of the customer.
    reason text not null,
    created_at timestamptz not null,
    primary key (tenant, customer_id)
);
