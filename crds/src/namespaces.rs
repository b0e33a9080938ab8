//! Which namespaces may use an object: its own, all, or those with certain labels. The word is the owner's: who refers to
//! an object of another namespace is taken only when that object allows it (as routes and gateways in the Gateway API).

use std::collections::BTreeMap;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::label::{LabelKey, LabelValue};
use crate::words::{words, words_schema};

/// The label that every namespace of a cluster has, with its own name as the value.
pub const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Which namespaces may use the object.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("(self.from == 'Selector') == has(self.selector)")
    .message("selector goes with from: Selector, and from: Selector needs one"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AllowedNamespaces {
    /// From which namespaces.
    #[serde(default)]
    pub from: NamespacesFrom,
    /// The labels of the namespaces, with from: Selector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

words! {
    /// From which namespaces an object may be used.
    NamespacesFrom = Same {
        /// From its own namespace.
        Same,
        /// From every namespace.
        All,
        /// From its own namespace, and from those that the selector chooses.
        Selector,
    }
}
words_schema!(closed NamespacesFrom);

/// Chooses namespaces by their labels: all that it says must hold. One that says nothing chooses every namespace.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelSelector {
    /// Labels with exactly these values. Every namespace has the label kubernetes.io/metadata.name with its own name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub match_labels: BTreeMap<String, LabelValue>,
    /// Further requirements.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub match_expressions: Vec<LabelExpression>,
}

/// A requirement on one label.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("(self.operator in ['In', 'NotIn']) == (size(self.values) > 0)")
    .message("In and NotIn need values, Exists and DoesNotExist take none"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelExpression {
    /// The label.
    pub key: LabelKey,
    /// What must hold of it.
    pub operator: LabelOperator,
    /// The values of In and NotIn.
    #[serde(default)]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(max = 32))]
    pub values: Vec<LabelValue>,
}

words! {
    /// What must hold of a label.
    LabelOperator {
        /// It has one of the values.
        In,
        /// It has none of the values, or is not there.
        NotIn,
        /// It is there, with any value.
        Exists,
        /// It is not there.
        DoesNotExist,
    }
}
words_schema!(closed LabelOperator);

/// The labels of a namespace; one that nothing is known of has its name for a label and nothing else.
pub type Labels = BTreeMap<String, String>;

impl AllowedNamespaces {
    /// Whether objects of the namespace `user`, which has these labels, may use an object of the namespace `own`.
    pub fn allows(&self, own: &str, user: &str, labels: Option<&Labels>) -> bool {
        let selected = |selector: &LabelSelector| match labels {
            Some(labels) => selector.matches(user, labels),
            None => selector.matches(user, &Labels::new()),
        };
        user == own
            || match self.from {
                NamespacesFrom::Same => false,
                NamespacesFrom::All => true,
                NamespacesFrom::Selector => self.selector.as_ref().is_some_and(selected),
            }
    }

    /// Whether this is what holds when nothing is said.
    pub fn is_same(&self) -> bool {
        self.from == NamespacesFrom::Same
    }
}

impl LabelSelector {
    /// Whether it chooses a namespace with these labels, beside the one with its name.
    pub fn matches(&self, namespace: &str, labels: &Labels) -> bool {
        let value = |key: &str| match key {
            NAME_LABEL => Some(namespace),
            key => labels.get(key).map(String::as_str),
        };
        let equal = self.match_labels.iter().all(|(key, wanted)| value(key) == Some(wanted.as_str()));
        equal && self.match_expressions.iter().all(|it| it.holds(value(it.key.as_str())))
    }
}

impl LabelExpression {
    fn holds(&self, value: Option<&str>) -> bool {
        let listed = || value.is_some_and(|value| self.values.iter().any(|it| it.as_str() == value));
        match self.operator {
            LabelOperator::In => listed(),
            LabelOperator::NotIn => !listed(),
            LabelOperator::Exists => value.is_some(),
            LabelOperator::DoesNotExist => value.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[track_caller]
    fn check(allowed: Value, user: &str, of_user: &[(&str, &str)], expected: bool) {
        let read: AllowedNamespaces = serde_json::from_value(allowed.clone()).unwrap();
        assert_eq!(
            read.allows("mail", user, Some(&labels(of_user))),
            expected,
            "{allowed} {user} {of_user:?}"
        );
    }

    #[test]
    fn who_may_use_an_object() {
        check(json!({}), "mail", &[], true);
        check(json!({}), "shop", &[], false);
        check(json!({"from": "All"}), "shop", &[], true);
        // The own namespace is never shut out.
        check(json!({"from": "Selector", "selector": {"matchLabels": {"team": "a"}}}), "mail", &[], true);
        // A selector that says nothing chooses every namespace, as everywhere in Kubernetes.
        check(json!({"from": "Selector", "selector": {}}), "shop", &[], true);
        check(json!({"from": "Selector"}), "shop", &[("team", "a")], false);
    }

    #[test]
    fn what_a_selector_chooses() {
        let expression = |key: &str, operator: &str, values: &[&str]| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
        let name = |value: &str| json!({"matchLabels": {"kubernetes.io/metadata.name": value}});
        for (selector, of_user, expected) in [
            (json!({"matchLabels": {"team": "a"}}), &[("team", "a"), ("x", "y")][..], true),
            (json!({"matchLabels": {"team": "a"}}), &[("team", "b")], false),
            (json!({"matchLabels": {"team": ""}}), &[("team", "")], true),
            (json!({"matchLabels": {"team": ""}}), &[], false),
            (json!({"matchLabels": {"a": "1", "b": "2"}}), &[("a", "1")], false),
            (name("shop"), &[], true),
            (name("other"), &[], false),
            // What an API server says of the name is what counts, not what a document says of it.
            (name("other"), &[("kubernetes.io/metadata.name", "other")], false),
            (expression("team", "In", &["a", "b"]), &[("team", "b")], true),
            (expression("team", "In", &["a", "b"]), &[("team", "c")], false),
            (expression("team", "In", &["a"]), &[], false),
            (expression("team", "NotIn", &["a"]), &[], true),
            (expression("team", "NotIn", &["a"]), &[("team", "a")], false),
            (expression("team", "NotIn", &["a"]), &[("team", "b")], true),
            (expression("team", "Exists", &[]), &[("team", "")], true),
            (expression("team", "Exists", &[]), &[], false),
            (expression("team", "DoesNotExist", &[]), &[], true),
            (expression("team", "DoesNotExist", &[]), &[("team", "a")], false),
        ] {
            check(json!({"from": "Selector", "selector": selector}), "shop", of_user, expected);
        }
    }

    #[test]
    fn a_namespace_that_nothing_is_known_of_has_its_name_only() {
        for (selector, expected) in [
            (json!({"matchLabels": {"kubernetes.io/metadata.name": "shop"}}), true),
            (json!({"matchLabels": {"team": "a"}}), false),
            (json!({"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}), true),
        ] {
            let read: AllowedNamespaces =
                serde_json::from_value(json!({"from": "Selector", "selector": selector})).unwrap();
            assert_eq!(read.allows("mail", "shop", None), expected, "{selector}");
        }
    }
}
