//! Which rows of other sources, or of nobody, a plan may take over: on proof, or because the settings say so.
//!
//! The proof is a token of the source that manages the row, which only who may see that source's state knows. A source that a
//! row was taken from does not take it back by settings alone: so two sources never take turns.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use mailwright_crds::well_known::ADOPT_ANNOTATION;
use serde::Serialize;

use crate::catalog::Entry;
use crate::domain::domain_of;
use crate::draft::Candidate;
use crate::field;
use crate::observed::{MailboxDeclared, Observed, Owner};
use crate::reference::Kind;
use crate::settings::{Adoption, Settings};

/// Hexadecimal digits of a token: 128 bits, which nobody guesses.
const TOKEN_DIGITS: usize = 32;

/// What lets others take over the rows of a source: made of its id with the installation's key, so that nobody can make it
/// who may not see that source's state. It never changes; who gave it away by mistake changes the source's name.
pub fn token(fingerprint_key: &[u8; 32], source_id: &str) -> String {
    let mut hasher = blake3::Hasher::new_keyed(fingerprint_key);
    hasher.update(b"adopt\0").update(source_id.as_bytes());
    hasher.finalize().to_hex()[..TOKEN_DIGITS].to_owned()
}

/// What was decided of the rows that are declared here and managed elsewhere.
#[derive(Debug, Default)]
pub(crate) struct Adoptions {
    /// Rows of other sources that may be taken over.
    taken: BTreeSet<(Kind, String)>,
    /// Rows that nobody manages and that must not be.
    refused: BTreeSet<(Kind, String)>,
}

impl Adoptions {
    /// Whether a row of another source may be taken over.
    pub(crate) fn takes(&self, kind: Kind, key: &str) -> bool {
        !self.taken.is_empty() && self.taken.contains(&(kind, key.to_owned()))
    }

    /// Whether a row that nobody manages stays so.
    pub(crate) fn refuses(&self, kind: Kind, key: &str) -> bool {
        !self.refused.is_empty() && self.refused.contains(&(kind, key.to_owned()))
    }

    /// Decides about the rows of one kind.
    pub(crate) fn decide<'a, T: Serialize + PartialEq + 'a>(
        &mut self,
        settings: &Settings,
        candidates: &[Candidate<'_, T>],
        rows: impl Iterator<Item = (&'a str, Option<&'a Owner>, &'a T)>,
        key: impl Fn(&T) -> &str,
        identical: impl Fn(&T, &T) -> bool,
    ) {
        let foreign = |owner: Option<&Owner>| owner.is_none_or(|it| it.managed_by != settings.source_id);
        let rows: Vec<_> = rows.filter(|(_, owner, _)| foreign(*owner)).collect();
        if rows.is_empty() {
            return;
        }
        let by_key: HashMap<&str, &Candidate<'_, T>> =
            candidates.iter().map(|candidate| (key(&candidate.declared), candidate)).collect();
        for (name, owner, row) in rows {
            let Some(candidate) = by_key.get(name) else { continue };
            let may = may(settings, candidate.entry, owner, || identical(&candidate.declared, row));
            let place = (candidate.object.kind, name.to_owned());
            match (owner, may) {
                (Some(_), true) => drop(self.taken.insert(place)),
                (None, false) => drop(self.refused.insert(place)),
                _ => {}
            }
        }
    }
}

fn may(settings: &Settings, entry: &Entry, owner: Option<&Owner>, identical: impl FnOnce() -> bool) -> bool {
    let Some(owner) = owner else {
        return match settings.adoption {
            Adoption::Unmanaged | Adoption::Force => true,
            Adoption::IfIdentical => identical(),
            Adoption::Never => false,
        };
    };
    if proves(settings, entry, owner) {
        return true;
    }
    let taken_from_here = owner.former.as_ref() == Some(&settings.source_id);
    match settings.adoption {
        _ if taken_from_here => false,
        Adoption::Force => true,
        Adoption::IfIdentical => identical(),
        Adoption::Unmanaged | Adoption::Never => false,
    }
}

/// Whether the object or the settings name the token of the row's source. Digests compare in constant time.
fn proves(settings: &Settings, entry: &Entry, owner: &Owner) -> bool {
    let expected = blake3::hash(token(&settings.fingerprint_key, &owner.managed_by).as_bytes());
    let annotations = entry.resource.metadata().annotations.as_ref();
    let said = annotations.and_then(|all| all.get(ADOPT_ANNOTATION));
    let mut given = said.into_iter().chain(&settings.adoption_tokens);
    given.any(|given| blake3::hash(given.trim().as_bytes()) == expected)
}

/// Equal as far as manifests can say it.
pub(crate) fn identical<T: Serialize + PartialEq>(declared: &T, row: &T) -> bool {
    declared == row || field::diff(declared, row).is_empty()
}

/// The same of mailboxes, of which one without a quota has that of its domain.
pub(crate) fn identical_mailbox(
    quotas: &BTreeMap<&str, Option<u64>>,
    declared: &MailboxDeclared,
    row: &MailboxDeclared,
) -> bool {
    let of_domain = quotas.get(domain_of(&declared.address)).copied().flatten();
    let declared = MailboxDeclared { quota: declared.quota.or(of_domain), ..declared.clone() };
    identical(&declared, row)
}

/// The default quotas of domains as they run, under those that are declared.
pub(crate) fn quotas<'a>(
    observed: &'a Observed,
    declared: impl Iterator<Item = &'a crate::observed::DomainDeclared>,
) -> BTreeMap<&'a str, Option<u64>> {
    let rows = observed.domains.iter().map(|row| &*row.declared);
    rows.chain(declared).map(|it| (it.domain.as_str(), it.limits.default_quota)).collect()
}
