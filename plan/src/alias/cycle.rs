//! Which aliases come back to themselves, and how: the cycles of the graph of aliases.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// For each alias that can reach itself, the shortest way: `[a, b, a]`.
///
/// Aliases that merely lead into a loop are not in one: mending the loop mends them.
pub(super) fn find<'a>(
    aliases: &BTreeMap<&'a str, &'a [String]>,
    resolve: impl Fn(&str) -> Option<&'a str>,
) -> BTreeMap<&'a str, Vec<String>> {
    let edges: HashMap<&str, BTreeSet<&str>> = aliases
        .iter()
        .map(|(alias, targets)| (*alias, targets.iter().filter_map(|target| resolve(target)).collect()))
        .collect();
    let suspects = without_dead_ends(&edges);
    let cycles = suspects.iter().filter_map(|alias| Some((*alias, way_back(alias, &edges, &suspects)?)));
    cycles.collect()
}

/// The aliases that remain when those without a way on, or without a way to them, are taken out again and again.
/// Nearly always none, so the search behind it costs nothing.
fn without_dead_ends<'a>(edges: &HashMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let mut left: BTreeSet<&str> =
        edges.iter().filter(|(_, targets)| !targets.is_empty()).map(|(alias, _)| *alias).collect();
    loop {
        let reached: BTreeSet<&str> =
            left.iter().filter_map(|alias| edges.get(alias)).flatten().copied().collect();
        let leads_on =
            |alias: &&str| edges.get(alias).is_some_and(|to| to.iter().any(|next| left.contains(next)));
        let next: BTreeSet<&str> =
            left.iter().filter(|alias| reached.contains(*alias) && leads_on(alias)).copied().collect();
        if next.len() == left.len() {
            return left;
        }
        left = next;
    }
}

/// Breadth first from an alias until it is met again.
fn way_back<'a>(
    start: &'a str,
    edges: &HashMap<&'a str, BTreeSet<&'a str>>,
    among: &BTreeSet<&'a str>,
) -> Option<Vec<String>> {
    let mut came_from: HashMap<&str, &str> = HashMap::new();
    let mut layer = vec![start];
    while !layer.is_empty() {
        let mut next = Vec::new();
        for at in layer {
            for to in edges.get(at).into_iter().flatten().filter(|to| among.contains(*to)) {
                if *to == start {
                    return Some(path(start, at, &came_from));
                }
                if !came_from.contains_key(to) {
                    came_from.insert(to, at);
                    next.push(*to);
                }
            }
        }
        layer = next;
    }
    None
}

fn path(start: &str, end: &str, came_from: &HashMap<&str, &str>) -> Vec<String> {
    let mut path = vec![start.to_owned()];
    let mut at = end;
    while at != start {
        path.push(at.to_owned());
        at = came_from.get(at).copied().unwrap_or(start);
    }
    path.push(start.to_owned());
    path.reverse();
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(graph: &[(&str, &[&str])], expected: &[&str]) {
        let owned: Vec<(String, Vec<String>)> = graph
            .iter()
            .map(|(alias, targets)| (alias.to_string(), targets.iter().map(ToString::to_string).collect()))
            .collect();
        let aliases: BTreeMap<&str, &[String]> =
            owned.iter().map(|(alias, targets)| (alias.as_str(), targets.as_slice())).collect();
        let cycles = find(&aliases, |target| aliases.get_key_value(target).map(|(alias, _)| *alias));
        let found: Vec<String> = cycles.values().map(|cycle| cycle.join("→")).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn loops_are_found_and_printed_the_shortest_way() {
        check(&[("a", &["x"]), ("b", &["a", "y"])], &[]);
        check(&[("a", &["a"])], &["a→a"]);
        check(&[("a", &["b"]), ("b", &["a"])], &["a→b→a", "b→a→b"]);
        check(
            &[("a", &["b"]), ("b", &["c"]), ("c", &["a"]), ("d", &["a"])],
            &["a→b→c→a", "b→c→a→b", "c→a→b→c"],
        );
        check(&[("a", &["b", "c"]), ("b", &["c"]), ("c", &["a"])], &["a→c→a", "b→c→a→b", "c→a→c"]);
    }

    #[test]
    fn what_lies_between_two_loops_is_in_none() {
        check(&[("a", &["a", "m"]), ("m", &["z"]), ("z", &["z"])], &["a→a", "z→z"]);
    }

    #[test]
    fn a_long_chain_ends() {
        let names: Vec<String> = (0..2000).map(|i| format!("a{i:05}")).collect();
        let targets: Vec<Vec<String>> = (0..2000).map(|i| vec![format!("a{:05}", i + 1)]).collect();
        let aliases: BTreeMap<&str, &[String]> =
            names.iter().zip(&targets).map(|(name, targets)| (name.as_str(), targets.as_slice())).collect();
        let cycles = find(&aliases, |target| aliases.get_key_value(target).map(|(alias, _)| *alias));
        assert!(cycles.is_empty());
    }
}
