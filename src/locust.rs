//! Runs Locust, on the host or in a container, and keeps what it measures. [I/O]
//!
//! Locust makes the load and spreads it; a plug-in of ours ([`crate::format::Course`] tells it what to do) writes down every
//! second. Locust's exit code proves nothing (UX 5.1), so how a run ended is read from the plug-in's files and the clock.
//! Judging is not done here.

pub mod command;
pub mod course;
pub mod ending;
pub mod execution;
pub mod process;
pub mod progress;
pub mod tail;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use self::command::Engine;
use self::ending::{Ending, Failure};
use self::execution::Execution;
use self::process::{Child, Signals};
use self::progress::{Progress, Show};
use crate::config::Abort;
use crate::files;
use crate::format::Course;

/// The plug-in that is loaded beside the user's locustfile.
const PLUGIN: &str = include_str!("locust/plugin.py");
/// Seconds that Locust gives its users to end their tasks.
pub const STOP_TIMEOUT_S: u32 = 10;
/// After its planned end and the stop time-out, Locust has this long to write its files.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often we look at files and signals.
const GLANCE: Duration = Duration::from_millis(200);
/// Our own stop: time for Locust to end its users, then to obey the harder signal.
const OWN_GRACE: [Duration; 2] = [Duration::from_secs(STOP_TIMEOUT_S as u64 + 10), Duration::from_secs(5)];
/// GitHub kills a cancelled job some ten seconds after it asked.
const CANCELLED_GRACE: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(2)];

/// Everything that decides one run of Locust.
#[derive(Debug, Clone)]
pub struct Order {
    /// The suite, for the names of files.
    pub suite: String,
    /// The load, with the prefix of the files' names.
    pub course: Course,
    /// Where Locust starts, and what a container sees of this machine; absolute.
    pub folder: PathBuf,
    /// Where files go; absolute.
    pub out: PathBuf,
    /// Host or container.
    pub engine: Engine,
    /// The user's locustfiles; absolute.
    pub locustfiles: Vec<PathBuf>,
    /// The system under test, unless the locustfile says.
    pub host: Option<String>,
    /// Only tasks with these tags.
    pub tags: Vec<String>,
    /// Spread over so many processes (-1: one per core).
    pub processes: Option<i32>,
    /// Be master of so many workers that are started elsewhere.
    pub workers: Option<u32>,
    /// What ends it early.
    pub abort_on: Option<Abort>,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// Every file it left, by name.
    pub files: Vec<String>,
}

/// Runs it to its end, one way or another. `Err` is for what keeps Locust from starting at all; whatever was measured is
/// in the folder in any case.
pub fn run(order: &Order, show: Show) -> Result<Outcome, Failure> {
    let io = |what: &str, path: &Path| {
        let text = format!("cannot {what} {}", path.display());
        move |source: io::Error| Failure::Io { what: text, source }
    };
    files::create_folder(&order.out).map_err(io("create", &order.out))?;
    let temporary =
        tempfile::Builder::new().prefix("loadgate-").tempdir().map_err(io("write to", Path::new("/tmp")))?;
    let plugin = temporary.path().join("loadgate_plugin.py");
    std::fs::write(&plugin, PLUGIN).map_err(io("write", &plugin))?;
    make_readable(temporary.path()).map_err(io("share", temporary.path()))?;

    let signals = Signals::listen().map_err(io("listen to signals for", &order.out))?;
    let command = command::command(order, temporary.path());
    let console = order.out.join(format!("{}_console.txt", order.course.prefix));
    command::clear_leftovers(order);
    let began = Instant::now();
    let mut execution = Execution::begin(order, &command);
    let mut child = Child::start(&command, &console).map_err(|source| Failure::not_started(order, source))?;
    let mut progress = Progress::new(order.course.clone(), show);
    let mut tail = tail::Tail::new(&order.out, &order.course.prefix);
    let why = watch(order, &mut child, &signals, &mut progress, &mut tail, began);
    let exit = child.finish();
    command::remove_container(order);
    for line in tail.read() {
        progress.take(line);
    }
    progress.close();
    if let Some(why) = &why {
        tail.say_why(&why.to_string());
    }
    let ending = ending::tell(order, &progress, why, exit, &console);
    let files = execution.end(&ending, exit, &progress);
    files::write(&order.out.join("execution.json"), &execution.json()).map_err(io("write", &order.out))?;
    Ok(Outcome { ending, files })
}

/// Why we stopped Locust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// Somebody asked us to.
    Interrupted,
    /// The profile's `abort_on`.
    Aborted(String),
    /// It went on and on.
    Overdue,
}

impl std::fmt::Display for Stopped {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Interrupted => out.write_str("interrupted"),
            Self::Aborted(why) => write!(out, "aborted: {why}"),
            Self::Overdue => out.write_str("Locust did not end at its planned end and was stopped"),
        }
    }
}

/// Looks on until Locust has ended; stops it where needed.
fn watch(
    order: &Order,
    child: &mut Child,
    signals: &Signals,
    progress: &mut Progress,
    tail: &mut tail::Tail,
    began: Instant,
) -> Option<Stopped> {
    let planned = Duration::from_secs(u64::from(order.course.seconds() + STOP_TIMEOUT_S)) + PATIENCE;
    loop {
        if child.has_ended() {
            return None;
        }
        for line in tail.read() {
            progress.take(line);
        }
        progress.show(began.elapsed());
        let aborted = order.abort_on.as_ref().and_then(|abort| progress.broken(abort));
        // Waiting for workers and for Locust to start does not count: the plan begins with the first user.
        let since = progress.started().map_or(Duration::ZERO, |started| started.elapsed());
        let waiting = if progress.started().is_none() { began.elapsed() } else { since };
        let why = if signals.arrived() > 0 {
            Stopped::Interrupted
        } else if let Some(why) = aborted {
            Stopped::Aborted(why)
        } else if waiting > planned {
            Stopped::Overdue
        } else {
            std::thread::sleep(GLANCE);
            continue;
        };
        let grace = if why == Stopped::Interrupted { CANCELLED_GRACE } else { OWN_GRACE };
        child.stop(grace, GLANCE, || signals.arrived() > 1);
        return Some(why);
    }
}

/// The container's user is another one.
#[cfg(unix)]
fn make_readable(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
fn make_readable(_: &Path) -> io::Result<()> {
    Ok(())
}
