#![doc = include_str!("../README.md")]

mod act;
mod admission;
mod attempt;
mod batch;
mod broker;
mod claim;
#[cfg(feature = "testing")]
pub mod conformance;
mod context;
mod cron;
mod deliveries;
mod encrypted_broker;
mod enqueue;
mod error;
mod forget;
mod gauges;
mod idle;
mod job;
mod job_type;
mod lanes;
mod manage;
mod mention;
mod options;
mod outbox;
mod queue;
mod reader;
mod record;
mod recurring;
mod registry;
mod relay;
mod runner;
mod schedule;
mod settle;
mod store;
mod subscribers;
mod upkeep;
mod verdict;
mod wake;
mod worker;

use pando_database::{Migration, MigrationSet};

pub use act::{Act, Recorder};
pub use batch::{Batch, BatchStatus};
pub use broker::{BrokerOptions, EventExchange};
pub use context::JobContext;
pub use error::QueueError;
pub use forget::StillNames;
pub use job::{DEFAULT_PRIORITY, DEFAULT_QUEUE, Enqueued, Job, JobState, Settings, Unique};
pub use job_type::{JobType, NoPayload};
pub use manage::{DeadGroup, DeadSelection, JobFilter, QueueStatus, Redriven};
pub use mention::Mentions;
pub use options::{QueueOptions, SingleQueueOptions};
pub use outbox::{Event, Outbox, SubscriberLag};
pub use queue::{Queue, QueueParts};
pub use reader::EventReader;
pub use record::JobRecord;
pub use recurring::{Recurring, RecurringDraft, bad_expression};
pub use registry::{BadPayload, Handler, JobKind, JobResult, PayloadCheck, Registry};
pub use relay::{Relay, Subscriber};
pub use schedule::{Schedule, Scheduler};
pub use subscribers::SubscriberStatus;
pub use verdict::JobError;
pub use worker::{Stopped, Worker};

/// The tables of the queue, in the order they came to be.
pub const MIGRATIONS: MigrationSet = MigrationSet {
    service: "queue",
    migrations: &[
        Migration::new(1, "queue", include_str!("../migrations/0001_queue.sql")),
        Migration::new(2, "outbox", include_str!("../migrations/0002_outbox.sql")),
        Migration::new(3, "outbox_packs", include_str!("../migrations/0003_outbox_packs.sql")),
        Migration::new(4, "lanes_and_sizes", include_str!("../migrations/0004_lanes_and_sizes.sql")),
        Migration::new(5, "recurring", include_str!("../migrations/0005_recurring.sql")),
        Migration::new(6, "tenants", include_str!("../migrations/0006_tenants.sql")),
        Migration::new(7, "names_of_tenants", include_str!("../migrations/0007_names_of_tenants.sql")),
    ],
};
