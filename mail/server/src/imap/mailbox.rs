//! Answers about mailboxes: LIST, LSUB, CREATE, DELETE, RENAME, SUBSCRIBE, STATUS, SELECT (RFC 3501 §6.3).

use mailwright_imap::{Answer, ListEntry, MailboxName, Row, SpecialUse, Status};
use mailwright_store::{AccountId, Result};

use super::refusal::{refused, refused_target};
use super::{Driver, Selected};

impl Driver {
    pub(super) async fn list(&self, account: AccountId) -> Answer {
        match self.context.store.mail().list(account).await {
            Ok(listing) => {
                let entry = |folder: &mailwright_store::Folder| {
                    // The store's rules for names are the session's; a name from before a rule was tightened is not
                    // listed rather than written in bad syntax.
                    let name = MailboxName::new(&folder.name).ok()?;
                    let special_use = folder.special_use.map(special_use);
                    Some(ListEntry { name, selectable: !folder.noselect, special_use })
                };
                Answer::Mailboxes(listing.folders.iter().filter_map(entry).collect())
            }
            Err(error) => refused(&error),
        }
    }

    pub(super) async fn subscriptions(&self, account: AccountId) -> Answer {
        match self.context.store.mail().list(account).await {
            Ok(listing) => {
                let names = listing.subscriptions.iter().filter_map(|name| MailboxName::new(name).ok());
                Answer::Subscriptions(names.collect())
            }
            Err(error) => refused(&error),
        }
    }

    pub(super) async fn create(
        &self,
        account: AccountId,
        name: &MailboxName,
        special: Option<SpecialUse>,
    ) -> Answer {
        let mail = self.context.store.mail();
        let created = match special {
            Some(special) => mail.create_for(account, name.as_str(), stored_use(special)).await,
            None => mail.create(account, name.as_str()).await,
        };
        match created {
            Ok(folder) => Answer::Created { mailbox_id: folder.0.unsigned_abs() },
            Err(error) => refused(&error),
        }
    }

    pub(super) async fn delete(&self, account: AccountId, name: &MailboxName) -> Answer {
        done(self.context.store.mail().delete(account, name.as_str()).await)
    }

    pub(super) async fn rename(&self, account: AccountId, from: &MailboxName, to: &MailboxName) -> Answer {
        done(self.context.store.mail().rename(account, from.as_str(), to.as_str()).await)
    }

    pub(super) async fn subscribe(&self, account: AccountId, name: &MailboxName) -> Answer {
        done(self.context.store.mail().subscribe(account, name.as_str()).await)
    }

    pub(super) async fn unsubscribe(&self, account: AccountId, name: &MailboxName) -> Answer {
        done(self.context.store.mail().unsubscribe(account, name.as_str()).await)
    }

    pub(super) async fn status(&self, account: AccountId, name: &MailboxName) -> Answer {
        match self.context.store.mail().status(account, name.as_str()).await {
            Ok(status) => Answer::Status(Status {
                messages: status.messages,
                recent: status.recent,
                uid_next: status.uid_next,
                uid_validity: status.uid_validity,
                unseen: status.unseen,
                deleted: status.deleted,
                highest_modseq: status.highest_modseq,
                size: status.size,
                mailbox_id: status.folder.0.unsigned_abs(),
            }),
            Err(error) => refused(&error),
        }
    }

    /// SELECT and EXAMINE: what was selected is dropped first, whatever comes of it (RFC 3501 §6.3.1). The watch begins
    /// before the snapshot is taken, so that no change falls between the two.
    pub(super) async fn select(&mut self, account: AccountId, name: &MailboxName, read_only: bool) -> Answer {
        self.selected = None;
        let mail = self.context.store.mail();
        let folder = match mail.find(account, name.as_str()).await {
            Ok(folder) => folder,
            Err(error) => return refused(&error),
        };
        let news = self.context.store.watch(folder);
        let selected = match mail.select(account, name.as_str(), !read_only).await {
            Ok(selected) if selected.folder == folder => selected,
            // Deleted and made again in between: the second look is as good as the first.
            Ok(_) => return refused(&mailwright_store::Error::NoSuchFolder),
            Err(error) => return refused(&error),
        };
        self.selected = Some(Selected { folder, read_only, news });
        Answer::Selected(mailwright_imap::Selected {
            uid_validity: selected.uid_validity,
            uid_next: selected.uid_next,
            highest_modseq: selected.highest_modseq,
            rows: selected.rows.into_iter().map(row).collect(),
            keywords: selected.keywords,
            first_recent: selected.first_recent,
            mailbox_id: folder.0.unsigned_abs(),
        })
    }

    /// Whether messages can be put into a mailbox; the answer for the client when not.
    pub(super) async fn target(
        &self,
        account: AccountId,
        name: &MailboxName,
    ) -> std::result::Result<(), Answer> {
        match self.context.store.mail().find(account, name.as_str()).await {
            Ok(_) => Ok(()),
            Err(error) => Err(refused_target(&error)),
        }
    }
}

/// The session's form of a row.
pub(super) fn row(row: mailwright_store::Row) -> Row {
    Row { uid: row.uid, modseq: row.modseq, flags: row.flags }
}

fn done<T>(result: Result<T>) -> Answer {
    match result {
        Ok(_) => Answer::Done,
        Err(error) => refused(&error),
    }
}

fn stored_use(special: SpecialUse) -> mailwright_store::SpecialUse {
    match special {
        SpecialUse::Sent => mailwright_store::SpecialUse::Sent,
        SpecialUse::Drafts => mailwright_store::SpecialUse::Drafts,
        SpecialUse::Junk => mailwright_store::SpecialUse::Junk,
        SpecialUse::Trash => mailwright_store::SpecialUse::Trash,
        SpecialUse::Archive => mailwright_store::SpecialUse::Archive,
    }
}

fn special_use(special_use: mailwright_store::SpecialUse) -> SpecialUse {
    match special_use {
        mailwright_store::SpecialUse::Sent => SpecialUse::Sent,
        mailwright_store::SpecialUse::Drafts => SpecialUse::Drafts,
        mailwright_store::SpecialUse::Junk => SpecialUse::Junk,
        mailwright_store::SpecialUse::Trash => SpecialUse::Trash,
        mailwright_store::SpecialUse::Archive => SpecialUse::Archive,
    }
}
