//! What a container of a pod is as a process here: its arguments with the places of its volumes, its environment, its probe,
//! and the status that the kubelet would write. Pure.

use serde_json::{Value, json};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// The management port of a mail pod, on an address of its own here as in a cluster.
pub const MANAGEMENT: u16 = 9443;

/// The container's arguments as they are said here: paths below a mount lead into `volumes`, and it listens on `address` alone.
pub fn arguments(container: &Value, volumes: &Path, address: IpAddr) -> Vec<String> {
    let list = |key: &str| container[key].as_array().cloned().unwrap_or_default();
    // The first word of a command is the executable, which is the one under test.
    let words = list("command").into_iter().skip(1).chain(list("args"));
    let mut words = words.filter_map(|word| word.as_str().map(str::to_owned)).peekable();
    let mut arguments = Vec::new();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--bind" | "--management-listen" => drop(words.next()),
            _ if word.starts_with("--bind=") || word.starts_with("--management-listen=") => (),
            _ => arguments.push(localised(&word, container, volumes)),
        }
    }
    let has_management = arguments.iter().any(|word| word.split('=').next() == Some("--management"));
    arguments.extend(["--bind".to_owned(), address.to_string()]);
    if has_management {
        arguments.extend(["--management-listen".to_owned(), format!("{address}:{MANAGEMENT}")]);
    }
    arguments
}

/// A word with the path in it, if there is one below a mount, led into `volumes`.
fn localised(word: &str, container: &Value, volumes: &Path) -> String {
    let (option, path) = match word.split_once('=') {
        Some((option, path)) if option.starts_with("--") => (format!("{option}="), path),
        _ => (String::new(), word),
    };
    let mounts = container["volumeMounts"].as_array().into_iter().flatten();
    let place = mounts.filter_map(|mount| {
        let rest = Path::new(path).strip_prefix(mount["mountPath"].as_str()?).ok()?;
        Some((rest.components().count(), place_of(volumes, mount["name"].as_str()?).join(rest)))
    });
    match place.min_by_key(|(rest, _)| *rest) {
        Some((_, place)) => format!("{option}{}", place.display().to_string().trim_end_matches('/')),
        None => word.to_owned(),
    }
}

/// Where the volume called `name` is.
pub fn place_of(volumes: &Path, name: &str) -> PathBuf {
    volumes.join(name)
}

/// Its environment; of what the kubelet fills in, name and namespace are known here.
pub fn environment(pod: &Value, container: &Value) -> Vec<(String, String)> {
    let entries = container["env"].as_array().into_iter().flatten();
    let value = |entry: &Value| match entry["valueFrom"]["fieldRef"]["fieldPath"].as_str() {
        Some("metadata.name") => pod["metadata"]["name"].as_str().map(str::to_owned),
        Some("metadata.namespace") => pod["metadata"]["namespace"].as_str().map(str::to_owned),
        Some("status.podIP") => pod["status"]["podIP"].as_str().map(str::to_owned),
        _ => entry["value"].as_str().map(str::to_owned),
    };
    entries.filter_map(|entry| Some((entry["name"].as_str()?.to_owned(), value(entry)?))).collect()
}

/// Port and path of its readiness probe.
pub fn readiness(container: &Value) -> Option<(u16, String)> {
    let probe = &container["readinessProbe"]["httpGet"];
    let named = |name: &str| {
        let ports = container["ports"].as_array().into_iter().flatten();
        ports.into_iter().find(|port| port["name"] == name).and_then(|port| port["containerPort"].as_u64())
    };
    let port = probe["port"].as_u64().or_else(|| named(probe["port"].as_str()?))?;
    Some((u16::try_from(port).ok()?, probe["path"].as_str().unwrap_or("/").to_owned()))
}

/// How a container is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// Its process runs.
    pub runs: bool,
    /// Its probe succeeds.
    pub ready: bool,
    /// How often its process was started again.
    pub restarts: u32,
}

/// The status of a pod of one container, without times: what differs is worth writing.
pub fn status(container: &Value, address: IpAddr, health: Health, waiting: &str) -> Value {
    let truth = |ready: bool| if ready { "True" } else { "False" };
    let condition = |kind: &str, ready: bool| json!({"type": kind, "status": truth(ready)});
    let state = match health.runs {
        true => json!({"running": {}, "waiting": null}),
        false => json!({"waiting": {"reason": waiting}, "running": null}),
    };
    json!({
        "phase": if health.runs || health.restarts > 0 { "Running" } else { "Pending" },
        "podIP": address.to_string(),
        "podIPs": [{"ip": address.to_string()}],
        "hostIP": "127.0.0.1",
        "conditions": [
            condition("PodScheduled", true),
            condition("Initialized", true),
            condition("ContainersReady", health.ready),
            condition("Ready", health.ready),
        ],
        "containerStatuses": [{
            "name": container["name"],
            "image": container["image"],
            "imageID": container["image"],
            "ready": health.ready,
            "started": health.runs,
            "restartCount": health.restarts,
            "state": state,
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container() -> Value {
        json!({
            "name": "mailwright", "image": "localhost/mailwright:dev",
            "args": [
                "serve", "--data", "/var/lib/mailwright", "--config=/etc/mailwright/config/server.json",
                "--management", "/etc/mailwright/management", "--bind", "0.0.0.0", "--bind=::", "--grace", "50s",
            ],
            "env": [
                {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                {"name": "LOG", "value": "info"},
                {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            ],
            "ports": [{"name": "http", "containerPort": 8080}],
            "readinessProbe": {"httpGet": {"port": "http", "path": "/readyz"}},
            "volumeMounts": [
                {"name": "data", "mountPath": "/var/lib/mailwright"},
                {"name": "config", "mountPath": "/etc/mailwright/config"},
                {"name": "management", "mountPath": "/etc/mailwright/management"},
            ],
        })
    }

    #[test]
    fn arguments_lead_into_the_volumes_and_to_the_address() {
        let said = arguments(&container(), Path::new("/v"), "127.9.9.9".parse().unwrap());
        let expected = [
            "serve",
            "--data",
            "/v/data",
            "--config=/v/config/server.json",
            "--management",
            "/v/management",
            "--grace",
            "50s",
            "--bind",
            "127.9.9.9",
            "--management-listen",
            "127.9.9.9:9443",
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn the_environment_knows_the_pod() {
        let pod = json!({"metadata": {"name": "example-0", "namespace": "mail"}});
        let expected = [("NAME", "example-0"), ("LOG", "info")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(environment(&pod, &container()), expected);
    }

    #[test]
    fn a_probe_names_its_port_or_says_it() {
        let mut container = container();
        assert_eq!(readiness(&container), Some((8080, "/readyz".to_owned())));
        container["readinessProbe"]["httpGet"]["port"] = json!(81);
        assert_eq!(readiness(&container), Some((81, "/readyz".to_owned())));
        container["readinessProbe"] = Value::Null;
        assert_eq!(readiness(&container), None);
    }

    #[test]
    fn the_status_says_how_it_is() {
        let health = |runs, ready, restarts| Health { runs, ready, restarts };
        for (health, phase, ready, waiting) in [
            (health(false, false, 0), "Pending", "False", json!("ContainerCreating")),
            (health(true, false, 0), "Running", "False", Value::Null),
            (health(true, true, 1), "Running", "True", Value::Null),
            (health(false, false, 1), "Running", "False", json!("ContainerCreating")),
        ] {
            let status = status(&container(), "127.9.9.9".parse().unwrap(), health, "ContainerCreating");
            let state = &status["containerStatuses"][0]["state"]["waiting"]["reason"];
            assert_eq!(
                (&status["phase"], &status["conditions"][3]["status"], state),
                (&json!(phase), &json!(ready), &waiting)
            );
        }
    }
}
