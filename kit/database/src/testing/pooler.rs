//! A private PgBouncer in front of a PostgreSQL, in transaction mode, as operators run it.

use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;

use pando_servers::{CertificateFiles, PrivateServer, free_port};

use super::server::{TestPostgres, as_postgres, give_to_postgres, readable_by_postgres};

/// Where Debian puts it.
const PROGRAM: &str = "/usr/sbin/pgbouncer";

/// A running PgBouncer.
pub struct TestPooler {
    url: String,
    server: PrivateServer,
}

impl TestPooler {
    /// Starts one before this server.
    ///
    /// # Panics
    /// When it is not installed, or does not start.
    pub fn start(before: &TestPostgres) -> Self {
        Self::run(before, None)
    }

    /// One that takes encrypted connections only.
    ///
    /// # Panics
    /// When it is not installed, or does not start.
    pub fn encrypted(before: &TestPostgres, files: &CertificateFiles) -> Self {
        Self::run(before, Some(files))
    }

    fn run(before: &TestPostgres, files: Option<&CertificateFiles>) -> Self {
        let installed = Path::new(PROGRAM).exists();
        assert!(installed, "these tests need PgBouncer: install Debian's package `pgbouncer`");
        let folder = PrivateServer::folder("pgbouncer");
        let port = free_port();
        let tls = files.map(|files| readable_by_postgres(&folder, files)).map(|[certificate, key]| {
            let (certificate, key) = (certificate.display(), key.display());
            format!(
                "client_tls_sslmode = require\nclient_tls_cert_file = {certificate}\nclient_tls_key_file = {key}\n"
            )
        });
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = transaction\n\
             max_client_conn = 500\ndefault_pool_size = 20\nserver_login_retry = 0.1\n{}",
            before.port(),
            tls.unwrap_or_default(),
        );
        let file = folder.join("pgbouncer.ini");
        std::fs::write(&file, settings).expect("the folder can be written");
        give_to_postgres(&folder);
        let mut command = Command::new(as_postgres(Path::new(PROGRAM)).get_program());
        command.args(as_postgres(Path::new(PROGRAM)).get_args()).arg(&file);
        let server = PrivateServer::new(&folder, &command);
        server.start(|| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
        Self { url: format!("postgres://postgres@127.0.0.1:{port}/postgres"), server }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for TestPooler {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the pooler said: {}", self.server.log());
        }
    }
}
