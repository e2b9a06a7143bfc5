//! One command each: arguments in, what is to be printed out. [I/O]

pub mod baseline;
pub mod calibrate;
pub mod check;
pub mod doctor;
pub mod formats;
pub mod history;
pub mod init;
pub mod inspect;
mod json;
pub mod man;
pub mod merge;
pub mod publish;
pub mod report;
pub mod run;
pub mod schema;
pub mod simulate;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Write as _};

use clap::{CommandFactory as _, Parser as _};
use jiff::Timestamp;

pub(crate) use self::json::json;
use crate::cli::{Cli, Color, Command, Common};
use crate::github::commands::{Annotation, Level, plain};
use crate::github::inputs;
use crate::settings;

/// The work could not be done (SPEC section 3).
const COULD_NOT: u8 = 2;

/// What a command leaves to be printed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// The result, for stdout; may hold ANSI colours.
    pub stdout: String,
    /// Talk, for stderr.
    pub stderr: String,
    /// Words for the workflow's runner, a line each, for stdout.
    pub workflow_commands: Vec<String>,
    /// The same for stderr, where the runner listens too, as one text.
    pub runner_log: String,
    /// What the process exits with.
    pub exit_code: u8,
}

impl Done {
    /// A command that did its work.
    pub fn printed(stdout: String) -> Self {
        Self { stdout, ..Self::default() }
    }
}

/// What every command gets beside its own arguments.
#[derive(Debug)]
pub struct World<'a> {
    /// Common options.
    pub common: &'a Common,
    /// The environment.
    pub vars: &'a BTreeMap<String, String>,
    /// The present time.
    pub now: Timestamp,
    /// Whether a workflow's runner started us as an action, without arguments.
    pub as_action: bool,
}

/// The whole program: `typed` arguments (without the program's name) or the action's inputs, to an exit code.
pub fn start(typed: Vec<OsString>, vars: &BTreeMap<String, String>) -> u8 {
    let in_actions = vars.get("GITHUB_ACTIONS").is_some_and(|value| value == "true");
    let as_action = inputs::started_as_action(typed.len(), vars);
    let arguments = if as_action {
        match inputs::arguments(vars) {
            Ok(arguments) => arguments.into_iter().map(OsString::from).collect(),
            Err(error) => return refused(&error.into(), in_actions, vars),
        }
    } else {
        typed
    };
    let cli = match Cli::try_parse_from(std::iter::once(OsString::from("loadgate")).chain(arguments)) {
        Ok(cli) => cli,
        Err(error) if as_action && error.use_stderr() => {
            let text = error.to_string();
            return refused(&anyhow::anyhow!("{}", text.trim_start_matches("error: ").trim_end()), in_actions, vars);
        }
        Err(error) => {
            let code = u8::try_from(error.exit_code()).unwrap_or(COULD_NOT);
            return if error.print().is_ok() { code } else { COULD_NOT };
        }
    };
    match cli.common.color {
        Color::Auto => anstream::ColorChoice::Auto,
        Color::Always => anstream::ColorChoice::Always,
        Color::Never => anstream::ColorChoice::Never,
    }
    .write_global();
    let now = cli.common.now.unwrap_or_else(|| whole_second(Timestamp::now()));
    let world = World { common: &cli.common, vars, now, as_action };
    match run(&cli.command, &world) {
        Ok(done) => {
            print(&done, cli.common.quiet, in_actions);
            done.exit_code
        }
        Err(error) => refused(&error, in_actions, vars),
    }
}

/// Fractions of a second mean nothing in what we write, and make a diff longer.
fn whole_second(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// One line per command.
fn run(command: &Command, world: &World<'_>) -> anyhow::Result<Done> {
    let root = settings::root(world.common);
    match command {
        Command::Check(arguments) => check::run(arguments, world),
        Command::Publish(arguments) => publish::run(arguments, world),
        Command::Inspect(arguments) => inspect::run(arguments, world),
        Command::Report(arguments) => report::run(arguments, world),
        Command::Baseline(command) => baseline::run(command, world),
        Command::History(command) => history::run(command, world),
        Command::Site(arguments) => history::site(arguments, world),
        Command::Run(arguments) => run::run(arguments, world),
        Command::Merge(arguments) => merge::run(arguments, world),
        Command::Simulate(arguments) => {
            let arguments = crate::cli::Simulate { out: root.join(&arguments.out), ..arguments.clone() };
            simulate::simulate(&arguments, &settings::config(world.common)?)
        }
        Command::Calibrate { files } => calibrate::run(files, &settings::config(world.common)?.names, &root),
        Command::Init(arguments) => init::run(arguments, &root),
        Command::Doctor(arguments) => {
            let config = world.common.config.as_deref();
            let patient = doctor::Patient { root: &root, config, vars: world.vars, now: world.now };
            doctor::run(arguments, &patient)
        }
        Command::Formats(arguments) => formats::run(arguments),
        Command::Schema { kind } => Ok(schema::run(*kind)),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "loadgate", &mut script);
            Ok(Done::printed(String::from_utf8(script)?))
        }
        Command::Man { folder } => man::run(folder),
    }
}

/// Prints what a command left. Inside a workflow the runner reads along: text that came from anywhere must not speak to it.
fn print(done: &Done, quiet: bool, in_actions: bool) {
    let safe = |text: &str| if in_actions { plain(text) } else { text.to_owned() };
    // Whoever stopped reading has what he wanted.
    let _ = (|| -> io::Result<()> {
        if !quiet {
            let mut talk = anstream::stderr().lock();
            talk.write_all(safe(&done.stderr).as_bytes())?;
            talk.flush()?;
        }
        io::stderr().lock().write_all(done.runner_log.as_bytes())?;
        let mut out = anstream::stdout().lock();
        out.write_all(safe(&done.stdout).as_bytes())?;
        for command in &done.workflow_commands {
            writeln!(out, "{command}")?;
        }
        out.flush()
    })();
}

/// Says why there is no result, also where people look for one: as an annotation and in the job summary.
fn refused(error: &anyhow::Error, in_actions: bool, vars: &BTreeMap<String, String>) -> u8 {
    let text = error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
    let shown = if in_actions { plain(&text) } else { text.clone() };
    let _ = writeln!(anstream::stderr(), "error: {shown}");
    if in_actions {
        let annotation = Annotation::new(Level::Error, "loadgate could not judge", text.as_str());
        let _ = writeln!(io::stdout(), "{annotation}");
        if let Some(summary) = vars.get("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) {
            let fence = crate::report::escape::fence(&text, "");
            let words = format!("### ❌ Load test: not judged\n\n{fence}\n");
            let _ = crate::files::append(std::path::Path::new(summary), words.as_bytes());
        }
    }
    COULD_NOT
}
