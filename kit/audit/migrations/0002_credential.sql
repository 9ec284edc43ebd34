-- The name of the credential that proved who called, and the address of the client. Entries that are older have neither.
alter table audit_unsealed add column credential text not null default '';
alter table audit_unsealed add column client text not null default '';
alter table audit_entries add column credential text not null default '';
alter table audit_entries add column client text not null default '';
