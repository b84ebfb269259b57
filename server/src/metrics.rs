//! Figures about the running server in the text format of Prometheus: what `GET /metrics` answers.
//!
//! Counters live where things happen ([`Metrics`] holds those of HTTP and of uploads); everything else is looked
//! at when asked for. Labels hold patterns, kinds and states, never names or ids, so that their number is bounded
//! and nobody learns from them what an experiment is called.

use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Upper ends of the classes of latencies, in seconds.
const CLASSES_S: &[f64] = &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// What tells requests apart: method, pattern of the route, status.
type Kind = (&'static str, String, u16);

/// Counts requests and uploads; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    counted: Arc<Mutex<Counted>>,
}

#[derive(Debug, Default)]
struct Counted {
    requests: BTreeMap<Kind, Latencies>,
    uploads: BTreeMap<&'static str, Uploads>,
}

/// Uploads that ended in the same way.
#[derive(Debug, Clone, Copy, Default)]
struct Uploads {
    number: u64,
    bytes: u64,
}

/// How long requests of one kind took until their answer began.
#[derive(Debug, Clone, Copy, Default)]
struct Latencies {
    classes: [u64; CLASSES_S.len()],
    number: u64,
    sum_s: f64,
}

impl Metrics {
    /// A request was answered. `route` is the pattern of its path.
    pub fn answered(&self, method: &'static str, route: &str, status: u16, took: Duration) {
        let took_s = took.as_secs_f64();
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let latencies = counted.requests.entry((method, route.to_owned(), status)).or_default();
        latencies.number += 1;
        latencies.sum_s += took_s;
        if let Some(class) = CLASSES_S.iter().position(|end| took_s <= *end) {
            latencies.classes[class] += 1;
        }
    }

    /// An upload ended with this outcome after so many bytes of its file.
    pub fn uploaded(&self, outcome: &'static str, bytes: u64) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let uploads = counted.uploads.entry(outcome).or_default();
        uploads.number += 1;
        uploads.bytes += bytes;
    }

    /// Write down what was counted.
    pub fn write(&self, page: &mut MetricsPage) {
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        page.family("tmserver_http_request_duration_seconds", "histogram", "Time until an answer began.");
        for ((method, route, status), latencies) in &counted.requests {
            let status = status.to_string();
            let labels = [("method", *method), ("route", route), ("status", &status)];
            let mut below = 0;
            for (end, number) in CLASSES_S.iter().zip(latencies.classes) {
                below += number;
                let end = end.to_string();
                page.sample("_bucket", &[&labels[..], &[("le", &end)]].concat(), below);
            }
            page.sample("_bucket", &[&labels[..], &[("le", "+Inf")]].concat(), latencies.number);
            page.sample("_sum", &labels, latencies.sum_s);
            page.sample("_count", &labels, latencies.number);
        }
        page.family("tmserver_uploads_total", "counter", "Uploads by how they ended.");
        for (outcome, uploads) in &counted.uploads {
            page.sample("", &[("outcome", outcome)], uploads.number);
        }
        page.family("tmserver_upload_bytes_total", "counter", "Bytes of files that came with uploads.");
        for (outcome, uploads) in &counted.uploads {
            page.sample("", &[("outcome", outcome)], uploads.bytes);
        }
    }
}

/// Figures as text, a family after the other.
#[derive(Debug, Default)]
pub struct MetricsPage {
    text: String,
    family: &'static str,
}

impl MetricsPage {
    /// Begin a family: figures of one name, type (`counter`, `gauge`, `histogram`) and meaning.
    pub fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.family = name;
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {kind}"));
    }

    /// A figure of the family that was begun last.
    pub fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        let labels: Vec<_> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let family = self.family;
        self.line(format_args!("{family}{suffix}{labels} {value}"));
    }

    /// A family of a single gauge, left out where the figure is not known.
    pub fn gauge(&mut self, name: &'static str, help: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.family(name, "gauge", help);
            self.sample("", &[], value);
        }
    }

    /// All that was written.
    pub fn into_text(self) -> String {
        self.text
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a text cannot fail.
        let _ = writeln!(self.text, "{line}");
    }
}

/// The value of a label as the format wants it.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_counted_in_classes_that_include_the_smaller_ones() {
        let metrics = Metrics::default();
        for milliseconds in [1, 7, 7, 90_000] {
            metrics.answered("GET", "/api/x/{e}", 200, Duration::from_millis(milliseconds));
        }
        let mut page = MetricsPage::default();
        metrics.write(&mut page);
        let text = page.into_text();
        let labels = "method=\"GET\",route=\"/api/x/{e}\",status=\"200\"";
        for (end, number) in [("0.001", 1), ("0.005", 1), ("0.01", 3), ("60", 3), ("+Inf", 4)] {
            let line =
                format!("tmserver_http_request_duration_seconds_bucket{{{labels},le=\"{end}\"}} {number}\n");
            assert!(text.contains(&line), "{line}{text}");
        }
        assert!(text.contains(&format!("_count{{{labels}}} 4\n")), "{text}");
        assert!(text.contains(&format!("_sum{{{labels}}} 90.015\n")), "{text}");
    }

    #[test]
    fn labels_are_escaped() {
        let mut page = MetricsPage::default();
        page.family("a", "gauge", "A.");
        page.sample("", &[("b", "x\"y\\z\n")], 1);
        assert_eq!(page.into_text(), "# HELP a A.\n# TYPE a gauge\na{b=\"x\\\"y\\\\z\\n\"} 1\n");
    }
}
