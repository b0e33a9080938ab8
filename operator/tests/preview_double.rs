//! Rounds of previews against doubles of GitHub and GitLab at the HTTP edge: what is asked in which order, and what each of their
//! moods means. The answers are recorded from the documented APIs, cut down; a real Gitea is in `tests/tests/forge_previews.rs`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, Duration, TimeZone as _, Utc};
use git2::{Oid, Repository, Signature};
use mailwright_operator::preview::forge::{Api, Provider};
use mailwright_operator::preview::round::Against;
use mailwright_operator::preview::settings::Target;
use mailwright_operator::preview::{Memory, Round, Settings, Stage, Told};
use mailwright_operator::source::{Options, Reference, SecretValue, Source};
use mailwright_plan::{Catalog, Observed, Settings as PlanSettings};

const TOKEN: &str = "t0ken-of-a-double";

/// What a double answers, by the beginning of the request line: status, headers, body. The last one that fits counts.
type Script = Arc<Mutex<Vec<(String, u16, String, String)>>>;

/// A server that answers by a script and remembers what it was asked.
struct Double {
    port: u16,
    script: Script,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Double {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (script, seen): (Script, Arc<Mutex<Vec<String>>>) = Default::default();
        let (answers, log) = (Arc::clone(&script), Arc::clone(&seen));
        // Ends with the process: it waits for connections and holds nothing.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &answers, &log);
            }
        });
        Self { port, script, seen }
    }

    fn says(&self, request: &str, status: u16, headers: &str, body: &str) {
        self.script.lock().unwrap().push((request.to_owned(), status, headers.to_owned(), body.to_owned()));
    }

    fn seen(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

fn answer(stream: TcpStream, script: &Script, log: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut line, mut length, mut token) = (String::new(), 0, String::new());
    reader.read_line(&mut line).unwrap();
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header).unwrap() <= 2 {
            break;
        }
        let (name, value) = header.split_once(':').unwrap();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap(),
            "authorization" | "private-token" => {
                token = format!(" [{}: {}]", name.to_lowercase(), value.trim())
            }
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let request = line.trim().trim_end_matches(" HTTP/1.1").to_owned();
    let found =
        script.lock().unwrap().iter().rev().find(|(start, ..)| request.starts_with(start.as_str())).cloned();
    log.lock().unwrap().push(format!("{request}{token} {}", String::from_utf8_lossy(&body)));
    let (_, status, headers, body) =
        found.unwrap_or_else(|| (String::new(), 404, String::new(), "{}".to_owned()));
    let mut stream = stream;
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n",
        body.len()
    );
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}

const BASE: &str = "apiVersion: mailwright.dev/v1alpha1\nkind: MailServer\nmetadata: {name: main}\nspec: {hostname: mail.example.test}\n---\n\
    apiVersion: mailwright.dev/v1alpha1\nkind: MailDomain\nmetadata: {name: one}\nspec: {serverRef: {name: main}, domain: example.test}\n---\n";

fn mailbox(name: &str) -> String {
    format!(
        "apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata: {{name: {name}}}\nspec: {{address: {name}@example.test}}\n---\n"
    )
}

/// A bare repository with what a forge would have in it.
struct Hub {
    directory: tempfile::TempDir,
    repository: Repository,
}

impl Hub {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(directory.path()).unwrap();
        Self { directory, repository }
    }

    fn commit(&self, reference: &str, text: &str) -> String {
        let blob = self.repository.blob(text.as_bytes()).unwrap();
        let mut tree = self.repository.treebuilder(None).unwrap();
        tree.insert("mail.yaml", blob, 0o100_644).unwrap();
        let tree = self.repository.find_tree(tree.write().unwrap()).unwrap();
        let who = Signature::new("alice", "alice@example.test", &git2::Time::new(1_790_000_000, 0)).unwrap();
        let id: Oid = self.repository.commit(None, &who, &who, "a change", &tree, &[]).unwrap();
        self.repository.reference(reference, id, true, "").unwrap();
        id.to_string()
    }

    fn source(&self) -> Source {
        let path: &Path = self.directory.path();
        let options = Options { reference: Reference::Branch("main".to_owned()), ..Options::default() };
        Source::open(path.to_str().unwrap(), options).unwrap()
    }
}

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 21, 8, 0, 0).unwrap()
}

fn round(provider: Provider, hub: &Hub, double: &Double, memory: Memory) -> Round {
    let (base, pattern) = match provider {
        Provider::GitLab => ("/api/v4", "refs/merge-requests/*/head"),
        _ => ("", "refs/pull/*/head"),
    };
    let api = Api {
        provider,
        base: format!("http://127.0.0.1:{}{base}", double.port),
        project: "company/mail".to_owned(),
    };
    let settings = Settings {
        refs: vec![pattern.to_owned()],
        branch: Some("main".to_owned()),
        mark: "https://git.example.test/company/mail.git".to_owned(),
        target: Some(Target { api, token: SecretValue::new(TOKEN), comment: true, status: true }),
    };
    Round::new(settings, hub.source(), memory)
}

fn run(round: &mut Round, counter: u64, at: DateTime<Utc>) -> Told {
    let stage = Stage::new(&PlanSettings::new("standalone", at), &Catalog::new());
    let observed = Observed { change_counter: counter, ..Observed::default() };
    round.run(&Against { stage: &stage, observed: &observed, followed: "main@sha1:1f2e" }, at)
}

/// Requests without their bodies and queries.
fn brief(seen: &[String]) -> Vec<String> {
    let line = |line: &String| line.split([' ', '?']).take(2).collect::<Vec<_>>().join(" ");
    seen.iter().map(line).collect()
}

fn github(double: &Double, head: &str) {
    let pulls =
        format!("[{{\"number\": 7, \"head\": {{\"sha\": \"{head}\"}}, \"base\": {{\"ref\": \"main\"}}}}]");
    double.says("GET /repos/company/mail/pulls", 200, "", &pulls);
    double.says("GET /user", 200, "", "{\"login\": \"mailwright\"}");
    double.says("GET /repos/company/mail/issues/7/comments", 200, "", "[]");
    double.says("POST /repos/company/mail/statuses/", 201, "", "{\"id\": 1}");
    double.says("POST /repos/company/mail/issues/7/comments", 201, "", "{\"id\": 9}");
    double.says("PATCH /repos/company/mail/issues/comments/9", 200, "", "{\"id\": 9}");
}

#[test]
fn github_gets_a_status_and_one_comment() {
    let (hub, double) = (Hub::new(), Double::start());
    hub.commit("refs/heads/main", BASE);
    let head = hub.commit("refs/pull/7/head", &(BASE.to_owned() + &mailbox("alice")));
    hub.commit("refs/pull/8/head", "closed long ago");
    github(&double, &head);
    let mut round = round(Provider::GitHub, &hub, &double, Memory::default());
    let told = run(&mut round, 1, now());
    assert_eq!((told.posted.len(), told.failures), (1, Vec::<String>::new()));
    let seen = double.seen();
    let first = [
        "GET /repos/company/mail/pulls",
        &format!("POST /repos/company/mail/statuses/{head}"),
        "GET /user",
        "GET /repos/company/mail/issues/7/comments",
        "POST /repos/company/mail/issues/7/comments",
        &format!("POST /repos/company/mail/statuses/{head}"),
    ];
    assert_eq!(brief(&seen), first);
    assert!(seen.iter().all(|line| line.contains(&format!("[authorization: Bearer {TOKEN}]"))), "{seen:?}");
    assert!(
        seen[1].contains("\"state\":\"pending\"") && seen[5].contains("\"state\":\"success\""),
        "{seen:?}"
    );
    assert!(seen[5].contains("3 to create; digest ") && seen[4].contains("alice@example.test"), "{seen:?}");

    assert!(run(&mut round, 1, now() + Duration::hours(1)).posted.is_empty());
    assert_eq!(brief(&double.seen()), first[..1], "nothing new is nothing said");

    let head = hub.commit("refs/pull/7/head", &(BASE.to_owned() + &mailbox("bob")));
    github(&double, &head);
    assert_eq!(run(&mut round, 1, now() + Duration::hours(1)).posted.len(), 1);
    let seen = double.seen();
    assert_eq!(brief(&seen)[2], "PATCH /repos/company/mail/issues/comments/9", "{seen:?}");
    assert_eq!(seen.len(), 4, "{seen:?}");

    double.says("GET /repos/company/mail/pulls", 200, "", "[]");
    assert!(run(&mut round, 9, now() + Duration::hours(2)).posted.is_empty());
    assert_eq!(round.memory, Memory::default(), "what is closed is forgotten");
}

#[test]
fn gitlab_gets_the_same_in_its_words() {
    let (hub, double) = (Hub::new(), Double::start());
    hub.commit("refs/heads/main", BASE);
    let head = hub.commit("refs/merge-requests/7/head", "kind: [\n");
    let project = "/api/v4/projects/company%2Fmail";
    let pulls = format!("[{{\"iid\": 7, \"sha\": \"{head}\", \"target_branch\": \"main\"}}]");
    double.says(&format!("GET {project}/merge_requests?"), 200, "", &pulls);
    double.says("GET /api/v4/user", 200, "", "{\"username\": \"mailwright\"}");
    let mark = mailwright_operator::preview::post::mark("https://git.example.test/company/mail.git");
    let notes = serde_json::json!([
        {"id": 4, "author": {"username": "mallory"}, "body": format!("{mark}\nanybody writes this")},
        {"id": 5, "author": {"username": "mailwright"}, "body": "quoted"},
        {"id": 6, "author": {"username": "mailwright"}, "body": format!("{mark}\nours")},
    ]);
    double.says(&format!("GET {project}/merge_requests/7/notes"), 200, "", &notes.to_string());
    double.says(&format!("PUT {project}/merge_requests/7/notes/6"), 200, "", "{\"id\": 6}");
    let already = "{\"message\": \"Cannot transition status via :enqueue from :pending\"}";
    double.says(&format!("POST {project}/statuses/"), 400, "", already);
    let told = run(&mut round(Provider::GitLab, &hub, &double, Memory::default()), 1, now());
    assert_eq!((told.posted.len(), told.failures), (1, Vec::<String>::new()));
    let seen = double.seen();
    assert_eq!(
        brief(&seen)[4],
        format!("PUT {project}/merge_requests/7/notes/6"),
        "after a restart: {seen:?}"
    );
    assert!(seen[5].contains("\"state\":\"failed\"") && seen[5].contains("1 error"), "{seen:?}");
    assert!(seen.iter().all(|line| line.contains(&format!("[private-token: {TOKEN}]"))), "{seen:?}");
}

/// What the forge does, what is said of it, and how long it is left alone. The token is in none of it.
#[test]
fn a_forge_has_its_moods() {
    let elsewhere = Double::start();
    let moved = format!("Location: http://127.0.0.1:{}/pulls\r\n", elsewhere.port);
    let (hub, double) = (Hub::new(), Double::start());
    hub.commit("refs/heads/main", BASE);
    let head = hub.commit("refs/pull/7/head", BASE);
    for (request, status, headers, body, expected, wait) in [
        ("GET /repos", 302, moved.as_str(), "", "redirect, which is not followed", None),
        ("GET /repos", 401, "", TOKEN, "refuses the token (401 for GET /repos/company/mail/pulls)", None),
        ("GET /repos", 404, "", "", "knows no GET /repos/company/mail/pulls", None),
        ("GET /repos", 500, "", TOKEN, "with 500", None),
        ("GET /repos", 200, "", "{}", "something else than its API says", None),
        ("GET /repos", 429, "Retry-After: 17\r\n", "", "takes no more requests for 17 s", Some(17)),
        (
            "GET /repos",
            403,
            "X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 1\r\n",
            "",
            "no more requests for 1 s",
            Some(1),
        ),
        (
            "POST /repos/company/mail/issues",
            403,
            "Retry-After: 60\r\n",
            "",
            "no more requests for 60 s",
            Some(60),
        ),
        ("POST /repos/company/mail/statuses", 422, "", "", "with 422", None),
    ] {
        github(&double, &head);
        double.says(request, status, headers, body);
        let mut round = round(Provider::GitHub, &hub, &double, Memory::default());
        let told = run(&mut round, 1, now());
        let said = told.failures.join("; ");
        assert!(told.posted.is_empty() && said.contains(expected), "{expected}: {said}");
        assert!(!said.contains(TOKEN) && !format!("{round:?}").contains(TOKEN), "{said}");
        assert_eq!(told.wait.map(|wait| wait.as_secs()), wait, "{expected}");
    }
    assert!(elsewhere.seen().is_empty(), "a token goes nowhere else");

    let gone = Double { port: 1, ..Double::start() };
    let said = run(&mut round(Provider::GitHub, &hub, &gone, Memory::default()), 1, now()).failures.join("");
    assert!(said.contains("cannot be reached") && said.contains("tried again"), "{said}");
}

/// A comment that somebody deleted is written again; a token without a name of its own still writes one.
#[test]
fn comments_come_back() {
    let (hub, double) = (Hub::new(), Double::start());
    hub.commit("refs/heads/main", BASE);
    let head = hub.commit("refs/pull/7/head", BASE);
    github(&double, &head);
    double.says("GET /user", 403, "", "{}");
    let mut round = round(Provider::GitHub, &hub, &double, Memory::default());
    assert_eq!(run(&mut round, 1, now()).posted.len(), 1);
    double.seen();
    let head = hub.commit("refs/pull/7/head", &(BASE.to_owned() + &mailbox("alice")));
    github(&double, &head);
    double.says("PATCH /repos", 404, "", "{}");
    assert_eq!(run(&mut round, 1, now()).posted.len(), 1);
    let seen = brief(&double.seen());
    let tail = ["PATCH /repos/company/mail/issues/comments/9", "POST /repos/company/mail/issues/7/comments"];
    assert_eq!(seen[2..4], tail, "{seen:?}");
}

/// What fails at one pull request is tried again later, with a longer wait each time, and the others have their turn.
#[test]
fn one_that_fails_holds_up_no_other() {
    let (hub, double) = (Hub::new(), Double::start());
    hub.commit("refs/heads/main", BASE);
    let one = hub.commit("refs/pull/7/head", BASE);
    let two = hub.commit("refs/pull/8/head", &(BASE.to_owned() + &mailbox("alice")));
    github(&double, &one);
    let pull = |number: u32, head: &str| {
        format!(
            "{{\"number\": {number}, \"head\": {{\"sha\": \"{head}\"}}, \"base\": {{\"ref\": \"main\"}}}}"
        )
    };
    double.says("GET /repos/company/mail/pulls", 200, "", &format!("[{}, {}]", pull(7, &one), pull(8, &two)));
    double.says("GET /repos/company/mail/issues/8/comments", 200, "", "[]");
    double.says("POST /repos/company/mail/issues/8/comments", 201, "", "{\"id\": 10}");
    double.says(&format!("POST /repos/company/mail/statuses/{one}"), 500, "", "");
    let mut round = round(Provider::GitHub, &hub, &double, Memory::default());
    let told = run(&mut round, 1, now());
    assert_eq!((told.posted.len(), told.failures.len()), (1, 1));
    assert_eq!(told.posted[0].0.number, Some(8));
    double.seen();
    assert!(run(&mut round, 1, now() + Duration::seconds(29)).failures.is_empty());
    assert_eq!(brief(&double.seen()), ["GET /repos/company/mail/pulls"], "it rests");
    double.says(&format!("POST /repos/company/mail/statuses/{one}"), 201, "", "{}");
    assert_eq!(run(&mut round, 1, now() + Duration::seconds(31)).posted.len(), 1);
}
