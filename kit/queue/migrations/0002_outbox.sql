-- Events, written by the transaction that causes them, and how far each subscriber has come.

-- `position` is given when an event is written, `log_number` after its transaction was committed: a transaction that
-- began early and ends late would otherwise put events behind a reader's back.
-- only: postgres
create table outbox_events (
    position bigint generated always as identity primary key,
    id uuid not null,
    service text collate "C" not null,
    type text collate "C" not null,
    subject text collate "C" not null,
    version bigint not null,
    data jsonb not null,
    trace text,
    created_at timestamptz not null,
    log_number bigint
);
-- only: sqlite
create table outbox_events (
    position integer primary key autoincrement,
    id uuid not null,
    service text not null,
    type text not null,
    subject text not null,
    version bigint not null,
    data jsonb not null,
    trace text,
    created_at timestamptz not null,
    log_number bigint
);

create index outbox_events_fresh on outbox_events (position) where log_number is null;
create unique index outbox_events_log_number_key on outbox_events (log_number) where log_number is not null;

-- The end of the log. Its row lock lets one process at a time give numbers.
create table outbox_log (
    id bigint not null primary key,
    last_number bigint not null
);
insert into outbox_log (id, last_number) values (1, 0);

-- How far each subscriber has come, and who delivers to it now.
create table outbox_cursors (
    subscriber text collate "C" not null primary key,
    log_number bigint not null,
    holder uuid,
    held_until timestamptz not null,
    updated_at timestamptz not null
);
