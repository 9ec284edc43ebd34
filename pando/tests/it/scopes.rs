//! The scope of each operation, as the guide lists it for a reader who asks what a credential allows.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::client::Client;
use crate::engines::Place;

#[test]
fn the_guide_names_the_scope_of_every_operation() {
    let place = Place::sqlite();
    let mut running =
        place.start(&[("PANDO_ADMIN__ENABLED", "true"), ("PANDO_ADMIN__LISTEN", "127.0.0.1:0")]);
    let mut by_scope: BTreeMap<(bool, String), Vec<String>> = BTreeMap::new();
    for (of_operators, address) in [(false, running.address), (true, running.admin())] {
        let document = Client::connect(address).unwrap().get("/openapi.json").unwrap().value();
        let items = document["paths"].as_object().unwrap().values();
        for operation in items.flat_map(|item| item.as_object().unwrap().values()) {
            let requirements = operation["security"].as_array().unwrap();
            let scope = requirements.iter().find_map(|one| one.as_object()?.values().next()?[0].as_str());
            let name = operation["operationId"].as_str().unwrap();
            let of_operators = of_operators || ["metrics_text", "actuator_metrics"].contains(&name);
            let named = by_scope.entry((of_operators, scope.unwrap_or("none").to_owned())).or_default();
            named.push(format!("`{name}`"));
        }
    }
    by_scope.remove(&(true, "none".to_owned()));
    let mut table = String::new();
    for ((of_operators, scope), mut names) in by_scope {
        names.sort();
        names.dedup();
        let scope = if scope == "none" { scope } else { format!("`{scope}`") };
        let of_whom = if of_operators { ", of no tenant" } else { "" };
        writeln!(table, "| {scope}{of_whom} | {} |", names.join(", ")).unwrap();
    }
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guides/authentication.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    assert!(guide.contains(&table), "docs/guides/authentication.md should have this table:\n{table}");
}
