-- The last prediction for each assessment and horizon: by it a change is noticed.
create table risk_predictions (
    tenant text not null,
    assessment_id uuid not null,
    horizon_months bigint not null,
    score double precision not null,
    level text not null,
    model_type text not null,
    model_version text not null,
    version bigint not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    primary key (tenant, assessment_id, horizon_months)
);
