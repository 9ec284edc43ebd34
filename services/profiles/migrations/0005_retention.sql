-- Deleted profiles are purged when they cannot be restored any more.

create index profiles_by_deletion on profiles (deleted_at, id) where deleted_at is not null;
