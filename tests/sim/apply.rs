//! Death at every step of applying a plan: before and after each effect on the database and the platform, and at every
//! crash point inside the store. Started again, the same end state; once more, no write.

use std::collections::BTreeSet;
use std::path::Path;

use mailwright_tests::installation::Installation;
use mailwright_tests::manifests::Manifests;
use mailwright_tests::random::Random;
use mailwright_tests::steps::{Fuse, TIDYING};
use serde_json::Value;

const SEED: u64 = 20_261_120;

/// The steps that the two scenarios pass together: a new effect has to be added here, and is then covered below.
const STEPS: [&str; 21] = [
    "accounts.apply.after",
    "accounts.apply.before",
    "accounts.forget.after",
    "accounts.forget.before",
    "accounts.put-records.after",
    "accounts.put-records.before",
    "change.after",
    "change.before",
    "change.made",
    "commit.after",
    "commit.before",
    "job.after",
    "job.before",
    "platform.publish-zone.after",
    "platform.publish-zone.before",
    "platform.put-certificate.after",
    "platform.put-certificate.before",
    "platform.put-dkim-key.after",
    "platform.put-dkim-key.before",
    "platform.withdraw-zone.after",
    "platform.withdraw-zone.before",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dying_at_any_step_ends_in_the_same_state() {
    println!("seed {SEED}");
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random::new(SEED);
    let (before, after) = (dir.path().join("before"), dir.path().join("after"));
    Manifests::random(&mut random).write(&before, 2);
    Manifests::random(&mut random).write(&after, 3);
    let nothing = dir.path().join("nothing");
    std::fs::create_dir(&nothing).unwrap();

    let mut passed: BTreeSet<&str> = die_everywhere(&dir.path().join("first"), &nothing, &before).await;
    let earlier = dir.path().join("earlier");
    let installation = Installation::open(&earlier, Fuse::never()).await.unwrap();
    installation.pass(&before).await.unwrap();
    installation.close().await;
    passed.extend(die_everywhere(&dir.path().join("second"), &earlier, &after).await);
    assert_eq!(
        passed.into_iter().collect::<Vec<_>>(),
        STEPS,
        "the scenarios pass other steps than those listed"
    );
}

/// From a data directory to what manifests say, once undisturbed and once for each step, dying there. Answers the steps.
async fn die_everywhere(work: &Path, template: &Path, manifests: &Path) -> BTreeSet<&'static str> {
    let (expected, passed) = undisturbed(&work.join("reference"), template, manifests).await;
    for (step, name) in passed.iter().enumerate() {
        let data = work.join(format!("step-{step}"));
        copy(template, &data);
        assert!(
            die_at(&data, manifests, step).await || step + TIDYING >= passed.len(),
            "the pass went on after its death at step {step}"
        );
        let again = Installation::open(&data, Fuse::never()).await.unwrap();
        again.pass(manifests).await.unwrap();
        assert_eq!(again.state().await, expected, "seed {SEED}, died at step {step} ({name})");
        let writes = again.change_counter().await;
        let quiet = again.pass(manifests).await.unwrap();
        assert_eq!((quiet.outcomes.len(), quiet.records_written), (0, 0), "died at step {step}");
        assert_eq!(again.change_counter().await, writes, "died at step {step}");
        assert_eq!(again.store.check().await.unwrap(), Vec::<String>::new());
        again.close().await;
        std::fs::remove_dir_all(&data).unwrap();
    }
    passed.into_iter().collect()
}

async fn undisturbed(data: &Path, template: &Path, manifests: &Path) -> (Value, Vec<&'static str>) {
    copy(template, data);
    let fuse = Fuse::never();
    let installation = Installation::open(data, fuse.clone()).await.unwrap();
    installation.pass(manifests).await.unwrap();
    let passed = fuse.passed();
    let state = installation.state().await;
    installation.close().await;
    (state, passed)
}

/// Whether it died before the pass was over.
async fn die_at(data: &Path, manifests: &Path, step: usize) -> bool {
    let fuse = Fuse::at(step);
    let Some(installation) = Installation::open(data, fuse.clone()).await else { return fuse.burnt() };
    let died = installation.pass(manifests).await.is_err();
    assert!(!died || fuse.burnt(), "a pass that nothing stops goes through");
    installation.close().await;
    died
}

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
