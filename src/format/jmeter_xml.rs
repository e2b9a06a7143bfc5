//! JMeter's results as XML (JTL): `httpSample` and `sample`, before 2.1 `sampleResult`, streamed.
//!
//! Quirks: samples stand inside samples (redirects, embedded resources, "generate parent sample") to any depth, and only the
//! outermost are counted in the total; response data may lie between them, a MB each, with characters that XML forbids, and is
//! never kept; a missing `</testResults>` means that the test was killed; plugins write elements named after Java classes.

use std::borrow::Cow;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

use memchr::{memchr, memchr_iter, memchr2};
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
    /// When it was, as written.
    stamp: String,
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
    fn of(element: &BytesStart<'_>, quick: bool, clock: &mut Clock) -> Self {
        let mut sample = Self::default();
        let raw = element.attributes_raw();
        let rest = if quick { plain_attributes(raw, |key, value| sample.see(key, value)) } else { None };
        if rest.is_none_or(|rest| !rest.trim_ascii().is_empty()) {
            // From the first one on: of an attribute that is seen again the last value counts, as of one that is there twice.
            for attribute in element.attributes().with_checks(false).filter_map(Result::ok) {
                sample.see(attribute.key.as_ref(), &unescaped(&attribute));
            }
        }
        sample.timed(clock)
    }

    /// One at the beginning of the text, if all of it is there and as JMeter writes most: attributes in double quotes
    /// without entities, and in the sample nothing but elements that hold nothing but text. Several times as fast as event
    /// by event. Also gives what is behind it.
    fn plain<'t>(text: &'t str, clock: &mut Clock) -> Option<(Self, &'t str)> {
        let rest = text.trim_ascii_start().strip_prefix('<')?;
        let name = ["httpSample", "sample"].into_iter().find(|name| rest.starts_with(name))?;
        let mut sample = Self::default();
        let mut rest = plain_attributes(rest.get(name.len()..)?, |key, value| sample.see(key, value))?;
        if let Some(behind) = rest.strip_prefix("/>") {
            return Some((sample.timed(clock), behind));
        }
        rest = rest.strip_prefix('>')?;
        loop {
            rest = rest.trim_ascii_start().strip_prefix('<')?;
            if let Some(behind) = rest.strip_prefix('/') {
                let behind = behind.strip_prefix(name)?.strip_prefix('>')?;
                return Some((sample.timed(clock), behind));
            }
            rest = plain_element(rest)?;
        }
    }

    /// With its start, which is said once all attributes are known.
    fn timed(mut self, clock: &mut Clock) -> Self {
        if let (Some(elapsed), false) = (self.elapsed, self.stamp.is_empty()) {
            self.start = clock.see(&self.stamp, elapsed / self.samples.unwrap_or(1) as f64);
        }
        self
    }

    fn see(&mut self, key: &str, value: &str) {
        match key {
            "t" | "time" => self.elapsed = number(value).filter(|ms| ms.is_finite() && *ms >= 0.0),
            "ts" | "timeStamp" => value.clone_into(&mut self.stamp),
            "s" | "success" => self.ok = flag(value),
            "lb" | "label" => value.clone_into(&mut self.label),
            "rc" | "responseCode" => value.clone_into(&mut self.code),
            "rm" | "responseMessage" => self.transaction = is_transaction(value),
            "sc" => self.samples = value.parse().ok().and_then(|samples| group(samples).ok()),
            "ec" => self.errors = value.parse().ok(),
            "na" => self.users = number(value),
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

/// A number, which mostly is a whole one.
fn number(text: &str) -> Option<f64> {
    text.parse::<u32>().map(f64::from).or_else(|_| text.parse()).ok()
}

/// Gives attributes to `see`, as far as one blank, letters, `=` and double quotes follow one another, and what is behind them.
/// `None` where a value holds an entity, white space other than blanks, or `<`; those before it were given.
fn plain_attributes(mut rest: &str, mut see: impl FnMut(&str, &str)) -> Option<&str> {
    while let Some(attribute) = rest.strip_prefix(' ') {
        let letters = attribute.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (key, value) = attribute.split_at_checked(letters).filter(|(key, _)| !key.is_empty())?;
        let value = value.strip_prefix("=\"")?;
        let (value, behind) = value.split_at_checked(memchr(b'"', value.as_bytes())?)?;
        if value.bytes().any(|byte| matches!(byte, b'&' | b'<' | b'\t' | b'\n' | b'\r')) {
            return None;
        }
        see(key, value);
        rest = behind.get(1..)?;
    }
    Some(rest)
}

/// What is behind the element that begins after its `<`, if it is no sample and holds nothing but text.
fn plain_element(text: &str) -> Option<&str> {
    let (name, rest) = text.split_at_checked(memchr2(b' ', b'>', text.as_bytes())?)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'$');
    if !name.bytes().all(plain) || is_sample(name) {
        return None;
    }
    let rest = plain_attributes(rest, |_, _| ())?.strip_prefix('>')?;
    let end = memchr2(b'<', b'&', rest.as_bytes())?;
    rest.get(end..)?.strip_prefix("</")?.strip_prefix(name)?.strip_prefix('>')
}

fn is_sample(name: &str) -> bool {
    matches!(name, "httpSample" | "sample" | "sampleResult")
}

/// The value without entities; as it stands where it holds what XML forbids.
fn unescaped<'a>(attribute: &'a Attribute<'_>) -> Cow<'a, str> {
    attribute.normalized_value(XmlVersion::Implicit1_0).unwrap_or_else(|_| (*attribute.value).into())
}

fn parse(source: &mut Source<'_>, recorder: &mut Recorder) -> Result<(), ParseError> {
    let first_line = 1 + skip_blank(source.reader)?;
    recorder.tool("JMeter");
    recorder.sample_step(1.0);
    let tail = Rc::new(Tail::default());
    let bounded = Bounded { input: &mut *source.reader, tail: Rc::clone(&tail) };
    let mut reader = Reader::from_reader(Lossy::new(bounded, source.blocks.unwrap_or_default().size));
    let mut samples = Samples {
        quick: source.blocks.is_some(),
        open: Vec::new(),
        clock: Clock::default(),
        grouped: false,
        recorder,
    };
    let mut buffer = Vec::new();
    let mut done = false;
    // Where what was read last begins.
    let line = |reader: &mut Reader<Lossy<_>>, last: &[u8]| first_line + reader.get_mut().lines() - line_ends(last);
    loop {
        buffer.clear();
        tail.restart();
        let event = match reader.read_event_into(&mut buffer) {
            Ok(Event::Eof) => break,
            Ok(event) => event,
            Err(_) if reader.get_mut().fill_buf().is_ok_and(<[u8]>::is_empty) => break,
            Err(error) => {
                return Err(ParseError::new(format!("not the XML it began as: {error}")).at_line(line(&mut reader, &buffer)));
            }
        };
        match &event {
            Event::Start(element) => {
                let sample = samples.begin(element, || line(&mut reader, event.as_bytes()));
                samples.open.push(sample);
            }
            Event::Empty(element) => {
                let sample = samples.begin(element, || line(&mut reader, event.as_bytes()));
                samples.end(sample);
            }
            Event::End(_) => {
                let sample = samples.open.pop().flatten();
                samples.end(sample);
                done |= samples.open.is_empty();
            }
            _ => {}
        }
        // Directly in the root or in a sample. After a text the library expects a `<` that it has seen, so nothing may be taken
        // from under it.
        let among_samples = matches!(samples.open.as_slice(), [None] | [.., Some(_)]);
        if samples.quick && among_samples && !matches!(event, Event::Text(_)) {
            while let Some(length) = samples.take(reader.get_ref().rest()) {
                reader.get_mut().consume(length);
                tail.restart();
            }
        }
        if samples.open.len() > MAX_DEPTH {
            let error = ParseError::new(format!("elements more than {MAX_DEPTH} deep"));
            return Err(error.at_line(line(&mut reader, event.as_bytes())));
        }
    }
    let Samples { clock, grouped, recorder, .. } = samples;
    if !done {
        recorder.complete(false);
        recorder.notice(cut_off(line(&mut reader, &[])));
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

/// What was read so far.
struct Samples<'r> {
    /// Not only by the library; both ways give the same.
    quick: bool,
    /// Samples and other elements that are open, outermost first; the root is the first.
    open: Vec<Option<Sample>>,
    clock: Clock,
    /// Whether one stood for several.
    grouped: bool,
    recorder: &'r mut Recorder,
}

impl Samples<'_> {
    /// Takes the sample at the beginning of the text, if it is a plain one, and says how long it is.
    fn take(&mut self, text: &str) -> Option<usize> {
        let (sample, rest) = Sample::plain(text, &mut self.clock)?;
        self.surround();
        self.end(Some(sample));
        Some(text.len() - rest.len())
    }

    /// The sample that `element` is, if it is one.
    fn begin(&mut self, element: &BytesStart<'_>, line: impl FnOnce() -> u64) -> Option<Sample> {
        let name = element.name();
        if !is_sample(name.as_ref()) {
            if self.open.len() == 1 {
                self.recorder.bad_row(line(), format!("unsupported sample element `{}`", shown(name.as_ref())));
            }
            return None;
        }
        self.surround();
        Some(Sample::of(element, self.quick, &mut self.clock))
    }

    /// A sample begins: the one around it is its parent from now on.
    fn surround(&mut self) {
        if let Some(parent) = self.open.iter_mut().rev().flatten().next() {
            parent.parent = true;
        }
    }

    /// It is complete.
    fn end(&mut self, sample: Option<Sample>) {
        if let Some(sample) = sample {
            let inside = self.open.iter().any(Option::is_some);
            self.grouped |= sample.record(inside, &mut self.clock, self.recorder);
        }
    }
}

fn line_ends(bytes: &[u8]) -> u64 {
    memchr_iter(b'\n', bytes).count() as u64
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
    text: String,
    given: usize,
    /// Line ends of the texts before this one, and of this one so far.
    lines: u64,
    counted: usize,
    /// Bytes judged at once.
    size: usize,
}

impl<R: Read> Lossy<R> {
    fn new(inner: R, size: usize) -> Self {
        Self { inner, size, bytes: Vec::new(), text: String::new(), given: 0, lines: 0, counted: 0 }
    }

    /// What was read and not yet given.
    fn rest(&self) -> &str {
        self.text.get(self.given..).unwrap_or_default()
    }

    /// Line ends in what was given.
    fn lines(&mut self) -> u64 {
        self.lines += line_ends(self.text.as_bytes().get(self.counted..self.given).unwrap_or_default());
        self.counted = self.given;
        self.lines
    }

    fn refill(&mut self) -> io::Result<()> {
        self.lines();
        let kept = self.bytes.len();
        self.bytes.resize(self.size.max(kept + 1), 0);
        let read = self.inner.read(self.bytes.get_mut(kept..).unwrap_or_default());
        self.bytes.truncate(kept + read.as_ref().map_or(0, |read| *read));
        let ended = read? == 0;
        self.text.clear();
        (self.given, self.counted) = (0, 0);
        let mut rest = self.bytes.as_slice();
        // Several times as fast as `utf8_chunks` where nearly everything is text.
        let unjudged = loop {
            let error = match str::from_utf8(rest) {
                Ok(text) => {
                    self.text.push_str(text);
                    break 0;
                }
                Err(error) => error,
            };
            let (valid, bad) = rest.split_at_checked(error.valid_up_to()).unwrap_or_default();
            self.text.push_str(str::from_utf8(valid).unwrap_or_default());
            let Some(length) = error.error_len().or(ended.then_some(bad.len())) else { break bad.len() };
            self.text.push(char::REPLACEMENT_CHARACTER);
            rest = bad.get(length..).unwrap_or_default();
        };
        self.bytes.drain(..self.bytes.len() - unjudged);
        Ok(())
    }
}

impl<R: Read> Read for Lossy<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

impl<R: Read> BufRead for Lossy<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.given == self.text.len() {
            let before = self.bytes.len();
            self.refill()?;
            // Nothing came, and nothing waits to be judged.
            if self.text.is_empty() && self.bytes.len() == before {
                break;
            }
        }
        Ok(self.text.as_bytes().get(self.given..).unwrap_or_default())
    }

    fn consume(&mut self, read: usize) {
        self.given = self.text.len().min(self.given + read);
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
            (step, size) in (1_usize..5, 1_usize..50),
        ) {
            let few_at_once = bytes
                .chunks(step)
                .fold(Box::new(io::empty()) as Box<dyn Read>, |before, chunk| Box::new(before.chain(chunk)));
            let mut text = Vec::new();
            Lossy::new(few_at_once, size).read_to_end(&mut text).unwrap();
            prop_assert_eq!(text, String::from_utf8_lossy(&bytes).into_owned().into_bytes());
        }
    }
}
