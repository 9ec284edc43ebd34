//! A private RabbitMQ.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use crate::CertificateFiles;
use crate::private::{PrivateServer, can_be_harmed, free_port};

/// Where Debian puts its programs; the ones on the path change the user first.
const PROGRAMS: &str = "/usr/lib/rabbitmq/bin";

/// Its port mapper runs in the same process group, so that nothing outlives the server.
const START: &str = r#"epmd -address 127.0.0.1 -port "$ERL_EPMD_PORT" & exec "$0/rabbitmq-server""#;

/// A running RabbitMQ with one virtual host and the user `guest`.
#[derive(Debug)]
pub struct RabbitMq {
    port: u16,
    tls_port: Option<u16>,
    server: PrivateServer,
}

can_be_harmed!(RabbitMq);

impl RabbitMq {
    /// The server that the tests of this process share; each takes names of its own.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<RabbitMq> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A server of its own, for a test that harms it. Durable data survives [`RabbitMq::kill`].
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start() -> Self {
        Self::run(None)
    }

    /// A server of its own that speaks TLS at a second port, [`RabbitMq::tls_port`].
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn encrypted(files: &CertificateFiles) -> Self {
        Self::run(Some(files))
    }

    fn run(files: Option<&CertificateFiles>) -> Self {
        let installed = Path::new(PROGRAMS).join("rabbitmq-server").exists();
        assert!(installed, "these tests need RabbitMQ: install Debian's package `rabbitmq-server`");
        let folder = PrivateServer::folder("rabbitmq");
        let port = free_port();
        let settings = format!(
            "listeners.tcp.1 = 127.0.0.1:{port}\nlog.console = true\nlog.file = false\nloopback_users = none\n\
             disk_free_limit.absolute = 50MB\n"
        );
        let tls_port = files.map(|_| free_port());
        let tls = files.zip(tls_port).map(|(files, tls_port)| {
            let (certificate, key) = (files.certificate.display(), files.key.display());
            format!(
                "listeners.ssl.1 = 127.0.0.1:{tls_port}\nssl_options.certfile = {certificate}\n\
                 ssl_options.keyfile = {key}\nssl_options.verify = verify_none\n"
            )
        });
        let settings = settings + &tls.unwrap_or_default();
        std::fs::write(folder.join("rabbitmq.conf"), settings).expect("the folder can be written");
        std::fs::write(folder.join("plugins"), "[].").expect("the folder can be written");
        let mut command = Command::new("sh");
        command.args(["-c", START, PROGRAMS]);
        command.env("HOME", &folder);
        command.env("ERL_EPMD_PORT", free_port().to_string());
        command.env("RABBITMQ_NODENAME", format!("pando{port}@localhost"));
        command.env("RABBITMQ_DIST_PORT", free_port().to_string());
        command.env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq"));
        command.env("RABBITMQ_CONF_ENV_FILE", folder.join("none"));
        command.env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("plugins"));
        command.env("RABBITMQ_MNESIA_BASE", folder.join("mnesia"));
        command.env("RABBITMQ_LOG_BASE", &folder);
        // Two schedulers and no busy waiting: the tests need the processors more.
        command.env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none");
        let rabbit = Self { port, tls_port, server: PrivateServer::new(&folder, &command) };
        rabbit.resurrect();
        rabbit
    }

    /// Where it is.
    pub fn amqp_url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
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

    /// Whether it speaks AMQP: a node that is still starting closes the connection.
    fn answers(&self) -> bool {
        let address = (Ipv4Addr::LOCALHOST, self.port).into();
        let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(1)) else {
            return false;
        };
        let mut start = [0; 1];
        stream.set_read_timeout(Some(Duration::from_secs(1))).is_ok()
            && stream.write_all(b"AMQP\0\0\x09\x01").is_ok()
            && stream.read_exact(&mut start).is_ok()
            && start == [1]
    }
}
