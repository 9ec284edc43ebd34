//! Listing and counting.

use std::time::Duration;

use pando_http::{decode_cursor, encode_cursor};
use pando_profiles::{Order, ProfileFilter};
use pando_service::Email;

use crate::{House, call, each_house, fields};

pub(crate) async fn all_pages(house: &House, mut filter: ProfileFilter) -> Vec<String> {
    let mut names = Vec::new();
    loop {
        let page = house.profiles.list_profiles(&call(), &filter).await.unwrap();
        assert!(page.items.len() <= filter.limit);
        names.extend(page.items.iter().map(|profile| profile.name.as_str().to_owned()));
        match page.next {
            // As the text that travels: it must be able to hold any name.
            Some(end) => filter.after = Some(decode_cursor(&encode_cursor(&end).unwrap()).unwrap()),
            None => return names,
        }
    }
}

#[tokio::test]
async fn pages_of_every_order_hold_everyone_once() {
    each_house(async |house| {
        // Three share a moment and two share a name, so that only the id tells them apart.
        for (name, email) in
            [("b", "1"), ("a", "2"), ("Zoë", "3"), ("a", "4"), ("Åsa", "5"), ("李雷", "6"), ("B", "7")]
        {
            let given = serde_json::json!({"name": name, "email": format!("{email}@example.org")});
            house.profiles.create_profile(&call(), &fields(given)).await.unwrap();
            if email > "3" {
                house.clock.advance(Duration::from_secs(1));
            }
        }
        for (order, expected) in [
            (Order::Newest, ["B", "李雷", "Åsa", "a", "Zoë", "a", "b"]),
            (Order::Oldest, ["b", "a", "Zoë", "a", "Åsa", "李雷", "B"]),
            (Order::Name, ["B", "Zoë", "a", "a", "b", "Åsa", "李雷"]),
            (Order::NameDescending, ["李雷", "Åsa", "b", "a", "a", "Zoë", "B"]),
        ] {
            for limit in [1, 2, 3, 7, 100] {
                let filter = ProfileFilter { order, limit, ..ProfileFilter::default() };
                assert_eq!(all_pages(&house, filter).await, expected, "{order:?} by {limit}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_longest_names_can_be_paged_through() {
    each_house(async |house| {
        let mut names: Vec<String> = ["\u{1d11e}", "\u{1d122}", "李"].map(|text| text.repeat(255)).into();
        for (index, name) in names.iter().enumerate() {
            let given = serde_json::json!({"name": name, "email": format!("{index}@example.org")});
            house.profiles.create_profile(&call(), &fields(given)).await.unwrap();
        }
        names.sort();
        let filter = ProfileFilter { order: Order::Name, limit: 1, ..ProfileFilter::default() };
        assert_eq!(all_pages(&house, filter).await, names);
    })
    .await;
}

#[tokio::test]
async fn an_email_finds_its_profile_whatever_its_case() {
    each_house(async |house| {
        let ada = house.person("Ada").await;
        let email = |text: &str| ProfileFilter {
            email: Some(Email::parse(text).unwrap()),
            limit: 10,
            ..ProfileFilter::default()
        };
        assert_eq!(
            house.profiles.list_profiles(&call(), &email("ADA@Example.ORG")).await.unwrap().items,
            [ada]
        );
        assert!(
            house.profiles.list_profiles(&call(), &email("b@example.org")).await.unwrap().items.is_empty()
        );
    })
    .await;
}

#[tokio::test]
async fn an_empty_list_is_empty_and_counts_nothing() {
    each_house(async |house| {
        let filter = ProfileFilter { limit: 10, ..ProfileFilter::default() };
        let page = house.profiles.list_profiles(&call(), &filter).await.unwrap();
        assert!(page.items.is_empty() && page.next.is_none());
        assert_eq!(house.profiles.count_profiles(&call(), &filter).await.unwrap(), 0);
        assert!(house.profiles.estimate_profiles(&call(), &filter).await.unwrap() >= 0);
    })
    .await;
}

#[tokio::test]
async fn some_by_id_come_in_the_order_asked_for() {
    each_house(async |house| {
        let (ada, grace) = (house.person("Ada").await, house.person("Grace").await);
        let stranger = house.clock.fresh_id().into();
        let found =
            house.profiles.find_profiles(&call(), &[grace.id, stranger, ada.id, grace.id]).await.unwrap();
        assert_eq!(found, [grace, ada], "each once");
    })
    .await;
}
