//! Reading many profiles: pages in a stable order, some by id, all of them for an export.

use pando_database::{DatabaseError, Query, Read, Value, params};
use pando_resilience::Tenant;
use pando_service::{Email, KeyKind, List, Page, PageEnd, Place, SortKey};
use uuid::Uuid;

use super::{living, profile_columns, profile_from};
use crate::domain::profile::{Profile, ProfileId};

/// The orders a list can have. Each is served by an index, so that a page costs the same at any depth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Newest first.
    #[default]
    Newest,
    /// Oldest first.
    Oldest,
    /// By name, byte by byte.
    Name,
    /// By name, from the end.
    NameDescending,
}

pub(super) static LIST: List = List {
    name: "profiles.list",
    select: concat!("select ", profile_columns!(), " from profiles"),
    rows: "deleted_at is null",
};

static BY_EMAIL: Query = Query::point(
    "profiles.list_by_email",
    concat!(
        "select ",
        profile_columns!(),
        " from profiles where email_key = $1 and tenant || '' = $2 and deleted_at is null"
    ),
);

static BY_IDS: Query = Query::point(
    "profiles.list_by_ids",
    concat!("select ", profile_columns!(), ", deleted_at from profiles where id = any($1) and tenant = $2"),
);

static BY_ID_ORDER: Query = Query::scan(
    "profiles.export_page",
    concat!(
        "select ",
        profile_columns!(),
        " from profiles where id > $1 and tenant = $3 and deleted_at is null order by id limit $2"
    ),
);

static COUNT: Query =
    Query::scan("profiles.count", "select count(*) from profiles where deleted_at is null and tenant = $1");

/// The engine's statistics are about all tenants.
static HAS_OTHERS: Query =
    Query::point("profiles.has_others", "select exists (select 1 from profiles where tenant > $1)");

impl Order {
    /// The name of this order in the `sort` parameter.
    pub fn name(self) -> &'static str {
        match self {
            Self::Newest => "-created_at",
            Self::Oldest => "created_at",
            Self::Name => "name",
            Self::NameDescending => "-name",
        }
    }

    /// Every order, the default first.
    pub const ALL: [Self; 4] = [Self::Newest, Self::Oldest, Self::Name, Self::NameDescending];

    /// The column of this order.
    pub(crate) fn of_list(self) -> pando_service::Order {
        let (column, kind) = match self {
            Self::Newest | Self::Oldest => ("created_at", KeyKind::Time),
            Self::Name | Self::NameDescending => ("name", KeyKind::Text),
        };
        let descending = matches!(self, Self::Newest | Self::NameDescending);
        pando_service::Order { name: self.name(), column, kind, descending }
    }

    /// The place of a profile in this order.
    pub(crate) fn place_of(self, profile: &Profile) -> Place {
        let key = match self {
            Self::Newest | Self::Oldest => SortKey::Time(profile.created_at),
            Self::Name | Self::NameDescending => SortKey::Text(profile.name.as_str().to_owned()),
        };
        Place { key, id: profile.id.into() }
    }
}

/// One page of living profiles.
pub(crate) async fn page(
    (read, tenant): (&Read<'_>, &Tenant),
    order: Order,
    after: Option<&PageEnd>,
    limit: usize,
) -> Result<Page<Profile>, DatabaseError> {
    let place = |profile: &Profile| order.place_of(profile);
    LIST.of(tenant).page(read, &order.of_list(), (after, limit), profile_from, place).await
}

/// The living profile that has this e-mail address, whatever its case.
pub(crate) async fn with_email(
    read: &Read<'_>,
    tenant: &Tenant,
    email: &Email,
) -> Result<Option<Profile>, DatabaseError> {
    read.row(&BY_EMAIL, params![email.key(), tenant]).await?.as_ref().map(profile_from).transpose()
}

/// The living ones among these profiles, in no order.
pub(crate) async fn with_ids(
    read: &Read<'_>,
    tenant: &Tenant,
    ids: &[ProfileId],
) -> Result<Vec<Profile>, DatabaseError> {
    let ids: Vec<Uuid> = ids.iter().copied().map(Uuid::from).collect();
    let rows = read.rows(&BY_IDS, params![ids, tenant]).await?;
    rows.iter().filter_map(|row| living(Some(row)).transpose()).collect()
}

/// A stretch of a tenant's living profiles in the order of their ids.
pub(crate) async fn in_id_order(
    read: &Read<'_>,
    tenant: &Tenant,
    after: Uuid,
    limit: usize,
) -> Result<Vec<Profile>, DatabaseError> {
    let values = params![after, count_value(limit), tenant];
    read.rows(&BY_ID_ORDER, values).await?.iter().map(profile_from).collect()
}

/// How many living profiles there are.
pub(crate) async fn count(read: &Read<'_>, tenant: &Tenant) -> Result<i64, DatabaseError> {
    read.row(&COUNT, params![tenant]).await?.map_or(Ok(0), |row| row.get(0))
}

/// Roughly how many profiles there are, deleted ones included; where there are several tenants, they are counted.
pub(crate) async fn estimate(read: &Read<'_>, tenant: &Tenant) -> Result<i64, DatabaseError> {
    let has_others = match tenant.is_default() {
        true => read.row(&HAS_OTHERS, params![tenant]).await?.map_or(Ok(false), |row| row.get(0))?,
        false => true,
    };
    let estimate = if has_others { None } else { read.estimated_rows("profiles").await? };
    match estimate {
        Some(estimate) => Ok(estimate),
        None => count(read, tenant).await,
    }
}

pub(super) fn count_value(count: usize) -> Value {
    Value::from(i64::try_from(count).unwrap_or(i64::MAX))
}
