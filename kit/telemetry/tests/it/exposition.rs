//! A strict reader of the Prometheus text format: what it accepts, a scraper accepts.

use std::collections::{BTreeMap, BTreeSet};

/// Every sample by its name and labels, as written.
pub(crate) type Samples = BTreeMap<String, f64>;

/// Reads a whole exposition; the error names the line.
pub(crate) fn read(text: &str) -> Result<Samples, String> {
    assert!(text.ends_with('\n'), "the last line must end");
    let mut samples = Samples::new();
    let mut closed = BTreeSet::new();
    let mut family: Option<(String, String)> = None;
    let mut help = None;
    for line in text.lines() {
        let wrong = |why: &str| Err(format!("{why}: {line}"));
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let Some((name, _)) = rest.split_once(' ') else { return wrong("help without a text") };
            help = Some(name.to_owned());
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let Some((name, kind)) = rest.split_once(' ') else { return wrong("type without a kind") };
            if help.as_deref() != Some(name) {
                return wrong("type not behind its help");
            }
            if !closed.insert(name.to_owned()) {
                return wrong("a family opened twice");
            }
            if (kind == "counter") != name.ends_with("_total") || name.ends_with("_total_total") {
                return wrong("a counter ends in _total, nothing else does");
            }
            family = Some((name.to_owned(), kind.to_owned()));
        } else {
            let Some((series, value)) = line.rsplit_once(' ') else { return wrong("no value") };
            let Ok(value) = value.parse::<f64>() else { return wrong("the value is no number") };
            let name = check_series(series).map_err(|why| format!("{why}: {line}"))?;
            let Some((family, kind)) = &family else { return wrong("a sample before any family") };
            let belongs = match kind.as_str() {
                "histogram" => {
                    ["_bucket", "_sum", "_count"].iter().any(|end| name == format!("{family}{end}"))
                }
                "counter" | "gauge" => name == family,
                _ => return wrong("unknown kind"),
            };
            if !belongs {
                return wrong("a sample outside its family");
            }
            if samples.insert(series.to_owned(), value).is_some() {
                return wrong("a series written twice");
            }
        }
    }
    Ok(samples)
}

fn check_series(series: &str) -> Result<&str, String> {
    let Some((name, labels)) = series.split_once('{') else { return Ok(series) };
    let mut rest = labels.strip_suffix('}').ok_or("labels that do not end")?;
    loop {
        let (key, value) = rest.split_once("=\"").ok_or("a label without a value")?;
        if key.is_empty() || !key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(format!("{key:?} is no label"));
        }
        let mut escaped = false;
        let end = value.find(|c: char| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        });
        rest = &value[end.ok_or("a value that does not end")? + 1..];
        if rest.is_empty() {
            return Ok(name);
        }
        rest = rest.strip_prefix(',').ok_or("labels without a comma")?;
    }
}
