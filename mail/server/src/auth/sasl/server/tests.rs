//! Every mechanism as data: the RFCs' exchanges as known answers, what is refused, and what bytes cannot do.

use proptest::prelude::*;

use super::*;
use crate::auth::sasl::client::Client;
use crate::auth::scram::Record;

const NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

fn bytes(text: &str) -> Option<Response> {
    Some(Zeroizing::new(text.as_bytes().to_vec()))
}

fn shown(step: Step) -> String {
    match step {
        Step::Challenge(challenge) => String::from_utf8(challenge).unwrap(),
        Step::Verify { user, password } => {
            format!("verify {user} {}", String::from_utf8_lossy(&password))
        }
        Step::Lookup { user } => format!("lookup {user}"),
        Step::Done => "done".into(),
        Step::Wrong => "wrong".into(),
        Step::Malformed => "malformed".into(),
    }
}

fn server(mechanism: &str) -> Server {
    Server::with_nonce(mechanism, None, NONCE).unwrap()
}

/// RFC 7677 §3: user "user", password "pencil".
fn record() -> Record {
    use base64::Engine;
    Record::with("pencil", scram::BASE64.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap(), 4096)
}

#[test]
fn plain_messages() {
    for (response, expected) in [
        // RFC 4616 §4.
        ("\0tim\0tanstaaftanstaaf", "verify tim tanstaaftanstaaf"),
        ("Ursel\0Kurt\0xipj3plmq", "malformed"),
        ("alice@example.test\0Alice@example.test\0pw", "verify Alice@example.test pw"),
        ("\0jörg@example.test\0ŝtal", "verify jörg@example.test ŝtal"),
        ("\0alice\0", "malformed"),
        ("\0\0pw", "malformed"),
        ("\0alice\0a\0b", "malformed"),
        ("alice\0pw", "malformed"),
        ("", "malformed"),
    ] {
        let mut server = server(PLAIN);
        assert_eq!(shown(server.respond(bytes(response))), expected, "{response:?}");
        assert_eq!(shown(server.respond(bytes(response))), "malformed", "it is over");
    }
    let mut late = server("plain");
    assert_eq!(shown(late.respond(None)), "");
    assert_eq!(shown(late.respond(bytes("\0tim\0x"))), "verify tim x");
}

#[test]
fn login_in_two_steps() {
    let mut with_prompt = server(LOGIN);
    assert_eq!(shown(with_prompt.respond(None)), "Username:");
    let mut with_initial = server(LOGIN);
    for server in [&mut with_prompt, &mut with_initial] {
        assert_eq!(shown(server.respond(bytes("alice"))), "Password:");
        assert_eq!(shown(server.respond(bytes("pw"))), "verify alice pw");
        assert_eq!(shown(server.respond(bytes("pw"))), "malformed");
    }
    let mut cut = server(LOGIN);
    cut.respond(bytes("alice"));
    assert_eq!(shown(cut.respond(None)), "malformed");
}

#[test]
fn mechanisms_without_a_binding() {
    assert!(Server::start(SCRAM_SHA_256_PLUS, None).is_none());
    assert!(Server::start(SCRAM_SHA_256_PLUS, Some(Bindings::default())).is_none());
    for unknown in ["CRAM-MD5", "", "GSSAPI", "XOAUTH2", "SCRAM-SHA-1", "EXTERNAL"] {
        assert!(Server::start(unknown, None).is_none(), "{unknown}");
    }
    assert!(Server::start("scram-sha-256", None).is_some());
}

/// RFC 7677 §3.
#[test]
fn the_example_exchange() {
    let mut server = server(SCRAM_SHA_256);
    assert_eq!(shown(server.respond(None)), "");
    assert_eq!(shown(server.respond(bytes("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"))), "lookup user");
    assert_eq!(
        shown(server.found(record())),
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    );
    let client_final = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                        p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    assert_eq!(shown(server.respond(bytes(client_final))), "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    assert_eq!(shown(server.respond(bytes(""))), "done");
    assert_eq!(shown(server.respond(bytes(""))), "malformed");
}

#[test]
fn client_first_messages() {
    let usable = Bindings { exporter: Some([7; 32]), end_point: Some(vec![8; 32]) };
    let exporter = Bindings { end_point: None, ..usable.clone() };
    let none = Bindings::default();
    for (mechanism, bindings, message, expected) in [
        (SCRAM_SHA_256, &none, "n,,n=user,r=abc", "lookup user"),
        (SCRAM_SHA_256, &none, "y,,n=user,r=abc", "lookup user"),
        (SCRAM_SHA_256, &usable, "n,,n=user,r=abc", "lookup user"),
        // The client can bind and was not told that we can: a downgrade.
        (SCRAM_SHA_256, &usable, "y,,n=user,r=abc", "malformed"),
        (SCRAM_SHA_256, &usable, "p=tls-exporter,,n=user,r=abc", "malformed"),
        (SCRAM_SHA_256_PLUS, &usable, "p=tls-exporter,,n=user,r=abc", "lookup user"),
        (SCRAM_SHA_256_PLUS, &usable, "p=tls-server-end-point,,n=user,r=abc", "lookup user"),
        (SCRAM_SHA_256_PLUS, &exporter, "p=tls-server-end-point,,n=user,r=abc", "malformed"),
        (SCRAM_SHA_256_PLUS, &usable, "p=tls-unique,,n=user,r=abc", "malformed"),
        (SCRAM_SHA_256_PLUS, &usable, "n,,n=user,r=abc", "malformed"),
        (SCRAM_SHA_256_PLUS, &usable, "y,,n=user,r=abc", "malformed"),
        (SCRAM_SHA_256, &none, "n,a=user,n=user,r=abc", "lookup user"),
        (SCRAM_SHA_256, &none, "n,a=User,n=user,r=abc", "lookup user"),
        (SCRAM_SHA_256, &none, "n,a=root,n=user,r=abc", "malformed"),
        (SCRAM_SHA_256, &none, "n,user,n=user,r=abc", "malformed"),
        (SCRAM_SHA_256, &none, "n,,n=a=2Cb,r=abc,x=later", "lookup a,b"),
        (SCRAM_SHA_256, &none, "n,,m=must,n=user,r=abc", "malformed"),
        (SCRAM_SHA_256, &none, "n,,n=,r=abc", "malformed"),
        (SCRAM_SHA_256, &none, "n,,n=user,r=", "malformed"),
        (SCRAM_SHA_256, &none, "n,,n=user,r=a b", "malformed"),
        (SCRAM_SHA_256, &none, "n,,n=user", "malformed"),
        (SCRAM_SHA_256, &none, "x,,n=user,r=abc", "malformed"),
        (SCRAM_SHA_256, &none, "", "malformed"),
    ] {
        let mut server = Server::with_nonce(mechanism, Some(bindings.clone()), NONCE).unwrap();
        assert_eq!(shown(server.respond(bytes(message))), expected, "{mechanism} {message}");
    }
    let long = format!("n,,n=user,r={}", "x".repeat(257));
    assert_eq!(shown(server(SCRAM_SHA_256).respond(bytes(&long))), "malformed");
    let longer = format!("n,,n={},r=abc", "x".repeat(MAX_RESPONSE));
    assert_eq!(shown(server(SCRAM_SHA_256).respond(bytes(&longer))), "malformed");
}

#[test]
fn client_final_messages() {
    let good = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    for (from, to, expected) in [
        ("p=dHz", "p=eHz", "wrong"),
        ("c=biws", "c=eSws", "wrong"),
        ("c=biws", "c=", "wrong"),
        ("c=biws", "c=*", "malformed"),
        ("r=rOpr", "r=rOps", "wrong"),
        ("k0,", "k1,", "wrong"),
        ("k0,", "k0,x=1,", "wrong"),
        (",p=", ",q=", "malformed"),
        ("AndVQ=", "", "malformed"),
        ("c=biws,", "", "malformed"),
    ] {
        let mut server = server(SCRAM_SHA_256);
        server.respond(bytes("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"));
        server.found(record());
        let message = good.replacen(from, to, 1);
        assert_ne!(message, good);
        assert_eq!(shown(server.respond(bytes(&message))), expected, "{message}");
        assert_eq!(shown(server.respond(bytes(good))), "malformed", "there is no second try");
    }
    let mut early = server(SCRAM_SHA_256);
    assert_eq!(shown(early.found(record())), "malformed");
    let mut cut = server(SCRAM_SHA_256);
    cut.respond(bytes("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"));
    assert_eq!(shown(cut.respond(bytes(good))), "malformed", "before the record");
}

/// A whole exchange between our two machines; the last step.
fn exchange(mechanism: &str, ours: Option<Bindings>, theirs: Option<Bindings>, password: &str) -> String {
    let record = Record::with("pencil", b"salt of sixteen!".to_vec(), 4096);
    let mut server = Server::start(mechanism, ours).unwrap();
    let mut client = Client::new("user,=", password, &[mechanism], theirs.as_ref()).unwrap();
    assert_eq!(client.mechanism(), mechanism);
    let mut step = server.respond(client.initial().map(Zeroizing::new));
    loop {
        step = match step {
            Step::Challenge(challenge) => match client.respond(&challenge) {
                Ok(response) => server.respond(Some(Zeroizing::new(response))),
                Err(_) => return "the client gave up".into(),
            },
            Step::Lookup { user } => {
                assert_eq!(user, "user,=");
                server.found(record.clone())
            }
            step => {
                assert_eq!(client.is_satisfied(), matches!(step, Step::Done | Step::Verify { .. }));
                return shown(step);
            }
        };
    }
}

#[test]
fn our_client_and_our_server_understand_each_other() {
    let exporter = Some(Bindings { exporter: Some([7; 32]), end_point: None });
    let end_point = Some(Bindings { exporter: None, end_point: Some(vec![9; 48]) });
    for (mechanism, ours, theirs, password, expected) in [
        (PLAIN, None, None, "pencil", "verify user,= pencil"),
        (LOGIN, None, None, "pencil", "verify user,= pencil"),
        (SCRAM_SHA_256, None, None, "pencil", "done"),
        (SCRAM_SHA_256, None, None, "pencils", "wrong"),
        (SCRAM_SHA_256_PLUS, exporter.clone(), exporter.clone(), "pencil", "done"),
        (SCRAM_SHA_256_PLUS, end_point.clone(), end_point.clone(), "pencil", "done"),
        (SCRAM_SHA_256_PLUS, exporter.clone(), exporter.clone(), "pen", "wrong"),
        // Somebody in the middle has two connections with two bindings.
        (
            SCRAM_SHA_256_PLUS,
            exporter.clone(),
            Some(Bindings { exporter: Some([8; 32]), end_point: None }),
            "pencil",
            "wrong",
        ),
    ] {
        let last = exchange(mechanism, ours, theirs, password);
        assert_eq!(last, expected, "{mechanism} {password}");
    }
}

proptest! {
    #[test]
    fn random_responses_never_panic_and_never_prove_anything(
        mechanism in 0..3usize,
        responses in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 1..5),
    ) {
        let mut server = server([PLAIN, LOGIN, SCRAM_SHA_256][mechanism]);
        for response in responses {
            let step = server.respond(Some(Zeroizing::new(response)));
            prop_assert!(!matches!(step, Step::Done));
            if let Step::Lookup { .. } = step {
                server.found(record());
            }
        }
    }

    #[test]
    fn damaged_exchanges_never_prove_anything(at in 0..120usize, byte in any::<u8>()) {
        let good = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                    p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        let mut damaged = good.as_bytes().to_vec();
        let at = at % damaged.len();
        damaged[at] = byte;
        prop_assume!(damaged != good.as_bytes());
        let mut server = server(SCRAM_SHA_256);
        server.respond(bytes("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"));
        server.found(record());
        let step = server.respond(Some(Zeroizing::new(damaged)));
        prop_assert!(matches!(step, Step::Wrong | Step::Malformed), "{:?}", step);
    }
}
