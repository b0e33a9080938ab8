//! A real forge on a free port of 127.0.0.1: Gitea, built from `tests/forge`, with its own database and repositories in a
//! temporary directory, gone when the test ends. Git goes over HTTP, everything else over its API, by curl.

use super::{PATIENCE, free_port, root, skip, wait_for};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The password of everybody at this forge.
const PASSWORD: &str = "correct-horse-battery";

/// A running forge.
pub struct Gitea {
    home: TempDir,
    port: u16,
    child: Child,
    /// The token of alice, who administers it.
    pub token: String,
}

impl Drop for Gitea {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Gitea {
    /// A forge with one person, alice. `None`, and said so, where it is not built.
    ///
    /// # Panics
    /// Under `CI=true` where it is not built, and when it does not start.
    pub fn start() -> Option<Gitea> {
        let chosen = std::env::var_os("MAILWRIGHT_FORGE_BIN").map(PathBuf::from);
        let place = chosen.unwrap_or_else(|| root().join("target/forge"));
        if !place.join("gitea").exists() {
            skip("Gitea not built (cargo xtask test --only install)");
            return None;
        }
        let place = place.canonicalize().expect("the place of the forge");
        let (home, port) = (TempDir::new().expect("a temporary directory"), free_port());
        std::fs::write(home.path().join("app.ini"), settings(home.path(), &place, port))
            .expect("its settings");
        let run = |arguments: &[&str]| {
            let output = command(&place, home.path()).args(arguments).output().expect("gitea runs");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(
                output.status.success(),
                "{arguments:?}: {text}{}",
                String::from_utf8_lossy(&output.stderr)
            );
            text
        };
        run(&["migrate"]);
        let user = ["--username", "alice", "--email", "alice@example.test", "--password", PASSWORD];
        run(&[&["admin", "user", "create", "--admin", "--must-change-password=false"][..], &user].concat());
        let token =
            ["admin", "user", "generate-access-token", "--username", "alice", "--scopes", "all", "--raw"];
        let token = run(&token).lines().last().unwrap_or_default().trim().to_owned();
        let log = std::fs::File::create(home.path().join("log")).expect("a log");
        let mut web = command(&place, home.path());
        let child =
            web.arg("web").stdout(log.try_clone().expect("a log")).stderr(log).spawn().expect("gitea runs");
        let forge = Gitea { home, port, child, token };
        wait_for("the forge", PATIENCE, || forge.ask("GET", "/version", None, &forge.token).ok());
        Some(forge)
    }

    /// Where its API is.
    pub fn api_url(&self) -> String {
        format!("http://127.0.0.1:{}/api/v1", self.port)
    }

    /// Where a repository is.
    pub fn url(&self, project: &str) -> String {
        format!("http://127.0.0.1:{}/{project}.git", self.port)
    }

    /// The same with alice's token, for git to push with.
    pub fn push_url(&self, project: &str) -> String {
        format!("http://alice:{}@127.0.0.1:{}/{project}.git", self.token, self.port)
    }

    /// Asks the API as alice.
    ///
    /// # Panics
    /// When it refuses.
    pub fn api(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        self.ask(method, path, body, &self.token).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Merges a pull request; the forge may still be looking whether it can be.
    ///
    /// # Panics
    /// When it refuses.
    pub fn merge(&self, project: &str, number: u64) {
        let path = format!("/repos/{project}/pulls/{number}/merge");
        wait_for("the merge", PATIENCE, || {
            match self.ask("POST", &path, Some(json!({"Do": "merge"})), &self.token) {
                Ok(_) => Some(()),
                Err(later) if later.contains("Please try again later") => None,
                Err(error) => panic!("POST {path}: {error}"),
            }
        });
    }

    /// Another person with a token of these scopes.
    ///
    /// # Panics
    /// When the forge refuses.
    pub fn person(&self, name: &str, scopes: &[&str]) -> String {
        let person = json!({"username": name, "email": format!("{name}@example.test"), "password": PASSWORD,
            "must_change_password": false});
        self.api("POST", "/admin/users", Some(person));
        let asked = json!({"name": "test", "scopes": scopes});
        let user = format!("{name}:{PASSWORD}");
        let made = self.curl("POST", &format!("/users/{name}/tokens"), Some(asked), &["--user", &user]);
        let made = made.unwrap_or_else(|error| panic!("a token for {name}: {error}"));
        made["sha1"].as_str().expect("a token").to_owned()
    }

    /// Asks the API with a token; the error is its answer.
    pub fn ask(&self, method: &str, path: &str, body: Option<Value>, token: &str) -> Result<Value, String> {
        self.curl(method, path, body, &["--header", &format!("Authorization: token {token}")])
    }

    fn curl(&self, method: &str, path: &str, body: Option<Value>, more: &[&str]) -> Result<Value, String> {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail-with-body", "--max-time", "30", "--request", method]);
        curl.args(["--header", "Content-Type: application/json"]).args(more);
        if let Some(body) = body {
            curl.args(["--data", &body.to_string()]);
        }
        let output =
            curl.arg(format!("{}{path}", self.api_url())).output().map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            return Err(format!("{text}{}", String::from_utf8_lossy(&output.stderr)));
        }
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// A working copy in a directory of its own, with nothing in it, that pushes as alice.
    pub fn working_copy(&self, project: &str) -> WorkingCopy {
        let directory = TempDir::new().expect("a temporary directory");
        let copy = WorkingCopy { directory };
        copy.git(&["init", "--quiet", "--initial-branch=main"]);
        copy.git(&["remote", "add", "origin", &self.push_url(project)]);
        copy
    }

    /// What it wrote, for a test that fails.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }
}

fn command(place: &Path, home: &Path) -> Command {
    let mut command = Command::new(place.join("gitea"));
    command.arg("--config").arg(home.join("app.ini")).arg("--work-path").arg(home);
    command.env("HOME", home).env_remove("GITEA_WORK_DIR").stdin(Stdio::null());
    command
}

/// Nothing of it reaches further than loopback, and nothing runs by itself.
fn settings(home: &Path, place: &Path, port: u16) -> String {
    let (home, place) = (home.display(), place.display());
    let user = if rustix::process::getuid().is_root() { "root".to_owned() } else { user() };
    format!(
        "RUN_USER = {user}\nRUN_MODE = prod\nI_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true\n\
         [server]\nHTTP_ADDR = 127.0.0.1\nHTTP_PORT = {port}\nROOT_URL = http://127.0.0.1:{port}/\nSTATIC_ROOT_PATH = {place}\n\
         DISABLE_SSH = true\nOFFLINE_MODE = true\nLFS_START_SERVER = false\n\
         [database]\nDB_TYPE = sqlite3\nPATH = {home}/gitea.db\n[repository]\nROOT = {home}/repositories\n\
         [security]\nINSTALL_LOCK = true\nSECRET_KEY = only-of-a-test\nINTERNAL_TOKEN = only-of-a-test\nPASSWORD_HASH_ALGO = pbkdf2_v1\n\
         [webhook]\nALLOWED_HOST_LIST = loopback\n[queue]\nTYPE = channel\n[indexer]\nISSUE_INDEXER_TYPE = db\n\
         [service]\nDISABLE_REGISTRATION = true\n[session]\nPROVIDER = memory\n[cron]\nENABLED = false\n[actions]\nENABLED = false\n\
         [log]\nMODE = console\nLEVEL = warn\n"
    )
}

fn user() -> String {
    std::env::var("USER").unwrap_or_else(|_| "nobody".to_owned())
}

/// A working copy.
pub struct WorkingCopy {
    directory: TempDir,
}

impl WorkingCopy {
    /// Its directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Runs git in it; what it printed.
    ///
    /// # Panics
    /// When git fails.
    pub fn git(&self, arguments: &[&str]) -> String {
        let mut git = Command::new("git");
        let who =
            ["-c", "user.name=alice", "-c", "user.email=alice@example.test", "-c", "commit.gpgsign=false"];
        git.args(who).args(arguments).current_dir(self.path()).env("GIT_TERMINAL_PROMPT", "0");
        let output = git.env("GIT_CONFIG_GLOBAL", "/dev/null").output().expect("git runs");
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Writes a file, commits and pushes the branch; the commit.
    ///
    /// # Panics
    /// When it cannot be pushed.
    pub fn push(&self, branch: &str, file: &str, text: &str) -> String {
        std::fs::write(self.path().join(file), text).expect("a file");
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", "a change"]);
        self.git(&["push", "--quiet", "origin", &format!("HEAD:refs/heads/{branch}")]);
        self.git(&["rev-parse", "HEAD"])
    }
}
