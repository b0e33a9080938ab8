//! `mailwright` as a process: `apply` once, and `up` with a webhook that is told of every push.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::process::{Resident, Tree};

/// What is slower than that is not measured but broken.
const PATIENCE: Duration = Duration::from_secs(300);

/// How often it is looked at whether something has ended.
const LOOK: Duration = Duration::from_millis(5);

/// What the forge and the webhook's receiver know.
const TOKEN: &str = "bench-token-of-the-webhook";

/// Where everything of a run is.
#[derive(Debug, Clone)]
pub struct Place {
    /// The executable.
    pub executable: PathBuf,
    /// Its data directory.
    pub data: PathBuf,
    /// What is followed.
    pub url: String,
    /// For logs and files of options.
    pub scratch: PathBuf,
}

/// What a process cost that has ended.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// From its start to its end.
    pub wall: Duration,
    /// Seconds of processor time.
    pub cpu: f64,
    /// MiB at most.
    pub memory: f64,
}

impl Place {
    fn command(&self, name: &str, log: &str) -> Result<Command> {
        let log = File::create(self.scratch.join(log))?;
        let mut command = Command::new(&self.executable);
        command.arg(name).arg("--config").arg(self.config()?).arg("--data").arg(&self.data);
        command.stdin(Stdio::null()).stderr(log.try_clone()?).stdout(log);
        Ok(command)
    }

    /// A MailRepository: what was applied last is kept of one, and that is how it is seen that a commit was.
    fn config(&self) -> Result<PathBuf> {
        let file = self.scratch.join("mailwright.yaml");
        let text = format!(
            "apiVersion: mailwright.dev/v1alpha1\nkind: MailRepository\nmetadata: {{name: bench}}\nspec:\n  url: {}\n  path: \
             mail\n  interval: 1h\n",
            self.url
        );
        std::fs::write(&file, text)?;
        Ok(file)
    }

    fn log(&self, name: &str) -> String {
        let text = std::fs::read_to_string(self.scratch.join(name)).unwrap_or_default();
        text.lines().rev().take(20).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
    }

    /// `mailwright apply`, to its end.
    pub fn apply(&self) -> Result<Cost> {
        let log = "apply.log";
        let start = Instant::now();
        let mut child = self.command("apply", log)?.spawn()?;
        let tree = Tree::new(vec![child.id()]);
        let (mut cpu, mut memory) = (0.0, 0.0);
        let status = loop {
            // Of a process that has ended nothing is left to be read.
            cpu = tree.cpu().max(cpu);
            memory = Resident::of(child.id()).map_or(memory, |it| it.most);
            match child.try_wait()? {
                Some(status) => break status,
                None if start.elapsed() > PATIENCE => {
                    child.kill()?;
                    child.wait()?;
                    bail!("`apply` has not ended after {PATIENCE:?}\n{}", self.log(log));
                }
                None => std::thread::sleep(LOOK),
            }
        };
        if !matches!(status.code(), Some(0 | 2)) {
            bail!("`apply`: {status}\n{}", self.log(log));
        }
        Ok(Cost { wall: start.elapsed(), cpu, memory })
    }

    /// The version that it says.
    pub fn version(&self) -> Result<String> {
        let output = Command::new(&self.executable).arg("--version").output()?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

/// `mailwright up`; ends with this value.
#[derive(Debug)]
pub struct Up {
    child: Child,
    place: Place,
    webhook: String,
    address: String,
}

impl Up {
    /// Starts it and waits until it says where webhooks go: by then it serves.
    pub fn start(place: &Place) -> Result<Up> {
        let token = place.scratch.join("token");
        std::fs::write(&token, TOKEN)?;
        let log = "up.log";
        let mut command = place.command("up", log)?;
        command.args(["--bind", "127.0.0.1", "--webhook-listen", "127.0.0.1:0"]);
        command.args(["--webhook-provider", "gitlab", "--webhook-token-file"]).arg(&token);
        let mut child = command.spawn()?;
        let start = Instant::now();
        loop {
            let text = std::fs::read_to_string(place.scratch.join(log)).unwrap_or_default();
            let told = text.lines().find(|line| line.contains("Webhook to tell the forge"));
            let url = told.and_then(|line| line.split_whitespace().find(|word| word.starts_with("http://")));
            if let Some((address, path)) = url.and_then(|url| url.strip_prefix("http://")?.split_once('/')) {
                let (address, webhook) = (address.to_owned(), format!("/{path}"));
                return Ok(Up { child, place: place.clone(), webhook, address });
            }
            if child.try_wait()?.is_some() || start.elapsed() > PATIENCE {
                let _ = child.kill();
                let _ = child.wait();
                bail!("`up` does not serve\n{}", place.log(log));
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Memory.
    pub fn memory(&self) -> Result<Resident> {
        Resident::of(self.child.id()).context("`up` has ended")
    }

    /// Its processes.
    pub fn tree(&self) -> Tree {
        Tree::new(vec![self.child.id()])
    }

    /// Tells the webhook, and waits until the commit is written down as the one that was applied last.
    pub fn push(&self, commit: &str) -> Result<Duration> {
        let start = Instant::now();
        self.tell(commit)?;
        let file = self.place.data.join("repository.json");
        while start.elapsed() < PATIENCE {
            if std::fs::read_to_string(&file).is_ok_and(|text| text.contains(commit)) {
                return Ok(start.elapsed());
            }
            std::thread::sleep(LOOK);
        }
        bail!("{commit} was not applied\n{}", self.place.log("up.log"))
    }

    /// A push as GitLab tells it: the token in a header, and no word that is believed. Each has its own commit: what comes
    /// twice is taken for a replay.
    fn tell(&self, commit: &str) -> Result<()> {
        let mut stream = TcpStream::connect(&self.address).context("the webhook's receiver")?;
        let body = format!("{{\"ref\": \"refs/heads/main\", \"after\": \"{commit}\"}}");
        write!(
            stream,
            "POST {} HTTP/1.1\r\nHost: {}\r\nX-Gitlab-Event: Push Hook\r\nX-Gitlab-Token: {TOKEN}\r\nX-Gitlab-Event-UUID: {commit}\r\nContent-Type: \
             application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.webhook,
            self.address,
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        match answer.starts_with("HTTP/1.1 2") {
            true => Ok(()),
            false => bail!("the webhook was refused: {answer}"),
        }
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// MiB of the files of a directory, those of its directories left out.
pub fn size(directory: &Path) -> Result<f64> {
    let mut octets = 0;
    for entry in std::fs::read_dir(directory)? {
        let metadata = entry?.metadata()?;
        octets += if metadata.is_file() { metadata.len() } else { 0 };
    }
    Ok(octets as f64 / f64::from(1 << 20))
}
