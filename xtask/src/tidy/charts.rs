//! The charts carry the version of the workspace: chart, operator, mail pods and definitions are one release.
//!
//! Leaves out what the charts render; tests/tests/cluster_charts.rs asks a real API server about that.

use crate::workspace::{Finding, Source};

/// Lines of a Chart.yaml that must name the version.
const KEYS: &[&str] = &["version", "appVersion"];

/// Charts that name another version, or none.
pub fn check(sources: &[Source]) -> Vec<Finding> {
    let charts = sources
        .iter()
        .filter(|source| source.path.starts_with("charts/") && source.path.ends_with("/Chart.yaml"));
    charts.flat_map(|chart| check_one(chart, mailwright_crds::kind::PACKAGE_VERSION)).collect()
}

fn check_one(chart: &Source, version: &str) -> Vec<Finding> {
    let named = |key: &&&str| chart.text.lines().any(|line| line == format!("{key}: {version}"));
    let missing = KEYS.iter().filter(|key| !named(key));
    missing
        .map(|key| Finding::new(&chart.path, format!("must say `{key}: {version}`, as Cargo.toml does")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_are_those_of_the_workspace() {
        for (text, expected) in [
            ("name: x\nversion: 1.2.3\nappVersion: 1.2.3\n", vec![]),
            ("version: 1.2.3\nappVersion: 1.2.4\n", vec!["appVersion"]),
            ("version: 1.2.30\n", vec!["version", "appVersion"]),
            ("", vec!["version", "appVersion"]),
        ] {
            let chart = Source { path: "charts/x/Chart.yaml".to_owned(), text: text.to_owned() };
            let expected: Vec<_> = expected
                .into_iter()
                .map(|key| {
                    Finding::new(
                        "charts/x/Chart.yaml",
                        format!("must say `{key}: 1.2.3`, as Cargo.toml does"),
                    )
                })
                .collect();
            assert_eq!(check_one(&chart, "1.2.3"), expected, "{text:?}");
        }
    }

    #[test]
    fn only_charts_are_looked_at() {
        let other = Source { path: "examples/Chart.yaml".to_owned(), text: "version: 9\n".to_owned() };
        assert_eq!(check(&[other]), []);
    }
}
