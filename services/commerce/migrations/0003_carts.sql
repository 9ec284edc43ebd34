-- Carts: products that somebody means to buy. Prices and stock are read from the product each time, so that a cart holds neither.

create table commerce_carts (
    tenant text collate "C" not null,
    -- It follows from the owner, so that a buyer has one cart.
    id uuid not null,
    -- The name of a user, or the hash of the token of a guest.
    owner text collate "C" not null,
    -- The sum of the quantities of all lines.
    units bigint not null check (units >= 0),
    -- Of all lines; empty while there is none.
    currency text not null,
    version bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    expires_at timestamptz not null,
    primary key (id, tenant)
);

create index commerce_carts_expiring on commerce_carts (expires_at, id);

-- A product is in a cart once.
create table commerce_cart_lines (
    tenant text collate "C" not null,
    cart_id uuid not null,
    product_id uuid not null,
    quantity bigint not null check (quantity > 0),
    notes text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (cart_id, tenant, product_id)
);
