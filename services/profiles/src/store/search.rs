//! Finding profiles by a text. There are two ways: a look through a stretch of the list, and the index of trigrams.

use pando_database::{ComposedQuery, DatabaseError, Query, Read, Row, params};
use pando_resilience::Tenant;
use pando_service::{Place, SortKey};

use super::lists::{LIST, Order, count_value};
use super::{profile_columns, profile_from};
use crate::domain::profile::Profile;

/// How many profiles one look through the list goes past at most.
pub(crate) const STRETCH: usize = 5_000;
/// How many trigrams the index is asked for.
pub(crate) const TRIGRAMS: usize = 4;

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

impl Order {
    fn place(self, row: &Row) -> Result<Place, DatabaseError> {
        let key = match self {
            Self::Newest | Self::Oldest => SortKey::Time(row.get(0)?),
            Self::Name | Self::NameDescending => SortKey::Text(row.get(0)?),
        };
        Ok(Place { key, id: row.get(1)? })
    }
}

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

/// At most `limit` profiles with this text out of the next stretch of the list, and the end of the stretch if the list goes
/// on behind it.
pub(crate) async fn through_the_list(
    (read, tenant): (&Read<'_>, &Tenant),
    order: Order,
    text: &str,
    after: Option<Place>,
    limit: usize,
) -> Result<(Vec<Profile>, Option<Place>), DatabaseError> {
    let sort = order.of_list();
    let mut query = ComposedQuery::scan("profiles.search_end");
    query.push("select ", []).push(sort.column, []);
    query.push(", id from profiles where deleted_at is null and tenant = $1", params![tenant]);
    if let Some(after) = &after {
        sort.push_after(&mut query, after.clone());
    }
    sort.push_sort(&mut query);
    query.push(" limit 1 offset $1", params![count_value(STRETCH - 1)]);
    let end = read.composed(&query).await?.first().map(|row| order.place(row)).transpose()?;

    let found = LIST.of(tenant).filter("strpos(search_text, $1) > 0", params![text]);
    let found = match end.clone() {
        Some(end) => found.up_to(&sort, end),
        None => found,
    };
    let found = found.rows(read, &sort, after, limit).await?;
    Ok((found.iter().map(profile_from).collect::<Result<_, _>>()?, end))
}

/// A page of the profiles that have this text, among all that have these trigrams. All of those are found first, so that
/// PostgreSQL does not walk through the list instead. SQLite keeps the time of a profile beside the number of its text.
pub(crate) async fn by_index(
    (read, tenant): (&Read<'_>, &Tenant),
    order: Order,
    (text, trigrams): (&str, [String; TRIGRAMS]),
    after: Option<Place>,
    limit: usize,
) -> Result<Vec<Profile>, DatabaseError> {
    let sort = order.of_list();
    let (key, join) = match order {
        Order::Newest | Order::Oldest => ("keys.created_at", ""),
        Order::Name | Order::NameDescending => {
            ("own.name", " join profiles as own on own.tenant = keys.tenant and own.id = profile_id")
        }
    };
    let mut query = ComposedQuery::scan("profiles.search_index");
    query.push_per_engine(
        "with found as materialized (select id, ",
        "with found as (select profile_id as id, ",
        [],
    );
    query.push_per_engine(sort.column, key, []);
    push_from_index(&mut query, (text, trigrams), (tenant, join));
    query.push(concat!(") select ", profile_columns!(), " from profiles where tenant = $1"), params![tenant]);
    query.push(" and id in (select id from found where true", []);
    if let Some(after) = after {
        sort.push_after(&mut query, after);
    }
    sort.push_sort(&mut query);
    query.push(" limit $1)", params![count_value(limit)]);
    sort.push_sort(&mut query);
    read.composed(&query).await?.iter().map(profile_from).collect()
}

/// The living profiles of a tenant that have this text and these trigrams. SQLite's index has no deleted profiles; some texts may
/// still wait to be in it.
fn push_from_index(
    query: &mut ComposedQuery,
    (text, [first, second, third, fourth]): (&str, [String; TRIGRAMS]),
    (tenant, join): (&Tenant, &'static str),
) {
    query.push_per_engine(
        " from profiles where deleted_at is null \
         and search_text like '%' || $2 || '%' and search_text like '%' || $3 || '%' \
         and search_text like '%' || $4 || '%' and search_text like '%' || $5 || '%' \
         and strpos(search_text, $1) > 0",
        " from (select rowid as row from profile_search where profile_search match \
         '\"' || $2 || '\" AND \"' || $3 || '\" AND \"' || $4 || '\" AND \"' || $5 || '\"' \
         and instr(search_text, $1) > 0 \
         union all select row from profile_search_waiting where instr(search_text, $1) > 0) \
         cross join profile_search_keys as keys using (row)",
        params![text, first, second, third, fourth],
    );
    query.push_per_engine("", join, []);
    query.push_per_engine(" and tenant = $1", " where keys.tenant = $1", params![tenant]);
}

/// How many living profiles have this text; looked for by the index where trigrams are given.
pub(crate) async fn count(
    (read, tenant): (&Read<'_>, &Tenant),
    text: &str,
    trigrams: Option<[String; TRIGRAMS]>,
) -> Result<i64, DatabaseError> {
    let row = match trigrams {
        None => read.row(&COUNT_THROUGH_LIST, params![text, tenant]).await?,
        Some(trigrams) => {
            let mut query = ComposedQuery::scan("profiles.search_count_index");
            query.push("select count(*)", []);
            push_from_index(&mut query, (text, trigrams), (tenant, ""));
            read.composed(&query).await?.into_iter().next()
        }
    };
    row.map_or(Ok(0), |row| row.get(0))
}

/// Some of the texts that searches look through, about `size`, or all where there are not more.
pub(crate) async fn sample(
    read: &Read<'_>,
    tenant: &Tenant,
    size: usize,
) -> Result<Vec<String>, DatabaseError> {
    read.rows(&SAMPLE, params![count_value(size), tenant]).await?.iter().map(|row| row.get(0)).collect()
}
