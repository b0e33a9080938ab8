//! A developer's cluster for as long as this process runs: `cargo xtask cluster up` starts it, `down` ends it.
//!
//! Owns the order: control plane, nodes, charts, examples, and saying how long each took. Everything it starts ends with it.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "it is made of what tests are made of, which fails by panicking"
)]

use mailwright_tests::cluster::{Cluster, need_tools};
use std::path::{Path, PathBuf};
use std::time::Instant;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(place), Some(image), Some(nodes)) = (arguments.next(), arguments.next(), arguments.next())
    else {
        eprintln!("usage: mailwright-cluster PLACE IMAGE NODES; `cargo xtask cluster up` runs it");
        std::process::exit(2);
    };
    let (place, nodes) = (PathBuf::from(place), nodes.parse::<u8>().unwrap_or(1));
    let start = Instant::now();
    let said = |what: &str| println!("{:>5.1} s  {what}", start.elapsed().as_secs_f64());
    let Some(mut cluster) = Cluster::start(&[PathBuf::from(image)]) else { std::process::exit(1) };
    said("node-1 is Ready");
    for _ in 1..nodes {
        let name = cluster.add_node().name.clone();
        said(&format!("{name} is Ready"));
    }
    publish(&cluster, &place);
    cluster.install_charts(&[]);
    said("both charts are installed, the operator runs");
    cluster.apply_examples("default");
    said("the examples are applied, alice is Ready");
    write(&place, "ports", &ports(&cluster));
    write(&place, "ready", "");
    loop {
        std::thread::park();
    }
}

/// What others need to get in.
fn publish(cluster: &Cluster, place: &Path) {
    let admin = std::fs::read_to_string(cluster.plane.admin().path()).expect("a kubeconfig");
    write(place, "kubeconfig", &admin);
    write(place, "init", &cluster.nodes()[0].init().to_string());
    write(place, "dir", &cluster.guard().dir().display().to_string());
    let tools = need_tools(&["kubectl", "helm"]).expect("they were there before");
    write(place, "path", &tools.search_path());
}

/// Ports of this machine that lead to those of the example's Service.
fn ports(cluster: &Cluster) -> String {
    let services =
        [("SMTP", 30025), ("submission", 30587), ("submissions", 30465), ("IMAP", 30143), ("IMAPS", 30993)];
    let line = |(name, port): (&str, u16)| {
        format!("{name:<12} 127.0.0.1:{}\n", cluster.forward(&cluster.address(), port))
    };
    services.map(line).concat()
}

fn write(place: &Path, name: &str, text: &str) {
    std::fs::write(place.join(name), text).unwrap_or_else(|error| panic!("{name}: {error}"));
}
