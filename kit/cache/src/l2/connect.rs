//! Connections to Redis: to one server, to a server that Sentinels know, or to a Cluster.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pando_tls::Tls;
use redis::aio::{ConnectionLike, MultiplexedConnection, PubSub};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo, RedisError,
    RedisFuture, RedisResult, TlsCertificates, TlsMode,
};

use crate::options::millis;
use crate::{CacheError, RedisMode, RedisOptions};

/// An address is not quoted, because a part of it may be a password.
const NO_ADDRESS: &str = "must each be host:port; the password is redis.password";

/// The connections that carry operations.
#[derive(Clone)]
pub(crate) enum Wire {
    Single(Arc<[MultiplexedConnection]>, Arc<AtomicUsize>),
    Cluster(ClusterConnection),
}

/// Where to connect, as the settings say it.
pub(crate) struct Place {
    mode: RedisMode,
    nodes: Vec<ConnectionInfo>,
    /// The authorities to trust, where TLS is spoken.
    certificates: Option<TlsCertificates>,
}

impl Place {
    pub(crate) fn new(options: &RedisOptions) -> Result<Self, CacheError> {
        let bad = |setting, reason: &str| CacheError::BadSetting { setting, reason: reason.to_owned() };
        let mut nodes = Vec::new();
        if let Some(url) = &options.url {
            // The error of the parser may quote the password.
            let node = url.expose().into_connection_info();
            nodes.push(node.map_err(|_| bad("url", "no redis://user:password@host:port/db"))?);
        }
        for address in &options.addresses {
            if address.contains('@') {
                return Err(bad("addresses", NO_ADDRESS));
            }
            let (host, port) = address.rsplit_once(':').unwrap_or((address, "6379"));
            let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
            let port = port.parse().map_err(|_| bad("addresses", NO_ADDRESS))?;
            let node = match options.encrypted {
                true => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
                false => ConnectionAddr::Tcp(host, port),
            };
            let node = node.into_connection_info();
            nodes.push(node.map_err(|_| bad("addresses", NO_ADDRESS))?);
        }
        let certificates = certificates(&nodes, &options.tls)?;
        let signed = nodes.into_iter().map(|node| {
            let mut settings = node.redis_settings().clone();
            if options.database != 0 {
                settings = settings.set_db(options.database.into());
            }
            if let Some(user) = &options.username {
                settings = settings.set_username(user);
            }
            if let Some(password) = &options.password {
                settings = settings.set_password(password.expose());
            }
            node.set_redis_settings(settings)
        });
        let mut nodes: Vec<ConnectionInfo> = signed.collect();
        if let Some(certificates) = &certificates {
            for node in &mut nodes {
                let client = Client::build_with_tls(node.clone(), certificates.clone());
                let client = client.map_err(|error| bad("encrypted", &error.to_string()))?;
                *node = client.get_connection_info().clone();
            }
        }
        Ok(Self { mode: options.mode, nodes, certificates })
    }

    /// The number of the database, as the address or the settings say it.
    pub(crate) fn database(&self) -> i64 {
        self.nodes.first().map_or(0, |node| node.redis_settings().db())
    }

    /// Connects: what carries operations, and what listens.
    pub(crate) async fn connect(&self, options: &RedisOptions) -> RedisResult<(Wire, PubSub)> {
        if self.mode == RedisMode::Cluster {
            let mut builder = ClusterClient::builder(self.nodes.clone())
                .connection_timeout(millis(options.connect_ms))
                .response_timeout(millis(options.hard_timeout_ms))
                .retries(1);
            if let Some(certificates) = &self.certificates {
                builder = builder.certs(certificates.clone());
            }
            let wire = Wire::Cluster(builder.build()?.get_async_connection().await?);
            return Ok((wire, self.listen_to_any().await?));
        }
        let client = match self.mode {
            RedisMode::Sentinel => self.master(options).await?,
            _ => Client::open(self.nodes[0].clone())?,
        };
        // Operations are timed where they are made: each has its own patience.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(millis(options.connect_ms)))
            .set_response_timeout(None);
        let mut carriers = Vec::new();
        for _ in 0..options.connections {
            carriers.push(client.get_multiplexed_async_connection_with_config(&config).await?);
        }
        Ok((Wire::Single(carriers.into(), Arc::default()), client.get_async_pubsub().await?))
    }

    /// The server that the Sentinels call the master; it is asked whether it is one when it is used.
    async fn master(&self, options: &RedisOptions) -> RedisResult<Client> {
        let addresses = self.nodes.iter().map(|node| node.addr().clone());
        let settings = self.nodes[0].redis_settings();
        let mut builder =
            SentinelClientBuilder::new(addresses, options.master_name.clone(), SentinelServerType::Master)?
                .set_client_to_redis_db(settings.db());
        if let Some(user) = settings.username() {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = settings.password() {
            builder = builder.set_client_to_redis_password(password);
        }
        if let Some(certificates) = &self.certificates {
            builder = builder
                .set_client_to_redis_tls_mode(TlsMode::Secure)
                .set_client_to_redis_certificates(certificates.clone())
                .set_client_to_sentinel_certificates(certificates.clone());
        }
        builder.build()?.async_get_client().await
    }

    /// A Cluster passes what is published on to all of its nodes.
    async fn listen_to_any(&self) -> RedisResult<PubSub> {
        let mut last: RedisError = (ErrorKind::InvalidClientConfig, "no address").into();
        for node in &self.nodes {
            match Client::open(node.clone())?.get_async_pubsub().await {
                Ok(listener) => return Ok(listener),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// The authorities for these nodes; none if they are reached without TLS.
fn certificates(nodes: &[ConnectionInfo], tls: &Tls) -> Result<Option<TlsCertificates>, CacheError> {
    let is_encrypted = |node: &ConnectionInfo| matches!(node.addr(), ConnectionAddr::TcpTls { .. });
    if !nodes.iter().any(is_encrypted) {
        return Ok(None);
    }
    let authorities = tls
        .authorities_pem()
        .map_err(|error| CacheError::BadSetting { setting: "encrypted", reason: error.to_string() })?;
    Ok(Some(TlsCertificates { client_tls: None, root_cert: Some(authorities.into_bytes()) }))
}

impl Wire {
    /// The next connection in turn.
    pub(crate) fn carrier(&self) -> Carrier {
        match self {
            Self::Single(carriers, turn) => {
                Carrier::Single(carriers[turn.fetch_add(1, Ordering::Relaxed) % carriers.len()].clone())
            }
            Self::Cluster(connection) => Carrier::Cluster(connection.clone()),
        }
    }

    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self, Self::Cluster(_))
    }
}

/// One connection, whichever kind.
pub(crate) enum Carrier {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl ConnectionLike for Carrier {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a redis::Cmd) -> RedisFuture<'a, redis::Value> {
        match self {
            Self::Single(connection) => connection.req_packed_command(cmd),
            Self::Cluster(connection) => connection.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a redis::Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<redis::Value>> {
        match self {
            Self::Single(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Single(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}
