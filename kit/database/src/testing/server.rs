//! A private PostgreSQL from the machine's own packages. It ends with the test process.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;
use std::sync::OnceLock;

use pando_clock::Clock;
use pando_servers::{CertificateFiles, PrivateServer, free_port, is_root};
use tokio_postgres::{Config, NoTls};

/// A running PostgreSQL.
pub struct TestPostgres {
    url: String,
    /// None for a server that was there before.
    own: Option<PrivateServer>,
}

impl TestPostgres {
    /// The server that the tests of this process share: the one that `PANDO_TEST_POSTGRES_URL` names, or a
    /// private one, started by the first who asks.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<TestPostgres> = OnceLock::new();
        SHARED.get_or_init(|| {
            #[expect(clippy::disallowed_methods, reason = "how a test run hands its server to its processes")]
            match std::env::var("PANDO_TEST_POSTGRES_URL") {
                Ok(url) => Self { url, own: None },
                Err(_) => Self::start(&["fsync=off", "full_page_writes=off"]),
            }
        })
    }

    /// A server of its own, for a test that stops it. `settings` are lines of `postgresql.conf`.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(settings: &[&str]) -> Self {
        let folder = PrivateServer::folder("postgres");
        Self::run(&folder, settings, None)
    }

    /// A server that speaks TLS and asks for a password (SCRAM-SHA-256), which its address names.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn encrypted(files: &CertificateFiles) -> Self {
        let folder = PrivateServer::folder("postgres");
        let [certificate, key] = readable_by_postgres(&folder, files);
        let (certificate, key) = (certificate.display(), key.display());
        let settings =
            ["ssl=on".to_owned(), format!("ssl_cert_file={certificate}"), format!("ssl_key_file={key}")];
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        Self::run(&folder, &settings, Some("opensesame"))
    }

    fn run(folder: &Path, settings: &[&str], password: Option<&str>) -> Self {
        let programs = programs();
        let data = folder.join("data");
        give_to_postgres(folder);
        let mut initdb = as_postgres(&programs.join("initdb"));
        initdb.args(["-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-A"]);
        match password {
            None => initdb.arg("trust"),
            Some(password) => {
                let file = folder.join("password");
                std::fs::write(&file, password).expect("the folder can be written");
                initdb.args(["scram-sha-256", "--pwfile"]).arg(file)
            }
        };
        initdb.args(["--no-sync", "--no-instructions", "-D"]).arg(&data);
        let made = initdb.current_dir(folder).output().expect("initdb can be run");
        assert!(made.status.success(), "initdb failed: {}", String::from_utf8_lossy(&made.stderr));
        let port = free_port();
        let password = password.map(|password| format!(":{password}")).unwrap_or_default();
        let url = format!("postgres://postgres{password}@127.0.0.1:{port}/postgres");
        let mut server = as_postgres(&programs.join("postgres"));
        server.arg("-D").arg(&data).args(["-h", "127.0.0.1", "-p", &port.to_string()]);
        let ours = ["unix_socket_directories=", "max_connections=300", "shared_buffers=64MB"];
        for setting in ours.iter().chain(settings) {
            server.args(["-c", setting]);
        }
        let server = Self { url, own: Some(PrivateServer::new(folder, &server)) };
        server.resurrect();
        server
    }

    /// A program of the installed PostgreSQL, such as `psql`.
    ///
    /// # Panics
    /// When PostgreSQL is not installed.
    pub fn program(name: &str) -> PathBuf {
        programs().join(name)
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its port.
    ///
    /// # Panics
    /// When its address names none.
    pub fn port(&self) -> u16 {
        let config = Config::from_str(&self.url).expect("a good url");
        *config.get_ports().first().expect("its address names a port")
    }

    /// Ends it with SIGKILL, as a crash would.
    ///
    /// # Panics
    /// When it does not end, or was there before.
    pub fn kill(&self) {
        self.private().kill(|| self.answers());
    }

    /// Starts it again after [`TestPostgres::kill`].
    ///
    /// # Panics
    /// When it does not start.
    pub fn resurrect(&self) {
        self.private().start(|| self.answers());
    }

    /// Stops it with SIGSTOP: it takes connections and says nothing.
    pub fn pause(&self) {
        self.private().pause();
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.private().resume();
    }

    fn private(&self) -> &PrivateServer {
        self.own.as_ref().expect("a server that was there before is not ours to stop")
    }

    /// Whether it takes connections. On a thread of its own: the caller may be inside of a runtime.
    fn answers(&self) -> bool {
        let url = self.url.clone();
        let asking = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("a runtime can be built");
            runtime
                .block_on(async { Config::from_str(&url).expect("a good url").connect(NoTls).await.is_ok() })
        });
        asking.join().expect("asking does not panic")
    }

    /// Makes an empty database and returns its name.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn create_database(&self) -> String {
        let name = format!("test_{}", Clock::system().fresh_id().simple());
        self.administer(&format!("create database {name}")).await;
        name
    }

    /// Removes a database, whoever is still connected to it.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn drop_database(&self, name: &str) {
        self.administer(&format!("drop database {name} with (force)")).await;
    }

    async fn administer(&self, sql: &str) {
        let connected = Config::from_str(&self.url).expect("a good url").connect(NoTls).await;
        let (client, connection) =
            connected.unwrap_or_else(|error| panic!("no test server at {}: {error}", self.url));
        let driver = pando_telemetry::spawn("testing.connection", connection);
        client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        drop(client);
        let _ = driver.await;
    }
}

/// The newest PostgreSQL of the machine.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|version| Some((version.file_name().to_str()?.parse().ok()?, version.path().join("bin"))))
        .filter(|(_, programs): &(u32, PathBuf)| programs.join("initdb").exists())
        .collect();
    found.sort();
    let newest = found.pop().map(|(_, programs)| programs);
    newest.expect(
        "these tests need PostgreSQL: install Debian's package `postgresql`, or name a running server in \
         PANDO_TEST_POSTGRES_URL",
    )
}

/// PostgreSQL refuses to run as root.
pub(super) fn as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(program);
    command
}

pub(super) fn give_to_postgres(folder: &Path) {
    if is_root() {
        let owned = Command::new("chown").arg("postgres:postgres").arg(folder).status();
        assert!(owned.is_ok_and(|status| status.success()), "the folder can be given to the user postgres");
    }
}

/// Copies of these files that the user postgres owns: a server takes no key of another user.
pub(super) fn readable_by_postgres(folder: &Path, files: &CertificateFiles) -> [PathBuf; 2] {
    [&files.certificate, &files.key].map(|file| {
        let copy = folder.join(file.file_name().expect("it is a file"));
        std::fs::copy(file, &copy).expect("the folder can be written");
        give_to_postgres(&copy);
        copy
    })
}
