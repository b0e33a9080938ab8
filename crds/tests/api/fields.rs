//! Every field of every spec, from its name in a manifest to its place in the Rust type.

use mailwright_crds::alias::Senders;
use mailwright_crds::mail_domain::{DkimAlgorithm, DmarcPolicy, MtaStsMode, SpfAll};
use mailwright_crds::mail_server::{RelayTls, Tls};
use mailwright_crds::mailbox::{DeletionPolicy, Management};
use mailwright_crds::{Kind, Resource, check_manifest};
use serde_json::{Value, json};

fn resource(kind: Kind, spec: Value) -> Resource {
    let manifest = json!({
        "apiVersion": "mailwright.dev/v1alpha1", "kind": kind.as_str(), "metadata": {"name": "test", "namespace": "mail"},
        "spec": spec,
    });
    match check_manifest(kind, &manifest) {
        Ok(resource) => resource,
        Err(wrong) => panic!("{wrong:#?}"),
    }
}

#[test]
fn mail_server() {
    let Resource::MailServer(server) = resource(
        Kind::MailServer,
        json!({
            "hostname": "mail.example.test",
            "listeners": {
                "smtp": {"port": 25}, "imap": {"enabled": false}, "imaps": {"enabled": true, "port": 993}, "http": {"port": 80},
                "submission": {"enabled": false}, "submissions": {"port": 465}, "lmtp": {"enabled": true},
            },
            "relay": {"host": "smtp.example.org", "credentials": {"secretRef": {"name": "relay"}}},
            "trustedNetworks": ["10.42.0.0/16"],
            "auth": {"plaintextOnLoopback": true},
            "dns": {"resolvers": ["192.0.2.53:5353"]},
            "queue": {"lifetime": "48h", "delayWarning": "1h", "remotePort": 2525},
            "tls": {"secretName": "mail-tls"},
            "limits": {"messageSize": "25M", "recipientsPerMessage": 200, "connections": 300, "connectionsPerAddress": 40},
        }),
    ) else {
        panic!("another kind");
    };
    let spec = &server.spec;
    assert_eq!(spec.hostname.as_str(), "mail.example.test");
    let listeners = [&spec.listeners.smtp, &spec.listeners.imap, &spec.listeners.imaps, &spec.listeners.http];
    assert_eq!(listeners.map(|listener| listener.port), [25, 1143, 993, 80]);
    assert_eq!(listeners.map(|listener| listener.enabled), [true, false, true, true]);
    let sending = [&spec.listeners.submission, &spec.listeners.submissions, &spec.listeners.lmtp];
    assert_eq!(
        sending.map(|listener| (listener.enabled, listener.port)),
        [(false, 1587), (true, 465), (true, 2400)]
    );
    let relay = spec.relay.as_ref().unwrap();
    assert_eq!((relay.host.as_str(), relay.port, relay.tls), ("smtp.example.org", 587, RelayTls::StartTls));
    assert_eq!(relay.credentials.as_ref().unwrap().secret_ref.name.as_str(), "relay");
    assert_eq!(spec.trusted_networks[0].as_str(), "10.42.0.0/16");
    assert!(spec.auth.plaintext_on_loopback);
    assert_eq!(spec.dns.resolvers[0].address().to_string(), "192.0.2.53:5353");
    assert_eq!((spec.queue.lifetime.as_secs(), spec.queue.delay_warning.as_secs()), (172_800, 3600));
    assert_eq!(spec.queue.remote_port, 2525);
    assert_eq!(spec.tls.self_signed, None);
    assert_eq!(spec.tls.secret_name.as_ref().unwrap().as_str(), "mail-tls");
    assert_eq!(spec.limits.message_size.bytes(), 25_000_000);
    assert_eq!(spec.limits.recipients_per_message, 200);
    assert_eq!((spec.limits.connections, spec.limits.connections_per_address), (300, 40));
    assert_eq!(server.metadata.namespace.as_deref(), Some("mail"));
}

#[test]
fn mail_server_by_default() {
    let Resource::MailServer(server) = resource(Kind::MailServer, json!({"hostname": "mail.example.test"}))
    else {
        panic!("another kind");
    };
    let spec = &server.spec;
    let listeners = [&spec.listeners.smtp, &spec.listeners.imap, &spec.listeners.imaps, &spec.listeners.http];
    assert_eq!(listeners.map(|listener| listener.port), [2525, 1143, 1993, 8080]);
    assert!(listeners.iter().all(|listener| listener.enabled));
    let sending = [&spec.listeners.submission, &spec.listeners.submissions, &spec.listeners.lmtp];
    assert_eq!(
        sending.map(|listener| (listener.enabled, listener.port)),
        [(true, 1587), (true, 1465), (false, 2400)]
    );
    assert!(spec.relay.is_none() && spec.trusted_networks.is_empty() && !spec.auth.plaintext_on_loopback);
    assert!(spec.dns.resolvers.is_empty());
    assert_eq!(
        (spec.queue.lifetime.as_str(), spec.queue.delay_warning.as_str(), spec.queue.remote_port),
        ("120h", "4h", 25)
    );
    assert_eq!(spec.tls, Tls::default());
    assert_eq!(spec.limits.message_size.bytes(), 50 << 20);
    assert_eq!(
        (spec.limits.recipients_per_message, spec.limits.connections, spec.limits.connections_per_address),
        (1000, 2000, 50)
    );
}

#[test]
fn mail_domain() {
    let Resource::MailDomain(domain) = resource(
        Kind::MailDomain,
        json!({
            "serverRef": {"name": "mail"},
            "domain": "example.test",
            "aliases": ["example.org", "example.net"],
            "catchAll": "office@example.test",
            "limits": {"mailboxes": 10, "aliases": 20, "defaultQuota": "1Gi", "maxQuota": "2Gi"},
            "dkim": {"keys": ["Ed25519"]},
            "dmarc": {"policy": "Quarantine", "subdomainPolicy": "Reject", "rua": ["dmarc@example.test"]},
            "spf": {"include": ["_spf.example.org"], "ip4": ["192.0.2.0/24"], "ip6": ["2001:db8::/32"], "all": "Fail"},
            "mtaSTS": {"mode": "Testing", "maxAge": "24h"},
            "tlsReporting": {"rua": ["tls@example.test"]},
            "caa": {"issuers": ["letsencrypt.org"]},
        }),
    ) else {
        panic!("another kind");
    };
    let spec = &domain.spec;
    assert_eq!(
        (spec.server_ref.name.as_str(), spec.domain.as_str(), spec.parked),
        ("mail", "example.test", false)
    );
    assert_eq!(
        spec.aliases.iter().map(|alias| alias.as_str()).collect::<Vec<_>>(),
        ["example.org", "example.net"]
    );
    assert_eq!(spec.catch_all.as_ref().unwrap().local_part(), "office");
    assert_eq!((spec.limits.mailboxes, spec.limits.aliases), (Some(10), Some(20)));
    assert_eq!(spec.limits.default_quota.as_ref().unwrap().bytes(), 1 << 30);
    assert_eq!(spec.limits.max_quota.as_ref().unwrap().bytes(), 2 << 30);
    assert_eq!(spec.dkim.keys, [DkimAlgorithm::Ed25519]);
    assert_eq!(
        (spec.dmarc.policy, spec.dmarc.subdomain_policy),
        (DmarcPolicy::Quarantine, Some(DmarcPolicy::Reject))
    );
    assert_eq!(spec.dmarc.rua[0].as_str(), "dmarc@example.test");
    assert_eq!(spec.spf.include[0].as_str(), "_spf.example.org");
    assert_eq!((spec.spf.ip4[0].as_str(), spec.spf.ip6[0].as_str()), ("192.0.2.0/24", "2001:db8::/32"));
    assert_eq!(spec.spf.all, SpfAll::Fail);
    assert_eq!((spec.mta_sts.mode, spec.mta_sts.max_age.as_secs()), (MtaStsMode::Testing, 86_400));
    assert_eq!(spec.tls_reporting.as_ref().unwrap().rua[0].domain(), "example.test");
    assert_eq!(spec.caa.as_ref().unwrap().issuers[0].as_str(), "letsencrypt.org");
}

#[test]
fn mail_domain_by_default() {
    let spec = json!({"serverRef": {"name": "mail"}, "domain": "example.test"});
    let Resource::MailDomain(domain) = resource(Kind::MailDomain, spec) else { panic!("another kind") };
    let spec = &domain.spec;
    assert!(spec.aliases.is_empty() && !spec.parked && spec.catch_all.is_none());
    assert_eq!(spec.limits, Default::default());
    assert_eq!(spec.dkim.keys, [DkimAlgorithm::Rsa2048, DkimAlgorithm::Ed25519]);
    assert_eq!((spec.dmarc.policy, spec.dmarc.subdomain_policy), (DmarcPolicy::None, None));
    assert_eq!((spec.spf.all, spec.spf.include.len()), (SpfAll::SoftFail, 0));
    assert_eq!((spec.mta_sts.mode, spec.mta_sts.max_age.as_secs()), (MtaStsMode::None, 604_800));
    assert!(spec.tls_reporting.is_none() && spec.caa.is_none());
}

#[test]
fn mailbox() {
    let Resource::Mailbox(mailbox) = resource(
        Kind::Mailbox,
        json!({
            "address": "alice@example.test",
            "displayName": "Alice Example",
            "credentials": {"secretRef": {"name": "alice", "key": "hash"}, "management": "Enforced"},
            "quota": "5Gi",
            "enabled": false,
            "sendAs": ["office@example.test"],
            "deletionPolicy": "Retain",
            "retainFor": "48h",
        }),
    ) else {
        panic!("another kind");
    };
    let spec = &mailbox.spec;
    assert_eq!((spec.address.local_part(), spec.address.domain()), ("alice", "example.test"));
    assert_eq!(spec.display_name.as_ref().unwrap().as_str(), "Alice Example");
    let credentials = spec.credentials.as_ref().unwrap();
    let secret = credentials.secret_ref.as_ref().unwrap();
    assert_eq!((secret.name.as_str(), secret.key.as_str()), ("alice", "hash"));
    assert_eq!((credentials.management, &credentials.password_hash), (Management::Enforced, &None));
    assert_eq!(spec.quota.as_ref().unwrap().bytes(), 5 << 30);
    assert_eq!(
        (spec.enabled, spec.deletion_policy, spec.retain_for.as_secs()),
        (false, DeletionPolicy::Retain, 172_800)
    );
    assert_eq!(spec.send_as[0].as_str(), "office@example.test");
}

#[test]
fn mailbox_by_default() {
    let spec = json!({"address": "alice@example.test", "credentials": {"passwordHash": "$6$saltsalt$hash"}});
    let Resource::Mailbox(mailbox) = resource(Kind::Mailbox, spec) else { panic!("another kind") };
    let spec = &mailbox.spec;
    assert!(spec.display_name.is_none() && spec.quota.is_none() && spec.send_as.is_empty() && spec.enabled);
    let credentials = spec.credentials.as_ref().unwrap();
    assert_eq!((credentials.management, credentials.secret_ref.is_some()), (Management::Initial, false));
    assert_eq!(credentials.password_hash.as_ref().unwrap().expose(), "$6$saltsalt$hash");
    assert_eq!((spec.deletion_policy, spec.retain_for.as_secs()), (DeletionPolicy::Disable, 2_592_000));
    let spec = json!({"address": "alice@example.test", "credentials": {"secretRef": {"name": "alice"}}});
    let Resource::Mailbox(mailbox) = resource(Kind::Mailbox, spec) else { panic!("another kind") };
    assert_eq!(
        mailbox.spec.credentials.as_ref().unwrap().secret_ref.as_ref().unwrap().key.as_str(),
        "password"
    );
}

#[test]
fn alias() {
    let spec = json!({"address": "@example.test", "targets": ["alice@example.test"], "senders": "Domain", "enabled": false});
    let Resource::Alias(alias) = resource(Kind::Alias, spec) else { panic!("another kind") };
    assert!(alias.spec.address.is_catch_all() && !alias.spec.enabled);
    assert_eq!((alias.spec.senders, alias.spec.targets[0].as_str()), (Senders::Domain, "alice@example.test"));
    let spec = json!({"address": "info@example.test", "targets": ["alice@example.test"]});
    let Resource::Alias(alias) = resource(Kind::Alias, spec) else { panic!("another kind") };
    assert_eq!((alias.spec.senders, alias.spec.enabled), (Senders::Anyone, true));
    assert_eq!(alias.spec.address.local_part(), Some("info"));
}

/// Every word of every enumeration, in a manifest and back.
#[test]
fn enumerations() {
    let words = |list: Vec<&'static str>| list;
    for (kind, path, list) in [
        (
            Kind::Mailbox,
            "deletionPolicy",
            words(DeletionPolicy::ALL.iter().map(|word| word.as_str()).collect()),
        ),
        (Kind::Alias, "senders", words(Senders::ALL.iter().map(|word| word.as_str()).collect())),
        (
            Kind::MailDomain,
            "dmarc/policy",
            words(DmarcPolicy::ALL.iter().map(|word| word.as_str()).collect()),
        ),
        (Kind::MailDomain, "spf/all", words(SpfAll::ALL.iter().map(|word| word.as_str()).collect())),
        (Kind::MailDomain, "mtaSTS/mode", words(MtaStsMode::ALL.iter().map(|word| word.as_str()).collect())),
        (
            Kind::Mailbox,
            "credentials/management",
            words(Management::ALL.iter().map(|word| word.as_str()).collect()),
        ),
    ] {
        assert!(list.len() > 1, "{path}");
        for word in list {
            let mut spec = match kind {
                Kind::Alias => json!({"address": "info@example.test", "targets": ["alice@example.test"]}),
                Kind::MailDomain => json!({"serverRef": {"name": "mail"}, "domain": "example.test"}),
                _ => json!({"address": "alice@example.test"}),
            };
            match path.split_once('/') {
                Some(("credentials", field)) => {
                    spec["credentials"] = json!({"secretRef": {"name": "alice"}, field: word});
                }
                Some((outer, field)) => spec[outer] = json!({field: word}),
                None => spec[path] = json!(word),
            }
            let back = resource(kind, spec).to_value().unwrap();
            assert_eq!(back["spec"].pointer(&format!("/{path}")).unwrap(), word, "{path}");
        }
    }
}
