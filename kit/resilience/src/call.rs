//! The data that travels with one unit of work through all crates.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::{Deadline, Identity, Tenant};

/// One unit of work on its way through the house: a request, a job, a command.
#[derive(Clone, Debug)]
pub struct Call {
    /// Until when the answer is of use.
    pub deadline: Deadline,
    /// Names the work in every log line it causes.
    pub request_id: Arc<str>,
    /// The caller, and the tenant whose data the work is about.
    pub identity: Identity,
    /// The address from which the request came, if it came from outside.
    pub client: Option<IpAddr>,
    /// The consistency token that came with the request: reads must see at least this write.
    pub consistency: Option<Arc<str>>,
    /// The key of a write that happens once, however often it is asked for.
    pub repeat: Option<Arc<Repeat>>,
}

/// Identifies a request, so that its repeats are recognised: the operation, the key that the caller chose, and the hash of the
/// request's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeat {
    /// A route of HTTP, a method of gRPC, a kind of job.
    pub operation: String,
    /// The key.
    pub key: String,
    /// The same key with another hash is another request, which is refused.
    pub hash: [u8; 32],
}

impl Call {
    /// Work that the program itself starts: a command, a sweep, a test.
    pub fn internal(name: &str, budget: Duration) -> Self {
        Self {
            deadline: Deadline::after(budget),
            request_id: name.into(),
            identity: Identity::of("system"),
            client: None,
            consistency: None,
            repeat: None,
        }
    }

    /// The tenant whose data the work is about.
    pub fn tenant(&self) -> &Tenant {
        &self.identity.tenant
    }

    /// The name of the caller, which histories record.
    pub fn actor(&self) -> &str {
        &self.identity.subject
    }

    /// The same call in the name of somebody else of the same tenant.
    pub fn by(&self, subject: impl Into<Arc<str>>) -> Self {
        let identity = Identity { subject: subject.into(), ..self.identity.clone() };
        Self { identity, ..self.clone() }
    }

    /// The same call with another deadline, such as that of one step of a job that takes hours.
    pub fn with_deadline(&self, deadline: Deadline) -> Self {
        Self { deadline, ..self.clone() }
    }

    /// The same call about the data of a tenant.
    pub fn of_tenant(&self, tenant: Tenant) -> Self {
        let identity = Identity { tenant, ..self.identity.clone() };
        Self { identity, ..self.clone() }
    }
}
