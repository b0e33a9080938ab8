//! One object with everything around it that a policy may ask about. Views are made when they are asked for, once, and what was
//! asked is noted: a verdict holds as long as the answers do.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use mailwright_crds::Resource;
use serde_json::Value as Json;

use super::view;
use crate::cel::{Host, Value};
use crate::domain::domain_of;
use crate::export::Row;

/// A domain or server: declared, or only running, or neither.
#[derive(Clone, Copy)]
pub(super) enum Around<'a> {
    Declared(&'a Resource, &'a OnceCell<Json>),
    Running(mailwright_crds::Kind, Row<'a>, &'a OnceCell<Json>),
    Nothing,
}

impl<'a> Around<'a> {
    fn value(self) -> Value<'a> {
        match self {
            Around::Declared(resource, cell) => Value::of(cell.get_or_init(|| view::object(resource))),
            Around::Running(kind, row, cell) => Value::of(cell.get_or_init(|| view::row(kind, row))),
            Around::Nothing => Value::Null,
        }
    }
}

/// What was asked about beside the object itself.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Domains of addresses, with whether each is served elsewhere.
    pub(super) external: RefCell<BTreeMap<String, bool>>,
    pub(super) domain: Cell<bool>,
    pub(super) server: Cell<bool>,
    /// The running object or the time: nothing that can be remembered.
    pub(super) fleeting: Cell<bool>,
}

/// The views of an object, filled when they are looked at.
#[derive(Default)]
pub(super) struct Views {
    object: OnceCell<Json>,
    old: OnceCell<Json>,
}

/// One object and what is around it.
pub(super) struct Scene<'a> {
    pub(super) resource: &'a Resource,
    pub(super) old: Option<Row<'a>>,
    pub(super) domain: Around<'a>,
    pub(super) server: Around<'a>,
    pub(super) now: DateTime<Utc>,
    /// Whether a domain is served here.
    pub(super) served: &'a dyn Fn(&str) -> bool,
    pub(super) views: &'a Views,
    pub(super) asked: &'a Asked,
}

impl<'a> Scene<'a> {
    fn metadata(&self, of: &Option<BTreeMap<String, String>>, key: &str) -> Value<'a> {
        Value::made(of.as_ref().and_then(|texts| texts.get(key)).map_or("", String::as_str))
    }

    fn external(&self, address: &str) -> Result<Value<'a>, String> {
        let domain = domain_of(address);
        if domain.is_empty() || !address.contains('@') {
            return Err("external takes an e-mail address".to_owned());
        }
        let external = !(self.served)(domain);
        self.asked.external.borrow_mut().insert(domain.to_owned(), external);
        Ok(Value::Bool(external))
    }
}

impl<'a> Host<'a> for Scene<'a> {
    fn variable(&self, name: &str) -> Option<Value<'a>> {
        let (resource, old) = (self.resource, self.old);
        Some(match name {
            "object" => Value::of(self.views.object.get_or_init(|| view::object(resource))),
            "oldObject" => {
                self.asked.fleeting.set(true);
                match old {
                    Some(row) => Value::of(self.views.old.get_or_init(|| view::row(resource.kind(), row))),
                    None => Value::Null,
                }
            }
            "domain" => {
                self.asked.domain.set(true);
                self.domain.value()
            }
            "server" => {
                self.asked.server.set(true);
                self.server.value()
            }
            "now" => {
                self.asked.fleeting.set(true);
                Value::Time(self.now)
            }
            _ => return None,
        })
    }

    fn call(&self, name: &str, args: &[Value<'a>]) -> Option<Result<Value<'a>, String>> {
        let [argument] = args else { return None };
        let Some(text) = argument.as_text() else {
            return Some(Err(format!("{name} takes a text, and this is {}", argument.what())));
        };
        let metadata = self.resource.metadata();
        Some(match name {
            "external" => self.external(text),
            "label" => Ok(self.metadata(&metadata.labels, text)),
            "annotation" => Ok(self.metadata(&metadata.annotations, text)),
            "domainOf" => Ok(Value::made(text.rsplit_once('@').map_or("", |(_, domain)| domain))),
            "localPart" => Ok(Value::made(text.rsplit_once('@').map_or(text, |(local, _)| local))),
            _ => return None,
        })
    }
}
