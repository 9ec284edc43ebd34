-- Products, and the tree of their categories.

create table commerce_categories (
    tenant text collate "C" not null,
    id uuid not null,
    name text not null,
    -- The name without case, by which products name their category.
    name_key text collate "C" not null,
    -- None for a category at the top.
    parent_id uuid,
    version bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (id, tenant)
);

create unique index commerce_categories_tenant_name_key_key on commerce_categories (tenant, name_key);
create index commerce_categories_parent on commerce_categories (tenant, parent_id);

create table commerce_products (
    tenant text collate "C" not null,
    id uuid not null,
    sku text collate "C" not null,
    name text not null,
    -- The name without case: lists by name are in this order.
    name_key text collate "C" not null,
    description text not null,
    -- In the smallest unit of the currency.
    price_minor bigint not null,
    currency text not null,
    category_id uuid not null,
    brand text not null,
    weight_grams bigint,
    image_urls jsonb not null,
    tags jsonb not null,
    metadata jsonb not null,
    active boolean not null,
    -- Whether any unit is available. It changes when the last one goes or the first one comes; the count itself is in commerce_stock,
    -- so that a sale does not touch the indexes of this table.
    in_stock boolean not null,
    version bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    deleted_at timestamptz,
    primary key (id, tenant)
);

create unique index commerce_products_tenant_sku_key on commerce_products (tenant, sku) where deleted_at is null;
create index commerce_products_by_name on commerce_products (tenant, name_key, id) where active and deleted_at is null;
create index commerce_products_by_price on commerce_products (tenant, price_minor, id) where active and deleted_at is null;
create index commerce_products_by_creation on commerce_products (tenant, created_at, id) where active and deleted_at is null;
create index commerce_products_by_change on commerce_products (tenant, updated_at, id) where active and deleted_at is null;
create index commerce_products_of_category on commerce_products (tenant, category_id, name_key, id)
    where active and deleted_at is null;
create index commerce_products_of_category_by_price on commerce_products (tenant, category_id, price_minor, id)
    where active and deleted_at is null;
create index commerce_products_in_stock on commerce_products (tenant, price_minor, id)
    where active and in_stock and deleted_at is null;
