-- Assessments of businesses, and the factors of each. On PostgreSQL both are partitioned by the time of their creation. Rows for
-- which there is no other partition lie in the default one.

-- only: postgres
create table risk_assessments (
    tenant text collate "C" not null,
    id uuid not null,
    created_at timestamptz not null,
    user_id text collate "C" not null,
    business_id uuid not null,
    -- Hashes of the address, the phone number and the e-mail address, by which other businesses are counted.
    address_id uuid not null,
    phone_id uuid,
    email_id uuid,
    business_name text not null,
    industry text not null,
    country text not null,
    status text not null,
    risk_score double precision,
    risk_level text not null,
    confidence double precision,
    decision text not null,
    input jsonb not null,
    result jsonb not null,
    version bigint not null,
    updated_at timestamptz not null,
    primary key (id, tenant, created_at)
) partition by range (created_at);

-- only: postgres
create table risk_assessments_default partition of risk_assessments default;

-- only: postgres
create table risk_factors (
    tenant text collate "C" not null,
    assessment_id uuid not null,
    created_at timestamptz not null,
    place bigint not null,
    category text not null,
    subcategory text not null,
    name text not null,
    score double precision not null,
    weight double precision not null,
    details jsonb not null,
    primary key (assessment_id, tenant, created_at, place)
) partition by range (created_at);

-- only: postgres
create table risk_factors_default partition of risk_factors default;

-- only: sqlite
create table risk_assessments (
    tenant text not null,
    id uuid not null,
    created_at timestamptz not null,
    user_id text not null,
    business_id uuid not null,
    -- Hashes of the address, the phone number and the e-mail address, by which other businesses are counted.
    address_id uuid not null,
    phone_id uuid,
    email_id uuid,
    business_name text not null,
    industry text not null,
    country text not null,
    status text not null,
    risk_score double precision,
    risk_level text not null,
    confidence double precision,
    decision text not null,
    input jsonb not null,
    result jsonb not null,
    version bigint not null,
    updated_at timestamptz not null,
    primary key (id, tenant, created_at)
);

-- only: sqlite
create table risk_factors (
    tenant text not null,
    assessment_id uuid not null,
    created_at timestamptz not null,
    place bigint not null,
    category text not null,
    subcategory text not null,
    name text not null,
    score double precision not null,
    weight double precision not null,
    details jsonb not null,
    primary key (assessment_id, tenant, created_at, place)
);

create index risk_assessments_newest on risk_assessments (tenant, created_at, id);
create index risk_assessments_status on risk_assessments (tenant, status, created_at, id);
create index risk_assessments_business on risk_assessments (tenant, business_id, created_at);
create index risk_assessments_address on risk_assessments (tenant, address_id, created_at);
create index risk_assessments_phone on risk_assessments (tenant, phone_id, created_at) where phone_id is not null;
create index risk_assessments_email on risk_assessments (tenant, email_id, created_at) where email_id is not null;
create index risk_assessments_user on risk_assessments (tenant, user_id, created_at, id);
create index risk_assessments_user_status on risk_assessments (tenant, user_id, status, created_at, id);
create index risk_assessments_live on risk_assessments (tenant, user_id) where status in ('pending', 'completed');

-- only: postgres
create index risk_assessments_overview on risk_assessments (tenant, user_id, status, risk_score, created_at)
    include (business_name, risk_level);

-- only: sqlite
create index risk_assessments_overview on risk_assessments
    (tenant, user_id, status, risk_score, created_at, business_name, risk_level);
