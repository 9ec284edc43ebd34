//! A PostgreSQL over TLS, as an operator sees it: the settings, `pando doctor`, and the errors of a start.

use pando_database::testing::TestPostgres;
use pando_servers::Certificates;

use crate::harness::{pando, to_its_end};

#[test]
fn a_database_that_is_not_trusted_is_named_with_the_reason_and_one_that_is_trusted_works() {
    let data = tempfile::tempdir().unwrap();
    let (ours, strangers) = (Certificates::new(), Certificates::new());
    let server = TestPostgres::encrypted(&ours.server("server"));
    let run = |arguments: &[&str], authority: &Certificates| {
        let mut command = pando(data.path());
        command.args(arguments).env("DATABASE_URL", server.url());
        command
            .env("PANDO_DATABASE__SSLMODE", "verify-full")
            .env("PANDO_TLS__AUTHORITIES", authority.authority());
        let output = to_its_end(&mut command);
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
        assert!(!said.contains("opensesame"), "{said}");
        (output.status.code(), said)
    };
    for arguments in [["doctor"].as_slice(), &["migrate"], &["serve", "--listen", "127.0.0.1:0"]] {
        let (code, said) = run(arguments, &strangers);
        assert_eq!(code, Some(1), "{said}");
        let reason = "no encrypted connection: invalid peer certificate: ";
        assert!(said.contains(reason) && said.contains("no trusted authority has signed it"), "{said}");
    }
    let (code, said) = run(&["migrate"], &ours);
    assert_eq!(code, Some(0), "{said}");
    let (_, said) = run(&["doctor"], &ours);
    assert!(said.contains("ok    database: PostgreSQL "), "{said}");
}
