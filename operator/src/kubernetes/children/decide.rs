//! What to do about one child: leave it, write it, remove it, or say why not. Pure.

use kube_core::DynamicObject;
use serde_json::Value;

use super::covers::{covers, project};
use crate::workload::{Child, ChildKind, names};

/// The MailServer whose children are decided about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid: a MailServer made anew under the same name is another one.
    pub uid: String,
}

/// An object as it was last seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// Its kind; lists do not repeat it in the objects.
    pub kind: ChildKind,
    /// The object.
    pub object: Value,
}

impl Live {
    /// An object of a watch or a list, which say once for all what they are.
    pub fn of(kind: ChildKind, object: &DynamicObject) -> Live {
        // Nothing in an object of Kubernetes cannot be JSON: it came as JSON.
        let mut object = serde_json::to_value(object).unwrap_or_default();
        object["apiVersion"] = kind.api_version().into();
        object["kind"] = kind.as_str().into();
        Live { kind, object }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.object["metadata"]["name"].as_str().unwrap_or_default()
    }

    /// A number that grows with every write.
    pub fn version(&self) -> Option<u64> {
        self.object["metadata"]["resourceVersion"].as_str()?.parse().ok()
    }

    fn is_going(&self) -> bool {
        self.object["metadata"]["deletionTimestamp"].is_string()
    }

    fn controller(&self) -> Option<&Value> {
        let owners = self.object["metadata"]["ownerReferences"].as_array()?;
        owners.iter().find(|owner| owner["controller"] == Value::Bool(true))
    }

    fn is_labelled(&self, server: &str) -> bool {
        let labels = &self.object["metadata"]["labels"];
        names::labels(server).iter().all(|(key, value)| labels[key].as_str() == Some(value))
    }
}

/// What to do about one object.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Nothing.
    Keep,
    /// Write it whole.
    Apply,
    /// Remove it: it is ours and nobody wants it any more.
    Delete,
    /// Nothing now, because what is there must go first and is on its way.
    Wait(String),
    /// Nothing: it belongs to somebody else.
    Refuse(String),
}

/// Decides about one object that is desired, or live, or both.
///
/// `settled` is what the API server made of the same fields when they were last written, where that differs from what was
/// asked for: another writer (an admission webhook that rewrites images, say) has the last word, and asking again would
/// write for ever.
pub fn decide(
    owner: &Owner,
    desired: Option<&Child>,
    live: Option<&Live>,
    settled: Option<&Value>,
) -> Decision {
    match (desired, live) {
        (None, None) => Decision::Keep,
        (Some(_), None) => Decision::Apply,
        (None, Some(live)) => surplus(owner, live),
        (Some(child), Some(live)) => match stands_in_the_way(owner, child, live) {
            Some(decision) => decision,
            None if covers(&live.object, &child.object) => Decision::Keep,
            None if settled.is_some_and(|settled| *settled == project(&live.object, &child.object)) => {
                Decision::Keep
            }
            None => Decision::Apply,
        },
    }
}

/// Removed is only what carries all our labels and is controlled by this very MailServer.
fn surplus(owner: &Owner, live: &Live) -> Decision {
    let ours = live.controller().is_some_and(|controller| controller["uid"].as_str() == Some(&owner.uid));
    match ours && live.is_labelled(&owner.name) && !live.is_going() {
        true => Decision::Delete,
        false => Decision::Keep,
    }
}

fn stands_in_the_way(owner: &Owner, child: &Child, live: &Live) -> Option<Decision> {
    let title = child.title();
    if live.is_going() {
        return Some(Decision::Wait(format!("{title} is being removed; it is made again after that")));
    }
    let Some(controller) = live.controller() else {
        // Ours by its labels, with the owner taken off: restored from a backup, for example.
        let foreign = !live.is_labelled(&owner.name);
        return foreign.then(|| Decision::Refuse(foreign_message(owner, &title, "nobody")));
    };
    let text = |field: &str| controller[field].as_str().unwrap_or_default();
    if text("uid") == owner.uid {
        return None;
    }
    if text("kind") == "MailServer" && text("name") == owner.name {
        let message =
            format!("{title} belongs to an earlier MailServer {} and is about to be removed", owner.name);
        return Some(Decision::Wait(message));
    }
    let holder = format!("{} {}", text("kind"), text("name"));
    Some(Decision::Refuse(foreign_message(owner, &title, &holder)))
}

fn foreign_message(owner: &Owner, title: &str, holder: &str) -> String {
    format!(
        "{title} exists and belongs to {holder}, not to MailServer {}; delete it, or create the MailServer under another name",
        owner.name
    )
}

#[cfg(test)]
mod tests;
