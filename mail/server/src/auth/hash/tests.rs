//! Known answers of every scheme, made by other programs: doveadm 2.3.19, htpasswd 2.4, openssl 3.0, crypt(3), and
//! Python's hashlib, passlib, bcrypt and argon2-cffi.

use proptest::prelude::*;

use super::*;

/// The password behind every known answer; not ASCII on purpose.
const PASSWORD: &str = "correct horse ŝtal";

const KNOWN: &[(&str, &str)] = &[
    (
        "argon2-cffi",
        "$argon2id$v=19$m=19456,t=2,p=1$1KvDj6KaLLDCy0GPyB7jbw$khK6oaYQidkUtDJuarwVihaMkcUI0kZAomL4eNUXvLQ",
    ),
    (
        "argon2-cffi",
        "$argon2id$v=19$m=8192,t=1,p=4$KazPskdMxjfFVuLTfieY5g$EACZSTFRyIGhxrduQoI2SokRbVNyp4mzVJICKb7/cHk",
    ),
    (
        "argon2-cffi",
        "$argon2i$v=19$m=8192,t=3,p=1$PvafH288tnLG8Z/MwDQtWw$dZQ6jlUWlgkOlNrUG4g/kA4dNpbXXdn1W9OFi1qaQ/E",
    ),
    (
        "argon2-cffi",
        "$argon2d$v=19$m=8192,t=3,p=1$lmm+RZEgR7ur4iAWAWo4Zg$Z6OT48mnpW/BwvMUWiI8yHxJyNLF4PtWpFLsLADYsTc",
    ),
    (
        "doveadm",
        "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$mrb/lfjwza4wDxCQ7Nu4fA$B74wI/VT0inYP2KiIOmiVqPoA4eh0SzhvsMSWzDwwmo",
    ),
    (
        "doveadm",
        "{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$agg/YixHUWP62NZbJmkbQg$w3aLYUZH4nq1vQMdKPmabNSnECcvi8uLfQie9HWmHR8",
    ),
    (
        "doveadm",
        "{ARGON2ID.B64}JGFyZ29uMmlkJHY9MTkkbT02NTUzNix0PTMscD0xJFVrR1Y1TmRFTkZzcWxLN2dFTjRYN3ckeVFNS2JzTnZFZzRYcEFjK0hJczhiOHd2NWtkQS80YWVzQXJUZFFyRmMxTQ==",
    ),
    ("bcrypt", "$2b$05$977bsXopD9V28tjxx.FWUu1UPmbIeOLAOWoIUycmbn.3JbLs6uRse"),
    ("bcrypt", "$2a$05$RtZcN.S8MTd/qkIdfw83helFa.4MkOFPKR87tRc2tkGWqtzoi6yQK"),
    ("htpasswd", "$2y$05$v2ShpB4DfiOSYwdHJWFbu.5m1GATCuIY45KTxC.yzITS.SoLzsn5y"),
    ("doveadm", "{BLF-CRYPT}$2y$05$FaXuV6IiJawufSY8cyj2i.azJB49ntC7YGDPTNJZA6QlSkXK8UXiG"),
    ("doveadm", "{CRYPT}$2y$05$mSRIEFawyXe8wTsfpx.0deoHDYTDX5SWe1e2oh.ec6NBaQN/ErqU6"),
    (
        "doveadm",
        "{CRYPT.B64}JDJ5JDA1JFg0eG5GTWJzQkV5NFNYMkVBaGVla3VVRU0vdUlaZG1Fc1VWZFdQaURlWVdnOE56ODBmdGhp",
    ),
    (
        "doveadm",
        "{BLF-CRYPT.HEX}2432792430352458426c6c2e5362524f6470444c4d4e4a623557476b4f6969764e6b645241654b3341597568522f6c37565a736a797251526c6a6b65",
    ),
    ("passlib", "$bcrypt-sha256$v=2,t=2b,r=5$iS9TMCw.mujy8LRZja9bV.$84cOxE/Skr1oHU2J.i3j2qfKbkzYSMi"),
    ("passlib", "$bcrypt-sha256$2b,5$utx8F35/hLsL.TWP6GAq4e$BRRJ6F7rml5rU.rvErr03qQ6xhMzMAy"),
    ("passlib", "$scrypt$ln=10,r=8,p=1$G0NozZlT6h2DkDKGUEqJ0Q$Nfb0AuKBHvWjKumTIECyhqweoWSIalbVAHYPosDjomM"),
    ("hashlib", "$scrypt$ln=10,r=8,p=2$MDEyMzQ1Njc4OWFiY2RlZg$P5JUKNGr47kYTGqkm4V7FGO0wxbgJ/0o86hLO9pLDj8"),
    ("passlib", "$pbkdf2-sha256$2000$r5XyXisFYEwpBeCc0/r/Hw$HrWFTZrryWWeM/owlfYRK39Qs33oStBbEuhGuoQxgak"),
    (
        "passlib",
        "$pbkdf2-sha512$2000$b.39P.ccI.Tcew9hTMl5Dw$1EPjIRGCYGu/sVAJHWfRCz2JgBdTTiO5lYJr1PWcb8doYTgv5886sTPE8wBTFqRxDIMZr0MeJEo6YGxCJ4M0eQ",
    ),
    ("passlib", "$pbkdf2$2000$G2Ps3bv3/t8bgzBGKAWg1A$X2eZXprsu4fO/zed6lLkBPjdsB4"),
    (
        "hashlib",
        "$pbkdf2-sha256$i=1500,l=32$MDEyMzQ1Njc4OWFiY2RlZg$kW4F3+H1Iou6LeSRzpf/6CbsO0CFkolUxen+y7OCkmY",
    ),
    ("hashlib", "$pbkdf2-sha256$i=1500$MDEyMzQ1Njc4OWFiY2RlZg$kW4F3+H1Iou6LeSRzpf/6CbsO0CFkolUxen+y7OCkmY"),
    (
        "hashlib",
        "$pbkdf2-sha512$i=1500,l=64$MDEyMzQ1Njc4OWFiY2RlZg$FyCMfF1jNcFBpns9nCuQeHSb79Ehsxj2Tc+KEGhKNMbY5qL9GC2gWcTMgez4KBV790YxDA5NGiz6f2VJODZihA",
    ),
    ("doveadm", "{PBKDF2}$1$EfBaz.4fH0mpBnKR$5000$487aa09d260cf17ded20d448d98402905ef568dc"),
    ("doveadm", "{PBKDF2}$1$zsRDx4cWWc20gnVP$1000$df2ba36d1f7e3ef12e1d0d1031cbc7c14ef75779"),
    (
        "doveadm",
        "{PBKDF2.B64}JDEkRWdLN1llL29OZG5zTWRmQyQ1MDAwJDk5YTMwMzE1MjI0MjI5N2Y5ODczOTUzYWI2NTU1YzQ4YjI5MmE2ZWI=",
    ),
    (
        "crypt(3)",
        "$6$COHHpZMjhsGn2/xs$tki3/T9qVfqTVxBkpVRHJLEvxpKp5qC6pda5OoBZ.2amkMYSAhgvYpVuFV7Mg7vUPAfrXaayQe8KojHFLrbbz0",
    ),
    (
        "crypt(3)",
        "$6$rounds=1234$a.b/c$PS2SGgVNT5BKnazEZeuxLYUp7emCngvZAvWrz0ZwpOG.frLai2G1POLjKtq0keuC0XrLvI3kEFATy/BkQKoZC0",
    ),
    ("crypt(3)", "$5$TcTk1xifcx0KwVio$CkPp1hRhaBYpFt3SgPFtvODOsfxgotNkicNh4Z/dp21"),
    ("crypt(3)", "$5$rounds=77777$short$Mu2sZMrXVS0efwhzVrx52TmPiYFhsUQRs0CflLlj712"),
    (
        "openssl",
        "$6$bBy21Jp8uqirM1w0$gJVSScoxAl9aJURlOTj6FnPIscvdmzxJ2oNQSDIK2ZTpRX9sJxxqwVxrCV.Yaeyaxi.g8Q60yS0eDf6zYtk2q0",
    ),
    ("openssl", "$5$iCtcWuiYSEpJ.diT$Ka4AeIbcWEYvhaYDVys4iOKVnNBUUSyx6m0uLSjxGg7"),
    (
        "doveadm",
        "{SHA512-CRYPT}$6$rounds=10000$XOA9X11ny/mLeJv.$Oo1QwjHHp1pK.gDmzuZDaDqjLq.AgVIau70dNEDAowq/iUX1UCIPWoCT6Ke.w1DNrE7rSPBihkx0anPXfx0Z91",
    ),
    ("doveadm", "{SHA256-CRYPT}$5$xPUDkkKF8OnAoMnm$oJo9SKy/SJf2T656UoiLA7NR0Uwuy3OnawwjCqxkjd5"),
    (
        "doveadm",
        "{SHA256-CRYPT.B64}JDUkQzZnMXdndmtZTS41UlUzcSRrYXVUWDlnb040RUVid080TlVVOGkvdExaRGtDLlJ4M254LzVEdExQM2FC",
    ),
    ("crypt(3)", "$1$hqbSpFM1$NNwX6ekhStNbVBIXwkqUf/"),
    ("openssl", "$1$XyOJOoyg$Bgfe4xNT7zLsPz91cvNTV0"),
    ("openssl", "$apr1$LVxOARhQ$y4TpIMrdFtGmOoynFJ/si0"),
    ("htpasswd", "$apr1$h.EgBpW4$DNxd5ip7v4E3tJkea0Cn01"),
    ("doveadm", "{MD5-CRYPT}$1$mZr6F6Hx$3E5Lhh8nGgG9Tq3VrUXM30"),
    ("doveadm", "{MD5}$1$buEEAglT$ybVP3q20IZvwIl1C9CcoO."),
    (
        "doveadm",
        "{SSHA512}gjPRaX8s8XNVWzlkw4fRUu1ZjG64NVAdLyP+p2Iv8Qp1LszUyIg9D8uMShRLTJv7XANXqn0FXhNn5AbXPZ8JDw/g5Rw=",
    ),
    (
        "doveadm",
        "{SSHA512.HEX}6c2d0d938412e5dcbb98de08fbccb28af0257b7a6bdfc57e1775a5f6cd4d1a6f7d0ec8252384881c6927295baebf5d9aa9e11e8f17adadfef7847fa06714e5a5ec61b599",
    ),
    (
        "hashlib",
        "{SSHA512}8TL662dZghbPnqwrZt4n8boUYERSQ0FTiBUtFfX3jN41r+tY0uz8pE2sg06WHWn2B+m39AZf1c6PoG+ANRzjXDAxMjM0NTY3ODlhYmNkZWY=",
    ),
    ("doveadm", "{SSHA256}Z1wku/NAi1gtetjBQ8z8TmEGOiVcgVQQFcTaey6jyESGndbF"),
    ("hashlib", "{SSHA256}SwMG7WVmDsAuuOqArikeN8lEJZAUEykxCDG/S8hsSSgwMTIzNDU2Nzg5YWJjZGVm"),
    ("doveadm", "{SSHA}585R/Qbjkq2x8jqZmi1ZiOc7OOLL7GJx"),
    ("hashlib", "{ssha}v3EGo+egK1Xmjrcz1miQBuhNMAIwMTIzNDU2Nzg5YWJjZGVm"),
    (
        "doveadm",
        "{SHA512}8joLQO9Ae8TLEt2KxnoaCsPwWF/MOUjXzCrCt8yGnHHA6DH9Wq0tqZo8lxU9gfBrYunC20hwA1FhKGot8DgS/w==",
    ),
    ("doveadm", "{SHA256}yQPslUNjIzWFEBf3I+Oze2rA980HeXCmePa2h6DLoPc="),
    ("htpasswd", "{SHA}V72A8iiL0UQ8+P0YIWYdqHTEjCE="),
    ("doveadm", "{SHA1.HEX}57bd80f2288bd1443cf8fd1821661da874c48c21"),
    ("doveadm", "{SMD5}545lONdg04rnasbae9NeyfoB5+o="),
    ("doveadm", "{PLAIN-MD5}877cf716cb4d03a89c98da99131c5f27"),
    ("doveadm", "{LDAP-MD5}h3z3FstNA6icmNqZExxfJw=="),
    (
        "doveadm",
        "{SCRAM-SHA-256}4096,KC6Je52WRrduHIjdE9P+9A==,gCncFcxbOrIjqdHn1HNCgti1nhL98M3oXBnElTlR8CU=,cnU9BhOHMFdAMxkPeThTL3RUlMElGPWk04QwqaprcXI=",
    ),
    (
        "doveadm",
        "{SCRAM-SHA-1}4096,mEwBacSAeMxJwBxL/Mt9pQ==,PG0/LgNDu3L0SIp4pW/LOOqSu7w=,ISF4eMTVu50hqAYQhS1SeNfiz1Q=",
    ),
];

#[test]
fn foreign_hashes_verify() {
    for (maker, stored) in KNOWN {
        let hash = PasswordHash::parse(stored).unwrap_or_else(|error| panic!("{maker} {stored}: {error}"));
        assert!(hash.verify(PASSWORD.as_bytes()), "{maker} {stored}");
        for wrong in
            ["", "correct horse stal", "correct horse ŝta", "Correct horse ŝtal", "correct horse ŝtal "]
        {
            assert!(!hash.verify(wrong.as_bytes()), "{maker} {stored} accepted {wrong:?}");
        }
    }
}

#[test]
fn wrong_hashes_say_what_is_wrong() {
    let malformed = |scheme, what| HashError::Malformed { scheme, what };
    let expensive = |scheme, what| HashError::TooExpensive { scheme, what };
    for (stored, expected) in [
        ("", HashError::UnknownScheme("(none: neither $id$ nor {SCHEME})".into())),
        ("mailwright", HashError::UnknownScheme("(none: neither $id$ nor {SCHEME})".into())),
        ("{PLAIN}mailwright", HashError::Cleartext),
        ("{cleartext}mailwright", HashError::Cleartext),
        ("{PLAIN.B64}bWFpbA==", HashError::Cleartext),
        ("{DES-CRYPT}yP8qTzP3ZN0Sg", HashError::UnknownScheme("{DES-CRYPT}".into())),
        ("$y$j9T$salt$hash", HashError::UnknownScheme("$y$".into())),
        (
            "$2x$05$977bsXopD9V28tjxx.FWUu1UPmbIeOLAOWoIUycmbn.3JbLs6uRse",
            HashError::UnknownScheme("$2x$".into()),
        ),
        ("$2b$05$tooshort", malformed("bcrypt", "expected $2b$nn$ and 53 characters")),
        (
            "$2b$31$977bsXopD9V28tjxx.FWUu1UPmbIeOLAOWoIUycmbn.3JbLs6uRse",
            expensive("bcrypt", "cost is above 16"),
        ),
        (
            "$bcrypt-sha256$v=2,t=2b,r=31$iS9TMCw.mujy8LRZja9bV.$84cOxE/Skr1oHU2J.i3j2qfKbkzYSMi",
            expensive("bcrypt", "cost is above 16"),
        ),
        (
            "$bcrypt-sha256$v=3,t=2b,r=5$iS9TMCw.mujy8LRZja9bV.$84cOxE/Skr1oHU2J.i3j2qfKbkzYSMi",
            malformed(
                "bcrypt-sha256",
                "expected $bcrypt-sha256$v=2,t=2b,r=nn$, a salt of 22 and a digest of 31 characters",
            ),
        ),
        ("$6$salt$short", malformed("SHA-crypt", "salt or hash")),
        ("$6$rounds=999999999$salt$x", expensive("SHA-crypt", "more than 5,000,000 rounds")),
        ("$6$rounds=10$salt$x", malformed("SHA-crypt", "rounds below 1000")),
        (
            "$argon2id$v=19$m=19456,t=2,p=1$1KvDj6KaLLDCy0GPyB7jbw",
            malformed("argon2", "no hash after the salt"),
        ),
        (
            "$argon2id$v=19$m=4194304,t=2,p=1$1KvDj6KaLLDCy0GPyB7jbw$khK6oaYQidkUtDJuarwVihaMkcUI0kZAomL4eNUXvLQ",
            expensive("argon2", "more than 256 MiB of memory"),
        ),
        (
            "$argon2id$v=19$m=64,t=200,p=1$1KvDj6KaLLDCy0GPyB7jbw$khK6oaYQidkUtDJuarwVihaMkcUI0kZAomL4eNUXvLQ",
            expensive("argon2", "more than 16 passes or 32 lanes"),
        ),
        (
            "$scrypt$ln=24,r=8,p=1$G0NozZlT6h2DkDKGUEqJ0Q$Nfb0AuKBHvWjKumTIECyhqweoWSIalbVAHYPosDjomM",
            expensive("scrypt", "more than 256 MiB of memory"),
        ),
        (
            "$scrypt$ln=64,r=8,p=1$G0NozZlT6h2DkDKGUEqJ0Q$Nfb0AuKBHvWjKumTIECyhqweoWSIalbVAHYPosDjomM",
            expensive("scrypt", "more than 256 MiB of memory"),
        ),
        (
            "$pbkdf2-sha256$4000000000$r5XyXisFYEwpBeCc0/r/Hw$HrWFTZrryWWeM/owlfYRK39Qs33oStBbEuhGuoQxgak",
            expensive("pbkdf2", "more than 10,000,000 rounds"),
        ),
        (
            "$pbkdf2-sha256$i=1500,l=20$MDEyMzQ1Njc4OWFiY2RlZg$kW4F3+H1Iou6LeSRzpf/6CbsO0CFkolUxen+y7OCkmY",
            malformed("pbkdf2", "l= is not the length of the hash"),
        ),
        (
            "$pbkdf2-sha256$1000$AAAA$AAAA",
            malformed("pbkdf2", "hash is shorter than 16 or longer than 64 bytes"),
        ),
        ("{SSHA512}AAAA", malformed("SSHA512", "wrong length")),
        ("{SSHA}V72A8iiL0UQ8+P0YIWYdqHTEjCE=", malformed("SSHA", "wrong length")),
        ("{SHA.ROT13}AAAA", malformed("SHA", "not in its encoding")),
        ("{SCRAM-SHA-256}0,AAAA,AAAA,AAAA", malformed("SCRAM", "iterations")),
        (
            "{SHA512-CRYPT}$1$XyOJOoyg$Bgfe4xNT7zLsPz91cvNTV0",
            malformed("{SCHEME}", "the hash is of another scheme than its prefix"),
        ),
    ] {
        assert_eq!(PasswordHash::parse(stored).err(), Some(expected), "{stored}");
    }
    let long = format!("$6${}", "a".repeat(MAX_HASH_BYTES));
    assert!(PasswordHash::parse(&long).is_err());
}

/// These are what a Mailbox's condition says to whoever wrote the hash.
#[test]
fn a_hash_that_is_refused_is_told_with_the_next_step() {
    for (stored, wrong, step) in [
        ("$argon2id$v=19$m=65536", "malformed argon2 hash", "openssl passwd -6"),
        ("$6$salt$short", "malformed SHA-crypt hash: salt or hash", "credentials.secretRef"),
        ("$y$j9T$salt$hash", "unknown password scheme $y$", "use argon2id"),
        ("$6$rounds=999999999$salt$x", "too expensive", "hash the password again"),
        ("{PLAIN}mailwright", "is not a hash", "put it into a Secret"),
    ] {
        let said = PasswordHash::parse(stored).err().map(|error| error.to_string()).unwrap();
        assert!(said.contains(wrong) && said.contains(step), "{stored}: {said}");
    }
}

#[test]
fn errors_do_not_repeat_the_secret() {
    let secret = "hunter2-hunter2-hunter2";
    for stored in
        [secret.to_owned(), format!("{{PLAIN}}{secret}"), format!("$9${secret}"), format!("$6${secret}$x")]
    {
        let error = PasswordHash::parse(&stored).err().map(|error| error.to_string()).unwrap();
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn new_hashes_are_argon2id_and_verify() {
    let stored = hash_password(PASSWORD.as_bytes()).unwrap();
    assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
    assert_ne!(stored, hash_password(PASSWORD.as_bytes()).unwrap(), "the salt is random");
    let hash = PasswordHash::parse(&stored).unwrap();
    assert!(hash.verify(PASSWORD.as_bytes()));
    assert!(!hash.verify(b"mailwright"));
}

#[test]
fn password_length_is_bounded() {
    assert_eq!(hash_password(b""), Err(HashError::PasswordEmpty));
    assert_eq!(hash_password(&[b'a'; MAX_PASSWORD_BYTES + 1]), Err(HashError::PasswordTooLong));
    // The plain digest of a too long password would match; the length alone refuses it.
    let hash = PasswordHash::parse("{SHA}NCvThrrs4Kcf7rlaFgDPRwnFlpY=").unwrap();
    assert!(!hash.verify(&[b'a'; MAX_PASSWORD_BYTES + 1]));
}

#[test]
fn bcrypt_counts_72_bytes() {
    // python bcrypt 4: hashpw(b"a" * 72, …), which refuses longer ones; crypt(3) truncates.
    let stored = bcrypt::hash("a".repeat(72), 4).unwrap();
    let hash = PasswordHash::parse(&stored).unwrap();
    assert!(hash.verify("a".repeat(80).as_bytes()));
    assert!(!hash.verify("a".repeat(71).as_bytes()));
}

proptest! {
    #[test]
    fn random_text_never_panics(text in "\\PC{0,120}") {
        // Bounded by the parser's cost limits, so a random "hash" cannot hang the test either.
        if let Ok(hash) = PasswordHash::parse(&text) {
            prop_assert!(!hash.verify(b"surely not this"));
        }
    }

    #[test]
    fn damaged_hashes_never_verify(index in 0..KNOWN.len(), position in any::<prop::sample::Index>(), byte in 33u8..127) {
        let (_, stored) = KNOWN[index];
        let mut damaged = stored.as_bytes().to_vec();
        let position = position.index(damaged.len());
        damaged[position] = byte;
        let damaged = String::from_utf8(damaged).unwrap();
        // Only the hash part is certain to matter: scheme names fold case, and the last base64 digit has spare bits.
        let tail = stored.rfind(['$', '}', ',']).unwrap_or(0) + 1;
        prop_assume!(position > tail && position + 3 < stored.len() && damaged != stored);
        prop_assume!(!stored.contains(".HEX") && !stored.contains(".B64") && !stored.contains("SCRAM"));
        prop_assume!(!stored.as_bytes()[position].eq_ignore_ascii_case(&byte));
        // passlib's `.` is a `+`.
        prop_assume!(stored.as_bytes()[position] != b'+' || byte != b'.');
        if let Ok(hash) = PasswordHash::parse(&damaged) {
            prop_assert!(!hash.verify(PASSWORD.as_bytes()), "{damaged}");
        }
    }
}
