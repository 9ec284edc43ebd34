//! Importing and exporting streams.

use std::pin::pin;

use bytes::Bytes;
use futures_util::{TryStreamExt, stream};
use pando_http::Problem;
use pando_profiles::{Import, ImportRequest, ImportState, ProfileId, ProfilesOptions, RecordFormat};
use pando_service::{Class, Expected, Fault};
use serde_json::json;

use crate::{House, call, each_house, each_house_with, fields, is};

fn request(token: &str, format: RecordFormat) -> ImportRequest {
    ImportRequest { token: token.to_owned(), format, dry_run: false }
}

/// Uploads a text in pieces; `cut` makes the upload break off after as many bytes.
async fn upload(
    house: &House,
    request: ImportRequest,
    text: &str,
    cut: Option<usize>,
) -> Result<Import, Fault> {
    let sent = &text.as_bytes()[..cut.unwrap_or(text.len())];
    let mut pieces: Vec<Result<Bytes, Fault>> =
        sent.chunks(7).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    if cut.is_some() {
        pieces.push(Err(Fault::new(Class::Malformed, "the body ended early")));
    }
    house.profiles.import_profiles(&call(), request, pin!(stream::iter(pieces))).await
}

async fn export(house: &House, format: RecordFormat, after: Option<ProfileId>) -> String {
    let pieces: Vec<Bytes> =
        house.profiles.export_profiles(&call(), format, after).try_collect().await.unwrap();
    String::from_utf8(pieces.concat()).unwrap()
}

fn people(count: usize) -> String {
    (0..count)
        .map(|number| format!("{{\"name\":\"P{number}\",\"email\":\"p{number}@example.org\"}}\n"))
        .collect()
}

#[tokio::test]
async fn what_is_exported_can_be_imported_elsewhere_and_is_the_same() {
    each_house(async |house| {
        let given = json!({
            "name": "O'Brien, \"Pat\" 李雷", "email": "pat@example.org", "bio": "two\nlines, \"quoted\"",
            "image_urls": ["/a", "/b"], "attributes": {"k": [1, {"x": "ü"}]}
        });
        house.profiles.create_profile(&call(), &fields(given)).await.unwrap();
        house.person("Ada").await;
        let gone = house.person("Gone").await;
        house.profiles.delete_profile(&call(), gone.id, &Expected::Any).await.unwrap();
        for format in [RecordFormat::Ndjson, RecordFormat::Csv] {
            let text = export(&house, format, None).await;
            let again = upload(
                &house,
                request(format.media_type().split_once('/').unwrap().1.trim_start_matches("x-"), format),
                &text,
                None,
            )
            .await
            .unwrap();
            assert_eq!(
                (again.updated, again.records_done, again.state),
                (2, 2, ImportState::Completed),
                "{again:?}"
            );
            assert_eq!(export(&house, format, None).await, text, "importing an export changes nothing");
        }
    })
    .await;
}

#[tokio::test]
async fn an_export_goes_on_after_an_id() {
    each_house(async |house| {
        let ada = house.person("Ada").await;
        house.person("Grace").await;
        let rest = export(&house, RecordFormat::Ndjson, Some(ada.id)).await;
        assert_eq!(rest.lines().count(), 1);
        assert!(rest.contains("Grace"));
    })
    .await;
}

#[tokio::test]
async fn an_upload_that_broke_off_goes_on_where_it_stopped_and_repeats_nothing() {
    let options = ProfilesOptions { import_batch_records_max: 10, ..ProfilesOptions::default() };
    each_house_with(options, async |house| {
        let text = people(35);
        let cut = text.len() - 300;
        let broken =
            upload(&house, request("job", RecordFormat::Ndjson), &text, Some(cut)).await.unwrap_err();
        assert_eq!(broken.place(), Some("/api/v1/profiles:import?token=job"));
        assert!(broken.errors()[0].message.starts_with("job: 20 records are done"), "{broken:?}");
        let problem = Problem::from(broken);
        assert_eq!((problem.status().as_u16(), problem.errors()[0].field.as_ref()), (400, "token"));
        let stopped = house.profiles.get_import(&call(), "job").await.unwrap();
        assert_eq!((stopped.state, stopped.records_done, stopped.created), (ImportState::Running, 20, 20));

        let whole = upload(&house, request("job", RecordFormat::Ndjson), &text, None).await.unwrap();
        assert_eq!((whole.created, whole.conflicts, whole.records_done), (35, 0, 35));
        let repeated = upload(&house, request("job", RecordFormat::Ndjson), &text, None).await.unwrap();
        assert_eq!(repeated, whole, "a finished import is answered, not repeated");
        assert_eq!(house.profiles.get_import(&call(), "job").await.unwrap(), whole);
    })
    .await;
}

#[tokio::test]
async fn a_token_stands_for_one_file() {
    let options = ProfilesOptions { import_batch_records_max: 10, ..ProfilesOptions::default() };
    each_house_with(options, async |house| {
        let text = people(35);
        let corrected = text.replace("P3\"", "P three\"");
        let other = async |token: &str, text: &str| {
            let refused = upload(&house, request(token, RecordFormat::Ndjson), text, None).await.unwrap_err();
            Problem::from(refused).status().as_u16() == 422
        };
        // One that broke off goes on with its own file only.
        upload(&house, request("one", RecordFormat::Ndjson), &text, Some(text.len() - 300))
            .await
            .unwrap_err();
        assert!(other("one", &corrected).await);
        let whole = upload(&house, request("one", RecordFormat::Ndjson), &text, None).await.unwrap();
        assert_eq!(whole.created, 35);
        // One that is completed answers its own file only: longer, shorter and corrected ones are others.
        for text in [&corrected, &text[..text.len() - 45], &format!("{text}{{}}\n"), ""] {
            assert!(other("one", text).await, "{text}");
        }
        let blank = format!("{text}\n\n");
        for text in [&text, &blank] {
            let token = if *text == blank { "blank" } else { "one" };
            let done = upload(&house, request(token, RecordFormat::Ndjson), text, None).await.unwrap();
            let again = upload(&house, request(token, RecordFormat::Ndjson), text, None).await.unwrap();
            assert_eq!(again, done);
        }
        // A file without records, too.
        for _ in 0..2 {
            let none =
                upload(&house, request("none", RecordFormat::Csv), "name,email\n", None).await.unwrap();
            assert_eq!((none.state, none.records_done), (ImportState::Completed, 0));
        }
    })
    .await;
}

#[tokio::test]
async fn fields_and_columns_that_nobody_knows_are_named() {
    each_house(async |house| {
        let text = "name,email,biography\nA,a@example.org,x\nB,b@example.org,y\nC,c,z\n";
        let import = upload(&house, request("columns", RecordFormat::Csv), text, None).await.unwrap();
        assert_eq!((import.created, import.ignored.as_slice()), (2, &["biography".to_owned()][..]));
        assert_eq!((import.problems[0].record, import.problems[0].line), (3, Some(4)));
        assert_eq!(house.profiles.get_import(&call(), "columns").await.unwrap(), import);
        let text = "{\"name\":\"D\",\"email\":\"d@example.org\",\"version\":1,\"runAt\":2}\n";
        let import = upload(&house, request("fields", RecordFormat::Ndjson), text, None).await.unwrap();
        assert_eq!(import.ignored, ["runAt"]);
    })
    .await;
}

#[tokio::test]
async fn no_exported_cell_is_a_formula_and_it_comes_back_as_it_was() {
    each_house(async |house| {
        for (index, text) in
            ["=HYPERLINK(\"http://x\")", "+1", "-1", "@SUM(A1)", "'=x", "'plain"].iter().enumerate()
        {
            let given =
                json!({"name": text, "email": format!("p{index}@example.org"), "bio": format!("\t{text}")});
            house.profiles.create_profile(&call(), &fields(given)).await.unwrap();
        }
        let text = export(&house, RecordFormat::Csv, None).await;
        for cell in [",\"'=HYPERLINK(", ",'+1,", ",'-1,", ",'@SUM(A1),", ",''=x,", ",'plain,"] {
            assert!(text.contains(cell), "{cell} in {text}");
        }
        let again = upload(&house, request("again", RecordFormat::Csv), &text, None).await.unwrap();
        assert_eq!(again.updated, 6, "{again:?}");
        assert_eq!(export(&house, RecordFormat::Csv, None).await, text);
        let filter = pando_profiles::ProfileFilter { limit: 10, ..Default::default() };
        let versions = house.profiles.list_profiles(&call(), &filter).await.unwrap();
        assert!(versions.items.iter().all(|profile| profile.version == 1), "nothing was changed");
    })
    .await;
}

#[tokio::test]
async fn bad_records_are_counted_and_named_and_the_rest_is_written() {
    each_house(async |house| {
        let text = "{\"name\":\"A\",\"email\":\"a@example.org\"}\nnot json\n{\"name\":\"B\"}\n\
                    {\"name\":\"C\",\"email\":\"A@example.org\"}\n{\"name\":\"D\",\"email\":\"d@example.org\"}\n";
        let import = upload(&house, request("mixed", RecordFormat::Ndjson), text, None).await.unwrap();
        assert_eq!((import.created, import.invalid, import.conflicts, import.records_done), (2, 2, 1, 5));
        let named: Vec<i64> = import.problems.iter().map(|problem| problem.record).collect();
        assert_eq!(named, [2, 3, 4]);
        assert!(import.problems[1].message.contains("email is required"), "{:?}", import.problems);
    })
    .await;
}

#[tokio::test]
async fn a_dry_run_tells_and_writes_nothing() {
    each_house(async |house| {
        house.person("P1").await;
        let dry = ImportRequest { dry_run: true, ..request("dry", RecordFormat::Ndjson) };
        let import = upload(&house, dry, &people(3), None).await.unwrap();
        assert_eq!((import.created, import.conflicts, import.dry_run), (2, 1, true));
        assert_eq!(export(&house, RecordFormat::Ndjson, None).await.lines().count(), 1);
        assert!(is(&house.profiles.get_import(&call(), "dry").await, Class::NotFound));
    })
    .await;
}

#[tokio::test]
async fn of_two_uploads_of_one_import_none_writes_a_record_twice() {
    let options = ProfilesOptions { import_batch_records_max: 5, ..ProfilesOptions::default() };
    each_house_with(options, async |house| {
        let text = people(60);
        let one = upload(&house, request("both", RecordFormat::Ndjson), &text, None);
        let two = upload(&house, request("both", RecordFormat::Ndjson), &text, None);
        let (one, two) = futures_util::future::join(one, two).await;
        for outcome in [&one, &two] {
            assert!(outcome.is_ok() || is(outcome, Class::Conflict), "{outcome:?}");
        }
        let whole = upload(&house, request("both", RecordFormat::Ndjson), &text, None).await.unwrap();
        assert_eq!((whole.created, whole.conflicts, whole.records_done), (60, 0, 60));
    })
    .await;
}
