//! Both engines below the real binary.

use std::path::Path;
use std::process::Output;

use pando_database::testing::TestPostgres;

use crate::harness::{Running, pando, to_its_end};

/// Settings under which every read is the database's: what is checked must not come from memory.
pub(crate) const UNCACHED: &[(&str, &str)] = &[
    ("PANDO_PROFILES__CACHE__L1", "false"),
    ("PANDO_PROFILES__CACHE__L2", "false"),
    ("PANDO_PROFILES__PAGES__L1", "false"),
];

/// A place where a server keeps its data; two servers on it share them.
pub(crate) struct Place {
    pub(crate) name: &'static str,
    folder: tempfile::TempDir,
    url: Option<String>,
}

impl Place {
    /// An embedded database in a fresh folder.
    pub(crate) fn sqlite() -> Self {
        Self { name: "SQLite", folder: tempfile::tempdir().unwrap(), url: None }
    }

    /// A fresh database on a PostgreSQL.
    pub(crate) fn postgres(server: &TestPostgres) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let name = runtime.block_on(server.create_database());
        let url = format!("{}/{name}", server.url().rsplit_once('/').unwrap().0);
        Self { name: "PostgreSQL", folder: tempfile::tempdir().unwrap(), url: Some(url) }
    }

    /// One of each, on the PostgreSQL that the tests share.
    pub(crate) fn both() -> [Self; 2] {
        [Self::sqlite(), Self::postgres(TestPostgres::shared())]
    }

    /// Starts a server here.
    pub(crate) fn start(&self, variables: &[(&str, &str)]) -> Running {
        self.start_verb("serve", variables)
    }

    /// Starts another verb that listens.
    pub(crate) fn start_verb(&self, verb: &str, variables: &[(&str, &str)]) -> Running {
        let mut all = variables.to_vec();
        if let Some(url) = &self.url {
            all.push(("DATABASE_URL", url));
        }
        Running::start_verb(verb, self.folder.path(), &[], &all)
    }

    /// What a command prints that is run here, after checking that it went well.
    pub(crate) fn printed(&self, arguments: &[&str], variables: &[(&str, &str)]) -> String {
        let output = self.run(arguments, variables);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command here to its end.
    pub(crate) fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = pando(self.folder());
        command.args(arguments).envs(variables.iter().copied());
        if let Some(url) = &self.url {
            command.env("DATABASE_URL", url);
        }
        to_its_end(&mut command)
    }

    /// The folder of the data.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The address of the PostgreSQL database.
    pub(crate) fn url(&self) -> Option<&str> {
        self.url.as_deref()
    }
}
