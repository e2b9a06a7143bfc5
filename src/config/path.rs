//! A place of the config file in words of the config: `suites.api.results[0]`. Reads the file once more, as a plain tree, and
//! only when there is a mistake to tell.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Location};

use super::wire::{Placed, Text, options};

/// The largest part of the file that begins at the place; empty for the file as a whole, and where its end cannot be read.
pub(super) fn of_value(text: &str, place: Location) -> String {
    search(text, &|node| same(node.place, place))
}

/// The settings that have a key at the place.
pub(super) fn of_owner(text: &str, place: Location) -> String {
    search(text, &|node| match &node.value {
        Tree::Settings(entries) => entries.iter().any(|(key, _)| same(key.place, place)),
        Tree::List(_) | Tree::Value => false,
    })
}

type Node = Placed<Tree>;

/// What can be in a file, whatever it means.
enum Tree {
    Value,
    List(Vec<Node>),
    Settings(Vec<(Text, Node)>),
}

fn same(one: Location, other: Location) -> bool {
    (one.line(), one.column()) == (other.line(), other.column())
}

fn search(text: &str, hit: &dyn Fn(&Node) -> bool) -> String {
    let mut options = options();
    // That one stands here twice is a mistake of its own, and already known.
    options.duplicate_keys = DuplicateKeyPolicy::PassThrough;
    let root = serde_saphyr::from_str_with_options::<Node>(text, options).ok();
    root.and_then(|root| below(&root, "", hit)).unwrap_or_default()
}

/// How deep it may go is limited where the file is read.
fn below(node: &Node, path: &str, hit: &dyn Fn(&Node) -> bool) -> Option<String> {
    if hit(node) {
        return Some(path.to_owned());
    }
    match &node.value {
        Tree::Value => None,
        Tree::List(items) => {
            items.iter().enumerate().find_map(|(index, node)| below(node, &format!("{path}[{index}]"), hit))
        }
        Tree::Settings(entries) => entries.iter().find_map(|(key, node)| {
            let dot = if path.is_empty() { "" } else { "." };
            below(node, &format!("{path}{dot}{}", key.value), hit)
        }),
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Tree;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("anything")
            }

            fn visit_bool<E>(self, _: bool) -> Result<Tree, E> {
                Ok(Tree::Value)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Tree, E> {
                Ok(Tree::Value)
            }

            fn visit_u64<E>(self, _: u64) -> Result<Tree, E> {
                Ok(Tree::Value)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Tree, E> {
                Ok(Tree::Value)
            }

            fn visit_str<E>(self, _: &str) -> Result<Tree, E> {
                Ok(Tree::Value)
            }

            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::Value)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tree, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Tree::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Tree::Settings(entries))
            }
        }
        input.deserialize_any(Any)
    }
}
