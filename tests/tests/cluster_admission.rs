//! The chart's admission policies in front of a real API server: each refuses what it is for and nothing beside that.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::cluster::{ControlPlane, Kubectl, need_tools};
use mailwright_tests::harness::{Output, root};
use std::time::{Duration, Instant};

/// A policy holds a moment after it was made.
const PATIENCE: Duration = Duration::from_secs(60);

/// One request and whether it is refused, with a part of what is said then.
struct Case {
    /// Who asks; the administrator when empty.
    user: &'static str,
    /// kubectl's arguments; `{}` is the namespace.
    asks: &'static [&'static str],
    /// A part of the refusal; empty when it is let through.
    refused: &'static str,
}

const fn may(user: &'static str, asks: &'static [&'static str]) -> Case {
    Case { user, asks, refused: "" }
}

const fn may_not(user: &'static str, asks: &'static [&'static str], refused: &'static str) -> Case {
    Case { user, asks, refused }
}

/// The operator of the release that [`Bench::new`] installs; `{}` is the namespace.
const OPERATOR: &str = "system:serviceaccount:{}:mailwright-operator";

/// A namespace in which a release's policies hold, and no other: the tests of this file run side by side.
struct Bench {
    kubectl: Kubectl,
    namespace: String,
}

impl Bench {
    fn new(name: &str, values: &[&str]) -> Option<Bench> {
        Bench::with_domains(name, values, None)
    }

    /// The same in a namespace whose owner lists domains.
    fn with_domains(name: &str, values: &[&str], domains: Option<&str>) -> Option<Bench> {
        need_tools(&["helm"])?;
        let plane = ControlPlane::shared()?;
        let kubectl = plane.kubectl();
        static ONCE: std::sync::Once = std::sync::Once::new();
        ONCE.call_once(|| plane.install_crds());
        let namespace = kubectl.namespace(name);
        if let Some(domains) = domains {
            let list = format!("mailwright.dev/domains={domains}");
            kubectl.run(&["annotate", "namespace", &namespace, &list]).ok();
        }
        let chart = root().join("charts/mailwright").display().to_string();
        let (within, watch) =
            (format!("--namespace={namespace}"), format!("--set=watch.namespaces={{{namespace}}}"));
        kubectl.helm(&[&["install", "mailwright", &chart, &within, &watch], values].concat()).ok();
        let bench = Bench { kubectl, namespace };
        bench.wait_for_policies();
        Some(bench)
    }

    /// The policies of a release come into force together; status is what nobody here may write.
    fn wait_for_policies(&self) {
        self.apply(&domain("probe", "probe.test", "")).ok();
        let write = [
            "patch",
            "maildomain/probe",
            "--subresource=status",
            "--type=merge",
            "--patch",
            r#"{"status":{"observedGeneration":7}}"#,
        ];
        let start = Instant::now();
        while self.ask("", &write).code == Some(0) {
            assert!(start.elapsed() < PATIENCE, "the policies do not come into force");
            std::thread::sleep(Duration::from_millis(100));
        }
        // Those beside it are a moment later at most.
        std::thread::sleep(Duration::from_secs(1));
        self.ask("", &["delete", "maildomain/probe"]).ok();
    }

    fn apply(&self, manifest: &str) -> Output {
        self.kubectl.apply_with(manifest, &["--namespace", &self.namespace])
    }

    fn ask(&self, user: &str, asks: &[&str]) -> Output {
        let fill = |text: &str| text.replace("{}", &self.namespace);
        let mut arguments: Vec<String> = asks.iter().map(|word| fill(word)).collect();
        arguments.push(format!("--namespace={}", self.namespace));
        if !user.is_empty() {
            // The group is what a service account has the right to nothing by; the administrator's lends it all rights, so
            // that only the policies can refuse.
            arguments.extend([format!("--as={}", fill(user)), "--as-group=system:masters".to_owned()]);
        }
        self.kubectl.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    #[track_caller]
    fn check(&self, cases: &[Case]) {
        for Case { user, asks, refused } in cases {
            let said = self.ask(user, asks);
            let who = if user.is_empty() { "admin" } else { user };
            if refused.is_empty() {
                assert_eq!(said.code, Some(0), "{who} {asks:?}: {}", said.all());
            } else {
                assert_ne!(said.code, Some(0), "{who} {asks:?} was let through");
                assert!(said.all().contains(refused), "{who} {asks:?}: {}", said.all());
            }
        }
    }
}

fn domain(name: &str, domain: &str, more: &str) -> String {
    format!(
        "apiVersion: mailwright.dev/v1alpha1\nkind: MailDomain\nmetadata: {{name: {name}}}\n\
         spec: {{serverRef: {{name: mail}}, domain: {domain}{more}}}\n"
    )
}

const STATUS: &[&str] = &[
    "patch",
    "maildomain/example",
    "--subresource=status",
    "--type=merge",
    "--patch",
    r#"{"status":{"observedGeneration":9}}"#,
];
const FINALIZER: &[&str] = &[
    "patch",
    "maildomain/example",
    "--type=merge",
    "--patch",
    r#"{"metadata":{"finalizers":["mailwright.dev/addresses"]}}"#,
];
const OTHER_FINALIZER: &[&str] = &[
    "patch",
    "maildomain/example",
    "--type=merge",
    "--patch",
    r#"{"metadata":{"finalizers":["mailwright.dev/addresses","example.org/backup"]}}"#,
];
const NO_FINALIZER: &[&str] =
    &["patch", "maildomain/example", "--type=merge", "--patch", r#"{"metadata":{"finalizers":null}}"#];

#[test]
fn status_and_finalizer_are_the_operators() {
    let exempt = "--set=admissionPolicies.exemptUsers={carol@example.org}";
    let Some(bench) = Bench::new("status", &[exempt]) else { return };
    bench.apply(&domain("example", "example.test", "")).ok();
    let (alice, carol) = ("alice@example.org", "carol@example.org");
    let only = "only the operator of Mailwright writes status";
    let by_itself = "it goes by itself once the Mailboxes and Aliases of the domain are deleted";
    bench.check(&[
        may_not(alice, STATUS, only),
        may(OPERATOR, STATUS),
        may(carol, STATUS),
        may_not(alice, FINALIZER, by_itself),
        may(OPERATOR, FINALIZER),
        may(alice, OTHER_FINALIZER),
        may(alice, &["annotate", "maildomain/example", "team=post"]),
        may_not(alice, NO_FINALIZER, by_itself),
        may(OPERATOR, NO_FINALIZER),
        // What is in no policy stays everybody's business.
        may(
            alice,
            &[
                "patch",
                "maildomain/example",
                "--type=merge",
                "--patch",
                r#"{"spec":{"limits":{"mailboxes":5}}}"#,
            ],
        ),
        may(alice, &["delete", "maildomain/example"]),
    ]);
}

#[test]
fn what_is_protected_is_deleted_once_it_is_not() {
    let Some(bench) = Bench::new("protect", &[]) else { return };
    for name in ["example", "other"] {
        bench.apply(&domain(name, &format!("{name}.test"), "")).ok();
    }
    let protected = "remove the annotation mailwright.dev/protect first";
    bench.check(&[
        may("", &["annotate", "maildomain/example", "mailwright.dev/protect=true"]),
        may("", &["annotate", "maildomain/other", "mailwright.dev/protect=false"]),
        may_not("", &["delete", "maildomain/example"], protected),
        may_not("", &["delete", "maildomains", "--all"], protected),
        may("", &["delete", "maildomain/other", "--ignore-not-found"]),
        may_not(OPERATOR, &["delete", "maildomain/example"], protected),
        may("", &["annotate", "maildomain/example", "mailwright.dev/protect-"]),
        may("", &["delete", "maildomain/example"]),
    ]);
}

const VOLUME: &str = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: data-mail-0\n  labels: \
     {app.kubernetes.io/name: mailwright, app.kubernetes.io/component: mail, app.kubernetes.io/instance: mail}\n\
     spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n---\n\
     apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data-database-0}\n\
     spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n---\n\
     apiVersion: v1\nkind: Secret\nmetadata: {name: key, labels: {mailwright.dev/dkim: \"true\"}}\n---\n\
     apiVersion: v1\nkind: Secret\nmetadata: {name: password}\n";

#[test]
fn mail_and_keys_are_deleted_by_a_second_act() {
    let Some(bench) = Bench::new("volumes", &[]) else { return };
    bench.apply(VOLUME).ok();
    let volume = "kubectl annotate pvc data-mail-0 mailwright.dev/confirm-deletion=data-mail-0";
    let key = "kubectl annotate secret key mailwright.dev/confirm-deletion=key";
    bench.check(&[
        may_not("", &["delete", "pvc/data-mail-0"], volume),
        may_not("", &["delete", "secret/key"], key),
        may("", &["annotate", "pvc/data-mail-0", "secret/key", "mailwright.dev/confirm-deletion=yes"]),
        may_not("", &["delete", "pvc/data-mail-0"], volume),
        may_not("", &["delete", "secret/key"], key),
        may(
            "",
            &["annotate", "--overwrite", "pvc/data-mail-0", "mailwright.dev/confirm-deletion=data-mail-0"],
        ),
        may("", &["annotate", "--overwrite", "secret/key", "mailwright.dev/confirm-deletion=key"]),
        may("", &["delete", "pvc/data-mail-0", "--wait=false"]),
        may("", &["delete", "secret/key"]),
        // Of others.
        may("", &["delete", "pvc/data-database-0", "--wait=false"]),
        may("", &["delete", "secret/password"]),
    ]);
}

#[test]
fn a_namespace_goes_with_everything_that_is_protected_in_it() {
    let Some(bench) = Bench::new("namespace", &[]) else { return };
    bench.apply(&domain("example", "example.test", "")).ok();
    bench.apply(VOLUME).ok();
    bench.check(&[
        may("", &["annotate", "maildomain/example", "mailwright.dev/protect=true"]),
        may("", &["delete", "namespace/{}", "--timeout=60s"]),
    ]);
    let gone = bench.kubectl.run(&["get", "namespace", &bench.namespace]);
    assert_eq!(gone.exits(1).stdout, "");
}

/// `kubectl apply` of a MailDomain, let through or refused with these words.
#[track_caller]
fn claims(bench: &Bench, manifest: &str, refused: &str) {
    let said = bench.apply(manifest);
    match refused {
        "" => drop(said.ok()),
        words => drop(said.exits(1).says(words)),
    }
}

#[test]
fn a_namespace_claims_the_domains_that_its_owner_lists() {
    let Some(bench) = Bench::new("domains", &[]) else { return };
    claims(&bench, &domain("before", "before.test", ""), "");
    let list =
        ["annotate", "namespace/{}", "mailwright.dev/domains=example.org, *.example.net,shop.example.test"];
    bench.ask("", &list).ok();
    // The policy reads the namespace from a cache of the API server.
    std::thread::sleep(Duration::from_secs(1));
    for (name, manifest, refused) in [
        ("a listed one", domain("a", "example.org", ""), ""),
        ("below a wildcard", domain("b", "a.b.example.net", ""), ""),
        ("the wildcard's own", domain("c", "example.net", ""), "may not claim example.net; its annotation"),
        ("below a plain one", domain("d", "mail.example.org", ""), "may not claim mail.example.org"),
        ("ends alike", domain("e", "notexample.org", ""), "may not claim notexample.org"),
        ("ends alike, wildcard", domain("f", "xexample.net", ""), "may not claim xexample.net"),
        ("an alias", domain("a", "example.org", ", aliases: [shop.example.test]"), ""),
        (
            "foreign aliases",
            domain("a", "example.org", ", aliases: [shop.example.test, x.test, y.test]"),
            "may not claim x.test, y.test; its annotation mailwright.dev/domains allows example.org, *.example.net",
        ),
        ("claimed before", domain("before", "before.test", ", limits: {mailboxes: 3}"), ""),
        ("more than before", domain("before", "before.test", ", aliases: [x.test]"), "may not claim x.test"),
    ] {
        println!("{name}");
        claims(&bench, &manifest, refused);
    }
    bench.ask("", &["annotate", "--overwrite", "namespace/{}", "mailwright.dev/domains="]).ok();
    std::thread::sleep(Duration::from_secs(1));
    claims(&bench, &domain("g", "example.com", ""), "may not claim example.com");
    // What the operator writes later does not fall under a list that became shorter.
    bench.check(&[may(OPERATOR, &FINALIZER_OF_A), may("", &["annotate", "maildomain/b", "team=post"])]);
}

const FINALIZER_OF_A: [&str; 5] = [
    "patch",
    "maildomain/a",
    "--type=merge",
    "--patch",
    r#"{"metadata":{"finalizers":["mailwright.dev/addresses"]}}"#,
];

#[test]
fn a_list_and_the_own_namespace_can_be_demanded() {
    let values = [
        "--set=admissionPolicies.sameNamespaceOnly=true",
        "--set=admissionPolicies.requireDomainsAnnotation=true",
    ];
    let listed = Some("*.test,*.example.org,example.org");
    let Some(bench) = Bench::with_domains("demanded", &values, listed) else { return };
    let elsewhere = domain("a", "example.org", "").replace("{name: mail}", "{name: mail, namespace: other}");
    claims(&bench, &elsewhere, "serverRef must name a MailServer of the same namespace");
    let here = format!("{{name: mail, namespace: {}}}", bench.namespace);
    claims(&bench, &domain("a", "example.org", "").replace("{name: mail}", &here), "");
    claims(&bench, &domain("b", "b.example.org", ""), "");
    bench.ask("", &["annotate", "namespace/{}", "mailwright.dev/domains-"]).ok();
    std::thread::sleep(Duration::from_secs(1));
    claims(
        &bench,
        &domain("c", "c.example.org", ""),
        "may not claim c.example.org; its annotation mailwright.dev/domains allows none",
    );
}

#[test]
fn no_policy_holds_in_namespaces_that_are_not_watched() {
    let Some(bench) = Bench::new("watched", &[]) else { return };
    let kubectl = &bench.kubectl;
    let other = Bench { kubectl: kubectl.clone(), namespace: kubectl.namespace("unwatched") };
    other.apply(&domain("example", "example.test", "")).ok();
    other.check(&[
        may("alice@example.org", STATUS),
        may("alice@example.org", FINALIZER),
        may("alice@example.org", NO_FINALIZER),
    ]);
}

#[test]
fn every_expression_is_accepted_by_the_type_checker() {
    let Some(bench) = Bench::new("types", &["--set=admissionPolicies.sameNamespaceOnly=true"]) else {
        return;
    };
    let prefix = format!("{}-mailwright-operator-", bench.namespace);
    let checked = |policies: &serde_json::Value| {
        let ours: Vec<_> = policies["items"].as_array().cloned().unwrap_or_default();
        let ours =
            ours.into_iter().filter(|it| it["metadata"]["name"].as_str().unwrap().starts_with(&prefix));
        let ours: Vec<_> = ours.collect();
        (ours.len() == 7 && ours.iter().all(|it| it["status"]["typeChecking"].is_object())).then_some(ours)
    };
    let policies = bench
        .kubectl
        .wait_until("", "validatingadmissionpolicies", PATIENCE, |found| checked(found).is_some());
    for policy in checked(&policies).unwrap() {
        assert_eq!(policy["status"]["typeChecking"], serde_json::json!({}), "{}", policy["metadata"]["name"]);
    }
}
