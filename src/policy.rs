//! What the user allows: rules, limits and what to do about new, missing and accepted things.
//!
//! Parsed and checked once (see `settings`); from then on plain data. SPEC section 4 is the contract.

use std::collections::BTreeSet;
use std::str::FromStr;

use globset::{GlobBuilder, GlobMatcher};
use jiff::civil::Date;
use serde::Serialize;

use crate::run::metric::{Direction, Metric};

/// How rows are decided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Gate {
    /// Evidence where a row has three comparable baseline runs, `critical` limits below that.
    #[default]
    Auto,
    /// Evidence at any depth.
    Evidence,
    /// Limits only.
    Plain,
}

/// Everything the judge needs to know of the user's wishes.
#[derive(Debug, Clone)]
pub struct Policy {
    /// How rows are decided.
    pub gate: Gate,
    /// In order; a later rule wins over an earlier one for the same endpoint and metric.
    pub rules: Vec<Rule>,
    /// Known regressions.
    pub accepted: Vec<Acceptance>,
    /// An endpoint of the baseline that the current run lacks.
    pub missing: Presence,
    /// An endpoint of the current run that the baseline lacks.
    pub new: Presence,
    /// Somebody who may has agreed to whatever fails here, and how: what would fail is accepted. For one pull request.
    pub agreed: Option<String>,
}

/// What makes the exit code other than 0 (SPEC section 3). The default is `fail` alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailOn(BTreeSet<Blocking>);

/// Something that may block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Blocking {
    /// A broken rule: exit code 1.
    Fail,
    /// Worse without breaking a rule: exit code 1.
    Warn,
    /// Can't tell: exit code 3.
    Inconclusive,
    /// An endpoint that is gone: exit code 3.
    Missing,
    /// A rule without a value to judge: exit code 3.
    NotMeasured,
}

impl Blocking {
    const ALL: [(&'static str, Self); 5] = [
        ("fail", Self::Fail),
        ("warn", Self::Warn),
        ("inconclusive", Self::Inconclusive),
        ("missing", Self::Missing),
        ("not_measured", Self::NotMeasured),
    ];
}

impl FailOn {
    /// Everything blocks.
    pub fn strict() -> Self {
        Self(Blocking::ALL.into_iter().map(|(_, what)| what).collect())
    }

    /// Whether it blocks.
    pub fn has(&self, what: Blocking) -> bool {
        self.0.contains(&what)
    }
}

impl Default for FailOn {
    fn default() -> Self {
        Self([Blocking::Fail].into())
    }
}

impl FromStr for FailOn {
    type Err = UnknownBlocking;

    /// A list with commas, or `never`.
    fn from_str(text: &str) -> Result<Self, UnknownBlocking> {
        let words: Vec<&str> = text.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
        if words == ["never"] {
            return Ok(Self(BTreeSet::new()));
        }
        if words.is_empty() {
            return Err(UnknownBlocking(text.to_owned()));
        }
        let known = |word: &&str| {
            let word = word.replace('-', "_");
            let found = Blocking::ALL.iter().find(|(name, _)| *name == word).map(|(_, what)| *what);
            found.ok_or(UnknownBlocking(word))
        };
        words.iter().map(known).collect::<Result<_, _>>().map(Self)
    }
}

/// A word that blocks nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown word `{0}`\nhint: a list of {words}, or `never`", words = Blocking::ALL.map(|(name, _)| name).join(", "))]
pub struct UnknownBlocking(pub String);

/// What to make of an endpoint that stands on one side only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    /// Not mentioned.
    Ignore,
    /// A row, no effect (the default for `new`).
    Report,
    /// A row, and the suite is at least `warn` (the default for `missing`).
    Warn,
    /// A row, and the suite fails.
    Fail,
}

/// One rule: a metric, the endpoints it speaks about, and what is allowed.
#[derive(Debug, Clone, Serialize)]
pub struct Rule {
    /// Glob over `METHOD name`; `None` speaks about every endpoint, but not about `(total)`.
    pub endpoint: Option<Pattern>,
    /// The metric.
    pub metric: Metric,
    /// The smallest change that matters.
    pub limit: Option<Limit>,
    /// A change so large that a thin baseline is enough.
    pub critical: Option<Limit>,
    /// The least absolute change that counts, in the metric's unit.
    pub floor: Option<f64>,
    /// What the first failures of an endpoint that had none mean.
    pub from_zero: Option<FromZero>,
    /// Budget: never above, in the metric's unit.
    pub max: Option<f64>,
    /// Budget: never below, in the metric's unit.
    pub min: Option<f64>,
    /// Which way is better, where the rule says so (custom metrics).
    pub direction: Option<Direction>,
    /// Where the rule stands; `None` for the shipped ones.
    pub place: Option<Place>,
}

impl Rule {
    /// A rule about `metric` of every endpoint that allows anything.
    pub fn about(metric: Metric) -> Self {
        Self {
            endpoint: None,
            metric,
            limit: None,
            critical: None,
            floor: None,
            from_zero: None,
            max: None,
            min: None,
            direction: None,
            place: None,
        }
    }

    /// Which way is better for the metric under this rule.
    pub fn direction(&self) -> Direction {
        self.direction.unwrap_or_else(|| self.metric.direction())
    }

    /// Whether the rule compares with a baseline (it may be a budget too, or only that).
    pub fn compares(&self) -> bool {
        self.limit.is_some() || self.critical.is_some()
    }

    /// Whether the rule speaks about the endpoint shown as `label`. `(total)` must be named.
    pub fn covers(&self, label: &str) -> bool {
        match &self.endpoint {
            Some(pattern) => pattern.matches(label),
            None => label != crate::run::TOTAL,
        }
    }
}

/// A change in the metric's bad direction.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// Share of the baseline: 0.1 is 10 %.
    Relative(f64),
    /// Difference in the metric's unit: ms, per second, or a ratio for rates (0.005 is 0.5 points).
    Absolute(f64),
}

/// What failures after a clean baseline mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FromZero {
    /// The row fails (under evidence: if it is no accident).
    Fail,
    /// The row warns.
    Warn,
    /// Nothing beyond the limits.
    Ignore,
}

/// A regression that people have agreed to live with.
#[derive(Debug, Clone, Serialize)]
pub struct Acceptance {
    /// Glob over `METHOD name`.
    pub endpoint: Pattern,
    /// The metric.
    pub metric: Metric,
    /// The ceiling: a larger change fails all the same.
    pub up_to: Limit,
    /// Why, for the reader of the report.
    pub reason: String,
    /// Last day on which it holds.
    pub until: Option<Date>,
    /// Where it stands.
    pub place: Option<Place>,
}

/// A place in a file the user wrote; lines and columns from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file as the user named it.
    pub file: String,
    /// Line, from 1.
    pub line: u64,
    /// Column, from 1.
    pub column: u64,
}

/// A glob over an endpoint's label: `*` and `?` cross slashes and spaces, `[…]`, `{a,b}` as usual.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    /// `None` of a text that means itself alone: a config may have a rule for each of a thousand endpoints.
    matcher: Option<GlobMatcher>,
}

impl Pattern {
    /// `Err` says what is wrong with the glob.
    pub fn new(text: &str) -> Result<Self, String> {
        let glob = GlobBuilder::new(text).literal_separator(false).backslash_escape(true).build();
        let glob = glob.map_err(|error| error.kind().to_string())?;
        let matcher = text.contains(['*', '?', '[', '{', '\\']).then(|| glob.compile_matcher());
        Ok(Self { text: text.to_owned(), matcher })
    }

    /// Matches exactly `text`, whatever characters it has.
    pub fn literal(text: &str) -> Self {
        Self { text: text.to_owned(), matcher: None }
    }

    /// Whether the label is meant. A label equal to the pattern's own text always is: endpoint names hold `{id}` and `[0]`.
    pub fn matches(&self, label: &str) -> bool {
        label == self.text || self.matcher.as_ref().is_some_and(|matcher| matcher.is_match(label))
    }

    /// Whether it means one label, which is its own text.
    pub fn is_plain(&self) -> bool {
        self.matcher.is_none()
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl Serialize for Pattern {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&self.text)
    }
}

impl Policy {
    /// The rules that hold without any config (SPEC section 4).
    pub fn shipped() -> Self {
        let relative = |metric, limit, critical: Option<f64>| Rule {
            limit: Some(Limit::Relative(limit)),
            critical: critical.map(Limit::Relative),
            ..Rule::about(metric)
        };
        Self {
            gate: Gate::Auto,
            rules: vec![
                relative(Metric::LatencyP50, 0.10, None),
                relative(Metric::LatencyMean, 0.10, None),
                relative(Metric::LatencyP95, 0.10, Some(0.50)),
                relative(Metric::LatencyP99, 0.15, None),
                Rule {
                    limit: Some(Limit::Absolute(0.005)),
                    critical: Some(Limit::Absolute(0.005)),
                    from_zero: Some(FromZero::Fail),
                    ..Rule::about(Metric::ErrorRate)
                },
                Rule { critical: Some(Limit::Relative(0.30)), ..Rule::about(Metric::Throughput) },
            ],
            accepted: Vec::new(),
            missing: Presence::Warn,
            new: Presence::Report,
            agreed: None,
        }
    }

    /// The rule that compares `metric` of the endpoint shown as `label`: the last that covers it and has a limit.
    pub fn comparing(&self, label: &str, metric: &Metric) -> Option<&Rule> {
        self.rules.iter().rev().find(|rule| rule.metric == *metric && rule.compares() && rule.covers(label))
    }

    /// The rule that gives `metric` of the endpoint a budget: the last that covers it and has `max` or `min`.
    pub fn budget(&self, label: &str, metric: &Metric) -> Option<&Rule> {
        self.rules
            .iter()
            .rev()
            .find(|rule| rule.metric == *metric && (rule.max.is_some() || rule.min.is_some()) && rule.covers(label))
    }
}

/// Fewest requests per run and endpoint for the metric to mean anything (STATISTICS section 2).
pub fn minimum_requests(metric: &Metric) -> u64 {
    match metric {
        Metric::LatencyP50 => 20,
        Metric::LatencyMean => 30,
        Metric::LatencyP75 => 50,
        Metric::LatencyP90 => 100,
        Metric::LatencyP95 => 200,
        Metric::LatencyP98 => 500,
        Metric::LatencyP99 => 1_000,
        Metric::LatencyP999 => 10_000,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_blocks_is_a_list_of_words() {
        assert_eq!("fail".parse(), Ok(FailOn::default()));
        assert_eq!("fail, warn,inconclusive,missing,not-measured".parse(), Ok(FailOn::strict()));
        assert!(!"never".parse::<FailOn>().unwrap().has(Blocking::Fail));
        let message = "fail,regression".parse::<FailOn>().unwrap_err().to_string();
        assert_eq!(
            message,
            "unknown word `regression`\nhint: a list of fail, warn, inconclusive, missing, not_measured, or `never`"
        );
        assert!("".parse::<FailOn>().is_err());
    }
}
