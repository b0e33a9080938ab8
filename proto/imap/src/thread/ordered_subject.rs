//! ORDEREDSUBJECT (RFC 5256 §3): messages of one base subject are a thread; the first is the parent of all others.

use super::Message;
use super::tree::{Forest, number};
use std::collections::HashMap;

pub(super) fn thread(messages: &[Message]) -> Forest {
    let mut forest = Forest::new(messages.len());
    let mut places: Vec<u32> = (0..number(messages.len())).collect();
    places.sort_by_key(|place| (messages[*place as usize].date, *place));
    let mut first: HashMap<u32, u32> = HashMap::new();
    for place in places {
        match first.get(&messages[place as usize].subject) {
            Some(parent) => forest.push(*parent, place),
            None => {
                first.insert(messages[place as usize].subject, place);
                forest.roots.push(place);
            }
        }
    }
    forest
}
