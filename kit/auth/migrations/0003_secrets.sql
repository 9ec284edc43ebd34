-- What the processes on this database must know, and no caller.

create table auth_secrets (
    name text collate "C" not null primary key,
    secret bytea not null
);
