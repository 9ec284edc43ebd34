//! A private Redis.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use crate::CertificateFiles;
use crate::private::{PrivateServer, can_be_harmed, free_port};

/// A running Redis that keeps nothing on disk.
#[derive(Debug)]
pub struct Redis {
    port: u16,
    tls_port: Option<u16>,
    server: PrivateServer,
}

can_be_harmed!(Redis);

impl Redis {
    /// The server that the tests of this process share; each takes keys of its own.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Redis> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[]))
    }

    /// A server of its own. `options` are those of the command line: `&["--maxmemory", "2mb"]`.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(options: &[&str]) -> Self {
        Self::run(&["--save", "", "--appendonly", "no"], options)
    }

    /// A server of its own that speaks TLS at a second port, [`Redis::tls_port`].
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn encrypted(files: &CertificateFiles, options: &[&str]) -> Self {
        let tls_port = free_port();
        let [certificate, key] = [&files.certificate, &files.key].map(|file| file.display().to_string());
        let tls_port_text = tls_port.to_string();
        let mut all =
            vec!["--tls-port", &tls_port_text, "--tls-cert-file", &certificate, "--tls-key-file", &key];
        all.extend(["--tls-auth-clients", "no"]);
        all.extend(options);
        Self { tls_port: Some(tls_port), ..Self::start(&all) }
    }

    /// A Sentinel that watches what `options` tell it to: `&["--sentinel", "monitor", …]`.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn sentinel(options: &[&str]) -> Self {
        Self::run(&["--sentinel"], options)
    }

    fn run(first: &[&str], options: &[&str]) -> Self {
        let folder = PrivateServer::folder("redis");
        let port = free_port();
        // Sentinel and Cluster write their state into the file and the folder they were started with.
        let settings = format!("port {port}\nbind 127.0.0.1\ndir {}\n", folder.display());
        let file = folder.join("redis.conf");
        std::fs::write(&file, settings).expect("the folder can be written");
        let mut command = Command::new("redis-server");
        command.arg(&file).args(first).args(options);
        let found = Command::new("redis-server").arg("--version").output();
        assert!(found.is_ok(), "these tests need Redis: install Debian's package `redis-server`");
        let redis = Self { port, tls_port: None, server: PrivateServer::new(&folder, &command) };
        redis.resurrect();
        redis
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port, on the loopback address.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The port at which it speaks TLS.
    ///
    /// # Panics
    /// When it was started without TLS.
    pub fn tls_port(&self) -> u16 {
        self.tls_port.expect("it was started with TLS")
    }

    /// The answer to an inline command, as it comes over the wire; `None` if there is no answer within a second.
    pub fn ask(&self, command: &str) -> Option<String> {
        let address = (Ipv4Addr::LOCALHOST, self.port).into();
        let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
        stream.write_all(format!("{command}\r\n").as_bytes()).ok()?;
        let mut answer = [0; 4096];
        let length = stream.read(&mut answer).ok()?;
        Some(String::from_utf8_lossy(&answer[..length]).into_owned())
    }

    fn answers(&self) -> bool {
        self.ask("PING").is_some_and(|answer| answer.starts_with("+PONG"))
    }
}
