//! The test bench with real nodes: pods run, names resolve, volumes bind, a node that is switched off is missed, and nothing
//! is left afterwards.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use mailwright_tests::cluster::Cluster;
use mailwright_tests::harness::wait_for;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const MINUTE: Duration = Duration::from_secs(60);

/// Asks for the A records of `name` over TCP (RFC 1035 §4.2.2); the whole answer.
fn resolve(port: u16, name: &str) -> std::io::Result<Vec<u8>> {
    let mut query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00".to_vec();
    for label in name.split('.') {
        query.push(u8::try_from(label.len()).unwrap());
        query.extend(label.as_bytes());
    }
    query.extend(b"\x00\x00\x01\x00\x01");
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(&u16::try_from(query.len()).unwrap().to_be_bytes())?;
    stream.write_all(&query)?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

const PAUSE: &str = r#"
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: pause}
spec:
  replicas: 2
  serviceName: pause
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: pause}}
  template:
    metadata: {labels: {app: pause}}
    spec:
      terminationGracePeriodSeconds: 1
      topologySpreadConstraints:
        - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: pause}}}
      containers:
        - {name: pause, image: "localhost/pause:test", imagePullPolicy: Never, volumeMounts: [{name: data, mountPath: /data}]}
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Service
metadata: {name: outside}
spec: {type: LoadBalancer, ports: [{port: 25}], selector: {app: pause}}
"#;

#[test]
fn a_cluster_of_two_nodes_runs_pods_and_misses_a_node_that_is_off() {
    let start = Instant::now();
    let Some(mut cluster) = Cluster::start(&[]) else { return };
    println!("one node Ready after {:?}", start.elapsed());
    let kubectl = cluster.plane.kubectl();
    kubectl
        .run(&["rollout", "status", "deployment/coredns", "--namespace=kube-system", "--timeout=60s"])
        .ok();
    println!("names resolve after {:?}", start.elapsed());
    let dns = cluster.forward("10.96.0.10", 53);
    let answer = wait_for("an answer", MINUTE, || resolve(dns, "kubernetes.default.svc.cluster.local").ok());
    assert!(answer.ends_with(&[10, 96, 0, 1]), "{answer:?}");
    assert_eq!(resolve(dns, "mail.example.org").unwrap()[3] & 15, 3, "NXDOMAIN");

    let second = cluster.add_node().name.clone();
    println!("two nodes Ready after {:?}", start.elapsed());
    kubectl.apply_with(PAUSE, &["--namespace=default"]).ok();
    kubectl.run(&["rollout", "status", "statefulset/pause", "--namespace=default", "--timeout=60s"]).ok();
    println!("two pods Running after {:?}", start.elapsed());
    let pods = kubectl.list("default", "pods");
    let on_second = pods.iter().find(|pod| pod["spec"]["nodeName"] == second.as_str()).unwrap();
    let claims = kubectl.list("default", "persistentvolumeclaims");
    assert!(
        claims.len() == 2 && claims.iter().all(|claim| claim["status"]["phase"] == "Bound"),
        "{claims:?}"
    );
    let service = kubectl.wait_until("default", "service/outside", MINUTE, |service| {
        !service["status"]["loadBalancer"]["ingress"].is_null()
    });
    assert_eq!(service["status"]["loadBalancer"]["ingress"][0]["ip"], cluster.address());

    let start = Instant::now();
    cluster.node_mut(1).power_off();
    let name = format!("pod/{}", on_second["metadata"]["name"].as_str().unwrap());
    kubectl.wait_until("default", &name, MINUTE, |pod| {
        let conditions = pod["status"]["conditions"].as_array().unwrap();
        conditions.iter().any(|one| one["type"] == "Ready" && one["status"] == "False")
    });
    println!("its pod no longer Ready after {:?}", start.elapsed());

    let (dir, init) = (cluster.guard().dir().to_path_buf(), cluster.nodes()[0].init());
    drop(cluster);
    assert!(!dir.exists() && !std::path::Path::new(&format!("/proc/{init}")).exists());
    let groups = std::fs::read_dir("/sys/fs/cgroup").unwrap().flatten();
    let group = format!("mailwright-{}-node-1", std::process::id());
    assert!(groups.into_iter().all(|controller| !controller.path().join(&group).exists()), "{group}");
}
