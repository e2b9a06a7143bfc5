//! loadgate, the program: gathers arguments and environment, runs, prints, chooses the exit code. [I/O]

use std::collections::BTreeMap;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Variables that are no text cannot be ours.
    let vars: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let typed: Vec<std::ffi::OsString> = std::env::args_os().skip(1).collect();
    ExitCode::from(loadgate::commands::start(typed, &vars))
}
