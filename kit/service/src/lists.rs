//! Lists in a stable order, page by page. Where an index serves the order, a page costs the same at any depth.

use std::ops::RangeInclusive;

use pando_clock::Timestamp;
use pando_database::{ComposedQuery, DatabaseError, Read, Row, Value, params};
use pando_http::encode_cursor;
use pando_resilience::Tenant;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Fault;

/// The years 1 to 9999: times that both engines can hold.
const STORABLE_MICROS: RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;

/// An order that a list can have: by one column, and by the id among rows that are equal there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its name in the `sort` parameter, such as `-created_at`.
    pub name: &'static str,
    /// The column.
    pub column: &'static str,
    /// The type of the column.
    pub kind: KeyKind,
    /// Whether the largest comes first.
    pub descending: bool,
}

/// The types of sort keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// A time.
    Time,
    /// A text, byte by byte.
    Text,
    /// A whole number.
    Integer,
}

/// A place in a list: the sort key and the id of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The sort key.
    pub key: SortKey,
    /// The id.
    pub id: Uuid,
}

/// The sort key of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SortKey {
    /// A time.
    Time(Timestamp),
    /// A text.
    Text(String),
    /// A whole number.
    Integer(i64),
}

/// Where a page ended, as a cursor says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageEnd {
    /// The tenant of the list; a cursor of another tenant is refused.
    #[serde(default, skip_serializing_if = "Tenant::is_default")]
    tenant: Tenant,
    /// The order the page had; a cursor of another order is refused.
    sort: String,
    key: String,
    id: Uuid,
}

/// A list of rows that belong to tenants.
#[derive(Clone, Copy, Debug)]
pub struct List {
    /// The name of its statements in metrics and logs.
    pub name: &'static str,
    /// The columns and the table: `select … from notes`.
    pub select: &'static str,
    /// The rows of the table that are in the list: `deleted_at is null`, or `true`.
    pub rows: &'static str,
}

/// The rows of a list that one tenant has, and that pass some filters.
#[derive(Clone, Debug)]
pub struct Listed<'a> {
    tenant: &'a Tenant,
    query: ComposedQuery,
}

impl List {
    /// The rows of this tenant.
    pub fn of<'a>(&self, tenant: &'a Tenant) -> Listed<'a> {
        let mut query = ComposedQuery::scan(self.name);
        query
            .push(self.select, [])
            .push(" where tenant = $1 and (", params![tenant])
            .push(self.rows, [])
            .push(")", []);
        Listed { tenant, query }
    }
}

impl Listed<'_> {
    /// Only those that fulfil a condition: `status = $1`, whose `$1` is the first of these values.
    pub fn filter(mut self, condition: &'static str, values: impl Into<Vec<Value>>) -> Self {
        self.query.push(" and (", []).push(condition, values).push(")", []);
        self
    }

    /// Only those up to this place in an order, which is among them.
    pub fn up_to(mut self, order: &Order, place: Place) -> Self {
        order.push_up_to(&mut self.query, place);
        self
    }

    /// A page in this order, after the end of the page before. An end of another order or tenant counts for nothing.
    pub async fn page<T>(
        self,
        read: &Read<'_>,
        order: &Order,
        (after, limit): (Option<&PageEnd>, usize),
        item: impl Fn(&Row) -> Result<T, DatabaseError>,
        place: impl Fn(&T) -> Place,
    ) -> Result<Page<T>, DatabaseError> {
        let (tenant, after) = (self.tenant, after.and_then(|end| end.place_in(self.tenant, order)));
        // One more than asked for tells whether there is another page.
        let rows = self.rows(read, order, after, limit + 1).await?;
        let items: Vec<T> = rows.iter().map(item).collect::<Result<_, _>>()?;
        Ok(Page::cut(items, limit, (tenant, order), place))
    }

    /// All rows, in no order: of a list that selects a sum or a count.
    pub async fn all(self, read: &Read<'_>) -> Result<Vec<Row>, DatabaseError> {
        read.composed(&self.query).await
    }

    /// At most `limit` rows, in no order.
    pub async fn some(mut self, read: &Read<'_>, limit: usize) -> Result<Vec<Row>, DatabaseError> {
        self.query.push(" limit $1", params![i64::try_from(limit).unwrap_or(i64::MAX)]);
        read.composed(&self.query).await
    }

    /// How many rows there are, but at most `limit`, so that a long list costs no more. The list selects
    /// `select count(*) from (select 1 from …`, which this ends.
    pub async fn count(mut self, read: &Read<'_>, limit: usize) -> Result<u64, DatabaseError> {
        let limit = params![i64::try_from(limit).unwrap_or(i64::MAX)];
        self.query.push(" limit $1) as counted", limit);
        let count = read.composed(&self.query).await?.first().map_or(Ok(0), |row| row.get::<i64>(0))?;
        Ok(count.unsigned_abs())
    }

    /// At most `limit` rows in this order, from the start or after a place.
    pub async fn rows(
        mut self,
        read: &Read<'_>,
        order: &Order,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Vec<Row>, DatabaseError> {
        if let Some(place) = after {
            order.push_after(&mut self.query, place);
        }
        order.push_sort(&mut self.query);
        self.query.push(" limit $1", params![i64::try_from(limit).unwrap_or(i64::MAX)]);
        read.composed(&self.query).await
    }
}

/// The parts of a statement that an order makes, for statements that no [`List`] makes.
impl Order {
    /// Adds ` and (column, id) > (…)`: rows after a place.
    pub fn push_after(&self, query: &mut ComposedQuery, place: Place) {
        self.push_place(query, place, if self.descending { ", id) < ($1, $2)" } else { ", id) > ($1, $2)" });
    }

    /// Adds the opposite: rows up to a place, and the row at it.
    pub fn push_up_to(&self, query: &mut ComposedQuery, place: Place) {
        self.push_place(
            query,
            place,
            if self.descending { ", id) >= ($1, $2)" } else { ", id) <= ($1, $2)" },
        );
    }

    fn push_place(&self, query: &mut ComposedQuery, place: Place, comparison: &'static str) {
        query.push(" and (", []).push(self.column, []).push(comparison, place.values());
    }

    /// Adds ` order by column, id`.
    pub fn push_sort(&self, query: &mut ComposedQuery) {
        query.push(" order by ", []).push(self.column, []);
        query.push(if self.descending { " desc, id desc" } else { ", id" }, []);
    }
}

/// Some items of a list, in order.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the page ended, if there is more.
    pub next: Option<PageEnd>,
}

impl<T> Page<T> {
    /// The first `limit` of these items of a tenant's list. If there are more, the page says where it ends.
    pub fn cut(
        mut items: Vec<T>,
        limit: usize,
        (tenant, order): (&Tenant, &Order),
        place: impl Fn(&T) -> Place,
    ) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().filter(|_| more);
        let next = last.map(|last| PageEnd::at(tenant, place(last), order));
        Self { items, next }
    }
}

impl<T: Serialize> Page<T> {
    /// The page as it is answered: its items under a name, and the cursor of the next page as `next`.
    pub fn json(&self, items: &str) -> Result<Vec<u8>, Fault> {
        let next = self.next.as_ref().map(encode_cursor).transpose()?;
        Ok(serde_json::to_vec(&serde_json::json!({ items: self.items, "next": next }))?)
    }
}

impl Place {
    /// The sort key and the id, as parameters of a statement.
    pub fn values(self) -> [Value; 2] {
        match self.key {
            SortKey::Time(moment) => [moment.into(), self.id.into()],
            SortKey::Text(text) => [text.into(), self.id.into()],
            SortKey::Integer(number) => [number.into(), self.id.into()],
        }
    }
}

impl PageEnd {
    /// The key of the next page in a cache.
    pub fn key(after: Option<&Self>, limit: usize) -> Result<String, Fault> {
        Ok(format!("{limit} {}", after.map(encode_cursor).transpose()?.unwrap_or_default()))
    }

    /// The end of a page of a tenant's list in this order.
    pub fn at(tenant: &Tenant, place: Place, order: &Order) -> Self {
        let key = match place.key {
            SortKey::Time(moment) => moment.to_string(),
            SortKey::Text(text) => text,
            SortKey::Integer(number) => number.to_string(),
        };
        Self { tenant: tenant.clone(), sort: order.name.to_owned(), key, id: place.id }
    }

    /// The place where a page of the tenant's list in this order ended; none if the page had another order, whose places would
    /// skip or repeat rows. An invented cursor gives no more access than an invented key.
    pub fn place_in(&self, tenant: &Tenant, order: &Order) -> Option<Place> {
        if self.sort != order.name || self.tenant != *tenant {
            return None;
        }
        let key = match order.kind {
            KeyKind::Time => {
                let moment = self.key.parse::<Timestamp>().ok();
                SortKey::Time(moment.filter(|moment| STORABLE_MICROS.contains(&moment.as_micros()))?)
            }
            KeyKind::Integer => SortKey::Integer(self.key.parse().ok()?),
            KeyKind::Text => SortKey::Text(Some(self.key.clone()).filter(|text| !text.contains('\0'))?),
        };
        Some(Place { key, id: self.id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEWEST: Order =
        Order { name: "-created_at", column: "created_at", kind: KeyKind::Time, descending: true };
    const NAME: Order = Order { name: "name", column: "name", kind: KeyKind::Text, descending: false };

    #[test]
    fn a_place_comes_back_from_its_cursor_and_fits_no_other_order_or_tenant() {
        let id = Uuid::from_u128(7);
        for (order, key) in [
            (NEWEST, SortKey::Time(Timestamp::from_micros(1_767_225_600_000_001))),
            (NAME, SortKey::Text("Zoë".to_owned())),
        ] {
            let place = Place { key, id };
            let (own, acme) = (Tenant::default(), Tenant::named("acme").unwrap());
            let end = PageEnd::at(&own, place.clone(), &order);
            let cursor = serde_json::to_string(&end).unwrap();
            let end: PageEnd = serde_json::from_str(&cursor).unwrap();
            assert!(!cursor.contains("tenant"));
            assert_eq!(end.place_in(&own, &order), Some(place));
            assert_eq!(end.place_in(&acme, &order), None);
            assert_eq!(end.place_in(&own, if order == NAME { &NEWEST } else { &NAME }), None);
        }
        let own = Tenant::default();
        let invented = |key: &str| PageEnd {
            tenant: own.clone(),
            sort: "-created_at".to_owned(),
            key: key.to_owned(),
            id,
        };
        for key in ["", "yesterday", "-009999-01-01T00:00:00Z"] {
            assert_eq!(invented(key).place_in(&own, &NEWEST), None, "{key}");
        }
    }
}
