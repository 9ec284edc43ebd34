//! Searching.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use pando_profiles::{ImportRequest, Order, ProfileFilter, ProfilesOptions, RecordFormat};
use pando_service::{Expected, Fault};
use serde_json::json;

use crate::list_profiles::all_pages;
use crate::{House, call, each_house, each_house_with, fields};

/// How many profiles are there, more than one look through the list goes past.
const MANY: usize = 5_600;

#[tokio::test]
async fn a_search_looks_through_names_and_emails_and_takes_wildcards_literally() {
    each_house(async |house| {
        for name in ["Zoë", "ZOË2", "per_cent", "percent", "Ada"] {
            house.person(name).await;
        }
        for (text, expected) in [
            ("zoË", vec!["Zoë", "ZOË2"]),
            ("r_c", vec!["per_cent"]),
            ("%", vec![]),
            ("ada@", vec!["Ada"]),
            // One or two letters find words that begin with them.
            ("z", vec!["Zoë", "ZOË2"]),
            ("oë", vec![]),
            ("zoe\u{308}", vec!["Zoë", "ZOË2"]),
            ("ë2 zoë", vec!["ZOË2"]),
            ("\"", vec![]),
            ("!", vec![]),
        ] {
            let filter = ProfileFilter {
                order: Order::Oldest,
                search: Some(text.to_owned()),
                limit: 1,
                ..ProfileFilter::default()
            };
            assert_eq!(all_pages(&house, filter.clone()).await, expected, "{text}");
            let count = house.profiles.count_profiles(&call(), &filter).await.unwrap();
            assert_eq!(usize::try_from(count).unwrap(), expected.len());
        }
    })
    .await;
}

#[tokio::test]
async fn a_search_finds_what_is_there_now_in_every_order_and_page_by_page() {
    each_house(async |house| {
        let mut people = Vec::new();
        for name in ["Zoe Abel", "Zoe Brown", "Zoe Clark", "Zoe Dean", "Zoe Evans"] {
            let given = json!({"name": name, "email": format!("{}@example.org", name.replace(' ', "."))});
            people.push(house.profiles.create_profile(&call(), &fields(given)).await.unwrap().value);
            house.clock.advance(Duration::from_secs(1));
        }
        let profiles = &house.profiles;
        profiles.delete_profile(&call(), people[0].id, &Expected::default()).await.unwrap();
        profiles.delete_profile(&call(), people[1].id, &Expected::default()).await.unwrap();
        profiles.restore_profile(&call(), people[1].id, &Expected::default()).await.unwrap();
        let renamed = fields(json!({"name": "Anna Dean", "email": "anna@example.org"}));
        profiles.update_profile(&call(), people[3].id, &Expected::default(), &renamed).await.unwrap();
        for (order, expected) in [
            (Order::Newest, ["Zoe Evans", "Zoe Clark", "Zoe Brown"]),
            (Order::Oldest, ["Zoe Brown", "Zoe Clark", "Zoe Evans"]),
            (Order::Name, ["Zoe Brown", "Zoe Clark", "Zoe Evans"]),
            (Order::NameDescending, ["Zoe Evans", "Zoe Clark", "Zoe Brown"]),
        ] {
            for search in ["zoe", "zo", "Z"] {
                let search = Some(search.to_owned());
                let filter = ProfileFilter { order, search, limit: 1, ..ProfileFilter::default() };
                assert_eq!(all_pages(&house, filter.clone()).await, expected, "{filter:?}");
                assert_eq!(profiles.count_profiles(&call(), &filter).await.unwrap(), 3);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn among_many_a_frequent_and_a_rare_text_are_found_once_each() {
    // Where only one search runs at once, each looks through one stretch of the list.
    let alone = ProfilesOptions { searches_max: 1, ..ProfilesOptions::default() };
    each_house_with(alone, async |house| {
        // Four hundred in one wood, then many in another, and two that stand apart.
        let name = |number: usize| match number {
            100 => "Rare Yew".to_owned(),
            5_500 => "Ünusual Rare Yew".to_owned(),
            0..400 => format!("Oak {number}"),
            _ => format!("Elm {number}"),
        };
        fill(&house, (0..MANY).map(name)).await;
        let search = |order: Order, text: &str, limit: usize| ProfileFilter {
            order,
            search: Some(text.to_owned()),
            limit,
            ..ProfileFilter::default()
        };
        let first = house.profiles.list_profiles(&call(), &search(Order::Newest, "oak", 50)).await.unwrap();
        assert!(first.items.is_empty() && first.next.is_some(), "none of the newest is an oak: {first:?}");
        let patient = house.again(&ProfilesOptions::default()).await;
        let first = patient.list_profiles(&call(), &search(Order::Newest, "oak", 50)).await.unwrap();
        assert_eq!(first.items.len(), 50, "it looks further where nobody else waits");
        for order in Order::ALL {
            let mut oaks = all_pages(&house, search(order, "oak", 50)).await;
            assert_eq!(oaks.len(), 399, "{order:?}");
            oaks.sort_unstable();
            oaks.dedup();
            assert_eq!(oaks.len(), 399, "each once, {order:?}");
            assert_eq!(all_pages(&house, search(order, "rare yew", 1)).await.len(), 2, "{order:?}");
            assert_eq!(all_pages(&house, search(order, "ünu", 1)).await, ["Ünusual Rare Yew"]);
            assert!(all_pages(&house, search(order, "nothing", 1)).await.is_empty());
            let exact = house.profiles.list_profiles(&call(), &search(order, "ünu", 1)).await.unwrap();
            assert!(exact.next.is_none(), "the index knows that there is no more");
        }
        for (text, expected) in [("oak", 399), ("yew", 2), ("nothing", 0), ("@", MANY)] {
            let count =
                house.profiles.count_profiles(&call(), &search(Order::Newest, text, 1)).await.unwrap();
            assert_eq!(usize::try_from(count).unwrap(), expected, "{text}");
        }

        // SQLite has moved the older yew into its index, where it changes, goes and comes back as well.
        let profiles = &house.profiles;
        let of_yews = search(Order::Oldest, "yew", 2);
        let yew = profiles.list_profiles(&call(), &of_yews).await.unwrap().items.swap_remove(0);
        let renamed = fields(json!({"name": "Common Yew", "email": yew.email.as_str()}));
        profiles.update_profile(&call(), yew.id, &Expected::default(), &renamed).await.unwrap();
        assert_eq!(all_pages(&house, of_yews.clone()).await, ["Common Yew", "Ünusual Rare Yew"]);
        assert_eq!(all_pages(&house, search(Order::Oldest, "rare yew", 2)).await, ["Ünusual Rare Yew"]);
        profiles.delete_profile(&call(), yew.id, &Expected::default()).await.unwrap();
        assert_eq!(all_pages(&house, of_yews.clone()).await, ["Ünusual Rare Yew"]);
        profiles.restore_profile(&call(), yew.id, &Expected::default()).await.unwrap();
        assert_eq!(all_pages(&house, of_yews).await, ["Common Yew", "Ünusual Rare Yew"]);
    })
    .await;
}

async fn fill(house: &House, names: impl Iterator<Item = String>) {
    let lines: String = names
        .enumerate()
        .map(|(number, name)| format!("{{\"name\":\"{name}\",\"email\":\"p{number}@example.org\"}}\n"))
        .collect();
    let request = ImportRequest { token: "many".to_owned(), format: RecordFormat::Ndjson, dry_run: false };
    let body = stream::iter([Ok::<_, Fault>(Bytes::from(lines))]);
    let import = house.profiles.import_profiles(&call(), request, pin!(body)).await.unwrap();
    assert_eq!(import.created, i64::try_from(MANY).unwrap());
}
