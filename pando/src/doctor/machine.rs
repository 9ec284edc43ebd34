//! The resources of the machine: file descriptors and free space on the disk.

use std::path::Path;

use rustix::process::{Resource, getrlimit};

use super::Finding;
use crate::config::Config;

/// Descriptors for files, logs, timers and the like.
const SPARE_DESCRIPTORS: u64 = 64;
const MEBIBYTE: u64 = 1024 * 1024;
/// Less room than this, and a busy day fills the disk.
const ROOM_WARN: u64 = 2 * 1024 * MEBIBYTE;
/// Less room than this, and the next checkpoint may fail.
const ROOM_FAIL: u64 = 100 * MEBIBYTE;

/// Whether every connection that is allowed can have its descriptor.
pub(super) fn open_files(config: &Config) -> Finding {
    let pool = config.database.pool.max + config.database.reads.connections;
    let wanted = (config.http.connections_max + pool) as u64 + SPARE_DESCRIPTORS;
    match getrlimit(Resource::Nofile).current {
        Some(limit) if limit < wanted => {
            let advice =
                format!("raise it to {wanted} (ulimit -n, LimitNOFILE=), or lower http.connections_max");
            let detail = format!("{limit} allowed, {wanted} needed when every connection is in use");
            Finding::warn("open files", detail, advice)
        }
        Some(limit) => Finding::ok("open files", format!("{limit} allowed, {wanted} needed")),
        None => Finding::ok("open files", "no limit"),
    }
}

/// Whether the data directory can grow.
pub(super) fn disk_space(data_dir: &Path) -> Finding {
    // Before the first start the directory is not there yet: its disk is the one of the nearest that is.
    let absolute = std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.to_owned());
    let Some(existing) = absolute.ancestors().find(|path| path.exists()) else {
        return Finding::fail("disk", format!("{} has no parent", data_dir.display()), "set data_dir");
    };
    let (free, place) = match rustix::fs::statvfs(existing) {
        Ok(disk) => (disk.f_bavail.saturating_mul(disk.f_frsize), existing.display()),
        Err(error) => {
            let detail = format!("{}: {error}", existing.display());
            return Finding::fail("disk", detail, "make the data directory readable, or set data_dir");
        }
    };
    let detail = format!("{} MiB free at {place}", free / MEBIBYTE);
    let advice = "make room, or move data_dir";
    if free < ROOM_FAIL {
        Finding::fail("disk", detail, advice)
    } else if free < ROOM_WARN {
        Finding::warn("disk", detail, advice)
    } else {
        Finding::ok("disk", detail)
    }
}
