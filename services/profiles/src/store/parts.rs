//! The parts of a profile: address and preferences, read alone or with the profile in one statement.

use pando_database::{DatabaseError, Query, Read, Row, Transaction, params};
use pando_resilience::Tenant;
use uuid::Uuid;

use super::{living, profile_columns};
use crate::domain::history::Operation;
use crate::domain::parts::{Address, FullProfile, Preferences, Theme};
use crate::domain::profile::{Profile, ProfileId};

static FIND_FULL: Query = Query::point(
    "profiles.find_full",
    concat!(
        "select ",
        profile_columns!(),
        ", deleted_at, a.profile_id as address_of, street, city, region, postal_code, country, \
         f.profile_id as preferences_of, language, time_zone, theme, newsletter from profiles \
         left join profile_addresses a on a.tenant = profiles.tenant and a.profile_id = id \
         left join profile_preferences f on f.tenant = profiles.tenant and f.profile_id = id \
         where id = $1 and profiles.tenant = $2"
    ),
);

static FIND_ADDRESS: Query = Query::point(
    "profiles.find_address",
    "select profile_id as address_of, street, city, region, postal_code, country from profile_addresses \
     where tenant = $2 and profile_id = $1",
);

static FIND_PREFERENCES: Query = Query::point(
    "profiles.find_preferences",
    "select profile_id as preferences_of, language, time_zone, theme, newsletter from profile_preferences \
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

/// The profile and its parts, by one statement.
pub(crate) async fn find_full(
    read: &Read<'_>,
    tenant: &Tenant,
    id: ProfileId,
) -> Result<Option<FullProfile>, DatabaseError> {
    let Some(row) = read.row(&FIND_FULL, params![Uuid::from(id), tenant]).await? else { return Ok(None) };
    let Some(profile) = living(Some(&row))? else { return Ok(None) };
    Ok(Some(FullProfile { profile, address: Part::from_row(&row)?, preferences: Part::from_row(&row)? }))
}

/// A part alone.
pub(crate) async fn find<P: Part>(
    read: &Read<'_>,
    tenant: &Tenant,
    id: ProfileId,
) -> Result<Option<P>, DatabaseError> {
    let row = read.row(P::query(), params![Uuid::from(id), tenant]).await?;
    row.map_or(Ok(None), |row| P::from_row(&row))
}

/// A part of a profile, which has a row of its own.
pub(crate) trait Part: Sized {
    /// The operation that writes it.
    const OPERATION: Operation;

    /// Finds it by the id of the profile and the tenant.
    fn query() -> &'static Query;

    /// Reads its columns of a row; none where a join found none.
    fn from_row(row: &Row) -> Result<Option<Self>, DatabaseError>;

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
    row.map_or(Ok(None), |row| P::from_row(&row))
}

impl Part for Address {
    const OPERATION: Operation = Operation::AddressPut;

    fn query() -> &'static Query {
        &FIND_ADDRESS
    }

    fn from_row(row: &Row) -> Result<Option<Self>, DatabaseError> {
        if row.get::<Option<Uuid>>("address_of")?.is_none() {
            return Ok(None);
        }
        Ok(Some(Self {
            street: row.get("street")?,
            city: row.get("city")?,
            region: row.get("region")?,
            postal_code: row.get("postal_code")?,
            country: row.get("country")?,
        }))
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

    fn from_row(row: &Row) -> Result<Option<Self>, DatabaseError> {
        if row.get::<Option<Uuid>>("preferences_of")?.is_none() {
            return Ok(None);
        }
        Ok(Some(Self {
            language: row.get("language")?,
            time_zone: row.get("time_zone")?,
            theme: Theme::named(&row.get::<String>("theme")?).unwrap_or_default(),
            newsletter: row.get("newsletter")?,
        }))
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
