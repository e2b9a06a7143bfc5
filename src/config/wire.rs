//! The config file as YAML has it: every value a text with its place, nothing judged yet but keys and shapes.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_path_to_error::Segment;
use serde_saphyr::{Location, Spanned};

use super::error::{ConfigError, from_yaml};

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) version: Option<Text>,
    pub(super) gate: Option<Text>,
    pub(super) suites: Option<Entries<Option<Suite>>>,
    pub(super) endpoints: Option<Endpoints>,
    pub(super) rules: Option<Vec<Placed<Rule>>>,
    pub(super) accepted: Option<Vec<Accepted>>,
    pub(super) issue: Option<Issue>,
    pub(super) history: Option<History>,
    pub(super) templates: Option<Text>,
    pub(super) profiles: Option<Entries<Profile>>,
}

/// One suite.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Suite {
    pub(super) results: Option<Vec<Text>>,
    pub(super) baseline: Option<Text>,
    pub(super) profile: Option<Text>,
    pub(super) combine: Option<Text>,
}

/// Which endpoints there are, and what they are called.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Endpoints {
    pub(super) ignore: Option<Vec<Text>>,
    pub(super) rename: Option<Vec<Rename>>,
    pub(super) missing: Option<Text>,
    pub(super) new: Option<Text>,
}

/// One renaming.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rename {
    #[serde(rename = "match")]
    pub(super) pattern: Text,
    pub(super) to: Text,
}

/// One rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) endpoint: Option<Text>,
    pub(super) metric: Text,
    pub(super) limit: Option<Text>,
    pub(super) critical: Option<Text>,
    pub(super) floor: Option<Text>,
    pub(super) from_zero: Option<Text>,
    pub(super) max: Option<Text>,
    pub(super) min: Option<Text>,
    pub(super) direction: Option<Text>,
}

/// One accepted regression.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Accepted {
    pub(super) endpoint: Text,
    pub(super) metric: Text,
    pub(super) up_to: Text,
    pub(super) reason: Text,
    pub(super) until: Option<Text>,
}

/// The life of the regression issue.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Issue {
    pub(super) open_after: Option<Text>,
    pub(super) close_after: Option<Text>,
    pub(super) reopen_days: Option<Text>,
    pub(super) labels: Option<Vec<Text>>,
    pub(super) assignees: Option<Vec<Text>>,
}

/// Where runs are remembered.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct History {
    pub(super) branch: Option<Text>,
    pub(super) keep: Option<Text>,
}

/// One load profile.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Profile {
    pub(super) users: Option<Text>,
    pub(super) spawn_rate: Option<Text>,
    pub(super) duration: Option<Text>,
    pub(super) stages: Option<Vec<Stage>>,
}

/// One stage of a load profile.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stage {
    pub(super) users: Text,
    #[serde(rename = "for")]
    pub(super) hold: Text,
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

/// Named things in the order of the file. The name is a plain text, because the path in messages is made of those; the
/// place is that of the thing.
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

/// Far above any config a person writes, far below what an alias bomb needs.
const MOST_NODES: usize = 100_000;

impl File {
    /// The text as keys and values; the first mistake with its place otherwise.
    pub(super) fn parse(text: &str, path: &str) -> Result<Self, ConfigError> {
        let options = serde_saphyr::options! {
            budget: serde_saphyr::budget! { max_nodes: MOST_NODES, max_depth: 32 },
            alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MOST_NODES },
            with_snippet: false,
        };
        let mut at = String::new();
        let read = serde_saphyr::with_deserializer_from_str_with_options(text, options, |input| {
            // `None` is a file of comments only.
            serde_path_to_error::deserialize::<_, Option<Self>>(input).map(Option::unwrap_or_default).map_err(|error| {
                at = dotted(error.path());
                error.into_inner()
            })
        });
        read.map_err(|error| from_yaml(&error, at, text, path))
    }
}

/// `suites.api.results[0]`, without the steps that [`Spanned`] adds and the one that has no name.
fn dotted(path: &serde_path_to_error::Path) -> String {
    let mut text = String::new();
    for (depth, segment) in path.iter().enumerate() {
        match segment {
            // `Spanned` reads its content as a field `value`. At depth 1 stand names of the user's own.
            Segment::Map { key } if key == "value" && depth != 1 => {}
            Segment::Map { key } => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(key);
            }
            Segment::Seq { index } => text.extend(["[", &index.to_string(), "]"]),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    text
}
