//! Endpoints under other names, or left out: `endpoints.rename` and `endpoints.ignore`.

use std::collections::BTreeMap;

use regex::Regex;

use crate::policy::Pattern;
use crate::run::combine::merge_endpoints;
use crate::run::metric::Metric;
use crate::run::{Endpoint, Notice, Run, label};

/// What endpoints are called, and which are left out. Renaming comes first.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Globs over `METHOD name`.
    pub ignore: Vec<Pattern>,
    /// Tried in order, each on what the one before made.
    pub rename: Vec<Rename>,
}

/// One renaming.
#[derive(Debug, Clone)]
pub struct Rename {
    /// What is replaced, wherever it stands in the name.
    pub pattern: Regex,
    /// What takes its place; `$1` is the first group.
    pub to: String,
}

impl Names {
    /// Renames, merges endpoints that now have one name, and drops the ignored ones. `(total)` stays as it was measured.
    pub fn apply(&self, run: &mut Run) {
        if self.ignore.is_empty() && self.rename.is_empty() {
            return;
        }
        let mut named: BTreeMap<String, Vec<Endpoint>> = BTreeMap::new();
        for endpoint in run.endpoints.drain(..) {
            let endpoint = self.renamed(endpoint);
            let label = endpoint.label();
            if !self.ignores(&label) {
                named.entry(label).or_default().push(endpoint);
            }
        }
        for (label, parts) in named {
            let merged = merge_endpoints(&parts, run.duration_s);
            let lost = parts.len() > 1
                && parts.iter().any(|part| part.value(&Metric::LatencyP50).is_some())
                && merged.value(&Metric::LatencyP50).is_none();
            if lost {
                let message = format!(
                    "{} endpoints were merged into `{label}`; its percentiles are unknown, for the results hold no distribution to add up",
                    parts.len()
                );
                run.notices.push(Notice::new("merged_without_percentiles", message));
            }
            run.endpoints.push(merged);
        }
    }

    /// What [`Names::apply`] would do to the run.
    pub fn describe(&self, run: &Run) -> Renamed {
        let mut renamed = Renamed::default();
        if self.ignore.is_empty() && self.rename.is_empty() {
            return renamed;
        }
        for endpoint in &run.endpoints {
            let old = endpoint.label();
            let bare = Endpoint { method: endpoint.method.clone(), name: endpoint.name.clone(), ..Endpoint::default() };
            let new = self.renamed(bare).label();
            if self.ignores(&new) {
                renamed.ignored.push(old);
            } else {
                renamed.merged.entry(new).or_default().push(old);
            }
        }
        renamed
    }

    /// Whether the endpoint shown as `label` is left out.
    pub fn ignores(&self, label: &str) -> bool {
        self.ignore.iter().any(|pattern| pattern.matches(label))
    }

    /// The endpoint under its new name.
    fn renamed(&self, mut endpoint: Endpoint) -> Endpoint {
        for rename in &self.rename {
            (endpoint.method, endpoint.name) = rename.apply(endpoint.method.take(), &endpoint.name);
        }
        endpoint
    }
}

/// Which endpoints became which, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Renamed {
    /// New label to the old ones, in order.
    pub merged: BTreeMap<String, Vec<String>>,
    /// Old labels of those left out.
    pub ignored: Vec<String>,
}

impl Rename {
    /// The name is looked at without the method; with it only where that finds nothing, so that `GET /old` can be meant.
    pub fn apply(&self, method: Option<String>, name: &str) -> (Option<String>, String) {
        if self.pattern.is_match(name) {
            let new = self.pattern.replace_all(name, &self.to).into_owned();
            // An endpoint has a name, whatever is cut out of it.
            return (method, if new.trim().is_empty() { name.to_owned() } else { new });
        }
        let shown = label(method.as_deref(), name);
        if method.is_none() || !self.pattern.is_match(&shown) {
            return (method, name.to_owned());
        }
        let new = self.pattern.replace_all(&shown, &self.to).into_owned();
        if new.trim().is_empty() {
            return (method, name.to_owned());
        }
        match method.filter(|method| !method.is_empty()) {
            Some(method) => match new.strip_prefix(&method).and_then(|rest| rest.strip_prefix(' ')) {
                Some(name) => (Some(method), name.to_owned()),
                None => (None, new),
            },
            None => (None, new),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;
    use crate::run::metric::{Measurement, Source};
    use crate::run::recorder::Recorder;

    fn names(text: &str) -> Names {
        Config::parse(text, "loadgate.yml").unwrap().names
    }

    fn orders() -> Run {
        let mut recorder = Recorder::new();
        recorder.spans(0.0, 10_000.0);
        for (name, slow) in [("/orders/1", 100_u64), ("/orders/22", 300), ("/healthz", 1)] {
            for _ in 0..300 {
                recorder.endpoint(Some("GET"), name).samples().add(Some(slow * 1_000_000), Some(true));
            }
        }
        recorder.finish().unwrap()
    }

    const BOTH: &str =
        r#"endpoints: { ignore: ["GET /healthz"], rename: [{ match: "/orders/[0-9]+", to: "/orders/{id}" }] }"#;

    #[test]
    fn renamed_endpoints_are_added_up_from_their_samples() {
        let mut run = orders();
        names(BOTH).apply(&mut run);
        let [endpoint] = run.endpoints.as_slice() else { panic!("{:?}", run.endpoints) };
        assert_eq!((endpoint.label().as_str(), endpoint.requests), ("GET /orders/{id}", Some(600)));
        assert_eq!(endpoint.value(&Metric::LatencyMax), Some(300.0));
        assert!((endpoint.value(&Metric::LatencyMean).unwrap() - 200.0).abs() < 0.01);
        assert!((endpoint.value(&Metric::LatencyP95).unwrap() - 300.0).abs() < 3.0, "from the histogram");
        assert_eq!(endpoint.value(&Metric::Throughput), Some(60.0));
        assert_eq!(run.total.unwrap().requests, Some(900), "the total stays as measured");
        assert!(run.notices.is_empty());
    }

    #[test]
    fn percentiles_are_never_averaged() {
        let summary = |name: &str, requests, p50: f64, mean: f64, rate: f64| Endpoint {
            name: name.to_owned(),
            requests: Some(requests),
            failures: Some(1),
            metrics: [(Metric::LatencyP50, p50), (Metric::LatencyMean, mean), (Metric::Throughput, rate)]
                .map(|(metric, value)| (metric, Measurement::new(value, Source::Reported, Some(1.0)).unwrap()))
                .into(),
            ..Endpoint::default()
        };
        let parts = [summary("/orders/1", 100, 10.0, 12.0, 5.0), summary("/orders/2", 300, 30.0, 32.0, 7.0)];
        let mut run = Run { endpoints: parts.to_vec(), ..Run::default() };
        names(BOTH).apply(&mut run);
        let [endpoint] = run.endpoints.as_slice() else { panic!("{:?}", run.endpoints) };
        assert_eq!((endpoint.requests, endpoint.failures), (Some(400), Some(2)));
        assert_eq!(endpoint.value(&Metric::LatencyP50), None);
        assert_eq!(endpoint.value(&Metric::LatencyMean), Some(27.0), "weighted by requests, which is exact");
        assert_eq!(endpoint.value(&Metric::Throughput), Some(12.0));
        assert_eq!(endpoint.error_rate(), Some(0.005));
        let [notice] = run.notices.as_slice() else { panic!("{:?}", run.notices) };
        assert_eq!(notice.code, "merged_without_percentiles");
    }

    #[test]
    fn counts_that_do_not_fit_are_unknown() {
        let huge = |name: &str| Endpoint { name: name.to_owned(), requests: Some(u64::MAX), ..Endpoint::default() };
        let mut run = Run { endpoints: vec![huge("/orders/1"), huge("/orders/2")], ..Run::default() };
        names(BOTH).apply(&mut run);
        assert_eq!(run.endpoints[0].requests, None);
    }

    #[test]
    fn a_renaming_may_mean_the_method_too() {
        let names = names(
            r#"endpoints: { rename: [{ match: "^GET /old$", to: "GET /new" }, { match: "^GET (/rpc).*", to: "call $1" }] }"#,
        );
        let renamed = |method: Option<&str>, name: &str| {
            let endpoint = Endpoint { method: method.map(str::to_owned), name: name.to_owned(), ..Endpoint::default() };
            names.renamed(endpoint).label()
        };
        assert_eq!(renamed(Some("GET"), "/old"), "GET /new");
        assert_eq!(renamed(Some("POST"), "/old"), "POST /old");
        assert_eq!(renamed(Some("GET"), "/rpc?x=1"), "call /rpc");
        assert_eq!(renamed(None, "GET /old"), "GET /new");
    }

    #[test]
    fn a_part_of_the_name_may_be_cut_out_but_not_all() {
        let names = names(r#"endpoints: { rename: [{ match: "[?].*", to: "" }, { match: "^/x$", to: "" }] }"#);
        let renamed = |name: &str| names.renamed(Endpoint { name: name.to_owned(), ..Endpoint::default() }).name;
        assert_eq!(renamed("/search?q=1"), "/search");
        assert_eq!(renamed("/x"), "/x");
    }

    #[test]
    fn a_single_endpoint_keeps_every_figure() {
        let mut run = orders();
        let before = run.endpoint("GET /orders/1").unwrap().clone();
        names(r#"endpoints: { rename: [{ match: "/orders/1", to: "/one" }] }"#).apply(&mut run);
        assert_eq!(run.endpoint("GET /one").unwrap().metrics, before.metrics);
        assert!(run.endpoints.is_sorted_by_key(Endpoint::label), "sorted by the new names");
    }
}
