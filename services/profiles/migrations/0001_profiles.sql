-- Profiles and their parts. One text for both engines; deleted profiles stay for a while, so that they can be restored.

create table profiles (
    id uuid not null primary key,
    name text collate "C" not null,
    email text not null,
    -- The e-mail in lower case, made by the program: engines disagree about the case of letters outside ASCII.
    email_key text collate "C" not null,
    bio text not null,
    image_urls jsonb not null,
    attributes jsonb not null,
    -- What `q=` looks through: name and e-mail in lower case.
    search_text text not null,
    version bigint not null,
    created_at timestamptz not null,
    created_by text not null,
    updated_at timestamptz not null,
    deleted_at timestamptz
);

-- A deleted profile gives its e-mail free.
create unique index profiles_email_key_key on profiles (email_key) where deleted_at is null;
create index profiles_newest on profiles (created_at, id) where deleted_at is null;
create index profiles_by_name on profiles (name, id) where deleted_at is null;

create table profile_addresses (
    profile_id uuid not null primary key references profiles (id),
    street text not null,
    city text not null,
    region text not null,
    postal_code text not null,
    country text not null
);

create table profile_preferences (
    profile_id uuid not null primary key references profiles (id),
    language text not null,
    time_zone text not null,
    theme text not null,
    newsletter boolean not null
);

-- Every change after the creation: the fields that changed, before and after. The creation is told by the profile.
create table profile_changes (
    profile_id uuid not null references profiles (id),
    version bigint not null,
    operation text not null,
    changed_at timestamptz not null,
    changed_by text not null,
    fields_before jsonb not null,
    fields_after jsonb not null,
    primary key (profile_id, version)
);

-- How far each import has come, raised in the transaction of every batch: a resumed import repeats nothing.
create table profile_imports (
    token text not null primary key,
    state text not null,
    records_done bigint not null,
    created bigint not null,
    updated bigint not null,
    conflicts bigint not null,
    invalid bigint not null,
    problems jsonb not null,
    started_at timestamptz not null,
    updated_at timestamptz not null
);
