-- Decisions that people have to look at.
create table risk_cases (
    tenant text collate "C" not null,
    id uuid not null,
    kind text not null,
    -- The assessment that opened the case; null for a case of monitoring.
    assessment_id uuid,
    business_id uuid not null,
    business_name text not null,
    details jsonb not null,
    status text not null,
    assignee text,
    proposed text,
    proposed_by text,
    proposed_at timestamptz,
    outcome text,
    confirmed_by text,
    closed_at timestamptz,
    notes bigint not null,
    version bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (id, tenant)
);

create index risk_cases_newest on risk_cases (tenant, created_at, id);
create index risk_cases_status on risk_cases (tenant, status, created_at, id);

create table risk_case_notes (
    tenant text collate "C" not null,
    case_id uuid not null,
    place bigint not null,
    author text not null,
    note text not null,
    written_at timestamptz not null,
    primary key (case_id, tenant, place)
);
