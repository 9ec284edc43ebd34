//! A private PostgreSQL from the machine's own packages, gone when the test process is.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::str::FromStr;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use pando_clock::Clock;
use tokio_postgres::{Config, NoTls};

/// Runs the server, obeys the lines it reads, and cleans up when the test process has gone, however it went:
/// its end of the pipe closes then. Arguments: the folder, then the server's command.
const WATCHDOG: &str = r#"
folder=$1; shift; pid=
launch() { "$@" </dev/null >>"$folder/log" 2>&1 & pid=$!; }
while read -r line; do
  case $line in
    start) [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null || launch "$@" ;;
    kill) kill -KILL "$pid"; wait "$pid"; pid= ;;
  esac
done
[ -n "$pid" ] && kill -INT "$pid" 2>/dev/null && wait "$pid"
rm -rf "$folder"
"#;

/// How long a server may take to start.
const START_PATIENCE: Duration = Duration::from_secs(60);

/// A running PostgreSQL.
pub struct TestPostgres {
    url: String,
    /// None for a server that was there before.
    watchdog: Option<Watchdog>,
}

struct Watchdog {
    lines: Mutex<ChildStdin>,
    // Ends by itself when `lines` closes; kept so that it is not a zombie while we live.
    _shell: Child,
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
                Ok(url) => Self { url, watchdog: None },
                Err(_) => Self::start(&["fsync=off", "full_page_writes=off"]),
            }
        })
    }

    /// A server of its own, for a test that stops it. `settings` are lines of `postgresql.conf`.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(settings: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("pando-postgres-").tempdir();
        let folder = folder.expect("a temporary folder can be made").keep();
        let programs = programs();
        let data = folder.join("data");
        own(&folder);
        let mut initdb = as_postgres(&programs.join("initdb"));
        initdb.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]);
        initdb.args(["--no-sync", "--no-instructions", "-D"]).arg(&data);
        let made = initdb.current_dir(&folder).output().expect("initdb can be run");
        assert!(made.status.success(), "initdb failed: {}", String::from_utf8_lossy(&made.stderr));
        let port = free_port();
        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        let mut server = as_postgres(&programs.join("postgres"));
        server.arg("-D").arg(&data).args(["-h", "127.0.0.1", "-p", &port.to_string()]);
        let ours = ["unix_socket_directories=", "max_connections=300", "shared_buffers=64MB"];
        for setting in ours.iter().chain(settings) {
            server.args(["-c", setting]);
        }
        let server = Self { url, watchdog: Some(Watchdog::new(&folder, &server)) };
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

    /// Ends it with SIGKILL, as a crash would.
    pub fn kill(&self) {
        self.tell("kill");
        // Its children notice a moment later; until then the port may still answer.
        let started = Instant::now();
        while self.answers() {
            assert!(started.elapsed() < START_PATIENCE, "the server does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Starts it again after [`TestPostgres::kill`].
    ///
    /// # Panics
    /// When it does not start.
    pub fn resurrect(&self) {
        let started = Instant::now();
        let mut asked: Option<Instant> = None;
        while !self.answers() {
            assert!(started.elapsed() < START_PATIENCE, "PostgreSQL does not start at {}", self.url);
            // The memory of a killed server is freed when its last child has gone: starting may need a second try.
            if asked.is_none_or(|asked| asked.elapsed() > Duration::from_millis(500)) {
                self.tell("start");
                asked = Some(Instant::now());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn tell(&self, line: &str) {
        let watchdog = self.watchdog.as_ref().expect("a server that was there before is not ours to stop");
        let mut lines = watchdog.lines.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(lines, "{line}").expect("the watchdog reads its lines");
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

impl Watchdog {
    fn new(folder: &Path, server: &Command) -> Self {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(folder)
            .arg(server.get_program())
            .args(server.get_args());
        // A group of its own: an interrupt at the terminal ends the tests, and then the pipe tells it to clean up.
        shell
            .process_group(0)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut shell = shell.spawn().expect("a shell can be started");
        let lines = Mutex::new(shell.stdin.take().expect("its input is a pipe"));
        Self { lines, _shell: shell }
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
fn as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]).arg(program);
    command
}

fn own(folder: &Path) {
    if is_root() {
        let owned = Command::new("chown").arg("postgres:postgres").arg(folder).status();
        assert!(owned.is_ok_and(|status| status.success()), "the folder can be given to the user postgres");
    }
}

fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").expect("/proc is there")) == 0
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    listener.local_addr().expect("it has an address").port()
}
