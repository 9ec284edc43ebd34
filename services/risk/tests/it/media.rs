//! Monitoring of media.

use std::path::Path;

use http::Method;
use pando_queue::Registry;
use pando_risk::{MIGRATIONS, RiskOptions, open};
use pando_service::testing::{self, TestHouse, TestServer, still_clock};
use serde_json::{Value, json};

use crate::{House, each_house_with};

const HEADER: &str = "id,source,title,names,type,severity,url,date,description\n";
const RAID: &str =
    "A-1,Courier,Raid,Harrow & Finch Grain Ltd,news,high,https://news.example/1,2026-01-12,A raid.\n";
const FINE: &str = "A-2,Authority,Fine,Harrow and Finch Grain Limited,regulatory,low,,,A fine.\n";

fn asked(name: &str) -> Value {
    json!({"business_name": name, "business_address": "1 Main Street, Springfield"})
}

fn sample() -> RiskOptions {
    RiskOptions { sample_media: true, monitorings_max: 3, ..RiskOptions::default() }
}

#[tokio::test]
async fn a_name_in_an_article_gives_an_alert_at_once() {
    each_house_with(sample(), async |house| {
        let monitor = async |body: &Value| {
            let made = house.server.post("/v1/media/monitor", body).await;
            assert_eq!(made.status, 200, "{made:?}");
            made.json()
        };
        let made = monitor(&asked("HARROW and Finch Grain Limited")).await;
        assert_eq!((&made["status"], made["alerts"].as_array().unwrap().len()), (&json!("active"), 1));
        let alert = &made["alerts"][0];
        assert_eq!((&alert["type"], &alert["severity"]), (&json!("news"), &json!("high")));
        assert_eq!(alert["url"], "https://news.example/harrow-finch");
        assert_eq!(house.events("media.alert").await, 1);
        let path = format!("/v1/media/monitor/{}", made["monitoring_id"].as_str().unwrap());
        assert_eq!(house.get(&path).await.json(), made);
        let mut of_one_type = asked("Harrow & Finch Grain Ltd");
        of_one_type["monitoring_types"] = json!(["regulatory"]);
        assert_eq!(monitor(&of_one_type).await["alerts"], json!([]));
        assert_eq!(monitor(&asked("Quiet Meadow Bakery")).await["alerts"], json!([]));
        let many = house.server.post("/v1/media/monitor", &asked("One too many")).await;
        assert_eq!((many.status.as_u16(), &many.json()["error"]["code"]), (409, &json!("CONFLICT")));
        let delete = async || house.ask(Method::DELETE, &path, &[], &Value::Null).await.status;
        assert_eq!([delete().await, delete().await], [204, 404]);
        for missing in [path.as_str(), "/v1/media/monitor/mon_1"] {
            assert_eq!(house.get(missing).await.status, 404);
        }
    })
    .await;
}

#[tokio::test]
async fn bad_monitorings_are_refused_and_without_articles_there_are_none() {
    each_house_with(RiskOptions::default(), async |house| {
        let bad = json!({"business_name": "", "country": "XX", "monitoring_types": ["rumours"]});
        let answer = house.server.post("/v1/media/monitor", &bad).await;
        let error = answer.json()["error"].clone();
        let codes: Vec<&Value> =
            error["validation"].as_array().unwrap().iter().map(|one| &one["code"]).collect();
        let expected =
            ["INVALID_BUSINESS_NAME", "INVALID_BUSINESS_ADDRESS", "INVALID_COUNTRY", "INVALID_INPUT"];
        assert_eq!((answer.status.as_u16(), codes), (400, expected.map(|code| json!(code)).iter().collect()));
        let signs = house.server.post("/v1/media/monitor", &asked("…")).await;
        assert_eq!(signs.json()["error"]["validation"][0]["code"], "INVALID_BUSINESS_NAME");
        let answer = house.server.post("/v1/media/monitor", &asked("Acme")).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["error"]["code"]),
            (503, &json!("SERVICE_UNAVAILABLE"))
        );
    })
    .await;
}

/// Starts the service with these articles, as another process would, and does the jobs that this gives.
async fn start(house: &TestHouse, file: &Path, articles: &str) -> TestServer {
    std::fs::write(file, articles).unwrap();
    let options = RiskOptions { media: vec![file.to_owned()], ..RiskOptions::default() };
    let mut registry = Registry::default();
    let mut service = open(&house.parts, options, &mut registry).unwrap();
    service.warm_up.take().unwrap().await;
    house.parts.queue.run_until_idle(&registry).await.unwrap();
    TestServer::start(&house.parts, service)
}

#[tokio::test]
async fn monitorings_are_screened_again_when_the_articles_have_changed() {
    testing::each_house(&[MIGRATIONS], still_clock, async |house| {
        let file = house.folder.path().join("articles.csv");
        let before = start(&house, &file, &format!("{HEADER}{RAID}")).await;
        let mut paths = Vec::new();
        for name in ["Harrow & Finch Grain Ltd", "Quiet Meadow Bakery"] {
            let made = before.post("/v1/media/monitor", &asked(name)).await.json();
            paths.push(format!("/v1/media/monitor/{}", made["monitoring_id"].as_str().unwrap()));
        }
        let after = start(&house, &file, &format!("{HEADER}{RAID}{FINE}")).await;
        let alerts = async |path: &str| after.get(path).await.json()["alerts"].as_array().unwrap().len();
        assert_eq!((alerts(&paths[0]).await, alerts(&paths[1]).await), (2, 0), "one alert for each article");
        let registry = Registry::default();
        let house = House { server: after, parts: house.parts, registry, _folder: house.folder };
        assert_eq!(house.events("media.alert").await, 2, "the first article is no news");
    })
    .await;
}
