//! `doctor --show-config`: every setting of `check` with its value and where that comes from. [I/O]

use std::fs;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, CommandFactory as _};
use serde::Serialize;
use serde_json::Value;

use super::super::{Done, json};
use super::Patient;
use crate::cli::{Cli, TextOrJson};
use crate::config::{self, Config};
use crate::report::escape::clean;

/// One setting.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Setting {
    pub(super) name: String,
    /// `None` where nothing sets it.
    pub(super) value: Option<String>,
    /// `LOADGATE_…`, the config file, `default`, or `-`.
    pub(super) origin: String,
}

/// Options that the config file can set too, with the key that does.
const IN_CONFIG: [(&str, &str); 3] =
    [("gate", "/gate"), ("history-branch", "/history/branch"), ("template-dir", "/templates")];

/// Defaults that are decided after the config was read.
const LATE_DEFAULTS: [(&str, &str); 3] = [("gate", "auto"), ("fail-on", "fail"), ("suite", "every suite")];

#[derive(Serialize)]
struct Shown<'a> {
    schema: &'static str,
    settings: &'a [Setting],
}

/// Lists the settings.
pub(super) fn show(format: TextOrJson, patient: &Patient<'_>) -> anyhow::Result<Done> {
    let settings = settings(patient)?;
    Ok(Done::printed(match format {
        TextOrJson::Json => json(&Shown { schema: "loadgate.settings/1", settings: &settings })?,
        TextOrJson::Text => {
            let width = settings.iter().map(|setting| setting.name.len()).max().unwrap_or(0) + 2;
            let line = |setting: &Setting| {
                let value = clean(setting.value.as_deref().unwrap_or("-"));
                format!("{:<width$}{value:<40}  {}\n", setting.name, clean(&setting.origin))
            };
            settings.iter().map(line).collect()
        }
    }))
}

/// The options first, then what only the config file holds.
pub(super) fn settings(patient: &Patient<'_>) -> anyhow::Result<Vec<Setting>> {
    let config = config::find(patient.root, patient.config)?;
    let (path, written) = written(patient, config.as_ref());
    // The same command line without any options: what is left is what variables and defaults say.
    let matches = Cli::command().try_get_matches_from(["loadgate", "check"])?;
    let check = matches.subcommand_matches("check").unwrap_or(&matches);
    let mut command = Cli::command();
    command.build();
    let options = command.find_subcommand("check").map(|check| check.get_arguments().collect::<Vec<_>>());
    let mut settings: Vec<Setting> = options
        .unwrap_or_default()
        .into_iter()
        .filter(|option| option.get_env().is_some())
        .map(|option| option_setting(option, check, &path, &written))
        .collect();
    let config = config.unwrap_or_default();
    settings.extend(config_settings(&config, &path, &written));
    Ok(settings)
}

/// The config file's name and what it says itself, defaults apart.
fn written(patient: &Patient<'_>, config: Option<&Config>) -> (String, Value) {
    let Some(path) = config.and_then(|config| config.path.clone()) else { return (String::new(), Value::Null) };
    let text = fs::read_to_string(patient.root.join(&path)).unwrap_or_default();
    // It was read a moment ago; if it has changed since, its keys are missing here and nothing worse.
    (path, serde_saphyr::from_str(&text).unwrap_or(Value::Null))
}

fn option_setting(option: &Arg, check: &ArgMatches, path: &str, written: &Value) -> Setting {
    let id = option.get_id().as_str();
    let name = option.get_long().unwrap_or(id).to_owned();
    let variable = option.get_env().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let texts: Option<Vec<String>> =
        check.get_raw(id).map(|values| values.map(|value| value.to_string_lossy().into_owned()).collect());
    let value = texts.filter(|texts| !texts.is_empty()).map(|texts| texts.join(", "));
    if check.value_source(id) == Some(ValueSource::EnvVariable) {
        let value = if option.is_hide_env_values_set() { Some("(hidden)".to_owned()) } else { value };
        return Setting { name, value, origin: variable };
    }
    let key = IN_CONFIG.iter().find(|(option, _)| *option == name).map(|(_, key)| *key);
    if let Some(value) = key.and_then(|key| written.pointer(key)).filter(|value| !value.is_null()) {
        return Setting { name, value: Some(shown(value)), origin: path.to_owned() };
    }
    let late = LATE_DEFAULTS.iter().find(|(option, _)| *option == name).map(|(_, value)| (*value).to_owned());
    let value = value.or(late);
    let origin = if value.is_some() { "default" } else { "-" };
    Setting { name, value, origin: origin.to_owned() }
}

/// What has no option.
fn config_settings(config: &Config, path: &str, written: &Value) -> Vec<Setting> {
    let policy = config.policy();
    let origin = |key: &str| {
        let there = written.pointer(key).is_some_and(|value| !value.is_null());
        if there { path.to_owned() } else { "default".to_owned() }
    };
    let setting = |name: &str, key: &str, value: String| Setting {
        name: name.to_owned(),
        value: Some(value),
        origin: origin(key),
    };
    let mut settings = vec![
        setting("endpoints.missing", "/endpoints/missing", word(policy.missing)),
        setting("endpoints.new", "/endpoints/new", word(policy.new)),
        setting("endpoints.ignore", "/endpoints/ignore", config.names.ignore.len().to_string()),
        setting("endpoints.rename", "/endpoints/rename", config.names.rename.len().to_string()),
        setting("rules", "/rules", policy.rules.len().to_string()),
        setting("accepted", "/accepted", policy.accepted.len().to_string()),
        setting("issue.open_after", "/issue/open_after", config.issue.open_after.to_string()),
        setting("issue.close_after", "/issue/close_after", config.issue.close_after.to_string()),
        setting("issue.reopen_days", "/issue/reopen_days", config.issue.reopen_days.to_string()),
        setting("issue.labels", "/issue/labels", config.issue.labels.join(", ")),
        setting("issue.assignees", "/issue/assignees", config.issue.assignees.join(", ")),
        setting("history.keep", "/history/keep", config.history.keep.to_string()),
    ];
    for suite in &config.suites {
        let key = suite.name.replace('~', "~0");
        let of = |what: &str, value: String| {
            setting(&format!("suites.{}.{what}", suite.name), &format!("/suites/{key}/{what}"), value)
        };
        settings.push(of("results", suite.results.join(", ")));
        settings.push(of("baseline", suite.baseline.clone()));
        settings.push(of("profile", suite.profile.clone().unwrap_or_default()));
        settings.push(of("combine", suite.combine.map(word).unwrap_or_default()));
    }
    for setting in &mut settings {
        setting.value.take_if(|value| value.is_empty());
    }
    settings
}

/// A word of the config as it is written there.
fn word(value: impl Serialize) -> String {
    serde_json::to_value(value).map(|value| shown(&value)).unwrap_or_default()
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
