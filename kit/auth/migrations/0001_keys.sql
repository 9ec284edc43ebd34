-- API keys. The secret itself is nowhere: only its hash.

create table api_keys (
    -- The part of a key by which it is found.
    id text collate "C" not null primary key,
    tenant text collate "C" not null,
    -- `live` or `test`, as the key itself says.
    kind text not null,
    name text not null,
    hash bytea not null,
    -- Separated by blanks.
    scopes text not null,
    -- The addresses from which it may be used, separated by blanks; empty for all.
    networks text not null,
    created_at timestamptz not null,
    expires_at timestamptz,
    revoked_at timestamptz,
    -- To the minute.
    last_used_at timestamptz
);

create index api_keys_of_tenant on api_keys (tenant, created_at);
