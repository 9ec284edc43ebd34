//! Every statement of this service, beside the row that it reads.

use std::collections::HashSet;
use std::sync::Arc;

use pando_database::Value;
use pando_service::prelude::*;
use pando_service::{Email, Listed, Page};
use pando_vault::Keyring;
use uuid::Uuid;

use crate::domain::customer::Customer;
use crate::domain::phone;
use crate::domain::planned::Planned;
use sealed::{EMAIL, PHONE};

/// The schema of this service, in the order it came to be.
pub const MIGRATIONS: MigrationSet = MigrationSet {
    service: "customers",
    migrations: &[
        Migration::new(1, "customers", include_str!("../migrations/0001_customers.sql")),
        Migration::new(2, "pipeline", include_str!("../migrations/0002_pipeline.sql")),
        Migration::new(3, "changes", include_str!("../migrations/0003_changes.sql")),
    ],
};

/// The newest customers first.
pub(crate) static NEWEST: Order =
    Order { name: "-created_at", column: "created_at", kind: KeyKind::Time, descending: true };

macro_rules! columns {
    () => {
        "id, given_id, email, name, phone, metadata, unknown, version, created_at, created_by, updated_at, deleted_at"
    };
}

pub(crate) mod changes;
// Here, because it uses the macro.
pub(crate) mod pipeline;
mod sealed;

pub use sealed::Resealed;

static FIND: OwnedQuery = OwnedQuery::new(
    "customers.find",
    concat!("select ", columns!(), " from customers where id = any($1) and tenant = $2"),
);

static LOCK: Query = Query::point(
    "customers.lock",
    concat!("select ", columns!(), " from customers where id = $1 and tenant = $2 for update"),
);

static LIST: List = List {
    name: "customers.list",
    select: concat!("select ", columns!(), " from customers"),
    rows: "deleted_at is null",
};

static PLACE: Query =
    Query::point("customers.place", "select created_at from customers where id = $1 and tenant = $2");

static IN_USE: Query =
    Query::scan("customers.ids_in_use", "select id from customers where id = any($1) and tenant = $2");

static UPDATE: Query = Query::point(
    "customers.update",
    "update customers set given_id = $3, email = $4, email_key = $5, name = $6, phone = $7, phone_key = $8, \
     metadata = $9, unknown = $10, version = $11, updated_at = $12 where tenant = $1 and id = $2",
);

static DELETE: Query = Query::point(
    "customers.delete",
    "update customers set email = '', email_key = '', name = '', phone = '', phone_key = '', metadata = $4, \
     unknown = $5, created_by = '', version = $3, updated_at = $6, deleted_at = $6 where id = $1 and tenant = $2",
);

/// New customers. If an id is taken, none is written.
static INSERT: BulkInsert = BulkInsert {
    name: "customers.insert",
    table: "customers",
    columns: &[
        ("tenant", ColumnType::Text),
        ("id", ColumnType::Uuid),
        ("given_id", ColumnType::Text),
        ("email", ColumnType::Text),
        ("email_key", ColumnType::Text),
        ("name", ColumnType::Text),
        ("phone", ColumnType::Text),
        ("phone_key", ColumnType::Text),
        ("metadata", ColumnType::Json),
        ("unknown", ColumnType::Bytes),
        ("version", ColumnType::Bigint),
        ("updated_at", ColumnType::Timestamp),
        ("created_at", ColumnType::Timestamp),
        ("created_by", ColumnType::Text),
    ],
    on_conflict: OnConflict::Fail,
    key: "id",
};

/// New customers. Those whose id is taken are left out.
static INSERT_FREE: BulkInsert =
    BulkInsert { name: "customers.insert_free", on_conflict: OnConflict::Skip("(id, tenant)"), ..INSERT };

/// The rows of customers. With keys, e-mail addresses and phone numbers are sealed in them. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    vault: Arc<Keyring>,
}

/// A customer as it stands in its row.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) key: Uuid,
    pub(crate) customer: Customer,
    pub(crate) created_by: String,
    pub(crate) is_deleted: bool,
}

impl Stored {
    /// Its place in the order of a list.
    pub(crate) fn place(&self) -> Place {
        Place { key: SortKey::Time(self.customer.created_at), id: self.key }
    }
}

/// The condition on a list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) email: Option<Email>,
    pub(crate) phone: Option<String>,
}

impl Store {
    pub(crate) fn new(vault: &Arc<Keyring>) -> Self {
        Self { vault: vault.clone() }
    }

    /// A customer that was not deleted.
    pub(crate) async fn find(
        &self,
        read: &Read<'_>,
        tenant: &Tenant,
        key: Uuid,
    ) -> Result<Option<Stored>, DatabaseError> {
        self.living(tenant, read.by_key_of(&FIND, tenant, key).await?.as_ref())
    }

    /// The same, locked until the transaction ends.
    pub(crate) async fn lock(
        &self,
        tx: &mut Transaction,
        tenant: &Tenant,
        key: Uuid,
    ) -> Result<Option<Stored>, DatabaseError> {
        self.living(tenant, tx.row(&LOCK, params![key, tenant]).await?.as_ref())
    }

    /// A page of a list.
    pub(crate) async fn page(
        &self,
        read: &Read<'_>,
        tenant: &Tenant,
        filter: &Filter,
        asked: (Option<&PageEnd>, usize),
    ) -> Result<Page<Stored>, DatabaseError> {
        let stored = |row: &Row| self.stored_from(tenant, row);
        self.list(tenant, filter).page(read, &NEWEST, asked, stored, Stored::place).await
    }

    /// As many rows of a list from its start.
    pub(crate) async fn first(
        &self,
        read: &Read<'_>,
        tenant: &Tenant,
        filter: &Filter,
        count: usize,
    ) -> Result<Vec<Stored>, DatabaseError> {
        let rows = self.list(tenant, filter).rows(read, &NEWEST, None, count).await?;
        rows.iter().map(|row| self.stored_from(tenant, row)).collect()
    }

    /// Adds a customer with the commit.
    pub(crate) fn insert(
        &self,
        tx: &mut Transaction,
        call: &Call,
        key: Uuid,
        customer: &Customer,
    ) -> Result<(), Fault> {
        tx.insert_later(&INSERT, self.insert_values(call, key, customer)?);
        Ok(())
    }

    /// Adds all of these customers, or fails.
    pub(crate) async fn insert_all(
        &self,
        tx: &mut Transaction,
        call: &Call,
        planned: &[Planned],
    ) -> Result<(), Fault> {
        tx.bulk_insert(&INSERT, self.rows(call, planned)?).await?;
        Ok(())
    }

    /// Adds those of these customers whose id is free, and returns their keys.
    pub(crate) async fn insert_free(
        &self,
        tx: &mut Transaction,
        call: &Call,
        planned: &[Planned],
    ) -> Result<HashSet<Uuid>, Fault> {
        Ok(tx.bulk_insert(&INSERT_FREE, self.rows(call, planned)?).await?.into_iter().collect())
    }

    /// Writes a changed customer over its row, which the transaction has locked.
    pub(crate) fn update(
        &self,
        tx: &mut Transaction,
        tenant: &Tenant,
        key: Uuid,
        customer: &Customer,
    ) -> Result<(), Fault> {
        tx.execute_later(&UPDATE, self.values(tenant, key, customer)?);
        Ok(())
    }

    fn list<'a>(&self, tenant: &'a Tenant, filter: &Filter) -> Listed<'a> {
        let mut list = LIST.of(tenant);
        if let Some(email) = &filter.email {
            list = self.equal(list, tenant, &EMAIL, email.as_str());
        }
        if let Some(phone) = &filter.phone {
            list = self.equal(list, tenant, &PHONE, phone).filter("phone_key <> ''", params![]);
        }
        list
    }

    fn living(&self, tenant: &Tenant, row: Option<&Row>) -> Result<Option<Stored>, DatabaseError> {
        let stored = row.map(|row| self.stored_from(tenant, row)).transpose()?;
        Ok(stored.filter(|stored| !stored.is_deleted))
    }

    fn stored_from(&self, tenant: &Tenant, row: &Row) -> Result<Stored, DatabaseError> {
        let key = row.get("id")?;
        let phone = self.open(tenant, &PHONE, key, row)?;
        let customer = Customer {
            id: row.get("given_id")?,
            email: self.open(tenant, &EMAIL, key, row)?,
            name: row.get("name")?,
            phone_e164: phone::e164(&phone).unwrap_or_default(),
            phone,
            metadata: row.get::<Json<_>>("metadata")?.0,
            version: row.get("version")?,
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
            unknown: row.get("unknown")?,
        };
        let is_deleted = row.get::<Option<Timestamp>>("deleted_at")?.is_some();
        Ok(Stored { key, customer, created_by: row.get("created_by")?, is_deleted })
    }

    fn rows(&self, call: &Call, planned: &[Planned]) -> Result<Vec<Vec<Value>>, Fault> {
        let rows = planned.iter();
        rows.map(|planned| self.insert_values(call, planned.id.key(), &planned.customer)).collect()
    }

    /// The values of [`INSERT`]: those of an update, and who created the customer when.
    fn insert_values(&self, call: &Call, key: Uuid, customer: &Customer) -> Result<Vec<Value>, Fault> {
        let mut values = self.values(call.tenant(), key, customer)?;
        values.extend(params![customer.created_at, call.actor()]);
        Ok(values)
    }

    fn values(&self, tenant: &Tenant, key: Uuid, customer: &Customer) -> Result<Vec<Value>, Fault> {
        let values = params![
            tenant,
            key,
            customer.id.as_str(),
            self.seal(tenant, &EMAIL, key, &customer.email)?,
            self.index(tenant, &EMAIL, &customer.email),
            customer.name.as_str(),
            self.seal(tenant, &PHONE, key, &customer.phone)?,
            self.index(tenant, &PHONE, &customer.phone),
            Value::json(&customer.metadata).map_err(Fault::internal)?,
            customer.unknown.as_slice(),
            customer.version,
            customer.updated_at,
        ];
        Ok(values.into())
    }
}

/// The place of a customer in the order of a list, also of one that was deleted.
pub(crate) async fn place(
    read: &Read<'_>,
    tenant: &Tenant,
    key: Uuid,
) -> Result<Option<Place>, DatabaseError> {
    let row = read.row(&PLACE, params![key, tenant]).await?;
    row.map(|row| Ok(Place { key: SortKey::Time(row.get(0)?), id: key })).transpose()
}

/// Which of these ids are taken.
pub(crate) async fn in_use(
    read: &Read<'_>,
    tenant: &Tenant,
    keys: Vec<Uuid>,
) -> Result<HashSet<Uuid>, DatabaseError> {
    read.rows(&IN_USE, params![keys, tenant]).await?.iter().map(|row| row.get(0)).collect()
}

/// Removes everything from a locked row but its id and its versions.
pub(crate) fn delete(tx: &mut Transaction, tenant: &Tenant, key: Uuid, (version, now): (i64, Timestamp)) {
    let values = params![key, tenant, version, serde_json::json!({}), Vec::<u8>::new(), now];
    tx.execute_later(&DELETE, values);
}
