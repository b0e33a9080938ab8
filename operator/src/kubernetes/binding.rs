//! Which account database belongs to a MailServer: the first that answers is bound, and another one later (a volume that was
//! lost, a backup of something else) is not touched until somebody accepts it. Pure.

/// What a MailServer says of its database, and which one answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim<'a> {
    /// `status.databaseID`.
    pub bound: Option<&'a str>,
    /// The annotation `mailwright.dev/accept-database`.
    pub accepted: Option<&'a str>,
    /// The one that answers.
    pub found: &'a str,
}

/// What that means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Binding {
    /// It is the bound one.
    Bound,
    /// Bind it before anything is written to it.
    Bind,
    /// It is another one.
    Replaced {
        /// What is wrong and what to do.
        message: String,
    },
}

/// Decides.
pub fn decide(claim: Claim<'_>) -> Binding {
    let Claim { bound, accepted, found } = claim;
    match bound {
        Some(bound) if bound == found => Binding::Bound,
        Some(_) if accepted == Some(found) => Binding::Bind,
        None => Binding::Bind,
        Some(bound) => Binding::Replaced {
            message: format!(
                "the volume holds the database {found}, and this server is bound to {bound}: nothing is written to it; restore \
                 the volume, or accept what is there: kubectl annotate mailserver NAME mailwright.dev/accept-database={found}"
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_or_an_accepted_database_is_bound() {
        let check = |bound, accepted, expected: Option<Binding>| {
            let binding = decide(Claim { bound, accepted, found: "new" });
            match expected {
                Some(expected) => assert_eq!(binding, expected, "{bound:?} {accepted:?}"),
                None => {
                    let Binding::Replaced { message } = binding else {
                        panic!("{bound:?} {accepted:?}: {binding:?}")
                    };
                    assert!(message.contains("accept-database=new") && message.contains("old"), "{message}");
                }
            }
        };
        check(None, None, Some(Binding::Bind));
        check(None, Some("other"), Some(Binding::Bind));
        check(Some("new"), None, Some(Binding::Bound));
        check(Some("new"), Some("old"), Some(Binding::Bound));
        check(Some("old"), None, None);
        check(Some("old"), Some("third"), None);
        check(Some("old"), Some("new"), Some(Binding::Bind));
    }
}
