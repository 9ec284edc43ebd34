//! The file store: whether a file can be written, read and deleted there.

use std::time::Duration;

use bytes::Bytes;
use pando_clock::Clock;
use pando_objects::{ObjectName, Objects, ObjectsError};
use pando_resilience::Call;
use pando_telemetry::Metrics;

use super::Finding;
use crate::config::Config;

/// How long the three of them may take together before the store counts as away.
const PATIENCE: Duration = Duration::from_secs(15);

pub(super) async fn examine(config: &Config, clock: &Clock) -> Option<Finding> {
    let options = config.objects_options();
    // Errors in the settings themselves are reported where all settings are checked.
    options.check().ok()?;
    let place = config.files_place();
    if options.s3.bucket.is_none() && !options.path.exists() {
        // Opening it would make it, and a look changes nothing.
        return Some(Finding::ok("files", format!("the first start will create {place}")));
    }
    let tried = match Objects::open(&options, &Metrics::new(), clock) {
        Ok(objects) => try_out(&objects, clock).await,
        Err(error) => Err(Broken { step: "opened", error: Some(error) }),
    };
    Some(match tried {
        Ok(()) => Finding::ok("files", format!("a test file was written, read and deleted in {place}")),
        Err(Broken { step, error: None }) => {
            let detail =
                format!("{place}: the content that was {step} differs from the content that was written");
            Finding::fail("files", detail, "find out which other program writes there")
        }
        Err(Broken { step, error: Some(error) }) => {
            let cause = format!("{:#}", anyhow::Error::from(error.clone()));
            Finding::fail("files", format!("{place}: no file can be {step}: {cause}"), advice(&error))
        }
    })
}

/// Which step failed; without an error when what came back is not what was put there.
struct Broken {
    step: &'static str,
    error: Option<ObjectsError>,
}

/// Stores a file with unique content, and deletes it again.
async fn try_out(objects: &Objects, clock: &Clock) -> Result<(), Broken> {
    let broken = |step| move |error| Broken { step, error: Some(error) };
    let call = Call::internal("doctor", PATIENCE);
    let content = Bytes::from(format!("pando doctor {}", clock.fresh_id()));
    let name = ObjectName::of(&content, "txt").expect("txt is an ending");
    objects.put(&call, &name, content.clone(), "text/plain").await.map_err(broken("written"))?;
    let read = read(objects, &call, &name).await;
    // Also when it could not be read.
    let deleted = objects.delete(&call, &name).await;
    if read.map_err(broken("read"))? != Some(content) {
        return Err(Broken { step: "read", error: None });
    }
    deleted.map_err(broken("deleted"))
}

async fn read(objects: &Objects, call: &Call, name: &ObjectName) -> Result<Option<Bytes>, ObjectsError> {
    match objects.get(call, name, None).await? {
        Some(object) => object.read().await.map(Some),
        None => Ok(None),
    }
}

fn advice(error: &ObjectsError) -> &'static str {
    match error {
        ObjectsError::Unavailable { .. } => "start it, or correct [objects.s3] in the settings",
        ObjectsError::Full => "make room there",
        ObjectsError::BadSetting { .. } => "correct [objects] in the settings",
        _ => "check that folder or bucket are there and that these keys may write, read and delete in it",
    }
}
