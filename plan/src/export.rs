//! The running state as manifests: what would have to be declared to have it so.
//!
//! Defaults are left out. What manifests cannot say is lost: a mailbox without a limit in a domain with a default quota
//! (which only a change that is held back leaves behind) gets that default. What rows cannot say is lost too: which other
//! namespaces are allowed is said of those in use, and of a server's pod nothing. Passwords are not in it: an account that
//! is declared without credentials keeps the password it has. Accounts that were removed are listed as comments, since
//! declaring them would bring them back.

use std::collections::{BTreeMap, BTreeSet};

use mailwright_crds::namespaces::NAME_LABEL;
use mailwright_crds::well_known::LEGAL_HOLD_LABEL;
use mailwright_crds::{API_VERSION, DEFAULT_NAMESPACE, MailDomainSpec, MailServerSpec};
use serde_json::{Map, Value, json};

use crate::domain::domain_of;
use crate::field::{bytes, duration};
use crate::observed::{AliasRow, DomainRow, MailboxRow, Observed, Owner, ServerRow, Tls};
use crate::reference::Kind;

/// All rows in service as one YAML text of several documents, in the order of kinds and keys.
pub fn manifests(observed: &Observed) -> String {
    let mut text = removed(observed);
    for document in documents(observed) {
        text.push_str("---\n");
        // Plain data without maps as keys: it always has a YAML form.
        text.push_str(&serde_yaml::to_string(&document.value).unwrap_or_default());
    }
    text
}

/// What an export does not declare, as comments.
pub fn removed(observed: &Observed) -> String {
    let mut text =
        "# Passwords are not exported: an account declared without credentials keeps its password.\n"
            .to_owned();
    for row in observed.mailboxes.iter().filter(|row| row.removed_at.is_some()) {
        text.push_str(&format!("# Removed, its mail is kept: {}\n", row.declared.address));
    }
    text
}

/// A row of any kind.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Row<'a> {
    Server(&'a ServerRow),
    Domain(&'a DomainRow),
    Mailbox(&'a MailboxRow),
    Alias(&'a AliasRow),
}

/// One row as a manifest by itself: its own quota and no word about other namespaces.
pub(crate) fn one(row: Row<'_>) -> Value {
    let (users, mut names) = (Users(BTreeMap::new()), Names(BTreeSet::new()));
    match row {
        Row::Server(row) => server(row, &users),
        Row::Domain(row) => domain(row, &users, &mut names),
        Row::Mailbox(row) => mailbox(row, &BTreeMap::new(), &mut names),
        Row::Alias(row) => alias(row, &mut names),
    }
}

/// How an export is cut into files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// Each object goes where it was declared; what stood nowhere, as with [`Split::Domain`].
    Origin,
    /// One file for each domain with its addresses, one for servers.
    Domain,
    /// One file for each object.
    Object,
}

/// One object of an export.
struct Exported {
    kind: Kind,
    /// The domain it belongs to; of a server, nothing.
    domain: String,
    origin: Option<String>,
    value: Value,
}

/// All rows in service as YAML by file, in the order of kinds and keys within each.
pub fn files(observed: &Observed, split: Split) -> BTreeMap<String, String> {
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for document in documents(observed) {
        let text = files.entry(file_of(&document, split)).or_default();
        if !text.is_empty() {
            text.push_str("---\n");
        }
        // Plain data without maps as keys: it always has a YAML form.
        text.push_str(&serde_yaml::to_string(&document.value).unwrap_or_default());
    }
    files
}

fn file_of(document: &Exported, split: Split) -> String {
    let text = |path: &str| document.value.pointer(path).and_then(Value::as_str).map(str::to_owned);
    let name = text("/metadata/name").unwrap_or_default();
    let namespace = text("/metadata/namespace").unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
    match (split, &document.origin) {
        (Split::Origin, Some(origin)) => origin.clone(),
        (Split::Object, _) => format!("{namespace}/{}/{name}.yaml", document.kind.as_str().to_lowercase()),
        _ if document.domain.is_empty() => "server.yaml".to_owned(),
        _ => format!("{}.yaml", document.domain),
    }
}

/// A path below the export's directory and nowhere else, as a source would read it.
fn safe(origin: &str) -> bool {
    let parts = || origin.split('/');
    let yaml = origin.ends_with(".yaml") || origin.ends_with(".yml");
    yaml && parts().all(|part| !part.is_empty() && !part.starts_with('.')) && !origin.contains(['\\', '\0'])
}

fn documents(observed: &Observed) -> Vec<Exported> {
    let mut documents = Vec::new();
    let mut names = Names::new(observed);
    let users = Users::new(observed);
    let exported = |kind, key: &str, owner: Option<&Owner>, value| {
        let file = owner.map(|owner| owner.origin.file.to_string()).filter(|file| safe(file));
        let domain = if kind == Kind::MailDomain { key } else { domain_of(key) };
        Exported { kind, domain: domain.to_owned(), origin: file, value }
    };
    let servers = observed.servers.iter();
    documents
        .extend(servers.map(|row| exported(Kind::MailServer, "", row.owner.as_deref(), server(row, &users))));
    for row in observed.domains.iter().filter(|row| row.removed_at.is_none()) {
        let value = domain(row, &users, &mut names);
        documents.push(exported(Kind::MailDomain, &row.declared.domain, row.owner.as_deref(), value));
    }
    let quotas: BTreeMap<&str, Option<u64>> = observed
        .domains
        .iter()
        .map(|row| (row.declared.domain.as_str(), row.declared.limits.default_quota))
        .collect();
    for row in observed.mailboxes.iter().filter(|row| row.removed_at.is_none()) {
        let value = mailbox(row, &quotas, &mut names);
        documents.push(exported(Kind::Mailbox, &row.declared.address, row.owner.as_deref(), value));
    }
    for row in &observed.aliases {
        let value = alias(row, &mut names);
        documents.push(exported(Kind::Alias, &row.declared.address, row.owner.as_deref(), value));
    }
    documents
}

/// The namespaces from which a server's domains and a domain's addresses are declared, by server and domain.
struct Users<'a>(BTreeMap<&'a str, BTreeSet<&'a str>>);

impl<'a> Users<'a> {
    fn new(observed: &'a Observed) -> Self {
        let of_servers =
            observed.domains.iter().map(|row| (row.declared.server.as_str(), domain_namespace(row)));
        let mailboxes = observed.mailboxes.iter().filter(|row| row.removed_at.is_none());
        let mailboxes = mailboxes.map(|row| (row.declared.address.as_str(), row.owner.as_deref()));
        let aliases =
            observed.aliases.iter().map(|row| (row.declared.address.as_str(), row.owner.as_deref()));
        let of_domains = mailboxes
            .chain(aliases)
            .map(|(address, owner)| (domain_of(address), namespace(owner, DEFAULT_NAMESPACE)));
        let mut users: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (used, user) in of_servers.chain(of_domains) {
            users.entry(used).or_default().insert(user);
        }
        Self(users)
    }

    /// What allows them; `null` where nobody needs it.
    fn allowed(&self, used: &str, own: &str) -> Value {
        let others = self.0.get(used).into_iter().flatten().filter(|user| **user != own);
        let others: Vec<&&str> = others.collect();
        if others.is_empty() {
            return Value::Null;
        }
        let named = json!([{"key": NAME_LABEL, "operator": "In", "values": others}]);
        json!({"from": "Selector", "selector": {"matchExpressions": named}})
    }
}

/// The names of objects, and of rows that no object declared: those get one made of their key.
struct Names(BTreeSet<(Kind, String)>);

impl Names {
    fn new(observed: &Observed) -> Self {
        let owners = observed.domains.iter().map(|row| row.owner.as_deref());
        let owners = owners.chain(observed.mailboxes.iter().map(|row| row.owner.as_deref()));
        let owners = owners.chain(observed.aliases.iter().map(|row| row.owner.as_deref())).flatten();
        Self(owners.map(|owner| (owner.object.kind, owner.object.name.to_string())).collect())
    }

    fn of(&mut self, kind: Kind, key: &str, owner: Option<&Owner>) -> String {
        if let Some(owner) = owner {
            return owner.object.name.to_string();
        }
        let plain: String =
            key.chars().map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' }).collect();
        let mut name = match plain.trim_matches('-') {
            "" => "unnamed".to_owned(),
            name => name.to_owned(),
        };
        while !self.0.insert((kind, name.clone())) {
            name.push_str("-2");
        }
        name
    }
}

fn document(kind: Kind, namespace: &str, name: &str, spec: Value) -> Value {
    let mut metadata = json!({"name": name});
    if namespace != DEFAULT_NAMESPACE {
        metadata["namespace"] = json!(namespace);
    }
    json!({"apiVersion": API_VERSION, "kind": kind.as_str(), "metadata": metadata, "spec": spec})
}

fn namespace<'a>(owner: Option<&'a Owner>, otherwise: &'a str) -> &'a str {
    owner.map_or(otherwise, |owner| &owner.object.namespace)
}

fn domain_namespace(row: &DomainRow) -> &str {
    let of_server = row.declared.server.split_once('/').map_or(DEFAULT_NAMESPACE, |(namespace, _)| namespace);
    namespace(row.owner.as_deref(), of_server)
}

fn server(row: &ServerRow, users: &Users<'_>) -> Value {
    let declared = &row.declared;
    let (namespace, name) = declared.name.split_once('/').unwrap_or((DEFAULT_NAMESPACE, &declared.name));
    let limits = &declared.limits;
    let spec = json!({
        "hostname": declared.hostname,
        "listeners": declared.listeners,
        "tls": match &declared.tls {
            Tls::SelfSigned => Value::Null,
            Tls::SecretName(secret) => json!({"secretName": secret}),
            Tls::CertManager(issuer) => json!({"certManager": {"issuerRef": issuer}}),
        },
        "allowedDomains": users.allowed(&declared.name, namespace),
        "limits": {
            "messageSize": bytes(limits.message_size),
            "recipientsPerMessage": limits.recipients_per_message,
            "connections": limits.connections,
            "connectionsPerAddress": limits.connections_per_address,
        },
        "relay": declared.relay,
        "trustedNetworks": declared.trusted_networks,
        "auth": declared.auth,
        "dns": declared.dns,
        "queue": {
            "lifetime": duration(declared.queue.lifetime),
            "delayWarning": duration(declared.queue.delay_warning),
            "remotePort": declared.queue.remote_port,
        },
    });
    let blank: Option<MailServerSpec> = serde_json::from_value(json!({"hostname": "blank.invalid"})).ok();
    document(Kind::MailServer, namespace, name, without(spec, &json!(blank)))
}

fn domain(row: &DomainRow, users: &Users<'_>, names: &mut Names) -> Value {
    let declared = &row.declared;
    let (of_server, server) =
        declared.server.split_once('/').unwrap_or((DEFAULT_NAMESPACE, &declared.server));
    let limits = &declared.limits;
    let own = domain_namespace(row);
    let mut spec = json!({
        "serverRef": {"name": server, "namespace": (own != of_server).then_some(of_server)},
        "domain": declared.domain,
        "allowedMailboxes": users.allowed(&declared.domain, own),
        "aliases": declared.aliases,
        "parked": declared.parked,
        "catchAll": declared.catch_all,
        "limits": {
            "mailboxes": limits.mailboxes,
            "aliases": limits.aliases,
            "defaultQuota": limits.default_quota.map(bytes),
            "maxQuota": limits.max_quota.map(bytes),
        },
    });
    for (key, value) in declared.dns.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    let blank = json!({"serverRef": {"name": "blank"}, "domain": "blank.invalid"});
    let blank: Option<MailDomainSpec> = serde_json::from_value(blank).ok();
    let name = names.of(Kind::MailDomain, &declared.domain, row.owner.as_deref());
    document(Kind::MailDomain, own, &name, without(spec, &json!(blank)))
}

fn mailbox(row: &MailboxRow, quotas: &BTreeMap<&str, Option<u64>>, names: &mut Names) -> Value {
    let declared = &row.declared;
    let of_domain = quotas.get(domain_of(&declared.address)).copied().flatten();
    let spec = json!({
        "address": declared.address,
        "displayName": declared.display_name,
        "quota": declared.quota.filter(|quota| Some(*quota) != of_domain).map(bytes),
        "enabled": declared.enabled,
        "sendAs": declared.send_as,
        "forward": declared.forward,
        "deletionPolicy": declared.deletion_policy,
        "retainFor": duration(declared.retain_for),
    });
    let blank = json!({"enabled": true, "sendAs": [], "deletionPolicy": "Disable", "retainFor": "720h"});
    let name = names.of(Kind::Mailbox, &declared.address, row.owner.as_deref());
    let own = namespace(row.owner.as_deref(), DEFAULT_NAMESPACE);
    let mut document = document(Kind::Mailbox, own, &name, without(spec, &blank));
    if declared.legal_hold {
        document["metadata"]["labels"] = json!({LEGAL_HOLD_LABEL: "true"});
    }
    document
}

fn alias(row: &AliasRow, names: &mut Names) -> Value {
    let blank = json!({"senders": "Anyone", "enabled": true});
    let name = names.of(Kind::Alias, &row.declared.address, row.owner.as_deref());
    let spec = without(json!(row.declared), &blank);
    document(Kind::Alias, namespace(row.owner.as_deref(), DEFAULT_NAMESPACE), &name, spec)
}

/// A spec without what is null or as in the blank one. A listener is kept whole: half of one reads badly.
fn without(spec: Value, blank: &Value) -> Value {
    let Value::Object(fields) = spec else { return spec };
    let mut left = Map::new();
    for (key, value) in fields {
        let usual = blank.get(&key);
        if value.is_null() || usual == Some(&value) {
            continue;
        }
        let value = match (&value, usual) {
            (Value::Object(fields), Some(usual)) if !fields.contains_key("port") => without(value, usual),
            _ => value,
        };
        if value.as_object().is_none_or(|fields| !fields.is_empty()) {
            left.insert(key, value);
        }
    }
    Value::Object(left)
}
