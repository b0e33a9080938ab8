//! Parser events into a spanned tree: duplicate keys, merge keys, anchors, and the limits.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput, Tag};

use super::split::Chunk;
use super::{
    Document, Entry, Fault, MAX_COPIED, MAX_DEPTH, MAX_FAULTS, MAX_NODES, Mark, Node, Step, Value, explain,
    scalar,
};

/// Ends the document: nothing after this point can be trusted.
struct Stop;

type Event_<'a> = (Event<'a>, Span);

/// Reads the documents of one chunk.
pub(super) struct Builder<'a> {
    chunk: Chunk<'a>,
    events: Parser<'a, StrInput<'a>>,
    /// Anchored values with their number of nodes.
    anchors: HashMap<usize, (Node, usize)>,
    faults: Vec<Fault>,
    path: Vec<Step>,
    /// Levels of values and keys around the current one.
    depth: usize,
    nodes: usize,
    copied: usize,
}

impl<'a> Builder<'a> {
    pub(super) fn new(chunk: Chunk<'a>) -> Self {
        Self {
            chunk,
            events: Parser::new_from_str(chunk.text),
            anchors: HashMap::new(),
            faults: Vec::new(),
            path: Vec::new(),
            depth: 0,
            nodes: 0,
            copied: 0,
        }
    }

    /// Appends the chunk's documents; the last one has no root when the text breaks off.
    pub(super) fn read(mut self, documents: &mut Vec<Document>) {
        loop {
            match self.document() {
                Ok(Some(root)) => {
                    let faults = std::mem::take(&mut self.faults);
                    documents.push(Document { root: Some(root), faults });
                }
                Ok(None) => return,
                Err(Stop) => {
                    return documents.push(Document { root: None, faults: self.faults });
                }
            }
        }
    }

    /// The next document, `None` at the end.
    fn document(&mut self) -> Result<Option<Node>, Stop> {
        self.anchors.clear();
        self.path.clear();
        (self.depth, self.nodes, self.copied) = (0, 0, 0);
        loop {
            match self.event()? {
                (Event::StreamEnd, _) => return Ok(None),
                (Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing, _) => {}
                event => return self.node(event).map(Some),
            }
        }
    }

    fn event(&mut self) -> Result<Event_<'a>, Stop> {
        match self.events.next_event() {
            Some(Ok(event)) => Ok(event),
            None => Ok((Event::StreamEnd, Span::default())),
            Some(Err(error)) => {
                let mark = self.mark(*error.marker());
                self.faults.push(explain::syntax(self.chunk, mark, error.info()));
                Err(Stop)
            }
        }
    }

    fn node(&mut self, (event, span): Event_<'a>) -> Result<Node, Stop> {
        let mark = self.mark(span.start);
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return self.stop(mark, format!("more than {MAX_NODES} values in one document"), "split it");
        }
        if self.depth > MAX_DEPTH {
            let message = format!("nested deeper than {MAX_DEPTH} levels");
            return self.stop(mark, message, "no field of a manifest is nested so deep: check the brackets");
        }
        let before = self.nodes;
        let plain = matches!(&event, Event::Scalar(_, ScalarStyle::Plain, _, None));
        self.depth += 1;
        let (anchor, value) = match event {
            Event::Alias(id) => {
                self.depth -= 1;
                return self.alias(id, mark);
            }
            Event::Scalar(text, style, anchor, tag) => (anchor, self.scalar(&text, style, tag, mark)),
            Event::SequenceStart(anchor, tag) => {
                self.collection_tag(tag, "seq", mark);
                (anchor, self.sequence()?)
            }
            Event::MappingStart(anchor, tag) => {
                self.collection_tag(tag, "map", mark);
                (anchor, self.mapping()?)
            }
            _ => return self.stop(mark, "the document ends in the middle".to_owned(), "complete it"),
        };
        self.depth -= 1;
        let node = Node { mark, plain, value };
        if anchor > 0 {
            let size = self.nodes - before + 1;
            self.copy_of(size, mark)?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Ok(node)
    }

    fn sequence(&mut self) -> Result<Value, Stop> {
        let mut items = Vec::new();
        loop {
            match self.event()? {
                (Event::SequenceEnd, _) => return Ok(Value::Sequence(items)),
                event => {
                    self.path.push(Step::Index(items.len()));
                    items.push(self.node(event)?);
                    self.path.pop();
                }
            }
        }
    }

    fn mapping(&mut self) -> Result<Value, Stop> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen = HashSet::new();
        let mut merges = Vec::new();
        loop {
            let (event, span) = self.event()?;
            if event == Event::MappingEnd {
                break;
            }
            let mark = self.mark(span.start);
            let merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, ..) if text == "<<");
            let key = self.key((event, span))?;
            self.path.push(Step::Key(key.clone()));
            let value = self.event()?;
            let node = self.node(value)?;
            if merge {
                self.merge_sources(node, &mut merges);
            } else if seen.insert(key.clone()) {
                entries.push(Entry { key, mark, node });
            } else {
                self.duplicate(&key, mark, &entries);
            }
            self.path.pop();
        }
        for entry in merges {
            if seen.insert(entry.key.clone()) {
                entries.push(entry);
            }
        }
        Ok(Value::Mapping(entries))
    }

    /// A key as text, the way Kubernetes' JSON has it.
    fn key(&mut self, event: Event_<'a>) -> Result<Box<str>, Stop> {
        let node = self.node(event)?;
        Ok(match node.value {
            Value::String(text) => text,
            Value::Number(number, _) => number.to_string().into(),
            Value::Bool(value) => value.to_string().into(),
            Value::Null => {
                self.fault(node.mark, "the key is empty".to_owned(), "write a name before the colon");
                "".into()
            }
            Value::Sequence(_) | Value::Mapping(_) if self.chunk.text.contains("{{") => {
                let (message, remedy) = explain::TEMPLATE;
                return self.stop(node.mark, message.to_owned(), remedy);
            }
            Value::Sequence(_) | Value::Mapping(_) => {
                let message = format!("a key must be text, and this is {}", node.kind());
                let remedy = "quote it if the brackets belong to the text";
                return self.stop(node.mark, message, remedy);
            }
        })
    }

    fn duplicate(&mut self, key: &str, mark: Mark, entries: &[Entry]) {
        let first = entries.iter().find(|entry| &*entry.key == key).map_or(0, |entry| entry.mark.line);
        self.fault(mark, format!("the key {key:?} is already at line {first}"), "keep one of the two");
    }

    /// `<<: *base` or `<<: [*one, *two]`: entries of the mapping itself win, then earlier ones.
    fn merge_sources(&mut self, node: Node, merges: &mut Vec<Entry>) {
        let mark = node.mark;
        match node.value {
            Value::Mapping(entries) => merges.extend(entries),
            Value::Sequence(items) if items.iter().all(|item| item.entries().is_some()) => {
                for item in items {
                    self.merge_sources(item, merges);
                }
            }
            _ => self.fault(mark, "<< merges mappings only".to_owned(), "write <<: *name of a mapping"),
        }
    }

    fn alias(&mut self, id: usize, mark: Mark) -> Result<Node, Stop> {
        let Some(size) = self.anchors.get(&id).map(|(_, size)| *size) else {
            return self.stop(mark, "the alias contains itself".to_owned(), "write the value out");
        };
        self.copy_of(size, mark)?;
        // The copy is part of whatever is anchored around it.
        self.nodes += size - 1;
        match self.anchors.get(&id) {
            Some((node, _)) => Ok(node.clone()),
            None => Err(Stop),
        }
    }

    fn copy_of(&mut self, size: usize, mark: Mark) -> Result<(), Stop> {
        self.copied = self.copied.saturating_add(size);
        if self.copied > MAX_COPIED {
            let message = format!("anchors and aliases copy more than {MAX_COPIED} values");
            return self.stop(mark, message, "write the values out");
        }
        Ok(())
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<Cow<'_, Tag>>, mark: Mark) -> Value {
        let resolved = match tag.as_deref() {
            None if style == ScalarStyle::Plain => scalar::resolve(text),
            None => return Value::String(text.into()),
            Some(tag) if tag.handle.is_empty() && tag.suffix == "!" => return Value::String(text.into()),
            Some(tag) if tag.is_yaml_core_schema() => return self.tagged(text, &tag.suffix, mark),
            Some(tag) => Err(unknown_tag(tag)),
        };
        resolved.unwrap_or_else(|(message, remedy)| {
            self.quoting_fault(mark, message, &remedy);
            Value::String(text.into())
        })
    }

    /// `!!str 5` and its like.
    fn tagged(&mut self, text: &str, wanted: &str, mark: Mark) -> Value {
        if wanted == "str" {
            return Value::String(text.into());
        }
        let value = scalar::resolve(text).unwrap_or_else(|_| Value::String(text.into()));
        let fits = match (&value, wanted) {
            (Value::Bool(_), "bool") | (Value::Null, "null") | (Value::Number(..), "float") => true,
            (Value::Number(number, _), "int") => number.is_i64() || number.is_u64(),
            _ => false,
        };
        if !fits {
            self.quoting_fault(mark, format!("{text:?} does not fit the tag !!{wanted}"), "remove the tag");
        }
        value
    }

    fn collection_tag(&mut self, tag: Option<Cow<'_, Tag>>, wanted: &str, mark: Mark) {
        let Some(tag) = tag else { return };
        if !(tag.is_yaml_core_schema() && tag.suffix == wanted) {
            let (message, remedy) = unknown_tag(&tag);
            self.fault(mark, message, &remedy);
        }
    }

    fn fault(&mut self, mark: Mark, message: String, remedy: &str) {
        if self.faults.len() < MAX_FAULTS {
            let (path, remedy) = (self.path.clone(), Some(remedy.to_owned()));
            self.faults.push(Fault { mark, path, message, remedy, quotes_value: false });
        }
    }

    /// A fault whose message repeats the value.
    fn quoting_fault(&mut self, mark: Mark, message: String, remedy: &str) {
        self.fault(mark, message, remedy);
        if let Some(fault) = self.faults.last_mut() {
            fault.quotes_value = true;
        }
    }

    fn stop<T>(&mut self, mark: Mark, message: String, remedy: &str) -> Result<T, Stop> {
        self.fault(mark, message, remedy);
        Err(Stop)
    }

    fn mark(&self, marker: Marker) -> Mark {
        let line = u32::try_from(marker.line()).unwrap_or(u32::MAX);
        Mark {
            line: line.saturating_add(self.chunk.line).saturating_sub(1).max(self.chunk.line),
            column: u32::try_from(marker.col()).unwrap_or(u32::MAX).saturating_add(1),
        }
    }
}

fn unknown_tag(tag: &Tag) -> (String, String) {
    (format!("the tag {tag} has no meaning in a manifest"), "remove it".to_owned())
}
