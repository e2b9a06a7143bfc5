//! From the file's texts to a checked [`Config`]; stops at the first mistake.

use std::fmt::Display;

use serde_saphyr::Location;

use super::error::{Complaint, ConfigError, in_file};
use super::value::{self, Read};
use super::wire::{self, Text};
use super::{
    Config, HistoryConfig, IssueConfig, Names, Profile, Rename, SuiteConfig, default_baseline, profile, rules,
};
use crate::policy::{Gate, Policy, Presence};
use crate::run::combine::Combine;

/// Entries of a list.
pub(super) const MOST: usize = 1_000;
/// Regular expressions are large.
const MOST_RENAMES: usize = 100;

/// A place in words of the config, to read values at.
pub(super) struct At<'a> {
    file: &'a str,
    at: String,
}

impl<'a> At<'a> {
    pub(super) fn new(file: &'a str, at: impl Into<String>) -> Self {
        Self { file, at: at.into() }
    }

    /// The place one key further down.
    pub(super) fn key(&self, key: impl Display) -> Self {
        Self { file: self.file, at: format!("{}.{key}", self.at) }
    }

    /// The place of one item of a list.
    pub(super) fn index(&self, index: usize) -> Self {
        Self { file: self.file, at: format!("{}[{index}]", self.at) }
    }

    /// `rules[2].limit`
    pub(super) fn text(&self) -> &str {
        &self.at
    }

    /// The file.
    pub(super) fn file(&self) -> &'a str {
        self.file
    }

    /// The value here, or what is wrong with it and where.
    pub(super) fn read<T>(&self, text: &Text, read: impl FnOnce(&str) -> Read<T>) -> Result<T, ConfigError> {
        read(&text.value).map_err(|complaint| complaint.about(self.text(), text.place, self.file))
    }

    /// The value here, if there is one.
    pub(super) fn maybe<T>(
        &self,
        text: Option<&Text>,
        read: impl FnOnce(&str) -> Read<T>,
    ) -> Result<Option<T>, ConfigError> {
        text.map(|text| self.read(text, read)).transpose()
    }

    /// Refuses lists that no person writes, before each entry costs time and memory.
    pub(super) fn few<T>(&self, items: &[T], most: usize, place: impl Fn(&T) -> Location) -> Result<(), ConfigError> {
        let Some(first) = items.get(most) else { return Ok(()) };
        let message = format!("expected at most {most} entries, found {}", items.len());
        let hint = "one pattern with `*` can stand for many names";
        Err(Complaint::new(message, hint).about(self.text(), place(first), self.file))
    }

    /// The values of the list here, if there is one.
    fn list<T>(&self, texts: Option<&[Text]>, read: impl Fn(&str) -> Read<T>) -> Result<Option<Vec<T>>, ConfigError> {
        let Some(texts) = texts else { return Ok(None) };
        self.few(texts, MOST, |text| text.place)?;
        texts
            .iter()
            .enumerate()
            .map(|(index, text)| self.index(index).read(text, &read))
            .collect::<Result<_, _>>()
            .map(Some)
    }
}

pub(super) const MISSING: [(&str, Presence); 3] =
    [("ignore", Presence::Ignore), ("warn", Presence::Warn), ("fail", Presence::Fail)];
pub(super) const NEW: [(&str, Presence); 3] =
    [("ignore", Presence::Ignore), ("report", Presence::Report), ("warn", Presence::Warn)];
pub(super) const GATES: [(&str, Gate); 3] =
    [("auto", Gate::Auto), ("evidence", Gate::Evidence), ("plain", Gate::Plain)];
pub(super) const COMBINES: [(&str, Combine); 2] = [("shards", Combine::Shards), ("repeats", Combine::Repeats)];

/// The checked config.
pub(super) fn config(file: wire::File, path: &str) -> Result<Config, ConfigError> {
    let top = |key: &str| At::new(path, key);
    top("version").maybe(file.version.as_ref(), version)?;
    let endpoints = file.endpoints.unwrap_or_default();
    let names = names(&endpoints, path)?;
    let shipped = Policy::shipped();
    let own = rules::rules(&file.rules.unwrap_or_default(), &names, path)?;
    let policy = Policy {
        gate: top("gate").maybe(file.gate.as_ref(), |text| value::word(text, &GATES))?.unwrap_or(shipped.gate),
        rules: shipped.rules.into_iter().chain(own).collect(),
        accepted: rules::accepted(&file.accepted.unwrap_or_default(), &names, path)?,
        missing: top("endpoints.missing")
            .maybe(endpoints.missing.as_ref(), |text| value::word(text, &MISSING))?
            .unwrap_or(shipped.missing),
        new: top("endpoints.new").maybe(endpoints.new.as_ref(), |text| value::word(text, &NEW))?.unwrap_or(shipped.new),
        agreed: None,
    };
    let profiles = profile::profiles(file.profiles, path)?;
    Ok(Config {
        path: Some(path.to_owned()),
        suites: suites(file.suites, &profiles, path)?,
        names,
        issue: issue(&file.issue.unwrap_or_default(), path)?,
        history: history(&file.history.unwrap_or_default(), path)?,
        templates: top("templates").maybe(file.templates.as_ref(), value::filled)?,
        profiles,
        policy,
    })
}

fn version(text: &str) -> Read<()> {
    if text == "1" {
        return Ok(());
    }
    let message = format!("expected 1, found {}", super::error::shown(text));
    Err(Complaint::new(message, "this loadgate reads config files of version 1"))
}

fn suites(
    entries: Option<wire::Entries<Option<wire::Suite>>>,
    profiles: &[Profile],
    path: &str,
) -> Result<Vec<SuiteConfig>, ConfigError> {
    let mut suites = Vec::new();
    for (name, suite) in entries.map(|entries| entries.0).unwrap_or_default() {
        let at = At::new(path, format!("suites.{name}"));
        let place = suite.place;
        let name = at.read(&Text { value: name, place }, profile::plain_name)?;
        let suite = suite.value.unwrap_or_default();
        suites.push(SuiteConfig {
            results: results(&at.key("results"), suite.results.as_deref(), place)?,
            baseline: at
                .key("baseline")
                .maybe(suite.baseline.as_ref(), value::filled)?
                .unwrap_or_else(|| default_baseline(&name)),
            combine: at.key("combine").maybe(suite.combine.as_ref(), |text| value::word(text, &COMBINES))?,
            profile: at.key("profile").maybe(suite.profile.as_ref(), |text| profile::known(text, profiles))?,
            name,
        });
    }
    Ok(suites)
}

/// An empty list would silently mean the usual places.
fn results(at: &At<'_>, texts: Option<&[Text]>, place: Location) -> Result<Vec<String>, ConfigError> {
    if texts.is_some_and(<[Text]>::is_empty) {
        let complaint =
            Complaint::new("expected at least one file, found an empty list", "name one, or remove the key");
        return Err(complaint.about(at.text(), place, at.file()));
    }
    Ok(at.list(texts, value::filled)?.unwrap_or_default())
}

fn names(endpoints: &wire::Endpoints, path: &str) -> Result<Names, ConfigError> {
    let at = At::new(path, "endpoints");
    let ignore = at.key("ignore").list(endpoints.ignore.as_deref(), value::pattern)?.unwrap_or_default();
    let mut rename = Vec::new();
    if let Some(renames) = &endpoints.rename {
        at.key("rename").few(renames, MOST_RENAMES, |rename| rename.pattern.place)?;
    }
    for (index, one) in endpoints.rename.iter().flatten().enumerate() {
        let at = at.key("rename").index(index);
        rename.push(Rename {
            pattern: at.key("match").read(&one.pattern, value::regex)?,
            to: at.key("to").read(&one.to, value::replacement)?,
        });
    }
    Ok(Names { ignore, rename })
}

fn issue(issue: &wire::Issue, path: &str) -> Result<IssueConfig, ConfigError> {
    let at = At::new(path, "issue");
    let shipped = IssueConfig::default();
    let count = |key: &str, text: Option<&Text>, least, shipped| {
        Ok(at.key(key).maybe(text, |text| value::count(text, least))?.unwrap_or(shipped))
    };
    Ok(IssueConfig {
        open_after: count("open_after", issue.open_after.as_ref(), 1, shipped.open_after)?,
        close_after: count("close_after", issue.close_after.as_ref(), 1, shipped.close_after)?,
        reopen_days: count("reopen_days", issue.reopen_days.as_ref(), 0, shipped.reopen_days)?,
        labels: at.key("labels").list(issue.labels.as_deref(), value::filled)?.unwrap_or(shipped.labels),
        assignees: at.key("assignees").list(issue.assignees.as_deref(), value::filled)?.unwrap_or(shipped.assignees),
        open_after_place: issue.open_after.as_ref().map(|text| in_file(text.place, path)),
    })
}

fn history(history: &wire::History, path: &str) -> Result<HistoryConfig, ConfigError> {
    let at = At::new(path, "history");
    let shipped = HistoryConfig::default();
    Ok(HistoryConfig {
        branch: at.key("branch").maybe(history.branch.as_ref(), branch)?,
        keep: at.key("keep").maybe(history.keep.as_ref(), |text| value::count(text, 1))?.unwrap_or(shipped.keep),
        site: at.key("site").maybe(history.site.as_ref(), site)?,
    })
}

fn site(text: &str) -> Read<String> {
    if ["https://", "http://"].iter().any(|start| text.starts_with(start)) && !text.contains(char::is_whitespace) {
        return Ok(text.to_owned());
    }
    let message = format!("{} is no address of a page", super::error::shown(text));
    Err(Complaint::new(message, "write it out: `https://acme.github.io/shop/`"))
}

/// The rules of git for names of branches, as far as a person may break them (git-check-ref-format).
fn branch(text: &str) -> Read<String> {
    let sound = !text.is_empty()
        && !text.starts_with(['-', '/', '.'])
        && !text.ends_with(['/', '.'])
        && !text.contains("..")
        && !text.contains("//")
        && !text.contains("@{")
        && !text.split('/').any(|part| {
            let extension = std::path::Path::new(part).extension();
            part.starts_with('.') || extension.is_some_and(|extension| extension.eq_ignore_ascii_case("lock"))
        })
        && !text.chars().any(|char| char.is_whitespace() || char.is_control() || "~^:?*[\\".contains(char));
    if sound {
        return Ok(text.to_owned());
    }
    let message = format!("{} cannot be the name of a branch", super::error::shown(text));
    Err(Complaint::new(message, "name one of its own, without refs/heads/ in front: `loadgate-data`"))
}
