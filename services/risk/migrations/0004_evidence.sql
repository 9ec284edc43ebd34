-- Everything that decisions were made with, by its hash: so a decision can be made again when another model or ruleset is in use.

-- Models belong to the operator of the program, and to no tenant.
create table risk_models (
    hash text not null,
    card_hash text not null,
    kind text not null,
    version text not null,
    file bytea not null,
    card bytea not null,
    -- The models that an ensemble weighs: the hashes of each, and of its card.
    members jsonb not null,
    kept_at timestamptz not null,
    primary key (hash, card_hash)
);

create table risk_rulesets (
    hash text not null,
    tenant text collate "C" not null,
    document text not null,
    kept_at timestamptz not null,
    primary key (hash, tenant)
);
