//! JSON as we write it: indented, so that people can read it, and an object that lies deep on one line, so that it stays small.
//! A report of ten thousand endpoints is half as large as with every value on a line of its own.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

/// Objects from this depth on are on one line: the rows of a report and the endpoints of its run.
const LINE: usize = 5;

/// A JSON document for stdout or a file. In the log of a runner `##[` would begin a command; an escape says the same.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<String> {
    let mut bytes = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut bytes, Lines::default()))?;
    let mut text = String::from_utf8(bytes)?;
    // Hardly any report has one, and then nothing needs to be copied.
    if memchr::memmem::find(text.as_bytes(), b"##[").is_some() {
        text = text.replace("##[", "#\\u0023[");
    }
    text.push('\n');
    Ok(text)
}

#[derive(Default)]
struct Lines {
    depth: usize,
    /// Depth of the object that is on one line; 0 outside of one.
    line: usize,
    /// Whether nothing stands in the innermost list or object so far.
    empty: bool,
}

impl Lines {
    fn open<W: ?Sized + Write>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.empty = true;
        out.write_all(bracket)
    }

    fn close<W: ?Sized + Write>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        let inside = self.line > 0;
        self.line = if self.line == self.depth { 0 } else { self.line };
        self.depth -= 1;
        if !inside && !self.empty {
            self.next_line(out)?;
        }
        self.empty = false;
        out.write_all(bracket)
    }

    fn item<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.empty = false;
        if !first {
            out.write_all(b",")?;
        }
        if self.line == 0 { self.next_line(out) } else { Ok(()) }
    }

    fn next_line<W: ?Sized + Write>(&self, out: &mut W) -> io::Result<()> {
        out.write_all(b"\n")?;
        (0..self.depth).try_for_each(|_| out.write_all(b"  "))
    }
}

impl Formatter for Lines {
    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.open(out, b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.close(out, b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.item(out, first)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.open(out, b"{")?;
        if self.line == 0 && self.depth >= LINE {
            self.line = self.depth;
        }
        Ok(())
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.close(out, b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.item(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(if self.line == 0 { b": " } else { b":" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deep_objects_take_one_line() {
        let row = serde_json::json!({"a": 1, "b": {"c": [1, {}], "d": null}});
        let document = serde_json::json!({"suites": [{"empty": {}, "rows": [row, row]}], "text": "##[x"});
        let text = json(&document).unwrap();
        let line = r#"        {"a":1,"b":{"c":[1,{}],"d":null}}"#;
        assert_eq!(
            text,
            format!(
                "{{\n  \"suites\": [\n    {{\n      \"empty\": {{}},\n      \"rows\": [\n{line},\n{line}\n      ]\n    }}\n  ],\n  \"text\": \"#\\u0023[x\"\n}}\n"
            )
        );
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), document);
    }
}
