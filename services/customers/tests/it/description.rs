//! The description of the API: bodies have the fields that are read, with the bounds that are checked.

use http::Method;
use pando_customers::BLUEPRINT;
use pando_http::{App, document};
use serde_json::{Value, json};

use crate::each_house;

fn schemas() -> Value {
    let app = (BLUEPRINT.described)().into_iter().fold(App::new("Test", "1"), App::serve);
    let mut described: Value = serde_json::from_str(&document(app).unwrap()).unwrap();
    described["components"]["schemas"].take()
}

fn fields(schema: &Value) -> Vec<&str> {
    schema["properties"].as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn bodies_are_described_as_they_are_read() {
    let schemas = schemas();
    let (fresh, change) = (&schemas["CustomerFields"], &schemas["CustomerChange"]);
    let required: Vec<_> = fresh["required"].as_array().unwrap().iter().collect();
    assert_eq!(required, ["email", "name"], "{fresh}");
    assert_eq!(change["required"], Value::Null);
    assert_eq!(fields(fresh).into_iter().filter(|field| *field != "id").collect::<Vec<_>>(), fields(change));
    assert_eq!(change["properties"]["metadata"]["additionalProperties"]["type"], json!(["string", "null"]));
    let customer = &schemas["Customer"];
    assert_eq!(
        customer["required"].as_array().unwrap().len(),
        fields(customer).len(),
        "an answer has every field"
    );
    each_house(async |house| {
        for (field, described) in fresh["properties"].as_object().unwrap() {
            // A value of another type is refused, so each field that is described is read,
            let made = house.server.post("/api/v1/customers", &json!({field: 7})).await.json();
            let faults = made["errors"].as_array().unwrap();
            assert!(faults.iter().any(|it| it["field"] == *field && it["code"] == "type"), "{field}: {made}");
            let Some(max) = described["maxLength"].as_u64() else { continue };
            // and so is a text that is longer than is described.
            let mut given = json!({"name": "Ann", "email": "ann@example.org"});
            for (length, status) in [(max, 201), (max + 1, 422)] {
                if field != "email" {
                    given[field] = "1".repeat(usize::try_from(length).unwrap()).into();
                }
                let refused =
                    field == "email" || house.server.post("/api/v1/customers", &given).await.status == status;
                assert!(refused, "{field} of {length} characters");
            }
        }
        for field in fields(change) {
            let path = "/api/v1/customers/nobody";
            let changed = house.server.ask(Method::PATCH, path, &[], json!({field: null}).to_string()).await;
            assert_eq!(changed.status, 404, "{field} can be changed");
        }
        let ignored = json!({"name": "Ann", "email": "ann@example.org", "version": 7, "nickname": "A"});
        let made = house.server.post("/api/v1/customers", &ignored).await;
        assert_eq!(
            (made.status.as_u16(), &made.headers["pando-ignored"]),
            (201, &"nickname, version".parse().unwrap())
        );
    })
    .await;
}
