//! A server program of this machine, run in a process group of its own under a watchdog.

use std::fs::File;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Runs the server, obeys the lines it reads, and cleans up when the test process has gone, however it went: its end of
/// the pipe closes then. Arguments: the folder, then the server's command.
const WATCHDOG: &str = r#"
folder=$1; shift; pid=
launch() { setsid "$@" </dev/null >>"$folder/log" 2>&1 & pid=$!; echo "$pid" >"$folder/pid"; }
while read -r line; do
  case $line in
    start) [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null || launch "$@" ;;
    kill) [ -n "$pid" ] && { kill -KILL -"$pid"; wait "$pid"; pid=; } ;;
    pause) kill -STOP -"$pid" ;;
    resume) kill -CONT -"$pid" ;;
  esac
done
# In order: PostgreSQL wants INT while it has clients, RabbitMQ listens to TERM only, a paused one to neither.
if [ -n "$pid" ] && kill -CONT -"$pid" 2>/dev/null; then
  kill -TERM -"$pid"; kill -INT -"$pid"
  (sleep 10; kill -KILL -"$pid") 2>/dev/null & late=$!
  wait "$pid"; kill "$late"
fi
rm -rf "$folder"
"#;

/// How long a server may take to start, and to end.
const PATIENCE: Duration = Duration::from_secs(90);

/// A server that this process started.
#[derive(Debug)]
pub struct PrivateServer {
    folder: PathBuf,
    lines: Mutex<ChildStdin>,
    // Ends by itself when `lines` closes; kept so that it is not a zombie while we live.
    _shell: Child,
}

impl PrivateServer {
    /// A temporary folder for a server's files. The watchdog removes it.
    ///
    /// # Panics
    /// When there is none to be had.
    pub fn folder(name: &str) -> PathBuf {
        let folder = tempfile::Builder::new().prefix(&format!("pando-{name}-")).tempdir();
        folder.expect("a temporary folder can be made").keep()
    }

    /// A watchdog for this command, which is not started yet. Its output goes into the file `log` of the folder.
    ///
    /// # Panics
    /// When no shell can be started.
    pub fn new(folder: &Path, server: &Command) -> Self {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(folder)
            .arg(server.get_program())
            .args(server.get_args());
        for (name, value) in server.get_envs().filter_map(|(name, value)| Some((name, value?))) {
            shell.env(name, value);
        }
        // A group of its own: an interrupt at the terminal ends the tests, and then the pipe tells it to clean up.
        shell
            .process_group(0)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut shell = shell.spawn().expect("a shell can be started");
        let lines = Mutex::new(shell.stdin.take().expect("its input is a pipe"));
        Self { folder: folder.to_owned(), lines, _shell: shell }
    }

    /// Starts it, and waits until `answers`.
    ///
    /// # Panics
    /// When it does not: with what it printed.
    pub fn start(&self, answers: impl Fn() -> bool) {
        let began = Instant::now();
        let mut asked: Option<Instant> = None;
        while !answers() {
            assert!(began.elapsed() < PATIENCE, "the server does not start: {}", self.log());
            // One that was just killed may still hold what the next needs: starting may need a second try.
            if asked.is_none_or(|asked| asked.elapsed() > Duration::from_millis(500)) {
                self.tell("start");
                asked = Some(Instant::now());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it with SIGKILL, all its processes at once, and waits until nothing `answers` any more.
    ///
    /// # Panics
    /// When it does not end.
    pub fn kill(&self, answers: impl Fn() -> bool) {
        self.tell("kill");
        until("the server has ended", PATIENCE, || !answers());
    }

    /// Stops it with SIGSTOP: its connections stay, and nothing moves.
    ///
    /// # Panics
    /// When it does not stop.
    pub fn pause(&self) {
        self.tell("pause");
        until("the server is stopped", PATIENCE, || self.is_paused());
    }

    /// Lets it go on.
    ///
    /// # Panics
    /// When it does not.
    pub fn resume(&self) {
        self.tell("resume");
        until("the server goes on", PATIENCE, || !self.is_paused());
    }

    /// As the kernel sees it.
    fn is_paused(&self) -> bool {
        let pid = std::fs::read_to_string(self.folder.join("pid")).unwrap_or_default();
        let state = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        state.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
    }

    /// The output of the server.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn tell(&self, line: &str) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(lines, "{line}").expect("the watchdog reads its lines");
    }
}

/// The methods by which tests control a server.
macro_rules! can_be_harmed {
    ($kind:ident) => {
        impl $kind {
            /// Ends it with SIGKILL, as a crash would.
            ///
            /// # Panics
            /// When it does not end.
            pub fn kill(&self) {
                self.server.kill(|| self.answers());
            }

            /// Starts it again, on the same port, with what it keeps over a crash.
            ///
            /// # Panics
            /// When it does not start.
            pub fn resurrect(&self) {
                self.server.start(|| self.answers());
            }

            /// Stops it with SIGSTOP: it takes connections and says nothing.
            ///
            /// # Panics
            /// When it does not stop.
            pub fn pause(&self) {
                self.server.pause();
            }

            /// Lets it go on.
            ///
            /// # Panics
            /// When it does not.
            pub fn resume(&self) {
                self.server.resume();
            }
        }
    };
}
pub(crate) use can_be_harmed;

/// Waits until something is so, on the thread that asks.
///
/// # Panics
/// When it is not so in time.
pub fn until(what: &str, patience: Duration, so: impl Fn() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < patience, "waited {patience:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A free loopback port, which no other test on this machine gets while this process lives.
///
/// # Panics
/// When there is none.
pub fn free_port() -> u16 {
    static TAKEN: Mutex<Vec<File>> = Mutex::new(Vec::new());
    let folder = std::env::temp_dir().join("pando-test-ports");
    // Another user may have made it: their locks count as well.
    let _ = std::fs::create_dir_all(&folder);
    for _ in 0..1_000 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = listener.local_addr().expect("it has an address").port();
        // The lock goes with the process, however it ends; the file may stay.
        if let Ok(file) = File::create(folder.join(port.to_string()))
            && file.try_lock().is_ok()
        {
            TAKEN.lock().unwrap_or_else(PoisonError::into_inner).push(file);
            return port;
        }
    }
    panic!("no port can be had: every file in {} belongs to somebody else", folder.display());
}

/// Whether the tests run as root: some servers refuse to.
///
/// # Panics
/// Without `/proc`.
pub fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").expect("/proc is there")) == 0
}
