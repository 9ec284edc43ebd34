//! Articles about names: read from a file, and found by a name as entries of lists are.

use std::io::BufRead;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::entry::{Entry, Kind, PartialDate, TEXT_CHARS_MAX, VALUES_MAX};
use super::index::Index;
use super::list::{List, ListFormat};
use super::list_error::{ENTRIES_MAX, FAULTS_MAX, Fault, ListError};
use super::name::Name;
use super::read_csv::CsvRecords;
use super::read_json::JsonObjects;
use super::search::{Query, QueryError};

/// The types of articles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArticleType {
    /// News.
    News,
    /// A post in a social network.
    SocialMedia,
    /// A notice of an authority.
    Regulatory,
}

/// How bad the news is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Low,
    /// Worth a look.
    Medium,
    /// Worth a look today.
    High,
    /// Worth a look now.
    Critical,
}

/// An article. Everything in it is as the file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Article {
    /// Unique within its file.
    pub id: String,
    /// Its title.
    pub title: String,
    /// The names that it mentions.
    pub names: Vec<String>,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: ArticleType,
    /// How bad the news is.
    pub severity: Severity,
    /// Its address; empty if it has none.
    #[serde(default)]
    pub url: String,
    /// Its date, as exact as it is known; empty if it is not.
    #[serde(default)]
    pub date: String,
    /// A few sentences; may be empty.
    #[serde(default)]
    pub description: String,
    /// The paper, network or authority; the name of the file if the record names none.
    #[serde(default)]
    pub source: String,
}

/// An article that mentions a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Mention<'a> {
    /// The article.
    pub article: &'a Article,
    /// The name that it mentions.
    pub matched_name: &'a str,
    /// How well the name matches, 0..1.
    pub score: f64,
}

/// The articles of one file, with the index of the names that they mention.
#[derive(Debug)]
pub struct Articles {
    /// Sorted by id, as the entries of the index are.
    articles: Vec<Article>,
    index: Index,
    version: String,
}

impl Articles {
    /// Reads a file. A bad record is left out and its line is named.
    ///
    /// # Errors
    /// A file that cannot be read, has no usable header or structure, or too many bad records.
    pub fn read(
        reader: impl BufRead,
        format: ListFormat,
        source: &str,
    ) -> Result<(Self, Vec<Fault>), ListError> {
        let (mut articles, mut faults) = (Vec::new(), Vec::new());
        let mut add = |line: usize, article: Result<Article, String>| {
            match article.and_then(|article| article.checked(source)) {
                Ok(article) => articles.push((article, line)),
                Err(reason) => faults.push(Fault { line, reason }),
            }
            match () {
                () if articles.len() > ENTRIES_MAX => Err(ListError::TooManyEntries),
                () if faults.len() > FAULTS_MAX => Err(ListError::TooManyFaults(faults.swap_remove(0))),
                () => Ok(()),
            }
        };
        match format {
            ListFormat::Json => {
                let mut objects = JsonObjects::new(reader);
                while let Some((line, object)) = objects.next_object()? {
                    let read =
                        |bytes: &[u8]| serde_json::from_slice(bytes).map_err(|error| error.to_string());
                    add(line, object.and_then(read))?;
                }
            }
            ListFormat::Csv => {
                let mut records = CsvRecords::new(reader);
                let Some((_, Ok(header))) = records.next_record()? else {
                    return Err(ListError::Column("id"));
                };
                for needed in ["id", "title", "names", "type", "severity"] {
                    if !header.iter().any(|column| column.trim() == needed) {
                        return Err(ListError::Column(needed));
                    }
                }
                while let Some((line, fields)) = records.next_record()? {
                    add(line, fields.and_then(|fields| of_csv(&header, &fields)))?;
                }
            }
        }
        articles.sort_by(|(one, line), (other, later)| (&one.id, line).cmp(&(&other.id, later)));
        articles.dedup_by(|(later, line), (first, first_line)| {
            let is_second = later.id == first.id;
            if is_second {
                let reason = format!("id: {:?} stands in line {first_line} already", later.id);
                faults.push(Fault { line: *line, reason });
            }
            is_second
        });
        Ok((Self::of(articles.into_iter().map(|(article, _)| article).collect()), faults))
    }

    fn of(articles: Vec<Article>) -> Self {
        let mut hasher = blake3::Hasher::new();
        for article in &articles {
            // Texts: there is nothing that cannot be written.
            hasher.update(&serde_json::to_vec(article).unwrap_or_default());
        }
        let entry = |article: &Article| Entry {
            id: article.id.clone(),
            source: article.source.clone(),
            name: article.names.first().cloned().unwrap_or_default(),
            aliases: article.names.iter().skip(1).cloned().collect(),
            kind: Kind::Other,
            countries: Vec::new(),
            birth_dates: Vec::new(),
            programs: Vec::new(),
            updated_at: None,
            contact: None,
        };
        let index = Index::build(Arc::new(List::new(articles.iter().map(entry).collect())));
        Self { index, version: hasher.finalize().to_hex()[..32].to_owned(), articles }
    }

    /// The number of articles.
    #[must_use]
    pub fn count(&self) -> usize {
        self.articles.len()
    }

    /// A hash of all that the articles say.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The articles that mention a name, the best match first.
    ///
    /// # Errors
    /// A query that cannot be answered.
    pub fn mentions(&self, query: &Query<'_>) -> Result<Vec<Mention<'_>>, QueryError> {
        let found = self.index.search(query)?.into_iter().filter_map(|found| {
            let at = self.articles.binary_search_by(|article| article.id.cmp(&found.entry.id)).ok()?;
            let article = &self.articles[at];
            Some(Mention { article, matched_name: found.matched_name, score: found.score })
        });
        Ok(found.collect())
    }
}

impl Article {
    /// The article, or the rule that it breaks.
    fn checked(mut self, source: &str) -> Result<Self, String> {
        if self.source.trim().is_empty() {
            source.clone_into(&mut self.source);
        }
        for (field, text) in [("id", &self.id), ("title", &self.title), ("source", &self.source)] {
            if text.trim().is_empty() {
                return Err(format!("{field}: empty"));
            }
        }
        let texts = [&self.id, &self.title, &self.source, &self.description, &self.url];
        if texts.into_iter().chain(&self.names).any(|text| text.chars().count() > TEXT_CHARS_MAX) {
            return Err(format!("a text is longer than {TEXT_CHARS_MAX} letters"));
        }
        if texts.into_iter().any(|text| text.contains('\0')) {
            return Err("a text has a NUL in it".to_owned());
        }
        if !(1..=VALUES_MAX).contains(&self.names.len()) {
            return Err(format!("names: {} names, at least 1 and at most {VALUES_MAX}", self.names.len()));
        }
        if let Some(name) = self.names.iter().find(|name| Name::new(name).words().is_empty()) {
            return Err(format!("names: {name:?} holds no letter and no digit"));
        }
        if !self.url.is_empty() && !self.url.starts_with("https://") && !self.url.starts_with("http://") {
            return Err("url: must begin with http:// or https://".to_owned());
        }
        if !self.date.is_empty() {
            self.date.parse::<PartialDate>().map_err(|error| format!("date: {error}"))?;
        }
        Ok(self)
    }
}

fn of_csv(header: &[String], fields: &[String]) -> Result<Article, String> {
    if fields.len() != header.len() {
        return Err(format!("{} fields, but the header has {}", fields.len(), header.len()));
    }
    let text = |name: &str| {
        let place = header.iter().position(|column| column.trim() == name);
        place.map(|place| fields[place].trim().to_owned()).unwrap_or_default()
    };
    let names = text("names");
    let names = names.split(';').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
    let kind = serde_json::from_value(text("type").into())
        .map_err(|_| format!("type: {:?} is none of news, social_media, regulatory", text("type")))?;
    let severity = serde_json::from_value(text("severity").into())
        .map_err(|_| format!("severity: {:?} is none of low, medium, high, critical", text("severity")))?;
    Ok(Article {
        id: text("id"),
        title: text("title"),
        names: names.collect(),
        kind,
        severity,
        url: text("url"),
        date: text("date"),
        description: text("description"),
        source: text("source"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: &str = "id,title,names,type,severity,url,date\n\
        2,Raid,Acme Trading Ltd;John Doe,regulatory,high,https://x.example/2,2026-01-05\n\
        1,Gossip,Bolt GmbH,rumour,low,,\n3,Fire,Bolt GmbH,news,low,ftp://x,\n2,Again,Acme,news,low,,\n";

    #[test]
    fn articles_are_found_by_the_names_that_they_mention() {
        let (articles, faults) = Articles::read(CSV.as_bytes(), ListFormat::Csv, "file").unwrap();
        assert_eq!(faults.iter().map(|fault| fault.line).collect::<Vec<_>>(), [3, 4, 5]);
        let found = articles.mentions(&Query::new("ACME Trading Limited")).unwrap();
        assert_eq!(
            (found.len(), found[0].article.title.as_str(), found[0].article.source.as_str()),
            (1, "Raid", "file")
        );
        assert_eq!(articles.mentions(&Query::new("Doe, John")).unwrap()[0].matched_name, "John Doe");
        let json = r#"[{"id": "2", "title": "Raid", "names": ["Acme Trading Ltd", "John Doe"], "type": "regulatory",
            "severity": "high", "url": "https://x.example/2", "date": "2026-01-05"}, {"id": "9"}]"#;
        let (same, faults) = Articles::read(json.as_bytes(), ListFormat::Json, "file").unwrap();
        assert_eq!((same.version(), same.count(), faults.len()), (articles.version(), 1, 1));
        let (other, _) =
            Articles::read(CSV.replace("Raid", "Raids").as_bytes(), ListFormat::Csv, "file").unwrap();
        assert_ne!(other.version(), articles.version());
        assert!(Articles::read("id,title\n".as_bytes(), ListFormat::Csv, "file").is_err());
    }
}
