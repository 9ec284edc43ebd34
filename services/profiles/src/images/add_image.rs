//! Adds an uploaded image to a profile.

use bytes::Bytes;
use pando_database::Transaction;
use pando_images::{Encoded, Picture};
use pando_queue::{Enqueued, Job};
use pando_resilience::Call;

use super::store::{self, FileRow, ImageRow};
use super::{Image, ImageError, Images, described, make_variants};
use crate::blobs::{self, KeptObject};
use crate::events::Happened;
use crate::history::{Operation, difference};
use crate::memory::Changes;
use crate::once::Outcome;
use crate::profile::{IMAGE_URLS_BYTES_MAX, IMAGE_URLS_MAX, ProfileId};
use crate::store::StoredProfile;
use crate::{Expected, ProfileError, Profiles, Violations, Written};

/// How often an image is put again because its content began to leave in between.
const ATTEMPTS_MAX: usize = 3;

/// The result of an upload.
#[derive(Clone, Debug)]
pub struct Added {
    /// The image.
    pub image: Image,
    /// False when the profile had this image already.
    pub fresh: bool,
    /// The profile's version with it.
    pub version: i64,
}

impl Images {
    /// Adds an image to a profile: its file, its row, its place in `image_urls` and the job that makes its variants. One
    /// that the profile has already stays as it is, so that an upload can be repeated; its address comes back into
    /// `image_urls` where it was taken out.
    pub async fn add_image(
        &self,
        profiles: &Profiles,
        call: &Call,
        id: ProfileId,
        expected: &Expected,
        content: Bytes,
    ) -> Result<Written<Added>, ImageError> {
        let limits = self.0.options.limits();
        let develop = move || {
            let (format, picture) = Picture::read(&content, limits)?;
            drop(content);
            picture.encode(format)
        };
        let encoded = self.0.workshop.work(call, develop).await?;
        for _ in 0..ATTEMPTS_MAX {
            // Durable before anything refers to it.
            let kept = self.0.blobs.keep(call, encoded.content.clone(), described(encoded.format)).await?;
            if let Some(added) = self.add_kept(profiles, call, (id, expected), &encoded, &kept).await? {
                return Ok(added);
            }
        }
        Err(ImageError::Busy("the same image is being deleted at this moment"))
    }

    /// Refers to an object that is there; nothing when it began to leave.
    async fn add_kept(
        &self,
        profiles: &Profiles,
        call: &Call,
        (id, expected): (ProfileId, &Expected),
        encoded: &Encoded,
        kept: &KeptObject,
    ) -> Result<Option<Written<Added>>, ImageError> {
        let ticket = profiles.0.memory.before_change(id);
        let (mut tx, stored) = profiles.lock_living(call, id, expected).await?;
        if let Some(known) = store::find_by_blob(&mut tx, id, kept.name.as_str()).await? {
            let files = store::files_of(&mut tx, id, known.number).await?;
            let image = self.image(known, &files).ok_or(ImageError::NotFound)?;
            let (mut changes, mut version) = (Changes::default(), stored.profile.version);
            if !stored.profile.image_urls.contains(&image.url) {
                self.check_room(&stored, 0)?;
                let mut draft = stored.profile.draft();
                draft.image_urls.push(image.url.clone());
                changes = profiles.change_urls(&mut tx, call, &stored, draft, ticket).await?;
                version += 1;
            }
            let added = Added { image, fresh: false, version };
            return self.committed(profiles, call, (tx, changes), id, added).await.map(Some);
        }
        let now = profiles.0.clock.now();
        if !blobs::confirm(&mut tx, kept, now).await? {
            return Ok(None);
        }
        let (last, count) = store::last_number(&mut tx, id).await?;
        self.check_room(&stored, count)?;
        let image = ImageRow {
            number: last + 1,
            blob: kept.name.to_string(),
            url: self.url(kept.name.as_str()),
            ready: false,
            created_at: now,
        };
        store::insert(&mut tx, id, &image, &call.actor).await?;
        let original = file(image.number, 0, encoded, kept);
        store::insert_file(&mut tx, id, &original).await?;
        self.enqueue_variants(&mut tx, id, image.number).await?;
        let mut draft = stored.profile.draft();
        draft.image_urls.push(image.url.clone());
        let changes = profiles.change_urls(&mut tx, call, &stored, draft, ticket).await?;
        let image = self.image(image, &[original]).ok_or(ImageError::NotFound)?;
        let added = Added { image, fresh: true, version: stored.profile.version + 1 };
        self.committed(profiles, call, (tx, changes), id, added).await.map(Some)
    }

    /// Keeps the answer for repeats, and commits.
    async fn committed(
        &self,
        profiles: &Profiles,
        call: &Call,
        (mut tx, changes): (Transaction, Changes),
        id: ProfileId,
        added: Added,
    ) -> Result<Written<Added>, ImageError> {
        profiles.keep_answer(&mut tx, Some(id), Outcome::Image(&added, id)).await?;
        let token = profiles.commit(call, tx, changes).await?;
        Ok(Written { value: added, token })
    }

    /// A profile has room for so many images, and so many addresses.
    fn check_room(&self, stored: &StoredProfile, count: i64) -> Result<(), ImageError> {
        let most = self.0.options.per_profile_max;
        let urls = &stored.profile.image_urls;
        let bytes = urls.iter().map(String::len).sum::<usize>() + self.url("").len() + 80;
        let full = usize::try_from(count).unwrap_or(usize::MAX) >= most || urls.len() >= IMAGE_URLS_MAX;
        if full || bytes > IMAGE_URLS_BYTES_MAX {
            let message = format!(
                "the profile has as many images or addresses as allowed: {most} images, {IMAGE_URLS_MAX} addresses"
            );
            return Err(ProfileError::from(Violations::one("image", "too_many", message)).into());
        }
        Ok(())
    }

    async fn enqueue_variants(
        &self,
        tx: &mut Transaction,
        id: ProfileId,
        number: i64,
    ) -> Result<Enqueued, ImageError> {
        let job = Job {
            settings: make_variants::settings(),
            ..Job::new(make_variants::KIND, make_variants::payload(id, number))
        };
        Ok(self.0.queue.enqueue(tx, job).await?)
    }
}

impl Profiles {
    /// Writes other addresses of images into a locked profile, as any change of it is written.
    pub(crate) async fn change_urls(
        &self,
        tx: &mut Transaction,
        call: &Call,
        stored: &StoredProfile,
        draft: crate::ProfileDraft,
        ticket: Option<pando_cache::Ticket>,
    ) -> Result<Changes, ProfileError> {
        let current = &stored.profile;
        let profile = current.followed_by(draft, self.0.clock.now());
        crate::store::update(tx, &profile);
        let fields = difference(&current.draft().document(), &profile.draft().document());
        let changes = Changes::change(&profile, ticket, Happened::changed(&fields))?;
        crate::store::changes::record(tx, stored, &profile, Operation::Updated, &call.actor, fields);
        Ok(changes)
    }
}

/// The row of a file.
pub(crate) fn file(number: i64, edge: u32, encoded: &Encoded, kept: &KeptObject) -> FileRow {
    FileRow {
        number,
        edge: i64::from(edge),
        blob: kept.name.to_string(),
        width: i64::from(encoded.width),
        height: i64::from(encoded.height),
        bytes: i64::try_from(encoded.content.len()).unwrap_or(i64::MAX),
    }
}
