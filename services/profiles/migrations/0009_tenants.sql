-- Each row names its tenant. The only tenant of an installation has an empty name.
--
-- PostgreSQL keeps what processes of the version before need: the keys without the tenant. The next migration takes those away.
-- online

-- only: postgres
alter table profiles add column if not exists tenant text collate "C" not null default '';
-- only: postgres
alter table profile_addresses add column if not exists tenant text collate "C" not null default '';
-- only: postgres
alter table profile_preferences add column if not exists tenant text collate "C" not null default '';
-- only: postgres
alter table profile_changes add column if not exists tenant text collate "C" not null default '';
-- only: postgres
alter table profile_images add column if not exists tenant text collate "C" not null default '';
-- only: postgres
alter table profile_image_files add column if not exists tenant text collate "C" not null default '';
-- only: postgres
alter table profile_imports add column if not exists tenant text collate "C" not null default '';
-- only: postgres
alter table profile_files add column if not exists tenant text collate "C" not null default '';

-- An index that was not finished when a process died is made again.
--
-- Keys begin with what is looked for. Statements that look for an id do not say `deleted_at is null`: in a table that was filled a
-- moment ago PostgreSQL believes that few rows are null there, and then reads the whole index of a list instead of the key.
-- Those that look for an address have to say it; they say `tenant || ''`, which the index of a list does not serve.
-- only: postgres
drop index concurrently if exists profiles_id_tenant_key;
-- only: postgres
create unique index concurrently profiles_id_tenant_key on profiles (id, tenant);
-- only: postgres
drop index concurrently if exists profiles_email_key_tenant_key;
-- only: postgres
create unique index concurrently profiles_email_key_tenant_key on profiles (email_key, tenant) where deleted_at is null;
-- only: postgres
drop index concurrently if exists profiles_of_tenant_newest;
-- only: postgres
create index concurrently profiles_of_tenant_newest on profiles (tenant, created_at, id) where deleted_at is null;
-- only: postgres
drop index concurrently if exists profiles_of_tenant_by_name;
-- only: postgres
create index concurrently profiles_of_tenant_by_name on profiles (tenant, name, id) where deleted_at is null;
-- only: postgres
drop index concurrently if exists profile_addresses_tenant_key;
-- only: postgres
create unique index concurrently profile_addresses_tenant_key on profile_addresses (tenant, profile_id);
-- only: postgres
drop index concurrently if exists profile_preferences_tenant_key;
-- only: postgres
create unique index concurrently profile_preferences_tenant_key on profile_preferences (tenant, profile_id);
-- only: postgres
drop index concurrently if exists profile_changes_tenant_key;
-- only: postgres
create unique index concurrently profile_changes_tenant_key on profile_changes (tenant, profile_id, version);
-- only: postgres
drop index concurrently if exists profile_images_tenant_key;
-- only: postgres
create unique index concurrently profile_images_tenant_key on profile_images (tenant, profile_id, number);
-- only: postgres
drop index concurrently if exists profile_image_files_tenant_key;
-- only: postgres
create unique index concurrently profile_image_files_tenant_key
    on profile_image_files (tenant, profile_id, number, edge, ending);
-- only: postgres
drop index concurrently if exists profile_imports_tenant_key;
-- only: postgres
create unique index concurrently profile_imports_tenant_key on profile_imports (tenant, token);

-- SQLite cannot change a key: the tables are made anew.
-- only: sqlite
alter table profile_image_files rename to profile_image_files_before;
-- only: sqlite
alter table profile_images rename to profile_images_before;
-- only: sqlite
alter table profile_changes rename to profile_changes_before;
-- only: sqlite
alter table profile_preferences rename to profile_preferences_before;
-- only: sqlite
alter table profile_addresses rename to profile_addresses_before;
-- only: sqlite
alter table profiles rename to profiles_before;
-- only: sqlite
alter table profile_imports rename to profile_imports_before;
-- only: sqlite
alter table profile_search_keys rename to profile_search_keys_before;

-- only: sqlite
create table profiles (
    tenant text not null,
    id uuid not null,
    name text not null,
    email text not null,
    email_key text not null,
    bio text not null,
    image_urls jsonb not null,
    attributes jsonb not null,
    search_text text not null,
    version bigint not null,
    created_at timestamptz not null,
    created_by text not null,
    updated_at timestamptz not null,
    deleted_at timestamptz,
    primary key (id, tenant)
);
-- only: sqlite
insert into profiles select '', id, name, email, email_key, bio, image_urls, attributes, search_text, version, created_at,
    created_by, updated_at, deleted_at from profiles_before;

-- only: sqlite
create table profile_addresses (
    tenant text not null,
    profile_id uuid not null,
    street text not null,
    city text not null,
    region text not null,
    postal_code text not null,
    country text not null,
    primary key (tenant, profile_id),
    foreign key (tenant, profile_id) references profiles (tenant, id)
);
-- only: sqlite
insert into profile_addresses select '', profile_id, street, city, region, postal_code, country
    from profile_addresses_before;

-- only: sqlite
create table profile_preferences (
    tenant text not null,
    profile_id uuid not null,
    language text not null,
    time_zone text not null,
    theme text not null,
    newsletter boolean not null,
    primary key (tenant, profile_id),
    foreign key (tenant, profile_id) references profiles (tenant, id)
);
-- only: sqlite
insert into profile_preferences select '', profile_id, language, time_zone, theme, newsletter
    from profile_preferences_before;

-- only: sqlite
create table profile_changes (
    tenant text not null,
    profile_id uuid not null,
    version bigint not null,
    operation text not null,
    changed_at timestamptz not null,
    changed_by text not null,
    fields_before jsonb not null,
    fields_after jsonb not null,
    bytes bigint not null,
    primary key (tenant, profile_id, version),
    foreign key (tenant, profile_id) references profiles (tenant, id)
);
-- only: sqlite
insert into profile_changes select '', profile_id, version, operation, changed_at, changed_by, fields_before, fields_after,
    bytes from profile_changes_before;

-- only: sqlite
create table profile_images (
    tenant text not null,
    profile_id uuid not null,
    number bigint not null,
    blob text not null,
    url text not null,
    ready boolean not null,
    created_at timestamptz not null,
    created_by text not null,
    primary key (tenant, profile_id, number),
    foreign key (tenant, profile_id) references profiles (tenant, id)
);
-- only: sqlite
insert into profile_images select '', profile_id, number, blob, url, ready, created_at, created_by
    from profile_images_before;

-- only: sqlite
create table profile_image_files (
    tenant text not null,
    profile_id uuid not null,
    number bigint not null,
    edge bigint not null,
    ending text not null,
    blob text not null,
    width bigint not null,
    height bigint not null,
    bytes bigint not null,
    primary key (tenant, profile_id, number, edge, ending),
    foreign key (tenant, profile_id, number) references profile_images (tenant, profile_id, number)
);
-- only: sqlite
insert into profile_image_files select '', profile_id, number, edge, ending, blob, width, height, bytes
    from profile_image_files_before;

-- only: sqlite
create table profile_imports (
    tenant text not null,
    token text not null,
    state text not null,
    records_done bigint not null,
    created bigint not null,
    updated bigint not null,
    conflicts bigint not null,
    invalid bigint not null,
    problems jsonb not null,
    started_at timestamptz not null,
    updated_at timestamptz not null,
    content_hash text,
    ignored jsonb,
    primary key (tenant, token)
);
-- only: sqlite
insert into profile_imports select '', token, state, records_done, created, updated, conflicts, invalid, problems,
    started_at, updated_at, content_hash, ignored from profile_imports_before;

-- only: sqlite
create table profile_search_keys (
    row integer not null primary key,
    tenant text not null,
    profile_id uuid not null,
    created_at timestamptz not null,
    unique (tenant, profile_id)
);
-- only: sqlite
insert into profile_search_keys select row, '', profile_id, created_at from profile_search_keys_before;

-- only: sqlite
drop table profile_image_files_before;
-- only: sqlite
drop table profile_images_before;
-- only: sqlite
drop table profile_changes_before;
-- only: sqlite
drop table profile_preferences_before;
-- only: sqlite
drop table profile_addresses_before;
-- only: sqlite
drop table profiles_before;
-- only: sqlite
drop table profile_imports_before;
-- only: sqlite
drop table profile_search_keys_before;
-- only: sqlite
alter table profile_files add column tenant text not null default '';

-- only: sqlite
create unique index profiles_email_key_tenant_key on profiles (email_key, tenant) where deleted_at is null;
-- only: sqlite
create index profiles_of_tenant_newest on profiles (tenant, created_at, id) where deleted_at is null;
-- only: sqlite
create index profiles_of_tenant_by_name on profiles (tenant, name, id) where deleted_at is null;
-- only: sqlite
create index profiles_by_deletion on profiles (deleted_at, id) where deleted_at is not null;
-- only: sqlite
create index profile_image_files_by_blob on profile_image_files (blob);
-- only: sqlite
create index profile_imports_by_age on profile_imports (updated_at);

-- only: sqlite
create trigger profiles_search_insert after insert on profiles when new.deleted_at is null begin
    insert into profile_search_keys (tenant, profile_id, created_at) values (new.tenant, new.id, new.created_at);
    insert into profile_search_waiting (row, search_text) values (last_insert_rowid(), new.search_text);
end;

-- only: sqlite
create trigger profiles_search_update after update of search_text on profiles
when old.search_text <> new.search_text begin
    update profile_search set search_text = new.search_text
        where rowid = (select row from profile_search_keys where tenant = new.tenant and profile_id = new.id);
    update profile_search_waiting set search_text = new.search_text
        where row = (select row from profile_search_keys where tenant = new.tenant and profile_id = new.id);
end;

-- only: sqlite
create trigger profiles_search_gone after update of deleted_at on profiles
when old.deleted_at is null and new.deleted_at is not null begin
    delete from profile_search
        where rowid = (select row from profile_search_keys where tenant = old.tenant and profile_id = old.id);
    delete from profile_search_waiting
        where row = (select row from profile_search_keys where tenant = old.tenant and profile_id = old.id);
    delete from profile_search_keys where tenant = old.tenant and profile_id = old.id;
end;

-- only: sqlite
create trigger profiles_search_back after update of deleted_at on profiles
when old.deleted_at is not null and new.deleted_at is null begin
    insert into profile_search_keys (tenant, profile_id, created_at) values (new.tenant, new.id, new.created_at);
    insert into profile_search_waiting (row, search_text) values (last_insert_rowid(), new.search_text);
end;

-- only: sqlite
create trigger profiles_search_delete after delete on profiles begin
    delete from profile_search
        where rowid = (select row from profile_search_keys where tenant = old.tenant and profile_id = old.id);
    delete from profile_search_waiting
        where row = (select row from profile_search_keys where tenant = old.tenant and profile_id = old.id);
    delete from profile_search_keys where tenant = old.tenant and profile_id = old.id;
end;
