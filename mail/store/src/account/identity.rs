//! What an account may send as: asked for the addresses that a message claims, since all that it could claim is a list that
//! nobody needs.

use sqlx::Row;

use crate::account::domain::strings;
use crate::account::{AccountId, address, sql};
use crate::error::Result;
use crate::store::Store;

/// Addresses that one message claims beyond which the rest is not looked up: MAIL and a few authors.
const CLAIMED_MAX: usize = 110;
/// Addresses that are followed to find whether an alias leads to the account.
const MEMBERS_MAX: i64 = 10_000;

/// The addresses of an account, as far as somebody asked for them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// Its own address, its `sendAs`, and those that were asked for and are enabled aliases that lead to it, or lie in a domain
    /// that it may send as.
    pub addresses: Vec<String>,
    /// Alias domains of the addresses that were asked for, with the domain each is another name of.
    pub alias_domains: Vec<(String, String)>,
}

/// `None` when the account is not in service.
pub(super) async fn identity(
    store: &Store,
    account: AccountId,
    claimed: &[String],
) -> Result<Option<Identity>> {
    let row = sqlx::query(sql::SENDER).bind(account.0).fetch_optional(&store.readers).await?;
    let Some(row) = row else { return Ok(None) };
    let mut found = Identity { addresses: vec![row.try_get(0)?], ..Identity::default() };
    found.addresses.extend(strings(&row, 1)?);
    for claim in claimed.iter().take(CLAIMED_MAX) {
        let claim = address::lower(claim);
        let Some((local, domain)) = claim.rsplit_once('@') else { continue };
        let query = sqlx::query_scalar(sql::REAL_DOMAIN).bind(domain.to_owned());
        let real: Option<String> = query.fetch_optional(&store.readers).await?;
        let domain = real.clone().unwrap_or_else(|| domain.to_owned());
        if let Some(real) = real {
            found.alias_domains.push((claim[local.len() + 1..].to_owned(), real));
        }
        // Without its detail too: the alias has none.
        let plain = local.split_once('+').map_or(local, |(plain, _)| plain);
        for local in [local, plain] {
            let address = format!("{local}@{domain}");
            let whole_domain = found.addresses.contains(&format!("@{domain}"));
            if !found.addresses.contains(&address)
                && (whole_domain || leads_to(store, &address, account).await?)
            {
                found.addresses.push(address);
            }
        }
    }
    Ok(Some(found))
}

async fn leads_to(store: &Store, alias: &str, account: AccountId) -> Result<bool> {
    let query = sqlx::query_scalar(sql::LEADS_TO).bind(alias.to_owned()).bind(account.0).bind(MEMBERS_MAX);
    Ok(query.fetch_one(&store.readers).await?)
}
