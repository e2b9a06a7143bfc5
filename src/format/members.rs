//! The members of a flat JSON object whose keys and values are plain texts, found without looking at single bytes: k6's tags.
//! Whatever else JSON allows (escapes, numbers, objects inside, white space) is not read here at all.

use wide::u8x16;

/// Bytes looked at at once.
const WIDTH: usize = 64;
/// Most members; k6 writes some ten.
const MAX_MEMBERS: usize = 32;

/// Where the members of an object lie in its block.
#[derive(Debug, Clone)]
pub(super) struct Members {
    /// The bytes between two texts: a colon, a comma, a colon and so on; then the end of the object.
    between: [u32; 2 * MAX_MEMBERS],
}

impl Default for Members {
    fn default() -> Self {
        Self { between: [0; 2 * MAX_MEMBERS] }
    }
}

/// Which bytes of a chunk are what.
struct Masks {
    quotes: u64,
    colons: u64,
    commas: u64,
    /// Backslashes and control characters, which no plain text has.
    odd: u64,
    /// Parts of characters beyond ASCII.
    wide: u64,
}

impl Masks {
    #[inline]
    fn of(chunk: &[u8; WIDTH]) -> Self {
        let mut masks = Self { quotes: 0, colons: 0, commas: 0, odd: 0, wide: 0 };
        for (part, bytes) in chunk.as_chunks::<16>().0.iter().enumerate() {
            let bytes = u8x16::new(*bytes);
            let mask = |found: u8x16| u64::from(found.to_bitmask()) << (part * 16);
            let is = |byte: u8| bytes.simd_eq(u8x16::splat(byte));
            let control = bytes.min(u8x16::splat(0x1f)).simd_eq(bytes);
            masks.quotes |= mask(is(b'"'));
            masks.colons |= mask(is(b':'));
            masks.commas |= mask(is(b','));
            masks.odd |= mask(is(b'\\') | control);
            masks.wide |= mask(bytes);
        }
        masks
    }
}

impl Members {
    /// Reads what stands between the braces of an object, from `start` to `end` of a block that goes on for some bytes.
    /// `None` if there is anything but plain texts, or more of them than a few.
    #[inline]
    pub(super) fn read<'a>(&'a mut self, block: &'a [u8], start: usize, end: usize) -> Option<Texts<'a>> {
        let mut count = 0;
        let (mut at, mut wide) = (start, 0);
        // Of the chunk before: whether it ends inside a text, an odd number of bytes lay between texts so far, its last byte lies
        // between texts, is a quote that closes.
        let (mut inside, mut odd, mut between, mut closing) = (0, 0, 0, 0);
        while at < end {
            let masks = Masks::of(block.get(at..)?.first_chunk()?);
            let valid = if end - at < WIDTH { (1 << (end - at)) - 1 } else { u64::MAX };
            let quotes = masks.quotes & valid;
            // Set from a quote that opens a text up to the byte before the one that closes it.
            let texts = parity(quotes) ^ inside;
            let gaps = !texts & !quotes & valid;
            let turns = parity(gaps) ^ odd;
            let closed = quotes & !texts;
            let wrong = (masks.odd & valid)
                | (gaps & turns & !masks.colons)
                | (gaps & !turns & !masks.commas)
                // Two bytes between texts, or none.
                | (gaps & (gaps << 1 | between))
                | (quotes & texts & (closed << 1 | closing));
            if wrong != 0 {
                return None;
            }
            let mut rest = gaps;
            while rest != 0 {
                *self.between.get_mut(count)? = at as u32 + rest.trailing_zeros();
                count += 1;
                rest &= rest - 1;
            }
            wide |= masks.wide & valid;
            (inside, odd) = (last(texts), last(turns));
            (between, closing) = (gaps >> (WIDTH - 1), closed >> (WIDTH - 1));
            at += WIDTH;
        }
        let content = block.get(start..end)?;
        let whole =
            content.is_empty() || (inside == 0 && odd != 0 && content.ends_with(b"\"") && content.starts_with(b"\""));
        if !whole || (wide != 0 && str::from_utf8(content).is_err()) {
            return None;
        }
        *self.between.get_mut(count)? = end as u32;
        Some(Texts { block, start, between: self.between.get(..=count)? })
    }
}

/// All bits like the last one.
fn last(mask: u64) -> u64 {
    (mask >> (WIDTH - 1)).wrapping_neg()
}

/// Each bit says whether an odd number of bits up to and including it is set.
#[inline]
fn parity(mut mask: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        mask ^= mask << shift;
    }
    mask
}

/// The members that were found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Texts<'a> {
    block: &'a [u8],
    start: usize,
    between: &'a [u32],
}

impl<'a> Texts<'a> {
    /// Key and value of each, and where the value begins in the block.
    #[inline]
    pub(super) fn iter(self) -> impl Iterator<Item = (&'a [u8], &'a [u8], usize)> {
        let mut start = self.start;
        self.between.as_chunks::<2>().0.iter().filter_map(move |[colon, end]| {
            let (colon, end) = (*colon as usize, *end as usize);
            let key = self.block.get(start + 1..colon - 1)?;
            let value = self.block.get(colon + 2..end - 1)?;
            start = end + 1;
            Some((key, value, colon + 2))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str, start: usize) -> Option<Vec<(String, String)>> {
        let block = format!("{}{text}{}", "\"".repeat(start), "\"\\,:".repeat(WIDTH));
        let mut members = Members::default();
        let texts = members.read(block.as_bytes(), start, start + text.len())?;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Some(texts.iter().map(|(key, value, _)| (text(key), text(value))).collect())
    }

    /// As a JSON library reads it, if it is an object of texts.
    fn oracle(text: &str) -> Option<Vec<(String, String)>> {
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&format!("{{{text}}}")).ok()?;
        let mut members: Vec<_> =
            object.into_iter().map(|(key, value)| Some((key, value.as_str()?.to_owned()))).collect::<Option<_>>()?;
        members.sort();
        Some(members)
    }

    #[test]
    fn what_is_not_plain_is_left_alone() {
        for odd in [
            r#""a""#,
            r#""a":"#,
            r#""a":"b","#,
            r#","a":"b""#,
            r#""a":"b""c":"d""#,
            r#""a":"b",,"c":"d""#,
            r#""a","b""#,
            r#""a":1"#,
            r#""a": "b""#,
            r#""a":"\n""#,
            r#""a":{"b":"c"}"#,
            r#""a"x:"b""#,
            r#""a":"b"x"#,
            r#"x"a":"b""#,
            "\"a\":\"b\u{1}\"",
            "a",
            "\"",
        ] {
            assert_eq!(read(odd, 3), None, "{odd}");
        }
        assert_eq!(read("", 0), Some(Vec::new()));
    }

    proptest! {
        #[test]
        fn members_are_those_of_a_json_library(
            members in prop::collection::vec(("[a-z]{1,3}", "[a-z{}:, é]{0,90}"), 0..8), start in 0_usize..70,
        ) {
            let parts: Vec<String> = members.iter().map(|(key, value)| format!("\"{key}\":\"{value}\"")).collect();
            prop_assert_eq!(read(&parts.join(","), start), Some(members));
        }

        #[test]
        fn nothing_is_read_that_a_json_library_does_not(text in "(\"[a,:]{0,40}\"|[:,x]|\"){0,12}") {
            if let Some(mut found) = read(&text, 1) {
                // Of equal keys the library keeps the last.
                let mut seen = std::collections::BTreeMap::new();
                found.drain(..).for_each(|(key, value)| drop(seen.insert(key, value)));
                prop_assert_eq!(Some(seen.into_iter().collect::<Vec<_>>()), oracle(&text));
            }
        }
    }
}
