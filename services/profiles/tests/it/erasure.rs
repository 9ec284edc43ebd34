//! Who is erased is nowhere afterwards, and nobody else misses a byte: not even somebody whose address holds theirs.

use bytes::Bytes;
use futures_util::stream;
use pando_database::{Query, params};
use pando_idempotency::{Admission, Claim, Key, Outcome, Request, Scope};
use pando_profiles::{ImportRequest, Profile, RecordFormat};
use pando_queue::{Job, Mentions, Registry};
use serde_json::{Value, json};

use crate::images::{Gallery, each_gallery, png};
use crate::{House, call, fields};

/// Somebody, and every way in which others write their address.
struct Person {
    profile: Profile,
    spellings: Vec<String>,
}

impl Person {
    fn mentions(&self) -> Mentions {
        Mentions::of(self.spellings.iter().chain([&self.profile.id.to_string()]))
    }
}

/// An address in every case and normal form, and with its domain as the domain name system knows it.
fn spellings(email: &str) -> Vec<String> {
    let decomposed = email.replace('å', "a\u{30a}").replace('ü', "u\u{308}");
    let other_domain = if email.contains("xn--bcher-kva") {
        email.replace("xn--bcher-kva", "bücher")
    } else {
        email.replace("bücher", "xn--bcher-kva")
    };
    let plain = [email, &decomposed, &other_domain].map(ToOwned::to_owned);
    let mut all: Vec<String> = plain.iter().flat_map(|it| [it.clone(), it.to_uppercase()]).collect();
    all.sort_unstable();
    all.dedup();
    all
}

async fn person(gallery: &Gallery, email: &str, number: u8) -> Person {
    let given = fields(json!({"name": format!("Person {number}"), "email": email}));
    let profile = gallery.house.profiles.create_profile(&call(), &given).await.unwrap().value;
    gallery.add(&profile, &png(300, 200, number)).await.unwrap();
    Person { profile, spellings: spellings(email) }
}

/// Has everything name a person that can: jobs, uploads, imports and kept answers.
async fn spread(gallery: &Gallery, person: &Person) {
    let house = &gallery.house;
    let id = person.profile.id;
    for (index, text) in person.spellings.iter().map(String::as_str).chain([&*id.to_string()]).enumerate() {
        let name = format!("{}-{index}", tag(&id.to_string()));
        later(house, json!({"to": [format!("<{text}>"), {"link": format!("/?mail={text}")}]})).await;
        let escaped: String = text.chars().map(json_escape).collect();
        for (kind, line) in [
            ("plain", json!({"name": "x", "email": text}).to_string()),
            ("escaped", format!(r#"{{"name": "x", "email": "{escaped}"}}"#)),
        ] {
            upload(gallery, &format!("{kind}-{name}"), &format!("{line}\n")).await;
        }
        keep_answer(house, &name, &json!({"results": [{"id": id, "status": "created", "of": text}]})).await;
        broken_import(
            house,
            &format!("broken-{name}"),
            &json!([{"record": 1, "message": format!("not {text}")}]),
        )
        .await;
    }
}

/// Names no person: an erasure looks for the id as it is written everywhere.
fn tag(id: &str) -> String {
    id.chars().rev().filter(|c| *c != '-').take(12).collect()
}

fn json_escape(letter: char) -> String {
    let mut units = [0; 2];
    letter.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04X}")).collect()
}

async fn later(house: &House, payload: Value) {
    let mut tx = house.queue.database().transaction(&call()).await.unwrap();
    let run_at = Some(house.clock.now().plus_micros(3_600_000_000));
    house.queue.enqueue(&mut tx, Job { run_at, ..Job::new("echo", payload) }).await.unwrap();
    tx.commit().await.unwrap();
}

async fn upload(gallery: &Gallery, token: &str, text: &str) {
    let request = ImportRequest { token: token.to_owned(), format: RecordFormat::Ndjson, dry_run: false };
    let content = stream::iter([Ok(Bytes::copy_from_slice(text.as_bytes()))]);
    gallery.house.profiles.accept_import(&call(), request, content).await.unwrap();
}

async fn keep_answer(house: &House, key: &str, body: &Value) {
    let scope = Scope { tenant: String::new(), actor: "tester".to_owned(), operation: "batch".to_owned() };
    let request = Request { scope, key: Key::parse(key).unwrap(), hash: [7; 32] };
    let idempotency = crate::idempotency(&house.queue);
    let Admission::First(ticket) = idempotency.admit(&call(), request).await.unwrap() else {
        panic!("it is new")
    };
    let mut tx = house.queue.database().transaction(&call()).await.unwrap();
    assert!(matches!(ticket.claim(&mut tx).await.unwrap(), Claim::First));
    let answer = Outcome::success(body.to_string());
    ticket.store(&mut tx, &answer).await.unwrap();
    tx.commit().await.unwrap();
}

static BROKEN_IMPORT: Query = Query::write(
    "test.import",
    "insert into profile_imports (token, state, records_done, created, updated, conflicts, invalid, problems, \
     started_at, updated_at, tenant) values ($1, 'completed', 1, 0, 0, 0, 1, $2, $3, $3, '')",
);

async fn broken_import(house: &House, token: &str, problems: &Value) {
    let mut tx = house.queue.database().transaction(&call()).await.unwrap();
    let values = params![token, problems.clone(), house.clock.now()];
    tx.execute(&BROKEN_IMPORT, values).await.unwrap();
    tx.commit().await.unwrap();
}

/// Every row of every table as one line that begins with the name of its table.
pub(crate) async fn everything(house: &House) -> Vec<String> {
    let database = house.queue.database();
    let on_call = call();
    let rows = async |sql: String| {
        // A statement lives as long as the program; a test has few of them.
        let query: &'static Query = Box::leak(Box::new(Query::scan("test.dump", sql.leak())));
        database.read_primary(&on_call).rows(query, params![]).await
    };
    let of_sqlite = "select t.name, c.name, c.type from sqlite_master as t, pragma_table_info(t.name) as c \
                     where t.type = 'table' order by 1, 2";
    let of_postgres = "select cast(table_name as text), cast(column_name as text), cast(data_type as text) \
                       from information_schema.columns where table_schema = current_schema() order by 1, 2";
    let (columns, hex) = match rows(of_sqlite.to_owned()).await {
        Ok(columns) => (columns, true),
        Err(_) => (rows(of_postgres.to_owned()).await.unwrap(), false),
    };
    let mut tables = std::collections::BTreeMap::<String, Vec<(String, bool)>>::new();
    for row in columns {
        let (table, column, kind): (String, String, String) =
            (row.get(0).unwrap(), row.get(1).unwrap(), row.get(2).unwrap());
        let bytes = ["bytea", "blob"].contains(&kind.to_lowercase().as_str());
        let value = match kind.as_str() {
            _ if bytes => format!("\"{column}\""),
            "uuid" if hex => format!("lower(hex(\"{column}\"))"),
            _ => format!("cast(\"{column}\" as text)"),
        };
        tables.entry(table).or_default().push((value, bytes));
    }
    let mut lines = Vec::new();
    for (table, columns) in tables {
        let list: Vec<&str> = columns.iter().map(|(value, _)| &**value).collect();
        for row in rows(format!("select {} from \"{table}\"", list.join(", "))).await.unwrap() {
            let value = |(at, (_, bytes)): (usize, &(String, bool))| match bytes {
                true => row
                    .get::<Option<Vec<u8>>>(at)
                    .unwrap()
                    .map(|it| String::from_utf8_lossy(&it).into_owned()),
                false => row.get::<Option<String>>(at).unwrap(),
            };
            let values: Vec<_> =
                columns.iter().enumerate().map(value).map(Option::unwrap_or_default).collect();
            lines.push(with_hyphens(&format!("{table}\t{}", values.join("\t"))));
        }
    }
    lines
}

/// Ids as they are written everywhere else: SQLite keeps them as bytes.
fn with_hyphens(line: &str) -> String {
    let is_id = |word: &str| word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let words = line.split('\t').map(|word| match is_id(word) {
        true => [&word[..8], &word[8..12], &word[12..16], &word[16..20], &word[20..]].join("-"),
        false => word.to_owned(),
    });
    words.collect::<Vec<_>>().join("\t")
}

async fn run_only(gallery: &Gallery, kinds: &[&str]) {
    let mut registry = Registry::default();
    for kind in kinds {
        registry.add(gallery.registry.get(kind).unwrap().clone()).unwrap();
    }
    gallery.house.queue.run_until_idle(&registry).await.unwrap();
}

#[tokio::test]
async fn who_is_erased_is_nowhere_and_nobody_else_misses_a_byte() {
    each_gallery(async |gallery| {
        for (round, (erased, other)) in [
            ("al@example.org", "michal@example.org"),
            ("åsa@example.org", "klåsa@example.org"),
            ("bo@bücher.example", "jumbo@bücher.example"),
            ("cy@xn--bcher-kva.example", "nancy@xn--bcher-kva.example"),
        ]
        .iter()
        .enumerate()
        {
            let number = u8::try_from(round * 2).unwrap();
            let erased = person(&gallery, erased, number).await;
            let other = person(&gallery, other, number + 1).await;
            run_only(&gallery, &["image_variants"]).await;
            spread(&gallery, &erased).await;
            spread(&gallery, &other).await;
            let pictures = gallery.files_of(&erased.profile).await;
            let others_pictures = gallery.files_of(&other.profile).await;
            assert!(pictures.len() > 1 && pictures.is_disjoint(&others_pictures));
            let before = everything(&gallery.house).await;
            let named = before.iter().filter(|line| erased.mentions().stand_in(line)).count();
            assert!(named > 20, "{named}");

            let job = gallery.house.profiles.request_erasure(&call(), erased.profile.id).await.unwrap().value;
            run_only(&gallery, &["erase"]).await;
            let job = gallery.house.queue.find(&call(), job.id).await.unwrap().unwrap();
            let receipt = job.result.unwrap();
            assert_eq!(receipt["erased"], true, "{receipt}");

            // The clock stands still: no grace has passed.
            let stored = gallery.stored().await;
            assert!(stored.is_disjoint(&pictures), "pictures are given out after the receipt");
            assert!(stored.is_superset(&others_pictures));
            let after = everything(&gallery.house).await;
            let email = Mentions::of(&erased.spellings);
            let left: Vec<_> = after.iter().filter(|line| email.stand_in(line)).collect();
            assert!(left.is_empty(), "{left:#?}");
            // The receipt, and the events, hold the id.
            let left: Vec<_> = after.iter().filter(|line| erased.mentions().stand_in(line)).collect();
            let allowed = |line: &&&String| line.starts_with("outbox_events\t") || line.contains("\terase\t");
            assert_eq!(left.iter().filter(allowed).count(), left.len(), "{left:#?}");
            let of_other = |lines: &[String]| -> Vec<String> {
                lines.iter().filter(|line| other.mentions().stand_in(line)).cloned().collect()
            };
            assert_eq!(of_other(&before), of_other(&after));
        }
    })
    .await;
}

#[tokio::test]
async fn an_address_that_changes_while_its_owner_is_erased_is_looked_for_too() {
    each_gallery(async |gallery| {
        let house = &gallery.house;
        let zoe = house.person("Zoe").await;
        house.profiles.request_erasure(&call(), zoe.id).await.unwrap();
        let mut had = Vec::new();
        let moving = async {
            for step in 0..40 {
                let email = format!("zoe{step}@example.org");
                later(house, json!({"to": email})).await;
                let change = fields(json!({"email": email}));
                if house.profiles.update_profile(&call(), zoe.id, &Default::default(), &change).await.is_err()
                {
                    break;
                }
                had.push(email);
            }
        };
        tokio::join!(moving, run_only(&gallery, &["erase"]));
        assert!(house.profiles.get_profile(&call(), zoe.id).await.is_err());
        let mentions = Mentions::of(&had);
        let text = everything(house).await;
        let left: Vec<_> = text.iter().filter(|line| mentions.stand_in(line)).collect();
        assert!(left.is_empty(), "of {had:?}: {left:#?}");
    })
    .await;
}

#[tokio::test]
async fn who_takes_an_address_over_while_its_old_owner_is_erased_loses_nothing() {
    each_gallery(async |gallery| {
        let house = &gallery.house;
        let zoe = house.person("Zoe").await;
        // The search through them takes a while.
        for number in 0..100 {
            later(house, json!({"number": number})).await;
        }
        house.profiles.request_erasure(&call(), zoe.id).await.unwrap();
        let mut taken = Vec::new();
        let taking_over = async {
            // Somebody who changes an address for ever keeps the search going for ever: it begins anew for each.
            for step in 0..20 {
                let change = fields(json!({"email": format!("zoe{step}@example.org")}));
                if house.profiles.update_profile(&call(), zoe.id, &Default::default(), &change).await.is_err()
                {
                    break;
                }
                let before = match step {
                    0 => "zoe@example.org".to_owned(),
                    _ => format!("zoe{}@example.org", step - 1),
                };
                let other = fields(json!({"name": "Other", "email": before}));
                house.profiles.create_profile(&call(), &other).await.unwrap();
                later(house, json!({"to": before})).await;
                keep_answer(house, &format!("other-{step}"), &json!({"results": [{"of": before}]})).await;
                upload(&gallery, &format!("other-{step}"), &format!("{{\"email\":\"{before}\"}}\n")).await;
                taken.push(before);
            }
        };
        tokio::join!(taking_over, run_only(&gallery, &["erase"]));
        assert!(house.profiles.get_profile(&call(), zoe.id).await.is_err());
        assert!(!taken.is_empty(), "the erasure was quicker than one change");
        let text = everything(house).await;
        for email in &taken {
            let mentions = Mentions::of([email]);
            for table in ["profiles", "queue_jobs", "idempotency_records"] {
                let of_table = |line: &&String| line.starts_with(&format!("{table}\t"));
                assert!(
                    text.iter().filter(of_table).any(|line| mentions.stand_in(line)),
                    "{email} in {table}"
                );
            }
        }
        let uploads = text.iter().filter(|line| line.starts_with("profile_files\t")).count();
        assert_eq!(uploads, taken.len());
    })
    .await;
}

#[tokio::test]
async fn an_old_export_that_is_imported_again_brings_nobody_back() {
    each_gallery(async |gallery| {
        let profiles = &gallery.house.profiles;
        let zoe = gallery.house.person("Zoe").await;
        let exported = serde_json::to_string(&zoe).unwrap();
        profiles.request_erasure(&call(), zoe.id).await.unwrap();
        run_only(&gallery, &["erase"]).await;
        let request = ImportRequest { token: "old".to_owned(), format: RecordFormat::Ndjson, dry_run: false };
        let content = stream::iter([Ok(Bytes::from(exported))]);
        let import = profiles.import_profiles(&call(), request, content).await.unwrap();
        assert_eq!((import.created, import.conflicts), (0, 1), "{import:?}");
        assert!(profiles.get_profile(&call(), zoe.id).await.is_err());
        // Without a version nothing is expected to be there; without an id a version says nothing.
        for item in [
            json!({"id": zoe.id, "name": "Zoe", "email": "zoe@example.org"}),
            json!({"version": 7, "name": "New", "email": "new@example.org"}),
        ] {
            let made = profiles.write_batch(&call(), &[Ok(fields(item))]).await.unwrap().value;
            assert_eq!(made[0].status, pando_profiles::ItemStatus::Created, "{made:?}");
        }
    })
    .await;
}
