//! One thread's share of a [`Recorder`]: single requests of known endpoints, added up apart from the other threads.
//!
//! Only plain requests come here. What is unusual about a file goes to the recorder itself, in the order of the file, so
//! every decision that depends on order (which endpoints and error kinds are kept, which bad row is the first) is its own.

use std::borrow::Cow;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::recorder::{MAX_ENDPOINTS, Names, Recorder, Samples};

/// Longest key kept.
const MAX_KEY: usize = 4_096;
/// Places of the small table in front of the map; a power of two.
const RECENT: usize = 256;

/// Counts and latencies by endpoint, where an endpoint is known by the bytes that name it in the file.
#[derive(Debug)]
pub struct Tally {
    slots: Vec<Slot>,
    places: FxHashMap<Box<[u8]>, u32>,
    /// Slots lately used, by a cheap look at the key: most files hold a handful of names.
    recent: Box<[u32; RECENT]>,
    /// Slots before this one were announced.
    announced: usize,
    /// The names that the recorder keeps, once it takes no more.
    full: Option<Arc<Names>>,
    /// Requests of endpoints beyond those.
    others: Option<Samples>,
    scratch: Vec<u8>,
}

#[derive(Debug)]
struct Slot {
    key: Box<[u8]>,
    method: Option<String>,
    name: String,
    samples: Samples,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            places: FxHashMap::default(),
            recent: Box::new([0; RECENT]),
            announced: 0,
            full: None,
            others: None,
            scratch: Vec::new(),
        }
    }
}

impl Tally {
    /// What was counted under `key`. A new key is named by `name`; `None` if that knows no name, or there are too many.
    #[inline]
    pub fn samples<'n>(
        &mut self,
        key: &[u8],
        name: impl FnOnce() -> Option<(Option<&'n str>, Cow<'n, str>)>,
    ) -> Option<&mut Samples> {
        let at = glance(key);
        let recent = *self.recent.get(at)?;
        let place = match self.slots.get(recent as usize) {
            Some(slot) if *slot.key == *key => recent,
            _ => {
                let place = if let Some(place) = self.places.get(key) {
                    *place
                } else {
                    let (method, name) = name()?;
                    if self.is_beyond(method, &name)? {
                        return Some(self.others.get_or_insert_with(Samples::new));
                    }
                    self.add(key, method, name)?
                };
                *self.recent.get_mut(at)? = place;
                place
            }
        };
        Some(&mut self.slots.get_mut(place as usize)?.samples)
    }

    /// Whether the recorder would not keep the name.
    fn is_beyond(&mut self, method: Option<&str>, name: &str) -> Option<bool> {
        self.full.as_ref().map_or(Some(false), |names| Some(!names.hold(method, name, &mut self.scratch)?))
    }

    /// The recorder takes no names but these from now on.
    pub fn close(&mut self, names: &Arc<Names>) {
        self.full.get_or_insert_with(|| Arc::clone(names));
    }

    #[cold]
    fn add(&mut self, key: &[u8], method: Option<&str>, name: Cow<'_, str>) -> Option<u32> {
        if self.slots.len() >= MAX_ENDPOINTS || key.len() > MAX_KEY {
            return None;
        }
        let place = self.slots.len() as u32;
        let samples = Samples::new();
        self.slots.push(Slot { key: key.into(), method: method.map(str::to_owned), name: name.into(), samples });
        self.places.insert(key.into(), place);
        Some(place)
    }

    /// Names that are new since the last call, in order.
    pub fn news(&mut self) -> impl Iterator<Item = (Option<String>, String)> {
        let from = std::mem::replace(&mut self.announced, self.slots.len());
        self.slots.iter().skip(from).map(|slot| (slot.method.clone(), slot.name.clone()))
    }

    /// Hands everything to the recorder.
    pub fn finish(self, recorder: &mut Recorder) {
        if let Some(samples) = self.others {
            recorder.others().add_samples(samples);
        }
        for slot in self.slots {
            recorder.endpoint(slot.method.as_deref(), &slot.name).add_samples(slot.samples);
        }
    }
}

/// A number below [`RECENT`] from the ends of the key.
#[inline]
fn glance(key: &[u8]) -> usize {
    let eight = |bytes: Option<&[u8; 8]>| bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let mixed = match key.len() {
        0..8 => key.iter().fold(0, |mixed, byte| (mixed << 8) | u64::from(*byte)),
        _ => eight(key.first_chunk()).rotate_left(23) ^ eight(key.last_chunk()),
    };
    ((mixed ^ key.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_key_and_new_names_announced_once() {
        let mut tally = Tally::default();
        for key in ["a", "b", "a"] {
            tally.samples(key.as_bytes(), || Some((Some("GET"), key.into()))).unwrap().add(Some(1), Some(true));
        }
        assert_eq!(tally.news().map(|(_, name)| name).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(tally.news().count(), 0);
        assert!(tally.samples(b"c", || None).is_none());
        let mut recorder = Recorder::new();
        tally.finish(&mut recorder);
        let run = recorder.finish().unwrap();
        assert_eq!(run.endpoint("GET /a").map(|endpoint| endpoint.requests), None);
        assert_eq!(run.endpoint("GET a").unwrap().requests, Some(2));
    }

    #[test]
    fn names_beyond_the_limit_are_left_to_the_recorder() {
        let mut tally = Tally::default();
        for n in 0..MAX_ENDPOINTS {
            assert!(tally.samples(&n.to_le_bytes(), || Some((None, "x".into()))).is_some());
        }
        assert!(tally.samples(b"one more", || Some((None, "x".into()))).is_none());
        assert!(tally.samples(&7_usize.to_le_bytes(), || None).is_some());
    }
}
