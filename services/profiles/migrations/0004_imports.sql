-- What an import was made of: another file under its token is refused, and fields that nobody knows are named.

-- BLAKE3 of the file up to the end of the last record that is done; null where the import began before this column.
alter table profile_imports add column content_hash text;
-- The names of fields that were ignored.
alter table profile_imports add column ignored jsonb;

-- Imports are purged by age.
create index profile_imports_by_age on profile_imports (updated_at);
