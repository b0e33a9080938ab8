//! Exact requests to each forge, and what its answers mean. The answers are recorded: cut down to what is read and a few fields
//! around it.

use serde_json::json;

use super::*;

const GITHUB: (Provider, &str, &str) = (Provider::GitHub, "https://api.github.com", "company/mail");
const GITLAB: (Provider, &str, &str) = (Provider::GitLab, "https://gitlab.com/api/v4", "company/sub/mail");
const GITEA: (Provider, &str, &str) = (Provider::Gitea, "https://git.example.test/api/v1", "company/mail");

fn api((provider, base, project): (Provider, &str, &str)) -> Api {
    Api { provider, base: base.to_owned(), project: project.to_owned() }
}

fn line(request: &Request) -> String {
    let body = request.body.as_ref().map(|body| format!(" {body}")).unwrap_or_default();
    format!("{} {}{body}", request.method, request.path)
}

#[test]
fn requests_are_exactly_these() {
    for (which, expected) in [
        (
            GITHUB,
            [
                "GET /repos/company/mail/pulls?state=open&base=release%2F1&per_page=100&page=2",
                r#"POST /repos/company/mail/statuses/1f2e {"state":"failure","context":"mailwright/plan","description":"3 to create"}"#,
                "GET /repos/company/mail/issues/7/comments?per_page=100&page=1",
                r#"POST /repos/company/mail/issues/7/comments {"body":"text"}"#,
                r#"PATCH /repos/company/mail/issues/comments/9 {"body":"text"}"#,
            ],
        ),
        (
            GITLAB,
            [
                "GET /projects/company%2Fsub%2Fmail/merge_requests?state=opened&target_branch=release%2F1&per_page=100&page=2",
                r#"POST /projects/company%2Fsub%2Fmail/statuses/1f2e {"state":"failed","name":"mailwright/plan","description":"3 to create"}"#,
                "GET /projects/company%2Fsub%2Fmail/merge_requests/7/notes?sort=asc&order_by=created_at&per_page=100&page=1",
                r#"POST /projects/company%2Fsub%2Fmail/merge_requests/7/notes {"body":"text"}"#,
                r#"PUT /projects/company%2Fsub%2Fmail/merge_requests/7/notes/9 {"body":"text"}"#,
            ],
        ),
        (
            GITEA,
            [
                "GET /repos/company/mail/pulls?state=open&limit=50&page=2",
                r#"POST /repos/company/mail/statuses/1f2e {"state":"failure","context":"mailwright/plan","description":"3 to create"}"#,
                "GET /repos/company/mail/issues/7/comments",
                r#"POST /repos/company/mail/issues/7/comments {"body":"text"}"#,
                r#"PATCH /repos/company/mail/issues/comments/9 {"body":"text"}"#,
            ],
        ),
    ] {
        let api = api(which);
        let requests = [
            api.pulls(Some("release/1"), 2),
            api.set_status("1f2e", State::Failure, "3 to create"),
            api.comments(7, 1).unwrap(),
            api.create_comment(7, "text"),
            api.edit_comment(7, 9, "text"),
        ];
        assert_eq!(requests.each_ref().map(line), expected, "{which:?}");
        assert_eq!(line(&api.me()), "GET /user");
    }
    assert!(api(GITEA).comments(7, 2).is_none(), "all come at once");
}

#[test]
fn states_have_each_forges_words() {
    for (which, words) in [
        (GITHUB, ["pending", "success", "failure"]),
        (GITLAB, ["pending", "success", "failed"]),
        (GITEA, ["pending", "success", "failure"]),
    ] {
        for (state, word) in [State::Pending, State::Success, State::Failure].into_iter().zip(words) {
            assert_eq!(api(which).set_status("1f2e", state, "").body.unwrap()["state"], word);
        }
    }
}

#[test]
fn the_token_is_in_one_header_of_each() {
    for (which, name, value) in [
        (GITHUB, "Authorization", "Bearer t"),
        (GITLAB, "PRIVATE-TOKEN", "t"),
        (GITEA, "Authorization", "token t"),
    ] {
        assert_eq!(api(which).headers("t")[0], (name, value.to_owned()));
    }
}

#[test]
fn answers_are_read() {
    let pull = Pull { number: 7, head: "1f2e".to_owned(), base: "main".to_owned() };
    let comment = Comment { id: 9, author: "mailwright".to_owned(), body: "text".to_owned() };
    let github_pull = json!({"id": 1, "number": 7, "state": "open", "head": {"ref": "x", "sha": "1f2e", "repo": null}, "base": {"ref": "main"}});
    let github_comment = json!({"id": 9, "user": {"login": "mailwright", "type": "Bot"}, "body": "text"});
    let gitlab_pull = json!({"id": 1, "iid": 7, "state": "opened", "sha": "1f2e", "source_branch": "x", "target_branch": "main"});
    let gitlab_comment =
        json!({"id": 9, "system": false, "author": {"id": 1, "username": "mailwright"}, "body": "text"});
    for (which, pull_value, comment_value, me) in [
        (GITHUB, &github_pull, &github_comment, json!({"login": "mailwright"})),
        (GITEA, &github_pull, &github_comment, json!({"login": "mailwright", "username": "other"})),
        (GITLAB, &gitlab_pull, &gitlab_comment, json!({"username": "mailwright"})),
    ] {
        let api = api(which);
        assert_eq!(api.read_pull(pull_value).as_ref(), Some(&pull));
        assert_eq!(api.read_comment(comment_value).as_ref(), Some(&comment));
        assert_eq!(api.read_me(&me).as_deref(), Some("mailwright"));
        for strange in [json!(null), json!([]), json!({"id": "9", "iid": -1, "number": 1.5})] {
            assert_eq!((api.read_pull(&strange), api.read_comment(&strange)), (None, None), "{strange}");
        }
    }
}

#[test]
fn what_an_answer_means() {
    let api = api(GITEA);
    let request = api.create_comment(7, "secret text");
    let say = |status, wait: Option<u64>, body: &str| {
        let answer = Answer { status, wait: wait.map(Duration::from_secs), body: body.as_bytes().to_vec() };
        api.judge(&request, &answer).map(|value| value.to_string()).unwrap_or_else(|error| error.to_string())
    };
    for (status, wait, body, expected) in [
        (201, None, "{\"id\": 9}", "{\"id\":9}"),
        (200, None, "<html>", "something else than its API says; check previews.provider"),
        (302, None, "", "redirect, which is not followed with a token"),
        (401, None, "", "refuses the token (401 for POST /repos/company/mail/issues/7/comments)"),
        (403, None, "", "refuses the token (403"),
        (403, Some(30), "", "takes no more requests for 30 s"),
        (429, None, "", "takes no more requests for 60 s"),
        (429, Some(0), "", "takes no more requests for 1 s"),
        (429, Some(999_999), "", "takes no more requests for 7200 s"),
        (503, Some(5), "", "takes no more requests for 5 s"),
        (503, None, "", "with 503"),
        (404, None, "", "knows no POST /repos/company/mail/issues/7/comments, or the token may not see it"),
        (422, None, "secret text", "refused POST /repos/company/mail/issues/7/comments with 422"),
    ] {
        let said = say(status, wait, body);
        assert!(said.contains(expected), "{status} {wait:?}: {said}");
        assert!(!said.contains("secret text"), "{said}");
    }
}

#[test]
fn files_are_where_people_see_them() {
    for (which, expected) in [
        (GITHUB, "https://github.com/company/mail/blob/1f2e"),
        (
            (Provider::GitHub, "https://git.example.test/api/v3", "company/mail"),
            "https://git.example.test/company/mail/blob/1f2e",
        ),
        (GITLAB, "https://gitlab.com/company/sub/mail/-/blob/1f2e"),
        (GITEA, "https://git.example.test/company/mail/src/commit/1f2e"),
    ] {
        assert_eq!(api(which).files("1f2e"), expected);
    }
}
