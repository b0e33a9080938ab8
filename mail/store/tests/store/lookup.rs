//! What serving asks: recipients, members, logins.

use mailwright_store::{AccountId, Change, Recipient, Senders};

use crate::support::*;

async fn lookup(home: &Home, address: &str) -> Recipient {
    home.store.accounts().lookup_recipient(address).await.unwrap()
}

fn alias(targets: &[&str]) -> Recipient {
    Recipient::Alias {
        enabled: true,
        targets: targets.iter().map(|t| (*t).into()).collect(),
        senders: Senders::Anyone,
        member_addresses: Vec::new(),
    }
}

fn mailbox(account: AccountId, active: bool, quota: Option<u64>, used: u64) -> Recipient {
    Recipient::Mailbox { account, active, quota, used, forward: Vec::new(), keep_copy: true }
}

#[tokio::test]
async fn every_kind_of_recipient() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let mut quota = mailbox_row("bob@example.test");
    quota.quota = Some(1000);
    let mut example = domain_row("example.test");
    example.aliases = vec!["example.net".into()];
    let mut parked = domain_row("parked.test");
    parked.parked = true;
    let mut caught = domain_row("caught.test");
    caught.catch_all = Some("alice@example.test".into());
    let batch = vec![
        put_mailbox(quota),
        Change::PutDomain(example),
        Change::PutDomain(parked),
        Change::PutDomain(caught),
        Change::PutDomain(domain_row("all.test")),
        Change::PutAlias(alias_row("sales@example.test", &["alice@example.test", "bob@example.test"])),
        Change::PutAlias(alias_row("@all.test", &["bob@example.test"])),
    ];
    assert!(home.store.accounts().apply(batch, None).await.unwrap().iter().all(Result::is_ok));
    let bob = home.mailbox("bob@example.test").await.id;
    let mut forwarding = mailbox_row("carol@example.test");
    forwarding.forward = vec!["Carol@Example.ORG".into(), "bob@example.test".into()];
    forwarding.keep_copy = false;
    home.apply(put_mailbox(forwarding)).await.unwrap();
    let carol = home.mailbox("carol@example.test").await.id;
    home.deliver(bob, vec![b'x'; 10]).await;
    for (address, expected) in [
        ("alice@example.test", mailbox(alice, true, None, 0)),
        (
            "carol@example.test",
            Recipient::Mailbox {
                account: carol,
                active: true,
                quota: None,
                used: 0,
                forward: vec!["carol@example.org".into(), "bob@example.test".into()],
                keep_copy: false,
            },
        ),
        ("ALICE@Example.TEST", mailbox(alice, true, None, 0)),
        ("bob@example.test", mailbox(bob, true, Some(1000), 10)),
        ("sales@example.test", alias(&["alice@example.test", "bob@example.test"])),
        ("alice+tag@example.test", Recipient::NoSuchAddress),
        ("@example.test", Recipient::NoSuchAddress),
        ("alice@example.net", Recipient::DomainAlias { domain: "example.test".into() }),
        ("@all.test", alias(&["bob@example.test"])),
        ("x@all.test", Recipient::NoSuchAddress),
        ("@caught.test", alias(&["alice@example.test"])),
        ("x@caught.test", Recipient::NoSuchAddress),
        ("x@parked.test", Recipient::ParkedDomain),
        ("@parked.test", Recipient::ParkedDomain),
        ("x@elsewhere.test", Recipient::NoSuchDomain),
        ("no address", Recipient::NoSuchDomain),
        ("", Recipient::NoSuchDomain),
        ("' OR 1=1 --@example.test", Recipient::NoSuchAddress),
    ] {
        assert_eq!(lookup(&home, address).await, expected, "{address}");
    }
}

#[tokio::test]
async fn disabled_things() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let bob = home.account("bob@example.test").await;
    let mut off = alias_row("off@example.test", &["bob@example.test"]);
    off.enabled = false;
    home.apply(Change::PutAlias(off)).await.unwrap();
    home.apply(Change::DisableMailbox(target("alice@example.test"))).await.unwrap();
    assert_eq!(lookup(&home, "alice@example.test").await, mailbox(alice, false, None, 0));
    assert!(!home.store.accounts().lookup_login("alice@example.test").await.unwrap().unwrap().active);
    let found = lookup(&home, "off@example.test").await;
    assert!(matches!(found, Recipient::Alias { enabled: false, .. }), "{found:?}");
    home.apply(Change::DisableDomain(target("example.test"))).await.unwrap();
    assert_eq!(lookup(&home, "bob@example.test").await, mailbox(bob, false, None, 0));
    assert_eq!(lookup(&home, "off@example.test").await, Recipient::NoSuchDomain);
    assert_eq!(lookup(&home, "x@example.test").await, Recipient::NoSuchDomain);
    assert!(!home.store.accounts().lookup_login("bob@example.test").await.unwrap().unwrap().active);
}

#[tokio::test]
async fn members_of_an_alias_through_loops() {
    let home = Home::new().await;
    home.account("alice@example.test").await;
    let mut bob = mailbox_row("bob@example.test");
    bob.send_as = vec!["boss@example.test".into()];
    let mut team = alias_row("team@example.test", &["alice@example.test", "inner@example.test"]);
    team.senders = Senders::Members;
    let batch = vec![
        put_mailbox(bob),
        Change::PutAlias(team),
        Change::PutAlias(alias_row("inner@example.test", &["bob@example.test", "team@example.test"])),
    ];
    assert!(home.store.accounts().apply(batch, None).await.unwrap().iter().all(Result::is_ok));
    let Recipient::Alias { senders, mut member_addresses, .. } = lookup(&home, "team@example.test").await
    else {
        panic!("not an alias")
    };
    member_addresses.sort();
    assert_eq!(senders, Senders::Members);
    assert_eq!(member_addresses, ["alice@example.test", "bob@example.test", "boss@example.test"]);
}

#[tokio::test]
async fn logins_by_address_and_alias_domain() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let mut example = domain_row("example.test");
    example.aliases = vec!["example.net".into()];
    home.apply(Change::PutDomain(example)).await.unwrap();
    let login = home.store.accounts().lookup_login("Alice@Example.NET").await.unwrap().unwrap();
    assert_eq!((login.account, &login.address[..], login.active), (alice, "alice@example.test", true));
    assert_eq!(login.hash, None);
    for nobody in ["bob@example.test", "alice@example.org", "alice", "@example.test", ""] {
        assert!(home.store.accounts().lookup_login(nobody).await.unwrap().is_none(), "{nobody}");
    }
}

#[tokio::test]
async fn last_login_is_written_once_an_hour() {
    let home = Home::new().await;
    let alice = home.account("alice@example.test").await;
    let counter = home.store.accounts().change_counter().await.unwrap();
    for (pass, expected) in [(0, START), (3599, START), (1, START + 3600)] {
        home.pass(pass);
        home.store.accounts().record_login(alice).await.unwrap();
        assert_eq!(home.mailbox("alice@example.test").await.last_login, Some(expected));
    }
    home.store.accounts().record_login(AccountId(99)).await.unwrap();
    assert_eq!(home.store.accounts().change_counter().await.unwrap(), counter);
}

/// What an account may send as: its own addresses, and aliases that lead to it.
#[tokio::test]
async fn senders() {
    let home = Home::new().await;
    home.account("alice@example.test").await;
    let mut bob = mailbox_row("bob@example.test");
    bob.send_as = vec!["robert@example.test".into(), "@bobs.test".into()];
    let mut example = domain_row("example.test");
    example.aliases = vec!["example.net".into()];
    let mut off = alias_row("off@example.test", &["bob@example.test"]);
    off.enabled = false;
    let batch = vec![
        put_mailbox(bob),
        Change::PutDomain(example),
        Change::PutDomain(domain_row("bobs.test")),
        Change::PutAlias(alias_row("sales@example.test", &["alice@example.test", "bob@example.test"])),
        Change::PutAlias(alias_row("all@example.test", &["sales@example.test", "all@example.test"])),
        Change::PutAlias(alias_row("hers@example.test", &["alice@example.test"])),
        Change::PutAlias(off),
    ];
    assert!(home.store.accounts().apply(batch, None).await.unwrap().iter().all(Result::is_ok));
    let bob = home.mailbox("bob@example.test").await.id;
    for (claimed, owned) in [
        ("sales@example.test", Some("sales@example.test")),
        ("Sales+x@Example.NET", Some("sales@example.test")),
        ("all@example.test", Some("all@example.test")),
        ("any@bobs.test", Some("any@bobs.test")),
        ("hers@example.test", None),
        ("off@example.test", None),
        ("alice@example.test", None),
        ("nobody@example.test", None),
        ("x@elsewhere.test", None),
        ("no address", None),
    ] {
        let identity = home.store.accounts().identity(bob, &[claimed.into()]).await.unwrap().unwrap();
        let mut expected = vec!["bob@example.test", "robert@example.test", "@bobs.test"];
        expected.extend(owned);
        assert_eq!(identity.addresses, expected, "{claimed}");
        let renamed = vec![("example.net".to_owned(), "example.test".to_owned())];
        let expected = if claimed.ends_with("NET") { renamed } else { Vec::new() };
        assert_eq!(identity.alias_domains, expected, "{claimed}");
    }
    assert_eq!(home.store.accounts().identity(AccountId(999), &[]).await.unwrap(), None);
}
