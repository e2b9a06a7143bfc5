//! A process group of its own, the signals to end it, and the signals that tell us to. [I/O]

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Child as Handle, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::command::{self, Command};

/// Ever harder ways to end a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signal {
    /// End your users and write your files.
    Interrupt,
    /// End.
    Terminate,
    /// Are ended.
    Kill,
}

/// Locust, or the client of its container, with everything it starts.
#[derive(Debug)]
pub struct Child {
    handle: Handle,
    kill: Option<(String, String)>,
}

impl Child {
    /// Starts it; what it prints goes into the file `console`.
    pub fn start(command: &Command, console: &Path) -> io::Result<Self> {
        let out = File::create(console)?;
        let mut process = command::process(command);
        // Its input ends when we do, however we end: the plug-in then ends Locust.
        process.stdin(Stdio::piped()).stdout(out.try_clone()?).stderr(out);
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut process, 0);
        Ok(Self { handle: process.spawn()?, kill: command.kill.clone() })
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.handle.try_wait(), Ok(Some(_)) | Err(_))
    }

    /// Ends it: asks, then insists after the first grace, then kills after the second, or as soon as `hurry` says so.
    pub fn stop(&mut self, grace: [Duration; 2], glance: Duration, hurry: impl Fn() -> bool) {
        for (signal, patience) in [Signal::Interrupt, Signal::Terminate].into_iter().zip(grace) {
            self.send(signal);
            let asked = Instant::now();
            while asked.elapsed() < patience && !hurry() {
                if self.has_ended() {
                    return;
                }
                std::thread::sleep(glance);
            }
        }
        self.send(Signal::Kill);
    }

    /// Waits for its end and leaves nothing of its group behind.
    pub fn finish(&mut self) -> Option<ExitStatus> {
        let status = self.handle.wait().ok();
        // Workers whose master was killed; usually the group is empty.
        self.send_to_group(Signal::Kill);
        status
    }

    fn send(&self, signal: Signal) {
        let Some((docker, name)) = &self.kill else { return self.send_to_group(signal) };
        let word = match signal {
            Signal::Interrupt => "INT",
            Signal::Terminate => "TERM",
            Signal::Kill => "KILL",
        };
        let mut process = std::process::Command::new(docker);
        let quiet = process.args(["kill", "--signal", word, name]);
        let sent = quiet.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        // No such container: its image is still on the way, and only the client is there.
        if signal == Signal::Kill || !sent.is_ok_and(|status| status.success()) {
            self.send_to_group(signal);
        }
    }

    #[cfg(unix)]
    fn send_to_group(&self, signal: Signal) {
        let signal = match signal {
            Signal::Interrupt => rustix::process::Signal::INT,
            Signal::Terminate => rustix::process::Signal::TERM,
            Signal::Kill => rustix::process::Signal::KILL,
        };
        let group = i32::try_from(self.handle.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(group) = group {
            // No such group: everything has ended, which is what we want.
            let _ = rustix::process::kill_process_group(group, signal);
        }
    }

    #[cfg(not(unix))]
    fn send_to_group(&self, _: Signal) {
        let mut killer = std::process::Command::new("taskkill");
        let _ = killer.args(["/T", "/F", "/PID", &self.handle.id().to_string()]).stdout(Stdio::null()).status();
    }
}

/// Ctrl-C, and what GitHub sends when a job is cancelled.
#[derive(Debug)]
pub struct Signals(Arc<AtomicUsize>);

impl Signals {
    /// From now on they are counted and no longer end us.
    pub fn listen() -> io::Result<Self> {
        let count = Arc::new(AtomicUsize::new(0));
        #[cfg(unix)]
        {
            use signal_hook::consts::{SIGINT, SIGTERM};
            let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
            let counter = Arc::clone(&count);
            std::thread::spawn(move || {
                for _ in signals.forever() {
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        Ok(Self(count))
    }

    /// How many have come.
    pub fn arrived(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}
