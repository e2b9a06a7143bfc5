//! The config file as YAML has it: every value a text with its place, nothing judged yet but keys and shapes.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_saphyr::{Location, Spanned};

use super::error::{ConfigError, from_yaml};
use super::kind;
use crate::run::metric::Metric;

/// The config file of loadgate: `.github/loadgate.yml` or `loadgate.yml`. All of it is optional.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "loadgate config")]
pub(super) struct File {
    /// Version of this file's language.
    #[schemars(with = "Option<kind::Version>", extend("default" = 1))]
    pub(super) version: Option<Text>,
    /// How rows are decided: `evidence` needs proof at any depth of the baseline, `plain` looks at limits only, `auto` takes
    /// evidence from 3 comparable baseline runs on and `critical` limits below that.
    #[schemars(with = "Option<kind::Gate>", extend("default" = "auto"))]
    pub(super) gate: Option<Text>,
    /// The load tests, by name. Without any there is one, `default`, and its results are looked for at the usual places.
    pub(super) suites: Option<Entries<Option<Suite>>>,
    /// Which endpoints count, and what they are called.
    pub(super) endpoints: Option<Endpoints>,
    /// What is allowed, after the shipped rules. The last rule that speaks about an endpoint and a metric decides.
    pub(super) rules: Option<Vec<Placed<Rule>>>,
    /// Known regressions, each with a ceiling and an end.
    pub(super) accepted: Option<Vec<Accepted>>,
    /// The regression issue of each suite.
    pub(super) issue: Option<Issue>,
    /// Every run over time.
    pub(super) history: Option<History>,
    /// Folder with templates of your own, from the workspace root: `summary.md.j2`, `comment.md.j2`, `issue.md.j2`,
    /// `report.html.j2`. Those that are missing fall back to ours.
    #[schemars(with = "Option<kind::Words>")]
    pub(super) templates: Option<Text>,
    /// Load profiles for `loadgate run`, by name, beside the built-in `baseline` and `progressive`. Either `users` and
    /// `duration`, or `stages`.
    pub(super) profiles: Option<Entries<Profile>>,
}

/// One load test with results, baseline and history of its own.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Suite {
    /// Files, folders or globs from the workspace root. Default: the usual places.
    #[schemars(with = "Option<Vec<kind::Words>>")]
    pub(super) results: Option<Vec<Text>>,
    /// The baseline file, from the workspace root. Default: `.loadgate/baselines/<suite>.json`.
    #[schemars(with = "Option<kind::Words>")]
    pub(super) baseline: Option<Text>,
    /// The load profile: for `loadgate run`, and so that only like is compared with like.
    #[schemars(with = "Option<kind::Words>")]
    pub(super) profile: Option<Text>,
    /// What several runs in the results are to each other: parts of one run, to be added up, or repeats of the same thing.
    /// Default: by their time windows.
    #[schemars(with = "Option<kind::Combine>")]
    pub(super) combine: Option<Text>,
}

/// Which endpoints count, and what they are called.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Endpoints {
    /// Globs over `METHOD name`, after renaming: these are left out.
    #[schemars(with = "Option<Vec<kind::Words>>")]
    pub(super) ignore: Option<Vec<Text>>,
    /// New names, tried in order. Endpoints that get the same name are added up; percentiles only from distributions.
    pub(super) rename: Option<Vec<Rename>>,
    /// An endpoint of the baseline that the current run lacks.
    #[schemars(with = "Option<kind::Missing>", extend("default" = "warn"))]
    pub(super) missing: Option<Text>,
    /// An endpoint of the current run that the baseline lacks.
    #[schemars(with = "Option<kind::New>", extend("default" = "report"))]
    pub(super) new: Option<Text>,
}

/// One renaming.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rename {
    /// A regular expression, found anywhere in the name; where that has no match, anywhere in `METHOD name`.
    #[serde(rename = "match")]
    #[schemars(with = "kind::Words")]
    pub(super) pattern: Text,
    /// What takes the place of every match; `$1` is the first group, an empty text cuts it out.
    #[schemars(with = "String")]
    pub(super) to: Text,
}

/// One rule: a metric, and what is allowed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    /// A glob over `METHOD name`, or `(total)` for all requests together. Default: every endpoint, but not `(total)`.
    #[schemars(with = "Option<kind::Words>")]
    pub(super) endpoint: Option<Text>,
    /// What is measured.
    #[schemars(with = "Metric")]
    pub(super) metric: Text,
    /// The smallest change for the worse that matters.
    #[schemars(with = "Option<kind::Change>")]
    pub(super) limit: Option<Text>,
    /// A change for the worse so large that a thin baseline is enough to fail.
    #[schemars(with = "Option<kind::Change>")]
    pub(super) critical: Option<Text>,
    /// A limit in `%` counts only where the change is also larger than this. Default: 1 ms for latency.
    #[schemars(with = "Option<kind::Distance>")]
    pub(super) floor: Option<Text>,
    /// What failures mean where the baseline had none. For `error_rate` only.
    #[schemars(with = "Option<kind::FromZero>")]
    pub(super) from_zero: Option<Text>,
    /// Budget: never above. Needs no baseline.
    #[schemars(with = "Option<kind::Budget>")]
    pub(super) max: Option<Text>,
    /// Budget: never below. Needs no baseline.
    #[schemars(with = "Option<kind::Budget>")]
    pub(super) min: Option<Text>,
    /// Which way is better. For custom metrics only; default `lower`.
    #[schemars(with = "Option<kind::Direction>")]
    pub(super) direction: Option<Text>,
}

/// One known regression.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Accepted {
    /// A glob over `METHOD name`.
    #[schemars(with = "kind::Words")]
    pub(super) endpoint: Text,
    /// What got worse.
    #[schemars(with = "Metric")]
    pub(super) metric: Text,
    /// The ceiling: a larger change fails all the same.
    #[schemars(with = "kind::Change")]
    pub(super) up_to: Text,
    /// Why, for the reader of the report.
    #[schemars(with = "kind::Words")]
    pub(super) reason: Text,
    /// The last day on which it holds. Without it there is no end.
    #[schemars(with = "Option<kind::Day>")]
    pub(super) until: Option<Text>,
}

/// The regression issue of a suite: when it opens and closes, and who is told.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Issue {
    /// Bad workflow runs in a row before it is opened. Above 1 needs the history, where they are counted.
    #[schemars(with = "Option<kind::Count>", extend("default" = 1))]
    pub(super) open_after: Option<Text>,
    /// Good workflow runs in a row, of the same endpoints, before it is closed.
    #[schemars(with = "Option<kind::Count>", extend("default" = 2))]
    pub(super) close_after: Option<Text>,
    /// Days after closing within which the same issue is opened again instead of a new one.
    #[schemars(with = "Option<kind::CountOrZero>", extend("default" = 14))]
    pub(super) reopen_days: Option<Text>,
    /// Labels that a new issue gets.
    #[schemars(with = "Option<Vec<kind::Words>>", extend("default" = ["performance", "regression", "automated"]))]
    pub(super) labels: Option<Vec<Text>>,
    /// Logins that a new issue is assigned to.
    #[schemars(with = "Option<Vec<kind::Words>>", extend("default" = []))]
    pub(super) assignees: Option<Vec<Text>>,
}

/// Every run over time, on a branch of its own.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct History {
    /// The data branch. Without it there is no history.
    #[schemars(with = "Option<kind::Words>")]
    pub(super) branch: Option<Text>,
    /// Runs kept per suite.
    #[schemars(with = "Option<kind::Count>", extend("default" = 400))]
    pub(super) keep: Option<Text>,
    /// Address of the trend page, for links to it.
    #[schemars(with = "Option<kind::Words>")]
    pub(super) site: Option<Text>,
}

/// One load profile: `users` and `duration`, or `stages`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Profile {
    /// Concurrent users.
    #[schemars(with = "Option<kind::Count>")]
    pub(super) users: Option<Text>,
    /// Users started per second. Default: all at once.
    #[schemars(with = "Option<kind::Rate>")]
    pub(super) spawn_rate: Option<Text>,
    /// How long it runs.
    #[schemars(with = "Option<kind::Length>")]
    pub(super) duration: Option<Text>,
    /// One level of load after the other; each is judged by itself.
    pub(super) stages: Option<Vec<Stage>>,
    /// Time at the start that is not judged. Default: none.
    #[schemars(with = "Option<kind::Length>")]
    pub(super) warm_up: Option<Text>,
    /// Ends the run early, as cut short: `error_rate > 50% for 30s`.
    #[schemars(with = "Option<kind::Words>")]
    pub(super) abort_on: Option<Text>,
}

/// One level of load.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Stage {
    /// Concurrent users.
    #[schemars(with = "kind::Count")]
    pub(super) users: Text,
    /// How long the level is held, after the ramp.
    #[serde(rename = "for")]
    #[schemars(with = "kind::Length")]
    pub(super) hold: Text,
    /// How long it takes to get there from the level before. Default: no time.
    #[schemars(with = "Option<kind::Length>")]
    pub(super) ramp: Option<Text>,
}

/// A single value as written, quotes undone. Numbers and words are texts too: the message can then show what was found.
#[derive(Debug, Clone)]
pub(super) struct Text {
    pub(super) value: String,
    pub(super) place: Location,
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, .. } = Spanned::deserialize(input)?;
        Ok(Self { value, place: referenced })
    }
}

/// Something larger with the place where it begins.
#[derive(Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) place: Location,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Placed<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, .. } = Spanned::deserialize(input)?;
        Ok(Self { value, place: referenced })
    }
}

/// Named things in the order of the file; the place is that of the thing.
#[derive(Debug)]
pub(super) struct Entries<T>(pub(super) Vec<(String, Placed<T>)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct InOrder<T>(Vec<(String, Placed<T>)>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for InOrder<T> {
            type Value = Entries<T>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("names, each with its settings")
            }

            fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Entries<T>, A::Error> {
                while let Some(entry) = map.next_entry()? {
                    self.0.push(entry);
                }
                Ok(Entries(self.0))
            }
        }
        input.deserialize_map(InOrder(Vec::new()))
    }
}

impl<T: JsonSchema> JsonSchema for Placed<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T: JsonSchema> JsonSchema for Entries<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        std::collections::BTreeMap::<String, T>::json_schema(generator)
    }
}

/// Far above any config a person writes, far below what an alias bomb needs.
const MOST_NODES: usize = 30_000;

/// How every reading of the file is bounded.
pub(super) fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_nodes: MOST_NODES, max_depth: 32 },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MOST_NODES },
        with_snippet: false,
    }
}

impl File {
    /// The text as keys and values; the first mistake with its place otherwise.
    pub(super) fn parse(text: &str, path: &str) -> Result<Self, ConfigError> {
        // `None` is a file of comments only.
        serde_saphyr::from_str_with_options::<Option<Self>>(text, options())
            .map(Option::unwrap_or_default)
            .map_err(|error| from_yaml(&error, text, path))
    }
}
