//! Command line and config file -> checked [`Settings`]. [I/O]
//!
//! An option wins over its variable (clap sees to that), both over the config file, that over the defaults.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use jiff::Timestamp;

use crate::cli::{Common, Judging};
use crate::config::{self, Config, PLACES, SuiteConfig, default_baseline};
use crate::format::read::FormatOf;
use crate::policy::{FailOn, Policy};
use crate::publish::base::{Base, Trusted, difference};
use crate::report::templates::{EXTENSION, Templates};
use crate::run::Notice;

/// More of a file is not compared with the base's, in bytes.
const LARGEST_COMPARED: u64 = 64 << 20;

/// The suite that is there when nobody names one.
pub const DEFAULT_SUITE: &str = "default";

/// What holds for one `check`.
#[derive(Debug)]
pub struct Settings<'a> {
    /// The workspace root: relative paths start here.
    pub root: PathBuf,
    /// The side whose config, baselines and templates count; `None`: the checkout.
    pub base: Option<&'a Base<'a>>,
    /// The config file, or what holds without one.
    pub config: Config,
    /// What is allowed.
    pub policy: Policy,
    /// What is judged, in the order of the config.
    pub suites: Vec<Suite>,
    /// Files whose format the user told.
    pub format_of: Vec<FormatOf>,
    /// What blocks.
    pub fail_on: FailOn,
    /// Whether no baseline blocks.
    pub require_baseline: bool,
    /// How the report is worded.
    pub templates: Templates,
    /// What the reader should know about where all this comes from.
    pub notices: Vec<Notice>,
    /// The present time.
    pub now: Timestamp,
}

/// One suite and where its files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suite {
    /// Its name, and all that the config says of it.
    pub config: SuiteConfig,
    /// Whether the user named the baseline on the command line, so that it has to be there.
    pub baseline_named: bool,
}

impl<'a> Settings<'a> {
    /// What holds for judging `files` (none: the suites of the config, else the usual places).
    pub fn new(
        common: &Common,
        judging: &Judging,
        files: &[String],
        base: Option<&'a Base<'a>>,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        let root = root(common);
        let mut notices = Vec::new();
        let config = match base {
            Some(base) => trusted_config(base, &root, common.config.as_deref(), &mut notices)?,
            None => config(common)?,
        };
        let templates = match (base, template_folder(judging.template_dir.as_deref(), &config)) {
            (Some(base), Some(folder)) => trusted_templates(base, &root, &folder, &mut notices)?,
            _ => templates(&root, judging.template_dir.as_deref(), &config)?,
        };
        let suites = suites(&config, common.suite.as_deref(), files, judging.baseline.as_deref())?;
        let mut policy = config.policy();
        if let Some(gate) = judging.gate {
            policy.gate = gate;
        }
        Ok(Self {
            root,
            base,
            policy,
            suites,
            format_of: format_of(common)?,
            fail_on: match (&judging.fail_on, judging.strict) {
                (_, true) => FailOn::strict(),
                (Some(list), false) => list.parse().with_context(|| format!("--fail-on {list}"))?,
                (None, false) => FailOn::default(),
            },
            require_baseline: judging.require_baseline,
            templates,
            notices,
            now,
            config,
        })
    }
}

/// Where relative paths start: `--working-directory`, else here.
pub fn root(common: &Common) -> PathBuf {
    common.working_directory.clone().unwrap_or_else(|| PathBuf::from("."))
}

/// The config file that counts, or what holds without one.
pub fn config(common: &Common) -> anyhow::Result<Config> {
    let root = root(common);
    if !root.is_dir() {
        bail!("{}: no such folder\nhint: `--working-directory` takes a folder of the workspace", root.display());
    }
    Ok(config::find(&root, common.config.as_deref())?.unwrap_or_default())
}

/// The config of the trusted side. What the checkout has instead becomes a notice.
fn trusted_config(
    base: &Base<'_>,
    root: &Path,
    named: Option<&Path>,
    notices: &mut Vec<Notice>,
) -> anyhow::Result<Config> {
    let named = named.map(|path| path.to_string_lossy().into_owned());
    let places: Vec<String> = match named {
        Some(named) => vec![named],
        None => PLACES.map(str::to_owned).to_vec(),
    };
    let mut found: Option<(String, String)> = None;
    for place in places {
        let text = base.text(&place)?;
        notices.extend(difference(Trusted::Config, &place, text.as_deref(), here(root, &place).as_deref()));
        match (text, &found) {
            (Some(_), Some((first, _))) => bail!(
                "{first} and {place}: two config files on the base branch\nhint: keep one of them, or say which one counts with --config FILE"
            ),
            (Some(text), None) => found = Some((place, text)),
            (None, _) => {}
        }
    }
    Ok(found.map(|(place, text)| Config::parse(&text, &place)).transpose()?.unwrap_or_default())
}

/// The templates of the trusted side, likewise.
fn trusted_templates(
    base: &Base<'_>,
    root: &Path,
    folder: &str,
    notices: &mut Vec<Notice>,
) -> anyhow::Result<Templates> {
    let mut texts = BTreeMap::new();
    for name in base.folder(folder)?.unwrap_or_default() {
        if !name.ends_with(EXTENSION) {
            continue;
        }
        let path = format!("{}/{name}", folder.trim_end_matches('/'));
        if let Some(text) = base.text(&path)? {
            notices.extend(difference(Trusted::Templates, &path, Some(&text), here(root, &path).as_deref()));
            texts.insert(name, text);
        }
    }
    let own = Templates::from_folder(&root.join(folder)).unwrap_or_default();
    let shipped = Templates::shipped();
    for (name, text) in own.iter() {
        let ours = shipped.iter().any(|(known, shipped)| known == name && shipped == text);
        if !ours && !texts.contains_key(name) {
            let path = format!("{}/{name}", folder.trim_end_matches('/'));
            notices.extend(difference(Trusted::Templates, &path, None, Some(text)));
        }
    }
    Ok(Templates::from_texts(texts))
}

/// The text of a file in the checkout, for comparison only.
pub fn here(root: &Path, path: &str) -> Option<String> {
    let file = std::fs::File::open(root.join(path)).ok()?;
    let mut bytes = Vec::new();
    file.take(LARGEST_COMPARED).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The folder of the user's templates: of the option, else of the config.
fn template_folder(named: Option<&Path>, config: &Config) -> Option<String> {
    let named = named.map(|folder| folder.to_string_lossy().into_owned());
    named.or_else(|| config.templates.clone())
}

/// The templates that count: of the option, else of the config, else ours.
pub fn templates(root: &Path, named: Option<&Path>, config: &Config) -> anyhow::Result<Templates> {
    match template_folder(named, config) {
        Some(folder) => Ok(Templates::from_folder(&root.join(folder))?),
        None => Ok(Templates::shipped()),
    }
}

/// `--format-of FILE=ID`, one or several.
pub fn format_of(common: &Common) -> anyhow::Result<Vec<FormatOf>> {
    let parse = |text: &String| match text.rsplit_once('=') {
        Some((file, id)) if !file.is_empty() && !id.is_empty() => {
            let file = file.strip_prefix("./").unwrap_or(file);
            Ok(FormatOf { file: file.to_owned(), id: id.to_owned() })
        }
        _ => bail!("--format-of {text}: expected FILE=ID\nhint: `loadgate formats` lists the ids"),
    };
    common.format_of.iter().filter(|text| !text.is_empty()).map(parse).collect()
}

/// The suites to look at.
///
/// With files there is exactly one: the one that is named, the only one of the config, or `default`.
pub fn suites(
    config: &Config,
    wanted: Option<&str>,
    files: &[String],
    baseline: Option<&str>,
) -> anyhow::Result<Vec<Suite>> {
    let known = |name: &str| config.suites.iter().find(|suite| suite.name == name).cloned();
    let mut chosen = match wanted {
        Some(name) => match known(name) {
            Some(suite) => vec![suite],
            None if config.suites.is_empty() => vec![unconfigured(name)?],
            None => bail!("{}", unknown_suite(config, name)),
        },
        None if config.suites.is_empty() => vec![unconfigured(DEFAULT_SUITE)?],
        None => config.suites.clone(),
    };
    if chosen.len() > 1 && !files.is_empty() {
        bail!(
            "the config has {} suites ({}), and files can belong to one only\nhint: say which with --suite NAME, or name no files to judge every suite",
            chosen.len(),
            names(config)
        );
    }
    if chosen.len() > 1 && baseline.is_some() {
        bail!(
            "one --baseline for {} suites ({})\nhint: choose one with --suite NAME, or give each its `baseline` in the config",
            chosen.len(),
            names(config)
        );
    }
    for suite in &mut chosen {
        if !files.is_empty() {
            suite.results = files.to_vec();
        }
        if let Some(path) = baseline {
            path.clone_into(&mut suite.baseline);
        }
    }
    Ok(chosen.into_iter().map(|config| Suite { config, baseline_named: baseline.is_some() }).collect())
}

/// A suite that only the command line knows. Its name becomes part of a path.
fn unconfigured(name: &str) -> anyhow::Result<SuiteConfig> {
    if name.is_empty()
        || name.starts_with('.')
        || name.contains(['/', '\\', '\0'])
        || name.chars().any(char::is_control)
    {
        bail!(
            "--suite {name:?}: not a name for a suite\nhint: letters, digits, `-`, `_` and `.`, as it becomes the name of a file"
        );
    }
    Ok(SuiteConfig {
        name: name.to_owned(),
        results: Vec::new(),
        baseline: default_baseline(name),
        combine: None,
        profile: None,
    })
}

fn unknown_suite(config: &Config, name: &str) -> String {
    let near = config
        .suites
        .iter()
        .map(|suite| (strsim::jaro_winkler(&suite.name, name), &suite.name))
        .filter(|(alike, _)| *alike > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, near)| format!(", did you mean `{near}`?"));
    format!(
        "no suite `{name}` in {}{}\nhint: it has {}",
        config.path.as_deref().unwrap_or("the config"),
        near.unwrap_or_default(),
        names(config)
    )
}

fn names(config: &Config) -> String {
    config.suites.iter().map(|suite| suite.name.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "suites: { api: { results: [a] }, search: { results: [b] } }";

    fn chosen(
        config: &str,
        wanted: Option<&str>,
        files: &[&str],
        baseline: Option<&str>,
    ) -> Result<Vec<String>, String> {
        let config = Config::parse(config, "loadgate.yml").unwrap();
        let files: Vec<String> = files.iter().map(|file| (*file).to_owned()).collect();
        let shown = |suite: &Suite| {
            format!("{} {} {}", suite.config.name, suite.config.results.join("+"), suite.config.baseline)
        };
        suites(&config, wanted, &files, baseline)
            .map(|suites| suites.iter().map(shown).collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn without_a_config_there_is_one_suite() {
        assert_eq!(chosen("", None, &[], None).unwrap(), ["default  .loadgate/baselines/default.json"]);
        assert_eq!(chosen("", Some("api"), &["x", "y"], None).unwrap(), ["api x+y .loadgate/baselines/api.json"]);
        assert_eq!(chosen("", None, &["x"], Some("b.json")).unwrap(), ["default x b.json"]);
        assert!(chosen("", Some("../x"), &[], None).unwrap_err().contains("not a name for a suite"));
    }

    #[test]
    fn the_config_names_suites_and_the_option_chooses() {
        assert_eq!(chosen(TWO, None, &[], None).unwrap().len(), 2);
        assert_eq!(chosen(TWO, Some("api"), &["x"], None).unwrap(), ["api x .loadgate/baselines/api.json"]);
        let message = chosen(TWO, Some("serch"), &[], None).unwrap_err();
        assert_eq!(message, "no suite `serch` in loadgate.yml, did you mean `search`?\nhint: it has api, search");
    }

    #[test]
    fn one_thing_cannot_belong_to_two_suites() {
        assert!(chosen(TWO, None, &["x"], None).unwrap_err().starts_with("the config has 2 suites (api, search)"));
        assert!(chosen(TWO, None, &[], Some("b")).unwrap_err().starts_with("one --baseline for 2 suites"));
    }
}
