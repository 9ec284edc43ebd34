//! Returns its data as its result.

use pando_queue::JobKind;

pub(super) fn kind() -> JobKind {
    JobKind {
        public: true,
        summary: "Returns its data as its result".to_owned(),
        ..JobKind::new("echo", async |_, data| Ok(data))
    }
}
