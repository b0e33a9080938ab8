//! The records that `mailwright get` shows: specs as declared with their generations, statuses as computed. What is
//! declared no more is forgotten, unless its removal is held back or cannot be told from a broken file.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use mailwright_plan::{Catalog, ObjectRef, Plan};
use serde_json::Value;

use crate::accounts::Record;

/// The records that are kept, by object.
pub type Kept = BTreeMap<ObjectRef, Record>;

/// Numbers each declared object: one more than before when its spec changed, 1 for a new one. Answers the specs.
pub fn number(catalog: &mut Catalog, kept: &Kept) -> BTreeMap<ObjectRef, (i64, Value)> {
    let mut specs = BTreeMap::new();
    for entry in catalog.entries() {
        let object = entry.object();
        let value = entry.resource.to_value().unwrap_or_default();
        let spec = value.get("spec").cloned().unwrap_or_default();
        let generation = match kept.get(&object) {
            None => 1,
            Some(record) if record.spec == spec => record.generation,
            Some(record) => record.generation + 1,
        };
        specs.entry(object).or_insert((generation, spec));
    }
    catalog.set_generations(|object| specs.get(object).map(|(generation, _)| *generation));
    specs
}

/// What to write and what to forget, given the statuses of this pass. Records that are equal to what is kept are left out.
pub fn changes(
    specs: BTreeMap<ObjectRef, (i64, Value)>,
    statuses: Vec<(ObjectRef, Value)>,
    plan: &Plan,
    kept: &Kept,
    now: DateTime<Utc>,
) -> (Vec<Record>, Vec<ObjectRef>) {
    let mut specs = specs;
    let mut staying: BTreeSet<ObjectRef> = plan.kept.iter().map(|kept| kept.object.clone()).collect();
    staying.extend(plan.held().map(|operation| operation.object.clone()));
    let mut records = Vec::new();
    for (object, status) in statuses {
        staying.insert(object.clone());
        let declared = specs.remove(&object);
        let declared =
            declared.or_else(|| kept.get(&object).map(|record| (record.generation, record.spec.clone())));
        let Some((generation, spec)) = declared else { continue };
        let created = kept.get(&object).map_or(now, |record| record.created);
        let record = Record { object: object.clone(), generation, created, spec, status };
        if kept.get(&object) != Some(&record) {
            records.push(record);
        }
    }
    let forgotten = kept.keys().filter(|object| !staying.contains(object)).cloned().collect();
    (records, forgotten)
}
