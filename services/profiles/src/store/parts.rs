//! The parts of a profile: address and preferences, read alone or with the profile in one statement.

use pando_database::{DatabaseError, Query, Read, Row, Transaction, params};
use pando_resilience::Tenant;
use uuid::Uuid;

use super::{PROFILE_WIDTH, living, profile_columns};
use crate::domain::history::Operation;
use crate::domain::parts::{Address, FullProfile, Preferences, Theme};
use crate::domain::profile::{Profile, ProfileId};

static FIND_FULL: Query = Query::point(
    "profiles.find_full",
    concat!(
        "select ",
        profile_columns!(),
        ", deleted_at, a.profile_id, a.street, a.city, a.region, a.postal_code, a.country, \
         f.profile_id, f.language, f.time_zone, f.theme, f.newsletter from profiles \
         left join profile_addresses a on a.tenant = profiles.tenant and a.profile_id = id \
         left join profile_preferences f on f.tenant = profiles.tenant and f.profile_id = id \
         where id = $1 and profiles.tenant = $2"
    ),
);

static FIND_ADDRESS: Query = Query::point(
    "profiles.find_address",
    "select profile_id, street, city, region, postal_code, country from profile_addresses \
     where tenant = $2 and profile_id = $1",
);

static FIND_PREFERENCES: Query = Query::point(
    "profiles.find_preferences",
    "select profile_id, language, time_zone, theme, newsletter from profile_preferences \
     where tenant = $2 and profile_id = $1",
);

static PUT_ADDRESS: Query = Query::point(
    "profiles.put_address",
    "insert into profile_addresses (profile_id, street, city, region, postal_code, country, tenant) \
     values ($1, $2, $3, $4, $5, $6, $7) on conflict (tenant, profile_id) do update set street = excluded.street, \
     city = excluded.city, region = excluded.region, postal_code = excluded.postal_code, country = excluded.country",
);

static PUT_PREFERENCES: Query = Query::point(
    "profiles.put_preferences",
    "insert into profile_preferences (profile_id, language, time_zone, theme, newsletter, tenant) \
     values ($1, $2, $3, $4, $5, $6) on conflict (tenant, profile_id) do update set language = excluded.language, \
     time_zone = excluded.time_zone, theme = excluded.theme, newsletter = excluded.newsletter",
);

const ADDRESS_WIDTH: usize = 6;

/// The profile and its parts, by one statement.
pub(crate) async fn find_full(
    read: &Read<'_>,
    tenant: &Tenant,
    id: ProfileId,
) -> Result<Option<FullProfile>, DatabaseError> {
    let Some(row) = read.row(&FIND_FULL, params![Uuid::from(id), tenant]).await? else { return Ok(None) };
    let Some(profile) = living(Some(&row))? else { return Ok(None) };
    let address = address_from(&row, PROFILE_WIDTH + 1)?;
    let preferences = preferences_from(&row, PROFILE_WIDTH + 1 + ADDRESS_WIDTH)?;
    Ok(Some(FullProfile { profile, address, preferences }))
}

/// The address alone.
pub(crate) async fn find_address(
    read: &Read<'_>,
    tenant: &Tenant,
    id: ProfileId,
) -> Result<Option<Address>, DatabaseError> {
    let row = read.row(&FIND_ADDRESS, params![Uuid::from(id), tenant]).await?;
    row.map_or(Ok(None), |row| address_from(&row, 0))
}

/// The preferences alone.
pub(crate) async fn find_preferences(
    read: &Read<'_>,
    tenant: &Tenant,
    id: ProfileId,
) -> Result<Option<Preferences>, DatabaseError> {
    let row = read.row(&FIND_PREFERENCES, params![Uuid::from(id), tenant]).await?;
    row.map_or(Ok(None), |row| preferences_from(&row, 0))
}

/// A part of a profile, which has a row of its own.
pub(crate) trait Part: Sized {
    /// The operation that writes it.
    const OPERATION: Operation;

    /// Finds it by the id of the profile and the tenant.
    fn query() -> &'static Query;

    /// Reads a row whose columns begin at `at`; the key column is null where a join found none.
    fn read(row: &Row, at: usize) -> Result<Option<Self>, DatabaseError>;

    /// Writes it for a locked profile.
    fn put(&self, tx: &mut Transaction, tenant: &Tenant, profile: &Profile);
}

/// A part of a locked profile.
pub(crate) async fn locked<P: Part>(
    tx: &mut Transaction,
    tenant: &Tenant,
    profile: &Profile,
) -> Result<Option<P>, DatabaseError> {
    let row = tx.row(P::query(), params![Uuid::from(profile.id), tenant]).await?;
    row.map_or(Ok(None), |row| P::read(&row, 0))
}

impl Part for Address {
    const OPERATION: Operation = Operation::AddressPut;

    fn query() -> &'static Query {
        &FIND_ADDRESS
    }

    fn read(row: &Row, at: usize) -> Result<Option<Self>, DatabaseError> {
        address_from(row, at)
    }

    fn put(&self, tx: &mut Transaction, tenant: &Tenant, profile: &Profile) {
        let values = params![
            Uuid::from(profile.id),
            self.street.as_str(),
            self.city.as_str(),
            self.region.as_str(),
            self.postal_code.as_str(),
            self.country.as_str(),
            tenant
        ];
        tx.execute_later(&PUT_ADDRESS, values);
    }
}

impl Part for Preferences {
    const OPERATION: Operation = Operation::PreferencesPut;

    fn query() -> &'static Query {
        &FIND_PREFERENCES
    }

    fn read(row: &Row, at: usize) -> Result<Option<Self>, DatabaseError> {
        preferences_from(row, at)
    }

    fn put(&self, tx: &mut Transaction, tenant: &Tenant, profile: &Profile) {
        let values = params![
            Uuid::from(profile.id),
            self.language.as_str(),
            self.time_zone.as_str(),
            self.theme.name(),
            self.newsletter,
            tenant
        ];
        tx.execute_later(&PUT_PREFERENCES, values);
    }
}

/// Reads an address whose columns begin at `at`; the key column is null where a join found none.
fn address_from(row: &Row, at: usize) -> Result<Option<Address>, DatabaseError> {
    if row.get::<Option<Uuid>>(at)?.is_none() {
        return Ok(None);
    }
    Ok(Some(Address {
        street: row.get(at + 1)?,
        city: row.get(at + 2)?,
        region: row.get(at + 3)?,
        postal_code: row.get(at + 4)?,
        country: row.get(at + 5)?,
    }))
}

fn preferences_from(row: &Row, at: usize) -> Result<Option<Preferences>, DatabaseError> {
    if row.get::<Option<Uuid>>(at)?.is_none() {
        return Ok(None);
    }
    Ok(Some(Preferences {
        language: row.get(at + 1)?,
        time_zone: row.get(at + 2)?,
        theme: Theme::named(&row.get::<String>(at + 3)?).unwrap_or_default(),
        newsletter: row.get(at + 4)?,
    }))
}
