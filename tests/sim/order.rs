//! Random resources, random earlier state, any order, any spread over files: the same database. Applied twice: no write.

use mailwright_tests::installation::Installation;
use mailwright_tests::manifests::Manifests;
use mailwright_tests::random::Random;
use mailwright_tests::steps::Fuse;
use serde_json::Value;

const SEEDS: std::ops::Range<u64> = 0..12;
const ORDERS: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_order_gives_the_same_database() {
    for seed in SEEDS {
        println!("seed {seed}");
        let dir = tempfile::tempdir().unwrap();
        let mut random = Random::new(seed);
        let earlier: Vec<Manifests> = (0..random.below(3)).map(|_| Manifests::random(&mut random)).collect();
        let wanted = Manifests::random(&mut random);
        let mut states = Vec::new();
        for order in 0..ORDERS {
            let data = dir.path().join(format!("data-{order}"));
            let installation = Installation::open(&data, Fuse::never()).await.unwrap();
            let manifests = dir.path().join("manifests");
            for state in &earlier {
                state.shuffled(&mut random).write(&manifests, 1 + random.below(4));
                installation.pass(&manifests).await.unwrap();
            }
            wanted.shuffled(&mut random).write(&manifests, 1 + random.below(5));
            let pass = installation.pass(&manifests).await.unwrap();
            assert_eq!(pass.plan.errors().count(), 0, "seed {seed}: {:?}", pass.plan.problems);
            states.push(installation.state().await);

            let writes = installation.change_counter().await;
            let again = installation.pass(&manifests).await.unwrap();
            assert!(again.plan.operations.is_empty(), "seed {seed}: {:?}", again.plan.operations);
            assert_eq!((again.outcomes.len(), again.records_written), (0, 0), "seed {seed}");
            assert_eq!(installation.change_counter().await, writes, "seed {seed}");
            assert_eq!(installation.store.check().await.unwrap(), Vec::<String>::new(), "seed {seed}");
            installation.close().await;
        }
        for pair in states.windows(2) {
            let difference = difference("", &pair[0], &pair[1]);
            assert_eq!(difference, None, "seed {seed}: the order made a difference");
        }
    }
}

/// Where two states differ first.
fn difference(path: &str, one: &Value, other: &Value) -> Option<String> {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) if a.len() == b.len() => a.iter().find_map(|(key, value)| {
            difference(&format!("{path}/{key}"), value, b.get(key).unwrap_or(&Value::Null))
        }),
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let mut pairs = a.iter().zip(b).enumerate();
            pairs.find_map(|(index, (a, b))| difference(&format!("{path}/{index}"), a, b))
        }
        _ => (one != other).then(|| format!("{path}: {one} and {other}")),
    }
}
