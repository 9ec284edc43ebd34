-- The ledger of the sandbox, a provider of payments inside this program. It stands for the books of another company: no other table
-- refers to it, and it is written in transactions of its own.

create table commerce_sandbox_charges (
    tenant text collate "C" not null,
    -- The id of the payment that asked for it.
    key uuid not null,
    order_id uuid not null,
    amount_minor bigint not null check (amount_minor > 0),
    currency text not null,
    -- The token of the card. It decides about refunds, too.
    token text collate "C" not null,
    reference text collate "C" not null,
    -- Empty if the charge was declined.
    authorization_code text not null,
    -- Empty if the charge was captured.
    decline_code text not null,
    created_at timestamptz not null,
    primary key (key, tenant)
);

create unique index commerce_sandbox_charges_by_reference on commerce_sandbox_charges (reference, tenant);

create table commerce_sandbox_refunds (
    tenant text collate "C" not null,
    -- The id of the refund that asked for it.
    key uuid not null,
    charge_key uuid not null,
    amount_minor bigint not null check (amount_minor > 0),
    currency text not null,
    reference text collate "C" not null,
    created_at timestamptz not null,
    primary key (key, tenant)
);

create index commerce_sandbox_refunds_of_charge on commerce_sandbox_refunds (charge_key, tenant);
