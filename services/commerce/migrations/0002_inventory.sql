-- The units of products: how many can be sold, how many are reserved, and every movement that made it so.

create table commerce_stock (
    tenant text collate "C" not null,
    product_id uuid not null,
    available bigint not null check (available >= 0),
    reserved bigint not null check (reserved >= 0),
    -- At or below this number of available units, an event says so.
    reorder_point bigint not null,
    version bigint not null,
    updated_at timestamptz not null,
    primary key (product_id, tenant)
);

create table commerce_reservations (
    tenant text collate "C" not null,
    id uuid not null,
    order_id uuid not null,
    user_id text collate "C" not null,
    status text not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (id, tenant)
);

-- An order has one reservation that counts.
create unique index commerce_reservations_of_order on commerce_reservations (tenant, order_id)
    where status in ('RESERVED', 'CONFIRMED');
create index commerce_reservations_by_order on commerce_reservations (tenant, order_id, created_at, id);
create index commerce_reservations_of_user on commerce_reservations (tenant, user_id) where status = 'RESERVED';
create index commerce_reservations_expiring on commerce_reservations (expires_at, id) where status = 'RESERVED';

create table commerce_reservation_lines (
    tenant text collate "C" not null,
    reservation_id uuid not null,
    product_id uuid not null,
    quantity bigint not null check (quantity > 0),
    primary key (reservation_id, tenant, product_id)
);

-- Only added to: the units before and after each movement.
create table commerce_movements (
    tenant text collate "C" not null,
    id uuid not null,
    product_id uuid not null,
    kind text not null,
    quantity bigint not null,
    available_before bigint not null,
    available_after bigint not null,
    reserved_before bigint not null,
    reserved_after bigint not null,
    -- The reservation or the order that caused it, if one did.
    cause uuid,
    reason text not null,
    actor text not null,
    created_at timestamptz not null,
    -- The version of the stock since.
    version bigint not null,
    primary key (id, tenant)
);

create unique index commerce_movements_of_product on commerce_movements (tenant, product_id, version);
