//! GitLab's REST API (version 4): merge requests have notes, and a project is one encoded part of a path.

use serde_json::{Value, json};

use super::super::decide::Pull;
use super::super::post::CONTEXT;
use super::github::PER_PAGE;
use super::{Api, Comment, Request, State, part};

fn project(api: &Api) -> String {
    format!("/projects/{}", part(&api.project))
}

pub fn pulls(api: &Api, branch: Option<&str>, page: usize) -> Request {
    let target = branch.map(|branch| format!("&target_branch={}", part(branch))).unwrap_or_default();
    let project = project(api);
    Request::get(format!("{project}/merge_requests?state=opened{target}&per_page={PER_PAGE}&page={page}"))
}

pub fn read_pull(value: &Value) -> Option<Pull> {
    Some(Pull {
        number: value["iid"].as_u64()?,
        head: value["sha"].as_str()?.to_owned(),
        base: value["target_branch"].as_str()?.to_owned(),
    })
}

pub fn set_status(api: &Api, commit: &str, state: State, description: &str) -> Request {
    let state = match state {
        State::Pending => "pending",
        State::Success => "success",
        State::Failure => "failed",
    };
    let body = json!({"state": state, "name": CONTEXT, "description": description});
    Request::with("POST", format!("{}/statuses/{}", project(api), part(commit)), body)
}

pub fn comments(api: &Api, number: u64, page: usize) -> Request {
    let project = project(api);
    Request::get(format!(
        "{project}/merge_requests/{number}/notes?sort=asc&order_by=created_at&per_page={PER_PAGE}&page={page}"
    ))
}

pub fn read_comment(value: &Value) -> Option<Comment> {
    Some(Comment {
        id: value["id"].as_u64()?,
        author: value["author"]["username"].as_str()?.to_owned(),
        body: value["body"].as_str()?.to_owned(),
    })
}

pub fn create_comment(api: &Api, number: u64, body: &str) -> Request {
    Request::with("POST", format!("{}/merge_requests/{number}/notes", project(api)), json!({"body": body}))
}

pub fn edit_comment(api: &Api, number: u64, note: u64, body: &str) -> Request {
    let path = format!("{}/merge_requests/{number}/notes/{note}", project(api));
    Request::with("PUT", path, json!({"body": body}))
}
