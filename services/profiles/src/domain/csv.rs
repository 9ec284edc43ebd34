//! Comma-separated values (RFC 4180), one record at a time.
//!
//! A spreadsheet reads a cell as a formula if the cell begins with one of a few signs. Such a cell is written with an
//! apostrophe in front, which is removed again when the cell is read.

/// The first characters of formulas, as OWASP lists them.
const FORMULA_SIGNS: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\n'];

/// Where in a record the reader is: a line end inside of quotes ends nothing, and a quote opens only a cell that begins
/// with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Start,
    Plain,
    Quoted,
    /// Behind a quote in a quoted cell: its end, or the first half of a quote that belongs to it.
    QuoteInQuoted,
}

impl Cell {
    pub(crate) fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Start, b'"') | (Self::QuoteInQuoted, b'"') => Self::Quoted,
            (Self::Quoted, b'"') => Self::QuoteInQuoted,
            (Self::Quoted, _) => Self::Quoted,
            (_, b',') => Self::Start,
            _ => Self::Plain,
        }
    }
}

/// The cells of a record with its line end, or what is wrong with it.
pub(crate) fn read(record: &[u8]) -> Result<Vec<String>, &'static str> {
    let record = record.strip_suffix(b"\n").unwrap_or(record);
    let record = record.strip_suffix(b"\r").unwrap_or(record);
    let (mut cells, mut cell, mut at) = (Vec::new(), Vec::new(), Cell::Start);
    for &byte in record {
        let next = at.after(byte);
        match (at, next) {
            (Cell::Start | Cell::Plain | Cell::QuoteInQuoted, Cell::Start) => {
                cells.push(text(std::mem::take(&mut cell))?);
            }
            // A quote that opens or ends a cell, or the first half of one that belongs to it.
            (Cell::Start, Cell::Quoted) | (_, Cell::QuoteInQuoted) => {}
            (_, Cell::Plain) if byte == b'\r' => return Err("holds a carriage return outside of quotes"),
            _ => cell.push(byte),
        }
        at = next;
    }
    cells.push(text(cell)?);
    Ok(cells)
}

fn text(cell: Vec<u8>) -> Result<String, &'static str> {
    let mut text = String::from_utf8(cell).map_err(|_| "is not UTF-8")?;
    if text.starts_with('\'') && looks_like_formula(&text) {
        text.remove(0);
    }
    Ok(text)
}

/// Appends a record with its line end.
pub(crate) fn write(cells: &[String], out: &mut Vec<u8>) {
    for (index, cell) in cells.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let apostrophe = if looks_like_formula(cell) { "'" } else { "" };
        if cell.contains([',', '"', '\r', '\n']) {
            out.extend_from_slice(format!("\"{apostrophe}{}\"", cell.replace('"', "\"\"")).as_bytes());
        } else {
            out.extend_from_slice(apostrophe.as_bytes());
            out.extend_from_slice(cell.as_bytes());
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// Whether a cell begins like a formula, perhaps behind apostrophes: a text that has one of its own keeps it.
fn looks_like_formula(cell: &str) -> bool {
    cell.trim_start_matches('\'').starts_with(FORMULA_SIGNS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_written_is_read_again() {
        let cells = [
            "",
            "plain",
            "a,b",
            "\"",
            "\"quoted\"",
            "two\nlines",
            "two\r\nlines",
            "李雷",
            " blanks ",
            "'",
            "'plain'",
            "=1+1",
            "'=1+1",
            "''@x",
            "-5",
            "+5",
            "\tx",
            "\nx",
            "@",
            "a=b",
        ];
        let cells = cells.map(str::to_owned);
        let mut written = Vec::new();
        write(&cells, &mut written);
        assert_eq!(read(&written).unwrap(), cells);
        for cell in cells {
            let mut written = Vec::new();
            write(std::slice::from_ref(&cell), &mut written);
            assert_eq!(read(&written).unwrap(), [cell]);
        }
    }

    #[test]
    fn no_cell_is_a_formula() {
        for cell in ["=HYPERLINK(\"http://x\")", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"] {
            let mut written = Vec::new();
            write(&[cell.to_owned()], &mut written);
            let begins = String::from_utf8(written).unwrap();
            assert!(begins.trim_start_matches('"').starts_with('\''), "{begins}");
        }
    }

    #[test]
    fn what_is_no_record_is_told() {
        assert_eq!(read(b"a\rb\n"), Err("holds a carriage return outside of quotes"));
        assert_eq!(read(b"a\xff\n"), Err("is not UTF-8"));
        assert_eq!(read(b"\"a\"b,c\r\n").unwrap(), ["ab", "c"]);
        assert_eq!(read(b",\n").unwrap(), ["", ""]);
    }
}
