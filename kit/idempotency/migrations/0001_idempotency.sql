-- One row for each key that was used: what was asked, and what was answered. Written with the effect, or not at all.

create table idempotency_records (
    tenant text collate "C" not null,
    actor text collate "C" not null,
    operation text collate "C" not null,
    key text collate "C" not null,
    request_hash bytea not null,
    -- Null only inside of the transaction that claims the key.
    status integer,
    headers jsonb,
    body bytea,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    primary key (tenant, actor, operation, key)
);

create index idempotency_records_expires on idempotency_records (expires_at);
