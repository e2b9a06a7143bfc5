//! The only place where an option has a name, a default and a help text.

#![allow(rustdoc::invalid_html_tags, rustdoc::bare_urls, reason = "these comments are help texts, printed as they are")]
#![expect(clippy::doc_markdown, reason = "these comments are help texts, printed as they are")]

use std::path::PathBuf;

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;

use crate::policy::Gate;
pub use crate::publish::{CommentWhen, IssueWhen, StatusKind, UpdateBaseline};

/// Judges load-test results: reads what Locust, k6, JMeter and others leave, compares with the committed baseline, says what got worse.
#[derive(Debug, Parser)]
#[command(name = "loadgate", version, arg_required_else_help = true, after_help = EXIT_CODES, max_term_width = 110)]
pub struct Cli {
    /// What every command understands.
    #[command(flatten)]
    pub common: Common,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    nothing blocks
  1    a rule is broken
  2    loadgate could not do its work: usage, config, unreadable or missing results, nothing to compare
  3    can't tell, and --fail-on or --strict says that blocks
  130  interrupted

Every option can be set as LOADGATE_<NAME>; an option wins over its variable, a variable over the config file.";

/// What every command understands.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Config file [default: .github/loadgate.yml or loadgate.yml, if there is one]
    #[arg(long, global = true, value_name = "FILE", env = "LOADGATE_CONFIG")]
    pub config: Option<PathBuf>,
    /// The suite the files belong to, or the only suite of the config to look at
    #[arg(long, global = true, value_name = "NAME", env = "LOADGATE_SUITE")]
    pub suite: Option<String>,
    /// Read FILE as the format ID, whatever it looks like; may be repeated
    #[arg(long, global = true, value_name = "FILE=ID", env = "LOADGATE_FORMAT_OF", value_delimiter = '\n')]
    pub format_of: Vec<String>,
    /// Work as if started in this folder
    #[arg(long, global = true, value_name = "DIR", env = "LOADGATE_WORKING_DIRECTORY")]
    pub working_directory: Option<PathBuf>,
    /// Less talk on stderr
    #[arg(short, long, global = true, env = "LOADGATE_QUIET", value_parser = FalseyValueParser::new())]
    pub quiet: bool,
    /// More talk on stderr
    #[arg(short, long, global = true, env = "LOADGATE_VERBOSE", value_parser = FalseyValueParser::new())]
    pub verbose: bool,
    /// Colour in the output
    #[arg(long, global = true, value_name = "WHEN", env = "LOADGATE_COLOR", default_value = "auto")]
    pub color: Color,
    /// Take this as the present time (RFC 3339), so that the same inputs give the same bytes
    #[arg(long, global = true, value_name = "TIME", env = "LOADGATE_NOW", hide_short_help = true)]
    pub now: Option<Timestamp>,
}

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal that can.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Read, compare with the baseline, judge and print
    ///
    /// Files, folders or globs; without any, the suites of the config, else the usual places (load-results/, *_stats.csv,
    /// *.jtl, simulation.log, ...). Writes report.json, summary.md, comment.md, issue.md, report.html, junit.xml and the
    /// normalised runs into the report folder. No network unless --publish.
    #[command(after_help = "Examples:
  loadgate check load-results/
  loadgate check --baseline .loadgate/baselines/api.json 'load-results/api_*'
  loadgate check --gate plain --strict results.jtl")]
    Check(Box<Check>),
    /// Carry a report to GitHub: summary, comment, status, issue
    ///
    /// Takes a report.json that `check` wrote, or results, which are judged first. Exits with the report's exit code.
    Publish(Box<Publish>),
    /// Show what was recognised in files and what is in them
    #[command(after_help = "Examples:
  loadgate inspect results/
  loadgate inspect --format json results/*.csv")]
    Inspect(Inspect),
    /// Make another page of a report: HTML, Markdown, JUnit, CSV
    #[command(after_help = "Examples:
  loadgate report loadgate-report/report.json --format html -o report.html
  loadgate report loadgate-report/report.json --format csv | column -s, -t")]
    Report(RenderReport),
    /// The committed baseline: add to it, show it, compare its runs, accept a new level
    #[command(subcommand)]
    Baseline(BaselineCommand),
    /// Every run over time: add a report to it, list it, keep it short, take it elsewhere
    #[command(subcommand)]
    History(HistoryCommand),
    /// Write the trend pages of a history: an overview and a card per endpoint, for GitHub Pages or any folder
    #[command(after_help = "Example:
  loadgate site _site --history data/history")]
    Site(Site),
    /// Write the artifacts of a load test that nobody had to run
    #[command(after_help = "Example:
  loadgate simulate --seed 1 --degrade 'api_gateway:latency*1.3' -o load-results")]
    Simulate(Simulate),
    /// Run Locust, on this machine or in a container, then `check`
    ///
    /// A plug-in beside your locustfile gives the load its shape and writes down every second. A run that is interrupted or
    /// breaks off keeps what it measured and is never judged as complete.
    #[command(after_help = "Examples:
  loadgate run --host http://127.0.0.1:8000 --scale 0.05
  loadgate run --profile progressive --engine docker --processes 2
  loadgate run --users 20 --duration 5m --no-check -o load-results")]
    Run(Box<Run>),
    /// Add up the shards of one run
    #[command(after_help = "Example:
  loadgate merge --expect 4 shards/*.json -o load-results/merged.run.json")]
    Merge(Merge),
    /// Propose limits from several runs of one build
    #[command(after_help = "Example:
  loadgate calibrate run1/ run2/ run3/ >> .github/loadgate.yml")]
    Calibrate {
        /// The runs: files, folders or globs
        #[arg(value_name = "FILES", required = true)]
        files: Vec<String>,
    },
    /// Write a config and a workflow for the load tests of this repository
    Init(Init),
    /// Look at everything a load-test gate needs, and say what is missing
    Doctor(Doctor),
    /// List the formats that are recognised
    Formats(Formats),
    /// Print the JSON Schema of a file
    Schema {
        /// Which file
        kind: crate::schema::Kind,
    },
    /// Print a completion script for a shell
    #[command(after_help = "Example:
  loadgate completions bash > ~/.local/share/bash-completion/completions/loadgate")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write manual pages into a folder
    Man {
        /// The folder
        folder: PathBuf,
    },
}

/// `loadgate check`
#[derive(Debug, Clone, Args)]
pub struct Check {
    /// Results: files, folders or globs
    #[arg(value_name = "FILES")]
    pub files: Vec<String>,
    /// How to judge and print.
    #[command(flatten)]
    pub judging: Judging,
    /// What to print on stdout
    #[arg(long, value_name = "KIND", env = "LOADGATE_OUTPUT", default_value = "text")]
    pub output: Output,
    /// Carry the result to GitHub as well
    #[arg(long, env = "LOADGATE_PUBLISH", value_parser = FalseyValueParser::new())]
    pub publish: bool,
    /// How to publish.
    #[command(flatten)]
    pub publishing: Publishing,
}

/// `loadgate publish`
#[derive(Debug, Clone, Args)]
pub struct Publish {
    /// A report.json, or results: files, folders or globs
    #[arg(value_name = "REPORT.json | FILES")]
    pub files: Vec<String>,
    /// How to judge results.
    #[command(flatten)]
    pub judging: Judging,
    /// How to publish.
    #[command(flatten)]
    pub publishing: Publishing,
}

/// Options that decide the verdict and where it is written.
#[derive(Debug, Clone, Args)]
pub struct Judging {
    /// Baseline file, or any results to compare with [default: .loadgate/baselines/<suite>.json]
    #[arg(long, value_name = "FILE", env = "LOADGATE_BASELINE")]
    pub baseline: Option<String>,
    /// How rows are decided [default: auto, or as the config says]
    #[arg(long, value_name = "HOW", env = "LOADGATE_GATE")]
    pub gate: Option<Gate>,
    /// Anything that is not a clear pass blocks: the same as --fail-on fail,warn,inconclusive,missing,not_measured
    #[arg(long, env = "LOADGATE_STRICT", value_parser = FalseyValueParser::new())]
    pub strict: bool,
    /// What blocks: fail, warn, inconclusive, missing, not_measured, separated by commas; or never [default: fail]
    #[arg(long, value_name = "LIST", env = "LOADGATE_FAIL_ON")]
    pub fail_on: Option<String>,
    /// No baseline is "can't tell" (exit 3) instead of a first run (exit 0)
    #[arg(long, env = "LOADGATE_REQUIRE_BASELINE", value_parser = FalseyValueParser::new())]
    pub require_baseline: bool,
    /// Where the report files go
    #[arg(long, value_name = "DIR", env = "LOADGATE_REPORT_DIR", default_value = "loadgate-report")]
    pub report_dir: PathBuf,
    /// Where trends come from, if it is there.
    #[command(flatten)]
    pub history: HistoryFolder,
    /// Folder with templates of your own: summary.md.j2, comment.md.j2, issue.md.j2, report.html.j2
    #[arg(long, value_name = "DIR", env = "LOADGATE_TEMPLATE_DIR")]
    pub template_dir: Option<PathBuf>,
}

/// Options that decide what is carried to GitHub.
#[derive(Debug, Clone, Args)]
pub struct Publishing {
    /// Print the plan as JSON instead of carrying it out
    #[arg(long, env = "LOADGATE_DRY_RUN", value_parser = FalseyValueParser::new())]
    pub dry_run: bool,
    /// When to comment on the pull request; a comment that exists is kept true in all but `never`
    #[arg(long, value_name = "WHEN", env = "LOADGATE_COMMENT", default_value = "always")]
    pub comment: CommentWhen,
    /// Tells apart the comments of several jobs on one pull request [default: the suites' names]
    #[arg(long, value_name = "KEY", env = "LOADGATE_COMMENT_KEY")]
    pub comment_key: Option<String>,
    /// Who we are on GitHub: only comments and issues of this author are touched
    #[arg(long, value_name = "LOGIN", env = "LOADGATE_BOT_LOGIN", default_value = "github-actions[bot]")]
    pub bot_login: String,
    /// A named status on the tested commit [default: none; commit-status under workflow_run]
    #[arg(long, value_name = "KIND", env = "LOADGATE_STATUS")]
    pub status: Option<StatusKind>,
    /// Name of that status
    #[arg(long, value_name = "NAME", env = "LOADGATE_STATUS_NAME", default_value = "loadgate")]
    pub status_name: String,
    /// Whether to keep a regression issue; auto: on the default branch for schedule, push and dispatch
    #[arg(long, value_name = "WHEN", env = "LOADGATE_ISSUE", default_value = "auto")]
    pub issue: IssueWhen,
    /// How a good run on the default branch becomes part of the baseline
    #[arg(long, value_name = "HOW", env = "LOADGATE_UPDATE_BASELINE", default_value = "never")]
    pub update_baseline: UpdateBaseline,
    /// Branch that keeps the history of every run [default: none, or as the config says]
    #[arg(long, value_name = "BRANCH", env = "LOADGATE_HISTORY_BRANCH")]
    pub history_branch: Option<String>,
    /// Gets one Slack-compatible JSON post when the state changes
    #[arg(long, value_name = "URL", env = "LOADGATE_WEBHOOK_URL", hide_env_values = true)]
    pub webhook_url: Option<String>,
}

/// What `check` prints on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// A table for people.
    Text,
    /// The report.
    Json,
    /// The job summary.
    Markdown,
    /// The table, and annotations as workflow commands.
    Github,
}

/// `loadgate inspect`
#[derive(Debug, Clone, Args)]
pub struct Inspect {
    /// Results: files, folders or globs
    #[arg(value_name = "FILES")]
    pub files: Vec<String>,
    /// How to print
    #[arg(long, value_name = "KIND", env = "LOADGATE_FORMAT", default_value = "text")]
    pub format: TextOrJson,
}

/// `loadgate report`
#[derive(Debug, Clone, Args)]
pub struct RenderReport {
    /// A report.json that `check` wrote
    #[arg(value_name = "REPORT.json", default_value = "loadgate-report/report.json")]
    pub report: PathBuf,
    /// What to make of it
    #[arg(long, value_name = "KIND", default_value = "markdown", env = "LOADGATE_FORMAT")]
    pub format: Page,
    /// Write it to this file instead of printing it
    #[arg(short, long = "out", value_name = "FILE", env = "LOADGATE_OUT")]
    pub out: Option<PathBuf>,
    /// Where its trends come from.
    #[command(flatten)]
    pub folder: HistoryFolder,
    /// Folder with templates of your own
    #[arg(long, value_name = "DIR", env = "LOADGATE_TEMPLATE_DIR")]
    pub template_dir: Option<PathBuf>,
}

/// What to make of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Page {
    /// One page that needs nothing else.
    Html,
    /// The job summary.
    Markdown,
    /// The report itself.
    Json,
    /// For viewers of test results.
    Junit,
    /// One line per row, raw numbers.
    Csv,
}

/// `loadgate formats`
#[derive(Debug, Clone, Args)]
pub struct Formats {
    /// How to print
    #[arg(long, value_name = "KIND", default_value = "text", env = "LOADGATE_FORMAT")]
    pub format: TextOrJson,
}

/// For people or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TextOrJson {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// `loadgate baseline …`
#[derive(Debug, Subcommand)]
pub enum BaselineCommand {
    /// Append one run, drop the oldest past `keep`
    #[command(after_help = "Example, on the default branch after a good run:
  loadgate baseline add load-results/ && git add .loadgate && git commit -m 'Record baseline run'")]
    Add(NewRun),
    /// Show the runs, how far they differ, and what size of regression the gate can see today
    Show(BaselineShow),
    /// Compare two of its runs
    #[command(after_help = "Examples:
  loadgate baseline diff                     the newest run with the one before
  loadgate baseline diff 20261101 20261108   two runs, named by the beginning of their ids")]
    Diff(BaselineDiff),
    /// Start a baseline from an older file: service -> figures JSON, or any results
    Import(BaselineImport),
    /// Accept the figures of a run as a new level: earlier runs are not compared with any more
    ///
    /// Of results, which are added first; without any, of a run that is there already.
    #[command(after_help = "Examples:
  loadgate baseline accept --endpoint 'POST /checkout' --metric latency_p95 load-results/
  loadgate baseline accept --run 20261108 --endpoint 'POST /checkout'")]
    Accept(BaselineAccept),
    /// Take one run out
    Remove(BaselineRemove),
}

/// Where the baseline is.
#[derive(Debug, Clone, Args)]
pub struct BaselineFile {
    /// Baseline file [default: as the config says, else .loadgate/baselines/<suite>.json]
    #[arg(long, value_name = "FILE", env = "LOADGATE_BASELINE")]
    pub baseline: Option<String>,
}

/// What is known of a run beside its results.
#[derive(Debug, Clone, Args)]
pub struct RunOrigin {
    /// The commit that was tested [default: from GitHub's environment, then git]
    #[arg(long, value_name = "SHA", env = "LOADGATE_COMMIT")]
    pub commit: Option<String>,
    /// The branch or tag that was tested [default: from GitHub's environment, then git]
    #[arg(long = "ref", value_name = "REF", env = "LOADGATE_REF")]
    pub git_ref: Option<String>,
    /// When the load test ran [default: as the results say, else now]
    #[arg(long, value_name = "RFC3339", env = "LOADGATE_TIME")]
    pub time: Option<Timestamp>,
}

/// `loadgate baseline add`, and what `accept` may add
#[derive(Debug, Clone, Args)]
pub struct NewRun {
    /// Results of one run, or of repeats: files, folders or globs
    #[arg(value_name = "FILES")]
    pub files: Vec<String>,
    /// Where it is.
    #[command(flatten)]
    pub file: BaselineFile,
    /// Where the run comes from.
    #[command(flatten)]
    pub origin: RunOrigin,
    /// Print what would change, write nothing
    #[arg(long, env = "LOADGATE_DRY_RUN", value_parser = FalseyValueParser::new())]
    pub dry_run: bool,
}

/// `loadgate baseline show`
#[derive(Debug, Clone, Args)]
pub struct BaselineShow {
    /// Where it is.
    #[command(flatten)]
    pub file: BaselineFile,
    /// How to print
    #[arg(long, value_name = "KIND", default_value = "text", env = "LOADGATE_FORMAT")]
    pub format: TextOrJson,
}

/// `loadgate baseline diff`
#[derive(Debug, Clone, Args)]
pub struct BaselineDiff {
    /// Two runs, older first, named by the beginning of their ids [default: the last two]
    #[arg(value_name = "RUN", num_args = 0..=2)]
    pub runs: Vec<String>,
    /// Where it is.
    #[command(flatten)]
    pub file: BaselineFile,
    /// How to print
    #[arg(long, value_name = "KIND", default_value = "text", env = "LOADGATE_FORMAT")]
    pub format: TextOrJson,
}

/// `loadgate baseline import`
#[derive(Debug, Clone, Args)]
pub struct BaselineImport {
    /// The older file
    #[arg(value_name = "OLD")]
    pub old: String,
    /// Where it goes.
    #[command(flatten)]
    pub file: BaselineFile,
}

/// `loadgate baseline accept`
#[derive(Debug, Clone, Args)]
pub struct BaselineAccept {
    /// The run that starts the new level; without results, one that is there already.
    #[command(flatten)]
    pub new: NewRun,
    /// The run that starts the new level [default: the newest]
    #[arg(long, value_name = "RUN", conflicts_with = "files", env = "LOADGATE_RUN")]
    pub run: Option<String>,
    /// The endpoint, as shown in the report; `*` is every one
    #[arg(long, value_name = "ENDPOINT", env = "LOADGATE_ENDPOINT")]
    pub endpoint: String,
    /// The metric; may be repeated [default: every metric]
    #[arg(long, value_name = "METRIC", env = "LOADGATE_METRIC")]
    pub metric: Vec<crate::run::metric::Metric>,
    /// Why, for the commit message
    #[arg(long, value_name = "TEXT", env = "LOADGATE_REASON")]
    pub reason: Option<String>,
}

/// `loadgate baseline remove`
#[derive(Debug, Clone, Args)]
pub struct BaselineRemove {
    /// The run, named by the beginning of its id
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Where it is.
    #[command(flatten)]
    pub file: BaselineFile,
    /// Print what would change, write nothing
    #[arg(long, env = "LOADGATE_DRY_RUN", value_parser = FalseyValueParser::new())]
    pub dry_run: bool,
}

/// `loadgate init`
#[derive(Debug, Clone, Args)]
pub struct Init {
    /// Write for this tool, whether or not a load test of it is found
    #[arg(long, value_name = "TOOL", env = "LOADGATE_TOOL")]
    pub tool: Option<InitTool>,
    /// Print what would be written, write nothing
    #[arg(long, env = "LOADGATE_DRY_RUN", value_parser = FalseyValueParser::new())]
    pub dry_run: bool,
}

/// A tool that `init` can write a workflow for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum InitTool {
    /// Locust, in Python.
    Locust,
    /// k6, in JavaScript.
    K6,
    /// Apache JMeter.
    Jmeter,
    /// Artillery.
    Artillery,
    /// Gatling.
    Gatling,
}

/// `loadgate doctor`
#[derive(Debug, Clone, Args)]
pub struct Doctor {
    /// How to print
    #[arg(long, value_name = "KIND", default_value = "text", env = "LOADGATE_FORMAT")]
    pub format: TextOrJson,
    /// Print every setting with where its value comes from instead
    #[arg(long, env = "LOADGATE_SHOW_CONFIG", value_parser = FalseyValueParser::new())]
    pub show_config: bool,
}

/// `loadgate history …`
#[derive(Debug, Subcommand)]
pub enum HistoryCommand {
    /// Add the suites of a report, each as one line
    #[command(after_help = "Example:
  loadgate check load-results/ && loadgate history add loadgate-report/report.json")]
    Add(HistoryAdd),
    /// Show the runs, and where some are missing
    List(HistoryList),
    /// Drop the oldest runs
    Prune(HistoryPrune),
    /// Print every figure as CSV
    Export(HistoryExport),
}

/// Where the history is.
#[derive(Debug, Clone, Args)]
pub struct HistoryFolder {
    /// Folder with a file <suite>.jsonl for each suite, or one such file
    #[arg(long, value_name = "DIR", env = "LOADGATE_HISTORY", default_value = ".loadgate/history")]
    pub history: PathBuf,
}

/// `loadgate history add`
#[derive(Debug, Clone, Args)]
pub struct HistoryAdd {
    /// A report that `check` wrote
    #[arg(value_name = "REPORT.json", default_value = "loadgate-report/report.json")]
    pub report: PathBuf,
    /// Where it is.
    #[command(flatten)]
    pub folder: HistoryFolder,
    /// The commit that was tested [default: as the report says, then from GitHub's environment, then git]
    #[arg(long, value_name = "SHA", env = "LOADGATE_COMMIT")]
    pub commit: Option<String>,
    /// The branch or tag that was tested [default: likewise]
    #[arg(long = "ref", value_name = "REF", env = "LOADGATE_REF")]
    pub git_ref: Option<String>,
    /// When the load test ran [default: as the results say]
    #[arg(long, value_name = "RFC3339", env = "LOADGATE_TIME")]
    pub time: Option<Timestamp>,
    /// GitHub's number of the workflow run, which counts once [default: from GitHub's environment]
    #[arg(long, value_name = "N", env = "LOADGATE_WORKFLOW_RUN_ID")]
    pub workflow_run_id: Option<u64>,
    /// Runs kept per suite [default: 400, or as the config says]
    #[arg(long, value_name = "N", env = "LOADGATE_KEEP")]
    pub keep: Option<usize>,
}

/// `loadgate history list`
#[derive(Debug, Clone, Args)]
pub struct HistoryList {
    /// Where it is.
    #[command(flatten)]
    pub folder: HistoryFolder,
    /// How to print
    #[arg(long, value_name = "KIND", default_value = "text", env = "LOADGATE_FORMAT")]
    pub format: TextOrJson,
}

/// `loadgate history prune`
#[derive(Debug, Clone, Args)]
pub struct HistoryPrune {
    /// Where it is.
    #[command(flatten)]
    pub folder: HistoryFolder,
    /// Runs kept per suite [default: 400, or as the config says]
    #[arg(long, value_name = "N", env = "LOADGATE_KEEP")]
    pub keep: Option<usize>,
}

/// `loadgate history export`
#[derive(Debug, Clone, Args)]
pub struct HistoryExport {
    /// Where it is.
    #[command(flatten)]
    pub folder: HistoryFolder,
}

/// `loadgate site`
#[derive(Debug, Clone, Args)]
pub struct Site {
    /// Folder for the pages
    #[arg(value_name = "OUT_DIR")]
    pub out: PathBuf,
    /// Where it is.
    #[command(flatten)]
    pub folder: HistoryFolder,
    /// The repository's page, for links to commits [default: from GitHub's environment]
    #[arg(long, value_name = "URL", env = "LOADGATE_REPOSITORY")]
    pub repository: Option<String>,
    /// Folder with templates of your own: site.html.j2, card.html.j2
    #[arg(long, value_name = "DIR", env = "LOADGATE_TEMPLATE_DIR")]
    pub template_dir: Option<PathBuf>,
}

/// `loadgate simulate`
#[derive(Debug, Clone, Args)]
pub struct Simulate {
    /// The same seed gives the same bytes on every machine
    #[arg(long, value_name = "N", env = "LOADGATE_SEED")]
    pub seed: u64,
    /// Folder for the files
    #[arg(short, long = "out", value_name = "DIR", env = "LOADGATE_OUT")]
    pub out: PathBuf,
    /// Length and users of this profile; rates follow the users
    #[arg(long, value_name = "NAME", conflicts_with_all = ["seconds", "users"], env = "LOADGATE_PROFILE")]
    pub profile: Option<String>,
    /// Multiplies the profile's times
    #[arg(long, value_name = "FACTOR", default_value = "1", env = "LOADGATE_SCALE")]
    pub scale: Positive,
    /// Seconds of load
    #[arg(long, value_name = "SECONDS", default_value_t = 120, env = "LOADGATE_SECONDS")]
    pub seconds: u32,
    /// Concurrent users to write into the files
    #[arg(long, value_name = "N", default_value_t = 1, env = "LOADGATE_USERS")]
    pub users: u32,
    /// Stop after this many requests instead of after --seconds
    #[arg(long, value_name = "N", conflicts_with = "bytes", env = "LOADGATE_REQUESTS")]
    pub requests: Option<u64>,
    /// Stop when the k6 points or the JTL are so large: "500MB", "10GB"
    #[arg(long, value_name = "SIZE", env = "LOADGATE_BYTES")]
    pub bytes: Option<String>,
    /// An endpoint, instead of api_gateway, rag_service and mcp_server:
    /// "POST /checkout:rate=20,median=120ms,sigma=0.5,slow=2%,errors=0.3%,bytes=2048"; may be repeated
    #[arg(long, value_name = "NAME:SETTINGS", env = "LOADGATE_SERVICE")]
    pub service: Vec<String>,
    /// How far the speed of a service differs from run to run
    #[arg(long, value_name = "SHARE", default_value = "3%", env = "LOADGATE_NOISE")]
    pub noise: Share,
    /// Seconds at the start in which everything is slower
    #[arg(long, value_name = "SECONDS", default_value_t = 10, env = "LOADGATE_WARM_UP")]
    pub warm_up: u32,
    /// Share of time in which errors are ten times as frequent
    #[arg(long, value_name = "SHARE", default_value = "2%", env = "LOADGATE_BURSTS")]
    pub bursts: Share,
    /// Make an endpoint worse: "api_gateway:latency*1.3,error+1pp"; may be repeated
    #[arg(long, value_name = "ENDPOINT:CHANGES", env = "LOADGATE_DEGRADE")]
    pub degrade: Vec<String>,
    /// Write one part of the run: 2/4 is the second of four, and all four merged are the run
    #[arg(long, value_name = "I/N", conflicts_with = "bytes", env = "LOADGATE_SHARD")]
    pub shard: Option<String>,
    /// Write k6 NDJSON as well
    #[arg(long, env = "LOADGATE_K6", value_parser = FalseyValueParser::new())]
    pub k6: bool,
    /// Write a JMeter JTL as well
    #[arg(long, env = "LOADGATE_JTL", value_parser = FalseyValueParser::new())]
    pub jtl: bool,
    /// Write the run in loadgate's own format as well, as `merge` takes it
    #[arg(long, env = "LOADGATE_RUN_FILE", value_parser = FalseyValueParser::new())]
    pub run_file: bool,
}

/// A number above zero.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Positive(pub f64);

impl std::str::FromStr for Positive {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
        number.map(Self).ok_or("expected a number above 0, such as 0.05")
    }
}

/// A share of a whole, written in percent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share(pub f64);

impl std::str::FromStr for Share {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_suffix('%').and_then(|number| number.trim().parse().ok());
        let share = number.map(|number: f64| number / 100.0).filter(|share| (0.0..=1.0).contains(share));
        share.map(Self).ok_or("expected a share of at most 100 %, such as 3%")
    }
}

/// `loadgate merge`
#[derive(Debug, Clone, Args)]
pub struct Merge {
    /// Shards of one run: run files or artifacts; files, folders or globs
    #[arg(value_name = "FILES", required = true)]
    pub files: Vec<String>,
    /// Where the merged run goes
    #[arg(short, long = "output", value_name = "RUN.json")]
    pub output: PathBuf,
    /// How many shards there should be; missing ones are named, and the run is no longer complete
    #[arg(long, value_name = "N", env = "LOADGATE_EXPECT")]
    pub expect: Option<u32>,
}

/// `loadgate run`
#[derive(Debug, Clone, Args)]
pub struct Run {
    /// Load profile: baseline, progressive, or one of the config [default: the suite's, else baseline]
    #[arg(long, value_name = "NAME", env = "LOADGATE_PROFILE")]
    pub profile: Option<String>,
    /// Multiplies the profile's times: 0.05 for a try-out
    #[arg(long, value_name = "FACTOR", env = "LOADGATE_SCALE", default_value = "1")]
    pub scale: Positive,
    /// Folder for the results
    #[arg(short, long = "out", value_name = "DIR", env = "LOADGATE_OUT", default_value = "load-results")]
    pub out: PathBuf,
    /// The load test; may be repeated [default: locustfile.py]
    #[arg(short = 'f', long, value_name = "FILE", env = "LOADGATE_LOCUSTFILE")]
    pub locustfile: Vec<PathBuf>,
    /// What to test, if the locustfile does not say: https://staging.example.com
    #[arg(long, value_name = "URL", env = "LOADGATE_HOST")]
    pub host: Option<String>,
    /// Run only tasks with one of these tags
    #[arg(long, value_name = "TAG", env = "LOADGATE_TAGS", value_delimiter = ',')]
    pub tags: Vec<String>,
    /// Concurrent users, instead of a profile
    #[arg(long, value_name = "N", env = "LOADGATE_USERS", value_parser = clap::value_parser!(u32).range(1..))]
    pub users: Option<u32>,
    /// Users started per second [default: all at once]
    #[arg(long, value_name = "N", env = "LOADGATE_SPAWN_RATE")]
    pub spawn_rate: Option<Positive>,
    /// How long, with --users: 90s, 15m
    #[arg(long, value_name = "TIME", env = "LOADGATE_DURATION")]
    pub duration: Option<jiff::SignedDuration>,
    /// Where Locust runs
    #[arg(long, value_name = "WHERE", env = "LOADGATE_ENGINE", default_value = "host")]
    pub engine: EngineKind,
    /// Container image with Locust, pinned by version or digest
    #[arg(long, value_name = "IMAGE", env = "LOADGATE_IMAGE", default_value = crate::locust::command::IMAGE)]
    pub image: String,
    /// Environment variable that the load test in the container may see; may be repeated
    #[arg(long, value_name = "NAME", env = "LOADGATE_ENV", value_delimiter = ',')]
    pub env: Vec<String>,
    /// Processes on this machine, as Locust's workers; -1: one per core
    #[arg(long, value_name = "N", env = "LOADGATE_PROCESSES", allow_hyphen_values = true, conflicts_with = "workers")]
    pub processes: Option<i32>,
    /// Be the master of so many Locust workers that are started elsewhere
    #[arg(long, value_name = "N", env = "LOADGATE_WORKERS", value_parser = clap::value_parser!(u32).range(1..))]
    pub workers: Option<u32>,
    /// Run one part of the load: 2/4 is the second of four jobs, each with a quarter of the users; needs --no-check
    #[arg(long, value_name = "I/N", env = "LOADGATE_SHARD", requires = "no_check")]
    pub shard: Option<String>,
    /// Wait until then before the start, so that shards load together
    #[arg(long, value_name = "RFC3339", env = "LOADGATE_START_AT")]
    pub start_at: Option<Timestamp>,
    /// Only run; do not judge
    #[arg(long, env = "LOADGATE_NO_CHECK", value_parser = FalseyValueParser::new())]
    pub no_check: bool,
    /// How to judge.
    #[command(flatten)]
    pub judging: Judging,
    /// What to print on stdout
    #[arg(long, value_name = "KIND", env = "LOADGATE_OUTPUT", default_value = "text")]
    pub output: Output,
    /// Carry the result to GitHub as well
    #[arg(long, env = "LOADGATE_PUBLISH", value_parser = FalseyValueParser::new())]
    pub publish: bool,
    /// How to publish.
    #[command(flatten)]
    pub publishing: Publishing,
}

/// Where Locust runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EngineKind {
    /// On this machine.
    Host,
    /// In a container.
    Docker,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn every_option_has_its_variable() {
        fn look(command: &clap::Command, found: &mut Vec<String>) {
            for option in command.get_arguments().filter(|option| option.get_long().is_some()) {
                let name = option.get_long().unwrap_or_default();
                let own = ["help", "version", "output"].contains(&name);
                let wanted = format!("LOADGATE_{}", name.to_uppercase().replace('-', "_"));
                if !own && option.get_env().is_none_or(|variable| variable.to_string_lossy() != wanted) {
                    found.push(format!("{} --{name}", command.get_name()));
                }
            }
            command.get_subcommands().for_each(|command| look(command, found));
        }
        let mut without = Vec::new();
        look(&Cli::command(), &mut without);
        assert_eq!(without, Vec::<String>::new());
    }
}
