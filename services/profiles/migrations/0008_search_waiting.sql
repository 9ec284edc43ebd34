-- SQLite's index of trigrams writes a piece of itself at each commit, which took as long as the rest of creating a profile.
-- So a new text waits in a small table, which a search reads whole, and all that wait go into the index together.

-- only: sqlite
create table profile_search_waiting (
    row integer not null primary key,
    search_text text not null
);

-- only: sqlite
create trigger profile_search_full after insert on profile_search_waiting when new.row % 256 = 0 begin
    insert into profile_search (rowid, search_text) select row, search_text from profile_search_waiting;
    delete from profile_search_waiting;
end;

-- only: sqlite
drop trigger profiles_search_insert;

-- only: sqlite
create trigger profiles_search_insert after insert on profiles when new.deleted_at is null begin
    insert into profile_search_keys (profile_id, created_at) values (new.id, new.created_at);
    insert into profile_search_waiting (row, search_text) values (last_insert_rowid(), new.search_text);
end;

-- only: sqlite
drop trigger profiles_search_update;

-- only: sqlite
create trigger profiles_search_update after update of search_text on profiles
when old.search_text <> new.search_text begin
    update profile_search set search_text = new.search_text
        where rowid = (select row from profile_search_keys where profile_id = new.id);
    update profile_search_waiting set search_text = new.search_text
        where row = (select row from profile_search_keys where profile_id = new.id);
end;

-- only: sqlite
drop trigger profiles_search_gone;

-- only: sqlite
create trigger profiles_search_gone after update of deleted_at on profiles
when old.deleted_at is null and new.deleted_at is not null begin
    delete from profile_search where rowid = (select row from profile_search_keys where profile_id = old.id);
    delete from profile_search_waiting where row = (select row from profile_search_keys where profile_id = old.id);
    delete from profile_search_keys where profile_id = old.id;
end;

-- only: sqlite
drop trigger profiles_search_back;

-- only: sqlite
create trigger profiles_search_back after update of deleted_at on profiles
when old.deleted_at is not null and new.deleted_at is null begin
    insert into profile_search_keys (profile_id, created_at) values (new.id, new.created_at);
    insert into profile_search_waiting (row, search_text) values (last_insert_rowid(), new.search_text);
end;

-- only: sqlite
drop trigger profiles_search_delete;

-- only: sqlite
create trigger profiles_search_delete after delete on profiles begin
    delete from profile_search where rowid = (select row from profile_search_keys where profile_id = old.id);
    delete from profile_search_waiting where row = (select row from profile_search_keys where profile_id = old.id);
    delete from profile_search_keys where profile_id = old.id;
end;
