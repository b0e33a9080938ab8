//! The difference of two revisions as a plan: the earlier one is applied to a model of the database, the later one planned
//! against it. Nothing outside is asked.

use chrono::{DateTime, Utc};
use mailwright_plan::{Observed, Plan, Settings, plan, simulate};

use crate::feed::Feed;
use crate::operator::STANDALONE;
use crate::source::Snapshot;

/// What the later snapshot changes on an installation where the earlier one is in force. Guards speak as they would there.
pub fn diff(before: &Snapshot, after: &Snapshot, now: DateTime<Utc>) -> Plan {
    let settings = Settings::new(STANDALONE, now);
    let mut feed = Feed::default();
    feed.take(before, &settings.fingerprint_key);
    let first = plan(&feed.catalog, &Observed::default(), &settings);
    let observed = simulate::apply(&Observed::default(), &first, now);
    feed.take(after, &settings.fingerprint_key);
    plan(&feed.catalog, &observed, &settings)
}
