//! Reading many profiles: pages in a stable order, some by id, all of them for an export.

use pando_clock::Timestamp;
use pando_database::{DatabaseError, Query, Read, Value, params};
use uuid::Uuid;

use super::{profile_columns, profile_from};
use crate::profile::{Email, Profile, ProfileId};
use crate::search_text::{pattern, trigrams};

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

/// One order with and without a search, from the start and after a cursor. `$1` is always the limit.
struct Pages {
    first: Query,
    after: Query,
    common_first: Query,
    common_after: Query,
    rare_first: Query,
    rare_after: Query,
}

macro_rules! page {
    ($column:literal, $direction:literal, $condition:expr) => {
        concat!(
            "select ",
            profile_columns!(),
            " from profiles where deleted_at is null",
            $condition,
            " order by ",
            $column,
            " ",
            $direction,
            ", id ",
            $direction,
            " limit $1"
        )
    };
}

/// What a search adds. `$2` is the pattern, `$3` the trigrams: PostgreSQL chooses between the order and the index by its
/// statistics, and SQLite has to be told.
macro_rules! by_pattern {
    () => {
        " and search_text like $2 escape '!' and $3 <> ''"
    };
}

macro_rules! by_index {
    ($condition:expr) => {
        concat!(
            " and id in (select profile_id from profile_search_keys where row in (select rowid \
             from profile_search where profile_search match $3 and search_text like $2 escape '!')",
            $condition,
            ")"
        )
    };
}

/// What was found is sorted before it is read, where it is sorted by time.
macro_rules! by_index_and_time {
    ($direction:literal, $after:literal) => {
        by_index!(concat!(
            $after,
            " order by created_at ",
            $direction,
            ", profile_id ",
            $direction,
            " limit $1"
        ))
    };
}

macro_rules! pages {
    ($name:literal, $column:literal, $compare:literal, $direction:literal, $rare_first:expr, $rare_after:expr) => {{
        macro_rules! after {
            ($key:literal, $id:literal) => {
                concat!(" and (", $column, ", id) ", $compare, " (", $key, ", ", $id, ")")
            };
        }
        const NAME: &str = concat!("profiles.list_by_", $name);
        const SEARCH: &str = concat!("profiles.search_by_", $name);
        const FIRST: &str = page!($column, $direction, by_pattern!());
        const AFTER: &str = page!($column, $direction, concat!(by_pattern!(), after!("$4", "$5")));
        Pages {
            first: Query::scan(NAME, page!($column, $direction, "")),
            after: Query::scan(NAME, page!($column, $direction, after!("$2", "$3"))),
            common_first: Query::scan(SEARCH, FIRST),
            common_after: Query::scan(SEARCH, AFTER),
            rare_first: Query::scan(SEARCH, FIRST).on_sqlite(page!($column, $direction, $rare_first)),
            rare_after: Query::scan(SEARCH, AFTER).on_sqlite(page!($column, $direction, $rare_after)),
        }
    }};
}

macro_rules! pages_by_time {
    ($name:literal, $compare:literal, $direction:literal, $after:literal) => {
        pages!(
            $name,
            "created_at",
            $compare,
            $direction,
            by_index_and_time!($direction, ""),
            by_index_and_time!($direction, $after)
        )
    };
}

macro_rules! pages_by_name {
    ($name:literal, $compare:literal, $direction:literal, $after:literal) => {
        pages!($name, "name", $compare, $direction, by_index!(""), concat!(by_index!(""), $after))
    };
}

static NEWEST: Pages = pages_by_time!("newest", "<", "desc", " and (created_at, profile_id) < ($4, $5)");
static OLDEST: Pages = pages_by_time!("oldest", ">", "asc", " and (created_at, profile_id) > ($4, $5)");
static NAME: Pages = pages_by_name!("name", ">", "asc", " and (name, id) > ($4, $5)");
static NAME_DESCENDING: Pages = pages_by_name!("name_descending", "<", "desc", " and (name, id) < ($4, $5)");

/// Whether a text stands in few profiles: then they are found by the index and sorted. One that stands in many is found
/// soon by going through the order. PostgreSQL knows from its statistics.
static IS_RARE: Query = Query::scan("profiles.search_is_rare", "select cast(1 as bigint) where $1 <> ''").on_sqlite(
    "select count(*) <= 5000 from (select 1 from profile_search where profile_search match $1 limit 5001)",
);

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

static COUNT_SEARCH: Query = Query::scan(
    "profiles.count_search",
    "select count(*) from profiles where deleted_at is null and search_text like $1 escape '!' and $2 <> ''",
)
.on_sqlite(
    "select count(*) from profile_search where profile_search match $2 and search_text like $1 escape '!'",
);

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
    search: Option<&str>,
    after: Option<After>,
    limit: usize,
) -> Result<Vec<Profile>, DatabaseError> {
    let mut values: Vec<Value> = vec![count_value(limit)];
    let pages = order.pages();
    let query = match search.map(|text| (pattern(text), trigrams(text))) {
        None if after.is_none() => &pages.first,
        None => &pages.after,
        Some((pattern, trigrams)) => {
            let rare = read.row(&IS_RARE, params![trigrams.as_str()]).await?;
            let rare = rare.map(|row| row.get::<i64>(0)).transpose()? == Some(1);
            values.extend(params![pattern, trigrams]);
            match (rare, after.is_none()) {
                (true, true) => &pages.rare_first,
                (true, false) => &pages.rare_after,
                (false, true) => &pages.common_first,
                (false, false) => &pages.common_after,
            }
        }
    };
    match after {
        Some(After::Time(moment, id)) => values.extend(params![moment, id]),
        Some(After::Name(name, id)) => values.extend(params![name, id]),
        None => {}
    }
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

/// How many living profiles there are, or how many a search finds.
pub(crate) async fn count(read: &Read<'_>, search: Option<&str>) -> Result<i64, DatabaseError> {
    let row = match search {
        None => read.row(&COUNT, params![]).await?,
        Some(text) => read.row(&COUNT_SEARCH, params![pattern(text), trigrams(text)]).await?,
    };
    row.map_or(Ok(0), |row| row.get(0))
}

/// Roughly how many profiles there are, deleted ones included.
pub(crate) async fn estimate(read: &Read<'_>) -> Result<i64, DatabaseError> {
    read.estimated_rows("profiles", &COUNT).await
}

fn count_value(count: usize) -> Value {
    Value::from(i64::try_from(count).unwrap_or(i64::MAX))
}
