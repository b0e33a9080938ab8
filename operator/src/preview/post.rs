//! A preview in words: the comment, and the state and description of the commit status.
//!
//! The status is `success` also where a guard holds something back: approving is the followed branch's, after the merge, and a
//! check that must pass before a merge could else never be passed. It is `failure` where the pull request is wrong.

use mailwright_plan::render::{self, Page};
use mailwright_plan::{Plan, short_digest};

use super::decide::Open;
use super::forge::State;

/// What the status is called; branch protection names it.
pub const CONTEXT: &str = "mailwright/plan";

/// Characters of a description: GitHub takes 140, the others more.
const LONGEST: usize = 140;

/// What is posted of one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// How it is.
    pub state: State,
    /// In one line.
    pub description: String,
    /// The comment, with its mark.
    pub comment: String,
    /// The digest of the plan; empty where there is none.
    pub digest: String,
}

/// What is planned of a pull request.
#[derive(Debug, Clone)]
pub struct About<'a> {
    /// The pull request.
    pub open: &'a Open,
    /// The revision of the followed branch whose rules it was planned by.
    pub followed: &'a str,
    /// Where the files of the commit are shown.
    pub files: Option<String>,
    /// The mark of this repository's comments, so that two installations have one each.
    pub mark: &'a str,
}

impl Post {
    /// A plan.
    pub fn of(plan: &Plan, about: &About<'_>) -> Self {
        let wrong = plan.errors().next().is_some();
        let mut notes = vec![format!(
            "Commit {}, planned against the live state; {} is followed. Nothing of it is applied before it is there. Whether a \
             password that is declared here is another one than the one in force is not shown.",
            render::code(&about.open.commit),
            render::code(about.followed),
        )];
        if wrong {
            notes.push("What is wrong keeps its last state; everything else would be applied.".to_owned());
        }
        let page = Page { files: about.files.clone(), notes, ..Page::default() };
        Self {
            state: if wrong { State::Failure } else { State::Success },
            description: cut(&format!("{}; digest {}", render::summary(plan), short_digest(&plan.digest))),
            comment: format!("{}\n{}", mark(about.mark), render::markdown(plan, &page)),
            digest: plan.digest.clone(),
        }
    }

    /// No plan, and why. The reason is not the pull request's text, but may quote it.
    pub fn failed(why: &str, about: &About<'_>) -> Self {
        let commit = render::code(&about.open.commit);
        Self {
            state: State::Failure,
            description: cut("it cannot be planned; the comment says why"),
            comment: format!(
                "{}\n### Mail plan: none\n\nCommit {commit} cannot be planned: {}\n",
                mark(about.mark),
                render::code(why)
            ),
            digest: String::new(),
        }
    }

    /// What tells whether it says something else than another one.
    pub fn fingerprint(&self) -> String {
        let text = format!("{:?}\0{}\0{}", self.state, self.description, self.comment);
        blake3::hash(text.as_bytes()).to_hex()[..32].to_owned()
    }
}

/// What a comment of ours begins with; a reader does not see it. It makes no comment ours by itself: its author does.
pub fn mark(repository: &str) -> String {
    let digest = blake3::hash(repository.as_bytes()).to_hex();
    format!("<!-- mailwright-plan {} -->", &digest[..16])
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some(_) => text.chars().take(LONGEST - 1).chain(['…']).collect(),
    }
}
