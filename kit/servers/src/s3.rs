//! A private S3 server.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::time::Duration;

use crate::CertificateFiles;
use crate::private::{PrivateServer, can_be_harmed, free_port};
use crate::tools::tool;

/// Its bucket. It is made before the server starts, which remembers what folders there are.
const BUCKET: &str = "objects";
/// The credentials of the tests.
const ACCESS_KEY: &str = "pando-tests";
/// Their secret.
const SECRET_KEY: &str = "only-in-tests";

/// A running S3 server (`rclone serve s3`): its buckets are folders, its objects files.
#[derive(Debug)]
pub struct S3 {
    port: u16,
    encrypted: bool,
    server: PrivateServer,
}

can_be_harmed!(S3);

impl S3 {
    /// A server with one empty bucket. Stored objects survive [`S3::kill`].
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start() -> Self {
        Self::run(None)
    }

    /// The same over TLS.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn encrypted(files: &CertificateFiles) -> Self {
        Self::run(Some(files))
    }

    fn run(files: Option<&CertificateFiles>) -> Self {
        let folder = PrivateServer::folder("s3");
        let port = free_port();
        let buckets = folder.join("buckets");
        std::fs::create_dir_all(buckets.join(BUCKET)).expect("the folder can be written");
        let mut command = Command::new(tool("rclone"));
        command
            .args(["serve", "s3", "--vfs-cache-mode", "off"])
            .args(["--addr", &format!("127.0.0.1:{port}")])
            .args(["--auth-key", &format!("{ACCESS_KEY},{SECRET_KEY}")])
            .arg("--config")
            .arg(folder.join("rclone.conf"))
            .arg("--cache-dir")
            .arg(folder.join("cache"))
            .arg(&buckets)
            .env("HOME", &folder);
        if let Some(files) = files {
            command.arg("--cert").arg(&files.certificate).arg("--key").arg(&files.key);
        }
        let server = PrivateServer::new(&folder, &command);
        let s3 = Self { port, encrypted: files.is_some(), server };
        s3.resurrect();
        s3
    }

    /// Where it is.
    pub fn endpoint(&self) -> String {
        let scheme = if self.encrypted { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// The access key of the tests.
    pub fn access_key(&self) -> &'static str {
        ACCESS_KEY
    }

    /// Their secret.
    pub fn secret_key(&self) -> &'static str {
        SECRET_KEY
    }

    /// Its bucket.
    pub fn bucket(&self) -> &'static str {
        BUCKET
    }

    /// Whether it speaks HTTP: with TLS, it says so to a request without.
    fn answers(&self) -> bool {
        let address = (Ipv4Addr::LOCALHOST, self.port).into();
        let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(1)) else {
            return false;
        };
        let mut answer = [0; 5];
        stream.set_read_timeout(Some(Duration::from_secs(1))).is_ok()
            && stream.write_all(b"GET / HTTP/1.0\r\n\r\n").is_ok()
            && stream.read_exact(&mut answer).is_ok()
            && &answer == b"HTTP/"
    }
}
