//! The queue of log lines: callers only add a line, and one thread writes all lines. If the program that reads the log
//! stalls, only that thread waits.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use tracing_subscriber::fmt::MakeWriter;

/// How many lines wait for the reader; more are dropped, and counted.
const LINES_MAX: usize = 8_192;

/// How long the end of a process waits for its last lines to be read.
const FLUSH_MAX: Duration = Duration::from_secs(2);

enum Entry {
    Line(Vec<u8>),
    /// Everything before is written.
    Flush(SyncSender<()>),
}

/// Where lines are left. Cloning shares it; the last clone waits a moment for what is not written yet.
#[derive(Clone, Debug)]
pub(crate) struct LogQueue(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    lines: SyncSender<Entry>,
    lost: Arc<AtomicU64>,
}

impl LogQueue {
    /// Starts the thread that writes to `out`.
    pub(crate) fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (lines, written) = sync_channel(LINES_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&lost);
        thread::Builder::new().name("log".to_owned()).spawn(move || write_all(&written, out, &counted))?;
        Ok(Self(Arc::new(Inner { lines, lost })))
    }

    /// Waits until what was logged before is written, but not for ever.
    pub(crate) fn flush(&self) {
        let (began, (done, flushed)) = (Instant::now(), sync_channel(1));
        let mut entry = Entry::Flush(done);
        // A full queue has no room for the question either, until the reader has taken some of it.
        while let Err(TrySendError::Full(back)) = self.0.lines.try_send(entry) {
            if began.elapsed() >= FLUSH_MAX {
                return;
            }
            entry = back;
            thread::yield_now();
        }
        let _ = flushed.recv_timeout(FLUSH_MAX);
    }
}

fn write_all(lines: &Receiver<Entry>, mut out: impl Write, lost: &AtomicU64) {
    while let Ok(entry) = lines.recv() {
        // Nobody can be told that the log cannot be written.
        let _ = match entry {
            Entry::Line(line) => out.write_all(&line),
            Entry::Flush(done) => {
                let flushed = out.flush();
                let _ = done.send(());
                flushed
            }
        };
        let lost = lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let _ = writeln!(
                out,
                "{{\"level\":\"WARN\",\"message\":\"{lost} lines of the log were lost: its reader was too slow\"}}"
            );
        }
    }
}

/// One line on its way.
pub(crate) struct Line<'q> {
    queue: &'q LogQueue,
    text: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let text = std::mem::take(&mut self.text);
        if !text.is_empty() && self.queue.0.lines.try_send(Entry::Line(text)).is_err() {
            self.queue.0.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl<'q> MakeWriter<'q> for LogQueue {
    type Writer = Line<'q>;

    fn make_writer(&'q self) -> Line<'q> {
        Line { queue: self, text: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A reader that takes nothing until the test lets it.
    struct Stalled {
        go_on: Receiver<()>,
        read: Arc<Mutex<Vec<u8>>>,
        waits: bool,
    }

    impl Write for Stalled {
        fn write(&mut self, part: &[u8]) -> io::Result<usize> {
            if std::mem::take(&mut self.waits) {
                let _ = self.go_on.recv();
            }
            self.read.lock().unwrap().extend_from_slice(part);
            Ok(part.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_stalls_stops_nobody_and_lost_lines_are_counted() {
        const LINES: usize = LINES_MAX + 1_000;
        let (resume, go_on) = sync_channel(1);
        let read = Arc::new(Mutex::new(Vec::new()));
        let queue = LogQueue::start(Stalled { go_on, read: Arc::clone(&read), waits: true }).unwrap();
        for number in 0..LINES {
            writeln!(queue.make_writer(), "line {number}").unwrap();
        }
        resume.send(()).unwrap();
        while queue.0.lost.load(Ordering::Relaxed) > 0 {
            thread::yield_now();
        }
        queue.flush();
        let text = String::from_utf8(read.lock().unwrap().clone()).unwrap();
        let kept = text.lines().filter(|line| line.starts_with("line ")).count();
        let lost = text
            .lines()
            .find_map(|line| line.split_once("message\":\"")?.1.split_once(" lines")?.0.parse().ok());
        assert_eq!(kept + lost.unwrap_or(0_usize), LINES, "{kept} kept");
        assert!(kept >= LINES_MAX && text.starts_with("line 0\n"));
    }
}
