//! GitHub's REST API (version 2022-11-28), and what Gitea has taken over of it.

use serde_json::{Value, json};

use super::super::decide::Pull;
use super::super::post::CONTEXT;
use super::{Api, Comment, Request, State, part};

/// The most that GitHub and GitLab put on a page.
pub const PER_PAGE: usize = 100;

pub fn headers(token: &str) -> Vec<(&'static str, String)> {
    vec![
        ("Authorization", format!("Bearer {token}")),
        ("Accept", "application/vnd.github+json".to_owned()),
        ("X-GitHub-Api-Version", "2022-11-28".to_owned()),
    ]
}

pub fn pulls(api: &Api, branch: Option<&str>, page: usize) -> Request {
    let base = branch.map(|branch| format!("&base={}", part(branch))).unwrap_or_default();
    Request::get(format!("/repos/{}/pulls?state=open{base}&per_page={PER_PAGE}&page={page}", api.project))
}

pub fn read_pull(value: &Value) -> Option<Pull> {
    Some(Pull {
        number: value["number"].as_u64()?,
        head: value["head"]["sha"].as_str()?.to_owned(),
        base: value["base"]["ref"].as_str()?.to_owned(),
    })
}

pub fn set_status(api: &Api, commit: &str, state: State, description: &str) -> Request {
    let state = match state {
        State::Pending => "pending",
        State::Success => "success",
        State::Failure => "failure",
    };
    let body = json!({"state": state, "context": CONTEXT, "description": description});
    Request::with("POST", format!("/repos/{}/statuses/{}", api.project, part(commit)), body)
}

pub fn comments(api: &Api, number: u64, page: usize) -> Request {
    let project = &api.project;
    Request::get(format!("/repos/{project}/issues/{number}/comments?per_page={PER_PAGE}&page={page}"))
}

pub fn read_comment(value: &Value) -> Option<Comment> {
    Some(Comment {
        id: value["id"].as_u64()?,
        author: value["user"]["login"].as_str()?.to_owned(),
        body: value["body"].as_str()?.to_owned(),
    })
}

pub fn create_comment(api: &Api, number: u64, body: &str) -> Request {
    Request::with("POST", format!("/repos/{}/issues/{number}/comments", api.project), json!({"body": body}))
}

pub fn edit_comment(api: &Api, comment: u64, body: &str) -> Request {
    let path = format!("/repos/{}/issues/comments/{comment}", api.project);
    Request::with("PATCH", path, json!({"body": body}))
}
