//! The kinds of single values, as JSON Schema has them. What they mean is in `config/value.rs`; a test holds both together.

use std::borrow::Cow;

use super::read::{COMBINES, GATES, MISSING, NEW};
use super::rules::{DIRECTIONS, FROM_ZERO};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// A kind is a type without values: only its schema matters.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $name:ident => $schema:expr;)*) => {$(
        $(#[doc = $doc])*
        pub(super) enum $name {}

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    )*};
}

kinds! {
    /// Any text.
    Words => json_schema!({ "type": "string", "minLength": 1 });
    /// The version of the language.
    Version => json_schema!({ "const": 1 });
    /// See [`crate::policy::Gate`].
    Gate => words(&GATES);
    /// `endpoints.missing`
    Missing => words(&MISSING);
    /// `endpoints.new`
    New => words(&NEW);
    /// See [`crate::policy::FromZero`].
    FromZero => words(&FROM_ZERO);
    /// See [`crate::run::metric::Direction`].
    Direction => words(&DIRECTIONS);
    /// See [`crate::run::combine::Combine`].
    Combine => words(&COMBINES);
    /// A change in the bad direction.
    Change => number(r"^[0-9]+(\.[0-9]+)? ?(%|pp|ms|s|/s)$", &["10%", "0.5pp", "5ms", "0.1s", "20/s"]);
    /// A difference of two values.
    Distance => number(r"^[0-9]+(\.[0-9]+)? ?(pp|ms|s|/s)$", &["5ms", "0.1pp", "2/s"]);
    /// A value.
    Budget => number(r"^[0-9]+(\.[0-9]+)? ?(%|ms|s|/s)$", &["800ms", "0.8s", "1%", "200/s"]);
    /// A whole number from 1 on.
    Count => json_schema!({ "type": "integer", "minimum": 1 });
    /// A whole number.
    CountOrZero => json_schema!({ "type": "integer", "minimum": 0 });
    /// A number per second.
    Rate => json_schema!({ "type": "number", "exclusiveMinimum": 0 });
    /// A length of time.
    Length => json_schema!({
        "type": "string",
        "pattern": r"^([0-9]+(\.[0-9]+)? ?[a-z]+,? ?)+$",
        "examples": ["30s", "15m", "1h30m"],
    });
    /// A date.
    Day => json_schema!({ "type": "string", "format": "date", "examples": ["2027-03-01"] });
}

fn words<T>(words: &[(&str, T)]) -> Schema {
    let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    json_schema!({ "type": "string", "enum": words })
}

/// A number with its unit; without one for metrics that have none.
fn number(pattern: &str, examples: &[&str]) -> Schema {
    json_schema!({
        "anyOf": [{ "type": "string", "pattern": pattern }, { "type": "number", "minimum": 0 }],
        "examples": examples,
    })
}
