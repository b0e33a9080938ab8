//! The accounts of both servers, with the same hash of the same password, and the groups they are in.

/// The domain of all accounts.
pub const DOMAIN: &str = "example.test";
/// The password of all accounts.
pub const PASSWORD: &str = "bench-password";

/// Salted SHA-256: a hash that costs nothing, so that a login measures everything else.
pub const CHEAP: &str = "{SSHA256}afBnHuyxomZSzO541UuAXD9txYahUZJDjWt8FQTBAeuEjiiv";
/// bcrypt with cost 10.
pub const BCRYPT: &str = "{BLF-CRYPT}$2y$10$8cuzT1NWfvNRZXwmSa9XbOTzsK3rCcbcYyb/iIjeCybl0KwGQ33La";
/// argon2id as `doveadm pw -s ARGON2ID` makes it.
pub const ARGON2ID: &str = "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$9masU9bTeoRkyzhWXK+ZXQ$sdxMRLnqIQznp5TxmDO8w3wq06JteLXwtgWhpZU3+aQ";

/// Accounts that take the load of most figures.
pub const POOL: usize = 50;

/// An account as both servers are told of it.
#[derive(Debug, Clone)]
pub struct Account {
    /// The local part.
    pub name: String,
    /// What is stored of its password.
    pub hash: &'static str,
}

impl Account {
    fn new(name: String, hash: &'static str) -> Account {
        Account { name, hash }
    }
}

/// The address of an account.
pub fn address(name: &str) -> String {
    format!("{name}@{DOMAIN}")
}

/// The n-th account of the pool.
pub fn pool(n: usize) -> String {
    format!("u{:02}", n % POOL)
}

/// The account with the large mailbox of a run.
pub fn large(run: usize) -> String {
    format!("large{run}")
}

/// The n-th account that logs in once with this hash; `kind` is its name.
pub fn once(kind: &str, n: usize) -> String {
    format!("{kind}{n:04}")
}

/// All accounts for so many runs, with so many logins of each kind.
pub fn all(runs: usize, logins: &[(&str, &'static str, usize)]) -> Vec<Account> {
    let mut accounts: Vec<Account> = (0..POOL).map(|n| Account::new(pool(n), CHEAP)).collect();
    accounts.extend((0..runs).map(|run| Account::new(large(run), CHEAP)));
    for (kind, hash, count) in logins {
        accounts.extend((0..count * runs).map(|n| Account::new(once(kind, n), hash)));
    }
    accounts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_accounts_are_the_same() {
        let accounts = all(3, &[("cheap", CHEAP, 20), ("bcrypt", BCRYPT, 5)]);
        let names: std::collections::BTreeSet<_> = accounts.iter().map(|account| &account.name).collect();
        assert_eq!(names.len(), accounts.len());
        assert_eq!(accounts.len(), POOL + 3 + 60 + 15);
    }
}
