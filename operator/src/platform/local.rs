//! The platform without a cluster: a data directory.
//!
//! ```text
//! fingerprint.key                  32 random octets, 0600
//! webhook.key                      32 random octets, 0600
//! dkim/<domain>/<selector>.pem     PKCS #8, 0600
//! tls/<server>.{crt,key}           self-signed pair, key 0600
//! relay/<server>.json              login at the smarthost, 0600
//! passwords/<namespace>_<secret>   a password that was made up, 0600; _<key> more for another key than password
//! dns/<domain>.zone                suggested records
//! ```

mod passwords;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use mailwright_crds::Mailbox;
use mailwright_crds::mail_domain::DkimAlgorithm;
use mailwright_plan::observed::{Issuer, ServerDeclared};

use super::{Issuance, Platform, PlatformError};
use crate::certificate::PemPair;
use crate::dkim::{self, DkimKey};
use crate::relay::RelayLogin;
use crate::secrets::Secrets;
use crate::source::SecretValue;
use crate::webhook;
use crate::zones::Zone;

const PRIVATE: u32 = 0o600;
const PUBLIC: u32 = 0o644;

/// A data directory; made when missing.
#[derive(Debug, Clone)]
pub struct Local {
    root: PathBuf,
}

impl Local {
    /// Opens the directory, making it (0700) when it does not exist.
    pub fn open(root: &Path) -> Result<Self, PlatformError> {
        use std::os::unix::fs::DirBuilderExt as _;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(root).map_err(|source| {
            PlatformError::Io { action: "cannot make", path: root.display().to_string(), source }
        })?;
        Ok(Self { root: root.to_owned() })
    }

    /// The directory as it is; it need not exist until something is written.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The directory of a domain's DKIM keys.
    pub fn dkim_dir(&self, domain: &str) -> PathBuf {
        self.root.join("dkim").join(domain)
    }

    /// The file a domain's zone is written to.
    pub fn zone_path(&self, domain: &str) -> PathBuf {
        self.root.join("dns").join(format!("{domain}.zone"))
    }

    /// The file of a server's self-signed certificate: what a client is told to trust.
    pub fn certificate_path(&self, server: &str) -> PathBuf {
        self.root.join("tls").join(format!("{server}.crt"))
    }

    /// The key that paths of webhooks are made with.
    pub fn webhook_key(&self) -> Result<webhook::Key, PlatformError> {
        let remedy = "restore it from a backup, or delete it: webhooks then have new paths";
        self.kept_key("webhook.key", remedy).map(webhook::Key::new)
    }

    /// 32 random octets, made when they are asked for first.
    fn kept_key(&self, name: &str, remedy: &str) -> Result<[u8; 32], PlatformError> {
        let path = self.root.join(name);
        if let Some(bytes) = read(&path)? {
            return bytes.as_slice().try_into().map_err(|_| PlatformError::Damaged {
                path: path.display().to_string(),
                reason: format!("it must hold 32 octets; {remedy}"),
            });
        }
        let mut key = [0; 32];
        aws_lc_rs::rand::fill(&mut key).map_err(|_| PlatformError::Io {
            action: "cannot make a random key for",
            path: path.display().to_string(),
            source: io::Error::other("the system has no entropy"),
        })?;
        write(&path, &key, PRIVATE)?;
        Ok(key)
    }

    fn login_path(&self, server: &str) -> PathBuf {
        self.root.join("relay").join(format!("{server}.json"))
    }

    fn key_path(&self, server: &str) -> PathBuf {
        self.root.join("tls").join(format!("{server}.key"))
    }
}

impl Platform for Local {
    fn fingerprint_key(&self) -> Result<[u8; 32], PlatformError> {
        let remedy =
            "restore it from a backup, or delete it: passwords from manifests are then applied once more";
        self.kept_key("fingerprint.key", remedy)
    }

    /// A source without a cluster brings its Secrets along and forgets none.
    fn recall(&self, _wanted: &BTreeSet<(String, String)>) -> Result<Secrets, PlatformError> {
        Ok(Secrets::default())
    }

    fn dkim_keys(&self, domain: &str) -> Result<Vec<DkimKey>, PlatformError> {
        let directory = self.dkim_dir(domain);
        let mut keys = Vec::new();
        for path in list(&directory)? {
            let Some(selector) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".pem")) else {
                continue;
            };
            let algorithm =
                if selector.ends_with('e') { DkimAlgorithm::Ed25519 } else { DkimAlgorithm::Rsa2048 };
            let pem = read(&path)?.unwrap_or_default();
            let key = dkim::parse(selector.to_owned(), algorithm, &String::from_utf8_lossy(&pem)).map_err(
                |error| PlatformError::Damaged {
                    path: path.display().to_string(),
                    reason: error.to_string(),
                },
            )?;
            keys.push(key);
        }
        keys.sort_by(|a, b| a.selector.cmp(&b.selector));
        Ok(keys)
    }

    fn put_dkim_key(&self, domain: &str, key: &DkimKey) -> Result<DkimKey, PlatformError> {
        let path = self.dkim_dir(domain).join(format!("{}.pem", key.selector));
        if path.exists() {
            return Err(PlatformError::Damaged {
                path: path.display().to_string(),
                reason: "a key of this selector exists and is not replaced; delete it first if that is meant"
                    .into(),
            });
        }
        write(&path, key.private_pem.as_bytes(), PRIVATE)?;
        Ok(key.clone())
    }

    fn certificate(&self, server: &str) -> Result<Option<PemPair>, PlatformError> {
        let (certificate, key) = (read(&self.certificate_path(server))?, read(&self.key_path(server))?);
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(certificate
            .zip(key)
            .map(|(certificate, key)| PemPair { certificate: text(certificate), key: text(key) }))
    }

    fn put_certificate(&self, server: &str, pair: &PemPair) -> Result<(), PlatformError> {
        write(&self.key_path(server), pair.key.as_bytes(), PRIVATE)?;
        write(&self.certificate_path(server), pair.certificate.as_bytes(), PUBLIC)
    }

    fn request_certificate(
        &self,
        _server: &ServerDeclared,
        _issuer: &Issuer,
    ) -> Result<Issuance, PlatformError> {
        let why = "there is no cert-manager without a cluster: the server makes its own certificate; for another one \
                   set spec.tls.secretName";
        Ok(Issuance::Unavailable(why.into()))
    }

    fn release_certificate(&self, _server: &str) -> Result<(), PlatformError> {
        Ok(())
    }

    fn relay_login(&self, server: &str) -> Result<Option<RelayLogin>, PlatformError> {
        let path = self.login_path(server);
        let Some(bytes) = read(&path)? else { return Ok(None) };
        // What serde says could quote the password.
        let login = serde_json::from_slice(&bytes).map_err(|_| PlatformError::Damaged {
            path: path.display().to_string(),
            reason: "it is not a login that was written here; delete it, and the Secret is read again".into(),
        })?;
        Ok(Some(login))
    }

    fn put_relay_login(&self, server: &str, login: &RelayLogin) -> Result<(), PlatformError> {
        let path = self.login_path(server);
        let bytes =
            serde_json::to_vec(login).map_err(|error| io_error("cannot write", &path)(error.into()))?;
        write(&path, &bytes, PRIVATE)
    }

    fn forget_relay_login(&self, server: &str) -> Result<(), PlatformError> {
        remove(&self.login_path(server))
    }

    fn publish_zones(&self, _domain: &str, zones: &[Zone]) -> Result<(), PlatformError> {
        for zone in zones {
            let (path, text) = (self.zone_path(&zone.domain), zone.text());
            if read(&path)?.as_deref() != Some(text.as_bytes()) {
                write(&path, text.as_bytes(), PUBLIC)?;
            }
        }
        Ok(())
    }

    fn generated_password(
        &self,
        mailbox: &Mailbox,
        make: bool,
    ) -> Result<Option<SecretValue>, PlatformError> {
        passwords::generated(&self.root, mailbox, make)
    }

    /// Those of alias domains have files of their own, and are withdrawn one by one.
    fn published_zones(&self) -> Result<Vec<String>, PlatformError> {
        let paths = list(&self.root.join("dns"))?;
        let domain = |path: &PathBuf| Some(path.file_name()?.to_str()?.strip_suffix(".zone")?.to_owned());
        Ok(paths.iter().filter_map(domain).collect())
    }

    fn withdraw_zones(&self, domain: &str) -> Result<(), PlatformError> {
        remove(&self.zone_path(domain))
    }
}

fn remove(path: &Path) -> Result<(), PlatformError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(io_error("cannot remove", path)(source))
        }
        _ => Ok(()),
    }
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PlatformError {
    let path = path.display().to_string();
    move |source| PlatformError::Io { action, path, source }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, PlatformError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(io_error("cannot read", path)(source)),
    }
}

fn list(directory: &Path) -> Result<Vec<PathBuf>, PlatformError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(io_error("cannot list", directory)(source)),
    };
    let paths: Result<Vec<_>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    paths.map_err(io_error("cannot list", directory))
}

/// Replaces a file whole: written beside it, synced, renamed, and the directory synced, so that a crash leaves the old
/// file or the new one.
fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), PlatformError> {
    let failed = || io_error("cannot write", path);
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory).map_err(failed())?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = directory.join(format!(".{name}.new"));
    // A leftover of a crash may have another mode: `mode` below applies only to files it makes.
    let _ = fs::remove_file(&beside);
    let mut file =
        fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside).map_err(failed())?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed())?;
    fs::rename(&beside, path).map_err(failed())?;
    fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn keys_are_private_and_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let local = Local::open(&dir.path().join("data")).unwrap();
        let first = local.fingerprint_key().unwrap();
        assert_eq!(first, local.fingerprint_key().unwrap());
        assert_eq!(mode(&dir.path().join("data")), 0o700);
        assert_eq!(mode(&dir.path().join("data/fingerprint.key")), 0o600);

        let key = dkim::generate("202611e".into(), DkimAlgorithm::Ed25519).unwrap();
        local.put_dkim_key("example.test", &key).unwrap();
        assert!(local.put_dkim_key("example.test", &key).is_err(), "a published key is never replaced");
        let read = local.dkim_keys("example.test").unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].public, key.public);
        assert_eq!(mode(&local.dkim_dir("example.test").join("202611e.pem")), 0o600);
    }

    #[test]
    fn logins_at_smarthosts_are_private() {
        let dir = tempfile::tempdir().unwrap();
        let local = Local::open(dir.path()).unwrap();
        let [host, secret, username, password] = ["h", "d/s", "u", "hush"].map(str::to_owned);
        let login = RelayLogin { host, secret, username, password };
        local.put_relay_login("mail", &login).unwrap();
        assert_eq!(local.relay_login("mail").unwrap().as_ref(), Some(&login));
        let path = dir.path().join("relay/mail.json");
        assert_eq!(mode(&path), 0o600);
        fs::write(&path, r#"{"password": "hush", "host": 5}"#).unwrap();
        let error = local.relay_login("mail").unwrap_err().to_string();
        assert!(error.contains("mail.json") && !error.contains("hush"), "{error}");
        local.forget_relay_login("mail").unwrap();
        local.forget_relay_login("mail").unwrap();
        assert_eq!(local.relay_login("mail").unwrap(), None);
    }

    #[test]
    fn a_damaged_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let local = Local::open(dir.path()).unwrap();
        fs::write(dir.path().join("fingerprint.key"), "short").unwrap();
        assert!(local.fingerprint_key().unwrap_err().to_string().contains("fingerprint.key"));
        let paths = local.webhook_key().unwrap();
        assert_eq!(paths, local.webhook_key().unwrap());
        fs::create_dir_all(local.dkim_dir("example.test")).unwrap();
        fs::write(local.dkim_dir("example.test").join("1e.pem"), "x").unwrap();
        assert!(local.dkim_keys("example.test").unwrap_err().to_string().contains("1e.pem"));
    }

    #[test]
    fn zones_are_written_when_they_change_and_withdrawn() {
        let dir = tempfile::tempdir().unwrap();
        let local = Local::open(dir.path()).unwrap();
        let zone =
            |records| [Zone { domain: "example.test".into(), of: String::new(), records, keys: vec![] }];
        let record = serde_json::from_value(serde_json::json!({
            "name": "example.test", "type": "MX", "value": "10 mail.example.test.", "ttl": 3600,
            "purpose": "mail", "requirement": "Required",
        }));
        let (none, one) = (zone(vec![]), zone(vec![record.unwrap()]));
        let place = local.zone_path("example.test");
        local.publish_zones("example.test", &none).unwrap();
        let before = fs::metadata(&place).unwrap().modified().unwrap();
        local.publish_zones("example.test", &none).unwrap();
        assert_eq!(fs::metadata(&place).unwrap().modified().unwrap(), before);
        local.publish_zones("example.test", &one).unwrap();
        assert_eq!(fs::read_to_string(&place).unwrap(), one[0].text());
        assert_eq!(local.published_zones().unwrap(), ["example.test"]);
        local.withdraw_zones("example.test").unwrap();
        local.withdraw_zones("example.test").unwrap();
        assert!(!place.exists());
    }

    #[test]
    fn a_leftover_of_a_crash_does_not_weaken_the_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        fs::write(dir.path().join(".secret.new"), "half").unwrap();
        write(&path, b"whole", PRIVATE).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(mode(&path), 0o600);
    }
}
