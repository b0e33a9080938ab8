//! Random sequences against the rule in a few lines: quota, passwords, names.

use mailwright_store::{AccountId, Change, Management, NewPassword, Outcome, SetBy};
use proptest::prelude::*;

use crate::support::*;

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

#[derive(Debug, Clone)]
enum Password {
    Declared(u8, Management),
    Owner(u8),
    Nothing,
}

fn password() -> impl Strategy<Value = Password> {
    let management = prop_oneof![Just(Management::Initial), Just(Management::Enforced)];
    prop_oneof![
        3 => (0..3u8, management).prop_map(|(secret, management)| Password::Declared(secret, management)),
        2 => (0..3u8).prop_map(Password::Owner),
        1 => Just(Password::Nothing),
    ]
}

async fn declare(home: &Home, secret: Option<(u8, Management)>) {
    let credential = secret.and_then(|(secret, management)| credential(&format!("s{secret}"), management));
    home.apply(Change::PutMailbox { row: mailbox_row("alice@example.test"), credential }).await.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 100, ..ProptestConfig::default() })]

    #[test]
    fn passwords_belong_to_people(steps in proptest::collection::vec(password(), 1..20)) {
        run(async {
            let home = Home::new().await;
            home.account("alice@example.test").await;
            // In force, and whether its owner set it.
            let mut expected: (Option<String>, bool) = (None, false);
            for step in &steps {
                match step {
                    Password::Nothing => declare(&home, None).await,
                    Password::Owner(secret) => {
                        let hash = format!("owner {secret}");
                        let accounts = home.store.accounts();
                        accounts.set_password("alice@example.test", NewPassword { hash: hash.clone(), scram: None }, SetBy::Owner).await.unwrap();
                        expected = (Some(hash), true);
                    }
                    Password::Declared(secret, management) => {
                        declare(&home, Some((*secret, *management))).await;
                        if !expected.1 || *management == Management::Enforced {
                            expected = (Some(format!("hash of s{secret}")), false);
                        }
                        let counter = home.store.accounts().change_counter().await.unwrap();
                        declare(&home, Some((*secret, *management))).await;
                        assert_eq!(home.store.accounts().change_counter().await.unwrap(), counter, "not idempotent");
                    }
                }
                let login = home.store.accounts().lookup_login("alice@example.test").await.unwrap().unwrap();
                assert_eq!(login.hash, expected.0, "after {step:?}");
            }
        });
    }

    #[test]
    fn usage_never_passes_the_quota(
        quotas in proptest::collection::vec(proptest::option::of(0..600u64), 3),
        deliveries in proptest::collection::vec((1..200usize, proptest::collection::vec(0..4usize, 1..3)), 1..25),
    ) {
        run(async {
            let home = Home::new().await;
            let mut accounts = Vec::new();
            for (number, quota) in quotas.iter().enumerate() {
                let address = format!("user{number}@example.test");
                accounts.push(home.account(&address).await);
                let mut row = mailbox_row(&address);
                row.quota = *quota;
                home.apply(put_mailbox(row)).await.unwrap();
            }
            let mut used = vec![0u64; quotas.len()];
            let mut next = vec![1u32; quotas.len()];
            for (size, who) in &deliveries {
                let asked: Vec<_> =
                    who.iter().map(|n| accounts.get(*n).copied().unwrap_or(AccountId(1000))).collect();
                let outcomes = home.store.mail().deliver(delivery(&asked, vec![b'x'; *size])).await.unwrap();
                let size = *size as u64;
                let fits = |n: usize| quotas[n].is_none_or(|quota| used[n] + size <= quota);
                let all = who.iter().all(|n| *n < accounts.len() && fits(*n));
                let expected: Vec<_> = who
                    .iter()
                    .map(|n| match *n {
                        n if n >= accounts.len() => Outcome::Gone,
                        n if !fits(n) => Outcome::OverQuota,
                        n if all => Outcome::Delivered { uid: next[n] },
                        _ => Outcome::Withheld,
                    })
                    .collect();
                assert_eq!(outcomes, expected);
                let mut once = who.clone();
                once.sort_unstable();
                once.dedup();
                for n in once.into_iter().filter(|_| all) {
                    used[n] += size;
                    next[n] += 1;
                }
            }
            for (account, used) in accounts.iter().zip(&used) {
                assert_eq!(home.store.mail().usage(*account).await.unwrap().0, *used);
            }
            home.sound().await;
        });
    }

    #[test]
    fn any_name_is_listed_as_it_was_given_or_refused(names in proptest::collection::vec("\\PC{0,12}|[a-zÄ/%*&~ \u{1}]{1,10}", 1..12)) {
        run(async {
            let home = Home::new().await;
            let alice = home.account("alice@example.test").await;
            let mail = home.store.mail();
            for name in &names {
                let created = mail.create(alice, name).await;
                let listed = mail.list(alice).await.unwrap();
                let plain = name.strip_suffix('/').unwrap_or(name);
                let found = listed.folders.iter().find(|folder| folder.name == plain);
                match created {
                    Ok(folder) => {
                        assert_eq!(found.unwrap().id, folder);
                        mail.subscribe(alice, plain).await.unwrap();
                        assert!(mail.list(alice).await.unwrap().subscriptions.iter().any(|s| s == plain));
                        mail.rename(alice, plain, "renamed here").await.unwrap();
                        mail.rename(alice, "renamed here", plain).await.unwrap();
                        assert_eq!(mail.select(alice, plain, true).await.unwrap().folder, folder);
                    }
                    Err(mailwright_store::Error::FolderExists) => assert!(found.is_some() || plain.eq_ignore_ascii_case("inbox")),
                    Err(mailwright_store::Error::Name(_)) => assert!(found.is_none()),
                    Err(error) => panic!("{name:?}: {error}"),
                }
            }
            home.sound().await;
        });
    }
}
