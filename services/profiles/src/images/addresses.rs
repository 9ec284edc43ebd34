//! Computes which addresses of images `image_urls` of a profile ought to contain.

use std::collections::{HashMap, HashSet};

use pando_database::{DatabaseError, Query, Transaction, params};
use pando_objects::ObjectName;
use pando_resilience::Tenant;
use uuid::Uuid;

use super::ImagesOptions;
use crate::domain::profile::{Profile, ProfileId};

static IMAGES_OF: Query = Query::scan(
    "profiles.images_of_many",
    "select profile_id, number, blob, url from profile_images where tenant = $2 and profile_id = any($1) \
     order by profile_id, number",
);

static NAMES_IN_USE: Query = Query::scan(
    "profiles.image_names_in_use",
    "select distinct blob from profile_image_files where blob = any($1)",
);

static MOVE: Query = Query::write(
    "profiles.move_image",
    "update profile_images set url = $3 where tenant = $4 and profile_id = $1 and number = $2",
);

/// The addresses of images of some profiles, according to the rows of images.
#[derive(Debug, Default)]
pub(crate) struct Addresses {
    tenant: Tenant,
    base: String,
    images: HashMap<ProfileId, Vec<Placed>>,
    /// Files of ours that addresses name, and that are there.
    in_use: HashSet<String>,
}

#[derive(Debug)]
struct Placed {
    number: i64,
    /// Where it is now.
    url: String,
    /// Where it was when its row was written.
    written: String,
}

impl Addresses {
    /// Reads them.
    pub(crate) async fn of(
        tx: &mut Transaction,
        tenant: &Tenant,
        options: &ImagesOptions,
        profiles: &[&Profile],
    ) -> Result<Self, DatabaseError> {
        let mut addresses = Self { tenant: tenant.clone(), base: options.url(""), ..Self::default() };
        let ids: Vec<Uuid> = profiles.iter().map(|profile| profile.id.into()).collect();
        for row in tx.rows(&IMAGES_OF, params![ids, tenant]).await? {
            let (id, number, blob): (Uuid, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let placed = Placed { number, url: options.url(&blob), written: row.get(3)? };
            addresses.images.entry(id.into()).or_default().push(placed);
        }
        let urls = profiles.iter().flat_map(|profile| &profile.image_urls);
        let names: Vec<String> = urls.filter_map(|url| addresses.named(url)).collect();
        if !names.is_empty() {
            let rows = tx.rows(&NAMES_IN_USE, params![names]).await?;
            addresses.in_use = rows.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
        }
        Ok(addresses)
    }

    /// The right value of `image_urls`: images with their present addresses, and no address of a missing file of ours. Other
    /// addresses that the owner wrote stay as they are, and addresses that the owner removed stay removed.
    pub(crate) fn right(&self, profile: &Profile) -> Vec<String> {
        let images = self.images.get(&profile.id).map_or(&[][..], Vec::as_slice);
        let mut right: Vec<String> = Vec::with_capacity(profile.image_urls.len());
        for url in &profile.image_urls {
            let image = images.iter().find(|image| image.written == *url || image.url == *url);
            match image {
                Some(image) if right.contains(&image.url) && image.url != *url => {}
                Some(image) => right.push(image.url.clone()),
                None if self.named(url).is_some_and(|name| !self.in_use.contains(&name)) => {}
                None => right.push(url.clone()),
            }
        }
        right
    }

    /// Whether rows of a profile's images tell an address that is not theirs any more.
    pub(crate) fn moved(&self, id: ProfileId) -> bool {
        self.images.get(&id).is_some_and(|images| images.iter().any(|image| image.written != image.url))
    }

    /// Writes into the rows of a profile's images where they are now.
    pub(crate) async fn write(&self, tx: &mut Transaction, id: ProfileId) -> Result<(), DatabaseError> {
        for image in self.images.get(&id).into_iter().flatten() {
            if image.written != image.url {
                let values = params![Uuid::from(id), image.number, image.url.as_str(), &self.tenant];
                tx.execute(&MOVE, values).await?;
            }
        }
        Ok(())
    }

    /// The file of ours that an address names.
    fn named(&self, url: &str) -> Option<String> {
        let name = ObjectName::parse(url.strip_prefix(&self.base)?)?;
        name.is_of(&self.tenant).then(|| name.to_string())
    }
}
