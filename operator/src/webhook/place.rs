//! The path of a repository's webhook: unguessable, and the same after every restart.

use zeroize::Zeroizing;

use super::signature::{hex, keyed};

/// What every path begins with.
pub(super) const PREFIX: &str = "/hook/";

/// The key that paths are made with. Kept by the platform: with another one, every forge has to be told a new path.
pub type Key = Zeroizing<[u8; 32]>;

/// The path of one repository. An object that is made anew under the same name has another `uid` and so another path.
pub fn path(key: &Key, namespace: &str, name: &str, uid: &str) -> String {
    let parts: [&[u8]; 5] = [namespace.as_bytes(), b"\0", name.as_bytes(), b"\0", uid.as_bytes()];
    let mac = hmac::Mac::finalize(keyed(key.as_slice(), &parts)).into_bytes();
    format!("{PREFIX}{}", hex(&mac))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn paths_differ_by_everything_and_stay() {
        let (key, other) = (Key::new([7; 32]), Key::new([8; 32]));
        let all = [
            path(&key, "mail", "company", "u1"),
            path(&key, "mail", "company", "u2"),
            path(&key, "mail", "compan", "yu1"),
            path(&key, "mailc", "ompany", "u1"),
            path(&key, "mail", "company", ""),
            path(&other, "mail", "company", "u1"),
        ];
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
        assert_eq!(all[0], path(&key, "mail", "company", "u1"));
        assert!(all.iter().all(|path| path.len() == "/hook/".len() + 64 && path.starts_with("/hook/")));
    }
}
