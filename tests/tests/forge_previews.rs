//! Previews on a real forge, Gitea: a pull request gets a status and one comment, which is edited and never repeated, whoever else
//! writes beside it; what is closed is left alone; a fork is served as everybody is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use chrono::{DateTime, Duration, TimeZone as _, Utc};
use mailwright_operator::preview::forge::{Api, Provider};
use mailwright_operator::preview::round::Against;
use mailwright_operator::preview::settings::Target;
use mailwright_operator::preview::{Memory, Round, Settings, Stage, Told, post};
use mailwright_operator::source::{Credentials, HttpCredentials, Options, Reference, SecretValue, Source};
use mailwright_plan::{Catalog, Observed, Settings as PlanSettings};
use mailwright_tests::harness::{Gitea, need};
use serde_json::{Value, json};

const BASE: &str = "apiVersion: mailwright.dev/v1alpha1\nkind: MailServer\nmetadata: {name: main}\nspec: {hostname: mail.example.test}\n---\n\
    apiVersion: mailwright.dev/v1alpha1\nkind: MailDomain\nmetadata: {name: one}\nspec: {serverRef: {name: main}, domain: example.test}\n";

fn mailbox(name: &str) -> String {
    format!(
        "apiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata: {{name: {name}}}\nspec: {{address: {name}@example.test}}\n"
    )
}

fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 21, 8, 0, 0).unwrap()
}

/// A forge with a repository, and somebody to post with.
struct Scene {
    forge: Gitea,
    bot: String,
    cache: tempfile::TempDir,
}

impl Scene {
    fn new() -> Option<Scene> {
        if !need(&["git", "curl"]) {
            return None;
        }
        let forge = Gitea::start()?;
        forge.api(
            "POST",
            "/user/repos",
            Some(json!({"name": "mail", "private": true, "default_branch": "main"})),
        );
        let bot = forge.person("mailwright", &["write:repository", "write:issue", "read:user"]);
        let write = json!({"permission": "write"});
        forge.api("PUT", "/repos/alice/mail/collaborators/mailwright", Some(write));
        Some(Scene { forge, bot, cache: tempfile::tempdir().unwrap() })
    }

    fn round(&self, memory: Memory) -> Round {
        let api =
            Api { provider: Provider::Gitea, base: self.forge.api_url(), project: "alice/mail".to_owned() };
        let target = Target { api, token: SecretValue::new(self.bot.as_str()), comment: true, status: true };
        let settings = Settings {
            refs: vec!["refs/pull/*/head".to_owned()],
            branch: Some("main".to_owned()),
            mark: self.forge.url("alice/mail"),
            target: Some(target),
        };
        let credentials = HttpCredentials::Basic {
            username: "mailwright".to_owned(),
            password: SecretValue::new(self.bot.as_str()),
        };
        let options = Options {
            reference: Reference::Branch("main".to_owned()),
            cache: self.cache.path().to_owned(),
            credentials: Credentials { http: Some(credentials), ..Credentials::default() },
            ..Options::default()
        };
        let source = Source::open(&self.forge.url("alice/mail"), options).unwrap();
        Round::new(settings, source, memory)
    }

    fn pull(&self, head: &str, base: &str) -> u64 {
        let body = json!({"title": "A change", "head": head, "base": base});
        self.forge.api("POST", "/repos/alice/mail/pulls", Some(body))["number"].as_u64().unwrap()
    }

    /// Author and text of the comments.
    fn comments(&self, number: u64) -> Vec<(u64, String, String)> {
        let comments = self.forge.api("GET", &format!("/repos/alice/mail/issues/{number}/comments"), None);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let one = |it: &Value| (it["id"].as_u64().unwrap(), text(&it["user"]["login"]), text(&it["body"]));
        comments.as_array().unwrap().iter().map(one).collect()
    }

    fn status(&self, commit: &str) -> (String, String) {
        let status = self.forge.api("GET", &format!("/repos/alice/mail/commits/{commit}/status"), None);
        let one = &status["statuses"][0];
        assert_eq!((status["total_count"].as_u64(), one["context"].as_str()), (Some(1), Some(post::CONTEXT)));
        (one["status"].as_str().unwrap().to_owned(), one["description"].as_str().unwrap().to_owned())
    }
}

fn run(round: &mut Round, observed: &Observed, at: DateTime<Utc>) -> Told {
    let stage = Stage::new(&PlanSettings::new("standalone", at), &Catalog::new());
    let told = round.run(&Against { stage: &stage, observed, followed: "main@sha1:1f2e" }, at);
    assert_eq!(told.failures, Vec::<String>::new());
    told
}

#[test]
fn a_pull_request_has_one_comment_for_life() {
    let Some(scene) = Scene::new() else { return };
    let copy = scene.forge.working_copy("alice/mail");
    copy.push("main", "mail.yaml", BASE);
    copy.git(&["checkout", "--quiet", "-b", "change"]);
    let first = copy.push("change", "people.yaml", &mailbox("carol"));
    let number = scene.pull("change", "main");
    // Somebody else writes what ours looks like, before ours is there.
    let mark = post::mark(&scene.forge.url("alice/mail"));
    let false_one = json!({"body": format!("{mark}\n### Mail plan: nothing to do")});
    scene.forge.api("POST", &format!("/repos/alice/mail/issues/{number}/comments"), Some(false_one));

    let mut round = scene.round(Memory::default());
    let empty = Observed::default();
    let told = run(&mut round, &empty, now());
    assert_eq!(told.posted.len(), 1);
    let comments = scene.comments(number);
    assert_eq!((comments.len(), comments[1].1.as_str()), (2, "mailwright"), "{comments:?}");
    let (ours, text) = (comments[1].0, &comments[1].2);
    assert!(text.starts_with(&mark) && text.contains("`carol@example.test starts accepting mail`"), "{text}");
    assert!(text.contains(&format!("/alice/mail/src/commit/{first}/people.yaml#L1)")), "{text}");
    let (state, description) = scene.status(&first);
    assert!(state == "success" && description.starts_with("3 to create; digest "), "{state} {description}");

    assert!(run(&mut round, &empty, now() + Duration::hours(1)).posted.is_empty(), "nothing is news");

    // A push: another status, the same comment. What is wrong is a failure, with the place.
    let second =
        copy.push("change", "people.yaml", "kind: Mailbox\napiVersion: mailwright.dev/v1alpha1\nspec: {}\n");
    assert_eq!(run(&mut round, &empty, now() + Duration::hours(1)).posted.len(), 1);
    assert_eq!(scene.status(&second).0, "failure");
    let comments = scene.comments(number);
    assert!(
        comments.len() == 2 && comments[1].0 == ours && comments[1].2.contains("people.yaml"),
        "{comments:?}"
    );

    // A start anew knows nothing, and finds its comment by mark and author.
    let third = copy.push("change", "people.yaml", &mailbox("dave"));
    let mut round = scene.round(Memory::default());
    assert_eq!(run(&mut round, &empty, now() + Duration::hours(2)).posted.len(), 1);
    let comments = scene.comments(number);
    assert!(comments.len() == 2 && comments[1].2.contains("dave@example.test"), "{comments:?}");
    assert!(comments[0].2.ends_with("nothing to do"), "a stranger's stays a stranger's");

    // The live state moves: the same commit has another plan.
    let moved = Observed { change_counter: 1, ..state_of(&copy) };
    assert_eq!(run(&mut round, &moved, now() + Duration::hours(3)).posted.len(), 1);
    assert!(scene.status(&third).1.starts_with("1 to create; "), "{:?}", scene.status(&third));
    assert_eq!(scene.comments(number).len(), 2);

    let closed = json!({"state": "closed"});
    scene.forge.api("PATCH", &format!("/repos/alice/mail/pulls/{number}"), Some(closed));
    assert!(run(&mut round, &empty, now() + Duration::hours(4)).posted.is_empty());
    assert_eq!(round.memory, Memory::default());
}

/// What runs once `main` is applied.
fn state_of(copy: &mailwright_tests::harness::WorkingCopy) -> Observed {
    let options = Options { reference: Reference::Branch("main".to_owned()), ..Options::default() };
    let mut source = Source::open(copy.path().to_str().unwrap(), options).unwrap();
    let snapshot = source.load().unwrap().unwrap();
    let plan = Stage::new(&PlanSettings::new("standalone", now()), &Catalog::new()).plan(
        &snapshot,
        &Observed::default(),
        now(),
    );
    mailwright_plan::simulate::apply(&Observed::default(), &plan.unwrap(), now())
}

/// A stranger's fork: its manifests are text, its password guesses stay unanswered, and another base branch is not ours.
#[test]
fn a_fork_is_told_and_tells_nothing() {
    let Some(scene) = Scene::new() else { return };
    let copy = scene.forge.working_copy("alice/mail");
    let secret = |password: &str| {
        format!(
            "apiVersion: v1\nkind: Secret\nmetadata: {{name: p}}\nstringData: {{password: {password}}}\n---\n{}",
            mailbox("carol").replace("test}", "test, credentials: {secretRef: {name: p}}}")
        )
    };
    copy.push("main", "mail.yaml", BASE);
    copy.push("main", "people.yaml", &secret("the-right-one"));
    let live = Observed { change_counter: 1, ..state_of(&copy) };
    let mallory = scene.forge.person("mallory", &["write:repository", "write:issue", "read:user"]);
    let read = json!({"permission": "read"});
    scene.forge.api("PUT", "/repos/alice/mail/collaborators/mallory", Some(read));
    scene.forge.ask("POST", "/repos/alice/mail/forks", Some(json!({})), &mallory).unwrap();
    copy.git(&["checkout", "--quiet", "-b", "guess"]);
    let fork = scene
        .forge
        .push_url("mallory/mail")
        .replace(&format!("alice:{}", scene.forge.token), &format!("mallory:{mallory}"));
    copy.git(&["remote", "add", "fork", &fork]);
    let mut said = Vec::new();
    for (number, guess) in ["the-right-one", "a-wrong-one"].into_iter().enumerate() {
        std::fs::write(copy.path().join("people.yaml"), secret(guess) + "# @alice\n").unwrap();
        copy.git(&["add", "--all"]);
        copy.git(&[
            "commit",
            "--quiet",
            "--allow-empty",
            "--message",
            "Mailwright-Approve: 0123456789abcdef",
        ]);
        copy.git(&["push", "--quiet", "fork", &format!("HEAD:refs/heads/guess{number}")]);
        let body = json!({"title": "A guess", "head": format!("mallory:guess{number}"), "base": "main"});
        let pull = scene.forge.ask("POST", "/repos/alice/mail/pulls", Some(body), &mallory).unwrap();
        said.push((pull["number"].as_u64().unwrap(), guess, copy.git(&["rev-parse", "HEAD"])));
    }
    scene.forge.api(
        "POST",
        "/repos/alice/mail/branches",
        Some(json!({"new_branch_name": "other", "old_branch_name": "main"})),
    );
    let body = json!({"title": "Elsewhere", "head": "mallory:guess0", "base": "other"});
    scene.forge.ask("POST", "/repos/alice/mail/pulls", Some(body), &mallory).unwrap();

    let mut round = scene.round(Memory::default());
    assert_eq!(run(&mut round, &live, now()).posted.len(), 2, "one goes to another branch");
    let plans: Vec<String> = said
        .iter()
        .map(|(number, guess, commit)| {
            let comments = scene.comments(*number);
            assert_eq!(comments.len(), 1, "{comments:?}");
            let text = comments[0].2.clone();
            assert!(!text.contains(guess) && text.contains("### Mail plan: nothing to do"), "{text}");
            text.replace(commit, "the commit")
        })
        .collect();
    assert_eq!(plans[0], plans[1], "right and wrong guesses read alike");
}
