//! Finding profiles by a text. There are two ways: a look through a stretch of the list, and the index of trigrams.

use pando_database::{DatabaseError, Query, Read, Row, Value, params};
use pando_resilience::Tenant;
use pando_service::{Place, SortKey};

use super::lists::{Order, count_value, in_order, page_where};
use super::{profile_columns, profile_from};
use crate::profile::Profile;

/// How many profiles one look through the list goes past at most.
pub(crate) const STRETCH: usize = 5_000;
/// How many trigrams the index is asked for.
pub(crate) const TRIGRAMS: usize = 4;

/// One order. In the list `$1` is the limit and `$2` the text; by the index `$1` is the text, `$2` to `$5` are the trigrams and
/// `$6` is the limit. Then comes the tenant, and last the places in the list.
struct Searches {
    /// Where a stretch ends that begins at the start of the list. `$1` is the number of profiles before its last, `$2` the tenant.
    end: Query,
    /// The same for one that begins after a cursor.
    end_after: Query,
    /// From the start of the list to its end.
    all: Query,
    /// From the start of the list to the end of the stretch.
    until: Query,
    /// From the cursor to the end of the list.
    after: Query,
    /// From the cursor to the end of the stretch.
    between: Query,
    /// By the index.
    by_index: Query,
    /// By the index, after the cursor.
    by_index_after: Query,
}

macro_rules! end {
    ($column:literal, $direction:literal, $after:expr) => {
        concat!(
            "select ",
            $column,
            ", id from profiles where deleted_at is null and tenant = $2",
            $after,
            in_order!($column, $direction),
            " limit 1 offset $1"
        )
    };
}

/// The function that finds one text in another has a different name on each engine.
macro_rules! through_the_list {
    ($name:expr, $column:literal, $direction:literal, $within:expr) => {
        Query::scan(
            $name,
            page_where!(
                $column,
                $direction,
                concat!(" and tenant = $3 and strpos(search_text, $2) > 0", $within)
            ),
        )
        .on_sqlite(page_where!(
            $column,
            $direction,
            concat!(" and tenant = $3 and instr(search_text, $2) > 0", $within)
        ))
    };
}

/// The living profiles of a tenant on PostgreSQL that have the text `$1` and the trigrams `$2` to `$5`.
macro_rules! in_postgres_index {
    ($tenant:literal) => {
        concat!(
            " from profiles where deleted_at is null and tenant = ",
            $tenant,
            " and search_text like '%' || $2 || '%' and search_text like '%' || $3 || '%' \
             and search_text like '%' || $4 || '%' and search_text like '%' || $5 || '%' \
             and strpos(search_text, $1) > 0"
        )
    };
}

/// The rows of the same on SQLite, whose index has no deleted profiles, and those whose texts wait to be in it.
macro_rules! in_sqlite_index {
    () => {
        "(select rowid as row from profile_search where profile_search match \
         '\"' || $2 || '\" AND \"' || $3 || '\" AND \"' || $4 || '\" AND \"' || $5 || '\"' \
         and instr(search_text, $1) > 0 \
         union all select row from profile_search_waiting where instr(search_text, $1) > 0)"
    };
}

/// All profiles with the trigrams are found first, so that PostgreSQL does not walk through the list instead.
/// SQLite keeps the time of a profile beside the number of its text.
macro_rules! by_index {
    ($name:expr, $column:literal, $direction:literal, $after:expr, $source:literal, $join:literal) => {
        Query::scan(
            $name,
            concat!(
                "with found as materialized (select id, ",
                $column,
                in_postgres_index!("$7"),
                ") ",
                page_of_found!($column, $direction, $after)
            ),
        )
        .on_sqlite(concat!(
            "with found as (select profile_id as id, ",
            $source,
            ".",
            $column,
            " from ",
            in_sqlite_index!(),
            " cross join profile_search_keys as keys using (row)",
            $join,
            " where keys.tenant = $7) ",
            page_of_found!($column, $direction, $after)
        ))
    };
}

macro_rules! page_of_found {
    ($column:literal, $direction:literal, $after:expr) => {
        concat!(
            "select ",
            profile_columns!(),
            " from profiles where tenant = $7 and id in (select id from found",
            $after,
            in_order!($column, $direction),
            " limit $6)",
            in_order!($column, $direction)
        )
    };
}

macro_rules! searches {
    ($name:literal, $column:literal, $direction:literal, $later:literal, $not_later:literal, $source:literal, $join:literal) => {{
        macro_rules! place {
            ($word:literal, $compare:literal, $key:literal, $id:literal) => {
                concat!(" ", $word, " (", $column, ", id) ", $compare, " (", $key, ", ", $id, ")")
            };
        }
        const END: &str = concat!("profiles.search_end_by_", $name);
        const LIST: &str = concat!("profiles.search_list_by_", $name);
        const INDEX: &str = concat!("profiles.search_index_by_", $name);
        Searches {
            end: Query::scan(END, end!($column, $direction, "")),
            end_after: Query::scan(END, end!($column, $direction, place!("and", $later, "$3", "$4"))),
            all: through_the_list!(LIST, $column, $direction, ""),
            until: through_the_list!(LIST, $column, $direction, place!("and", $not_later, "$4", "$5")),
            after: through_the_list!(LIST, $column, $direction, place!("and", $later, "$4", "$5")),
            between: through_the_list!(
                LIST,
                $column,
                $direction,
                concat!(place!("and", $later, "$4", "$5"), place!("and", $not_later, "$6", "$7"))
            ),
            by_index: by_index!(INDEX, $column, $direction, "", $source, $join),
            by_index_after: by_index!(
                INDEX,
                $column,
                $direction,
                place!("where", $later, "$8", "$9"),
                $source,
                $join
            ),
        }
    }};
}

static NEWEST: Searches = searches!("newest", "created_at", "desc", "<", ">=", "keys", "");
static OLDEST: Searches = searches!("oldest", "created_at", "asc", ">", "<=", "keys", "");
static NAME: Searches = searches!(
    "name",
    "name",
    "asc",
    ">",
    "<=",
    "own",
    " join profiles as own on own.tenant = keys.tenant and own.id = profile_id"
);
static NAME_DESCENDING: Searches = searches!(
    "name_descending",
    "name",
    "desc",
    "<",
    ">=",
    "own",
    " join profiles as own on own.tenant = keys.tenant and own.id = profile_id"
);

/// PostgreSQL reads whole pages, whose rows often are alike: so it reads eight times as many, and takes some of each. On
/// SQLite each row is some steps behind the one before, by chance.
static SAMPLE: Query = Query::scan(
    "profiles.search_sample",
    "select search_text from (select search_text from profiles tablesample system (least(100, 800.0 * \
     cast($1 as bigint) / (select greatest(reltuples, 1) from pg_class where oid = cast('profiles' as regclass)))) \
     where deleted_at is null and tenant = $2 limit 8 * $1) as read order by random() limit $1",
)
.on_sqlite(
    "with recursive steps (row) as (select 1 union all \
     select row + 1 + abs(random()) % (select 2 * max(1, max(row) / $1) - 1 from profile_search_keys) from steps \
     where row < (select max(row) from profile_search_keys)) \
     select search_text from steps cross join profile_search_keys as keys using (row) \
     cross join profile_search on profile_search.rowid = keys.row where keys.tenant = $2 \
     union all select search_text from profile_search_waiting join profile_search_keys as keys using (row) \
     where keys.tenant = $2",
);

static COUNT_THROUGH_LIST: Query = Query::scan(
    "profiles.search_count_list",
    "select count(*) from profiles where deleted_at is null and tenant = $2 and strpos(search_text, $1) > 0",
)
.on_sqlite(
    "select (select count(*) from profile_search cross join profile_search_keys as keys on keys.row = profile_search.rowid \
     where instr(search_text, $1) > 0 and keys.tenant = $2) \
     + (select count(*) from profile_search_waiting cross join profile_search_keys as keys using (row) \
     where instr(search_text, $1) > 0 and keys.tenant = $2)",
);

static COUNT_BY_INDEX: Query =
    Query::scan("profiles.search_count_index", concat!("select count(*)", in_postgres_index!("$6")))
        .on_sqlite(concat!(
            "select count(*) from ",
            in_sqlite_index!(),
            " cross join profile_search_keys as keys using (row) where keys.tenant = $6"
        ));

impl Order {
    fn searches(self) -> &'static Searches {
        match self {
            Self::Newest => &NEWEST,
            Self::Oldest => &OLDEST,
            Self::Name => &NAME,
            Self::NameDescending => &NAME_DESCENDING,
        }
    }

    fn place(self, row: &Row) -> Result<Place, DatabaseError> {
        let key = match self {
            Self::Newest | Self::Oldest => SortKey::Time(row.get(0)?),
            Self::Name | Self::NameDescending => SortKey::Text(row.get(0)?),
        };
        Ok(Place { key, id: row.get(1)? })
    }
}

/// At most `limit` profiles with this text out of the next stretch of the list, and the end of the stretch if the list goes
/// on behind it.
pub(crate) async fn through_the_list(
    (read, tenant): (&Read<'_>, &Tenant),
    order: Order,
    text: &str,
    after: Option<Place>,
    limit: usize,
) -> Result<(Vec<Profile>, Option<Place>), DatabaseError> {
    let searches = order.searches();
    let begins: Vec<Value> = after.into_iter().flat_map(Place::values).collect();
    let is_first = begins.is_empty();
    let mut values = vec![count_value(STRETCH - 1), tenant.into()];
    values.extend(begins.iter().cloned());
    let end = read.row(if is_first { &searches.end } else { &searches.end_after }, values).await?;
    let end = end.map(|row| order.place(&row)).transpose()?;
    let query = match (is_first, &end) {
        (true, None) => &searches.all,
        (true, Some(_)) => &searches.until,
        (false, None) => &searches.after,
        (false, Some(_)) => &searches.between,
    };
    let mut values = vec![count_value(limit), text.into(), tenant.into()];
    values.extend(begins);
    values.extend(end.clone().into_iter().flat_map(Place::values));
    let found = read.rows(query, values).await?.iter().map(profile_from).collect::<Result<_, _>>()?;
    Ok((found, end))
}

/// A page of the profiles that have this text, among all that have these trigrams.
pub(crate) async fn by_index(
    (read, tenant): (&Read<'_>, &Tenant),
    order: Order,
    (text, trigrams): (&str, [String; TRIGRAMS]),
    after: Option<Place>,
    limit: usize,
) -> Result<Vec<Profile>, DatabaseError> {
    let searches = order.searches();
    let query = if after.is_none() { &searches.by_index } else { &searches.by_index_after };
    let mut values = vec![text.into()];
    values.extend(trigrams.map(Value::from));
    values.extend([count_value(limit), tenant.into()]);
    values.extend(after.into_iter().flat_map(Place::values));
    read.rows(query, values).await?.iter().map(profile_from).collect()
}

/// How many living profiles have this text; looked for by the index where trigrams are given.
pub(crate) async fn count(
    (read, tenant): (&Read<'_>, &Tenant),
    text: &str,
    trigrams: Option<[String; TRIGRAMS]>,
) -> Result<i64, DatabaseError> {
    let query = if trigrams.is_none() { &COUNT_THROUGH_LIST } else { &COUNT_BY_INDEX };
    let mut values = vec![text.into()];
    values.extend(trigrams.into_iter().flatten().map(Value::from));
    values.push(tenant.into());
    read.row(query, values).await?.map_or(Ok(0), |row| row.get(0))
}

/// Some of the texts that searches look through, about `size`, or all where there are not more.
pub(crate) async fn sample(
    read: &Read<'_>,
    tenant: &Tenant,
    size: usize,
) -> Result<Vec<String>, DatabaseError> {
    read.rows(&SAMPLE, params![count_value(size), tenant]).await?.iter().map(|row| row.get(0)).collect()
}
