-- An index of trigrams for `q=`. It is made of `search_text`, in which every word and sign stands behind two spaces, so that
-- one or two letters at the beginning of a word are a trigram, too.

-- Where the extension cannot be made, a search reads the table; README.md says what that means.
-- only: postgres
do $$
declare
    place text;
begin
    create extension if not exists pg_trgm;
    select nspname into place from pg_extension join pg_namespace on pg_namespace.oid = extnamespace
        where extname = 'pg_trgm';
    execute format(
        'create index profiles_by_search on profiles using gin (search_text %I.gin_trgm_ops) where deleted_at is null', place);
exception when others then
    raise warning 'searches have no index: %', sqlerrm;
end $$;

-- Rows of the index have numbers, and those of `profiles` may change: this says which is whose, and sorts what a search
-- found. Deleted profiles are in neither.
-- only: sqlite
create table profile_search_keys (
    row integer not null primary key,
    profile_id uuid not null unique,
    created_at timestamptz not null
);

-- only: sqlite
create virtual table profile_search using fts5(search_text, tokenize = 'trigram case_sensitive 1', detail = none);

-- only: sqlite
insert into profile_search_keys (profile_id, created_at) select id, created_at from profiles where deleted_at is null;

-- only: sqlite
insert into profile_search (rowid, search_text)
    select row, search_text from profile_search_keys join profiles on profiles.id = profile_id;

-- only: sqlite
create trigger profiles_search_insert after insert on profiles when new.deleted_at is null begin
    insert into profile_search_keys (profile_id, created_at) values (new.id, new.created_at);
    insert into profile_search (rowid, search_text)
        select row, new.search_text from profile_search_keys where profile_id = new.id;
end;

-- only: sqlite
create trigger profiles_search_update after update of search_text on profiles
when old.search_text <> new.search_text begin
    update profile_search set search_text = new.search_text
        where rowid = (select row from profile_search_keys where profile_id = new.id);
end;

-- only: sqlite
create trigger profiles_search_gone after update of deleted_at on profiles
when old.deleted_at is null and new.deleted_at is not null begin
    delete from profile_search where rowid = (select row from profile_search_keys where profile_id = old.id);
    delete from profile_search_keys where profile_id = old.id;
end;

-- only: sqlite
create trigger profiles_search_back after update of deleted_at on profiles
when old.deleted_at is not null and new.deleted_at is null begin
    insert into profile_search_keys (profile_id, created_at) values (new.id, new.created_at);
    insert into profile_search (rowid, search_text)
        select row, new.search_text from profile_search_keys where profile_id = new.id;
end;

-- only: sqlite
create trigger profiles_search_delete after delete on profiles begin
    delete from profile_search where rowid = (select row from profile_search_keys where profile_id = old.id);
    delete from profile_search_keys where profile_id = old.id;
end;
