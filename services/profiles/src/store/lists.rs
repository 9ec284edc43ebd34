//! Reading many profiles: pages in a stable order, some by id, all of them for an export.

use pando_clock::Timestamp;
use pando_database::{DatabaseError, Query, Read, Value, params};
use uuid::Uuid;

use super::{profile_columns, profile_from};
use crate::profile::{Email, Profile, ProfileId};

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

/// Where the last page ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum After {
    Time(Timestamp, Uuid),
    Name(String, Uuid),
}

impl After {
    /// The sort key and the id.
    pub(super) fn values(self) -> [Value; 2] {
        match self {
            Self::Time(moment, id) => [moment.into(), id.into()],
            Self::Name(name, id) => [name.into(), id.into()],
        }
    }
}

/// One order, from the start and after a cursor. `$1` is always the limit.
struct Pages {
    first: Query,
    after: Query,
}

/// The order of a list: profiles with the same key are ordered by id.
macro_rules! in_order {
    ($column:literal, $direction:literal) => {
        concat!(" order by ", $column, " ", $direction, ", id ", $direction)
    };
}

/// A page of living profiles that fulfil a condition.
macro_rules! page_where {
    ($column:literal, $direction:literal, $condition:expr) => {
        concat!(
            "select ",
            profile_columns!(),
            " from profiles where deleted_at is null",
            $condition,
            in_order!($column, $direction),
            " limit $1"
        )
    };
}
pub(super) use {in_order, page_where};

macro_rules! pages {
    ($name:literal, $column:literal, $compare:literal, $direction:literal) => {
        Pages {
            first: Query::scan(concat!("profiles.list_by_", $name), page_where!($column, $direction, "")),
            after: Query::scan(
                concat!("profiles.list_by_", $name),
                page_where!($column, $direction, concat!(" and (", $column, ", id) ", $compare, " ($2, $3)")),
            ),
        }
    };
}

static NEWEST: Pages = pages!("newest", "created_at", "<", "desc");
static OLDEST: Pages = pages!("oldest", "created_at", ">", "asc");
static NAME: Pages = pages!("name", "name", ">", "asc");
static NAME_DESCENDING: Pages = pages!("name_descending", "name", "<", "desc");

static BY_EMAIL: Query = Query::point(
    "profiles.list_by_email",
    concat!("select ", profile_columns!(), " from profiles where email_key = $1 and deleted_at is null"),
);

static BY_IDS: Query = Query::point(
    "profiles.list_by_ids",
    concat!("select ", profile_columns!(), " from profiles where id = any($1) and deleted_at is null"),
);

static BY_ID_ORDER: Query = Query::scan(
    "profiles.export_page",
    concat!(
        "select ",
        profile_columns!(),
        " from profiles where id > $1 and deleted_at is null order by id limit $2"
    ),
);

static COUNT: Query = Query::scan("profiles.count", "select count(*) from profiles where deleted_at is null");

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

    /// Where a page that ends with this profile ends.
    pub(crate) fn after(self, profile: &Profile) -> After {
        let id = Uuid::from(profile.id);
        match self {
            Self::Newest | Self::Oldest => After::Time(profile.created_at, id),
            Self::Name | Self::NameDescending => After::Name(profile.name.as_str().to_owned(), id),
        }
    }

    fn pages(self) -> &'static Pages {
        match self {
            Self::Newest => &NEWEST,
            Self::Oldest => &OLDEST,
            Self::Name => &NAME,
            Self::NameDescending => &NAME_DESCENDING,
        }
    }
}

/// One page of living profiles.
pub(crate) async fn page(
    read: &Read<'_>,
    order: Order,
    after: Option<After>,
    limit: usize,
) -> Result<Vec<Profile>, DatabaseError> {
    let Pages { first, after: later } = order.pages();
    let query = if after.is_none() { first } else { later };
    let mut values = vec![count_value(limit)];
    values.extend(after.into_iter().flat_map(After::values));
    read.rows(query, values).await?.iter().map(profile_from).collect()
}

/// The living profile that has this e-mail address, whatever its case.
pub(crate) async fn with_email(read: &Read<'_>, email: &Email) -> Result<Option<Profile>, DatabaseError> {
    read.row(&BY_EMAIL, params![email.key()]).await?.as_ref().map(profile_from).transpose()
}

/// The living ones among these profiles, in no order.
pub(crate) async fn with_ids(read: &Read<'_>, ids: &[ProfileId]) -> Result<Vec<Profile>, DatabaseError> {
    let ids: Vec<Uuid> = ids.iter().copied().map(Uuid::from).collect();
    read.rows(&BY_IDS, params![ids]).await?.iter().map(profile_from).collect()
}

/// A stretch of all living profiles in the order of their ids.
pub(crate) async fn in_id_order(
    read: &Read<'_>,
    after: Uuid,
    limit: usize,
) -> Result<Vec<Profile>, DatabaseError> {
    read.rows(&BY_ID_ORDER, params![after, count_value(limit)]).await?.iter().map(profile_from).collect()
}

/// How many living profiles there are.
pub(crate) async fn count(read: &Read<'_>) -> Result<i64, DatabaseError> {
    read.row(&COUNT, params![]).await?.map_or(Ok(0), |row| row.get(0))
}

/// Roughly how many profiles there are, deleted ones included.
pub(crate) async fn estimate(read: &Read<'_>) -> Result<i64, DatabaseError> {
    read.estimated_rows("profiles", &COUNT).await
}

pub(super) fn count_value(count: usize) -> Value {
    Value::from(i64::try_from(count).unwrap_or(i64::MAX))
}
