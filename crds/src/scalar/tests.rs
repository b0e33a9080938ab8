//! Every scalar type: tables of what is taken and what is refused with which words, and the property that the schema (what
//! an API server runs) and the parser (what explains) take the same texts.

mod property;

use super::*;
use crate::address::{Address, AliasAddress};
use crate::domain::DomainName;
use crate::duration::Duration;
use crate::name::{DisplayName, ObjectName, SecretKey};
use crate::network::{Ip4Network, Ip6Network, RecordName, RelayHost, Resolver, TrustedNetwork};
use crate::password_hash::{IDENTIFIERS, PasswordHash, SCHEMES};
use crate::quantity::Quantity;

#[track_caller]
fn takes<T: Scalar>(texts: &[&str]) {
    for text in texts {
        match T::parse(text) {
            Ok(value) => assert_eq!(value.as_text(), *text),
            Err(refusal) => panic!("{text}: {refusal}"),
        }
    }
}

/// `(text, message, remedy)`; an empty remedy is none.
#[track_caller]
fn refuses<T: Scalar>(table: &[(&str, &str, &str)]) {
    for (text, message, remedy) in table {
        let Err(refusal) = T::parse(text) else { panic!("{text} is taken") };
        assert_eq!(
            (refusal.message.as_str(), refusal.remedy.unwrap_or_default().as_str()),
            (*message, *remedy),
            "{text}"
        );
    }
}

#[test]
fn domain_names() {
    takes::<DomainName>(&[
        "example.test",
        "a.b.c.example.org",
        "xn--bcher-kva.example",
        "r3---sn.example.org",
        "4you.example",
    ]);
    refuses::<DomainName>(&[
        (
            "Example.Test",
            "\"Example.Test\" is not in its canonical form (lower-case A-labels, no final dot)",
            "write example.test",
        ),
        (
            "example.test.",
            "\"example.test.\" is not in its canonical form (lower-case A-labels, no final dot)",
            "write example.test",
        ),
        (
            "bücher.example",
            "\"bücher.example\" is not in its canonical form (lower-case A-labels, no final dot)",
            "write xn--bcher-kva.example",
        ),
        (
            "localhost",
            "\"localhost\" is not fully qualified",
            "write the whole name, like localhost.example.org",
        ),
        ("192.0.2.1", "\"192.0.2.1\" does not end in a top-level domain", "write a name, not an IP address"),
        (
            "a..example",
            "\"\" is not a label of a domain name",
            "labels are 1 to 63 letters, digits and hyphens, and neither start nor end with a hyphen",
        ),
        (
            "-a.example",
            "\"-a\" is not a label of a domain name",
            "labels are 1 to 63 letters, digits and hyphens, and neither start nor end with a hyphen",
        ),
        (
            "a_b.example",
            "\"a_b\" is not a label of a domain name",
            "labels are 1 to 63 letters, digits and hyphens, and neither start nor end with a hyphen",
        ),
        (
            "xn--a.example",
            "\"xn--a.example\" has a label that no IDNA name encodes to",
            "write the name in Unicode to see its A-label form",
        ),
        (
            "",
            "\"\" is not a label of a domain name",
            "labels are 1 to 63 letters, digits and hyphens, and neither start nor end with a hyphen",
        ),
    ]);
    let long = format!("{}.example", vec!["a".repeat(60); 5].join("."));
    refuses::<DomainName>(&[(long.as_str(), "a domain name has at most 253 characters, this one 312", "")]);
    for (text, expected) in [("BÜCHER.Example.", "xn--bcher-kva.example"), ("example.test", "example.test")]
    {
        assert_eq!(DomainName::canonical(text).unwrap().as_str(), expected);
    }
    assert!(DomainName::canonical("not a domain").is_err());
}

#[test]
fn addresses() {
    takes::<Address>(&[
        "alice@example.test",
        "a.b+tag@sub.example.test",
        "!#$%&'*+/=?^_`{|}~-@example.test",
        "jürgen@example.test",
        "δοκιμή@xn--bcher-kva.example",
    ]);
    refuses::<Address>(&[
        ("alice", "\"alice\" is not an e-mail address: it has no @", "write local-part@domain"),
        (
            "Alice@Example.Test",
            "\"Alice@Example.Test\" is not in its canonical form (lower case, A-label domain)",
            "write alice@example.test",
        ),
        (
            " alice@example.test",
            "\" alice@example.test\" is not in its canonical form (lower case, A-label domain)",
            "write alice@example.test",
        ),
        (
            "alice@bücher.example",
            "\"alice@bücher.example\" is not in its canonical form (lower case, A-label domain)",
            "write alice@xn--bcher-kva.example",
        ),
        ("@example.test", "\"\" is not a local part: a dot needs characters on both sides", ""),
        ("a..b@example.test", "\"a..b\" is not a local part: a dot needs characters on both sides", ""),
        (
            "a b@example.test",
            "a local part cannot have ' ' in it",
            "use lower-case letters, digits, dots and any of !#$%&'*+/=?^_`{|}~-",
        ),
        (
            "a@b@example.test",
            "a local part cannot have '@' in it",
            "use lower-case letters, digits, dots and any of !#$%&'*+/=?^_`{|}~-",
        ),
        (
            "alice@localhost",
            "\"localhost\" is not fully qualified",
            "write the whole name, like localhost.example.org",
        ),
    ]);
    let long = format!("{}@example.test", "ä".repeat(33));
    refuses::<Address>(&[(long.as_str(), "a local part has at most 64 octets, this one 66", "")]);
    let address = Address::canonical("Alice.B@EXAMPLE.test").unwrap();
    assert_eq!(
        (address.local_part(), address.domain(), address.as_str()),
        ("alice.b", "example.test", "alice.b@example.test")
    );
    let domain = DomainName::parse("example.test").unwrap();
    assert_eq!(Address::from_parts("Bob", &domain).unwrap().as_str(), "bob@example.test");
    assert!(Address::from_parts("", &domain).is_err());
}

#[test]
fn alias_addresses() {
    takes::<AliasAddress>(&["info@example.test", "@example.test"]);
    refuses::<AliasAddress>(&[
        (
            "@",
            "\"\" is not a label of a domain name",
            "labels are 1 to 63 letters, digits and hyphens, and neither start nor end with a hyphen",
        ),
        (
            "@Example.Test",
            "\"Example.Test\" is not in its canonical form (lower-case A-labels, no final dot)",
            "write @example.test",
        ),
        ("@org", "\"org\" is not fully qualified", "write the whole name, like org.example.org"),
        (
            "*@example.test.",
            "\"*@example.test.\" is not in its canonical form (lower case, A-label domain)",
            "write *@example.test",
        ),
        ("info", "\"info\" is not an e-mail address: it has no @", "write local-part@domain"),
    ]);
    let all = AliasAddress::parse("@example.test").unwrap();
    assert_eq!(
        (all.is_catch_all(), all.local_part(), all.domain(), all.address()),
        (true, None, "example.test", None)
    );
    let one = AliasAddress::from(Address::parse("info@example.test").unwrap());
    assert_eq!((one.is_catch_all(), one.local_part(), one.domain()), (false, Some("info"), "example.test"));
    assert_eq!(one.address().unwrap().as_str(), "info@example.test");
}

#[test]
fn quantities() {
    for (text, bytes) in [
        ("1", 1),
        ("1k", 1000),
        ("1Ki", 1024),
        ("1.5Gi", 1_610_612_736),
        ("50Mi", 52_428_800),
        ("0.5k", 500),
        ("1.3Ki", 1332),
        ("0.000001M", 1),
        ("007G", 7_000_000_000),
        ("1Ei", 1 << 60),
        ("1E", 1_000_000_000_000_000_000),
    ] {
        assert_eq!(Quantity::parse(text).unwrap().bytes(), bytes, "{text}");
    }
    let suffixes = "write a positive number with one of k, M, G, T (1000) or Ki, Mi, Gi, Ti (1024)";
    let digits = "write digits and a suffix, like 500Mi, 1.5Gi or 2G";
    refuses::<Quantity>(&[
        ("5GB", "\"5GB\" is not a quantity of bytes", "write 5G"),
        ("5 GiB", "\"5 GiB\" is not a quantity of bytes", "write 5Gi"),
        ("5gi", "\"5gi\" is not a quantity of bytes", "write 5Gi"),
        ("500m", "\"500m\" is not a quantity of bytes", "write 500M"),
        ("5K", "\"5K\" is not a quantity of bytes", "write 5k"),
        ("-5Gi", "\"-5Gi\" is not a quantity of bytes", suffixes),
        ("1e3", "\"1e3\" is not a quantity of bytes", suffixes),
        ("lots", "\"lots\" is not a quantity of bytes", suffixes),
        ("", "\"\" is not a quantity", digits),
        ("1.5", "\"1.5\" is not a quantity", digits),
        (".5Gi", "\".5Gi\" is not a quantity", digits),
        ("5.Gi", "\"5.Gi\" is not a quantity", digits),
        ("1.2.3Gi", "\"1.2.3Gi\" is not a quantity", digits),
        ("12345678901234567890", "\"12345678901234567890\" is not a quantity", digits),
        ("1234567890123M", "\"1234567890123M\" is not a quantity", digits),
        ("9999999999999999999", "9999999999999999999 is more than 1Ei", "write a size like 500Mi or 5Gi"),
        ("0", "a quantity of 0 bytes holds nothing", "write a size like 500Mi or 5Gi"),
        ("0.0Gi", "a quantity of 0 bytes holds nothing", "write a size like 500Mi or 5Gi"),
        ("2Ei", "2Ei is more than 1Ei", "write a size like 500Mi or 5Gi"),
        ("999999999999.999999Ei", "999999999999.999999Ei is more than 1Ei", "write a size like 500Mi or 5Gi"),
    ]);
    assert_eq!(Quantity::parse("1Gi").unwrap(), Quantity::parse("1024Mi").unwrap());
    assert!(Quantity::parse("1G").unwrap() < Quantity::parse("1Gi").unwrap());
    for (bytes, text) in
        [(1, "1"), (1024, "1Ki"), (5 << 30, "5Gi"), (1500, "1500"), (2_000_000, "2M"), (1 << 60, "1Ei")]
    {
        assert_eq!(Quantity::from_bytes(bytes).unwrap().as_str(), text);
    }
    assert!(Quantity::from_bytes(0).is_err());
}

#[test]
fn durations() {
    for (text, millis) in [
        ("720h", 2_592_000_000),
        ("1h30m", 5_400_000),
        ("1.5h", 5_400_000),
        ("500ms", 500),
        ("0s", 0),
        ("1h1m1s1ms", 3_661_001),
        ("1m1m", 120_000),
        ("87600h", 315_360_000_000),
    ] {
        assert_eq!(Duration::parse(text).unwrap().get().as_millis(), millis, "{text}");
    }
    let units = "write numbers with h, m, s or ms, like 720h or 1h30m";
    refuses::<Duration>(&[
        ("30d", "\"30d\" is not a duration", "days, weeks and years vary: write 720h"),
        ("2 weeks", "\"2 weeks\" is not a duration", "days, weeks and years vary: write 336h"),
        ("1y", "\"1y\" is not a duration", "days, weeks and years vary: write 8760h"),
        ("99999999999999999999d", "\"99999999999999999999d\" is not a duration", "write hours, like 720h"),
        ("720", "\"720\" is not a duration", units),
        ("", "\"\" is not a duration", units),
        ("h", "\"h\" is not a duration", units),
        ("-1h", "\"-1h\" is not a duration", units),
        ("1h 30m", "\"1h 30m\" is not a duration", units),
        ("1.h", "\"1.h\" is not a duration", units),
        ("1h1h1h1h1h", "\"1h1h1h1h1h\" is not a duration", units),
        ("1us", "\"1us\" is not a duration", units),
        ("87601h", "87601h is more than ten years", "write at most 87600h"),
        ("999999999h", "999999999h is more than ten years", "write at most 87600h"),
    ]);
    assert_eq!(Duration::parse("60m").unwrap(), Duration::parse("1h").unwrap());
    assert!(Duration::parse("59m").unwrap() < Duration::parse("1h").unwrap());
    assert_eq!(Duration::parse("1.9s").unwrap().as_secs(), 1);
}

#[test]
fn names() {
    takes::<ObjectName>(&["mail", "a", "alice-password", "a.b-c.d", "0"]);
    let letters = "use lower-case letters, digits, hyphens and dots, a letter or digit at both ends";
    refuses::<ObjectName>(&[
        ("Alice_B", "\"Alice_B\" is not the name of an object", "write alice-b"),
        (
            "alice@example.test",
            "\"alice@example.test\" is not the name of an object",
            "write alice-example.test",
        ),
        ("-a", "\"-a\" is not the name of an object", letters),
        ("a..b", "\"a..b\" is not the name of an object", letters),
        ("", "\"\" is not the name of an object", letters),
    ]);
    let long = "a".repeat(254);
    refuses::<ObjectName>(&[(long.as_str(), "a name has at most 253 characters, this one 254", "")]);
    takes::<SecretKey>(&["password", "tls.crt", "A_b-C"]);
    let keys = "use 1 to 253 letters, digits, hyphens, underscores and dots";
    refuses::<SecretKey>(&[
        ("a/b", "\"a/b\" is not a key of a Secret", keys),
        ("", "\"\" is not a key of a Secret", keys),
    ]);
    takes::<DisplayName>(&["Alice", "Ålice Müller (Büro)", " "]);
    refuses::<DisplayName>(&[
        ("", "a display name cannot be empty", "leave the field out"),
        ("a\tb", "\"a\\tb\" has a control character in it", "write the name on one line, without tabs"),
    ]);
    let long = "ä".repeat(256);
    refuses::<DisplayName>(&[(long.as_str(), "a display name has at most 255 characters, this one 256", "")]);
}

#[test]
fn networks() {
    takes::<Ip4Network>(&["192.0.2.1", "192.0.2.0/24", "0.0.0.0/0", "255.255.255.255/32"]);
    takes::<Ip6Network>(&["2001:db8::1", "2001:db8::/32", "::", "::/0", "::1/128"]);
    takes::<RecordName>(&["_spf.example.org", "a_b.example.org", "example.org"]);
    for text in
        ["192.0.2", "192.0.2.256", "192.0.2.01", "192.0.2.0/33", "192.0.2.0/", "192.0.2.0/024", "::1", ""]
    {
        assert!(Ip4Network::parse(text).is_err(), "{text}");
    }
    for text in [
        "192.0.2.1",
        "2001:DB8::1",
        "2001:db8::/129",
        "::1/-1",
        "::ffff:192.0.2.1",
        "1::2::3",
        "fe80::1%eth0",
        "",
    ] {
        assert!(Ip6Network::parse(text).is_err(), "{text}");
    }
    refuses::<RecordName>(&[
        (
            "_SPF.Example.Org.",
            "\"_SPF.Example.Org.\" is not a fully qualified name in DNS",
            "write _spf.example.org",
        ),
        ("spf", "\"spf\" is not a fully qualified name in DNS", "write one like _spf.example.org"),
        (
            "a b.example.org",
            "\"a b.example.org\" is not a fully qualified name in DNS",
            "write one like _spf.example.org",
        ),
    ]);
    for (wrong, remedy) in [
        ("192.0.2.1/24", "write 192.0.2.0/24 for the network, or 192.0.2.1 for the one host"),
        ("128.0.0.0/0", "write 0.0.0.0/0 for the network, or 128.0.0.0 for the one host"),
        ("192.0.2.255/31", "write 192.0.2.254/31 for the network, or 192.0.2.255 for the one host"),
    ] {
        refuses::<Ip4Network>(&[(wrong, &format!("{wrong:?} has bits after its prefix"), remedy)]);
    }
    for (wrong, remedy) in [
        ("2001:db8::1/32", "write 2001:db8::/32 for the network, or 2001:db8::1 for the one host"),
        ("::1/0", "write ::/0 for the network, or ::1 for the one host"),
    ] {
        refuses::<Ip6Network>(&[(wrong, &format!("{wrong:?} has bits after its prefix"), remedy)]);
    }
    refuses::<Ip4Network>(&[(
        "x",
        "\"x\" is not an IPv4 address or network",
        "write one like 192.0.2.1 or 192.0.2.0/24",
    )]);
    refuses::<Ip6Network>(&[(
        "X",
        "\"X\" is not an IPv6 address or network in lower case",
        "write one like 2001:db8::1 or 2001:db8::/32",
    )]);
}

#[test]
fn password_hashes_are_taken_by_scheme_and_never_shown() {
    takes::<PasswordHash>(&[
        "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$aGFzaGhhc2g",
        "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
        "$6$saltsalt$hash",
        "{SSHA512}c2FsdA==",
        "{SHA256.HEX}00ff",
        "{CRYPT}$6$saltsalt$hash",
    ]);
    for secret in [
        "hunter2",
        "{PLAIN}hunter2",
        "{CLEARTEXT}hunter2",
        "{ssha512}hunter2",
        "$y$j9T$hunter2",
        "{SSHA512}",
        "$6$hunter 2",
        "$6",
        "{SSHA512.B32}hunter2",
        "",
    ] {
        let refusal = PasswordHash::parse(secret).unwrap_err();
        assert!(!format!("{refusal:?}").contains("hunter"), "{refusal:?}");
        assert!(refusal.remedy.is_some(), "{secret}");
    }
    assert!(PasswordHash::parse(&format!("$6${}", "a".repeat(510))).is_err());
    let hash = PasswordHash::parse("{SSHA512.HEX}hunter2").unwrap();
    assert_eq!(
        (format!("{hash:?}").as_str(), hash.scheme(), hash.expose()),
        ("PasswordHash(SSHA512.HEX, …)", "SSHA512.HEX", "{SSHA512.HEX}hunter2")
    );
    let (identifiers, schemes) = (IDENTIFIERS.join("|"), SCHEMES.join("|"));
    assert_eq!(
        PasswordHash::PATTERN,
        format!("^(\\$({identifiers})\\$[!-~]+|\\{{({schemes})(\\.(B64|HEX|b64|hex))?\\}}[!-~]+)$")
    );
}

#[test]
fn serde_reads_what_the_parser_takes_and_says_what_it_says() {
    let address: Address = serde_json::from_str("\"alice@example.test\"").unwrap();
    assert_eq!(serde_json::to_string(&address).unwrap(), "\"alice@example.test\"");
    let error = serde_json::from_str::<Address>("\"alice\"").unwrap_err().to_string();
    assert!(error.starts_with("\"alice\" is not an e-mail address: it has no @"), "{error}");
    assert_eq!("bob@example.test".parse::<Address>().unwrap().to_string(), "bob@example.test");
}

#[test]
fn long_texts_are_shortened_in_messages() {
    let refusal = Address::parse(&"ä".repeat(100_000)).unwrap_err();
    assert!(refusal.message.chars().count() < 200, "{}", refusal.message.len());
    assert_eq!(quote("a\"b"), "\"a\\\"b\"");
}

#[test]
fn trusted_networks() {
    takes::<TrustedNetwork>(&[
        "192.0.2.7",
        "10.0.0.0/8",
        "10.42.0.0/16",
        "::1",
        "fc00::/7",
        "2001:db8:7::/48",
    ]);
    let open = |text: &str| format!("{text:?} is a part of the Internet: that makes an open relay");
    refuses::<TrustedNetwork>(&[
        ("0.0.0.0/0", &open("0.0.0.0/0"), "name networks of your own, /8 or longer"),
        ("128.0.0.0/1", &open("128.0.0.0/1"), "name networks of your own, /8 or longer"),
        ("::/0", &open("::/0"), "name networks of your own, /7 or longer"),
    ]);
    refuses::<TrustedNetwork>(&[
        (
            "10.0.0.1/8",
            "\"10.0.0.1/8\" has bits after its prefix",
            "write 10.0.0.0/8 for the network, or 10.0.0.1 for the one host",
        ),
        (
            "2001:0db8:7::2/48",
            "\"2001:0db8:7::2/48\" has bits after its prefix",
            "write 2001:db8:7::/48 for the network, or 2001:db8:7::2 for the one host",
        ),
    ]);
    for wrong in [
        "",
        "10.0.0.0/33",
        "10.0.0",
        "localhost",
        "::ffff:0:0/96",
        "::ffff:192.0.2.1",
        "FC00::/7",
        "10.0.0.0/08",
    ] {
        refuses::<TrustedNetwork>(&[(
            wrong,
            &format!("{wrong:?} is not an IP address or network"),
            "write one like 192.0.2.7 or 10.42.0.0/16",
        )]);
    }
}

#[test]
fn relay_hosts() {
    takes::<RelayHost>(&[
        "smtp.example.org",
        "relay",
        "localhost",
        "192.0.2.7",
        "2001:db8::25",
        "4you.example",
    ]);
    let lower = "write one like smtp.example.org or 192.0.2.7, in lower case";
    for (wrong, remedy) in [
        ("smtp.example.org:587", "write host: smtp.example.org and port: 587"),
        ("192.0.2.7:25", "write host: 192.0.2.7 and port: 25"),
        ("SMTP.example.org", lower),
        ("192.0.2.300", lower),
        ("[2001:db8::25]", lower),
        ("-relay", lower),
        ("", lower),
    ] {
        refuses::<RelayHost>(&[(wrong, &format!("{wrong:?} is not a host name or IP address"), remedy)]);
    }
}

#[test]
fn resolvers() {
    for (text, address) in [
        ("192.0.2.53", "192.0.2.53:53"),
        ("127.0.0.1:5353", "127.0.0.1:5353"),
        ("2001:db8::53", "[2001:db8::53]:53"),
        ("[2001:db8::53]", "[2001:db8::53]:53"),
        ("[::1]:65535", "[::1]:65535"),
    ] {
        takes::<Resolver>(&[text]);
        assert_eq!(Resolver::parse(text).unwrap().address().to_string(), address);
    }
    for wrong in [
        "",
        "dns.example.org",
        "192.0.2.53:0",
        "192.0.2.53:65536",
        "192.0.2.53:",
        "[192.0.2.53]:53",
        "[::1",
        "192.0.2.53:053",
    ] {
        refuses::<Resolver>(&[(
            wrong,
            &format!("{wrong:?} is not the address of a name server"),
            "write its IP address, like 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:53",
        )]);
    }
}
