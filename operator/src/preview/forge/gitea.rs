//! Where the API of Gitea and Forgejo is not GitHub's: the server decides how long a page is, and all comments of a pull request
//! come at once.

use super::{Api, Request};

/// What is asked for; the server may give fewer.
const LIMIT: usize = 50;

pub fn pulls(api: &Api, page: usize) -> Request {
    Request::get(format!("/repos/{}/pulls?state=open&limit={LIMIT}&page={page}", api.project))
}

pub fn comments(api: &Api, number: u64, page: usize) -> Option<Request> {
    (page == 1).then(|| Request::get(format!("/repos/{}/issues/{number}/comments", api.project)))
}
