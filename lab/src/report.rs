//! Ratios with their spread: the printed table, and the dated line that is kept.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use pando_clock::Clock;
use serde::Serialize;

/// One comparison: the product against a limit, pair by pair of the same run.
#[derive(Debug, Serialize)]
pub(crate) struct Comparison {
    /// The two sides of the comparison.
    name: &'static str,
    /// The ratios, one a round, smallest first.
    ratios: Vec<f64>,
    /// The middle of the product's figures, and its unit.
    figure: f64,
    unit: &'static str,
    /// Our goal: the ratio is at least this.
    goal: Option<f64>,
}

/// A figure that stands alone.
#[derive(Debug, Serialize)]
pub(crate) struct Figure {
    name: &'static str,
    value: f64,
    unit: &'static str,
    /// Our goal: the value is at most this.
    most: Option<f64>,
}

/// All that one run found.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    comparisons: Vec<Comparison>,
    figures: Vec<Figure>,
    /// Differences that the rounds did not agree on. They are shown, and never kept as results.
    #[serde(skip)]
    noise: Vec<String>,
}

impl Report {
    /// Adds a comparison of rates: more is better on both sides.
    pub(crate) fn compare(
        &mut self,
        name: &'static str,
        ours: &[f64],
        limit: &[f64],
        unit: &'static str,
        goal: Option<f64>,
    ) {
        let mut ratios: Vec<f64> = ours.iter().zip(limit).map(|(ours, limit)| ours / limit).collect();
        ratios.sort_by(f64::total_cmp);
        self.comparisons.push(Comparison { name, ratios, figure: median(ours), unit, goal });
    }

    /// Adds a figure of which less is better.
    pub(crate) fn figure(&mut self, name: &'static str, value: f64, unit: &'static str, most: Option<f64>) {
        self.figures.push(Figure { name, value, unit, most });
    }

    /// Adds a difference that is best small: its median, if every round says that it is there. Otherwise it is noise.
    pub(crate) fn difference(
        &mut self,
        name: &'static str,
        rounds: &[f64],
        unit: &'static str,
        most: Option<f64>,
    ) {
        let lowest = rounds.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = rounds.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if lowest > 0.0 || highest < 0.0 {
            self.figure(name, median(rounds), unit, most);
        } else {
            self.noise
                .push(format!("{name}: not measurable, the rounds say {lowest:.1} to {highest:.1} {unit}"));
        }
    }

    /// The table for people.
    pub(crate) fn table(&self) -> String {
        let mut table = String::from(
            "| compared | ratio (median) | lowest – highest | ours (median) | goal |\n|---|---|---|---|---|\n",
        );
        for row in &self.comparisons {
            let (low, high) =
                (row.ratios.first().unwrap_or(&f64::NAN), row.ratios.last().unwrap_or(&f64::NAN));
            let goal = row.goal.map_or_else(String::new, |goal| {
                format!("≥ {goal:.2} {}", if median(&row.ratios) >= goal { "✓" } else { "missed" })
            });
            let (middle, figure) = (median(&row.ratios), row.figure);
            let _ = writeln!(
                table,
                "| {} | {middle:.2} | {low:.2} – {high:.2} | {figure:.0} {} | {goal} |",
                row.name, row.unit
            );
        }
        table.push_str("\n| figure | value | goal |\n|---|---|---|\n");
        for row in &self.figures {
            let goal = row.most.map_or_else(String::new, |most| {
                format!("≤ {most} {}", if row.value <= most { "✓" } else { "missed" })
            });
            let _ = writeln!(table, "| {} | {:.1} {} | {goal} |", row.name, row.value, row.unit);
        }
        for line in &self.noise {
            let _ = writeln!(table, "\n{line}");
        }
        table
    }

    /// Appends the run to the kept results as one dated line.
    pub(crate) fn keep(&self, file: &Path, clock: &Clock) -> Result<()> {
        if file == Path::new("-") {
            return Ok(());
        }
        #[derive(Serialize)]
        struct Line<'a> {
            at: String,
            version: &'static str,
            /// The commit that was measured; with `+` when the files differed from it.
            commit: String,
            cores: usize,
            #[serde(flatten)]
            report: &'a Report,
        }
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let line = Line {
            at: clock.now().to_string(),
            version: env!("CARGO_PKG_VERSION"),
            commit: commit()?,
            cores,
            report: self,
        };
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut kept = OpenOptions::new()
            .create(true)
            .append(true)
            .open(file)
            .with_context(|| format!("{} cannot be written", file.display()))?;
        writeln!(kept, "{}", serde_json::to_string(&line)?)?;
        Ok(())
    }
}

/// The commit of the measured files. A result without a commit is not kept, because nobody could repeat it.
fn commit() -> Result<String> {
    let git = |arguments: &[&str]| -> Result<String> {
        let ended = Command::new("git").args(arguments).output().context("git cannot be started")?;
        ensure!(ended.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&ended.stderr));
        Ok(String::from_utf8_lossy(&ended.stdout).trim().to_owned())
    };
    let changed = !git(&["status", "--porcelain", "--untracked-files=no", "--", ":!docs/lab"])?.is_empty();
    Ok(format!("{}{}", git(&["rev-parse", "--short=12", "HEAD"])?, if changed { "+" } else { "" }))
}

/// The middle of some figures.
pub(crate) fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[count / 2],
        count => (sorted[count / 2 - 1] + sorted[count / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_judged_by_its_median() {
        let mut report = Report::default();
        report.compare("a against b", &[1.0, 9.0, 4.0], &[2.0, 10.0, 5.0], "requests/s", Some(0.6));
        let table = report.table();
        assert!(table.contains("| a against b | 0.80 | 0.50 – 0.90 | 4 requests/s | ≥ 0.60 ✓ |"), "{table}");
        report.difference("added", &[-1.0, 3.0, 2.0], "ms", None);
        report.difference("taken", &[1.0, 3.0, 2.0], "ms", Some(5.0));
        let table = report.table();
        assert!(table.contains("added: not measurable, the rounds say -1.0 to 3.0 ms"), "{table}");
        assert!(table.contains("| taken | 2.0 ms | ≤ 5 ✓ |"), "{table}");
        assert!(!serde_json::to_string(&report).is_ok_and(|kept| kept.contains("added")));
        assert!(median(&[]).is_nan());
        assert!((median(&[1.0, 2.0]) - 1.5).abs() < 1e-9);
    }
}
