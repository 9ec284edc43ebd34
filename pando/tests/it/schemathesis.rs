//! Requests that schemathesis makes up from `/openapi.json`, sent with a full credential, a poor one, none, and to a server that asks
//! nobody: no failure of the server, no answer that the document does not describe, and nothing that the credential should not get.

use std::process::Command;

use pando_database::testing::TestPostgres;
use pando_servers::python;

use crate::engines::Place;
use crate::harness::Running;

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance,credential_suffices";
/// The same requests in every run.
const SEED: &str = "20261120";

/// How many requests are made up for each operation, and how.
struct Effort {
    examples: &'static str,
    phases: &'static str,
}

/// Without a list and without articles, screening and monitoring answer 503, as they should.
const LISTED: (&str, &str) = ("PANDO_RISK__SAMPLE_LIST", "true");
const MEDIA: (&str, &str) = ("PANDO_RISK__SAMPLE_MEDIA", "true");

const LONG: Effort = Effort { examples: "20", phases: "examples,coverage,fuzzing,stateful" };

/// Sends requests with a credential that has these scopes, if there is one, and otherwise without any.
fn try_all(running: &Running, credential: Option<(&str, &str)>, effort: &Effort) {
    // In a folder of its own, because it leaves notes where it runs.
    let work = tempfile::tempdir().unwrap();
    let hooks = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");
    let document = format!("http://{}/openapi.json", running.address);
    let mut command = Command::new(python());
    command.args(["-m", "schemathesis.cli", "run", &document, "--checks", CHECKS]);
    // A watch never ends, so it cannot be waited for.
    command.args(["--exclude-path", "/api/v1/customers/watch", "--max-examples", effort.examples]);
    command.args(["--workers", "1", "--seed", SEED, "--no-color", "--phases", effort.phases]);
    command.env("PYTHONPATH", hooks).env("SCHEMATHESIS_HOOKS", "schemathesis_hooks").current_dir(work.path());
    if let Some((key, granted)) = credential {
        command.env("GRANTED", granted);
        // Made-up credentials count as none; beside a real one they would be a second one.
        if !key.is_empty() {
            command.args(["--header", &format!("Authorization: Bearer {key}")]);
            command.args(["--generation-with-security-parameters", "false"]);
        }
    }
    let ended = command.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stdout);
    let granted = credential.map_or("authentication off", |(_, granted)| granted);
    assert!(ended.status.success(), "{granted:?}: {said}\n{}", String::from_utf8_lossy(&ended.stderr));
}

fn try_with_every_credential(place: &Place, effort: &Effort) {
    place.printed(&["migrate"], &[]);
    let key = |role: &str| {
        let arguments = ["keys", "create", "--name", role, "--role", role, "--tenant", "acme"];
        place.printed(&arguments, &[]).trim().to_owned()
    };
    let (admin, reader) = (key("admin"), key("readonly"));
    let running =
        place.start(&[LISTED, MEDIA, ("PANDO_AUTH__MODE", "required"), ("PANDO_HTTP__METRICS", "false")]);
    for credential in [(admin.as_str(), "*"), (&reader, "*:read"), ("", "")] {
        try_all(&running, Some(credential), effort);
    }
}

#[test]
fn no_made_up_request_gets_an_answer_that_is_not_documented() {
    let effort = Effort { examples: "4", phases: "examples,fuzzing" };
    try_with_every_credential(&Place::sqlite(), &effort);
}

#[test]
fn no_made_up_request_gets_an_answer_that_is_not_documented_with_authentication_off() {
    let effort = Effort { examples: "5", ..LONG };
    try_all(&Place::sqlite().start(&[LISTED, MEDIA]), None, &effort);
}

/// The long form, on both engines.
#[test]
fn prove_that_no_made_up_request_gets_an_answer_that_is_not_documented() {
    if std::env::var_os("PANDO_PROVE").is_none() {
        return;
    }
    for place in [Place::sqlite(), Place::postgres(TestPostgres::shared())] {
        try_with_every_credential(&place, &LONG);
        try_all(&place.start(&[LISTED, MEDIA]), None, &LONG);
    }
}
