//! An operator that stays, and looks only at what an edit concerns, comes to what one comes to that starts anew and looks at
//! everything: the same rows, the same statuses, after every one of many edits.

use mailwright_operator::source::{Options as SourceOptions, Source};
use mailwright_tests::installation::{Installation, now};
use mailwright_tests::manifests::Manifests;
use mailwright_tests::random::Random;
use mailwright_tests::steps::Fuse;

/// A pass that breaks off after it has changed rows leaves nobody with the status of before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pass_that_broke_off_is_made_up_for() {
    let dir = tempfile::tempdir().unwrap();
    let (manifests, data) = (dir.path().join("manifests"), dir.path().join("data"));
    let mut random = Random::new(7);
    let mut wanted = Manifests::random(&mut random);
    wanted.write(&manifests, 3);
    let installation = Installation::open(&data, Fuse::never()).await.unwrap();
    let mut operator = installation.operator();
    let mut source = Source::open(manifests.to_str().unwrap(), SourceOptions::default()).unwrap();
    operator.take(&source.load().unwrap().unwrap());
    operator.pass(now()).await.unwrap();
    let writes = installation.change_counter().await;

    // Certificates cannot be read, which is found out when rows are changed already.
    let (certificates, away) = (data.join("tls"), data.join("away"));
    std::fs::rename(&certificates, &away).unwrap();
    std::fs::write(&certificates, "no directory").unwrap();
    while installation.change_counter().await == writes {
        wanted = wanted.edited(&mut random);
        wanted.write(&manifests, 3);
        if let Some(snapshot) = source.load().unwrap() {
            operator.take(&snapshot);
        }
        assert!(operator.pass(now()).await.is_err(), "the certificates can be read");
    }
    std::fs::remove_file(&certificates).unwrap();
    std::fs::rename(&away, &certificates).unwrap();
    let pass = operator.pass(now()).await.unwrap();
    assert!(pass.near.is_some() && pass.records_written > 0, "{:?} {}", pass.near, pass.records_written);
    let told = installation.state().await;
    installation.pass(&manifests).await.unwrap();
    assert_eq!(told, installation.state().await);
    installation.close().await;
}

const SEEDS: std::ops::Range<u64> = 0..6;
const EDITS: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staying_is_the_same_as_starting_anew() {
    let (mut near, mut passes) = (0, 0);
    for seed in SEEDS {
        println!("seed {seed}");
        let dir = tempfile::tempdir().unwrap();
        let mut random = Random::new(seed);
        let mut wanted = Manifests::random(&mut random);
        let manifests = dir.path().join("manifests");
        wanted.write(&manifests, 3);
        let staying = Installation::open(&dir.path().join("staying"), Fuse::never()).await.unwrap();
        let anew = Installation::open(&dir.path().join("anew"), Fuse::never()).await.unwrap();
        let mut operator = staying.operator();
        let mut source = Source::open(manifests.to_str().unwrap(), SourceOptions::default()).unwrap();
        for edit in 0..=EDITS {
            if let Some(snapshot) = source.load().unwrap() {
                operator.take(&snapshot);
            }
            let digest = operator.plan(now()).await.unwrap().digest;
            operator.approve(Some(digest));
            let pass = operator.pass(now()).await.unwrap();
            near += usize::from(pass.near.is_some());
            passes += 1;
            anew.pass(&manifests).await.unwrap();
            assert_eq!(staying.state().await, anew.state().await, "seed {seed}, edit {edit}: {wanted:?}");
            wanted = wanted.edited(&mut random);
            wanted.write(&manifests, 3);
        }
        staying.close().await;
        anew.close().await;
    }
    println!("{near} of {passes} passes looked only at what an edit concerns");
    assert!(near * 3 > passes, "{near} of {passes}");
}
