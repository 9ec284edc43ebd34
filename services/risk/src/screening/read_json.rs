//! Objects of a JSON file, one after the other, in bounded memory.

use std::io::BufRead;

use super::list_error::{ListError, RECORD_BYTES_MAX};

/// The bytes of an object, or the reason why they are not kept.
pub(super) type Object<'a> = Result<&'a [u8], String>;

/// Parts a file into its outermost objects, whether they stand in an array, on lines of their own, or side by side.
pub(super) struct JsonObjects<R> {
    reader: R,
    /// The current line, from 1.
    line: usize,
    object: Vec<u8>,
}

/// The place inside an object.
#[derive(Default)]
struct Place {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Place {
    /// Goes on by one byte.
    fn pass(&mut self, byte: u8) {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' if self.in_string => self.escaped = true,
            b'"' => self.in_string = !self.in_string,
            b'{' | b'[' if !self.in_string => self.depth += 1,
            b'}' | b']' if !self.in_string => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
    }
}

impl<R: BufRead> JsonObjects<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, line: 1, object: Vec::new() }
    }

    /// The next object, with the line it begins in.
    pub(super) fn next_object(&mut self) -> Result<Option<(usize, Object<'_>)>, ListError> {
        self.object.clear();
        let mut place = Place::default();
        let mut start = self.line;
        loop {
            let bytes = self.reader.fill_buf()?;
            if bytes.is_empty() {
                return if place.depth > 0 { Err(ListError::CutOff(start)) } else { Ok(None) };
            }
            let mut taken = 0;
            let mut ended = false;
            for byte in bytes {
                taken += 1;
                self.line += usize::from(*byte == b'\n');
                if place.depth == 0 {
                    match byte {
                        b'{' => start = self.line,
                        // A byte order mark, and what stands around and between objects.
                        b' ' | b'\t' | b'\r' | b'\n' | b',' | b'[' | b']' | 0xef | 0xbb | 0xbf => continue,
                        other => {
                            return Err(ListError::NoObject { line: self.line, found: char::from(*other) });
                        }
                    }
                }
                place.pass(*byte);
                if self.object.len() <= RECORD_BYTES_MAX {
                    self.object.push(*byte);
                }
                if place.depth == 0 {
                    ended = true;
                    break;
                }
            }
            self.reader.consume(taken);
            if ended {
                let is_whole = self.object.len() <= RECORD_BYTES_MAX;
                let object = if is_whole {
                    Ok(&self.object[..])
                } else {
                    Err(format!("longer than {RECORD_BYTES_MAX} bytes"))
                };
                return Ok(Some((start, object)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_found_in_arrays_and_in_lines() {
        for text in ["[{\"a\": \"}\\\"{\"},\n {\"b\": [{}]}]", "{\"a\": \"}\\\"{\"}\n{\"b\": [{}]}\n"] {
            let mut objects = JsonObjects::new(text.as_bytes());
            assert_eq!(objects.next_object().unwrap(), Some((1, Ok(&b"{\"a\": \"}\\\"{\"}"[..]))));
            assert_eq!(objects.next_object().unwrap(), Some((2, Ok(&b"{\"b\": [{}]}"[..]))));
            assert_eq!(objects.next_object().unwrap(), None);
        }
    }

    #[test]
    fn a_file_that_holds_no_objects_is_refused() {
        let error = |text: &str| JsonObjects::new(text.as_bytes()).next_object().unwrap_err().to_string();
        assert_eq!(error("\n[1]"), "line 2 of the list: '1' stands where an object should begin");
        assert_eq!(error("\n{\"a\": 1"), "the list ends inside the record that begins in line 2");
        let long = format!("{{\"a\": \"{}\"}} {{}}", "x".repeat(RECORD_BYTES_MAX));
        let mut objects = JsonObjects::new(long.as_bytes());
        assert!(objects.next_object().unwrap().unwrap().1.is_err());
        assert_eq!(objects.next_object().unwrap(), Some((1, Ok(&b"{}"[..]))));
    }
}
