//! The articles in which names are looked for: read when the service opens.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::Arc;

use pando_service::prelude::*;

use crate::RiskOptions;
use crate::domain::monitoring::Monitoring;
use crate::screening::{Articles, ListFormat, MATCHES_MAX, Mention, Query, QueryError};

/// The made-up articles that come with the program.
const SAMPLE: &str = include_str!("../lists/media-sample.csv");

/// All articles. Cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct Media(Arc<(Vec<Articles>, String)>);

impl Media {
    /// Reads the articles of the settings. A file that has none is an error; bad records are said in the log.
    pub(crate) fn open(options: &RiskOptions) -> Result<Self, BadSetting> {
        let mut all = Vec::new();
        for path in &options.media {
            all.push(read(path).map_err(|reason| BadSetting::new("risk", "media", reason))?);
        }
        if options.sample_media {
            let read = Articles::read(SAMPLE.as_bytes(), ListFormat::Csv, "sample");
            let (articles, _) = read.map_err(|error| BadSetting::new("risk", "sample_media", error))?;
            all.push(articles);
        }
        let versions: Vec<&str> = all.iter().map(Articles::version).collect();
        let version = versions.join(",");
        let version = blake3::hash(version.as_bytes()).to_hex()[..32].to_owned();
        Ok(Self(Arc::new((all, version))))
    }

    /// Whether there are no articles at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.0.is_empty()
    }

    /// A hash of everything that the articles say.
    pub(crate) fn version(&self) -> &str {
        &self.0.1
    }

    /// The articles that mention the name of a monitoring, of the types that it asks for.
    pub(crate) fn mentions(
        &self,
        monitoring: &Monitoring,
        threshold: f64,
    ) -> Result<Vec<Mention<'_>>, QueryError> {
        let query = Query { threshold, limit: MATCHES_MAX, ..Query::new(&monitoring.business_name) };
        let mut found = Vec::new();
        for articles in &self.0.0 {
            found.extend(articles.mentions(&query)?);
        }
        found.retain(|mention| monitoring.monitoring_types.contains(&mention.article.kind));
        found.truncate(MATCHES_MAX);
        Ok(found)
    }
}

fn read(path: &Path) -> Result<Articles, String> {
    let shown = path.display();
    let file = File::open(path).map_err(|error| format!("{shown}: {error}"))?;
    let is_json = path.extension().is_some_and(|ending| ending == "json" || ending == "ndjson");
    let format = if is_json { ListFormat::Json } else { ListFormat::Csv };
    let source = path.file_stem().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let (articles, faults) =
        Articles::read(BufReader::new(file), format, &source).map_err(|error| format!("{shown}: {error}"))?;
    for fault in &faults {
        tracing::warn!(file = %shown, line = fault.line, reason = fault.reason, "an article is left out");
    }
    tracing::info!(file = %shown, articles = articles.count(), "a file of articles is read");
    Ok(articles)
}
