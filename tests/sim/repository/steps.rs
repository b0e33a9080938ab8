//! Death before and after every effect of a pass of `sink: Database`, those inside the store among them.

use std::path::Path;

use mailwright_crds::Kind;
use mailwright_operator::PassError;
use mailwright_operator::accounts::Accounts as _;
use mailwright_operator::operator::ReadWhole;
use mailwright_tests::installation::Installation;
use mailwright_tests::manifests::Manifests;
use mailwright_tests::random::Random;
use mailwright_tests::steps::{Fuse, Stepped, TIDYING};
use serde_json::Value;

use super::super::apply::copy;
use super::{approved, controller, read, rows, watched};

const SEED: u64 = 20_261_122;
/// Of the steps inside the store, which `apply` walks through one by one, so many are enough here.
const INSIDE: usize = 24;

/// The MailServer by the cluster's operator, then the repository by its own. Answers how many operations there were.
async fn pass(installation: &Installation, fuse: &Fuse, manifests: &Path) -> Result<usize, PassError> {
    let accounts = || Stepped::new(installation.accounts.clone(), fuse.clone());
    let snapshot = read(manifests);
    let work = watched(accounts(), &snapshot, &[Kind::MailServer]).await?;
    if let Some(trouble) = work.trouble {
        return Err(trouble.into());
    }
    let mut sink = controller(accounts(), None, &snapshot);
    Ok(approved(&mut sink, &ReadWhole).await?.outcomes.len())
}

async fn state(installation: &Installation) -> Value {
    rows(&installation.accounts.observe().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dying_at_any_step_of_the_database_sink_ends_in_the_same_state() {
    println!("seed {SEED}");
    let home = tempfile::tempdir().unwrap();
    let mut random = Random::new(SEED);
    let (before, after) = (home.path().join("before"), home.path().join("after"));
    Manifests::random(&mut random).write(&before, 2);
    Manifests::random(&mut random).write(&after, 3);
    let template = home.path().join("template");
    let installation = Installation::open(&template, Fuse::never()).await.unwrap();
    pass(&installation, &Fuse::never(), &before).await.unwrap();
    installation.close().await;
    let (expected, steps) = undisturbed(&home.path().join("reference"), &template, &after).await;
    for name in ["accounts.apply.before", "accounts.apply.after", "commit.before", "commit.after"] {
        assert!(steps.contains(&name), "{name} is not among {steps:?}");
    }
    let (outer, mut inner): (Vec<usize>, Vec<usize>) =
        (0..steps.len()).partition(|step| steps[*step].starts_with("accounts."));
    random.shuffle(&mut inner);
    inner.truncate(INSIDE);
    for step in outer.into_iter().chain(inner) {
        let name = steps[step];
        let data = home.path().join(format!("step-{step}"));
        copy(&template, &data);
        assert!(
            die_at(&data, &after, step).await || step + TIDYING >= steps.len(),
            "it went on after its death at {step}"
        );
        let again = Installation::open(&data, Fuse::never()).await.unwrap();
        pass(&again, &Fuse::never(), &after).await.unwrap();
        assert_eq!(state(&again).await, expected, "seed {SEED}, died at step {step} ({name})");
        let writes = again.change_counter().await;
        assert_eq!(pass(&again, &Fuse::never(), &after).await.unwrap(), 0, "died at step {step}");
        assert_eq!(again.change_counter().await, writes, "died at step {step}");
        assert_eq!(again.store.check().await.unwrap(), Vec::<String>::new());
        again.close().await;
        std::fs::remove_dir_all(&data).unwrap();
    }
    println!("{} steps", steps.len());
}

/// The state that a pass leads to from what is in `template`, and the steps that it takes.
async fn undisturbed(data: &Path, template: &Path, manifests: &Path) -> (Value, Vec<&'static str>) {
    copy(template, data);
    let fuse = Fuse::never();
    let installation = Installation::open(data, fuse.clone()).await.unwrap();
    pass(&installation, &fuse, manifests).await.unwrap();
    let state = state(&installation).await;
    installation.close().await;
    (state, fuse.passed())
}

/// Whether it died before the pass was over.
async fn die_at(data: &Path, manifests: &Path, step: usize) -> bool {
    let fuse = Fuse::at(step);
    let Some(installation) = Installation::open(data, fuse.clone()).await else { return fuse.burnt() };
    let died = pass(&installation, &fuse, manifests).await.is_err();
    assert!(!died || fuse.burnt(), "a pass that nothing stops goes through");
    installation.close().await;
    died
}
