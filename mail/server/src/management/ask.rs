//! Questions about one address: where mail for it goes (`mailwright trace`), what its mailbox holds (`fetch`). Nothing is
//! sent, stored or changed.

use chrono::DateTime;
use mailwright_flow::address::{Address, Recipient};
use mailwright_flow::explain::{Explanation, Recorder};
use mailwright_flow::{Decision, Expander, Step};
use mailwright_store::{AccountId, Message, Need};

use super::wire::{ErrorCode, FetchRequest, FetchedMessage, Trace, TraceQueued, TraceRequest, TraceStep};
use super::{Management, ManagementError};
use crate::auth::canonical;
use crate::smtp::recipient::lookup;

/// Messages of one answer. More are asked for by their UIDs: the answer is held in memory on both sides.
pub const MAX_FETCHED: u32 = 1000;
/// Octets of messages in one answer, well below what a client reads.
const MAX_FETCHED_OCTETS: u64 = 64 * 1024 * 1024;

impl Management {
    /// Where mail would go, told step by step, without sending any.
    pub async fn trace(&self, request: &TraceRequest) -> Result<Trace, ManagementError> {
        let from = request.from.trim_start_matches('<').trim_end_matches('>');
        let sender = match from {
            "" => None,
            from => Some(Address::parse(from).ok_or_else(|| invalid(from))?),
        };
        let relaying = self.may_relay(request);
        let explanation = match Recipient::parse(&request.to) {
            None => return Err(invalid(&request.to)),
            Some(recipient) => {
                let expander = Expander::new(recipient, sender.clone(), None).relaying(relaying.is_some());
                self.explain(expander.deferring()).await?
            }
        };
        let signers = sender.map(|sender| self.signers(sender.domain())).unwrap_or_default();
        let mut trace = self.told(explanation).await?;
        trace.relaying = relaying;
        trace.signers = signers;
        Ok(trace)
    }

    async fn explain(&self, mut expander: Expander) -> Result<Explanation, ManagementError> {
        let mut recorder = Recorder::default();
        loop {
            match expander.step() {
                Step::Done(decision) => return Ok(recorder.finish(decision)),
                Step::Lookup(key) => {
                    let found = lookup(&self.store, &key, &|_| 0).await?;
                    recorder.note(&key, &found);
                    expander.answer(found);
                }
            }
        }
    }

    /// Why a client may send mail to other servers.
    fn may_relay(&self, request: &TraceRequest) -> Option<String> {
        if request.authenticated {
            return Some("it has logged in".to_owned());
        }
        let (ip, server) = (request.ip?, self.server.as_ref()?);
        let settings = server.settings.load();
        let network = settings.config.trusted_networks.iter().find(|network| network.contains(&ip))?;
        Some(format!("{ip} is in the trusted network {network}"))
    }

    fn signers(&self, domain: &str) -> Vec<String> {
        let Some(server) = &self.server else { return Vec::new() };
        let settings = server.settings.load();
        let selectors = settings.signers.selectors(domain);
        selectors.into_iter().map(|(selector, algorithm)| format!("{selector} ({algorithm})")).collect()
    }

    async fn told(&self, explanation: Explanation) -> Result<Trace, ManagementError> {
        let reply = explanation.reply();
        let steps = explanation.steps.into_iter();
        let steps = steps.map(|step| TraceStep { address: step.key, found: step.found }).collect();
        let relay = self.server.as_ref().and_then(|server| server.settings.load().config.relay.clone());
        let mut trace = Trace {
            steps,
            accepted: false,
            reply,
            relaying: None,
            stored: Vec::new(),
            queued: Vec::new(),
            skipped: Vec::new(),
            smarthost: relay.map(|relay| format!("{}:{}", relay.host, relay.port)),
            signers: Vec::new(),
        };
        if let Decision::Deliver { accounts, remote, deferred, skipped, .. } = explanation.decision {
            trace.accepted = true;
            trace.stored = self.addresses(&accounts).await?;
            let away =
                remote.into_iter().map(|target| TraceQueued { address: target.address, via: target.via });
            trace.queued = away.collect();
            let later = deferred
                .into_iter()
                .map(|address| format!("{address}: its mailbox is full; queued until there is room"));
            let never = skipped.into_iter().map(|it| format!("{}: {}", it.address, it.reason));
            trace.skipped = later.chain(never).collect();
        }
        Ok(trace)
    }

    async fn addresses(
        &self,
        accounts: &[mailwright_flow::route::AccountId],
    ) -> Result<Vec<String>, ManagementError> {
        if accounts.is_empty() {
            return Ok(Vec::new());
        }
        let mailboxes = self.observe().await?.mailboxes;
        let address = |id: &i64| {
            mailboxes.iter().find(|row| row.account_id == *id).map(|row| row.declared.address.clone())
        };
        Ok(accounts.iter().filter_map(address).collect())
    }

    /// Messages of a folder, the newest when there are more than one answer holds. No flag changes.
    pub async fn fetch(&self, request: &FetchRequest) -> Result<Vec<FetchedMessage>, ManagementError> {
        let account = self.account(&request.address).await?;
        let folder = match request.mailbox.as_str() {
            "" => "INBOX",
            name => name,
        };
        let mail = self.store.mail();
        let selected = mail.select(account, folder, false).await.map_err(|error| match error {
            mailwright_store::Error::NoSpace => ManagementError::internal(error.to_string()),
            error => {
                ManagementError::new(ErrorCode::NotFound, format!("{folder} of {}: {error}", request.address))
            }
        })?;
        let mut uids: Vec<u32> = selected.rows.iter().map(|row| row.uid).collect();
        if !request.uids.is_empty() {
            uids.retain(|uid| request.uids.contains(uid));
        }
        let most = if request.limit == 0 { MAX_FETCHED } else { request.limit.min(MAX_FETCHED) };
        let mut open = uids.split_off(uids.len().saturating_sub(most as usize));
        let need = Need { index: false, raw: request.text };
        let (mut messages, mut octets) = (Vec::new(), 0);
        while !open.is_empty() && octets <= MAX_FETCHED_OCTETS {
            let fetched = mail.fetch(selected.folder, &open, need).await?;
            if fetched.messages.is_empty() {
                break;
            }
            octets += fetched
                .messages
                .iter()
                .filter_map(|message| Some(message.raw.as_ref()?.len() as u64))
                .sum::<u64>();
            messages.extend(fetched.messages.iter().map(|message| told(message, &selected.keywords)));
            open = fetched.rest;
        }
        Ok(messages)
    }

    async fn account(&self, address: &str) -> Result<AccountId, ManagementError> {
        let canonical = canonical(address).ok_or_else(|| invalid(address))?;
        match self.store.accounts().lookup_recipient(&canonical).await? {
            mailwright_store::Recipient::Mailbox { account, .. } => Ok(account),
            _ => Err(ManagementError::new(ErrorCode::NotFound, format!("there is no mailbox {canonical}"))),
        }
    }
}

fn told(message: &Message, keywords: &[String]) -> FetchedMessage {
    const SYSTEM: [&str; 5] = ["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft"];
    let names = SYSTEM.iter().copied().chain(keywords.iter().map(String::as_str));
    let set = names.enumerate().filter(|(bit, _)| message.flags >> bit & 1 == 1);
    FetchedMessage {
        uid: message.uid,
        flags: set.map(|(_, name)| name.to_owned()).collect(),
        received: DateTime::from_timestamp(message.internal_date, 0).unwrap_or_default(),
        size: message.size,
        text: message.raw.as_ref().map(|raw| String::from_utf8_lossy(raw).into_owned()),
    }
}

fn invalid(address: &str) -> ManagementError {
    ManagementError::new(ErrorCode::Invalid, format!("{address:?} is not an e-mail address"))
}
