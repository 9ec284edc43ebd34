-- Payments and refunds. Nothing of a card is here but its last four digits and the token that the provider gave for it.

create table commerce_payments (
    tenant text collate "C" not null,
    -- Also the key by which the provider knows the charge.
    id uuid not null,
    order_id uuid not null,
    user_id text collate "C" not null,
    amount_minor bigint not null check (amount_minor > 0),
    currency text not null,
    status text collate "C" not null,
    -- Its kind, the masked number, the name on it, and the token, with which nobody but the shop can do anything.
    method jsonb not null,
    -- The provider's name for the charge.
    reference text not null,
    authorization_code text not null,
    failure_code text not null,
    failure_reason text not null,
    -- The sum of the refunds that are not refused.
    refunded_minor bigint not null check (refunded_minor >= 0 and refunded_minor <= amount_minor),
    -- The money came when its order did not want it any more, and goes back.
    stray boolean not null,
    version bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (id, tenant)
);

-- An order has one payment that is under way or made.
create unique index commerce_payments_tenant_order_id_key on commerce_payments (tenant, order_id)
    where status <> 'FAILED' and not stray;
create index commerce_payments_of_order on commerce_payments (tenant, order_id, created_at, id);
create index commerce_payments_of_user on commerce_payments (tenant, user_id, created_at, id);
create index commerce_payments_by_creation on commerce_payments (tenant, created_at, id);
create index commerce_payments_pending on commerce_payments (updated_at, id) where status = 'PENDING';

create table commerce_refunds (
    tenant text collate "C" not null,
    -- Also the key by which the provider knows the refund.
    id uuid not null,
    payment_id uuid not null,
    amount_minor bigint not null check (amount_minor > 0),
    status text collate "C" not null,
    reason text not null,
    reference text not null,
    failure_reason text not null,
    actor text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (id, tenant)
);

create index commerce_refunds_of_payment on commerce_refunds (tenant, payment_id, created_at, id);
create index commerce_refunds_pending on commerce_refunds (updated_at, id) where status = 'PENDING';
