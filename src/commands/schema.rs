//! `loadgate schema`: the JSON Schema of a file that we read or write.

use super::Done;
use crate::schema::Kind;

/// Prints the schema.
pub fn run(kind: Kind) -> Done {
    Done::printed(kind.committed().to_owned())
}
