//! Answers about quotas (RFC 9208) and annotations (RFC 5464).

use mailwright_imap::{Answer, MailboxName, Quota, Refusal};
use mailwright_store::mailbox::ANNOTATION_MAX;
use mailwright_store::{AccountId, Error};

use super::Driver;
use super::refusal::refused;

impl Driver {
    pub(super) async fn quota(&self, account: AccountId) -> Answer {
        match self.context.store.mail().quota(account).await {
            Ok(quota) => Answer::Quota(Quota {
                octets: (quota.bytes, quota.bytes_limit),
                messages: (quota.messages, quota.messages_limit),
            }),
            Err(error) => refused(&error),
        }
    }

    pub(super) async fn metadata(&self, account: AccountId, mailbox: Option<&MailboxName>) -> Answer {
        match self.context.store.mail().annotations(account, mailbox.map(MailboxName::as_str)).await {
            Ok(annotations) => Answer::Metadata(annotations),
            Err(error) => refused(&error),
        }
    }

    pub(super) async fn set_metadata(
        &self,
        account: AccountId,
        mailbox: Option<&MailboxName>,
        entries: Vec<(String, Option<Vec<u8>>)>,
    ) -> Answer {
        if entries.iter().any(|(_, value)| value.as_ref().is_some_and(|value| value.len() > ANNOTATION_MAX)) {
            return Answer::Refused(Refusal::MetadataSize(u32::try_from(ANNOTATION_MAX).unwrap_or(u32::MAX)));
        }
        match self.context.store.mail().annotate(account, mailbox.map(MailboxName::as_str), entries).await {
            Ok(()) => Answer::Done,
            Err(Error::Limit { .. }) => Answer::Refused(Refusal::MetadataCount),
            Err(error) => refused(&error),
        }
    }
}
