//! Fields that are sealed in their rows, each with a blind index. Without keys, both are the values themselves.

use pando_database::{Database, Value};
use pando_service::prelude::*;
use pando_service::{Email, Listed};
use serde::Serialize;
use uuid::Uuid;

use super::Store;
use crate::domain::phone;

/// How many rows are looked at in one transaction.
pub(super) const BATCH: usize = 500;

/// A field that is sealed.
pub(super) struct Field {
    /// Its column, and its name in a history.
    pub(super) name: &'static str,
    /// The column of its blind index, compared with one value and with several.
    equal: &'static str,
    any: &'static str,
    /// The form in which its values are compared.
    form: fn(&str) -> String,
}

pub(super) static EMAIL: Field = Field {
    name: "email",
    equal: "email_key = $1",
    any: "email_key = any($1)",
    form: |email| Email::stored(email.to_owned()).key(),
};

pub(super) static PHONE: Field =
    Field { name: "phone", equal: "phone_key = $1", any: "phone_key = any($1)", form: phone::key };

pub(super) static SEALED: [&Field; 2] = [&EMAIL, &PHONE];

static AFTER: Query = Query::scan(
    "customers.sealed_after",
    "select tenant, id, email, email_key, phone, phone_key from customers \
     where (id, tenant) > ($1, $2) and deleted_at is null order by id, tenant limit $3",
);

/// A row that was changed meanwhile is left as it is: its values were sealed then.
static RESEAL: Query = Query::write(
    "customers.reseal",
    "update customers set email = $3, email_key = $4, phone = $5, phone_key = $6 \
     where tenant = $1 and id = $2 and email = $7 and phone = $8",
);

/// The outcome of sealing rows again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Resealed {
    /// How many rows were looked at.
    pub seen: u64,
    /// How many of them were sealed with the current key.
    pub sealed: u64,
}

impl Store {
    /// The value as its row holds it. There is no need to hide that there is none.
    pub(super) fn seal(
        &self,
        tenant: &Tenant,
        field: &Field,
        key: Uuid,
        value: &str,
    ) -> Result<String, Fault> {
        if value.is_empty() {
            return Ok(String::new());
        }
        let key = key.to_string();
        self.vault.seal(&[tenant.as_str(), "customers", field.name, &key], value).map_err(Fault::internal)
    }

    /// The value of a row.
    pub(super) fn open(
        &self,
        tenant: &Tenant,
        field: &'static Field,
        key: Uuid,
        row: &Row,
    ) -> Result<String, DatabaseError> {
        self.opened(tenant, field, key, &row.get::<String>(field.name)?)
    }

    /// The value that was sealed like this.
    pub(super) fn opened(
        &self,
        tenant: &Tenant,
        field: &Field,
        key: Uuid,
        stored: &str,
    ) -> Result<String, DatabaseError> {
        let place = key.to_string();
        self.vault.open(&[tenant.as_str(), "customers", field.name, &place], stored).map_err(|error| {
            DatabaseError::BadColumn {
                column: field.name.to_owned(),
                expected: "a value that can be opened",
                found: format!("in the customer {key}: {error}"),
            }
        })
    }

    /// The blind index of a value.
    pub(super) fn index(&self, tenant: &Tenant, field: &Field, value: &str) -> String {
        match (field.form)(value) {
            form if form.is_empty() => form,
            form => self.vault.blind_index(&[tenant.as_str(), field.name], &form),
        }
    }

    /// Only the rows with this value.
    pub(super) fn equal<'a>(
        &self,
        list: Listed<'a>,
        tenant: &Tenant,
        field: &'static Field,
        value: &str,
    ) -> Listed<'a> {
        let mut keys = self.vault.blind_indexes(&[tenant.as_str(), field.name], &(field.form)(value));
        match keys.len() {
            1 => list.filter(field.equal, params![keys.remove(0)]),
            _ => list.filter(field.any, params![keys]),
        }
    }

    /// Whether a value was sealed with another key than the current one, or not at all.
    pub(super) fn needs_reseal(&self, stored: &str) -> bool {
        !stored.is_empty() && self.vault.needs_reseal(stored)
    }

    /// Seals the rows of all tenants with the current key that another key sealed, or none. Requests go on meanwhile.
    pub(crate) async fn reseal(&self, database: &Database, call: &Call) -> Result<Resealed, Fault> {
        let (rows, changes) =
            (self.reseal_rows(database, call).await?, self.reseal_changes(database, call).await?);
        Ok(Resealed { seen: rows.seen + changes.seen, sealed: rows.sealed + changes.sealed })
    }

    async fn reseal_rows(&self, database: &Database, call: &Call) -> Result<Resealed, Fault> {
        let (mut done, mut last) = (Resealed::default(), (Uuid::nil(), Tenant::default()));
        loop {
            let mut tx = database.transaction(call).await?;
            let limit = i64::try_from(BATCH).unwrap_or(i64::MAX);
            let rows = tx.rows(&AFTER, params![last.0, &last.1, limit]).await?;
            for row in &rows {
                let (tenant, key) = (Tenant::stored(&row.get::<String>("tenant")?), row.get("id")?);
                if let Some(values) = self.resealed(&tenant, key, row)? {
                    done.sealed += tx.execute(&RESEAL, values).await?;
                }
                last = (key, tenant);
            }
            tx.commit().await?;
            done.seen += rows.len() as u64;
            if rows.len() < BATCH {
                return Ok(done);
            }
        }
    }

    /// The values of [`RESEAL`], if the row needs it.
    fn resealed(&self, tenant: &Tenant, key: Uuid, row: &Row) -> Result<Option<Vec<Value>>, Fault> {
        let (email, phone) = (self.open(tenant, &EMAIL, key, row)?, self.open(tenant, &PHONE, key, row)?);
        let keys = [self.index(tenant, &EMAIL, &email), self.index(tenant, &PHONE, &phone)];
        let stored: [String; 2] = [row.get("email")?, row.get("phone")?];
        let known: [String; 2] = [row.get("email_key")?, row.get("phone_key")?];
        if !stored.iter().any(|value| self.needs_reseal(value)) && keys == known {
            return Ok(None);
        }
        let [email_key, phone_key] = keys;
        let [email_before, phone_before] = stored;
        let email = self.seal(tenant, &EMAIL, key, &email)?;
        let phone = self.seal(tenant, &PHONE, key, &phone)?;
        let values = params![tenant, key, email, email_key, phone, phone_key, email_before, phone_before];
        Ok(Some(values.into()))
    }
}
