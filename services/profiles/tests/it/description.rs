//! The description of the API says what the parser does: bounds are stated in both, and compared here.

use pando_profiles::{AttributeRules, BLUEPRINT, ProfileDraft};
use serde_json::{Map, Value, json};

/// A valid set of fields in which one is replaced.
fn with(field: &str, value: Value) -> Map<String, Value> {
    let mut fields = crate::fields(json!({"name": "n", "email": "n@example.org"}));
    fields.insert(field.to_owned(), value);
    fields
}

#[test]
fn bounds_in_the_description_are_the_parsers_bounds() {
    let described = (BLUEPRINT.described)();
    let document = serde_json::to_value(described[0].routes.get_openapi()).unwrap();
    let rules = AttributeRules::new(1 << 20, None).unwrap();
    let accepts = |field: &str, value: Value| ProfileDraft::parse(&with(field, value), &rules).is_ok();
    for body in ["ProfileFields", "ProfileChanges", "Profile"] {
        let bound = |field: &str, name: &str| {
            let stated = &document["components"]["schemas"][body]["properties"][field][name];
            usize::try_from(stated.as_u64().unwrap_or_else(|| panic!("{body}.{field} has no {name}")))
                .unwrap()
        };
        for field in ["name", "bio"] {
            let longest = bound(field, "maxLength");
            assert!(accepts(field, json!("é".repeat(longest))), "{body}.{field}");
            assert!(!accepts(field, json!("é".repeat(longest + 1))), "{body}.{field}");
        }
        let longest = bound("email", "maxLength");
        let email = |length: usize| {
            let label = "d".repeat(60);
            let host = format!("{label}.{label}.{label}");
            format!("{}@{host}.{}", "l".repeat(60), "t".repeat(length - 62 - host.len()))
        };
        assert!(accepts("email", json!(email(longest - 5))), "{body}.email");
        assert!(!accepts("email", json!(email(longest + 1))), "{body}.email");
        let most = bound("image_urls", "maxItems");
        assert!(accepts("image_urls", json!(vec!["/a"; most])), "{body}.image_urls");
        assert!(!accepts("image_urls", json!(vec!["/a"; most + 1])), "{body}.image_urls");
    }
    assert!(!accepts("name", json!("")));
    assert_eq!(document["components"]["schemas"]["ProfileFields"]["properties"]["name"]["minLength"], 1);
}
