//! Starts the real binary as a child process and speaks to it as a client would.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// More than anything here takes, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The binary with an empty environment, on a data directory.
pub(crate) fn pando(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pando"));
    command.env_clear().current_dir(data).arg("--data").arg(data).stdin(Stdio::null());
    command
}

/// Runs a command to its end.
pub(crate) fn run(data: &Path, arguments: &[&str]) -> Output {
    to_its_end(pando(data).args(arguments))
}

/// Runs a command to its end; one that does not end (a start that should have been refused) is killed.
pub(crate) fn to_its_end(command: &mut Command) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_child(&child);
    let (sender, ended) = channel();
    thread::spawn(move || sender.send(child.wait_with_output()));
    match ended.recv_timeout(PATIENCE) {
        Ok(output) => output.unwrap(),
        Err(_) => {
            let _ = kill_process(pid, Signal::KILL);
            panic!("{command:?} did not end: {:?}", ended.recv().unwrap())
        }
    }
}

/// What a command printed, after checking that it went well.
pub(crate) fn printed(data: &Path, arguments: &[&str]) -> String {
    let output = run(data, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", complaint(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// What a command said on standard error.
pub(crate) fn complaint(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A running `pando serve`, or another verb that runs until it is told to stop; killed when dropped.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    /// Every line of the log read so far.
    pub(crate) log: Vec<Value>,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Running {
    /// Starts on a free port and waits for the line that says where it listens.
    pub(crate) fn start(data: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        Self::start_verb("serve", data, arguments, variables)
    }

    /// Starts another verb that listens.
    pub(crate) fn start_verb(
        verb: &str,
        data: &Path,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        Self::spawn(pando(data), verb, arguments, variables)
    }

    /// Starts it by a command that ends in being it.
    pub(crate) fn spawn(
        mut command: Command,
        verb: &str,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Self {
        command.arg(verb).args(arguments);
        if !arguments.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        // Nobody waits for a load balancer here; a test that does says so itself.
        command.env("PANDO_HTTP__DRAIN_DELAY_MS", "0").env("PANDO_ADMIN__LISTEN", "127.0.0.1:0");
        // Tests look inside; they need not ask for the other port. A task that takes its time is what several need.
        command.env("PANDO_HTTP__METRICS", "true").env("PANDO_TASKS__SLEEP", "true");
        command.envs(variables.iter().copied());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut running =
            Self { child, lines, log: Vec::new(), address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        let line = running.until(|line| line["address"].is_string());
        running.address = line["address"].as_str().unwrap().parse().unwrap();
        running
    }

    /// Reads the log up to the first line that `found` accepts.
    pub(crate) fn until(&mut self, found: impl Fn(&Value) -> bool) -> Value {
        let limit = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(limit.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    let line =
                        serde_json::from_str(&line).unwrap_or_else(|_| panic!("not a line of JSON: {line}"));
                    self.log.push(line);
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("the line never came; the log was: {:#?}", self.log)
                }
            }
            let last = self.log.last().unwrap();
            if found(last) {
                return last.clone();
            }
        }
    }

    /// Where operators ask it.
    pub(crate) fn admin(&mut self) -> SocketAddr {
        let line = match self.log.iter().find(|line| line["admin"].is_string()) {
            Some(line) => line.clone(),
            None => self.until(|line| line["admin"].is_string()),
        };
        line["admin"].as_str().unwrap().parse().unwrap()
    }

    /// Its process.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// The most memory it ever held, in KiB.
    pub(crate) fn memory_peak_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Tells it to stop.
    pub(crate) fn tell(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Waits for its end and reads the rest of the log.
    pub(crate) fn ended(mut self) -> (ExitStatus, Vec<Value>) {
        // The log ends when the process does, so nobody has to poll.
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.log.push(serde_json::from_str(&line).unwrap());
        }
        (self.child.wait().unwrap(), std::mem::take(&mut self.log))
    }

    /// Sends a request and reads the whole answer.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> Answer {
        ask(self.address, method, path, body)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An answer, taken apart.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Sends a request on a connection of its own and reads the whole answer.
pub(crate) fn ask(address: SocketAddr, method: &str, path: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    // HTTP/1.0: the answer ends with the connection, so it needs no parser.
    let request = format!(
        "{method} {path} HTTP/1.0\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}
