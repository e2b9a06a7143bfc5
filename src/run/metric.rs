//! What can be measured of an endpoint, and one measured value.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A measurable quantity. The order of the variants is the order in every table we print; percentiles are by level, on which
/// [`crate::compare::pair`] relies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// Failures over requests, 0..1.
    ErrorRate,
    /// Arithmetic mean, ms.
    LatencyMean,
    /// Median, ms.
    LatencyP50,
    /// 75th percentile, ms.
    LatencyP75,
    /// 90th percentile, ms.
    LatencyP90,
    /// 95th percentile, ms.
    LatencyP95,
    /// 98th percentile, ms.
    LatencyP98,
    /// 99th percentile, ms.
    LatencyP99,
    /// 99.9th percentile, ms.
    LatencyP999,
    /// Fastest request, ms.
    LatencyMin,
    /// Slowest request, ms.
    LatencyMax,
    /// Requests per second.
    Throughput,
    /// Number of requests.
    Requests,
    /// Number of failed requests.
    Failures,
    /// A value of the user's own: `custom:<name>`.
    Custom(String),
}

/// Whether more of a metric is good or bad news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Latency, errors.
    Lower,
    /// Throughput.
    Higher,
}

/// What a metric's numbers count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Unit {
    /// Milliseconds.
    #[serde(rename = "ms")]
    Milliseconds,
    /// A ratio 0..1, shown in percent; differences are percentage points.
    #[serde(rename = "ratio")]
    Ratio,
    /// Per second.
    #[serde(rename = "/s")]
    PerSecond,
    /// A plain number.
    #[serde(rename = "")]
    Number,
}

/// Every metric that has a fixed name, in order.
pub const FIXED: [Metric; 14] = [
    Metric::ErrorRate,
    Metric::LatencyMean,
    Metric::LatencyP50,
    Metric::LatencyP75,
    Metric::LatencyP90,
    Metric::LatencyP95,
    Metric::LatencyP98,
    Metric::LatencyP99,
    Metric::LatencyP999,
    Metric::LatencyMin,
    Metric::LatencyMax,
    Metric::Throughput,
    Metric::Requests,
    Metric::Failures,
];

/// The percentiles the model keeps, lowest first.
pub const PERCENTILES: [Metric; 7] = [
    Metric::LatencyP50,
    Metric::LatencyP75,
    Metric::LatencyP90,
    Metric::LatencyP95,
    Metric::LatencyP98,
    Metric::LatencyP99,
    Metric::LatencyP999,
];

impl Metric {
    /// The name in config, JSON and on the command line: `latency_p95`.
    pub fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::ErrorRate => "error_rate",
            Self::LatencyMean => "latency_mean",
            Self::LatencyP50 => "latency_p50",
            Self::LatencyP75 => "latency_p75",
            Self::LatencyP90 => "latency_p90",
            Self::LatencyP95 => "latency_p95",
            Self::LatencyP98 => "latency_p98",
            Self::LatencyP99 => "latency_p99",
            Self::LatencyP999 => "latency_p999",
            Self::LatencyMin => "latency_min",
            Self::LatencyMax => "latency_max",
            Self::Throughput => "throughput",
            Self::Requests => "requests",
            Self::Failures => "failures",
            Self::Custom(name) => return Cow::Owned(format!("custom:{name}")),
        })
    }

    /// The name in a sentence or a table: `p95`, `error rate`.
    pub fn title(&self) -> Cow<'_, str> {
        Cow::Borrowed(match self {
            Self::ErrorRate => "error rate",
            Self::LatencyMean => "mean",
            Self::LatencyP50 => "p50",
            Self::LatencyP75 => "p75",
            Self::LatencyP90 => "p90",
            Self::LatencyP95 => "p95",
            Self::LatencyP98 => "p98",
            Self::LatencyP99 => "p99",
            Self::LatencyP999 => "p99.9",
            Self::LatencyMin => "min",
            Self::LatencyMax => "max",
            Self::Throughput => "throughput",
            Self::Requests => "requests",
            Self::Failures => "failures",
            Self::Custom(name) => return Cow::Borrowed(name),
        })
    }

    /// The unit of its values.
    pub fn unit(&self) -> Unit {
        match self {
            Self::ErrorRate => Unit::Ratio,
            Self::Throughput => Unit::PerSecond,
            Self::Requests | Self::Failures | Self::Custom(_) => Unit::Number,
            _ => Unit::Milliseconds,
        }
    }

    /// Which way is better. A rule may turn a custom metric round.
    pub fn direction(&self) -> Direction {
        match self {
            Self::Throughput | Self::Requests => Direction::Higher,
            _ => Direction::Lower,
        }
    }

    /// The level of a percentile: 0.95 for p95.
    pub fn quantile(&self) -> Option<f64> {
        Some(match self {
            Self::LatencyP50 => 0.5,
            Self::LatencyP75 => 0.75,
            Self::LatencyP90 => 0.9,
            Self::LatencyP95 => 0.95,
            Self::LatencyP98 => 0.98,
            Self::LatencyP99 => 0.99,
            Self::LatencyP999 => 0.999,
            _ => return None,
        })
    }

    /// The percentile metric for a level as tools write it (0.95, 0.999); others are not kept.
    pub fn percentile(level: f64) -> Option<Self> {
        PERCENTILES.into_iter().find(|metric| metric.quantile().is_some_and(|own| (own - level).abs() < 1e-9))
    }

    /// Mean, extremes and percentiles.
    pub fn is_latency(&self) -> bool {
        self.unit() == Unit::Milliseconds
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name())
    }
}

/// The text is not the name of a metric.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown metric `{0}`")]
pub struct UnknownMetric(pub String);

impl FromStr for Metric {
    type Err = UnknownMetric;

    fn from_str(text: &str) -> Result<Self, UnknownMetric> {
        if let Some(name) = text.strip_prefix("custom:").filter(|name| !name.is_empty()) {
            return Ok(Self::Custom(name.to_owned()));
        }
        FIXED.into_iter().find(|metric| metric.name() == text).ok_or_else(|| UnknownMetric(text.to_owned()))
    }
}

impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&self.name())
    }
}

impl<'de> Deserialize<'de> for Metric {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(input)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Metric {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Metric".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<String> = FIXED.iter().map(|metric| metric.name().into_owned()).collect();
        json_schema!({ "type": "string", "anyOf": [{ "enum": names }, { "pattern": "^custom:.+$" }] })
    }
}

/// Whether the tool said it or we worked it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The artifact holds the number.
    Reported,
    /// Computed by us from counts, samples or a histogram in the artifact.
    Computed,
}

/// A finite value in the metric's unit. NaN and infinities cannot be built.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RawMeasurement")]
pub struct Measurement {
    value: f64,
    source: Source,
    /// The rounding step of the artifact at this value: 0 exact, `None` unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<f64>,
}

impl Measurement {
    /// `None` unless value and step are finite and the step is not negative.
    pub fn new(value: f64, source: Source, step: Option<f64>) -> Option<Self> {
        let sound = value.is_finite() && step.is_none_or(|step| step.is_finite() && step >= 0.0);
        // -0.0 would print as "-0"; adding zero makes it plain.
        sound.then_some(Self { value: value + 0.0, source, step })
    }

    /// The value in the metric's unit.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// Where the value comes from.
    pub fn source(&self) -> Source {
        self.source
    }

    /// The rounding step of the artifact at this value: 0 exact, `None` unknown.
    pub fn step(&self) -> Option<f64> {
        self.step
    }
}

#[derive(Deserialize, JsonSchema)]
struct RawMeasurement {
    value: f64,
    source: Source,
    #[serde(default)]
    step: Option<f64>,
}

impl TryFrom<RawMeasurement> for Measurement {
    type Error = &'static str;

    fn try_from(raw: RawMeasurement) -> Result<Self, &'static str> {
        Self::new(raw.value, raw.source, raw.step).ok_or("a measurement needs a finite value and a step of at least 0")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for metric in FIXED.into_iter().chain([Metric::Custom("sandbox:violations".into())]) {
            assert_eq!(metric.name().parse::<Metric>().unwrap(), metric);
        }
        assert!("latency_p96".parse::<Metric>().is_err());
        assert!("custom:".parse::<Metric>().is_err());
    }

    #[test]
    fn percentiles_are_ordered_by_level() {
        let levels: Vec<f64> = FIXED.iter().filter_map(Metric::quantile).collect();
        assert!(FIXED.is_sorted() && levels.is_sorted() && levels.len() == PERCENTILES.len());
    }

    #[test]
    fn a_measurement_is_finite() {
        assert!(Measurement::new(f64::NAN, Source::Reported, None).is_none());
        assert!(Measurement::new(f64::INFINITY, Source::Reported, None).is_none());
        assert!(Measurement::new(1.0, Source::Reported, Some(-1.0)).is_none());
        assert!(Measurement::new(-0.0, Source::Reported, None).unwrap().value().is_sign_positive());
    }

    #[test]
    fn percentile_levels_are_found_whatever_the_rounding() {
        assert_eq!(Metric::percentile(99.9 / 100.0), Some(Metric::LatencyP999));
        assert_eq!(Metric::percentile(0.66), None);
    }
}
