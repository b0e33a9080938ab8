//! A policy: a rule of the house about mailboxes, aliases and domains, written as a CEL expression. One type for MailServers,
//! MailRepositories and the MailPolicy documents of a repository; compiling and judging is the planner's.

use std::collections::BTreeMap;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::kind::Kind;
use crate::label::{LabelKey, LabelValue};
use crate::name::ObjectName;
use crate::scalar::{Refusal, Scalar, quote, scalar_traits};
use crate::words::{words, words_schema};

/// The most policies of one MailServer, one MailRepository or one directory of MailPolicy documents: each is evaluated for
/// every object, and nobody reads a longer list.
pub const MAX_POLICIES: usize = 50;

/// A rule that objects must keep, as a CEL expression.
#[derive(KubeSchema, Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[x_kube(validation = Rule::new("!(has(self.message) && has(self.messageExpression))")
    .message("a policy has either a message or a messageExpression"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// What the policy is called, in messages and in tests.
    pub name: ObjectName,
    /// The kinds of objects that it judges.
    #[serde(default = "PolicyKind::every")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    #[schemars(length(min = 1, max = 3))]
    pub kinds: Vec<PolicyKind>,
    /// Only objects with all these labels are judged.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub match_labels: BTreeMap<String, LabelValue>,
    /// What must hold: a CEL expression that is true for every object that is allowed. It sees object, oldObject, domain, server
    /// and now.
    pub expression: Expression,
    /// What is said when it does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<PolicyMessage>,
    /// A CEL expression that makes the message, with the same variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_expression: Option<Expression>,
    /// What comes of an object for which it does not hold.
    #[serde(default)]
    pub action: PolicyAction,
}

words! {
    /// The kinds of objects that a policy can judge.
    PolicyKind {
        /// Accounts.
        Mailbox,
        /// Addresses that lead to others.
        Alias,
        /// Mail domains.
        MailDomain,
    }
}
words_schema!(closed PolicyKind);

impl PolicyKind {
    fn every() -> Vec<PolicyKind> {
        PolicyKind::ALL.to_vec()
    }

    /// The kind of the API.
    pub fn kind(self) -> Kind {
        match self {
            PolicyKind::Mailbox => Kind::Mailbox,
            PolicyKind::Alias => Kind::Alias,
            PolicyKind::MailDomain => Kind::MailDomain,
        }
    }
}

words! {
    /// What comes of an object for which a policy does not hold.
    PolicyAction = Deny {
        /// It is not applied; what runs stays as it is.
        Deny,
        /// It is applied, and a warning says so.
        Warn,
    }
}
words_schema!(closed PolicyAction);

impl Policy {
    /// Whether it judges an object of this kind with these labels.
    pub fn is_for(&self, kind: Kind, labels: Option<&BTreeMap<String, String>>) -> bool {
        let label = |key: &String| labels.and_then(|labels| labels.get(key)).map(String::as_str);
        self.kinds.iter().any(|it| it.kind() == kind)
            && self.match_labels.iter().all(|(key, value)| label(key) == Some(value.as_str()))
    }

    /// What no schema can say: the keys of `matchLabels` are keys of labels.
    pub fn wrong_label(&self) -> Option<Refusal> {
        self.match_labels.keys().find_map(|key| LabelKey::parse(key).err())
    }
}

/// A CEL expression, on one line or several.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Expression(String);

impl Expression {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Scalar for Expression {
    const WHAT: &'static str = "a CEL expression";
    const PATTERN: &'static str = "^[^\\x00-\\x08\\x0B-\\x1F\\x7F]+$";
    const MAX_LENGTH: u32 = 4096;
    const RULES: &'static [(&'static str, &'static str)] = &[];

    fn parse(text: &str) -> Result<Expression, Refusal> {
        check_length("an expression", text, Self::MAX_LENGTH)?;
        if text.chars().any(|c| c.is_ascii_control() && !matches!(c, '\t' | '\n')) {
            return Err(Refusal::new(format!("{} has a control character in it", quote(text)))
                .remedy("write it with spaces, tabs and line breaks only"));
        }
        Ok(Expression(text.to_owned()))
    }

    fn as_text(&self) -> &str {
        &self.0
    }
}

scalar_traits!(Expression);

/// What a policy says to people: one line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyMessage(String);

impl PolicyMessage {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Scalar for PolicyMessage {
    const WHAT: &'static str = "a message";
    const PATTERN: &'static str = "^[^\\x00-\\x1F\\x7F]*[^\\x00-\\x20\\x7F]$";
    const MAX_LENGTH: u32 = 500;
    const RULES: &'static [(&'static str, &'static str)] = &[];

    fn parse(text: &str) -> Result<PolicyMessage, Refusal> {
        check_length("a message", text, Self::MAX_LENGTH)?;
        if text.chars().any(|c| c.is_ascii_control()) || text.ends_with(' ') {
            return Err(Refusal::new(format!("{} is not one line of text", quote(text)))
                .remedy("write the message on one line, without tabs, and no space at its end"));
        }
        Ok(PolicyMessage(text.to_owned()))
    }

    fn as_text(&self) -> &str {
        &self.0
    }
}

scalar_traits!(PolicyMessage);

fn check_length(what: &str, text: &str, most: u32) -> Result<(), Refusal> {
    match text.chars().count() {
        0 => Err(Refusal::new(format!("{what} cannot be empty"))),
        length if length > most as usize => {
            Err(Refusal::new(format!("{what} has at most {most} characters, this one {length}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_policy_is_for_its_kinds_and_labels() {
        let every = json!({"name": "p", "expression": "true"});
        let contractors = json!({"name": "p", "expression": "true", "kinds": ["Mailbox"],
            "matchLabels": {"team": "contractors"}});
        for (policy, kind, of_object, expected) in [
            (&every, Kind::Mailbox, &[][..], true),
            (&every, Kind::Alias, &[], true),
            (&every, Kind::MailDomain, &[], true),
            (&every, Kind::MailServer, &[], false),
            (&contractors, Kind::Mailbox, &[("team", "contractors"), ("x", "y")], true),
            (&contractors, Kind::Mailbox, &[("team", "sales")], false),
            (&contractors, Kind::Mailbox, &[], false),
            (&contractors, Kind::Alias, &[("team", "contractors")], false),
        ] {
            let read: Policy = serde_json::from_value(policy.clone()).unwrap();
            assert_eq!(
                read.is_for(kind, Some(&labels(of_object))),
                expected,
                "{policy} {kind} {of_object:?}"
            );
        }
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        let read: Policy = serde_json::from_value(json!({"name": "p", "expression": "true"})).unwrap();
        assert_eq!((read.action, read.kinds.len()), (PolicyAction::Deny, 3));
        assert!(!read.is_for(Kind::MailServer, None) && read.wrong_label().is_none());
        let wrong =
            json!({"name": "p", "expression": "true", "matchLabels": {"no label": "x"}, "action": "Warn"});
        let read: Policy = serde_json::from_value(wrong).unwrap();
        assert!(read.wrong_label().unwrap().message.contains("no label"));
    }

    #[test]
    fn a_document_is_checked_like_an_entry() {
        let name = ObjectName::parse("quota").unwrap();
        for (spec, expected) in [
            (json!({"expression": "true"}), ""),
            (json!({"expression": "true", "kinds": ["Alias"], "message": "no", "action": "Warn"}), ""),
            (json!(null), "spec: is missing; add spec with a mapping"),
            (json!({}), "spec.expression: is missing; add expression with a CEL expression"),
            (json!({"expresion": "true", "expression": "true"}), "spec.expresion: unknown field"),
            (json!({"expression": "true", "name": "other"}), "spec.name: unknown field"),
            (json!({"expression": "true", "kinds": ["Mailbx"]}), "spec.kinds[0]: must be one of"),
            (json!({"expression": "true", "kinds": []}), "spec.kinds: "),
            (
                json!({"expression": "true", "message": "a", "messageExpression": "'a'"}),
                "spec: a policy has either a message or a messageExpression",
            ),
        ] {
            let found = crate::check_policy(&name, Some(&spec));
            let said = match &found {
                Ok(policy) => {
                    assert_eq!(policy.name, name);
                    String::new()
                }
                Err(wrong) => wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join(" | "),
            };
            assert!(said.starts_with(expected) && said.is_empty() == expected.is_empty(), "{spec}: {said}");
        }
    }

    #[test]
    fn texts_are_bounded() {
        let long = "x".repeat(4097);
        for (text, expression, message) in [
            ("true", true, true),
            ("a\n\t&& b", true, false),
            ("ü → 𝒳", true, true),
            ("", false, false),
            ("a\rb", false, false),
            ("a\u{0}b", false, false),
            ("ends with a space ", true, false),
            (&long[..4096], true, false),
            (&long[..501], true, false),
            (&long[..500], true, true),
            (&long, false, false),
        ] {
            assert_eq!(Expression::parse(text).is_ok(), expression, "{text:.20}");
            assert_eq!(PolicyMessage::parse(text).is_ok(), message, "{text:.20}");
            let matches = |pattern: &str, most: u32| {
                regex::Regex::new(pattern).unwrap().is_match(text) && text.chars().count() <= most as usize
            };
            assert_eq!(matches(Expression::PATTERN, Expression::MAX_LENGTH), expression, "{text:.20}");
            assert_eq!(matches(PolicyMessage::PATTERN, PolicyMessage::MAX_LENGTH), message, "{text:.20}");
        }
    }
}
