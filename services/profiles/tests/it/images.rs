//! Images of profiles, on both engines: from the upload to the last file.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use pando_database::{Query, params};
use pando_images::{Format, ImageLimits, Picture};
use pando_objects::Objects;
use pando_profiles::{Added, Image, Images, ImagesOptions, Profile, ProfilesOptions};
use pando_queue::Registry;
use pando_service::{Class, Fault};
use serde_json::json;

use crate::{House, call, each_house_with, is};

/// Longer than any file is old, by the clock of a test that stands still.
pub(crate) const AGES: Duration = Duration::from_secs(30 * 365 * 86_400);

/// A house with images.
pub(crate) struct Gallery {
    pub(crate) house: House,
    pub(crate) images: Images,
    pub(crate) objects: Objects,
    pub(crate) registry: Registry,
}

/// Runs a test in a fresh gallery on every engine.
pub(crate) async fn each_gallery<F: AsyncFn(Gallery)>(test: F) {
    each_gallery_with(ImagesOptions::default(), test).await;
}

pub(crate) async fn each_gallery_with<F: AsyncFn(Gallery)>(images: ImagesOptions, test: F) {
    each_gallery_of(ProfilesOptions { images, ..ProfilesOptions::default() }, test).await;
}

pub(crate) async fn each_gallery_of<F: AsyncFn(Gallery)>(options: ProfilesOptions, test: F) {
    each_house_with(options.clone(), async |house| {
        let objects = house.objects.clone();
        let images = Images::new(&house.profiles, &house.parts, &options).unwrap();
        let mut registry = Registry::default();
        images.add_kinds(&mut registry).unwrap();
        house.profiles.add_kinds(&mut registry).unwrap();
        Box::pin(test(Gallery { house, images, objects, registry })).await;
    })
    .await;
}

impl Gallery {
    pub(crate) async fn add(&self, profile: &Profile, content: &[u8]) -> Result<Added, Fault> {
        let content = Bytes::copy_from_slice(content);
        let added = self.images.add_image(&call(), profile.id, &Default::default(), content).await?;
        Ok(added.value)
    }

    async fn delete(&self, profile: &Profile, number: i64) -> Result<(), Fault> {
        self.images.delete_image(&call(), profile.id, &Default::default(), number).await.map(drop)
    }

    async fn list(&self, profile: &Profile) -> Vec<Image> {
        self.images.list_images(&call(), profile.id).await.unwrap()
    }

    pub(crate) async fn urls(&self, profile: &Profile) -> Vec<String> {
        self.house.profiles.get_profile(&call(), profile.id).await.unwrap().image_urls
    }

    pub(crate) async fn work(&self) {
        self.house.queue.run_until_idle(&self.registry).await.unwrap();
    }

    /// Enqueues a job and runs it, with all that follows.
    pub(crate) async fn run(&self, kind: &str, payload: serde_json::Value) {
        let mut tx = self.house.queue.database().transaction(&call()).await.unwrap();
        let job = self.registry.job(kind, payload).unwrap();
        self.house.queue.enqueue(&mut tx, job).await.unwrap();
        tx.commit().await.unwrap();
        self.work().await;
    }

    pub(crate) async fn sweep(&self) {
        self.run("image_sweep", json!({})).await;
    }

    /// The names of what lies in the store.
    pub(crate) async fn stored(&self) -> BTreeSet<String> {
        self.objects.list().map_ok(|listed| listed.name.to_string()).try_collect().await.unwrap()
    }

    /// The names of everything that the images of a profile refer to.
    pub(crate) async fn files_of(&self, profile: &Profile) -> BTreeSet<String> {
        Self::referred_to(&self.list(profile).await)
    }

    /// The names of everything that images refer to.
    fn referred_to(images: &[Image]) -> BTreeSet<String> {
        let urls = images.iter().flat_map(|image| {
            image.variants.iter().map(|variant| &variant.url).chain([&image.url]).cloned().collect::<Vec<_>>()
        });
        urls.map(|url| url.rsplit('/').next().unwrap().to_owned()).collect()
    }

    async fn bytes_of(&self, url: &str) -> Bytes {
        let name = pando_objects::ObjectName::parse(url.rsplit('/').next().unwrap()).unwrap();
        self.objects.get(&call(), &name, None).await.unwrap().unwrap().read().await.unwrap()
    }
}

/// A picture whose left half is red and whose right half is blue, with a little of a number in it.
fn two_colors(width: u32, height: u32, number: u8) -> Picture {
    Picture::paint(
        width,
        height,
        |x, _| {
            if x < width / 2 { [200, number, number] } else { [number, number, 200] }
        },
    )
}

pub(crate) fn png(width: u32, height: u32, number: u8) -> Vec<u8> {
    two_colors(width, height, number).encode(Format::Png).unwrap().content.to_vec()
}

/// A JPEG as a phone makes it: lying on its side, with a place and a name beside the picture.
fn phone_jpeg(width: u32, height: u32) -> Vec<u8> {
    let plain = two_colors(width, height, 10).encode(Format::Jpeg).unwrap().content;
    // TIFF, big end first; a directory of three entries at 8, ending at 50.
    let mut tiff = b"MM\0\x2a\0\0\0\x08\0\x03".to_vec();
    tiff.extend(b"\x01\x0e\0\x02\0\0\0\x0e\0\0\0\x32"); // what it shows: 14 letters at 50
    tiff.extend(b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0"); // orientation 6
    tiff.extend(b"\x88\x25\0\x04\0\0\0\x01\0\0\0\x40"); // the place, at 64
    tiff.extend(b"\0\0\0\0taken at home\0");
    tiff.extend(b"\0\x02\0\x01\0\x02\0\0\0\x02N\0\0\0"); // north
    tiff.extend(b"\0\x02\0\x05\0\0\0\x03\0\0\0\x5e\0\0\0\0"); // degrees, minutes, seconds at 94
    tiff.extend(b"\0\0\0\x34\0\0\0\x01\0\0\0\x1e\0\0\0\x01\0\0\0\x0f\0\0\0\x01");
    let mut content = plain[..2].to_vec();
    content.extend([0xff, 0xe1]);
    content.extend(u16::try_from(tiff.len() + 8).unwrap().to_be_bytes());
    content.extend(b"Exif\0\0");
    content.extend(&tiff);
    content.extend(&plain[2..]);
    content
}

fn holds(content: &[u8], text: &[u8]) -> bool {
    content.windows(text.len()).any(|window| window == text)
}

#[tokio::test]
async fn a_picture_of_a_phone_comes_back_upright_without_its_place_and_with_variants() {
    each_gallery(async |gallery| {
        let zoe = gallery.house.person("Zoe").await;
        let sent = phone_jpeg(800, 600);
        assert!(holds(&sent, b"taken at home"));
        let added = gallery.add(&zoe, &sent).await.unwrap();
        let image = added.image;
        assert!(added.created && !image.ready && image.variants.is_empty());
        assert_eq!(
            (image.number, &*image.media_type, image.width, image.height),
            (1, "image/jpeg", 600, 800)
        );
        let kept = gallery.bytes_of(&image.url).await;
        assert!(!holds(&kept, b"Exif") && !holds(&kept, b"taken at home"));
        let upright = Picture::read(&kept, ImageLimits::default()).unwrap().1;
        assert!(upright.pixel(300, 50).unwrap()[0] > 150, "what lay to the left is on top");
        assert!(upright.pixel(300, 750).unwrap()[2] > 150);

        // Its address is in the profile, as any change of it.
        assert_eq!(gallery.urls(&zoe).await, std::slice::from_ref(&image.url));
        let history = gallery.house.profiles.list_changes(&call(), zoe.id, None, 10).await.unwrap();
        assert_eq!(history[0].after["image_urls"], json!([image.url]));

        gallery.work().await;
        let [image] = &gallery.list(&zoe).await[..] else { panic!("one image") };
        assert!(image.ready);
        let made: Vec<_> =
            image.variants.iter().map(|it| (it.edge, &*it.media_type, it.width, it.height)).collect();
        let expected = [
            (64, "image/jpeg", 48, 64),
            (64, "image/webp", 48, 64),
            (256, "image/jpeg", 192, 256),
            (256, "image/webp", 192, 256),
            (1024, "image/jpeg", 600, 800),
            (1024, "image/webp", 600, 800),
        ];
        assert_eq!(made, expected);
        for variant in &image.variants {
            let content = gallery.bytes_of(&variant.url).await;
            assert_eq!(i64::try_from(content.len()).unwrap(), variant.bytes);
            let pixels = Picture::read(&content, ImageLimits::default()).unwrap().1;
            assert_eq!(
                (i64::from(pixels.width()), i64::from(pixels.height())),
                (variant.width, variant.height)
            );
        }
        assert_eq!(gallery.stored().await, Gallery::referred_to(std::slice::from_ref(image)));

        // The job may run again, and nothing is different.
        gallery.run("image_variants", json!({"profile_id": zoe.id, "number": 1})).await;
        assert_eq!(gallery.list(&zoe).await[..], *std::slice::from_ref(image));
    })
    .await;
}

/// A picture with as much detail as light falls on: what no lossless format makes small.
fn detailed(width: u32, height: u32) -> Picture {
    let mut state = 1_u32;
    Picture::paint(width, height, |x, y| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let grain = state >> 27;
        [x / 4 + grain, y / 4 + grain, (x + y) / 8 + grain].map(|shade| shade.to_le_bytes()[0])
    })
}

#[tokio::test]
async fn a_webp_that_would_be_larger_than_the_photograph_is_not_made() {
    each_gallery(async |gallery| {
        let zoe = gallery.house.person("Zoe").await;
        let photograph = detailed(600, 400).encode(Format::Jpeg).unwrap().content;
        // What a phone writes behind a photograph: the film of its last second.
        let sent = [&photograph[..], b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", &[7; 5_000]].concat();
        gallery.add(&zoe, &sent).await.unwrap();
        gallery.work().await;
        let [image] = &gallery.list(&zoe).await[..] else { panic!("one image") };
        assert!(!holds(&gallery.bytes_of(&image.url).await, b"ftyp"), "only the picture is kept");
        let made: Vec<_> = image.variants.iter().map(|it| (it.edge, &*it.media_type)).collect();
        assert_eq!(made, [(64, "image/jpeg"), (256, "image/jpeg"), (1024, "image/jpeg")]);
    })
    .await;
}

#[tokio::test]
async fn an_image_sent_again_is_the_one_that_is_there() {
    each_gallery(async |gallery| {
        let (zoe, bob) = (gallery.house.person("Zoe").await, gallery.house.person("Bob").await);
        let content = png(20, 10, 1);
        let first = gallery.add(&zoe, &content).await.unwrap();
        let again = gallery.add(&zoe, &content).await.unwrap();
        assert!(first.created && !again.created);
        assert_eq!(first.image, again.image);
        assert_eq!(gallery.urls(&zoe).await.len(), 1);
        // Another profile has the same file.
        let other = gallery.add(&bob, &content).await.unwrap();
        assert!(other.created && other.image.url == first.image.url);
        let second = gallery.add(&zoe, &png(20, 10, 2)).await.unwrap();
        assert_eq!(second.image.number, 2);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_image_alone_leaves_nothing_behind() {
    each_gallery(async |gallery| {
        let zoe = gallery.house.person("Zoe").await;
        let whole = png(30, 30, 1);
        let polyglot = [&whole[..], b"<script>alert(1)</script>"].concat();
        for (content, status) in [
            (&b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"[..], 415),
            (&polyglot, 415),
            (&[&b"PK"[..], &whole].concat(), 415),
            (b"", 415),
            (&whole[..whole.len() / 2], 422),
            (&phone_jpeg(60, 40)[..500], 422),
        ] {
            let refused = gallery.add(&zoe, content).await.unwrap_err();
            assert_eq!(pando_http::Problem::from(refused).status().as_u16(), status);
        }
        assert_eq!(gallery.urls(&zoe).await, [""; 0]);
        assert_eq!(gallery.stored().await, BTreeSet::new());
    })
    .await;
}

#[tokio::test]
async fn an_image_sent_again_brings_its_address_back() {
    each_gallery(async |gallery| {
        let zoe = gallery.house.person("Zoe").await;
        let content = png(20, 10, 1);
        let first = gallery.add(&zoe, &content).await.unwrap();
        let without = crate::fields(json!({"image_urls": []}));
        let profiles = &gallery.house.profiles;
        profiles.update_profile(&call(), zoe.id, &Default::default(), &without).await.unwrap();
        let again = gallery.add(&zoe, &content).await.unwrap();
        assert_eq!((again.created, again.version, &again.image), (false, 4, &first.image));
        assert_eq!(gallery.urls(&zoe).await, [first.image.url]);
        assert_eq!(gallery.add(&zoe, &content).await.unwrap().version, 4, "nothing is changed any more");
    })
    .await;
}

#[tokio::test]
async fn a_change_of_images_and_a_restoration_are_fenced_by_the_version() {
    each_gallery(async |gallery| {
        let zoe = gallery.house.person("Zoe").await;
        let (profiles, images) = (&gallery.house.profiles, &gallery.images);
        let at = |version| pando_service::Expected::OneOf(vec![version]);
        let add = async |version| {
            let content = Bytes::from(png(20, 10, 1));
            images.add_image(&call(), zoe.id, &at(version), content).await
        };
        assert!(add(7).await.is_err());
        assert_eq!(add(1).await.unwrap().value.version, 2);
        assert!(images.delete_image(&call(), zoe.id, &at(1), 1).await.is_err());
        assert_eq!(images.delete_image(&call(), zoe.id, &at(2), 1).await.unwrap().value.version, 3);
        profiles.delete_profile(&call(), zoe.id, &at(3)).await.unwrap();
        assert!(profiles.restore_profile(&call(), zoe.id, &at(3)).await.is_err());
        assert_eq!(profiles.restore_profile(&call(), zoe.id, &at(4)).await.unwrap().value.version, 5);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_restored_any_more_is_purged() {
    each_gallery(async |gallery| {
        let profiles = &gallery.house.profiles;
        let (gone, zoe) = (gallery.house.person("Gone").await, gallery.house.person("Zoe").await);
        gallery.add(&gone, &png(9, 9, 1)).await.unwrap();
        let city = crate::fields(json!({"city": "Paris"}));
        profiles.put_address(&call(), gone.id, &Default::default(), &city).await.unwrap();
        let import = pando_profiles::ImportRequest {
            token: "old".to_owned(),
            format: pando_profiles::RecordFormat::Ndjson,
            dry_run: false,
        };
        let nothing = futures_util::stream::iter([Ok(Bytes::from_static(b"{}"))]);
        profiles.import_profiles(&call(), import, nothing).await.unwrap();
        gallery.work().await;
        profiles.delete_profile(&call(), gone.id, &Default::default()).await.unwrap();
        gallery.house.clock.advance(Duration::from_secs(29 * 86_400));
        gallery.sweep().await;
        assert!(!profiles.list_changes(&call(), gone.id, None, 10).await.unwrap().is_empty());
        assert!(profiles.get_import(&call(), "old").await.is_ok());
        gallery.house.clock.advance(Duration::from_secs(2 * 86_400));
        gallery.sweep().await;
        let lines = crate::erasure::everything(&gallery.house).await;
        let left: Vec<_> = lines
            .iter()
            .filter(|line| {
                line.starts_with("profile") && (line.contains(&gone.id.to_string()) || line.contains("Paris"))
            })
            .collect();
        assert!(left.is_empty(), "{left:#?}");
        assert!(profiles.get_import(&call(), "old").await.is_err());
        assert_eq!(profiles.get_profile(&call(), zoe.id).await.unwrap(), zoe);
    })
    .await;
}

#[tokio::test]
async fn a_profile_has_room_for_so_many_images() {
    let options = ImagesOptions { per_profile_max: 2, ..ImagesOptions::default() };
    each_gallery_with(options, async |gallery| {
        let zoe = gallery.house.person("Zoe").await;
        gallery.add(&zoe, &png(9, 9, 1)).await.unwrap();
        gallery.add(&zoe, &png(9, 9, 2)).await.unwrap();
        let refused = gallery.add(&zoe, &png(9, 9, 3)).await.unwrap_err();
        assert_eq!(pando_http::Problem::from(refused).status().as_u16(), 422);
        gallery.delete(&zoe, 1).await.unwrap();
        assert_eq!(gallery.add(&zoe, &png(9, 9, 3)).await.unwrap().image.number, 3);
    })
    .await;
}

#[tokio::test]
async fn a_deleted_image_takes_the_files_that_nobody_else_has() {
    each_gallery(async |gallery| {
        let (zoe, bob) = (gallery.house.person("Zoe").await, gallery.house.person("Bob").await);
        let shared = png(80, 40, 1);
        gallery.add(&zoe, &shared).await.unwrap();
        gallery.add(&bob, &shared).await.unwrap();
        gallery.add(&zoe, &png(80, 40, 2)).await.unwrap();
        gallery.work().await;
        gallery.house.clock.advance(AGES);

        gallery.delete(&zoe, 1).await.unwrap();
        gallery.delete(&zoe, 2).await.unwrap();
        assert!(is(&gallery.delete(&zoe, 2).await, Class::NotFound));
        assert_eq!(gallery.urls(&zoe).await, [""; 0]);
        gallery.work().await;
        assert_eq!(gallery.stored().await, Gallery::referred_to(&gallery.list(&bob).await));

        gallery.delete(&bob, 1).await.unwrap();
        gallery.work().await;
        assert_eq!(gallery.stored().await, BTreeSet::new());
    })
    .await;
}

#[tokio::test]
async fn files_that_somebody_may_be_about_to_refer_to_stay_for_a_while() {
    each_gallery(async |gallery| {
        let zoe = gallery.house.person("Zoe").await;
        gallery.add(&zoe, &png(9, 9, 1)).await.unwrap();
        gallery.delete(&zoe, 1).await.unwrap();
        gallery.work().await;
        assert_eq!(gallery.stored().await.len(), 1, "it was kept a moment ago");
        gallery.sweep().await;
        assert_eq!(gallery.stored().await.len(), 1);
        // Another upload of the same content is in time.
        gallery.add(&zoe, &png(9, 9, 1)).await.unwrap();
        gallery.house.clock.advance(AGES);
        gallery.work().await;
        gallery.sweep().await;
        assert_eq!(gallery.stored().await, Gallery::referred_to(&gallery.list(&zoe).await));
        assert!(!gallery.stored().await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn the_sweep_takes_what_a_crash_left_and_nothing_else() {
    each_gallery(async |gallery| {
        let zoe = gallery.house.person("Zoe").await;
        gallery.add(&zoe, &png(300, 200, 1)).await.unwrap();
        gallery.work().await;
        // A process that died between the file and the row, and a file that no database ever heard of.
        let missing = gallery.house.person("Gone").await;
        gallery.house.profiles.delete_profile(&call(), missing.id, &Default::default()).await.unwrap();
        assert!(gallery.add(&missing, &png(9, 9, 2)).await.is_err());
        let stray = Bytes::from_static(b"stray");
        let name = pando_objects::ObjectName::of(&stray, "png").unwrap();
        gallery.objects.put(&call(), &name, stray, "image/png").await.unwrap();
        let wanted = Gallery::referred_to(&gallery.list(&zoe).await);
        assert_eq!(gallery.stored().await.len(), wanted.len() + 2);
        gallery.house.clock.advance(AGES);
        gallery.sweep().await;
        assert_eq!(gallery.stored().await, wanted);
        gallery.sweep().await;
        assert_eq!(gallery.stored().await, wanted);
    })
    .await;
}

#[tokio::test]
async fn a_deletion_whose_process_died_is_continued_by_one_other() {
    static DIE: Query = Query::write(
        "test.die",
        "update profile_blobs set leaving = true, touched_at = $1 where not leaving",
    );
    each_gallery(async |gallery| {
        let zoe = gallery.house.person("Zoe").await;
        let content = png(9, 9, 1);
        gallery.add(&zoe, &content).await.unwrap();
        gallery.work().await;
        gallery.delete(&zoe, 1).await.unwrap();
        gallery.house.clock.advance(AGES);
        let mut tx = gallery.house.queue.database().transaction(&call()).await.unwrap();
        tx.execute(&DIE, params![gallery.house.clock.now()]).await.unwrap();
        tx.commit().await.unwrap();
        // As long as the other deletion may still be running, nobody deletes beside it, and uploads wait.
        gallery.work().await;
        gallery.sweep().await;
        assert_eq!(gallery.stored().await.len(), 1);
        assert!(is(&gallery.add(&zoe, &content).await, Class::Unavailable));
        gallery.house.clock.advance(Duration::from_secs(31));
        gallery.work().await;
        assert_eq!(gallery.stored().await, BTreeSet::new());
        gallery.add(&zoe, &content).await.unwrap();
        assert_eq!(gallery.stored().await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn images_of_a_deleted_profile_stay_as_long_as_it_can_be_restored() {
    each_gallery(async |gallery| {
        let zoe = gallery.house.person("Zoe").await;
        gallery.add(&zoe, &png(9, 9, 1)).await.unwrap();
        gallery.work().await;
        let profiles = &gallery.house.profiles;
        profiles.delete_profile(&call(), zoe.id, &Default::default()).await.unwrap();
        gallery.house.clock.advance(Duration::from_secs(29 * 86_400));
        gallery.sweep().await;
        profiles.restore_profile(&call(), zoe.id, &Default::default()).await.unwrap();
        assert_eq!(gallery.list(&zoe).await.len(), 1);
        assert_eq!(gallery.stored().await, Gallery::referred_to(&gallery.list(&zoe).await));
        profiles.delete_profile(&call(), zoe.id, &Default::default()).await.unwrap();
        gallery.house.clock.advance(Duration::from_secs(31 * 86_400));
        gallery.sweep().await;
        assert_eq!(gallery.stored().await, BTreeSet::new());
    })
    .await;
}

#[tokio::test]
async fn an_erased_person_leaves_no_file_behind() {
    each_gallery(async |gallery| {
        let (zoe, bob) = (gallery.house.person("Zoe").await, gallery.house.person("Bob").await);
        for number in 1..=3 {
            gallery.add(&zoe, &png(80, 40, number)).await.unwrap();
        }
        gallery.add(&bob, &png(80, 40, 3)).await.unwrap();
        gallery.work().await;
        gallery.house.clock.advance(AGES);
        gallery.run("erase", json!({"profile_id": zoe.id})).await;
        assert!(gallery.house.profiles.list_changes(&call(), zoe.id, None, 1).await.is_err());
        assert_eq!(gallery.stored().await, Gallery::referred_to(&gallery.list(&bob).await));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn uploads_and_deletions_of_the_same_image_at_once_leave_no_address_that_leads_nowhere() {
    let options = ImagesOptions { grace_seconds: 1, ..ImagesOptions::default() };
    each_gallery_with(options, async |gallery| {
        let mut people = Vec::new();
        for name in ["Ann", "Bob", "Cat", "Dan"] {
            people.push(gallery.house.person(name).await);
        }
        for round in 0..30 {
            // Old enough to go at once: the graver case. Jobs and sweeps delete the same file at the same time.
            gallery.house.clock.advance(Duration::from_secs(60));
            let content = png(9, 9, 7);
            let uploads = people.iter().zip(0u64..).map(async |(person, place)| {
                // At another moment of the deletions in each round.
                tokio::time::sleep(Duration::from_millis((round * 7 + place * 5) % 31)).await;
                gallery.add(person, &content).await
            });
            let (uploads, (), (), ()) = tokio::join!(
                futures_util::future::join_all(uploads),
                gallery.sweep(),
                gallery.sweep(),
                gallery.work()
            );
            for (person, upload) in people.iter().zip(uploads) {
                // The one that came while the file was leaving may be told to come again.
                assert!(upload.is_ok() || is(&upload, Class::Unavailable));
                for url in gallery.urls(person).await {
                    assert!(!gallery.bytes_of(&url).await.is_empty());
                }
            }
            for person in people.iter().skip(usize::from(round % 2 == 1)) {
                for image in gallery.list(person).await {
                    gallery.delete(person, image.number).await.unwrap();
                }
            }
        }
    })
    .await;
}
