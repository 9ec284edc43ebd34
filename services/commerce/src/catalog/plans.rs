//! Tests of the query plans of the catalog, with 100,000 products: each order and each filter uses an index that has it.

use pando_database::ComposedQuery;
use pando_service::prelude::*;
use pando_service::testing::{TestHouse, call, each_house, still_clock};
use uuid::Uuid;

use super::store::{COUNT, PLACES, asked, family, insert_new, search};
use crate::MIGRATIONS;
use crate::catalog::domain::product::{CategoryRef, Draft, Stored};
use crate::catalog::domain::question::{ProductQuestion, ProductSort};
use crate::catalog::domain::search::{Search, Tag};
use crate::domain::money::{Currency, Money};

const PRODUCTS: u32 = 100_000;
const CATEGORIES: u32 = 50;
const BRANDS: u32 = 40;
/// As many as PostgreSQL takes at once.
const BATCH: u32 = 10_000;

static CATEGORY: Query = Query::write(
    "plans.category",
    "insert into commerce_categories (id, tenant, name, name_key, parent_id, version, created_at, updated_at) \
     values ($1, $2, $3, $3, null, 1, $4, $4)",
);
static ANALYZE: Query = Query::write("plans.analyze", "analyze");

/// As SQLite is asked for a plan, and as PostgreSQL is.
static PLACES_EXPLAINED: [List; 2] = [
    List { select: "explain query plan select id, name_key from commerce_products p", ..PLACES },
    List { select: "explain select id, name_key from commerce_products p", ..PLACES },
];
static COUNT_EXPLAINED: [List; 2] = [
    List { select: "explain query plan select 1 from commerce_products p", ..COUNT },
    List { select: "explain select 1 from commerce_products p", ..COUNT },
];

fn product(number: u32) -> Stored {
    let now = still_clock().now();
    let category_id = Uuid::from_u128(u128::from(number % CATEGORIES));
    // Not in the order of the names.
    let shuffled = u64::from(number) * 7_919 % u64::from(PRODUCTS);
    let draft = Draft {
        sku: format!("SKU-{number}"),
        name: format!("Product {shuffled}"),
        description: "for the garden".to_owned(),
        price: Money::new(i64::from(number * 31 % 50_000), Currency::parse("USD").unwrap()),
        category: CategoryRef::Id(category_id),
        brand: format!("Brand {}", number % BRANDS),
        weight_grams: None,
        image_urls: Vec::new(),
        tags: vec![format!("tag{}", number % 500)],
        metadata: serde_json::Map::new(),
        active: !number.is_multiple_of(100),
    };
    let at = |seconds: u32| now.plus_micros(i64::from(seconds) * 1_000_000);
    Stored {
        id: Uuid::from_u128(u128::from(number) + 1_000_000),
        draft,
        category_name: String::new(),
        category_id,
        available: i64::from(number % 10),
        revision: 1,
        version: 1,
        created_at: at(number),
        updated_at: at(number * 13 % PRODUCTS),
    }
}

async fn fill(house: &TestHouse, tenant: &Tenant) {
    let database = &house.parts.database;
    let call = Call::internal("plans", std::time::Duration::from_secs(600));
    let mut tx = database.transaction(&call).await.unwrap();
    for number in 0..CATEGORIES {
        let row = params![
            Uuid::from_u128(u128::from(number)),
            tenant,
            format!("category {number}"),
            still_clock().now()
        ];
        tx.execute(&CATEGORY, row).await.unwrap();
    }
    tx.commit().await.unwrap();
    for batch in 0..PRODUCTS / BATCH {
        let mut tx = database.transaction(&call).await.unwrap();
        let products: Vec<Stored> = (batch * BATCH..(batch + 1) * BATCH).map(product).collect();
        assert_eq!(insert_new(&mut tx, tenant, &products).await.unwrap().len(), products.len());
        tx.commit().await.unwrap();
    }
    // PostgreSQL looks at its tables by itself, and SQLite is not asked to.
    if is_postgres(house, tenant).await {
        let mut tx = database.transaction(&call).await.unwrap();
        tx.execute(&ANALYZE, []).await.unwrap();
        tx.commit().await.unwrap();
    }
}

async fn is_postgres(house: &TestHouse, tenant: &Tenant) -> bool {
    COUNT_EXPLAINED[0].of(tenant).some(&house.parts.database.read(&call()), 1).await.is_err()
}

/// The plan in the words of the engine.
fn words(rows: &[Row]) -> String {
    let line = |row: &Row| row.get::<String>("QUERY PLAN").or_else(|_| row.get::<String>("detail")).unwrap();
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The plans of a page of the list, and of its count or the rows of its facets.
async fn plans_of_list(
    house: &TestHouse,
    question: &ProductQuestion,
    categories: Option<&[Uuid]>,
) -> (String, String) {
    let (call, tenant) = (call(), Tenant::default());
    let read = house.parts.database.read(&call);
    let which = usize::from(is_postgres(house, &tenant).await);
    let order = question.sort.unwrap_or_default().order();
    let page = match categories {
        Some(many) if many.len() > 1 => {
            let mut query = explaining();
            family::push_places(&mut query, (&tenant, question), many, (&order, None), 21);
            read.composed(&query).await.unwrap()
        }
        one => asked(&PLACES_EXPLAINED[which], &tenant, question, one)
            .rows(&read, &order, None, 21)
            .await
            .unwrap(),
    };
    let count = asked(&COUNT_EXPLAINED[which], &tenant, question, categories);
    (words(&page), words(&count.some(&read, 10_000).await.unwrap()))
}

async fn plan_of_search(house: &TestHouse, question: &ProductQuestion) -> String {
    let call = call();
    let mut query = explaining();
    search::push_hits(&mut query, &Tenant::default(), question, None);
    words(&house.parts.database.read(&call).composed(&query).await.unwrap())
}

fn explaining() -> ComposedQuery {
    let mut query = ComposedQuery::scan("plans.explain");
    query.push_per_engine("explain ", "explain query plan ", []);
    query
}

/// Whether a plan reads the table of products without an index.
fn reads_all(plan: &str) -> bool {
    let lines = plan.lines().map(str::trim);
    lines.clone().any(|line| line.contains("Seq Scan on commerce_products") || line == "SCAN p")
}

fn question(sort: ProductSort) -> ProductQuestion {
    ProductQuestion { size: 20, sort: Some(sort), ..ProductQuestion::default() }
}

/// A question, its categories, and the indexes of which its page uses one, without sorting.
type Case<'a> = (ProductQuestion, Option<&'a [Uuid]>, &'a [&'a str]);

#[tokio::test]
async fn every_order_and_filter_of_the_catalog_has_an_index() {
    let (one, family) = (vec![Uuid::from_u128(3)], (1..8).map(Uuid::from_u128).collect::<Vec<_>>());
    let name = || question(ProductSort::Name);
    let price = || question(ProductSort::Price);
    let cases: Vec<Case<'_>> = vec![
        (name(), None, &["by_name"]),
        (question(ProductSort::NameDescending), None, &["by_name"]),
        (price(), None, &["by_price"]),
        (question(ProductSort::PriceDescending), None, &["by_price"]),
        (question(ProductSort::Created), None, &["by_creation"]),
        (question(ProductSort::CreatedDescending), None, &["by_creation"]),
        (question(ProductSort::Updated), None, &["by_change"]),
        (question(ProductSort::UpdatedDescending), None, &["by_change"]),
        (ProductQuestion { in_stock: true, ..price() }, None, &["in_stock", "by_price"]),
        (ProductQuestion { min_price: Some(49_000), ..price() }, None, &["by_price"]),
        (
            ProductQuestion { max_price: Some(100), in_stock: true, ..price() },
            None,
            &["in_stock", "by_price"],
        ),
        (ProductQuestion { brand: Some("Brand 7".to_owned()), ..name() }, None, &["of_brand"]),
        (name(), Some(&one), &["of_category"]),
        (price(), Some(&one), &["of_category_by_price"]),
        (question(ProductSort::Created), Some(&one), &["of_category_by_creation"]),
        (question(ProductSort::UpdatedDescending), Some(&one), &["of_category_by_change"]),
        (name(), Some(&family), &["of_category"]),
        (price(), Some(&family), &["of_category_by_price"]),
        (question(ProductSort::CreatedDescending), Some(&family), &["of_category_by_creation"]),
        (question(ProductSort::Updated), Some(&family), &["of_category_by_change"]),
    ];
    each_house(&[MIGRATIONS], still_clock, async |house| {
        fill(&house, &Tenant::default()).await;
        for (question, categories, indexes) in &cases {
            let (page, count) = plans_of_list(&house, question, *categories).await;
            let uses = |index: &&str| {
                let name = format!("commerce_products_{index}");
                page.split([' ', '\n']).any(|word| word == name)
            };
            assert!(indexes.iter().any(uses), "{question:?}\n{page}");
            let is_family = categories.is_some_and(|many| many.len() > 1);
            assert!(
                is_family || !page.contains("Sort") && !page.contains("TEMP B-TREE"),
                "{question:?}\n{page}"
            );
            assert!(!reads_all(&page), "{question:?}\n{page}");
            // Without a filter, any rows will do.
            let is_filtered =
                categories.is_some() || question.brand.is_some() || question.min_price.is_some();
            assert!(!is_filtered || !reads_all(&count), "{question:?}\n{count}");
        }
        let search = Search::parse("product 77");
        let tags = vec![Tag::parse("tag77").unwrap()];
        for question in [
            ProductQuestion { search: search.clone(), ..name() },
            ProductQuestion { tags: tags.clone(), ..name() },
            ProductQuestion { search, tags, min_price: Some(10), in_stock: true, ..price() },
        ] {
            let plan = plan_of_search(&house, &question).await;
            let uses =
                plan.contains("commerce_products_by_words") || plan.contains("SCAN s VIRTUAL TABLE INDEX");
            assert!(uses && !reads_all(&plan), "{question:?}\n{plan}");
        }
    })
    .await;
}
