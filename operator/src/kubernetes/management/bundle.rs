//! The authorities as their Secret holds them. Pure: reads the data, takes the steps that were decided, gives the data back.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use k8s_openapi::ByteString;

use super::ManagementError;
use crate::authority::{self, Authorities, Step, Validity};
use crate::certificate::{self, CertificateError, PemPair};
use crate::kubernetes::secret::Found;
use crate::platform::PlatformError;

/// The end of a certificate in PEM.
const END: &str = "-----END CERTIFICATE-----\n";

/// The authorities with their keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bundle {
    signing: Option<PemPair>,
    next: Option<PemPair>,
    /// Certificates of those that signed once.
    previous: Vec<String>,
}

impl Bundle {
    /// Reads the Secret. A damaged one is an error and never replaced: what it signed would be trusted no more.
    pub fn read(found: &Found) -> Result<Self, PlatformError> {
        let text = |key| found.text(key).filter(|text| !text.is_empty()).map(str::to_owned);
        let pair = |certificate, key| {
            let (certificate, key) = (text(certificate), text(key));
            certificate.zip(key).map(|(certificate, key)| PemPair { certificate, key })
        };
        let bundle = Self {
            signing: pair("tls.crt", "tls.key"),
            next: pair("next.crt", "next.key"),
            previous: split(found.text("previous.crt").unwrap_or_default()),
        };
        let damaged = |reason: String| PlatformError::Damaged {
            path: found.name.to_string(),
            reason: format!(
                "{reason}; restore it from a backup, or delete it: a new authority is made, and pods are reached again \
                 as soon as they have its certificates"
            ),
        };
        if bundle.signing.is_none() {
            return Err(damaged("it has no tls.crt and tls.key".into()));
        }
        bundle.facts().map_err(|error| damaged(error.to_string()))?;
        Ok(bundle)
    }

    /// What [`authority::decide`] looks at.
    pub fn facts(&self) -> Result<Authorities, CertificateError> {
        let of_pair = |pair: &PemPair| certificate::inspect(pair).map(validity);
        let of_text = |text: &String| certificate::describe(text).map(validity);
        Ok(Authorities {
            signing: self.signing.as_ref().map(of_pair).transpose()?,
            next: self.next.as_ref().map(of_pair).transpose()?,
            previous: self.previous.iter().map(of_text).collect::<Result<_, _>>()?,
        })
    }

    /// The one that signs.
    pub fn signing(&self) -> Result<&PemPair, ManagementError> {
        let none = || CertificateError::Generate("there is no authority that signs".into());
        Ok(self.signing.as_ref().ok_or_else(none)?)
    }

    /// Takes the steps.
    pub fn step(mut self, steps: &[Step], now: DateTime<Utc>) -> Result<Self, CertificateError> {
        for step in steps {
            match step {
                Step::DropEnded => self.previous.retain(|text| valid(text, now)),
                Step::MakeFirst => {
                    self = Self { signing: Some(authority::make_authority(now)?), ..Self::default() };
                }
                Step::MakeNext => self.next = Some(authority::make_authority(now)?),
                Step::Promote => {
                    self.previous.extend(self.signing.take().map(|pair| pair.certificate));
                    self.previous.retain(|text| valid(text, now));
                    self.signing = self.next.take();
                }
            }
        }
        Ok(self)
    }

    /// The certificates of all that are trusted.
    pub fn trusted(&self, now: DateTime<Utc>) -> String {
        let pairs = self.signing.iter().chain(&self.next).map(|pair| &pair.certificate);
        pairs.chain(&self.previous).filter(|text| valid(text, now)).map(String::as_str).collect()
    }

    /// What its Secret is to hold.
    pub fn data(&self, now: DateTime<Utc>) -> BTreeMap<String, ByteString> {
        let mut data = BTreeMap::new();
        let mut add = |key: &str, text: &str| {
            data.insert(key.to_owned(), ByteString(text.as_bytes().to_vec()));
        };
        if let Some(pair) = &self.signing {
            add("tls.crt", &pair.certificate);
            add("tls.key", &pair.key);
        }
        // Empty rather than absent: a key that somebody else wrote too, who restored a backup, is not taken away by not naming it,
        // and a successor that stays would be promoted for ever.
        let next = self.next.as_ref();
        add("next.crt", next.map_or("", |pair| &pair.certificate));
        add("next.key", next.map_or("", |pair| &pair.key));
        add("previous.crt", &self.previous.concat());
        add("ca.crt", &self.trusted(now));
        data
    }
}

fn validity(facts: certificate::CertificateFacts) -> Validity {
    Validity { subject: facts.subject, from: facts.not_before, to: facts.not_after }
}

fn valid(text: &str, now: DateTime<Utc>) -> bool {
    certificate::describe(text).is_ok_and(|facts| facts.not_after > now)
}

/// Several certificates one after the other.
fn split(text: &str) -> Vec<String> {
    text.split_inclusive(END).filter(|text| text.contains("BEGIN CERTIFICATE")).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use chrono::{Duration, TimeZone as _};

    use super::*;
    use crate::authority::{AUTHORITY_LIFE, OVERLAP};
    use crate::kubernetes::secret::SecretName;
    use crate::source::{Secret, SecretValue};

    fn at(days: i64) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 11, 21, 12, 0, 0).unwrap() + Duration::days(days)
    }

    fn kept(data: BTreeMap<String, ByteString>) -> Found {
        let values = data.into_iter().map(|(key, value)| (key, SecretValue::new(value.0)));
        Found {
            name: SecretName::new("mailwright", "mailwright-management-ca"),
            version: "1".into(),
            uid: "u".into(),
            type_: "Opaque".into(),
            immutable: false,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            secret: Secret { values: values.collect() },
        }
    }

    /// Decides, steps, writes and reads back until nothing is to be done.
    fn settle(bundle: Bundle, now: DateTime<Utc>) -> Bundle {
        let mut bundle = bundle;
        loop {
            let steps = authority::decide(now, &bundle.facts().unwrap());
            if steps.is_empty() {
                return bundle;
            }
            bundle = Bundle::read(&kept(bundle.step(&steps, now).unwrap().data(now))).unwrap();
        }
    }

    #[test]
    fn a_rotation_goes_through_its_secret() {
        let first = settle(Bundle::default(), at(0));
        assert_eq!(first.trusted(at(0)), first.signing().unwrap().certificate);
        assert_eq!(settle(first.clone(), at(400)), first, "nothing is due");

        let due = 490;
        let both = settle(first.clone(), at(due));
        assert_eq!(both.signing().unwrap(), first.signing().unwrap(), "the successor does not sign yet");
        assert_eq!(split(&both.trusted(at(due))).len(), 2);

        let after = due + OVERLAP.num_days();
        let promoted = settle(both.clone(), at(after));
        assert_eq!(promoted.signing, both.next);
        assert_eq!(promoted.previous, [first.signing().unwrap().certificate.clone()]);
        let written = promoted.data(at(after));
        assert!(
            ["next.crt", "next.key"].iter().all(|key| written[*key].0.is_empty()),
            "no successor is left behind"
        );
        assert!(
            !String::from_utf8(promoted.data(at(after))["previous.crt"].0.clone()).unwrap().contains("KEY")
        );

        let ended = AUTHORITY_LIFE.num_days();
        let alone = settle(promoted.clone(), at(ended));
        assert_eq!((alone.signing, alone.previous), (promoted.signing, vec![]));
    }

    #[test]
    fn a_damaged_secret_is_told_and_not_replaced() {
        let good = settle(Bundle::default(), at(0));
        let other = settle(Bundle::default(), at(0));
        let mut mixed = good.data(at(0));
        mixed.insert("tls.key".into(), other.data(at(0))["tls.key"].clone());
        let mut cut = good.data(at(0));
        cut.insert("tls.crt".into(), ByteString(b"-----BEGIN CERTIFICATE-----\n".to_vec()));
        let mut without = good.data(at(0));
        without.remove("tls.key");
        for (what, data, expected) in [
            ("a key of another", mixed, "does not belong"),
            ("half a certificate", cut, "certificate is not usable"),
            ("no key", without, "has no tls.crt and tls.key"),
            ("nothing", BTreeMap::new(), "has no tls.crt and tls.key"),
        ] {
            let error = Bundle::read(&kept(data)).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("restore"), "{what}: {error}");
            assert!(!error.contains("BEGIN"), "{error}");
        }
    }
}
