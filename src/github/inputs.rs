//! Action inputs -> the arguments a person would type. One pure function, no second list of defaults.
//!
//! The runner hands every input over as `INPUT_<NAME>`, upper-cased, hyphens kept, empty if not given. There is no shell in
//! between: values may hold any character.

use std::collections::BTreeMap;

/// How the text of an input becomes arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `--name=value`.
    Value,
    /// `--name` if true, nothing if false.
    Flag,
    /// One `--name=value`, parts joined by commas however the user separated them.
    Words,
    /// `--name=line` for every line.
    Lines,
}

/// The inputs that are options of the same name. `command`, `results`, `publish`, `args` and `token` have rules of their own.
const OPTIONS: &[(&str, Kind)] = &[
    ("working-directory", Kind::Value),
    ("suite", Kind::Value),
    ("config", Kind::Value),
    ("baseline", Kind::Value),
    ("gate", Kind::Value),
    ("strict", Kind::Flag),
    ("fail-on", Kind::Words),
    ("require-baseline", Kind::Flag),
    ("comment", Kind::Value),
    ("comment-key", Kind::Value),
    ("bot-login", Kind::Value),
    ("status", Kind::Value),
    ("status-name", Kind::Value),
    ("issue", Kind::Value),
    ("update-baseline", Kind::Value),
    ("history-branch", Kind::Value),
    ("report-dir", Kind::Value),
    ("format-of", Kind::Lines),
    ("webhook-url", Kind::Value),
    ("template-dir", Kind::Value),
    ("dry-run", Kind::Flag),
];

/// Every input the action declares (SPEC section 7); a test keeps `action.yml` in step.
pub fn names() -> Vec<&'static str> {
    let mut names = vec!["command", "results", "publish", "args", "token"];
    names.extend(OPTIONS.iter().map(|(name, _)| *name));
    names.sort_unstable();
    names
}

/// An input whose text makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// A flag that is neither true nor false.
    #[error("input `{name}`: expected `true` or `false`, found `{found}`")]
    NotABoolean {
        /// The input.
        name: &'static str,
        /// Its text.
        found: String,
    },
    /// Text that cannot be split into words.
    #[error("input `{name}`: a quotation mark is never closed in `{found}`")]
    OpenQuote {
        /// The input.
        name: &'static str,
        /// Its text.
        found: String,
    },
    /// `publish` is something else than `auto` or `never`.
    #[error("input `publish`: expected `auto` or `never`, found `{found}`")]
    NotAPublishMode {
        /// Its text.
        found: String,
    },
}

/// Whether the program was started by a runner as an action: inputs are there, and nobody typed arguments.
pub fn started_as_action(typed_arguments: usize, vars: &BTreeMap<String, String>) -> bool {
    typed_arguments == 0
        && vars.get("GITHUB_ACTIONS").is_some_and(|value| value == "true")
        && vars.keys().any(|name| name.starts_with("INPUT_"))
}

/// The arguments (without the program's name) that the action's inputs stand for.
///
/// The token is never among them: it stays in the environment, where no process list and no error message shows it.
pub fn arguments(vars: &BTreeMap<String, String>) -> Result<Vec<String>, InputError> {
    let mut arguments = match input(vars, "command") {
        Some(command) => split("command", command)?,
        None => vec!["check".to_owned()],
    };
    // `publish` publishes anyway; other commands have nothing to publish.
    if arguments == ["check"] && publishes(input(vars, "publish"))? {
        arguments.push("--publish".to_owned());
    }
    for &(name, kind) in OPTIONS {
        let Some(text) = input(vars, name) else { continue };
        match kind {
            Kind::Value => arguments.push(format!("--{name}={text}")),
            Kind::Flag => {
                if boolean(name, text)? {
                    arguments.push(format!("--{name}"));
                }
            }
            Kind::Words => {
                let words: Vec<&str> =
                    text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty()).collect();
                arguments.push(format!("--{name}={}", words.join(",")));
            }
            Kind::Lines => arguments.extend(lines(text).map(|line| format!("--{name}={line}"))),
        }
    }
    if let Some(text) = input(vars, "args") {
        arguments.extend(split("args", text)?);
    }
    let mut files = input(vars, "results").into_iter().flat_map(lines).peekable();
    if files.peek().is_some() {
        // From here on a leading hyphen belongs to a file name.
        arguments.push("--".to_owned());
        arguments.extend(files.map(str::to_owned));
    }
    Ok(arguments)
}

/// The trimmed text of an input; `None` if it is absent or empty, which the runner does not tell apart.
fn input<'a>(vars: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    let text = vars.get(&format!("INPUT_{}", name.to_ascii_uppercase()))?.trim();
    (!text.is_empty()).then_some(text)
}

fn publishes(text: Option<&str>) -> Result<bool, InputError> {
    match text {
        None | Some("auto") => Ok(true),
        Some("never") => Ok(false),
        // People write booleans where a switch is meant.
        Some(other) => parse_boolean(other).ok_or_else(|| InputError::NotAPublishMode { found: other.to_owned() }),
    }
}

fn boolean(name: &'static str, text: &str) -> Result<bool, InputError> {
    parse_boolean(text).ok_or_else(|| InputError::NotABoolean { name, found: text.to_owned() })
}

fn parse_boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

fn split(name: &'static str, text: &str) -> Result<Vec<String>, InputError> {
    shlex::split(text).ok_or_else(|| InputError::OpenQuote { name, found: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(inputs: &[(&str, &str)]) -> Result<Vec<String>, InputError> {
        let mut vars: BTreeMap<String, String> =
            names().iter().map(|name| (format!("INPUT_{}", name.to_uppercase()), String::new())).collect();
        vars.insert("GITHUB_ACTIONS".to_owned(), "true".to_owned());
        for (name, value) in inputs {
            vars.insert(format!("INPUT_{}", name.to_uppercase()), (*value).to_owned());
        }
        assert!(started_as_action(0, &vars));
        assert!(!started_as_action(1, &vars));
        arguments(&vars)
    }

    #[test]
    fn without_inputs_the_action_checks_and_publishes() {
        assert_eq!(given(&[]).unwrap(), ["check", "--publish"]);
        assert_eq!(given(&[("publish", "never")]).unwrap(), ["check"]);
        assert_eq!(given(&[("publish", "false")]).unwrap(), ["check"]);
    }

    #[test]
    fn results_are_one_file_a_line_and_come_last() {
        let arguments =
            given(&[("results", "a b.csv\n\n  -odd.csv  \nload/**\n"), ("args", "--now '2026-11-24 x'")]).unwrap();
        assert_eq!(arguments, ["check", "--publish", "--now", "2026-11-24 x", "--", "a b.csv", "-odd.csv", "load/**"]);
    }

    #[test]
    fn options_keep_their_values_whole() {
        let arguments = given(&[
            ("suite", "api; rm -rf $HOME"),
            ("strict", "TRUE"),
            ("require-baseline", "false"),
            ("fail-on", "fail, warn\ninconclusive"),
            ("format-of", "a.csv=jmeter-csv\nb.json=k6-summary\n"),
            ("status-name", "-x=1"),
        ])
        .unwrap();
        assert_eq!(
            arguments,
            [
                "check",
                "--publish",
                "--suite=api; rm -rf $HOME",
                "--strict",
                "--fail-on=fail,warn,inconclusive",
                "--status-name=-x=1",
                "--format-of=a.csv=jmeter-csv",
                "--format-of=b.json=k6-summary",
            ]
        );
    }

    #[test]
    fn other_commands_get_their_own_words() {
        assert_eq!(
            given(&[("command", "baseline add"), ("results", "x.csv")]).unwrap(),
            ["baseline", "add", "--", "x.csv"]
        );
        assert_eq!(given(&[("command", "publish"), ("comment", "never")]).unwrap(), ["publish", "--comment=never"]);
    }

    #[test]
    fn a_token_never_becomes_an_argument() {
        let arguments = given(&[("token", "ghs_secret")]).unwrap();
        assert!(!arguments.iter().any(|argument| argument.contains("ghs_secret")));
    }

    #[test]
    fn nonsense_is_named_with_its_input() {
        let message = |inputs: &[(&str, &str)]| given(inputs).unwrap_err().to_string();
        assert_eq!(message(&[("strict", "maybe")]), "input `strict`: expected `true` or `false`, found `maybe`");
        assert_eq!(
            message(&[("args", "--suite 'a")]),
            "input `args`: a quotation mark is never closed in `--suite 'a`"
        );
        assert_eq!(message(&[("publish", "always?")]), "input `publish`: expected `auto` or `never`, found `always?`");
    }
}
