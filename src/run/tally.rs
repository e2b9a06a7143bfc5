//! One thread's share of a [`Recorder`]: single requests of known endpoints, added up apart from the other threads.
//!
//! Only plain requests come here, failed ones too. What is unusual about a file goes to the recorder itself, in the order of the file, so
//! every decision that depends on order (which endpoints and error kinds are kept, which bad row is the first) is its own.

use std::borrow::Cow;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::recorder::{MAX_ENDPOINTS, MAX_ERRORS, Names, Recorder, Samples};

/// Longest key kept.
const MAX_KEY: usize = 4_096;
/// Places of the small table in front of the map; a power of two.
const RECENT: usize = 1 << RECENT_BITS;
const RECENT_BITS: u32 = 10;

/// Counts and latencies by endpoint, where an endpoint is known by the bytes that name it in the file.
#[derive(Debug)]
pub struct Tally {
    slots: Vec<Slot>,
    places: FxHashMap<Box<[u8]>, u32>,
    /// Slots lately used, by a cheap look at the key: most files hold a handful of names.
    recent: Box<[u32; RECENT]>,
    /// Slots before this one were announced.
    announced: usize,
    /// Where the kinds of failure are that were not announced.
    failures: Vec<(u32, usize)>,
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
    kinds: Vec<Kind>,
}

/// Where requests are counted.
#[derive(Debug, Clone, Copy)]
pub enum Place {
    /// By name.
    Slot(u32),
    /// The recorder would not keep the endpoint by name.
    Others,
}

/// A kind of failure.
#[derive(Debug)]
struct Kind {
    /// What names it in the file.
    code: Box<[u8]>,
    message: String,
    /// How often it happened after the first time, which is announced.
    more: u64,
}

/// What a tally has seen for the first time.
#[derive(Debug, PartialEq, Eq)]
pub struct News {
    /// The endpoint's method.
    pub method: Option<String>,
    /// The endpoint's name.
    pub name: String,
    /// The kind of failure; without one the endpoint itself is new.
    pub failure: Option<String>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            places: FxHashMap::default(),
            recent: Box::new([0; RECENT]),
            announced: 0,
            failures: Vec::new(),
            full: None,
            others: None,
            scratch: Vec::new(),
        }
    }
}

impl Tally {
    /// What was counted under `key`. A new key is named by `name`; `None` if that knows no name, or there are too many.
    #[expect(clippy::inline_always, reason = "once for each row: what is constant at the call decides most of it")]
    #[inline(always)]
    pub fn samples<'n>(
        &mut self,
        key: &[u8],
        name: impl FnOnce() -> Option<(Option<&'n str>, Cow<'n, str>)>,
    ) -> Option<&mut Samples> {
        let place = self.place(key, name)?;
        self.at(place)
    }

    /// What was counted there.
    #[expect(clippy::inline_always, reason = "once for each row: what is constant at the call decides most of it")]
    #[inline(always)]
    pub fn at(&mut self, place: Place) -> Option<&mut Samples> {
        match place {
            Place::Slot(place) => Some(&mut self.slots.get_mut(place as usize)?.samples),
            Place::Others => Some(self.others.get_or_insert_with(Samples::new)),
        }
    }

    /// As [`Tally::samples`] for a request that failed, the kind of which is known by the bytes `code` and called `kind`.
    #[cold]
    pub fn failed<'n>(
        &mut self,
        key: &[u8],
        name: impl FnOnce() -> Option<(Option<&'n str>, Cow<'n, str>)>,
        code: &[u8],
        kind: impl FnOnce() -> String,
    ) -> Option<Place> {
        if code.len() > MAX_KEY {
            return None;
        }
        let Place::Slot(place) = self.place(key, name)? else { return None };
        let slot = self.slots.get_mut(place as usize)?;
        if let Some(known) = slot.kinds.iter_mut().find(|known| *known.code == *code) {
            known.more += 1;
        } else if slot.kinds.len() < MAX_ERRORS {
            self.failures.push((place, slot.kinds.len()));
            slot.kinds.push(Kind { code: code.into(), message: kind(), more: 0 });
        } else {
            return None;
        }
        Some(Place::Slot(place))
    }

    /// Where requests of `key` are counted.
    #[expect(clippy::inline_always, reason = "once for each row: what is constant at the call decides most of it")]
    #[inline(always)]
    fn place<'n>(
        &mut self,
        key: &[u8],
        name: impl FnOnce() -> Option<(Option<&'n str>, Cow<'n, str>)>,
    ) -> Option<Place> {
        let at = glance(key);
        let recent = *self.recent.get(at)?;
        let place = match self.slots.get(recent as usize) {
            Some(slot) if same(&slot.key, key) => recent,
            _ => {
                let place = if let Some(place) = self.places.get(key) {
                    *place
                } else {
                    let (method, name) = name()?;
                    if self.is_beyond(method, &name)? {
                        return Some(Place::Others);
                    }
                    self.add(key, method, name)?
                };
                *self.recent.get_mut(at)? = place;
                place
            }
        };
        Some(Place::Slot(place))
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
        let method = method.map(str::to_owned);
        self.slots.push(Slot { key: key.into(), method, name: name.into(), samples, kinds: Vec::new() });
        self.places.insert(key.into(), place);
        Some(place)
    }

    /// What is new since the last call: names in order, then kinds of failure in order.
    pub fn news(&mut self) -> impl Iterator<Item = News> {
        let from = std::mem::replace(&mut self.announced, self.slots.len());
        let names = self.slots.iter().skip(from).map(|slot| slot.news(None));
        let kinds = self.failures.drain(..).filter_map(|(place, kind)| {
            let slot = self.slots.get(place as usize)?;
            Some(slot.news(slot.kinds.get(kind).map(|kind| kind.message.clone())))
        });
        names.chain(kinds)
    }

    /// Hands everything to the recorder.
    pub fn finish(self, recorder: &mut Recorder) {
        if let Some(samples) = self.others {
            recorder.others().add_samples(samples);
        }
        for slot in self.slots {
            let draft = recorder.endpoint(slot.method.as_deref(), &slot.name);
            draft.add_samples(slot.samples);
            for kind in slot.kinds {
                draft.error(&kind.message, kind.more);
            }
        }
    }
}

impl Slot {
    fn news(&self, failure: Option<String>) -> News {
        News { method: self.method.clone(), name: self.name.clone(), failure }
    }
}

/// As `==`, but without a call for names as long as most are.
#[expect(clippy::inline_always, reason = "once for each row: what is constant at the call decides most of it")]
#[inline(always)]
fn same(own: &[u8], other: &[u8]) -> bool {
    own.len() == other.len()
        && match own.len() {
            16..=32 => ends::<16>(own) == ends(other),
            33..=64 => ends::<32>(own) == ends(other),
            _ => own == other,
        }
}

/// The first and the last bytes.
#[expect(clippy::inline_always, reason = "once for each row: what is constant at the call decides most of it")]
#[inline(always)]
fn ends<const BYTES: usize>(bytes: &[u8]) -> Option<(&[u8; BYTES], &[u8; BYTES])> {
    bytes.first_chunk().zip(bytes.last_chunk())
}

/// A number below [`RECENT`] from the ends of the key.
#[expect(clippy::inline_always, reason = "once for each row: what is constant at the call decides most of it")]
#[inline(always)]
fn glance(key: &[u8]) -> usize {
    let eight = |bytes: Option<&[u8; 8]>| bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let mixed = match key.len() {
        0..8 => key.iter().fold(0, |mixed, byte| (mixed << 8) | u64::from(*byte)),
        _ => eight(key.first_chunk()).rotate_left(23) ^ eight(key.last_chunk()),
    };
    ((mixed ^ key.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - RECENT_BITS)) as usize
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
        assert_eq!(tally.news().map(|news| news.name).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(tally.news().count(), 0);
        assert!(tally.samples(b"c", || None).is_none());
        let mut recorder = Recorder::new();
        tally.finish(&mut recorder);
        let run = recorder.finish().unwrap();
        assert_eq!(run.endpoint("GET /a").map(|endpoint| endpoint.requests), None);
        assert_eq!(run.endpoint("GET a").unwrap().requests, Some(2));
    }

    #[test]
    fn kinds_of_failure_are_announced_once_and_counted_after_that() {
        let mut tally = Tally::default();
        for code in ["500", "404", "500"] {
            let kind = || format!("HTTP {code}");
            let place = tally.failed(b"a", || Some((None, "a".into())), code.as_bytes(), kind).unwrap();
            tally.at(place).unwrap().add(Some(1), Some(false));
        }
        let mut recorder = Recorder::new();
        let news: Vec<_> = tally.news().map(|news| news.failure).collect();
        assert_eq!(news, [None, Some("HTTP 500".to_owned()), Some("HTTP 404".to_owned())]);
        assert_eq!(tally.news().count(), 0);
        for kind in news.into_iter().flatten() {
            recorder.endpoint(None, "a").error(&kind, 1);
        }
        tally.finish(&mut recorder);
        let run = recorder.finish().unwrap();
        let endpoint = run.endpoint("a").unwrap();
        assert_eq!((endpoint.requests, endpoint.failures), (Some(3), Some(3)));
        let errors: Vec<_> = endpoint.errors.iter().map(|error| (error.message.as_str(), error.count)).collect();
        assert_eq!(errors, [("HTTP 500", 2), ("HTTP 404", 1)]);
    }

    #[test]
    fn more_kinds_than_are_kept_are_left_to_the_recorder() {
        let mut tally = Tally::default();
        let mut fail = |code: usize| {
            let code = code.to_le_bytes();
            tally.failed(b"a", || Some((None, "a".into())), &code, String::new).is_some()
        };
        assert!((0..MAX_ERRORS).all(&mut fail));
        assert!(!fail(MAX_ERRORS) && fail(7));
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
