-- Whom an answer is about, so that it can be taken back when nothing of them may be kept.
alter table idempotency_records add column subject text;

create index idempotency_records_subject on idempotency_records (subject) where subject is not null;
