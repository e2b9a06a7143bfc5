//! The JSON Schemas of the files we read and write, made from the types that read and write them.

use schemars::Schema;
use serde_json::{Value, json};

use crate::baseline::store;
use crate::config;
use crate::report::{self, Report};
use crate::run::Run;

/// A file that has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// The config file.
    Config,
    /// A run: `inspect --format json`, `merge`, `runs/*.run.json`.
    Run,
    /// The committed baseline.
    Baseline,
    /// The report: `report.json`.
    Report,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Config, Self::Run, Self::Baseline, Self::Report];

    /// Its name: of the file in `schemas/`, and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Run => "run",
            Self::Baseline => "baseline",
            Self::Report => "report",
        }
    }

    /// Its schema as committed in `schemas/`: printed as it stands, so that the program need not know how to make it.
    pub fn committed(self) -> &'static str {
        match self {
            Self::Config => include_str!("../schemas/config.json"),
            Self::Run => include_str!("../schemas/run.json"),
            Self::Baseline => include_str!("../schemas/baseline.json"),
            Self::Report => include_str!("../schemas/report.json"),
        }
    }

    /// Its schema, draft 2020-12, from the types; `tests/it/schema.rs` holds the committed one against it.
    pub fn schema(self) -> Value {
        plainly(match self {
            Self::Config => config::schema(),
            Self::Run => versioned(schemars::schema_for!(Run), "loadgate.run/1"),
            Self::Baseline => versioned(store::schema(), store::SCHEMA),
            Self::Report => versioned(schemars::schema_for!(Report), report::SCHEMA),
        })
    }
}

/// A schema made from our types, as JSON, its descriptions as prose.
pub fn plainly(mut schema: Schema) -> Value {
    plain(&mut schema);
    schema.to_value()
}

/// The key that says what a file of ours is; the types know it only where they are written.
fn versioned(mut schema: Schema, name: &str) -> Schema {
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.insert("schema".to_owned(), json!({ "const": name, "description": "What this file is." }));
    }
    schema.insert("title".to_owned(), name.into());
    schema
}

/// Descriptions are doc comments: their line ends and links mean nothing outside the code.
fn plain(schema: &mut Schema) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.replace('\n', " ").replace("[`", "`").replace("`]", "`");
    }
    schemars::transform::transform_subschemas(&mut plain, schema);
}
