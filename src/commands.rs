//! The commands beside `check`: each takes its arguments and gives what is to be printed.

pub mod calibrate;
pub mod doctor;
pub mod init;
pub mod man;
pub mod schema;
pub mod simulate;

/// What a command leaves for `main` to do.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// The result, for stdout.
    pub stdout: String,
    /// What the process exits with.
    pub exit_code: u8,
}

impl Done {
    /// A command that did its work.
    pub fn printed(stdout: String) -> Self {
        Self { stdout, exit_code: 0 }
    }
}

/// Pretty JSON with a final line end.
pub(crate) fn json(value: &impl serde::Serialize) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}
