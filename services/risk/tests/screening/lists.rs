//! Lists: their formats, their faults, and what changed between two versions.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use pando_risk::screening::{Index, Kind, List, ListFormat, Query};

pub(crate) fn sample() -> List {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("lists/sample.csv");
    let (list, faults) =
        List::read(BufReader::new(File::open(path).unwrap()), ListFormat::Csv, "sample").unwrap();
    assert_eq!(faults, []);
    list
}

fn read(text: &str, format: ListFormat) -> (List, Vec<(usize, String)>) {
    let (list, faults) = List::read(text.as_bytes(), format, "list").unwrap();
    (list, faults.into_iter().map(|fault| (fault.line, fault.reason)).collect())
}

#[test]
fn the_sample_finds_each_of_its_names() {
    let list = Arc::new(sample());
    assert!(list.entries().len() >= 60);
    let index = Index::build(Arc::clone(&list));
    for entry in list.entries() {
        for name in entry.names() {
            let matches = index.search(&Query::new(name)).unwrap();
            let found = matches.iter().find(|found| found.entry.id == entry.id);
            assert!(found.is_some_and(|found| found.score == 1.0), "{name}: {matches:?}");
        }
    }
}

#[test]
fn a_file_of_opensanctions_loads_as_it_is() {
    let text = "id,schema,name,aliases,birth_date,countries,addresses,identifiers,sanctions,phones,emails,dataset,first_seen,last_seen,last_change\n\
        \"NK-a1\",\"Person\",\"Ivan Madeupov\",\"Иван Мадеупов;I. Madeupov\",\"1962-05-17;1963\",\"ru;gb-sct\",\"1 Road; Town\",\"\",\"Act 1 - Freeze;Act 2\",\"\",\"\",\"Made List\",\"2023-04-20T09:44:01\",\"2026-11-26T18:22:01\",\"2024-01-01T00:00:01\"\n\
        \"NK-a2\",\"Airplane\",\"RA-00000\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"\",\"Made List\",\"\",\"\",\"\"\n";
    let (list, faults) = read(text, ListFormat::Csv);
    assert_eq!(faults, []);
    let entry = list.get("NK-a1").unwrap();
    assert_eq!((entry.kind, entry.source.as_str()), (Kind::Person, "Made List"));
    assert_eq!(entry.aliases, ["Иван Мадеупов", "I. Madeupov"]);
    assert_eq!(entry.countries, ["RU", "GB-SCT"]);
    assert_eq!(entry.birth_dates.iter().map(ToString::to_string).collect::<Vec<_>>(), ["1962-05-17", "1963"]);
    assert_eq!(entry.programs, ["Act 1 - Freeze", "Act 2"]);
    assert_eq!(entry.updated_at.as_deref(), Some("2024-01-01T00:00:01"));
    assert_eq!(list.get("NK-a2").unwrap().kind, Kind::Aircraft);
}

#[test]
fn json_and_csv_give_the_same_entries() {
    let (csv, faults) =
        read("id,name,aliases,kind,countries,birth_dates\n1,Ada,A;B,person,de,1962\n", ListFormat::Csv);
    assert_eq!(faults, []);
    let object = r#"{"id": "1", "name": "Ada", "aliases": ["A", "B"], "kind": "person", "countries": ["DE"], "birth_dates": ["1962"]}"#;
    for text in [format!("[{object}]"), format!("{object}\n")] {
        let (json, faults) = read(&text, ListFormat::Json);
        assert_eq!(faults, []);
        assert_eq!(json.entries(), csv.entries());
        assert_eq!(json.version(), csv.version());
    }
}

#[test]
fn each_bad_record_is_named_with_its_line() {
    let (list, faults) =
        read("id,name,kind\n1,Ada,person\n2,Bo,robot\n1,Cy,person\n3\n4,…,person\n", ListFormat::Csv);
    assert_eq!(list.entries().len(), 1);
    let expected = [
        (3, "kind: \"robot\" is none of person, organization, vessel, aircraft, other"),
        (4, "id: \"1\" stands in line 2 already"),
        (5, "1 fields, but the header has 3"),
        (6, "name: \"…\" holds no letter and no digit"),
    ];
    assert_eq!(faults, expected.map(|(line, reason)| (line, reason.to_owned())));
    let (list, faults) =
        read("{\"id\": \"1\", \"name\": \"Ada\"}\n{\"id\": \"2\", \"nam\": \"Bo\"}\n", ListFormat::Json);
    assert_eq!((list.entries().len(), faults.len()), (1, 1));
    assert!(faults[0].0 == 2 && faults[0].1.starts_with("unknown field `nam`"), "{faults:?}");
    let error = List::read("name\nAda\n".as_bytes(), ListFormat::Csv, "list").unwrap_err();
    assert_eq!(error.to_string(), "the header of the list names no column `id`");
    let bad = format!("id,name\n{}", "1\n".repeat(1001));
    let error = List::read(bad.as_bytes(), ListFormat::Csv, "list").unwrap_err();
    assert_eq!(
        error.to_string(),
        "more than 1000 records of the list are bad; the first, in line 2: 1 fields, but the header has 2"
    );
}

#[test]
fn changes_between_two_versions_are_found() {
    let (old, _) = read("id,name,updated_at\n1,Ada,x\n2,Bo,x\n3,Cy,x\n", ListFormat::Csv);
    let (new, _) = read("id,name,updated_at\n4,Di,y\n3,Cyril,y\n1,Ada,y\n", ListFormat::Csv);
    let changes = old.changes_to(&new);
    let ids = |entries: &[&pando_risk::screening::Entry]| {
        entries.iter().map(|it| it.id.clone()).collect::<String>()
    };
    assert_eq!(
        (ids(&changes.added), ids(&changes.changed), ids(&changes.removed)),
        ("4".into(), "3".into(), "2".into())
    );
    assert_ne!(old.version(), new.version());
    let same = new.changes_to(&new);
    assert!(same.added.is_empty() && same.changed.is_empty() && same.removed.is_empty());
}
