//! Categories form a tree: they are made, moved, renamed and deleted, and products are found through it.

use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};

use crate::{House, each_house, path};

const CATEGORIES: &str = "/api/categories";

impl House {
    async fn category(&self, name: &str, parent: Option<&Value>) -> Value {
        let fields = json!({"name": name, "parentId": parent.map(|parent| parent["id"].clone())});
        let made = self.server.post(CATEGORIES, &fields).await;
        assert_eq!(made.status, 201, "{made:?}");
        made.json()["data"].clone()
    }

    async fn change(&self, category: &Value, fields: Value) -> (u16, Value) {
        let changed = self.ask(Method::PUT, &place(category), &fields).await;
        (changed.status.as_u16(), changed.json())
    }

    async fn found(&self, query: &str) -> Vec<String> {
        let page = self.server.get(&format!("/api/products?{query}")).await;
        assert_eq!(page.status, 200, "{query}: {page:?}");
        let page = page.json();
        let data = page["data"].as_array().unwrap();
        data.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    }
}

fn place(category: &Value) -> String {
    format!("{CATEGORIES}/{}", category["id"].as_str().unwrap())
}

#[tokio::test]
async fn categories_are_read_with_their_paths_and_the_numbers_of_their_products() {
    each_house(async |house| {
        let home = house.category("Home", None).await;
        let kitchen = house.category("Kitchen", Some(&home)).await;
        house.category("Attic", Some(&home)).await;
        house.product(json!({})).await;
        house.product(json!({"active": false})).await;
        let read = house.server.get(&place(&kitchen)).await.json();
        assert_eq!(
            (&read["data"]["path"], &read["data"]["productCount"]),
            (&json!(["Home", "Kitchen"]), &json!(1))
        );
        let page = house.server.get(&format!("{CATEGORIES}?size=2")).await.json();
        let names = |page: &Value| -> Vec<String> {
            let data = page["data"].as_array().unwrap();
            data.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names(&page), ["Attic", "Home"]);
        assert_eq!(page["pagination"]["totalElements"], 3);
        let next = page["pagination"]["next"].as_str().unwrap();
        let rest = house.server.get(&format!("{CATEGORIES}?size=2&cursor={next}")).await.json();
        assert_eq!(names(&rest), ["Kitchen"]);
        let below = format!("{CATEGORIES}?parentId={}", home["id"].as_str().unwrap());
        assert_eq!(names(&house.server.get(&below).await.json()), ["Attic", "Kitchen"]);
        assert_eq!(names(&house.server.get(&format!("{CATEGORIES}?parentId=none")).await.json()), ["Home"]);
        for (path, status) in [("/7", 400), ("?parentId=x", 400), ("?size=0", 400)] {
            assert_eq!(
                house.server.get(&format!("{CATEGORIES}{path}")).await.status.as_u16(),
                status,
                "{path}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_tree_has_no_circle_no_two_equal_names_and_at_most_five_levels() {
    each_house(async |house| {
        let mut line = vec![house.category("1", None).await];
        for level in 2..=5 {
            let next = house.category(&level.to_string(), line.last()).await;
            line.push(next);
        }
        let deep = json!({"name": "6", "parentId": line[4]["id"]});
        let refused = house.server.post(CATEGORIES, &deep).await;
        assert_eq!((refused.status.as_u16(), &refused.json()["code"]), (422, &json!("CATEGORY_TOO_DEEP")));
        let top = house.category("Top", None).await;
        let (status, refused) = house.change(&line[0], json!({"parentId": top["id"]})).await;
        assert_eq!((status, &refused["code"]), (422, &json!("CATEGORY_TOO_DEEP")));
        for below in [&line[0], &line[3]] {
            let (status, refused) = house.change(&line[0], json!({"parentId": below["id"]})).await;
            assert_eq!((status, &refused["code"]), (422, &json!("CATEGORY_CYCLE")), "{refused}");
        }
        let (status, refused) = house.change(&top, json!({"name": "5"})).await;
        assert_eq!((status, &refused["code"]), (409, &json!("DUPLICATE_RESOURCE")));
        let unknown = json!({"name": "x", "parentId": "00000000-0000-0000-0000-000000000007"});
        assert_eq!(house.server.post(CATEGORIES, &unknown).await.status, 400);
        assert_eq!(house.server.post(CATEGORIES, &json!({})).await.status, 400);
        let (status, moved) = house.change(&line[4], json!({"parentId": null})).await;
        assert_eq!((status, &moved["data"]["path"]), (200, &json!(["5"])));
        let stale = house.server.ask(Method::PUT, &place(&line[4]), &[("if-match", "\"1\"")], "{}").await;
        assert_eq!(stale.status, 412, "{stale:?}");
    })
    .await;
}

#[tokio::test]
async fn two_moves_at_once_make_no_circle() {
    each_house(async |house| {
        let (one, two) = (house.category("One", None).await, house.category("Two", None).await);
        let (below_two, below_one) = (json!({"parentId": two["id"]}), json!({"parentId": one["id"]}));
        let moves = [(&one, below_two), (&two, below_one)].map(|(which, fields)| house.change(which, fields));
        let mut statuses: Vec<u16> = join_all(moves).await.into_iter().map(|(status, _)| status).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 422]);
    })
    .await;
}

#[tokio::test]
async fn only_an_empty_category_can_be_deleted() {
    each_house(async |house| {
        let home = house.category("Home", None).await;
        let kitchen = house.category("Kitchen", Some(&home)).await;
        let product = house.product(json!({"active": false})).await;
        for (full, word) in [(&home, "below"), (&kitchen, "products")] {
            let refused = house.ask(Method::DELETE, &place(full), &Value::Null).await;
            assert_eq!(
                (refused.status.as_u16(), &refused.json()["code"]),
                (409, &json!("CATEGORY_NOT_EMPTY"))
            );
            assert!(refused.json()["message"].as_str().unwrap().contains(word), "{refused:?}");
        }
        house.ask(Method::DELETE, &path(&product), &Value::Null).await;
        for empty in [&kitchen, &home] {
            assert_eq!(house.ask(Method::DELETE, &place(empty), &Value::Null).await.status, 204);
            assert_eq!(house.server.get(&place(empty)).await.status, 404);
            assert_eq!(house.ask(Method::DELETE, &place(empty), &Value::Null).await.status, 404);
        }
    })
    .await;
}

#[tokio::test]
async fn a_category_has_the_products_of_all_below_it_in_every_order() {
    each_house(async |house| {
        let home = house.category("Home", None).await;
        let kitchen = house.category("Kitchen", Some(&home)).await;
        house.category("Tea", Some(&kitchen)).await;
        for (name, category, price, stock) in [
            ("a", "Tea", 5, 1),
            ("b", "Kitchen", 4, 0),
            ("c", "Home", 3, 1),
            ("d", "Tea", 2, 1),
            ("e", "Other", 1, 1),
        ] {
            let fields = json!({"name": name, "category": category, "price": price, "stockQuantity": stock});
            house.product(fields).await;
            house.clock.advance(std::time::Duration::from_secs(1));
        }
        for (query, names) in [
            ("category=home", &["a", "b", "c", "d"][..]),
            ("category=home&sortDirection=desc", &["d", "c", "b", "a"]),
            ("category=home&sortBy=price", &["d", "c", "b", "a"]),
            ("category=home&sortBy=createdAt", &["a", "b", "c", "d"]),
            ("category=home&sortBy=updatedAt&sortDirection=desc", &["d", "c", "b", "a"]),
            ("category=home&inStock=true&minPrice=3", &["a", "c"]),
            ("category=home&size=2&page=1", &["c", "d"]),
            ("category=kitchen", &["a", "b", "d"]),
            ("category=tea", &["a", "d"]),
            ("category=kitchen&search=tea", &["a", "d"]),
        ] {
            assert_eq!(house.found(query).await, names, "{query}");
        }
        let page = house.server.get("/api/products?category=home&sortBy=price&size=3").await.json();
        assert_eq!(page["pagination"]["totalElements"], 4);
        let next = page["pagination"]["next"].as_str().unwrap();
        assert_eq!(house.found(&format!("category=home&sortBy=price&cursor={next}")).await, ["a"]);
    })
    .await;
}

#[tokio::test]
async fn products_of_a_renamed_category_are_found_by_its_new_name_and_say_it() {
    each_house(async |house| {
        let made = house.product(json!({"name": "Jug"})).await;
        for number in 0..205 {
            house.product(json!({"name": format!("Cup {number}")})).await;
        }
        let tag = house.server.get(&path(&made)).await.headers["etag"].clone();
        let kitchen = json!({"id": made["categoryId"]});
        let (status, renamed) = house.change(&kitchen, json!({"name": "Pantry"})).await;
        assert_eq!((status, &renamed["data"]["name"]), (200, &json!("Pantry")));
        house.parts.queue.run_until_idle(&house.registry).await.unwrap();
        assert_eq!(house.found("search=pantry+jug").await, ["Jug"]);
        assert_eq!(house.found("search=kitchen").await, [""; 0]);
        let page = house.server.get("/api/products?search=pantry").await.json();
        assert_eq!(page["pagination"]["totalElements"], 206);
        let read = house.server.get(&path(&made)).await;
        assert_eq!(read.json()["data"]["category"], "Pantry");
        assert_ne!(read.headers["etag"], tag);
    })
    .await;
}
