//! What we say: a status per row, an outcome per suite.

use serde::{Deserialize, Serialize};

/// What is said of one row (endpoint x metric, or a whole endpoint).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// A rule is broken.
    Fail,
    /// Worse, does not block.
    Warn,
    /// Over the limit, but it cannot be told from noise.
    Inconclusive,
    /// Better than the limit is wide, and shown to be.
    Improved,
    /// Within its rule.
    Pass,
    /// Worse, but people agreed to it.
    Accepted,
    /// The baseline does not have this endpoint.
    New,
    /// The current run does not have this endpoint.
    Missing,
    /// A rule covers it, but one side has no value.
    NotMeasured,
    /// Shown for information; not judged.
    Info,
}

/// What is said of a suite, and of all suites together. The order is that of severity, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A rule is broken.
    Fail,
    /// Something is worse than it should be, and does not block.
    Warn,
    /// Something is over its limit and cannot be told from noise.
    Inconclusive,
    /// Nothing is worse than allowed.
    Pass,
    /// There is nothing to compare with yet.
    NoBaseline,
}
