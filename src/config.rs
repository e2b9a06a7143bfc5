//! The config file: what the user wrote, checked, with defaults filled in.
//!
//! [`Config::parse`] is pure: text in, [`Config`] or the first mistake with its place out. Looking for the file is in
//! [`find`]. Where a value is judged lives in `config/value.rs`, rules in `config/rules.rs`; the shape of the file as
//! YAML is `config/wire.rs`.

mod error;
mod find;
mod kind;
mod names;
mod path;
mod profile;
mod read;
mod rules;
mod value;
mod wire;

use schemars::Schema;

pub use self::error::ConfigError;
pub use self::find::{LARGEST, PLACES, find};
pub use self::names::{Names, Rename, Renamed};
pub use self::profile::{Abort, BUILT_IN, Profile, Shape, Stage};
pub use self::rules::{shadowed, unmatched};
use crate::policy::{Place, Policy};
use crate::run::combine::Combine;

/// The whole config. [`Config::default`] is what holds without a file.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it was read from, as the user would write it; `None` for the defaults.
    pub path: Option<String>,
    /// In the order of the file; empty if the file names none.
    pub suites: Vec<SuiteConfig>,
    /// Endpoints to leave out or to call by another name.
    pub names: Names,
    /// How the regression issue lives.
    pub issue: IssueConfig,
    /// Where every run is remembered; off unless a branch is given.
    pub history: HistoryConfig,
    /// Folder with the user's templates, from the workspace root.
    pub templates: Option<String>,
    /// Load profiles of the user's own, in the order of the file.
    pub profiles: Vec<Profile>,
    policy: Policy,
}

/// One named load test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuiteConfig {
    /// Its name.
    pub name: String,
    /// Globs from the workspace root; empty: the usual places.
    pub results: Vec<String>,
    /// The baseline file, from the workspace root.
    pub baseline: String,
    /// What several runs are to each other; `None`: decided by their time windows.
    pub combine: Option<Combine>,
    /// The load profile it is run with.
    pub profile: Option<String>,
}

/// How the regression issue of a suite lives (SPEC section 7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueConfig {
    /// Bad workflow runs in a row before it is opened; above 1 needs the history.
    pub open_after: u32,
    /// Good workflow runs in a row before it is closed.
    pub close_after: u32,
    /// Days after closing within which the same issue is opened again.
    pub reopen_days: u32,
    /// Set when it is opened, and never again.
    pub labels: Vec<String>,
    /// Set when it is opened, and never again.
    pub assignees: Vec<String>,
    /// Where `open_after` stands, for the message that it cannot be kept.
    pub open_after_place: Option<Place>,
}

impl Default for IssueConfig {
    fn default() -> Self {
        Self {
            open_after: 1,
            close_after: 2,
            reopen_days: 14,
            labels: ["performance", "regression", "automated"].map(str::to_owned).to_vec(),
            assignees: Vec::new(),
            open_after_place: None,
        }
    }
}

/// Where every run is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryConfig {
    /// The data branch; `None`: no history.
    pub branch: Option<String>,
    /// Lines kept per suite.
    pub keep: u32,
    /// Address of the trend page.
    pub site: Option<String>,
}

impl Default for HistoryConfig {
    fn default() -> Self {
        Self { branch: None, keep: 400, site: None }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            path: None,
            suites: Vec::new(),
            names: Names::default(),
            issue: IssueConfig::default(),
            history: HistoryConfig::default(),
            templates: None,
            profiles: Vec::new(),
            policy: Policy::shipped(),
        }
    }
}

impl Config {
    /// Reads the text of a config file; `path` is how messages call it.
    pub fn parse(text: &str, path: &str) -> Result<Self, ConfigError> {
        wire::File::parse(text, path)
            .and_then(|file| read::config(file, path))
            .map_err(|mistake| mistake.shown_in(text))
    }

    /// The profile of this name: the file's own, else the one that comes with loadgate.
    pub fn profile(&self, name: &str) -> Option<Profile> {
        let own = self.profiles.iter().find(|profile| profile.name == name);
        own.cloned().or_else(|| Profile::built_in(name))
    }

    /// What is allowed: the shipped rules, then those of the file, so that the file's win.
    pub fn policy(&self) -> Policy {
        self.policy.clone()
    }

    /// Refuses `issue.open_after` above 1 where no history remembers the bad runs (SPEC section 4).
    ///
    /// `branch` is the history branch that the command line or the action's input gives, if any.
    pub fn check_history(&self, branch: Option<&str>) -> Result<(), ConfigError> {
        if self.issue.open_after <= 1 || branch.is_some() || self.history.branch.is_some() {
            return Ok(());
        }
        Err(ConfigError {
            place: self.issue.open_after_place.clone().unwrap_or_else(|| Place {
                file: self.path.clone().unwrap_or_default(),
                line: 1,
                column: 1,
            }),
            at: "issue.open_after".into(),
            message: format!(
                "expected 1, found {}: bad runs are counted in the history, and there is none",
                self.issue.open_after
            ),
            excerpt: Box::default(),
            hint: "set `history: { branch: loadgate-data }`, or leave `open_after` at 1".to_owned(),
        })
    }
}

/// The JSON Schema of the config file.
pub fn schema() -> Schema {
    schemars::schema_for!(wire::File)
}

/// Where a suite's baseline is unless the config says otherwise.
pub fn default_baseline(suite: &str) -> String {
    format!(".loadgate/baselines/{suite}.json")
}

#[cfg(test)]
mod tests;
