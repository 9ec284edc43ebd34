-- Whose events and recurring jobs these are. A job has said so from the start.

alter table outbox_events add column tenant text collate "C" not null default '';
alter table queue_recurring add column tenant text collate "C" not null default '';
