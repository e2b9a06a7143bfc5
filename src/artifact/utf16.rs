//! UTF-16 as UTF-8, while it is read. What is half a character becomes U+FFFD.

use std::io::{self, BufRead, Cursor, Read};

/// Bytes decoded at once where they are not ASCII.
const FEW: usize = 4096;

/// The UTF-8 of what `inner` holds in UTF-16.
pub(super) struct Utf16<R> {
    inner: R,
    /// Whether the larger byte comes first.
    big: bool,
    /// Read and not yet decoded: at most half a character, between two calls.
    rest: Vec<u8>,
    /// Decoded and not yet handed out.
    utf8: Cursor<Vec<u8>>,
}

impl<R: BufRead> Utf16<R> {
    pub(super) fn new(inner: R, big: bool) -> Self {
        Self { inner, big, rest: Vec::new(), utf8: Cursor::default() }
    }

    /// Decodes a few characters, of any kind; whether the end has come.
    fn decode(&mut self) -> io::Result<bool> {
        let more = self.inner.fill_buf()?;
        // A half that waits is made whole, so that the fast way can go on.
        let more = more.get(..FEW - self.rest.len() % 2).unwrap_or(more);
        let amount = more.len();
        let end = amount == 0;
        self.rest.extend_from_slice(more);
        self.inner.consume(amount);

        let pairs = self.rest.as_chunks().0.iter().copied();
        let mut units: Vec<u16> =
            if self.big { pairs.map(u16::from_be_bytes).collect() } else { pairs.map(u16::from_le_bytes).collect() };
        // The first half of a pair waits for the second.
        units.pop_if(|unit| !end && matches!(unit, 0xd800..=0xdbff));
        self.rest.drain(..2 * units.len());
        let text = char::decode_utf16(units).map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER));
        let mut text: String = text.collect();
        if end && !self.rest.is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
            self.rest.clear();
        }
        self.utf8 = Cursor::new(text.into_bytes());
        Ok(end)
    }

    /// The fast way, for what most results are: ASCII straight into the buffer; how many bytes that gave.
    fn ascii(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.rest.is_empty() {
            return Ok(0);
        }
        let pairs = self.inner.fill_buf()?.as_chunks().0;
        let read =
            if self.big { ascii(pairs, buffer, u16::from_be_bytes) } else { ascii(pairs, buffer, u16::from_le_bytes) };
        self.inner.consume(2 * read);
        Ok(read)
    }
}

impl<R: BufRead> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut read = self.utf8.read(buffer)?;
            if read == 0 {
                read = self.ascii(buffer)?;
            }
            if read > 0 || buffer.is_empty() || (self.decode()? && self.utf8.get_ref().is_empty()) {
                return Ok(read);
            }
        }
    }
}

/// Copies whole blocks as long as every unit in them is ASCII.
fn ascii(pairs: &[[u8; 2]], buffer: &mut [u8], unit: impl Fn([u8; 2]) -> u16) -> usize {
    const BLOCK: usize = 64;
    let mut read = 0;
    for (pairs, bytes) in pairs.as_chunks::<BLOCK>().0.iter().zip(buffer.as_chunks_mut::<BLOCK>().0) {
        let mut all = 0;
        for (pair, byte) in pairs.iter().zip(bytes) {
            let unit = unit(*pair);
            all |= unit;
            *byte = unit as u8;
        }
        if all >= 0x80 {
            break;
        }
        read += BLOCK;
    }
    read
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    /// Decoded in pieces of `step` bytes.
    fn decoded(bytes: &[u8], step: usize, big: bool) -> String {
        let mut text = String::new();
        Utf16::new(BufReader::with_capacity(step, bytes), big).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn pieces_of_any_size_are_one_text() {
        let text = "a,größe,€,😀😀\r\n".to_owned() + &"0123456789".repeat(40) + "ß";
        let units: Vec<u16> = text.encode_utf16().collect();
        let little: Vec<u8> = units.iter().copied().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = units.iter().copied().flat_map(u16::to_be_bytes).collect();
        for step in 1..=little.len() {
            assert_eq!(decoded(&little, step, false), text);
            assert_eq!(decoded(&big, step, true), text);
        }
    }

    #[test]
    fn half_a_character_is_replaced() {
        for step in 1..9 {
            let mut end = Utf16::new(BufReader::with_capacity(step, &b"a\0b"[..]), false);
            let mut text = String::new();
            end.read_to_string(&mut text).unwrap();
            assert_eq!(text, "a\u{fffd}");
            assert_eq!(end.read(&mut [0; 8]).unwrap(), 0, "the end stays the end");
            assert_eq!(decoded(b"a\0\x3d\xd8", step, false), "a\u{fffd}");
            assert_eq!(decoded(b"\x3d\xd8a\0\0\xdeb\0", step, false), "\u{fffd}a\u{fffd}b");
        }
    }
}
