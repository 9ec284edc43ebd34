//! Tasks are counted from their start to their end, whatever the end is.

use pando_telemetry::{Metrics, live_tasks, spawn};

use crate::exposition::read;

#[tokio::test]
async fn a_task_is_live_until_it_is_aborted() {
    let task = spawn("endless", std::future::pending::<()>());
    assert_eq!(live_tasks("endless"), 1);
    assert_eq!(read(&Metrics::new().render()).unwrap()[r#"tasks_live{task="endless"}"#], 1.0);
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(live_tasks("endless"), 0);
}

#[tokio::test]
async fn a_task_that_ends_or_panics_is_gone() {
    assert_eq!(spawn("brief", async { 42 }).await.unwrap(), 42);
    assert!(spawn("brief", async { panic!("on purpose") }).await.unwrap_err().is_panic());
    assert_eq!(live_tasks("brief"), 0);
}
