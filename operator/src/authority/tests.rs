//! Tables of the steps that the authorities and their leaves take, and what the certificates say.

use chrono::TimeZone as _;

use super::*;
use crate::certificate;

fn at(days: i64) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 21, 12, 0, 0).unwrap() + Duration::days(days)
}

fn authority(subject: &str, from: i64) -> Validity {
    Validity { subject: subject.to_owned(), from: at(from), to: at(from) + AUTHORITY_LIFE }
}

#[test]
fn authorities_overlap() {
    let (a, b, c) = (authority("a", 0), authority("b", 490), authority("c", -800));
    let there = |signing: Option<&Validity>, next: Option<&Validity>, previous: &[&Validity]| Authorities {
        signing: signing.cloned(),
        next: next.cloned(),
        previous: previous.iter().map(|it| (*it).clone()).collect(),
    };
    let cases = [
        ("nothing yet", 0, there(None, None, &[]), vec![Step::MakeFirst]),
        ("young", 1, there(Some(&a), None, &[]), vec![]),
        ("just below two thirds", 486, there(Some(&a), None, &[]), vec![]),
        ("two thirds over", 487, there(Some(&a), None, &[]), vec![Step::MakeNext]),
        ("the successor is not known everywhere", 490, there(Some(&a), Some(&b), &[]), vec![]),
        ("a day later it is", 492, there(Some(&a), Some(&b), &[]), vec![Step::Promote]),
        ("the old one stays trusted", 500, there(Some(&b), None, &[&a]), vec![]),
        ("until it ends", 730, there(Some(&b), None, &[&a]), vec![Step::DropEnded]),
        ("the signing one ended before its time", 731, there(Some(&a), Some(&b), &[]), vec![Step::Promote]),
        ("everything ended", 3000, there(Some(&a), Some(&b), &[]), vec![Step::MakeFirst]),
        ("a successor that ended is made anew", 1, there(Some(&a), Some(&c), &[]), vec![]),
        ("both at once", 500, there(Some(&a), None, &[&c]), vec![Step::DropEnded, Step::MakeNext]),
        ("a clock that went back does nothing", -10, there(Some(&a), None, &[]), vec![]),
    ];
    for (what, day, there, expected) in cases {
        assert_eq!(decide(at(day), &there), expected, "{what}");
    }
}

#[test]
fn leaves_are_renewed_when_they_must_be() {
    let authorities = Authorities {
        signing: Some(authority("new", 0)),
        next: None,
        previous: vec![authority("old", -500), authority("ended", -800)],
    };
    let leaf = Leaf::Server { namespace: "mail".into(), name: "post".into() };
    let facts = |issuer: &str, names: Vec<String>, from: i64, bundle_current| LeafFacts {
        validity: Validity { subject: "post".into(), from: at(from), to: at(from) + LEAF_LIFE },
        issuer: issuer.to_owned(),
        names,
        bundle_current,
    };
    let cases = [
        ("none", None, LeafStep::Issue),
        ("good", Some(facts("new", leaf.names(), 0, true)), LeafStep::Keep),
        ("signed by one still trusted", Some(facts("old", leaf.names(), 0, true)), LeafStep::Keep),
        ("signed by one that ended", Some(facts("ended", leaf.names(), 0, true)), LeafStep::Issue),
        ("signed by a stranger", Some(facts("other", leaf.names(), 0, true)), LeafStep::Issue),
        ("other authorities", Some(facts("new", leaf.names(), 0, false)), LeafStep::Trust),
        ("another name", Some(facts("new", vec!["localhost".into()], 0, true)), LeafStep::Issue),
        ("59 days old", Some(facts("new", leaf.names(), -59, true)), LeafStep::Keep),
        ("60 days old", Some(facts("new", leaf.names(), -60, true)), LeafStep::Issue),
        ("ended", Some(facts("new", leaf.names(), -91, false)), LeafStep::Issue),
    ];
    for (what, there, expected) in cases {
        assert_eq!(decide_leaf(at(0), &authorities, &leaf, there.as_ref()), expected, "{what}");
    }
}

#[test]
fn a_whole_rotation_leaves_no_day_without_trust() {
    let mut there = Authorities::default();
    let mut leaf: Option<LeafFacts> = None;
    let (mut authorities_made, mut leaves_made) = (0, 0);
    for day in 0..3 * 730 {
        let now = at(day);
        for step in decide(now, &there) {
            match step {
                Step::DropEnded => there.previous.retain(|it| it.to > now),
                Step::MakeFirst => there.signing = Some(authority(&format!("ca{day}"), day)),
                Step::MakeNext => there.next = Some(authority(&format!("ca{day}"), day)),
                Step::Promote => {
                    there.previous.extend(there.signing.take());
                    there.signing = there.next.take();
                }
            }
            authorities_made += usize::from(matches!(step, Step::MakeFirst | Step::MakeNext));
        }
        let signing = there.signing.clone().expect("there is always one that signs");
        if decide_leaf(now, &there, &Leaf::Operator, leaf.as_ref()) != LeafStep::Keep {
            leaves_made += 1;
            leaf = Some(LeafFacts {
                validity: Validity {
                    subject: CLIENT_NAME.into(),
                    from: now,
                    to: (now + LEAF_LIFE).min(signing.to),
                },
                issuer: signing.subject,
                names: Leaf::Operator.names(),
                bundle_current: true,
            });
        }
        let leaf = leaf.as_ref().expect("issued above");
        assert!(leaf.validity.to > now, "day {day}: the leaf ended");
        assert!(there.trusts(&leaf.issuer, now), "day {day}: nobody trusts {}", leaf.issuer);
    }
    assert_eq!((authorities_made, leaves_made), (5, 37));
}

#[test]
fn certificates_say_what_they_are_for() {
    let made = make_authority(at(0)).unwrap();
    let facts = certificate::inspect(&made).unwrap();
    assert!(facts.subject.starts_with("CN=Mailwright management "), "{}", facts.subject);
    assert_eq!((facts.not_before, facts.not_after), (at(0) - CLOCK_SKEW, at(0) + AUTHORITY_LIFE));

    let server = Leaf::Server { namespace: "mail".into(), name: "post".into() };
    let cases = [
        (Leaf::Operator, vec!["mailwright-operator"], "CN=mailwright-operator", (false, true)),
        (
            server,
            vec!["post-0.post-headless.mail.svc.cluster.local", "post-0.post-headless.mail.svc", "localhost"],
            "CN=post",
            (true, false),
        ),
    ];
    for (leaf, names, subject, (serves, asks)) in cases {
        let pair = issue(&made, &leaf, at(0)).unwrap();
        let issued = certificate::inspect(&pair).unwrap();
        assert_eq!((issued.names.clone(), issued.subject.as_str()), (leaf.names(), subject));
        assert_eq!(issued.names, names);
        assert_eq!(issued.issuer, facts.subject);
        assert_eq!(issued.not_after, at(0) + LEAF_LIFE);
        let (_, pem) = x509_parser::pem::parse_x509_pem(pair.certificate.as_bytes()).unwrap();
        let parsed = pem.parse_x509().unwrap();
        let usage = parsed.extended_key_usage().unwrap().unwrap().value;
        assert_eq!((usage.server_auth, usage.client_auth), (serves, asks), "{subject}");
        assert!(!parsed.is_ca());
    }
}

#[test]
fn a_leaf_never_outlives_its_authority() {
    let made = make_authority(at(0)).unwrap();
    let pair = issue(&made, &Leaf::Operator, at(700)).unwrap();
    assert_eq!(certificate::inspect(&pair).unwrap().not_after, at(730));
}

#[test]
fn a_chain_of_leaf_and_authority_is_believed_by_a_tls_client() {
    use rustls_pki_types::pem::PemObject as _;
    use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

    let made = make_authority(at(0)).unwrap();
    let leaf = Leaf::Server { namespace: "mail".into(), name: "post".into() };
    let pair = issue(&made, &leaf, at(0)).unwrap();
    let der = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let check = |trusted: &str, name: &str, days: i64| {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(der(trusted)).unwrap();
        let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = rustls::client::WebPkiServerVerifier::builder_with_provider(roots.into(), provider)
            .build()
            .unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(at(days).timestamp() as u64));
        use rustls::client::danger::ServerCertVerifier as _;
        verifier.verify_server_cert(&der(&pair.certificate), &[], &name, &[], now).is_ok()
    };
    let other = make_authority(at(0)).unwrap();
    assert!(check(&made.certificate, &names::management_host("mail", "post"), 1));
    assert!(!check(&made.certificate, &names::management_host("mail", "other"), 1), "another pod");
    assert!(!check(&made.certificate, &names::management_host("mail", "post"), 91), "after its end");
    assert!(!check(&other.certificate, &names::management_host("mail", "post"), 1), "another authority");
}
