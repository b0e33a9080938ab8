//! What a change of a server's way of sending means, in words.

use crate::effect::{Effect, list};
use crate::field;
use crate::observed::{Relay, ServerDeclared};

/// Says what changes for outgoing mail and for those who may send it.
pub(super) fn effect(before: &ServerDeclared, after: &ServerDeclared, effect: &mut Effect) {
    relay(before.relay.as_ref(), after.relay.as_ref(), effect);
    trusted(&before.trusted_networks, &after.trusted_networks, effect);
    match (before.auth.plaintext_on_loopback, after.auth.plaintext_on_loopback) {
        (false, true) => effect.takes("programs on this host may log in without TLS".to_owned()),
        (true, false) => effect.takes("programs on this host can no longer log in without TLS".to_owned()),
        _ => {}
    }
    if before.dns != after.dns {
        effect.says(match after.dns.resolvers.as_slice() {
            [] => "DNS is asked as the operating system does".to_owned(),
            resolvers => format!("DNS is asked at {}", list(resolvers)),
        });
    }
    let (old, new) = (&before.queue, &after.queue);
    if old.lifetime != new.lifetime {
        let line = format!("mail that cannot be delivered goes back after {}", field::duration(new.lifetime));
        if new.lifetime < old.lifetime { effect.takes(line) } else { effect.says(line) }
    }
    if old.delay_warning != new.delay_warning {
        effect.says(format!("senders are told of delays after {}", field::duration(new.delay_warning)));
    }
    if old.remote_port != new.remote_port {
        effect.takes(format!("mail to other servers goes to their port {}", new.remote_port));
    }
}

fn relay(before: Option<&Relay>, after: Option<&Relay>, effect: &mut Effect) {
    match (before, after) {
        (old, new) if old == new => {}
        (_, Some(relay)) => {
            let login = relay.secret().map(|secret| format!(", with the login of the Secret {secret}"));
            let (host, port) = (&relay.host, relay.port);
            effect.says(format!("outgoing mail leaves through {host}:{port}{}", login.unwrap_or_default()));
        }
        (_, None) => effect.says("outgoing mail goes to the MX hosts of each domain".to_owned()),
    }
}

fn trusted(before: &[String], after: &[String], effect: &mut Effect) {
    let new: Vec<&String> = after.iter().filter(|network| !before.contains(network)).collect();
    let gone: Vec<&String> = before.iter().filter(|network| !after.contains(network)).collect();
    if !new.is_empty() {
        effect.takes(format!("everybody in {} may send mail anywhere, without a login", list(&new)));
    }
    if !gone.is_empty() {
        effect.takes(format!("nobody in {} may send mail without a login any more", list(&gone)));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::operation::Risk;

    fn server(fields: serde_json::Value) -> ServerDeclared {
        let mut row = json!({
            "name": "default/mail", "hostname": "mail.example.test", "listeners": {}, "tls": "selfSigned",
            "limits": {"messageSize": 1, "recipientsPerMessage": 1, "connections": 1, "connectionsPerAddress": 1},
        });
        for (key, value) in fields.as_object().unwrap() {
            row[key] = value.clone();
        }
        serde_json::from_value(row).unwrap()
    }

    #[track_caller]
    fn check(before: serde_json::Value, after: serde_json::Value, risk: Option<Risk>, lines: &[&str]) {
        let mut found = Effect::default();
        effect(&server(before), &server(after), &mut found);
        assert_eq!(
            (found.lines.iter().map(String::as_str).collect::<Vec<_>>().as_slice(), found.risk),
            (lines, risk)
        );
    }

    #[test]
    fn what_changes_is_said_with_its_risk() {
        let relay = json!({"relay": {"host": "smtp.example.org", "port": 587, "tls": "StartTLS",
            "credentials": {"secretRef": {"name": "smarthost"}}}});
        check(json!({}), json!({}), None, &[]);
        check(
            json!({}),
            relay.clone(),
            Some(Risk::None),
            &["outgoing mail leaves through smtp.example.org:587, with the login of the Secret smarthost"],
        );
        check(relay, json!({}), Some(Risk::None), &["outgoing mail goes to the MX hosts of each domain"]);
        check(
            json!({"trustedNetworks": ["10.1.0.0/16"]}),
            json!({"trustedNetworks": ["10.2.0.0/16", "192.0.2.7"]}),
            Some(Risk::Access),
            &[
                "everybody in 10.2.0.0/16 and 192.0.2.7 may send mail anywhere, without a login",
                "nobody in 10.1.0.0/16 may send mail without a login any more",
            ],
        );
        check(
            json!({"dns": {"resolvers": ["192.0.2.53"]}, "auth": {"plaintextOnLoopback": true}}),
            json!({"queue": {"lifetime": 3600, "delayWarning": 600}}),
            Some(Risk::Access),
            &[
                "programs on this host can no longer log in without TLS",
                "DNS is asked as the operating system does",
                "mail that cannot be delivered goes back after 1h",
                "senders are told of delays after 10m",
            ],
        );
        check(
            json!({}),
            json!({"dns": {"resolvers": ["192.0.2.53"]}, "auth": {"plaintextOnLoopback": true}, "queue": {"lifetime": 864_000, "remotePort": 2525}}),
            Some(Risk::Access),
            &[
                "programs on this host may log in without TLS",
                "DNS is asked at 192.0.2.53",
                "mail that cannot be delivered goes back after 240h",
                "mail to other servers goes to their port 2525",
            ],
        );
    }
}
