-- Lists of one brand.

create index commerce_products_of_brand on commerce_products (tenant, brand, name_key, id) where active and deleted_at is null;
