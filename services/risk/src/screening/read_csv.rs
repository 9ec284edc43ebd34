//! Records of a CSV file (RFC 4180), one after the other, in bounded memory.
//!
//! A crate would read as well, but buffers a record of any length.

use std::io::{self, BufRead, Read};

use super::list_error::RECORD_BYTES_MAX;

/// The fields of a record, or the reason why it has none.
pub(super) type Fields = Result<Vec<String>, String>;

pub(super) struct CsvRecords<R> {
    reader: R,
    /// Lines read so far.
    lines: usize,
    record: Vec<u8>,
}

impl<R: BufRead> CsvRecords<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, lines: 0, record: Vec::new() }
    }

    /// The next record that is not empty, with the line it begins in.
    pub(super) fn next_record(&mut self) -> io::Result<Option<(usize, Fields)>> {
        loop {
            let line = self.lines + 1;
            self.record.clear();
            if !self.read_line()? {
                return Ok(None);
            }
            // A record goes on in the next line while a quote is open.
            while self.quotes_are_open() && self.record.len() <= RECORD_BYTES_MAX && self.read_line()? {}
            if self.record.len() > RECORD_BYTES_MAX {
                self.skip_line()?;
                return Ok(Some((line, Err(format!("longer than {RECORD_BYTES_MAX} bytes")))));
            }
            if self.quotes_are_open() {
                return Ok(Some((line, Err("a quote is not closed".to_owned()))));
            }
            let start: &[u8] = if line == 1 && self.record.starts_with(b"\xef\xbb\xbf") {
                &self.record[3..]
            } else {
                &self.record
            };
            let text = start.strip_suffix(b"\n").unwrap_or(start);
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            if !text.is_empty() {
                let fields =
                    std::str::from_utf8(text).map_err(|error| format!("not UTF-8: {error}")).and_then(split);
                return Ok(Some((line, fields)));
            }
        }
    }

    fn read_line(&mut self) -> io::Result<bool> {
        let room = (RECORD_BYTES_MAX + 1).saturating_sub(self.record.len());
        let read = self.reader.by_ref().take(room as u64).read_until(b'\n', &mut self.record)?;
        self.lines += usize::from(self.record.ends_with(b"\n"));
        Ok(read > 0)
    }

    fn skip_line(&mut self) -> io::Result<()> {
        while !self.record.ends_with(b"\n") {
            self.record.clear();
            if !self.read_line()? {
                break;
            }
        }
        Ok(())
    }

    fn quotes_are_open(&self) -> bool {
        self.record.iter().filter(|byte| **byte == b'"').count() % 2 == 1
    }
}

fn split(text: &str) -> Fields {
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        let mut field = String::new();
        if let Some(quoted) = rest.strip_prefix('"') {
            rest = quoted;
            // A doubled quote inside quotes is one quote.
            loop {
                let (inside, behind) = rest.split_once('"').ok_or("a quote is not closed")?;
                field.push_str(inside);
                rest = behind;
                let Some(behind) = rest.strip_prefix('"') else { break };
                field.push('"');
                rest = behind;
            }
        } else {
            let end = rest.find(',').unwrap_or(rest.len());
            field.push_str(&rest[..end]);
            rest = &rest[end..];
        }
        fields.push(field);
        match rest.strip_prefix(',') {
            Some(behind) => rest = behind,
            None if rest.is_empty() => return Ok(fields),
            None => return Err("text stands behind a closing quote".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(text: &[u8]) -> Vec<(usize, Fields)> {
        let mut records = CsvRecords::new(text);
        std::iter::from_fn(|| records.next_record().unwrap()).collect()
    }

    #[test]
    fn records_are_read_as_the_rfc_writes_them() {
        let found = records(b"\xef\xbb\xbfid,name\r\n1,\"a, \"\"b\"\"\nc\"\r\n\r\n2,\n");
        let expected = [(1, vec!["id", "name"]), (2, vec!["1", "a, \"b\"\nc"]), (5, vec!["2", ""])];
        assert_eq!(found.len(), expected.len());
        for ((line, fields), (at, values)) in found.into_iter().zip(expected) {
            assert_eq!((line, fields.unwrap()), (at, values.into_iter().map(str::to_owned).collect()));
        }
    }

    #[test]
    fn a_bad_record_is_named_and_the_next_one_is_read() {
        let mut text = b"id,name\n\xff,x\n\"a\"b,c\n".to_vec();
        text.extend(vec![b'x'; 3 * RECORD_BYTES_MAX]);
        text.extend(b"\n2,y\n\"open");
        let found = records(&text);
        let errors: Vec<(usize, bool)> =
            found.iter().map(|(line, fields)| (*line, fields.is_err())).collect();
        assert_eq!(errors, [(1, false), (2, true), (3, true), (4, true), (5, false), (6, true)]);
    }
}
