-- Names that articles are screened for, and the articles that mention them.
create table risk_monitorings (
    tenant text not null,
    id uuid not null,
    business_id uuid not null,
    business_name text not null,
    types jsonb not null,
    -- The version of the articles that the name was screened against.
    articles text not null,
    created_at timestamptz not null,
    primary key (tenant, id)
);

create table risk_media_alerts (
    tenant text not null,
    monitoring_id uuid not null,
    article_id text not null,
    details jsonb not null,
    created_at timestamptz not null,
    primary key (tenant, monitoring_id, article_id)
);
create index risk_media_alerts_newest on risk_media_alerts (tenant, monitoring_id, created_at);
