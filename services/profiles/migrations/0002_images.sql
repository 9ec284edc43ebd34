-- Images of profiles. The files themselves are objects, named by the hash of their content and shared.

-- What lies in the object store, or is about to. Whoever wants to refer to an object touches its row first, puts the
-- object, and confirms the row in the transaction that refers to it. Whoever wants to delete an object marks its row
-- first: then nobody else can begin to refer to it. A row that was deleted and made again has another generation.
create table profile_blobs (
    name text collate "C" not null primary key,
    generation uuid not null,
    touched_at timestamptz not null,
    leaving boolean not null
);

create table profile_images (
    profile_id uuid not null references profiles (id),
    number bigint not null,
    -- The stored original.
    blob text collate "C" not null,
    -- How it stands in `image_urls`.
    url text not null,
    -- Whether its variants are made.
    ready boolean not null,
    created_at timestamptz not null,
    created_by text not null,
    primary key (profile_id, number)
);

-- Every object that an image refers to: the original (edge 0) and its variants.
create table profile_image_files (
    profile_id uuid not null,
    number bigint not null,
    edge bigint not null,
    ending text collate "C" not null,
    blob text collate "C" not null,
    width bigint not null,
    height bigint not null,
    bytes bigint not null,
    primary key (profile_id, number, edge, ending),
    foreign key (profile_id, number) references profile_images (profile_id, number)
);

create index profile_image_files_by_blob on profile_image_files (blob);
