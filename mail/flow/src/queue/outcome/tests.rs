//! The table from replies and failures to outcomes.

use super::*;

/// The outcome in short: `ok`, or its letter and its status.
fn short(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Delivered => "ok".to_owned(),
        Outcome::Deferred(verdict) => format!("later {}", verdict.status),
        Outcome::Failed(verdict) => format!("never {}", verdict.status),
    }
}

#[test]
fn replies() {
    use Stage::{Auth, Connect, Data, Greeting, Hello, Mail, Message, Rcpt, StartTls};
    let enhanced = |code, class, subject, detail| Reply::new(code, Enhanced(class, subject, detail), "text");
    for (reply, stage, expected, reaches) in [
        (Reply::plain(250, "ok"), Message, "ok", Scope::Message),
        (enhanced(250, 2, 1, 5), Rcpt, "ok", Scope::Recipient),
        (enhanced(550, 5, 1, 1), Rcpt, "never 5.1.1", Scope::Recipient),
        (Reply::plain(550, "no"), Rcpt, "never 5.1.1", Scope::Recipient),
        (enhanced(450, 4, 2, 0), Rcpt, "later 4.2.0", Scope::Recipient),
        (Reply::plain(452, "full"), Rcpt, "later 4.3.1", Scope::Recipient),
        (Reply::plain(552, "full"), Rcpt, "never 5.2.2", Scope::Recipient),
        (Reply::plain(421, "bye"), Rcpt, "later 4.3.2", Scope::Host),
        (enhanced(550, 5, 7, 1), Mail, "never 5.7.1", Scope::Message),
        (Reply::plain(451, "wait"), Mail, "later 4.0.0", Scope::Message),
        (Reply::plain(554, "no"), Data, "never 5.0.0", Scope::Message),
        (Reply::plain(554, "spam"), Message, "never 5.6.0", Scope::Message),
        (enhanced(451, 4, 3, 0), Message, "later 4.3.0", Scope::Message),
        (Reply::plain(500, "what"), Data, "never 5.5.0", Scope::Message),
        (Reply::plain(556, "none"), Rcpt, "never 5.1.10", Scope::Recipient),
        // Before MAIL the host speaks of itself: another host, another time.
        (Reply::plain(554, "not you"), Greeting, "later 4.0.0", Scope::Host),
        (enhanced(554, 5, 7, 1), Greeting, "later 4.7.1", Scope::Host),
        (Reply::plain(521, "no mail here"), Greeting, "never 5.3.2", Scope::Host),
        (Reply::plain(421, "busy"), Connect, "later 4.3.2", Scope::Host),
        (Reply::plain(550, "who"), Hello, "later 4.0.0", Scope::Host),
        (Reply::plain(554, "no tls"), StartTls, "later 4.7.0", Scope::Host),
        (enhanced(535, 5, 7, 8), Auth, "later 4.7.8", Scope::Host),
        (Reply::plain(535, "no"), Auth, "later 4.7.0", Scope::Host),
    ] {
        let outcome = Outcome::of(&reply, stage);
        assert_eq!(short(&outcome), expected, "{reply} at {stage:?}");
        assert_eq!(scope(&reply, stage), reaches, "{reply} at {stage:?}");
        if let Some(verdict) = outcome.verdict() {
            assert_eq!(verdict.reply.as_deref(), Some(reply.to_string().as_str()));
            assert!(verdict.text.contains(stage.as_str()));
        }
    }
}

#[test]
fn problems() {
    for (problem, expected) in [
        (MxProblem::NullMx, "never 5.1.10"),
        (MxProblem::NoSuchDomain, "never 5.1.2"),
        (MxProblem::NoHost, "never 5.4.4"),
        (MxProblem::PointsToUs, "never 5.4.6"),
        (MxProblem::Temporary, "later 4.4.3"),
    ] {
        let outcome = Outcome::of_problem(problem);
        assert_eq!(short(&outcome), expected, "{problem:?}");
        assert_eq!(outcome.verdict().unwrap().text, problem.to_string());
    }
}

#[test]
fn lost_connections_and_what_is_not_offered() {
    assert_eq!(short(&Outcome::lost(Stage::Connect, "refused")), "later 4.4.1");
    for stage in [
        Stage::Greeting,
        Stage::Hello,
        Stage::StartTls,
        Stage::Mail,
        Stage::Rcpt,
        Stage::Data,
        Stage::Message,
    ] {
        let outcome = Outcome::lost(stage, "the connection was lost");
        assert_eq!(short(&outcome), "later 4.4.2");
        assert_eq!(outcome.verdict().unwrap().text, format!("the connection was lost at {}", stage.as_str()));
    }
    for (what, expected) in [
        (Unsupported::SmtpUtf8, "never 5.6.7"),
        (Unsupported::EightBit, "never 5.6.3"),
        (Unsupported::Size, "never 5.3.4"),
    ] {
        assert_eq!(short(&Outcome::unsupported(what)), expected);
    }
}

#[test]
fn the_end_tells_the_last_reason() {
    let last = Outcome::of(&Reply::new(451, Enhanced(4, 7, 1), "greylisted"), Stage::Rcpt);
    let Outcome::Failed(verdict) = Outcome::expired(last.verdict()) else { panic!("expired is final") };
    assert_eq!(verdict.status, Enhanced(5, 4, 7));
    assert_eq!(verdict.reply.as_deref(), Some("451 4.7.1 greylisted"));
    assert!(verdict.text.contains("RCPT"), "{}", verdict.text);
    assert_eq!(short(&Outcome::expired(None)), "never 5.4.7");
}
