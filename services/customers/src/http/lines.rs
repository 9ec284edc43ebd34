//! The lines of a body of NDJSON, cut from pieces of any size.

use bytes::{Bytes, BytesMut};
use pando_http::{Problem, StreamedBody};

/// The longest line: a customer with the largest metadata, every letter of it escaped, is shorter.
pub(super) const LINE_BYTES_MAX: usize = 1024 * 1024;
/// The mark that some programs put before the first line.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A line that is not blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// Its number, the first line being 1. Blank lines count.
    pub(super) number: usize,
    /// Its text, without blanks around it; none if it is too long.
    pub(super) text: Option<Bytes>,
}

/// Reads a body line by line, and holds one line and one piece at most.
#[derive(Debug)]
pub(super) struct LineReader {
    body: StreamedBody,
    lines: Lines,
}

/// The lines of the pieces that came.
#[derive(Debug, Default)]
struct Lines {
    pending: BytesMut,
    /// How much of what is pending has no line end.
    searched: usize,
    /// Whether the beginning of the pending line was thrown away.
    is_long: bool,
    is_over: bool,
    number: usize,
}

impl LineReader {
    pub(super) fn new(body: StreamedBody) -> Self {
        Self { body, lines: Lines::default() }
    }

    /// The next line; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Line>, Problem> {
        loop {
            if let Some(line) = self.lines.next() {
                return Ok(Some(line));
            }
            if self.lines.is_over {
                return Ok(None);
            }
            self.lines.feed(self.body.next().await.transpose()?);
        }
    }
}

impl Lines {
    /// Takes a piece of the body; none where it ended.
    fn feed(&mut self, piece: Option<Bytes>) {
        match piece {
            Some(piece) => self.pending.extend_from_slice(&piece),
            None => self.is_over = true,
        }
    }

    /// The next line that is complete.
    fn next(&mut self) -> Option<Line> {
        loop {
            let line = self.cut()?.freeze();
            self.number += 1;
            let is_long = std::mem::take(&mut self.is_long) || line.len() > LINE_BYTES_MAX;
            let line = match self.number {
                1 => line.strip_prefix(BYTE_ORDER_MARK).map_or(line.clone(), |rest| line.slice_ref(rest)),
                _ => line,
            };
            let text = line.trim_ascii();
            if is_long || !text.is_empty() {
                return Some(Line { number: self.number, text: (!is_long).then(|| line.slice_ref(text)) });
            }
        }
    }

    fn cut(&mut self) -> Option<BytesMut> {
        if let Some(end) = self.pending[self.searched..].iter().position(|byte| *byte == b'\n') {
            let line = self.pending.split_to(self.searched + end + 1);
            self.searched = 0;
            return Some(line);
        }
        self.searched = self.pending.len();
        if self.searched > LINE_BYTES_MAX {
            self.is_long = true;
            self.pending.clear();
            self.searched = 0;
        }
        let is_left = self.is_over && (self.is_long || !self.pending.is_empty());
        is_left.then(|| {
            self.searched = 0;
            self.pending.split()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(text: &[u8], size: usize) -> Vec<(usize, Option<Bytes>)> {
        let (mut lines, mut found) = (Lines::default(), Vec::new());
        for piece in text.chunks(size).map(Some).chain([None]) {
            lines.feed(piece.map(Bytes::copy_from_slice));
            found.extend(std::iter::from_fn(|| lines.next()).map(|line| (line.number, line.text)));
        }
        found
    }

    #[test]
    fn lines_are_the_same_wherever_the_body_is_cut() {
        let text = "\u{feff}{\"a\":1}\r\n\n  \n é \n[2]\n\nlast".as_bytes();
        let line = |number, text: &'static str| (number, Some(Bytes::from_static(text.as_bytes())));
        let expected = [line(1, "{\"a\":1}"), line(4, "é"), line(5, "[2]"), line(7, "last")];
        for size in 1..=text.len() {
            assert_eq!(lines_of(text, size), expected, "pieces of {size} bytes");
        }
        assert!(lines_of(b"", 1).is_empty() && lines_of(b"\n\n", 1).is_empty());
    }

    #[test]
    fn a_line_that_is_too_long_is_one_line_and_takes_no_more_memory_than_another() {
        let long = "x".repeat(3 * LINE_BYTES_MAX);
        for (text, places) in [(format!("a\n{long}\nb\n"), vec![1, 3]), (format!("a\n{long}"), vec![1])] {
            for size in [LINE_BYTES_MAX / 3, LINE_BYTES_MAX, text.len()] {
                let found = lines_of(text.as_bytes(), size);
                assert_eq!(found.len(), places.len() + 1);
                let whole: Vec<_> =
                    found.iter().filter(|(_, text)| text.is_some()).map(|(at, _)| *at).collect();
                assert_eq!(whole, places);
            }
        }
    }
}
