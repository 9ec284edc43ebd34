-- The tree of categories: one change of its form at a time, and lists of a category in every order.

-- A change of the tree locks the row of its tenant first, so that two changes together make neither a circle nor too deep a tree.
create table commerce_category_trees (
    tenant text collate "C" not null primary key,
    -- Counts the changes.
    version bigint not null
);

create index commerce_products_of_category_by_creation on commerce_products (tenant, category_id, created_at, id)
    where active and deleted_at is null;
create index commerce_products_of_category_by_change on commerce_products (tenant, category_id, updated_at, id)
    where active and deleted_at is null;
-- Those that are not offered, too: a category that has any product cannot be deleted, and its new name is told to all of them.
create index commerce_products_all_of_category on commerce_products (tenant, category_id, id) where deleted_at is null;
