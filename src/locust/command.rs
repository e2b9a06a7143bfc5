//! The command line of Locust, and of the container around it. [I/O]

use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};

use super::{Order, STOP_TIMEOUT_S};

/// The image of the container engine: by its version, and in a release by the digest that the version had then.
/// `docker/Dockerfile.locust` makes one from python:3.12-slim.
pub const IMAGE: &str = match option_env!("LOCUST_IMAGE") {
    Some(image) if !image.is_empty() => image,
    _ => "docker.io/locustio/locust:2.47.0",
};
/// The Locust that all this was tried with.
pub const TESTED: &str = "2.47.0";
/// Seconds that a master waits for its workers.
const WORKERS_WAIT_S: u32 = 120;
/// Carries the course to the plug-in.
const PLAN: &str = "LOADGATE_LOCUST_PLAN";
/// Carries the folder of its files.
const OUT: &str = "LOADGATE_LOCUST_OUT";
/// Where a container has the locustfiles, the plug-in and the results.
const MOUNTS: [&str; 3] = ["/mnt/locust", "/mnt/loadgate", "/mnt/out"];
/// Containers that write into a folder: one that outlived its loadgate is removed before the next one starts there.
const LABEL: &str = "dev.loadgate.out";
/// Our own settings and the action's inputs, tokens among them, are nothing to a load test.
const KEPT_BACK: [&str; 2] = ["LOADGATE_", "INPUT_"];

/// Where Locust runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Engine {
    /// A program on this machine, with the arguments that make it Locust: `python3 -m locust`.
    Host {
        /// Program and first arguments.
        locust: Vec<String>,
    },
    /// A container.
    Docker {
        /// `docker`, or what behaves like it.
        docker: String,
        /// The image, pinned by version or digest.
        image: String,
        /// Names of the environment variables that the load test may see.
        env: Vec<String>,
        /// The container's name; ends with our process's number.
        name: String,
    },
}

impl Engine {
    /// `host` or `docker`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Host { .. } => "host",
            Self::Docker { .. } => "docker",
        }
    }
}

/// A process to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Program and arguments.
    pub words: Vec<String>,
    /// Where to start it.
    pub folder: PathBuf,
    /// Variables to set.
    pub set: Vec<(String, String)>,
    /// Stops a container; Locust on the host gets signals itself.
    pub kill: Option<(String, String)>,
}

/// The command for `order`, the plug-in being in the folder `plugin`.
pub fn command(order: &Order, plugin: &Path) -> Command {
    let plan = serde_json::to_string(&order.course).unwrap_or_default();
    match &order.engine {
        Engine::Host { locust } => {
            let files = order.locustfiles.iter().map(PathBuf::as_path);
            let words = locust.iter().cloned().chain(locust_words(order, files, plugin, &order.out)).collect();
            let out = order.out.display().to_string();
            let set = vec![(PLAN.to_owned(), plan), (OUT.to_owned(), out)];
            Command { words, folder: order.folder.clone(), set, kill: None }
        }
        Engine::Docker { docker, image, env, name } => {
            let [files_at, plugin_at, out_at] = MOUNTS;
            let folder = mounted(order);
            let inside: Vec<PathBuf> = order
                .locustfiles
                .iter()
                .map(|file| Path::new(files_at).join(file.strip_prefix(&folder).unwrap_or(file)))
                .collect();
            let mut words: Vec<String> = [
                docker.as_str(),
                "run",
                "--rm",
                "--init",
                "--interactive",
                "--name",
                name,
                "--stop-signal",
                "SIGINT",
                "--sig-proxy=false",
            ]
            .map(str::to_owned)
            .to_vec();
            words.extend(user());
            if cfg!(target_os = "linux") {
                words.extend(["--network", "host"].map(str::to_owned));
            }
            words.extend(["--label".to_owned(), label(order)]);
            for (from, to, mode) in
                [(folder.as_path(), files_at, ":ro"), (plugin, plugin_at, ":ro"), (&order.out, out_at, "")]
            {
                words.extend(["--volume".to_owned(), format!("{}:{to}{mode}", from.display())]);
            }
            let fixed = [("HOME", "/tmp"), ("PYTHONDONTWRITEBYTECODE", "1"), (OUT, out_at), (PLAN, &plan)];
            words.extend(fixed.iter().flat_map(|(key, value)| ["--env".to_owned(), format!("{key}={value}")]));
            // By name alone, so that a secret does not stand on a command line.
            words.extend(env.iter().flat_map(|name| ["--env".to_owned(), name.clone()]));
            words.extend(["--workdir", files_at, "--entrypoint", "locust", image.as_str()].map(str::to_owned));
            let files = inside.iter().map(PathBuf::as_path);
            words.extend(locust_words(order, files, Path::new(plugin_at), Path::new(out_at)));
            let kill = Some((docker.clone(), name.clone()));
            Command { words, folder: order.folder.clone(), set: Vec::new(), kill }
        }
    }
}

/// Locust's own arguments. Only flags: not every one of them has a variable (UX 5.1).
fn locust_words<'a>(order: &Order, files: impl Iterator<Item = &'a Path>, plugin: &Path, out: &Path) -> Vec<String> {
    let prefix = out.join(&order.course.prefix).display().to_string();
    let plugin = plugin.join("loadgate_plugin.py");
    let mut files: Vec<String> = files.map(|file| file.display().to_string()).collect();
    files.push(plugin.display().to_string());
    let mut words = vec!["-f".to_owned(), files.join(",")];
    if let Some(host) = &order.host {
        words.extend(["--host".to_owned(), host.clone()]);
    }
    if !order.tags.is_empty() {
        words.push("--tags".to_owned());
        words.extend(order.tags.iter().cloned());
    }
    if let Some(processes) = order.processes {
        words.push(format!("--processes={processes}"));
    }
    if let Some(workers) = order.workers {
        words.extend(["--master".to_owned(), "--expect-workers".to_owned(), workers.to_string()]);
        words.extend(["--expect-workers-max-wait".to_owned(), WORKERS_WAIT_S.to_string()]);
    }
    words
        .extend(["--headless", "--only-summary", "--csv-full-history", "--exit-code-on-error", "0"].map(str::to_owned));
    words.extend(["--stop-timeout".to_owned(), STOP_TIMEOUT_S.to_string()]);
    words.extend(["--csv".to_owned(), prefix.clone(), "--json-file".to_owned(), prefix.clone()]);
    words.extend(["--html".to_owned(), format!("{prefix}.html"), "--logfile".to_owned(), format!("{prefix}.log")]);
    words
}

/// The folder that a container sees: the working directory, so that imports and data files are found as on the host, or
/// the locustfile's own if it lies elsewhere.
fn mounted(order: &Order) -> PathBuf {
    if order.locustfiles.iter().all(|file| file.starts_with(&order.folder)) {
        return order.folder.clone();
    }
    order.locustfiles.first().and_then(|file| file.parent()).unwrap_or(&order.folder).to_owned()
}

fn label(order: &Order) -> String {
    format!("{LABEL}={}", order.out.display())
}

/// Who starts us shall own the results.
#[cfg(unix)]
fn user() -> Vec<String> {
    let (user, group) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    vec!["--user".to_owned(), format!("{user}:{group}")]
}

#[cfg(not(unix))]
fn user() -> Vec<String> {
    Vec::new()
}

/// The process, ready to be started.
pub(super) fn process(command: &Command) -> Process {
    let mut words = command.words.iter();
    let mut process = Process::new(words.next().map_or("", String::as_str));
    process.args(words).current_dir(&command.folder);
    for (name, _) in std::env::vars_os() {
        if KEPT_BACK.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            process.env_remove(&name);
        }
    }
    process.envs(command.set.iter().map(|(name, value)| (name, value)));
    process
}

/// Removes containers that write into the same folder and whose loadgate was killed. One of a loadgate that is still there,
/// of another suite perhaps, is left alone.
pub(super) fn clear_leftovers(order: &Order) {
    let Engine::Docker { docker, .. } = &order.engine else { return };
    let filter = format!("label={}", label(order));
    let mut process = Process::new(docker);
    let list = process.args(["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"]).stdin(Stdio::null());
    let Ok(found) = list.output() else { return };
    for name in String::from_utf8_lossy(&found.stdout).split_whitespace().filter(|name| !has_owner(name)) {
        remove(docker, name);
    }
}

/// Whether the loadgate that gave a container its name is still there.
#[cfg(unix)]
fn has_owner(name: &str) -> bool {
    let owner = name.rsplit('-').next().and_then(|number| number.parse().ok()).and_then(rustix::process::Pid::from_raw);
    let asked = owner.map(rustix::process::test_kill_process);
    // Not allowed to ask: there is somebody.
    asked.is_some_and(|answer| answer.is_ok() || answer == Err(rustix::io::Errno::PERM))
}

#[cfg(not(unix))]
fn has_owner(_: &str) -> bool {
    false
}

/// Removes our own container if it is still there; `--rm` has usually done it.
pub(super) fn remove_container(order: &Order) {
    if let Engine::Docker { docker, name, .. } = &order.engine {
        remove(docker, name);
    }
}

fn remove(docker: &str, container: &str) {
    let _ = Process::new(docker)
        .args(["rm", "--force", container])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

/// Locust on this machine: `locust`, a Python that has it, or uv, which fetches it.
pub fn find_locust() -> Option<Vec<String>> {
    let path = std::env::var_os("PATH")?;
    let there = |name: &str| std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    if there("locust") {
        return Some(vec!["locust".to_owned()]);
    }
    let has_locust = |python: &&str| {
        let mut process = Process::new(python);
        let quiet =
            process.args(["-c", "import locust"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().is_ok_and(|status| status.success())
    };
    if let Some(python) = ["python3", "python"].into_iter().filter(|name| there(name)).find(has_locust) {
        return Some([python, "-m", "locust"].map(str::to_owned).to_vec());
    }
    there("uvx").then(|| vec!["uvx".to_owned(), format!("locust=={TESTED}")])
}
