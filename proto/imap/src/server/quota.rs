//! GETQUOTA and GETQUOTAROOT (RFC 9208 §4.1): one quota root for the whole account. SETQUOTA is refused: a quota is declared
//! with its mailbox.

use super::ask::{self, Answer, Ask, Refusal};
use super::task::{Context, Done, Step};
use crate::MailboxName;
use crate::response::Out;

/// The name of the only quota root.
const ROOT: &[u8] = b"";
/// The unit of STORAGE (RFC 9208 §5.1).
const UNIT: u64 = 1024;

#[derive(Debug)]
pub(super) enum Quota {
    /// GETQUOTA with this name.
    Named(Vec<u8>),
    /// GETQUOTAROOT of a mailbox that is still to be looked up.
    Of(MailboxName),
    /// GETQUOTAROOT of a mailbox that exists.
    Known(MailboxName),
}

impl Quota {
    pub(super) fn run(&mut self) -> Step {
        match self {
            Quota::Named(root) if root != ROOT => Done::refused(Refusal::NonExistent).into(),
            Quota::Of(name) => Step::Ask(Ask::Status { name: name.clone() }),
            Quota::Named(_) | Quota::Known(_) => Step::Ask(Ask::Quota),
        }
    }

    pub(super) fn answer(&mut self, cx: &mut Context<'_>, answer: Answer) -> Step {
        match (&*self, answer) {
            (Quota::Of(name), Answer::Status(_)) => {
                *self = Quota::Known(name.clone());
                Step::Again
            }
            (Quota::Named(_), Answer::Quota(quota)) => {
                write(cx.out, &quota);
                Done::ok("GETQUOTA completed").into()
            }
            (Quota::Known(name), Answer::Quota(quota)) => {
                cx.out.put("* QUOTAROOT ").mailbox(name, cx.modes.utf8_names()).put(' ').astring(ROOT).end();
                write(cx.out, &quota);
                Done::ok("GETQUOTAROOT completed").into()
            }
            (_, other) => Done::unexpected(other).into(),
        }
    }
}

/// `* QUOTA root (resource usage limit …)`; what is not limited is left out (RFC 9208 §4.2.1).
fn write(out: &mut Out, quota: &ask::Quota) {
    let (used, limit) = quota.octets;
    let storage = limit.map(|limit| ("STORAGE", used.div_ceil(UNIT), limit.div_ceil(UNIT)));
    let messages = ("MESSAGE", quota.messages.0, quota.messages.1);
    out.put("* QUOTA ").astring(ROOT).put(' ');
    out.list(storage.into_iter().chain([messages]), |out, (name, usage, limit)| {
        out.put(name).put(' ').put(usage).put(' ').put(limit);
    });
    out.end();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::response::tests::written;

    fn check(octets: (u64, Option<u64>), expected: &str) {
        let quota = ask::Quota { octets, messages: (7, 1000) };
        assert_eq!(written(|out| write(out, &quota)), expected);
    }

    #[test]
    fn usage_and_limits() {
        check((10 * 1024, Some(512 * 1024)), "* QUOTA \"\" (STORAGE 10 512 MESSAGE 7 1000)\r\n");
        check((1, Some(1)), "* QUOTA \"\" (STORAGE 1 1 MESSAGE 7 1000)\r\n");
        check((5, None), "* QUOTA \"\" (MESSAGE 7 1000)\r\n");
    }

    #[test]
    fn other_roots_do_not_exist() {
        assert!(matches!(Quota::Named(b"x".to_vec()).run(), Step::Done(_)));
        assert!(matches!(Quota::Named(Vec::new()).run(), Step::Ask(Ask::Quota)));
    }
}
