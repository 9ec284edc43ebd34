-- People who log in, and their sessions. Neither passwords nor the tokens of sessions are here: only their hashes.

create table operators (
    -- Unique over all tenants, because people log in with a name and a password only.
    name text collate "C" not null primary key,
    tenant text collate "C" not null,
    role text not null,
    -- Argon2id, with its costs and its salt. Null for accounts that only log in at their provider.
    hash text,
    -- The claims `iss` and `sub` of the person at an OpenID Connect provider.
    issuer text collate "C",
    subject text collate "C",
    created_at timestamptz not null,
    disabled_at timestamptz,
    -- Wrong passwords in a row.
    failures bigint not null,
    locked_until timestamptz
);

create unique index operators_issuer_subject_key on operators (issuer, subject);

create table operator_sessions (
    -- A hash of the token.
    id bytea not null primary key,
    operator text collate "C" not null,
    tenant text collate "C" not null,
    created_at timestamptz not null,
    last_seen_at timestamptz not null,
    expires_at timestamptz not null
);

create index operator_sessions_of_operator on operator_sessions (operator, last_seen_at);
create index operator_sessions_seen on operator_sessions (last_seen_at);
create index operator_sessions_end on operator_sessions (expires_at);
