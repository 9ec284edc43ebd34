-- Orders: their lines as they were sold, and every state that they went through.

create table commerce_orders (
    tenant text collate "C" not null,
    id uuid not null,
    user_id text collate "C" not null,
    status text collate "C" not null,
    -- The next step on the way to a paid order: ASSESS, CHARGE, or DONE. An order that waits for its buyer to pay is at PAY.
    step text collate "C" not null,
    currency text not null,
    total_minor bigint not null check (total_minor > 0),
    -- As the buyer sent it: an object, or a text.
    address jsonb not null,
    notes text not null,
    -- What may be kept of the means of payment; null if the order named none.
    method jsonb,
    -- The verdict about the order; null before it was asked for.
    risk jsonb,
    -- The payment that counts.
    payment_id uuid,
    tracking text not null,
    -- Why it was cancelled.
    reason text not null,
    version bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    -- It is cancelled unless it is paid before.
    expires_at timestamptz not null,
    primary key (id, tenant)
);

create index commerce_orders_of_user on commerce_orders (tenant, user_id, created_at, id);
create index commerce_orders_of_user_by_status on commerce_orders (tenant, user_id, status, created_at, id);
create index commerce_orders_by_creation on commerce_orders (tenant, created_at, id);
create index commerce_orders_by_status on commerce_orders (tenant, status, created_at, id);
create index commerce_orders_expiring on commerce_orders (expires_at, id) where status = 'PENDING';

create table commerce_order_lines (
    tenant text collate "C" not null,
    order_id uuid not null,
    -- From 0, as the buyer wrote them down.
    place bigint not null,
    product_id uuid not null,
    name text not null,
    price_minor bigint not null,
    quantity bigint not null check (quantity > 0),
    image_url text,
    primary key (order_id, tenant, place)
);

-- Only added to.
create table commerce_order_history (
    tenant text collate "C" not null,
    order_id uuid not null,
    -- The version of the order since.
    version bigint not null,
    -- Empty for the first one.
    from_status text not null,
    to_status text not null,
    reason text not null,
    actor text not null,
    created_at timestamptz not null,
    primary key (order_id, tenant, version)
);
