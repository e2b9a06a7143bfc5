//! `loadgate schema`: the JSON Schema of a file that we read or write.

use super::{Done, json};
use crate::schema::Kind;

/// Prints the schema.
pub fn run(kind: Kind) -> anyhow::Result<Done> {
    Ok(Done::printed(json(&kind.schema())?))
}
