//! What counts as a difference between a live object and a desired one, and what does not.

use serde_json::json;

use super::*;

fn check(expected: bool, why: &str, live: Value, desired: Value) {
    assert_eq!(covers(&live, &desired), expected, "{why}: {live} / {desired}");
    // What is covered needs no second look, and a projection says the same as the whole.
    assert_eq!(covers(&project(&live, &desired), &desired), expected, "{why}, projected");
}

#[test]
fn what_the_server_and_others_add_is_no_difference() {
    for (why, live, desired) in [
        (
            "a default",
            json!({"spec": {"replicas": 1, "minReadySeconds": 0}}),
            json!({"spec": {"replicas": 1}}),
        ),
        ("an annotation", json!({"annotations": {"a": "1", "b": "2"}}), json!({"annotations": {"a": "1"}})),
        (
            "an empty object left out",
            json!({}),
            json!({"annotations": {}, "ingress": [], "x": null, "s": ""}),
        ),
        ("a nested empty one", json!({"spec": {}}), json!({"spec": {"template": {"annotations": {}}}})),
        (
            "an injected container",
            json!({"containers": [{"name": "sidecar"}, {"name": "mailwright", "image": "a", "stdin": false}]}),
            json!({"containers": [{"name": "mailwright", "image": "a"}]}),
        ),
        (
            "another owner",
            json!({"ownerReferences": [{"uid": "x"}, {"uid": "u", "kind": "MailServer"}]}),
            json!({"ownerReferences": [{"uid": "u", "kind": "MailServer"}]}),
        ),
        (
            "a node port",
            json!({"ports": [{"name": "smtp", "port": 25, "protocol": "TCP", "nodePort": 30025}]}),
            json!({"ports": [{"name": "smtp", "port": 25, "protocol": "TCP"}]}),
        ),
        (
            "ports in another order",
            json!({"ports": [{"name": "b", "containerPort": 2, "protocol": "TCP"}, {"name": "a", "containerPort": 1, "protocol": "TCP"}]}),
            json!({"ports": [{"name": "a", "containerPort": 1, "protocol": "TCP"}, {"name": "b", "containerPort": 2, "protocol": "TCP"}]}),
        ),
        (
            "a mount by its path",
            json!({"volumeMounts": [{"mountPath": "/x", "name": "x"}, {"mountPath": "/d", "name": "data"}]}),
            json!({"volumeMounts": [{"mountPath": "/d", "name": "data"}]}),
        ),
    ] {
        check(true, why, live, desired);
    }
}

#[test]
fn what_we_said_and_is_not_so_is_a_difference() {
    for (why, live, desired) in [
        ("a value", json!({"replicas": 0}), json!({"replicas": 1})),
        ("a missing field", json!({}), json!({"replicas": 1})),
        ("a missing false", json!({}), json!({"automountServiceAccountToken": false})),
        ("another type", json!({"spec": "x"}), json!({"spec": {"a": 1}})),
        (
            "a missing container",
            json!({"containers": [{"name": "sidecar"}]}),
            json!({"containers": [{"name": "mailwright"}]}),
        ),
        (
            "a port's number",
            json!({"ports": [{"name": "a", "containerPort": 1, "protocol": "TCP"}]}),
            json!({"ports": [{"name": "a", "containerPort": 2, "protocol": "TCP"}]}),
        ),
        (
            "a service port's target",
            json!({"ports": [{"name": "a", "port": 25, "protocol": "TCP", "targetPort": 25}]}),
            json!({"ports": [{"name": "a", "port": 25, "protocol": "TCP", "targetPort": "smtp"}]}),
        ),
        ("a longer list of one writer", json!({"args": ["serve", "--debug"]}), json!({"args": ["serve"]})),
        ("an order", json!({"args": ["a", "b"]}), json!({"args": ["b", "a"]})),
        (
            "a port of a policy",
            json!({"ingress": [{"ports": [{"protocol": "TCP", "port": 25}, {"protocol": "TCP", "port": 26}]}]}),
            json!({"ingress": [{"ports": [{"protocol": "TCP", "port": 25}]}]}),
        ),
        ("a rule of a policy", json!({"egress": [{}, {}]}), json!({"egress": [{}]})),
    ] {
        check(false, why, live, desired);
    }
}

#[test]
fn amounts_are_compared_by_what_they_count() {
    let table = [
        ("500m", json!("0.5"), true),
        ("1", json!(1), true),
        ("1Gi", json!("1024Mi"), true),
        ("1Gi", json!("1G"), false),
        ("1500m", json!("1.5"), true),
        ("1k", json!("1000"), true),
        ("2Ti", json!("2048Gi"), true),
        ("1Gi", json!("lots"), false),
        ("100m", json!("0.1001"), false),
        ("101m", json!("0.1001"), true),
        ("1E", json!("1000P"), true),
        ("99999999999999999999", json!("99999999999999999999.0"), false),
    ];
    for (live, desired, same) in table {
        for live in [json!({"requests": {"cpu": live}}), json!({"limits": {"cpu": live}})] {
            let group = live.as_object().and_then(|live| live.keys().next()).cloned().unwrap_or_default();
            check(same, "an amount", live.clone(), json!({group: {"cpu": desired}}));
        }
        let size = json!({"emptyDir": {"sizeLimit": live}});
        check(same, "a size limit", size, json!({"emptyDir": {"sizeLimit": desired}}));
    }
    check(
        false,
        "text is no amount",
        json!({"annotations": {"a": "1"}}),
        json!({"annotations": {"a": "1.0"}}),
    );
}

#[test]
fn a_projection_is_what_others_made_of_our_fields() {
    let desired =
        json!({"spec": {"containers": [{"name": "mailwright", "image": "a:1"}], "x": 1, "args": ["a"]}});
    let live = json!({"spec": {"containers": [{"name": "sidecar"}, {"name": "mailwright", "image": "mirror/a:1", "tty": false}],
        "args": ["a", "b"], "y": 2}, "status": {}});
    let expected =
        json!({"spec": {"containers": [{"name": "mailwright", "image": "mirror/a:1"}], "args": ["a", "b"]}});
    assert_eq!(project(&live, &desired), expected);
}
