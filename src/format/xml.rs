//! Small XML artifacts, pulled event by event.

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::{ParseError, Source};
use crate::artifact::Head;

/// Largest file of this kind that makes sense.
const LIMIT: u64 = 256 << 20;

/// The whole artifact; white space before the declaration is tolerated.
pub(super) fn text(source: &mut Source<'_>) -> Result<String, ParseError> {
    let mut text = source.text(LIMIT)?;
    let blank = text.len() - text.trim_start().len();
    text.drain(..blank);
    Ok(text)
}

/// The name of the first element.
pub(super) fn root(head: &Head) -> Option<String> {
    let text = head.text.trim_start();
    if !text.starts_with('<') {
        return None;
    }
    let mut reader = Reader::from_str(text);
    loop {
        match reader.read_event().ok()? {
            Event::Start(element) | Event::Empty(element) => return Some(element.name().as_ref().to_owned()),
            Event::Eof => return None,
            _ => {}
        }
    }
}

/// Gives every element's beginning and end to `see`: `Some` element at its beginning, its name at both.
pub(super) fn elements(
    text: &str,
    mut see: impl FnMut(&str, Option<&BytesStart<'_>>) -> Result<(), ParseError>,
) -> Result<(), ParseError> {
    let mut reader = Reader::from_str(text);
    loop {
        let event = reader.read_event().map_err(|error| {
            let at = usize::try_from(reader.error_position()).unwrap_or(usize::MAX).min(text.len());
            let before = text.as_bytes().get(..at).unwrap_or_default();
            let line = before.split(|byte| *byte == b'\n').count() as u64;
            ParseError::new(format!("not the XML it began as: {error}")).at_line(line)
        })?;
        match event {
            Event::Start(element) => see(element.name().as_ref(), Some(&element))?,
            Event::Empty(element) => {
                see(element.name().as_ref(), Some(&element))?;
                see(element.name().as_ref(), None)?;
            }
            Event::End(element) => see(element.name().as_ref(), None)?,
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

/// The attribute's text.
pub(super) fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = element.try_get_attribute(name).ok()??;
    attribute.normalized_value(XmlVersion::Implicit1_0).ok().map(std::borrow::Cow::into_owned)
}
