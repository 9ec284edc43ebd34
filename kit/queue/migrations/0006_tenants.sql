-- Events and recurring jobs name their tenant. Jobs have a column for it from the start.

alter table outbox_events add column tenant text collate "C" not null default '';
alter table queue_recurring add column tenant text collate "C" not null default '';
