//! JMeter's results as XML (JTL): `httpSample` and `sample`, before 2.1 `sampleResult`, streamed.
//!
//! Quirks: samples stand inside samples (redirects, embedded resources, "generate parent sample") to any depth, and only the
//! outermost are counted in the total; response data may lie between them, a MB each, with characters that XML forbids, and is
//! never kept; a missing `</testResults>` means that the test was killed; plugins write elements named after Java classes.

use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;

use memchr::{memchr, memchr3, memchr_iter};
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::jmeter_csv::{Clock, PARTS, failure, finish, flag, group, is_transaction, say_grouped};
use super::rows::{Bounded, Tail, cut_off, nanos, shown};
use super::{Confidence, Format, Gives, ParseError, Part, Source, xml};
use crate::run::recorder::Recorder;

pub(super) static XML: Format = Format {
    id: "jmeter-xml",
    tool: "JMeter",
    title: "JTL as XML (`jmeter.save.saveservice.output_format=xml`); samples inside samples stay out of the total",
    versions: "2.0 to 5.6",
    gives: Gives { percentiles: "any (from samples), whole ms", failures: true, users: true, time: true },
    part: Part::Main { rank: 1, suffixes: PARTS },
    sniff: |head| Confidence::certain_if(xml::root(head).as_deref() == Some("testResults")),
    parse,
};

/// One sample element that is not closed yet.
#[derive(Default)]
struct Sample {
    label: String,
    /// Its start, in ms since the epoch.
    start: Option<f64>,
    users: Option<f64>,
    elapsed: Option<f64>,
    ok: Option<bool>,
    code: String,
    /// Samples it stands for, and those of them that failed.
    samples: Option<u64>,
    errors: Option<u64>,
    transaction: bool,
    /// Whether other samples stand inside.
    parent: bool,
}

impl Sample {
    fn of(element: &BytesStart<'_>, clock: &mut Clock) -> Self {
        let mut sample = Self::default();
        let mut stamp = String::new();
        if plain_attributes(element.attributes_raw(), |key, value| sample.see(key, value, &mut stamp)).is_none() {
            for attribute in element.attributes().with_checks(false).filter_map(Result::ok) {
                sample.see(attribute.key.as_ref(), &text(&attribute), &mut stamp);
            }
        }
        if let (Some(elapsed), false) = (sample.elapsed, stamp.is_empty()) {
            sample.start = clock.see(&stamp, elapsed / sample.samples.unwrap_or(1) as f64);
        }
        sample
    }

    fn see(&mut self, key: &str, value: &str, stamp: &mut String) {
        match key {
            "t" | "time" => self.elapsed = value.parse().ok().filter(|ms: &f64| ms.is_finite() && *ms >= 0.0),
            "ts" | "timeStamp" => value.clone_into(stamp),
            "s" | "success" => self.ok = flag(value),
            "lb" | "label" => value.clone_into(&mut self.label),
            "rc" | "responseCode" => value.clone_into(&mut self.code),
            "rm" | "responseMessage" => self.transaction = is_transaction(value),
            "sc" => self.samples = value.parse().ok().and_then(|samples| group(samples).ok()),
            "ec" => self.errors = value.parse().ok(),
            "na" => self.users = value.parse().ok(),
            _ => {}
        }
    }

    /// An outermost one is counted, unless it only sums up its neighbours. Whether it stood for several.
    fn record(self, inside: bool, clock: &mut Clock, recorder: &mut Recorder) -> bool {
        recorder.users(self.users.unwrap_or(0.0));
        let draft = recorder.endpoint(None, &self.label);
        let apart = inside || (self.transaction && !self.parent);
        let samples = if apart { draft.apart() } else { draft.samples() };
        if let (Some(count @ 2..), Some(ms)) = (self.samples, self.elapsed) {
            let failures = self.errors.map(|errors| errors.min(count)).or_else(|| self.ok.filter(|ok| *ok).map(|_| 0));
            samples.add_group(count, failures, nanos(ms / count as f64, 1e6));
            draft.error("of a group of samples", failures.unwrap_or(0));
            if let Some(start) = self.start.filter(|_| !apart) {
                clock.course.of(self.label.as_bytes()).count((start + ms / count as f64) as i64, count, failures);
            }
            recorder.good_row();
            return true;
        }
        samples.add(self.elapsed.map(|ms| nanos(ms, 1e6)), self.ok);
        if self.ok == Some(false) && !inside {
            draft.error(&failure(&self.code, self.transaction), 1);
        }
        if let Some((start, elapsed)) = self.start.zip(self.elapsed) {
            let end = (start + elapsed) as i64;
            let course = clock.course.of(self.label.as_bytes());
            if apart {
                course.users(end, self.users.unwrap_or(f64::NAN));
            } else {
                course.add_with_users(end, Some(nanos(elapsed, 1e6)), self.ok, self.users);
            }
        }
        recorder.good_row();
        false
    }
}

/// Gives every attribute to `see`, if all are as JMeter writes most of them: in double quotes, without entities and line ends.
/// `None` if one is not; those before it were given.
fn plain_attributes(mut rest: &str, mut see: impl FnMut(&str, &str)) -> Option<()> {
    if memchr3(b'&', b'\n', b'\r', rest.as_bytes()).is_some() || memchr(b'\t', rest.as_bytes()).is_some() {
        return None;
    }
    while let Some(quote) = memchr(b'"', rest.as_bytes()) {
        let (key, value) = (rest.get(..quote)?, rest.get(quote + 1..)?);
        let key = key.strip_prefix(' ')?.strip_suffix('=')?;
        let (value, behind) = value.split_at_checked(memchr(b'"', value.as_bytes())?)?;
        if !key.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return None;
        }
        see(key, value);
        rest = behind.get(1..)?;
    }
    rest.trim_ascii().is_empty().then_some(())
}

/// The value without entities; as it stands where it holds what XML forbids.
fn text<'a>(attribute: &'a Attribute<'_>) -> Cow<'a, str> {
    attribute.normalized_value(XmlVersion::Implicit1_0).unwrap_or_else(|_| (*attribute.value).into())
}

fn parse(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let mut line = 1 + skip_blank(source.reader)?;
    recorder.tool("JMeter");
    recorder.sample_step(1.0);
    let tail = Rc::new(Tail::default());
    let bounded = Bounded { input: &mut *source.reader, tail: Rc::clone(&tail) };
    let mut reader = Reader::from_reader(BufReader::with_capacity(1 << 16, Lossy::new(bounded)));
    let mut clock = Clock::default();
    let mut buffer = Vec::new();
    // Samples and other elements that are open, outermost first; the root is the first.
    let mut open: Vec<Option<Sample>> = Vec::new();
    let (mut done, mut grouped) = (false, false);
    loop {
        buffer.clear();
        tail.restart();
        let event = match reader.read_event_into(&mut buffer) {
            Ok(Event::Eof) => break,
            Ok(event) => event,
            Err(_) if reader.get_mut().fill_buf().is_ok_and(<[u8]>::is_empty) => break,
            Err(error) => return Err(ParseError::new(format!("not the XML it began as: {error}")).at_line(line)),
        };
        match &event {
            Event::Start(element) => {
                let sample = begin(element, &mut open, line, &mut clock, recorder);
                open.push(sample);
            }
            Event::Empty(element) => {
                let sample = begin(element, &mut open, line, &mut clock, recorder);
                grouped |= end(sample, &open, &mut clock, recorder);
            }
            Event::End(_) => {
                let sample = open.pop().flatten();
                grouped |= end(sample, &open, &mut clock, recorder);
                done |= open.is_empty();
            }
            _ => {}
        }
        if open.len() > MAX_DEPTH {
            return Err(ParseError::new(format!("elements more than {MAX_DEPTH} deep")).at_line(line));
        }
        line += memchr_iter(b'\n', event.as_bytes()).count() as u64;
    }
    if !done {
        recorder.complete(false);
        recorder.notice(cut_off(line));
    }
    split_nested(recorder);
    finish(clock, recorder);
    if grouped {
        say_grouped(recorder);
    }
    Ok(())
}

/// Deepest nesting that JMeter could write.
const MAX_DEPTH: usize = 200;

/// The sample that `element` is, if it is one; the sample around it is its parent from now on.
fn begin(
    element: &BytesStart<'_>,
    open: &mut [Option<Sample>],
    line: u64,
    clock: &mut Clock,
    recorder: &mut Recorder,
) -> Option<Sample> {
    let name = element.name();
    if !matches!(name.as_ref(), "httpSample" | "sample" | "sampleResult") {
        if open.len() == 1 {
            recorder.bad_row(line, format!("unsupported sample element `{}`", shown(name.as_ref())));
        }
        return None;
    }
    if let Some(parent) = open.iter_mut().rev().flatten().next() {
        parent.parent = true;
    }
    Some(Sample::of(element, clock))
}

/// Whether the sample stood for several.
fn end(sample: Option<Sample>, open: &[Option<Sample>], clock: &mut Clock, recorder: &mut Recorder) -> bool {
    sample.is_some_and(|sample| sample.record(open.iter().any(Option::is_some), clock, recorder))
}

/// A label that stands outside and inside is two endpoints: the outer one's figures stay its own.
fn split_nested(recorder: &mut Recorder) {
    let mut nested = Vec::new();
    for draft in recorder.drafts() {
        if draft.counted().is_some()
            && let Some(samples) = draft.take_apart()
        {
            nested.push((format!("{} (inside others)", draft.name()), samples));
        }
    }
    for (name, samples) in nested {
        recorder.endpoint(None, &name).apart().merge(&samples);
    }
}

/// Drops blanks before the declaration, which strict readers refuse; how many lines they were.
fn skip_blank(reader: &mut dyn BufRead) -> io::Result<u64> {
    let mut lines = 0;
    loop {
        let bytes = reader.fill_buf()?;
        let blank = bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        lines += bytes.iter().take(blank).filter(|byte| **byte == b'\n').count() as u64;
        let all = blank == bytes.len() && blank > 0;
        reader.consume(blank);
        if !all {
            return Ok(lines);
        }
    }
}

/// UTF-8 whatever comes: what is none becomes U+FFFD, for response data may hold any byte.
struct Lossy<R> {
    inner: R,
    /// Between two calls only what is read and not yet judged: the beginning of a character.
    bytes: Vec<u8>,
    text: Vec<u8>,
    given: usize,
}

/// Bytes judged at once.
const JUDGED: usize = 1 << 16;

impl<R: Read> Lossy<R> {
    fn new(inner: R) -> Self {
        Self { inner, bytes: Vec::new(), text: Vec::new(), given: 0 }
    }

    fn refill(&mut self) -> io::Result<()> {
        let kept = self.bytes.len();
        self.bytes.resize(JUDGED, 0);
        let read = self.inner.read(self.bytes.get_mut(kept..).unwrap_or_default());
        self.bytes.truncate(kept + read.as_ref().map_or(0, |read| *read));
        let ended = read? == 0;
        self.text.clear();
        self.given = 0;
        let mut rest = self.bytes.as_slice();
        // Several times as fast as `utf8_chunks` where nearly everything is text.
        let unjudged = loop {
            let Err(error) = str::from_utf8(rest) else {
                self.text.extend_from_slice(rest);
                break 0;
            };
            let (valid, bad) = rest.split_at_checked(error.valid_up_to()).unwrap_or_default();
            self.text.extend_from_slice(valid);
            let Some(length) = error.error_len().or(ended.then_some(bad.len())) else { break bad.len() };
            self.text.extend_from_slice("\u{fffd}".as_bytes());
            rest = bad.get(length..).unwrap_or_default();
        };
        self.bytes.drain(..self.bytes.len() - unjudged);
        Ok(())
    }
}

impl<R: Read> Read for Lossy<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() {
            let before = self.bytes.len();
            self.refill()?;
            // Nothing came, and nothing waits to be judged.
            if self.text.is_empty() && self.bytes.len() == before {
                return Ok(0);
            }
        }
        let rest = self.text.get(self.given..).unwrap_or_default();
        let given = rest.len().min(buffer.len());
        if let Some((to, from)) = buffer.get_mut(..given).zip(rest.get(..given)) {
            to.copy_from_slice(from);
        }
        self.given += given;
        Ok(given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_no_text_becomes_what_the_library_makes_of_it(
            bytes in prop::collection::vec(prop::sample::select(&b"ab\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\xff"[..]), 0..40),
            step in 1_usize..5,
        ) {
            let few_at_once = bytes
                .chunks(step)
                .fold(Box::new(io::empty()) as Box<dyn Read>, |before, chunk| Box::new(before.chain(chunk)));
            let mut text = Vec::new();
            Lossy::new(few_at_once).read_to_end(&mut text).unwrap();
            prop_assert_eq!(text, String::from_utf8_lossy(&bytes).into_owned().into_bytes());
        }
    }
}
