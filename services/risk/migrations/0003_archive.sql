-- Assessments and factors that were moved out of the way, with the columns of the tables that they come from.

create table risk_assessments_archive (
    tenant text collate "C" not null,
    id uuid not null,
    created_at timestamptz not null,
    user_id text collate "C" not null,
    business_id uuid not null,
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

create table risk_factors_archive (
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
);
