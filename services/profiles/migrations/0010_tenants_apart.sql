-- Keys without the tenant are taken away: two tenants may have the same ids and addresses. Processes of the version before need
-- those keys.
-- finish

-- only: postgres
alter table profile_addresses drop constraint if exists profile_addresses_profile_id_fkey;
-- only: postgres
alter table profile_preferences drop constraint if exists profile_preferences_profile_id_fkey;
-- only: postgres
alter table profile_changes drop constraint if exists profile_changes_profile_id_fkey;
-- only: postgres
alter table profile_images drop constraint if exists profile_images_profile_id_fkey;
-- only: postgres
alter table profile_image_files drop constraint if exists profile_image_files_profile_id_number_fkey;

-- An index that became a key has the name of the key: then this was done before.
-- only: postgres
do $$ begin
    if to_regclass('profiles_id_tenant_key') is not null then
        alter table profiles drop constraint profiles_pkey,
            add constraint profiles_pkey primary key using index profiles_id_tenant_key;
    end if;
end $$;
-- only: postgres
do $$ begin
    if to_regclass('profile_addresses_tenant_key') is not null then
        alter table profile_addresses drop constraint profile_addresses_pkey,
            add constraint profile_addresses_pkey primary key using index profile_addresses_tenant_key;
    end if;
end $$;
-- only: postgres
do $$ begin
    if to_regclass('profile_preferences_tenant_key') is not null then
        alter table profile_preferences drop constraint profile_preferences_pkey,
            add constraint profile_preferences_pkey primary key using index profile_preferences_tenant_key;
    end if;
end $$;
-- only: postgres
do $$ begin
    if to_regclass('profile_changes_tenant_key') is not null then
        alter table profile_changes drop constraint profile_changes_pkey,
            add constraint profile_changes_pkey primary key using index profile_changes_tenant_key;
    end if;
end $$;
-- only: postgres
do $$ begin
    if to_regclass('profile_images_tenant_key') is not null then
        alter table profile_images drop constraint profile_images_pkey,
            add constraint profile_images_pkey primary key using index profile_images_tenant_key;
    end if;
end $$;
-- only: postgres
do $$ begin
    if to_regclass('profile_image_files_tenant_key') is not null then
        alter table profile_image_files drop constraint profile_image_files_pkey,
            add constraint profile_image_files_pkey primary key using index profile_image_files_tenant_key;
    end if;
end $$;
-- only: postgres
do $$ begin
    if to_regclass('profile_imports_tenant_key') is not null then
        alter table profile_imports drop constraint profile_imports_pkey,
            add constraint profile_imports_pkey primary key using index profile_imports_tenant_key;
    end if;
end $$;

-- A reference counts for new rows at once, and the rows that are there are looked through without a lock that matters.
-- only: postgres
alter table profile_addresses drop constraint if exists profile_addresses_profile_fkey,
    add constraint profile_addresses_profile_fkey foreign key (tenant, profile_id)
        references profiles (tenant, id) not valid;
-- only: postgres
alter table profile_addresses validate constraint profile_addresses_profile_fkey;
-- only: postgres
alter table profile_preferences drop constraint if exists profile_preferences_profile_fkey,
    add constraint profile_preferences_profile_fkey foreign key (tenant, profile_id)
        references profiles (tenant, id) not valid;
-- only: postgres
alter table profile_preferences validate constraint profile_preferences_profile_fkey;
-- only: postgres
alter table profile_changes drop constraint if exists profile_changes_profile_fkey,
    add constraint profile_changes_profile_fkey foreign key (tenant, profile_id)
        references profiles (tenant, id) not valid;
-- only: postgres
alter table profile_changes validate constraint profile_changes_profile_fkey;
-- only: postgres
alter table profile_images drop constraint if exists profile_images_profile_fkey,
    add constraint profile_images_profile_fkey foreign key (tenant, profile_id)
        references profiles (tenant, id) not valid;
-- only: postgres
alter table profile_images validate constraint profile_images_profile_fkey;
-- only: postgres
alter table profile_image_files drop constraint if exists profile_image_files_image_fkey,
    add constraint profile_image_files_image_fkey foreign key (tenant, profile_id, number)
        references profile_images (tenant, profile_id, number) not valid;
-- only: postgres
alter table profile_image_files validate constraint profile_image_files_image_fkey;

-- only: postgres
drop index concurrently if exists profiles_email_key_key;
-- only: postgres
drop index concurrently if exists profiles_newest;
-- only: postgres
drop index concurrently if exists profiles_by_name;

-- From now on every statement says whose row it means.
-- only: postgres
alter table profiles alter column tenant drop default;
-- only: postgres
alter table profile_addresses alter column tenant drop default;
-- only: postgres
alter table profile_preferences alter column tenant drop default;
-- only: postgres
alter table profile_changes alter column tenant drop default;
-- only: postgres
alter table profile_images alter column tenant drop default;
-- only: postgres
alter table profile_image_files alter column tenant drop default;
-- only: postgres
alter table profile_imports alter column tenant drop default;
-- only: postgres
alter table profile_files alter column tenant drop default;
