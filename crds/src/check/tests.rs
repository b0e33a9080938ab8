//! What people write wrong, and every word they get back: all of it at once. Every CEL rule of the definitions is in here
//! with a manifest that keeps it and one that breaks it; the last tests hold that none is forgotten.

use serde_json::{Value, json};

use super::*;

fn manifest(kind: Kind, spec: Value) -> Value {
    json!({"apiVersion": "mailwright.dev/v1alpha1", "kind": kind.as_str(), "metadata": {"name": "test"}, "spec": spec})
}

fn said<T>(result: Result<T, Vec<Violation>>) -> Vec<String> {
    result.err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

/// Puts the fields of `patch` over those of `base`.
fn patched(base: &Value, patch: &Value) -> Value {
    let mut spec = base.clone();
    for (key, value) in patch.as_object().unwrap() {
        spec[key] = value.clone();
    }
    spec
}

fn base(kind: Kind) -> Value {
    match kind {
        Kind::MailServer => json!({"hostname": "mail.example.test"}),
        Kind::MailDomain => json!({"serverRef": {"name": "mail"}, "domain": "example.test"}),
        Kind::Mailbox => json!({"address": "alice@example.test"}),
        Kind::Alias => json!({"address": "info@example.test", "targets": ["alice@example.test"]}),
        Kind::MailRepository => json!({"url": "https://git.example.test/mail.git"}),
    }
}

/// A rule: what keeps it, what breaks it, what is said then.
struct Case {
    kind: Kind,
    keeps: Value,
    breaks: Value,
    says: &'static str,
}

fn case(kind: Kind, keeps: Value, breaks: Value, says: &'static str) -> Case {
    Case { kind, keeps, breaks, says }
}

fn rules_of_values() -> Vec<Case> {
    use Kind::{Alias, MailDomain, MailServer, Mailbox};
    vec![
        case(
            MailServer,
            json!({"listeners": {"smtp": {"port": 1143}, "imap": {"port": 2525}}}),
            json!({"listeners": {"smtp": {"port": 1143}}}),
            "spec.listeners: two enabled listeners have the same port",
        ),
        case(
            MailServer,
            json!({"listeners": {"imap": {"enabled": false}, "http": {"port": 1143}}}),
            json!({"listeners": {"imaps": {"port": 80}, "http": {"port": 80}}}),
            "spec.listeners: two enabled listeners have the same port",
        ),
        case(
            MailServer,
            json!({"policies": [{"name": "p", "expression": "true", "message": "no"}]}),
            json!({"policies": [{"name": "p", "expression": "true", "message": "no", "messageExpression": "'no'"}]}),
            "spec.policies[0]: a policy has either a message or a messageExpression",
        ),
        case(
            MailServer,
            json!({"tls": {"secretName": "mail-tls"}}),
            json!({"tls": {"secretName": "mail-tls", "selfSigned": {}}}),
            "spec.tls: takes at most one of selfSigned, secretName and certManager",
        ),
        case(
            MailServer,
            json!({"tls": {}}),
            json!({"tls": {"selfSigned": {}, "certManager": {"issuerRef": {"name": "ca"}}}}),
            "spec.tls: takes at most one of selfSigned, secretName and certManager",
        ),
        case(
            MailServer,
            json!({"tls": {"certManager": {"issuerRef": {"name": "ca"}}}}),
            json!({"tls": {"secretName": "mail-tls", "certManager": {"issuerRef": {"name": "ca"}}}}),
            "spec.tls: takes at most one of selfSigned, secretName and certManager",
        ),
        case(
            MailServer,
            json!({"tls": {"certManager": {"issuerRef": {"name": "ca", "kind": "PrivateIssuer", "group": "pki.example.org"}}}}),
            json!({"tls": {"certManager": {"issuerRef": {"name": "ca", "kind": "Clusterissuer"}}}}),
            "spec.tls.certManager.issuerRef: the kinds of cert-manager.io are Issuer and ClusterIssuer; another kind needs its group",
        ),
        case(
            MailServer,
            json!({"allowedDomains": {"from": "Selector", "selector": {"matchLabels": {"team": "a"}}}}),
            json!({"allowedDomains": {"from": "Selector"}}),
            "spec.allowedDomains: selector goes with from: Selector, and from: Selector needs one",
        ),
        case(
            MailServer,
            json!({"allowedDomains": {"from": "All"}}),
            json!({"allowedDomains": {"selector": {}}}),
            "spec.allowedDomains: selector goes with from: Selector, and from: Selector needs one",
        ),
        case(
            MailServer,
            json!({"allowedDomains": {"from": "Selector", "selector": {"matchExpressions": [{"key": "team", "operator": "In", "values": ["a"]}]}}}),
            json!({"allowedDomains": {"from": "Selector", "selector": {"matchExpressions": [{"key": "team", "operator": "NotIn"}]}}}),
            "spec.allowedDomains.selector.matchExpressions[0]: In and NotIn need values, Exists and DoesNotExist take none",
        ),
        case(
            MailServer,
            json!({"allowedDomains": {"from": "Selector", "selector": {"matchExpressions": [{"key": "team", "operator": "Exists"}]}}}),
            json!({"allowedDomains": {"from": "Selector", "selector": {"matchExpressions": [{"key": "team", "operator": "DoesNotExist", "values": ["a"]}]}}}),
            "spec.allowedDomains.selector.matchExpressions[0]: In and NotIn need values, Exists and DoesNotExist take none",
        ),
        case(
            MailServer,
            json!({"service": {"loadBalancerClass": "example.org/internal"}}),
            json!({"service": {"type": "NodePort", "loadBalancerClass": "example.org/internal"}}),
            "spec.service: loadBalancerClass goes with type: LoadBalancer",
        ),
        case(
            MailServer,
            json!({"service": {"type": "NodePort", "nodePorts": {"smtp": 30025, "imap": 30143}}}),
            json!({"service": {"type": "ClusterIP", "nodePorts": {"smtp": 30025}}}),
            "spec.service: nodePorts go with type: NodePort or LoadBalancer",
        ),
        case(
            MailServer,
            json!({"service": {"nodePorts": {"submission": 30587, "submissions": 30465, "imaps": 30993}}}),
            json!({"service": {"nodePorts": {"submission": 30587, "imaps": 30587}}}),
            "spec.service.nodePorts: two protocols have the same node port",
        ),
        case(
            MailServer,
            json!({"template": {"labels": {"team": "a", "app.kubernetes.io": "x"}}}),
            json!({"template": {"labels": {"app.kubernetes.io/name": "other"}}}),
            "spec.template.labels: labels of app.kubernetes.io and mailwright.dev are set by Mailwright",
        ),
        case(
            MailServer,
            json!({"template": {"annotations": {"example.org/scrape": "true"}}}),
            json!({"template": {"annotations": {"mailwright.dev/applied": "x"}}}),
            "spec.template.annotations: annotations of mailwright.dev are set by Mailwright",
        ),
        case(
            MailServer,
            json!({"template": {"tolerations": [{"operator": "Exists"}, {"key": "mail", "value": ""}]}}),
            json!({"template": {"tolerations": [{"key": "mail", "operator": "Exists", "value": "x"}]}}),
            "spec.template.tolerations[0]: Exists takes no value, and Equal needs a key",
        ),
        case(
            MailServer,
            json!({"template": {"tolerations": [{"key": "mail"}]}}),
            json!({"template": {"tolerations": [{"value": "x"}]}}),
            "spec.template.tolerations[0]: Exists takes no value, and Equal needs a key",
        ),
        case(
            MailServer,
            json!({"template": {"tolerations": [{"key": "mail", "effect": "NoExecute", "tolerationSeconds": 60}]}}),
            json!({"template": {"tolerations": [{"key": "mail", "effect": "NoSchedule", "tolerationSeconds": 60}]}}),
            "spec.template.tolerations[0]: tolerationSeconds goes with effect: NoExecute",
        ),
        case(
            MailDomain,
            json!({"allowedMailboxes": {"from": "Selector", "selector": {}}}),
            json!({"allowedMailboxes": {"from": "Same", "selector": {}}}),
            "spec.allowedMailboxes: selector goes with from: Selector, and from: Selector needs one",
        ),
        case(
            Mailbox,
            json!({"credentials": {"generate": {"secretName": "alice"}}}),
            json!({"credentials": {"generate": {"secretName": "alice"}, "secretRef": {"name": "alice"}}}),
            "spec.credentials: needs exactly one of secretRef, passwordHash and generate",
        ),
        case(
            MailServer,
            json!({"limits": {"connections": 50}}),
            json!({"limits": {"connections": 49}}),
            "spec.limits: connectionsPerAddress cannot be above connections",
        ),
        case(
            MailServer,
            json!({"listeners": {"lmtp": {"port": 1587}}}),
            json!({"listeners": {"lmtp": {"enabled": true, "port": 1587}}}),
            "spec.listeners: two enabled listeners have the same port",
        ),
        case(
            MailServer,
            json!({"relay": {"host": "smtp.example.org", "credentials": {"secretRef": {"name": "relay"}}}}),
            json!({"relay": {"host": "smtp.example.org", "tls": "Opportunistic", "credentials": {"secretRef": {"name": "relay"}}}}),
            "spec.relay: a password is sent under TLS only: with credentials, tls must be StartTLS or Implicit",
        ),
        case(
            MailServer,
            json!({"relay": {"host": "127.0.0.1", "port": 25, "tls": "None"}}),
            json!({"relay": {"host": "127.0.0.1", "tls": "None", "credentials": {"secretRef": {"name": "relay"}}}}),
            "spec.relay: a password is sent under TLS only: with credentials, tls must be StartTLS or Implicit",
        ),
        case(
            MailServer,
            json!({"queue": {"lifetime": "1m", "delayWarning": "59s"}}),
            json!({"queue": {"lifetime": "4h"}}),
            "spec.queue: delayWarning must be shorter than lifetime",
        ),
        case(
            MailServer,
            json!({"queue": {"lifetime": "720h"}}),
            json!({"queue": {"lifetime": "720h1s"}}),
            "spec.queue.lifetime: lifetime must be at least 1m and at most 720h",
        ),
        case(
            MailDomain,
            json!({"parked": true}),
            json!({"parked": true, "catchAll": "office@example.org"}),
            "spec: a parked domain takes no mail: it cannot have a catchAll",
        ),
        case(
            MailDomain,
            json!({"parked": false, "aliases": ["example.org"], "catchAll": "a@example.test"}),
            json!({"parked": true, "aliases": ["example.org"]}),
            "spec: a parked domain takes no mail: declare each of its aliases as a parked MailDomain of its own",
        ),
        case(
            MailDomain,
            json!({"parked": true, "mtaSTS": {"mode": "None"}}),
            json!({"parked": true, "mtaSTS": {"mode": "Testing"}}),
            "spec: a parked domain takes no mail: its mtaSTS.mode must be None",
        ),
        case(
            MailDomain,
            json!({"aliases": ["example.org"]}),
            json!({"aliases": ["example.org", "example.test"]}),
            "spec: the domain cannot be an alias of itself",
        ),
        case(
            MailDomain,
            json!({"limits": {"defaultQuota": "1024Mi", "maxQuota": "1Gi"}}),
            json!({"limits": {"defaultQuota": "1Gi", "maxQuota": "1G"}}),
            "spec.limits: defaultQuota cannot be above maxQuota",
        ),
        case(
            MailDomain,
            json!({"limits": {"defaultQuota": "1Ei"}}),
            json!({"limits": {"defaultQuota": "0.5k", "maxQuota": "499"}}),
            "spec.limits: defaultQuota cannot be above maxQuota",
        ),
        case(
            MailDomain,
            json!({"mtaSTS": {"maxAge": "8766h"}}),
            json!({"mtaSTS": {"maxAge": "8766h1s"}}),
            "spec.mtaSTS.maxAge: maxAge must be at least 1s and at most 8766h",
        ),
        case(
            MailDomain,
            json!({"mtaSTS": {"maxAge": "1s"}}),
            json!({"mtaSTS": {"maxAge": "999ms"}}),
            "spec.mtaSTS.maxAge: maxAge must be at least 1s and at most 8766h",
        ),
        case(
            Mailbox,
            json!({"credentials": {"secretRef": {"name": "alice"}}}),
            json!({"credentials": {"secretRef": {"name": "alice"}, "passwordHash": "$6$saltsalt$hash"}}),
            "spec.credentials: needs exactly one of secretRef, passwordHash and generate",
        ),
        case(
            Mailbox,
            json!({"credentials": {"passwordHash": "$6$saltsalt$hash", "management": "Enforced"}}),
            json!({"credentials": {"management": "Enforced"}}),
            "spec.credentials: needs exactly one of secretRef, passwordHash and generate",
        ),
        case(
            Mailbox,
            json!({"sendAs": ["bob@example.test"]}),
            json!({"sendAs": ["bob@example.test", "alice@example.test"]}),
            "spec: sendAs need not name the mailbox's own address",
        ),
        case(
            Mailbox,
            json!({"forward": {"targets": ["alice@example.org"], "keepCopy": false}}),
            json!({"forward": {"targets": ["alice@example.org", "alice@example.test"]}}),
            "spec: a loop: the mailbox forwards to itself; to keep a copy, set forward.keepCopy",
        ),
        case(
            Alias,
            json!({"targets": ["bob@example.test"]}),
            json!({"targets": ["bob@example.test", "info@example.test"]}),
            "spec: a loop: the alias is one of its own targets; remove it from them",
        ),
    ]
    .into_iter()
    .chain(rules_of_repositories())
    .collect()
}

fn rules_of_repositories() -> Vec<Case> {
    let case = |keeps, breaks, says| case(Kind::MailRepository, keeps, breaks, says);
    let secret = || json!({"name": "secret"});
    let policy = |extra: Value| {
        let policy = json!({"name": "p", "expression": "true", "message": "no"});
        json!({"policies": [patched(&policy, &extra)]})
    };
    vec![
        case(
            json!({"sink": "Database", "serverRef": {"name": "mail"}}),
            json!({"sink": "Database"}),
            "spec: serverRef goes with sink: Database, and sink: Database needs one",
        ),
        case(
            json!({"sink": "Resources"}),
            json!({"serverRef": {"name": "mail"}}),
            "spec: serverRef goes with sink: Database, and sink: Database needs one",
        ),
        case(
            json!({"secretRef": secret()}),
            json!({"secretRef": secret(), "url": "http://git.example.test/mail.git"}),
            "spec: credentials are sent under TLS only: with secretRef, url must be https or ssh",
        ),
        case(
            json!({"secretRef": secret(), "url": "http://127.0.0.1:3000/mail.git"}),
            json!({"secretRef": secret(), "url": "http://127.0.0.1.example.test/mail.git"}),
            "spec: credentials are sent under TLS only: with secretRef, url must be https or ssh",
        ),
        case(
            json!({"secretRef": secret(), "url": "http://[::1]/mail.git"}),
            json!({"secretRef": secret(), "url": "http://[::2]/mail.git"}),
            "spec: credentials are sent under TLS only: with secretRef, url must be https or ssh",
        ),
        case(
            json!({"verify": {"mode": "TagAndHEAD", "secretRef": secret()}, "ref": {"semver": "^1"}}),
            json!({"verify": {"mode": "TagAndHEAD", "secretRef": secret()}, "ref": {"branch": "main"}}),
            "spec: verify.mode Tag and TagAndHEAD look at the signature of a tag: set ref.tag or ref.semver",
        ),
        case(
            json!({"verify": {"mode": "HEAD", "secretRef": secret()}}),
            json!({"verify": {"mode": "Tag", "secretRef": secret()}}),
            "spec: verify.mode Tag and TagAndHEAD look at the signature of a tag: set ref.tag or ref.semver",
        ),
        case(
            json!({"ref": {"tag": "v1"}}),
            json!({"ref": {"tag": "v1", "branch": "main"}}),
            "spec.ref: needs exactly one of branch, tag, semver and commit",
        ),
        case(
            json!({"ref": {"semver": "*"}}),
            json!({"ref": {}}),
            "spec.ref: needs exactly one of branch, tag, semver and commit",
        ),
        case(
            json!({"interval": "5s"}),
            json!({"interval": "4999ms"}),
            "spec.interval: interval must be at least 5s and at most 24h",
        ),
        case(
            json!({"timeout": "1s"}),
            json!({"timeout": "1h1s"}),
            "spec.timeout: timeout must be at least 1s and at most 1h",
        ),
        case(
            json!({"previews": {"refs": ["refs/pull/*/head"], "provider": "GitHub", "secretRef": secret()}}),
            json!({"previews": {"refs": ["refs/pull/*/head"], "provider": "GitHub"}}),
            "spec.previews: a comment or a status is posted to somebody: set provider and secretRef, or comment: false and \
             status: false",
        ),
        case(
            json!({"previews": {"refs": ["refs/pull/*/head"], "comment": false, "status": false}}),
            json!({"previews": {"refs": ["refs/pull/*/head"], "comment": false, "secretRef": secret()}}),
            "spec.previews: a comment or a status is posted to somebody: set provider and secretRef, or comment: false and \
             status: false",
        ),
        case(
            json!({"previews": {"refs": ["refs/pull/*/head"], "provider": "Gitea", "secretRef": secret(),
                "apiURL": "https://git.example.test/api/v1"}}),
            json!({"previews": {"refs": ["refs/pull/*/head"], "provider": "Gitea", "secretRef": secret()}}),
            "spec.previews: Gitea and Forgejo are everywhere: set apiURL, like https://git.example.org/api/v1",
        ),
        case(
            policy(json!({})),
            policy(json!({"messageExpression": "'no'"})),
            "spec.policies[0]: a policy has either a message or a messageExpression",
        ),
    ]
}

fn rules_of_changes() -> Vec<Case> {
    use Kind::{Alias, MailDomain, MailServer, Mailbox};
    vec![
        case(
            MailServer,
            json!({"hostname": "mx.example.test", "database": {"sqlite": {"storage": {"size": "10Gi"}}}}),
            json!({"database": {"sqlite": {"storage": {"size": "20Gi"}}}}),
            "spec.database: database cannot be changed: declare another MailServer; a volume is enlarged at its PersistentVolumeClaim",
        ),
        case(
            MailDomain,
            json!({"aliases": ["example.org"], "parked": false}),
            json!({"serverRef": {"name": "other"}}),
            "spec.serverRef: serverRef cannot be changed: delete the MailDomain and declare it anew",
        ),
        case(
            MailDomain,
            json!({"dmarc": {"policy": "Reject"}}),
            json!({"domain": "example.org"}),
            "spec.domain: domain cannot be changed: declare another MailDomain, or add the new name to aliases",
        ),
        case(
            Mailbox,
            json!({"quota": "1Gi", "enabled": false}),
            json!({"address": "alice.b@example.test"}),
            "spec.address: address cannot be changed: declare another Mailbox, or an Alias for the new address",
        ),
        case(
            Alias,
            json!({"targets": ["bob@example.test"], "enabled": false}),
            json!({"address": "@example.test"}),
            "spec.address: address cannot be changed: declare another Alias",
        ),
    ]
}

#[test]
fn rules_of_values_are_kept_and_broken() {
    for Case { kind, keeps, breaks, says } in rules_of_values() {
        let spec = patched(&base(kind), &keeps);
        assert_eq!(said(check_object(kind, &manifest(kind, spec))), Vec::<String>::new(), "{says}");
        let spec = patched(&base(kind), &breaks);
        assert_eq!(said(check_object(kind, &manifest(kind, spec))), [says]);
    }
}

#[test]
fn rules_of_changes_are_kept_and_broken() {
    let resource = |kind, spec| check_manifest(kind, &manifest(kind, spec)).unwrap();
    for Case { kind, keeps, breaks, says } in rules_of_changes() {
        let old = resource(kind, base(kind));
        let kept = check_update(&old, &resource(kind, patched(&base(kind), &keeps)));
        assert_eq!(kept, Ok(()), "{says}");
        let broken = check_update(&old, &resource(kind, patched(&base(kind), &breaks)));
        let broken: Vec<String> = broken.unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(broken, [says]);
        assert_eq!(check_update(&old, &old), Ok(()));
    }
    let (one, other) =
        (resource(Kind::Mailbox, base(Kind::Mailbox)), resource(Kind::MailServer, base(Kind::MailServer)));
    assert_eq!(
        check_update(&one, &other).unwrap_err()[0].to_string(),
        "spec: this is a Mailbox, it cannot become a MailServer"
    );
}

#[test]
fn no_rule_of_a_definition_is_missing_in_these_tables() {
    fn walk(schema: &Value, found: &mut Vec<String>) {
        for rule in schema.get("x-kubernetes-validations").and_then(Value::as_array).into_iter().flatten() {
            let text = rule["rule"].as_str().unwrap();
            let scalar =
                schema::SCALARS.iter().any(|scalar| scalar.rules.iter().any(|(known, _)| *known == text));
            if !scalar {
                found.push(rule["message"].as_str().unwrap().to_owned());
            }
        }
        schema
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .for_each(|(_, inner)| walk(inner, found));
        schema.get("items").into_iter().for_each(|inner| walk(inner, found));
    }
    let mut declared = Vec::new();
    Kind::ALL.into_iter().for_each(|kind| walk(schema::schema(kind), &mut declared));
    let tested: Vec<&str> =
        rules_of_values().iter().chain(&rules_of_changes()).map(|case| case.says).collect();
    for message in &declared {
        assert!(
            tested.iter().any(|says| says.ends_with(message.as_str())),
            "no test breaks the rule: {message}"
        );
    }
    assert_eq!(declared.len(), 43);
}

#[test]
fn everything_wrong_is_said_at_once() {
    let manifest = json!({
        "apiVersion": "mailwright.dev/v1alpha1",
        "kind": "Mailbox",
        "metadata": {"name": "alice"},
        "spec": {
            "adress": "Alice@Bücher.Example",
            "displayName": 5,
            "credentials": {"management": "initial", "password": "hunter2", "passwordHash": "hunter2", "secretRef": "hunter2"},
            "quota": "5GB",
            "retainFor": "30d",
            "enabled": "yes",
            "sendAs": ["a@example.org", "a@example.org", "nope"],
        },
    });
    let hash = "spec.credentials.passwordHash: the value is not a password hash (it is not shown); make a hash with \
                `openssl passwd -6`, or put the password into a Secret and use secretRef";
    assert_eq!(
        said(check_manifest(Kind::Mailbox, &manifest)),
        [
            "spec.address: is missing; add address with an e-mail address",
            "spec.credentials.management: must be one of Initial, Enforced; write Initial",
            hash,
            "spec.credentials.secretRef: must be a mapping, not a text; write it as {name: …}",
            "spec.credentials.password: unknown field; the fields here are generate, management, passwordHash, secretRef",
            "spec.displayName: must be a display name, not a number; put it in quotes",
            "spec.enabled: must be true or false, not a text; write true, without quotes",
            "spec.quota: \"5GB\" is not a quantity of bytes; write 5G",
            "spec.retainFor: \"30d\" is not a duration; days, weeks and years vary: write 720h",
            "spec.sendAs[1]: \"a@example.org\" is there already, as entry 0 (counted from 0); remove one of the two",
            "spec.sendAs[2]: \"nope\" is not an e-mail address: it has no @; write local-part@domain",
            "spec.adress: unknown field; did you mean address?",
            "spec.credentials: needs exactly one of secretRef, passwordHash and generate",
        ]
    );
}

#[test]
fn remedies_say_what_to_write() {
    for (kind, patch, expected) in [
        (
            Kind::Mailbox,
            json!({"management": "Enforced"}),
            "spec.management: unknown field; management belongs into credentials",
        ),
        (
            Kind::Mailbox,
            json!({"credentials": {"password": "x", "secretRef": {"name": "alice"}}}),
            "spec.credentials.password: unknown field; did you mean passwordHash?",
        ),
        (
            Kind::Mailbox,
            json!({"sendAs": "bob@example.test"}),
            "spec.sendAs: must be a list, not a text; write it as a list: a line with `- ` for each entry",
        ),
        (
            Kind::Mailbox,
            json!({"enabled": "off"}),
            "spec.enabled: must be true or false, not a text; write false, without quotes",
        ),
        (Kind::Mailbox, json!({"enabled": "perhaps"}), "spec.enabled: must be true or false, not a text"),
        (
            Kind::Mailbox,
            json!({"quota": 5_000_000}),
            "spec.quota: must be a quantity, not a number; put it in quotes",
        ),
        (
            Kind::Mailbox,
            json!({"displayName": ["Alice"]}),
            "spec.displayName: must be a display name, not a list; write the value without `- `",
        ),
        (
            Kind::MailServer,
            json!({"limits": {"connections": "2000"}}),
            "spec.limits.connections: must be a whole number, not a text; remove the quotes",
        ),
        (
            Kind::MailServer,
            json!({"limits": {"connections": 1.5}}),
            "spec.limits.connections: must be a whole number, not a fractional number",
        ),
        (
            Kind::MailServer,
            json!({"limits": {"recipientsPerMessage": 10}}),
            "spec.limits.recipientsPerMessage: must be a whole number from 100 to 100000, not 10",
        ),
        (
            Kind::MailServer,
            json!({"listeners": {"smtp": {"port": 99_999}}}),
            "spec.listeners.smtp.port: must be a whole number from 1 to 65535, not 99999",
        ),
        (
            Kind::MailServer,
            json!({"tls": {"selfSigned": {"days": 30}}}),
            "spec.tls.selfSigned.days: unknown field; write {}: it has no fields",
        ),
        (
            Kind::MailDomain,
            json!({"dmarc": {"policy": "p=reject"}}),
            "spec.dmarc.policy: must be one of None, Quarantine, Reject; write Reject",
        ),
        (
            Kind::MailDomain,
            json!({"dmarc": {"policy": "reject"}}),
            "spec.dmarc.policy: must be one of None, Quarantine, Reject; write Reject",
        ),
        (
            Kind::MailDomain,
            json!({"mtasts": {"mode": "Testing"}}),
            "spec.mtasts: unknown field; did you mean mtaSTS?",
        ),
        (
            Kind::MailDomain,
            json!({"spf": {"ip4": ["192.0.2.0/33"]}}),
            "spec.spf.ip4[0]: \"192.0.2.0/33\" is not an IPv4 address or network; write one like 192.0.2.1 or 192.0.2.0/24",
        ),
        (Kind::Alias, json!({"targets": []}), "spec.targets: needs at least 1 entry, has 0"),
        (Kind::Alias, json!({"targets": null}), "spec.targets: is missing; add targets with a list"),
    ] {
        assert_eq!(said(check_manifest(kind, &manifest(kind, patched(&base(kind), &patch)))), [expected]);
    }
}

/// The evaluator of the rules would multiply these out.
#[test]
fn monstrous_numbers_are_refused_before_any_rule_counts_with_them() {
    for quota in
        ["1e2000000000", "1e-2000000000", "9999999999999999999999999999999999999999", "1e99999999999999"]
    {
        let spec = json!({"serverRef": {"name": "mail"}, "domain": "example.test",
            "limits": {"defaultQuota": quota, "maxQuota": quota}, "mtaSTS": {"maxAge": format!("{quota}h")}});
        let said = said(check_manifest(Kind::MailDomain, &manifest(Kind::MailDomain, spec)));
        assert_eq!(said.len(), 3, "{said:?}");
    }
}

#[test]
fn an_accepted_manifest_is_a_resource_with_its_defaults() {
    let Ok(Resource::Mailbox(mailbox)) =
        check_manifest(Kind::Mailbox, &manifest(Kind::Mailbox, base(Kind::Mailbox)))
    else {
        panic!("refused");
    };
    assert!(mailbox.spec.enabled && mailbox.spec.send_as.is_empty() && mailbox.spec.quota.is_none());
    assert_eq!(mailbox.spec.retain_for.as_str(), "720h");
    assert_eq!(mailbox.status, None);
    let again = Resource::Mailbox(mailbox).to_value().unwrap();
    assert_eq!(check_manifest(Kind::Mailbox, &again).unwrap().to_value().unwrap(), again);
}
