//! The files of a pod's volumes, written and changed as the kubelet does: into a fresh directory, then one symbolic link is
//! replaced, so that a reader sees all of the old files or all of the new ones.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

/// The name of the link that is replaced.
const CURRENT: &str = "..data";

/// Contents by file name.
pub type Contents = BTreeMap<String, Vec<u8>>;

/// What a volume holds of a ConfigMap or Secret; `items` chooses some of its keys and renames them.
pub fn contents(object: &Value, items: &Value) -> Contents {
    let mut all = Contents::new();
    for (key, value) in object["data"].as_object().into_iter().flatten() {
        let text = value.as_str().unwrap_or_default();
        let is_secret = object["kind"] == "Secret";
        let bytes =
            if is_secret { STANDARD.decode(text).unwrap_or_default() } else { text.as_bytes().to_vec() };
        all.insert(key.clone(), bytes);
    }
    for (key, value) in object["binaryData"].as_object().into_iter().flatten() {
        all.insert(key.clone(), STANDARD.decode(value.as_str().unwrap_or_default()).unwrap_or_default());
    }
    let Some(items) = items.as_array() else { return all };
    let chosen = items.iter().filter_map(|item| {
        Some((item["path"].as_str()?.to_owned(), all.get(item["key"].as_str()?)?.clone()))
    });
    chosen.collect()
}

/// Makes `volume` hold `contents`; nothing is touched when it does already.
///
/// # Panics
/// When it cannot be written.
pub fn project(volume: &Path, contents: &Contents, mode: u32) {
    if current(volume).as_ref() == Some(contents) {
        return;
    }
    std::fs::create_dir_all(volume).expect("a volume");
    let old = std::fs::read_link(volume.join(CURRENT)).ok();
    let turn =
        old.as_ref().and_then(|old| old.to_str()?.rsplit('_').next()?.parse::<u64>().ok()).unwrap_or(0) + 1;
    let fresh = format!("..generation_{turn}");
    std::fs::create_dir_all(volume.join(&fresh)).expect("a generation");
    for (name, bytes) in contents {
        let path = volume.join(&fresh).join(name);
        std::fs::write(&path, bytes).expect("a file of a volume");
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).expect("its mode");
    }
    let next = volume.join("..data_tmp");
    let _ = std::fs::remove_file(&next);
    symlink(&fresh, &next).expect("a link");
    std::fs::rename(&next, volume.join(CURRENT)).expect("the link can be replaced");
    for name in contents.keys().filter(|name| volume.join(name).symlink_metadata().is_err()) {
        symlink(Path::new(CURRENT).join(name), volume.join(name)).expect("a link");
    }
    let gone = links(volume).into_iter().filter(|name| !contents.contains_key(name));
    gone.for_each(|name| drop(std::fs::remove_file(volume.join(name))));
    if let Some(old) = old {
        let _ = std::fs::remove_dir_all(volume.join(old));
    }
}

/// What it holds now.
fn current(volume: &Path) -> Option<Contents> {
    let entries = std::fs::read_dir(volume.join(CURRENT)).ok()?;
    let entry = |entry: std::fs::DirEntry| {
        Some((entry.file_name().into_string().ok()?, std::fs::read(entry.path()).ok()?))
    };
    entries.map(|found| entry(found.ok()?)).collect()
}

/// The files that a reader sees.
fn links(volume: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(volume).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| !name.starts_with("..")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(pairs: &[(&str, &str)]) -> Contents {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn what_an_object_holds() {
        let secret = json!({"kind": "Secret", "data": {"tls.crt": "Y2VydA==", "tls.key": "a2V5"}});
        let map = json!({"kind": "ConfigMap", "data": {"server.json": "{}"}, "binaryData": {"b": "AQI="}});
        let renamed = json!([{"key": "tls.crt", "path": "certificate"}, {"key": "absent", "path": "x"}]);
        for (object, items, expected) in [
            (&secret, &Value::Null, of(&[("tls.crt", "cert"), ("tls.key", "key")])),
            (&map, &Value::Null, of(&[("b", "\u{1}\u{2}"), ("server.json", "{}")])),
            (&secret, &renamed, of(&[("certificate", "cert")])),
        ] {
            assert_eq!(contents(object, items), expected);
        }
    }

    #[test]
    fn a_change_replaces_one_link() {
        let home = tempfile::tempdir().unwrap();
        let volume = home.path().join("config");
        let read = |name: &str| std::fs::read_to_string(volume.join(name)).ok();
        for (turn, (pairs, a, b)) in [
            (&[("a", "1"), ("b", "1")][..], Some("1"), Some("1")),
            (&[("a", "1"), ("b", "1")][..], Some("1"), Some("1")),
            (&[("a", "2")][..], Some("2"), None),
            (&[("a", "2"), ("b", "3")][..], Some("2"), Some("3")),
        ]
        .into_iter()
        .enumerate()
        {
            project(&volume, &of(pairs), 0o440);
            assert_eq!((read("a").as_deref(), read("b").as_deref()), (a, b), "turn {turn}");
            let generations = std::fs::read_dir(&volume).unwrap().flatten();
            let generations = generations.filter(|entry| entry.file_type().unwrap().is_dir()).count();
            assert_eq!(generations, 1, "turn {turn}");
        }
        assert_eq!(std::fs::read_link(volume.join(CURRENT)).unwrap(), Path::new("..generation_3"));
        assert_eq!(std::fs::metadata(volume.join("a")).unwrap().permissions().mode() & 0o777, 0o440);
    }
}
