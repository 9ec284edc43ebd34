//! Servers that share a database must share their files: a start with other files is refused, by name.

use pando_database::testing::TestPostgres;

use crate::engines::Place;
use crate::harness::{Running, complaint, pando, printed, to_its_end};

#[test]
fn a_second_server_with_other_files_is_refused_until_they_are_adopted() {
    let (first, second) = (Place::postgres(TestPostgres::shared()), tempfile::tempdir().unwrap());
    let variables = [("DATABASE_URL", first.url().unwrap())];
    let running = first.start(&[]);

    let mut command = pando(second.path());
    command.args(["serve", "--listen", "127.0.0.1:0"]).envs(variables);
    let refused = to_its_end(&mut command);
    assert!(!refused.status.success());
    let reason = complaint(&refused);
    assert!(reason.contains("the files of this database are not in"), "{reason}");
    assert!(reason.contains(&*second.path().to_string_lossy()) && reason.contains("adopt-files"), "{reason}");

    // The same files, by whichever way it gets there.
    let files = first.folder().join("objects");
    let shared = [variables[0], ("PANDO_OBJECTS__PATH", files.to_str().unwrap())];
    drop(Running::start(second.path(), &[], &shared));
    drop(running);

    let mut command = pando(second.path());
    let adopted = to_its_end(command.arg("adopt-files").envs(variables));
    assert!(adopted.status.success(), "{}", complaint(&adopted));
    drop(Running::start(second.path(), &[], &variables));
}

#[test]
fn a_file_that_was_moved_with_its_files_starts_as_before() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(Running::start(first.path(), &[], &[]));
    let moved = second.path().join("moved");
    std::fs::rename(first.path(), &moved).unwrap();
    drop(Running::start(&moved, &[], &[]));
    // Without them, it says so instead of answering 404 to every picture.
    std::fs::remove_dir_all(moved.join("objects")).unwrap();
    let refused = to_its_end(pando(&moved).args(["serve", "--listen", "127.0.0.1:0"]));
    assert!(complaint(&refused).contains("the files of this database are not in"), "{}", complaint(&refused));
    printed(&moved, &["adopt-files"]);
    drop(Running::start(&moved, &[], &[]));
}
