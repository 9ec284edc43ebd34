-- Many events of one transaction in one row, under one number; and which process wrote them.

-- Whoever wrote an event need not be told of it.
alter table outbox_events add column origin uuid;
-- How many events the row stands for, and all but the first of them, as JSON.
alter table outbox_events add column event_count bigint not null default 1;
alter table outbox_events add column followers text;
