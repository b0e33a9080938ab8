//! A Go new enough for the module: the installed one, or else the toolchain that the Go module proxy hands out as a module.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What go.mod asks for: minor and patch of Go 1.
const WANTED: (u32, u32) = (26, 0);

/// From here on Go fetches a newer toolchain by itself when go.mod asks for one.
const SELF_UPDATING: (u32, u32) = (21, 0);

/// What is fetched where there is none. Debian's own is too old to know of toolchains.
const TOOLCHAIN: &str = "1.26.8";

/// The checksum of each module's archive, by the machine's name and Go's.
const ARCHIVES: &[(&str, &str, &str)] = &[
    ("x86_64", "amd64", "30c2b1bf7dcc88d3eb0a1364e47ddd9128edb3110a30e8a0ef61cd5856b31de7"),
    ("aarch64", "arm64", "02b36b6787b3ac767668f630e2998df45a3b1f9ffee08d1bf3ef6487cd658d99"),
];

/// Where the modules come from unless GOPROXY says otherwise.
const PROXY: &str = "https://proxy.golang.org";

/// The go command to build with, fetched into `cache` where there is none.
pub fn find(cache: &Path) -> Result<PathBuf> {
    let own = cache.join(format!("go-{TOOLCHAIN}")).join("bin/go");
    let may_fetch = std::env::var("GOTOOLCHAIN").map_or(true, |value| value != "local");
    for candidate in [PathBuf::from("go"), PathBuf::from("/usr/local/go/bin/go"), own.clone()] {
        let output = Command::new(&candidate).args(["env", "GOVERSION"]).current_dir("/").output();
        let version = output.ok().and_then(|output| version(&String::from_utf8_lossy(&output.stdout)));
        if version.is_some_and(|version| version >= WANTED || (version >= SELF_UPDATING && may_fetch)) {
            return Ok(candidate);
        }
    }
    fetch(cache)?;
    Ok(own)
}

/// `go1.26.8` as minor and patch.
fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().strip_prefix("go1.")?.split(['.', '-', ' ']);
    let minor = numbers.next()?.parse().ok()?;
    Some((minor, numbers.next().and_then(|patch| patch.parse().ok()).unwrap_or(0)))
}

fn fetch(cache: &Path) -> Result<()> {
    let found = ARCHIVES.iter().find(|(machine, ..)| *machine == std::env::consts::ARCH);
    let (_, architecture, checksum) =
        found.context("no Go here and none known for this machine: install one")?;
    let name = format!("v0.0.1-go{TOOLCHAIN}.linux-{architecture}");
    let url =
        format!("{}/golang.org/toolchain/@v/{name}.zip", proxy(std::env::var("GOPROXY").ok().as_deref()));
    println!("fetching Go {TOOLCHAIN} from {url}");
    std::fs::create_dir_all(cache).with_context(|| format!("cannot make {}", cache.display()))?;
    let script = r#"
        set -eu
        cd "$1"
        rm -rf "go-$2.zip" "go-$2.part"
        curl --silent --show-error --fail --location --output "go-$2.zip" "$3"
        echo "$4  go-$2.zip" | sha256sum --check --quiet
        python3 -m zipfile -e "go-$2.zip" "go-$2.part"
        chmod -R u+x "go-$2.part"/golang.org/toolchain@*/bin "go-$2.part"/golang.org/toolchain@*/pkg/tool
        rm -rf "go-$2"
        mv "go-$2.part"/golang.org/toolchain@* "go-$2"
        rm -rf "go-$2.zip" "go-$2.part"
    "#;
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "fetch"]).arg(cache).args([TOOLCHAIN, &url, checksum]);
    let status = shell.stdin(Stdio::null()).status().context("cannot run sh")?;
    if !status.success() {
        bail!("no Go of 1.{} or newer here, and it cannot be fetched; see above", WANTED.0);
    }
    Ok(())
}

/// The first proxy of GOPROXY's list that is one.
fn proxy(list: Option<&str>) -> String {
    let mut entries = list.unwrap_or_default().split([',', '|']).map(str::trim);
    let found = entries.find(|entry| entry.starts_with("http://") || entry.starts_with("https://"));
    found.unwrap_or(PROXY).trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        for (text, expected) in [
            ("go1.26.8\n", Some((26, 8))),
            ("go1.27", Some((27, 0))),
            ("go1.26rc1", None),
            ("go1.26.1-custom", Some((26, 1))),
            ("", None),
            ("devel", None),
        ] {
            assert_eq!(version(text), expected, "{text}");
        }
    }

    #[test]
    fn the_fetched_one_is_new_enough() {
        let fetched = version(&format!("go{TOOLCHAIN}")).unwrap();
        assert!(fetched >= WANTED && WANTED >= SELF_UPDATING);
        assert!(ARCHIVES.iter().all(|(.., checksum)| checksum.len() == 64));
    }

    #[test]
    fn the_proxy_is_the_first_of_the_list() {
        for (list, expected) in [
            (None, PROXY),
            (Some("direct"), PROXY),
            (Some("off"), PROXY),
            (Some("https://proxy.example.test/go/,direct"), "https://proxy.example.test/go"),
            (Some("direct|http://127.0.0.1:3000"), "http://127.0.0.1:3000"),
        ] {
            assert_eq!(proxy(list), expected, "{list:?}");
        }
    }
}
