-- How many bytes of JSON a change takes; 0 for one of which only the e-mail addresses are left.

alter table profile_changes add column bytes bigint not null default 0;

update profile_changes
    set bytes = octet_length(cast(fields_before as text)) + octet_length(cast(fields_after as text));
