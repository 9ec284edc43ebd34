//! Two tenants with the same ids, addresses, keys and files: nothing that one does is seen by the other.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use pando_profiles::{ImportRequest, Order, Profile, ProfileFilter, ProfileId, RecordFormat};
use pando_resilience::{Call, Repeat, Tenant};
use pando_service::{Class, Expected};
use serde_json::{Value, json};

use crate::erasure::everything;
use crate::images::{Gallery, each_gallery, png};
use crate::{call, fields, is};

/// Tables that are about no tenant's data: the order of events, locks, migrations, and the texts of SQLite's index of trigrams,
/// whose owners `profile_search_keys` knows.
const OF_NOBODY: [&str; 7] = [
    "outbox_log",
    "outbox_cursors",
    "pando_commits",
    "pando_migrations",
    "profile_export_gate",
    "sqlite_sequence",
    "profile_search_waiting",
];

fn of(tenant: &str) -> Call {
    call().of_tenant(Tenant::stored(tenant))
}

fn keyed(tenant: &str, key: &str) -> Call {
    let repeat = Repeat { operation: "test".to_owned(), key: key.to_owned(), hash: [7; 32] };
    Call { repeat: Some(Arc::new(repeat)), ..of(tenant) }
}

fn id(number: u8) -> ProfileId {
    ProfileId::parse(&format!("01900000-0000-7000-8000-0000000000{number:02}")).unwrap()
}

/// Does one of everything that the service can do, in the name of a tenant; the answers.
async fn live(gallery: &Gallery, tenant: &str) -> Value {
    let (profiles, call) = (&gallery.house.profiles, of(tenant));
    let any = Expected::Any;
    let item = |number: u8, name: &str| {
        let email = format!("{}@example.org", name.to_lowercase());
        Ok(fields(json!({"id": id(number), "name": name, "email": email})))
    };
    let items = [item(1, "Ann"), item(2, "Bob"), item(3, "Cyd")];
    let written = profiles.write_batch(&keyed(tenant, "k"), &items).await.unwrap();
    let again = profiles.write_batch(&keyed(tenant, "k"), &items).await.unwrap();
    assert_eq!((written.replayed, again.replayed), (false, true), "{tenant:?}");
    let street = fields(json!({"street": "Elm 1", "city": "Ulm", "postal_code": "1", "country": "DE"}));
    profiles.put_address(&call, id(1), &any, &street).await.unwrap();
    profiles.put_preferences(&call, id(1), &any, &fields(json!({"theme": "dark"}))).await.unwrap();
    profiles.update_profile(&call, id(1), &any, &fields(json!({"bio": "met at the oak"}))).await.unwrap();
    profiles.delete_profile(&call, id(2), &any).await.unwrap();
    profiles.restore_profile(&call, id(2), &any).await.unwrap();
    profiles.delete_profile(&call, id(3), &any).await.unwrap();
    let picture = Bytes::from(png(300, 200, 1));
    gallery.images.add_image(&call, id(1), &any, picture).await.unwrap();
    let request =
        |token: &str| ImportRequest { token: token.to_owned(), format: RecordFormat::Ndjson, dry_run: false };
    let file = |name: &str| {
        let line = format!("{{\"name\": \"{name}\", \"email\": \"{name}@example.org\"}}\nno record\n");
        stream::iter([Ok(Bytes::from(line))])
    };
    profiles.import_profiles(&call, request("sent"), file("dan")).await.unwrap();
    profiles.accept_import(&call, request("kept"), file("eve")).await.unwrap();
    let export = profiles.request_export(&call, id(1)).await.unwrap().value;
    gallery.work().await;
    let exported = profiles.fetch_export(&call, export.id).await.unwrap();
    let exported: Vec<Bytes> = exported.content.try_collect().await.unwrap();
    let all = profiles.export_profiles(&call, RecordFormat::Csv, None);
    let all: Vec<Bytes> = all.try_collect().await.unwrap();
    let mut imports = Vec::new();
    for token in ["sent", "kept"] {
        imports.push(json!(profiles.get_import(&call, token).await.unwrap()));
    }
    json!({
        "written": written.value,
        "full": serde_json::from_slice::<Value>(profiles.read_full_profile(&call, id(1)).await.unwrap().bytes()).unwrap(),
        "changes": profiles.list_changes(&call, id(1), None, 100).await.unwrap(),
        "images": gallery.images.list_images(&call, id(1)).await.unwrap(),
        "imports": imports,
        "exported": String::from_utf8(exported.concat()).unwrap(),
        "all": String::from_utf8(all.concat()).unwrap().lines().count(),
        "seen": seen(gallery, tenant).await,
    })
}

/// How the lists of a tenant look.
async fn seen(gallery: &Gallery, tenant: &str) -> Value {
    let (profiles, call) = (&gallery.house.profiles, of(tenant));
    let mut lists = Vec::new();
    for order in Order::ALL {
        for search in [None, Some("oak"), Some("example"), Some("ann")] {
            let search = search.map(str::to_owned);
            let filter = ProfileFilter { order, search, limit: 2, ..ProfileFilter::default() };
            let page = profiles.list_profiles(&call, &filter).await.unwrap();
            let rest = ProfileFilter { after: page.next, limit: 100, ..filter.clone() };
            let rest = profiles.list_profiles(&call, &rest).await.unwrap().items;
            let names = |found: &[Profile]| -> Vec<String> {
                found.iter().map(|profile| profile.name.as_str().to_owned()).collect()
            };
            lists.push(json!([
                names(&page.items),
                names(&rest),
                profiles.count_profiles(&call, &filter).await.unwrap(),
            ]));
        }
    }
    let found = profiles.read_profiles(&call, &[id(1), id(2), id(3)]).await.unwrap().len();
    json!({"lists": lists, "found": found})
}

/// The same without what differs by chance: ids, times, and the name of the tenant in those of files.
fn comparable(answers: &Value, tenant: &str) -> String {
    let text = answers.to_string().replace(&format!(".{tenant}."), ".");
    let is_random = |word: &str| uuid::Uuid::try_parse(word).is_ok() && !word.starts_with("01900000");
    text.split('"').filter(|word| !is_random(word)).collect::<Vec<_>>().join("\"")
}

#[tokio::test]
async fn two_tenants_with_the_same_of_everything_are_apart() {
    each_gallery(async |gallery| {
        let tenants = ["acme", "zoo", ""];
        let mut lives = Vec::new();
        for tenant in tenants {
            lives.push(comparable(&live(&gallery, tenant).await, tenant));
        }
        assert_eq!(lives[0], lives[1]);
        assert_eq!(lives[0], lives[2], "the default tenant is one of them");
        let nobody = of("nobody");
        assert!(is(&gallery.house.profiles.get_profile(&nobody, id(1)).await, Class::NotFound));
        assert!(is(&gallery.house.profiles.get_import(&nobody, "sent").await, Class::NotFound));
        assert!(is(&gallery.house.profiles.list_changes(&nobody, id(1), None, 9).await, Class::NotFound));
        assert_eq!(
            gallery.house.profiles.count_profiles(&nobody, &ProfileFilter::default()).await.unwrap(),
            0
        );
        assert_eq!(
            gallery.house.profiles.estimate_profiles(&nobody, &ProfileFilter::default()).await.unwrap(),
            0
        );
        assert_eq!(
            gallery.house.profiles.estimate_profiles(&call(), &ProfileFilter::default()).await.unwrap(),
            4
        );
    })
    .await;
}

#[tokio::test]
async fn every_row_says_whose_it_is() {
    each_gallery(async |gallery| {
        for tenant in ["acme", "zoo"] {
            live(&gallery, tenant).await;
        }
        let lines = everything(&gallery.house).await;
        let is_about_somebody = |line: &&String| {
            let table = line.split('\t').next().unwrap_or_default();
            // The tables in which SQLite keeps an index of texts.
            let is_index = table.starts_with("profile_search") && table != "profile_search_keys";
            !OF_NOBODY.contains(&table) && !is_index
        };
        let unowned: Vec<&String> = lines
            .iter()
            .filter(is_about_somebody)
            .filter(|line| !line.contains("acme") && !line.contains("zoo"))
            .collect();
        assert!(unowned.is_empty(), "{unowned:#?}");
        let tables = |tenant: &str| -> Vec<String> {
            let own = lines.iter().filter(|line| line.contains(tenant));
            own.filter_map(|line| line.split('\t').next()).map(str::to_owned).collect()
        };
        assert_eq!(tables("acme"), tables("zoo"), "as many rows of each table");
        assert!(tables("acme").iter().collect::<BTreeSet<_>>().len() > 12, "{:?}", tables("acme"));
        let mut objects = gallery.objects.list();
        while let Some(listed) = objects.next().await {
            let name = listed.unwrap().name;
            assert!(["acme", "zoo"].iter().any(|it| name.is_of(&Tenant::stored(it))), "{name}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_erasure_leaves_the_same_person_of_another_tenant_alone() {
    each_gallery(async |gallery| {
        for tenant in ["acme", "zoo"] {
            live(&gallery, tenant).await;
        }
        let of_zoo = |lines: &[String]| -> Vec<String> {
            lines.iter().filter(|line| line.contains("zoo")).cloned().collect()
        };
        let before = of_zoo(&everything(&gallery.house).await);
        let pictures = async || -> BTreeSet<String> {
            let objects: Vec<_> = gallery.objects.list().try_collect().await.unwrap();
            let names = objects.iter().map(|listed| listed.name.to_string());
            names.filter(|name| name.contains(".zoo.")).collect()
        };
        let files = pictures().await;
        gallery.house.profiles.request_erasure(&of("acme"), id(1)).await.unwrap();
        gallery.work().await;
        assert!(is(&gallery.house.profiles.get_profile(&of("acme"), id(1)).await, Class::NotFound));
        gallery.house.profiles.get_profile(&of("zoo"), id(1)).await.unwrap();
        assert_eq!(of_zoo(&everything(&gallery.house).await), before);
        assert_eq!(pictures().await, files);
    })
    .await;
}
