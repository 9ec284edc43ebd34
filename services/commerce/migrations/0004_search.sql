-- The words of products, by which the catalog is searched. Signs of ASCII part words on both engines.

-- The lexeme with the slash is the tenant: no word has a slash.
-- only: postgres
create function commerce_product_words(tenant text, texts text) returns tsvector language sql immutable as $$
    select array_to_tsvector(array['/' || tenant]) || to_tsvector('simple', regexp_replace(texts, '[!-/:-@\[-`{-~]+', ' ', 'g'))
$$;

-- only: postgres
alter table commerce_products add column words tsvector;

-- only: postgres
update commerce_products as p set words = commerce_product_words(p.tenant,
        p.name || ' ' || p.brand || ' ' || cast(p.tags as text) || ' ' || c.name || ' ' || p.description)
    from commerce_categories c where c.id = p.category_id and c.tenant = p.tenant;

-- only: postgres
create function commerce_set_product_words() returns trigger language plpgsql as $$
declare
    category text;
begin
    select name into category from commerce_categories where id = new.category_id and tenant = new.tenant;
    new.words := commerce_product_words(new.tenant, new.name || ' ' || new.brand || ' ' || cast(new.tags as text) || ' '
        || coalesce(category, '') || ' ' || new.description);
    return new;
end $$;

-- only: postgres
create trigger commerce_product_words before insert or update of name, brand, tags, description, category_id
    on commerce_products for each row execute function commerce_set_product_words();

-- only: postgres
create index commerce_products_by_words on commerce_products using gin (words) where active and deleted_at is null;

-- Rows of the index have numbers, and those of `commerce_products` may change: this says which is whose.
-- only: sqlite
create table commerce_search_rows (
    row integer not null primary key,
    tenant text not null,
    product_id uuid not null,
    unique (product_id, tenant)
);

-- Only the index: the texts themselves are in the products. `shop` is the tenant as one word.
-- only: sqlite
create virtual table commerce_search using fts5(
    shop, name, brand, tags, category, description, content = '', contentless_delete = 1,
    tokenize = 'unicode61 remove_diacritics 0');

-- only: sqlite
insert into commerce_search_rows (tenant, product_id) select tenant, id from commerce_products where deleted_at is null;

-- only: sqlite
insert into commerce_search (rowid, shop, name, brand, tags, category, description)
    select r.row, 't' || hex(p.tenant), p.name, p.brand, p.tags, c.name, p.description from commerce_search_rows r
    join commerce_products p on p.id = r.product_id and p.tenant = r.tenant
    join commerce_categories c on c.id = p.category_id and c.tenant = p.tenant;

-- only: sqlite
create trigger commerce_search_insert after insert on commerce_products when new.deleted_at is null begin
    insert into commerce_search_rows (tenant, product_id) values (new.tenant, new.id);
    insert into commerce_search (rowid, shop, name, brand, tags, category, description)
        select r.row, 't' || hex(new.tenant), new.name, new.brand, new.tags, c.name, new.description
        from commerce_search_rows r join commerce_categories c on c.id = new.category_id and c.tenant = new.tenant
        where r.product_id = new.id and r.tenant = new.tenant;
end;

-- only: sqlite
create trigger commerce_search_update after update of name, brand, tags, description, category_id on commerce_products
when new.deleted_at is null begin
    delete from commerce_search where rowid =
        (select row from commerce_search_rows where product_id = new.id and tenant = new.tenant);
    insert into commerce_search (rowid, shop, name, brand, tags, category, description)
        select r.row, 't' || hex(new.tenant), new.name, new.brand, new.tags, c.name, new.description
        from commerce_search_rows r join commerce_categories c on c.id = new.category_id and c.tenant = new.tenant
        where r.product_id = new.id and r.tenant = new.tenant;
end;

-- only: sqlite
create trigger commerce_search_delete after update of deleted_at on commerce_products
when old.deleted_at is null and new.deleted_at is not null begin
    delete from commerce_search where rowid =
        (select row from commerce_search_rows where product_id = new.id and tenant = new.tenant);
    delete from commerce_search_rows where product_id = new.id and tenant = new.tenant;
end;
