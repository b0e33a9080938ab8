//! Whether the pod has loaded the settings that were written for it. The kubelet brings a changed ConfigMap to the pod when it
//! gets to it, within a minute and a half; until then the server is as it was declared before. Pure.

use crate::accounts::Health;
use crate::workload::names;

/// What keeps the declared settings from being in force; `None` when they are, or when nobody can tell.
///
/// `written` is the digest of the settings that the pod is to load; `None` while the MailServer is left alone. A server that
/// says that it has no file at all is of an image that does not tell, which must not keep it from being ready.
pub(super) fn pending(server: &str, written: Option<&str>, health: Option<&Health>) -> Option<String> {
    let (written, map) = (written?, names::config_map(server));
    let Some(health) = health else {
        return Some(format!("the server has not said yet whether it has loaded the ConfigMap {map}"));
    };
    let loaded = health.config_digest.as_deref()?;
    (loaded != written).then(|| {
        format!(
            "the pod has not loaded the changed ConfigMap {map} yet; the kubelet brings it within a minute and a half"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_has_the_settings_that_were_written_or_it_is_waited_for() {
        let health = |digest: Option<&str>| {
            Some(Health { config_digest: digest.map(str::to_owned), ..Health::default() })
        };
        let loaded = "has not loaded the changed ConfigMap mail-config yet";
        let silent = "has not said yet whether it has loaded the ConfigMap mail-config";
        for (written, health, expected) in [
            (Some("new"), health(Some("new")), None),
            (Some("new"), health(Some("old")), Some(loaded)),
            // An older image.
            (Some("new"), health(None), None),
            // The first look after the operator began, when the server does not say how it is.
            (Some("new"), None, Some(silent)),
            // `reconcile: disabled`: nothing was written, so nothing is waited for.
            (None, health(Some("old")), None),
            (None, None, None),
        ] {
            let said = pending("mail", written, health.as_ref());
            let agrees = match (&said, expected) {
                (Some(said), Some(expected)) => said.contains(expected),
                (None, None) => true,
                _ => false,
            };
            assert!(agrees, "{written:?} {health:?}: {said:?}");
        }
    }
}
