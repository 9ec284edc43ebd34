-- Which store of files belongs to this database. One row; `mark` is what is written in the store.

create table files_store (
    id bigint not null primary key,
    mark text not null,
    -- Whether the store has the mark already: from then on a store without it is another one.
    marked boolean not null
);
