//! A certificate authority of the tests, and certificates that are right or wrong in one respect.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use crate::management::{ManagementCertificates, OPERATOR};

/// Signs.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// What a certificate says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leaf<'a> {
    pub(crate) common: Option<&'a str>,
    pub(crate) names: &'a [&'a str],
    pub(crate) client: bool,
    pub(crate) expired: bool,
}

impl Leaf<'_> {
    /// The operator's.
    pub(crate) fn client() -> Leaf<'static> {
        Leaf { common: Some(OPERATOR), names: &[], client: true, expired: false }
    }

    /// A pod's, of this name.
    pub(crate) fn server(name: &'static str) -> Leaf<'static> {
        let names = match name {
            "mail-headless" => &["mail-headless"] as &[&str],
            _ => &["localhost"],
        };
        Leaf { common: None, names, client: false, expired: false }
    }
}

impl Authority {
    pub(crate) fn new() -> Authority {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        parameters.distinguished_name.push(DnType::CommonName, "test authority");
        let key = KeyPair::generate().unwrap();
        Authority { issuer: CertifiedIssuer::self_signed(parameters, key).unwrap() }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    pub(crate) fn issue(&self, leaf: &Leaf<'_>) -> ManagementCertificates {
        let names: Vec<String> = leaf.names.iter().map(|name| (*name).to_owned()).collect();
        let mut parameters = CertificateParams::new(names).unwrap();
        parameters.distinguished_name = Default::default();
        if let Some(common) = leaf.common {
            parameters.distinguished_name.push(DnType::CommonName, common);
        }
        parameters.extended_key_usages = vec![match leaf.client {
            true => ExtendedKeyUsagePurpose::ClientAuth,
            false => ExtendedKeyUsagePurpose::ServerAuth,
        }];
        if leaf.expired {
            parameters.not_before = date_time_ymd(2020, 1, 1);
            parameters.not_after = date_time_ymd(2021, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        ManagementCertificates {
            authority_pem: self.pem(),
            chain_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        }
    }
}
