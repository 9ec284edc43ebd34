-- Files in pieces: exports that can be fetched for a while, and uploads that wait for their import. Each piece is an object,
-- referred to from the moment it is written.

create table profile_files (
    -- The job that writes the export, or imports the upload.
    id uuid not null primary key,
    -- 'export' or 'upload'.
    purpose text not null,
    -- Whether it is whole.
    ready boolean not null,
    -- Whose export it is; null where it is of everybody.
    profile_id uuid,
    media_type text not null,
    bytes bigint not null,
    -- BLAKE3 of the whole content, once that is known.
    content_hash text not null,
    made_at timestamptz not null,
    made_by text not null,
    -- An export is gone then, and so is what is not whole by then. An upload that is whole goes with its job.
    expires_at timestamptz not null
);

create index profile_files_by_expiry on profile_files (expires_at);

create table profile_file_parts (
    file_id uuid not null references profile_files (id),
    number bigint not null,
    blob text collate "C" not null,
    bytes bigint not null,
    primary key (file_id, number)
);

create index profile_file_parts_by_blob on profile_file_parts (blob);

-- One row. Whoever erases somebody holds it until the erasure is committed, and whoever begins an export takes it first: so
-- an export either begins when the person is gone, or is there to be removed with them.
create table profile_export_gate (
    id bigint not null primary key
);

insert into profile_export_gate (id) values (1);
