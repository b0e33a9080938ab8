//! Owns the repository that is followed: a MailServer, domains, Mailboxes, Aliases, and commits on top of each other. Written
//! with `git fast-import`, since a work tree of a hundred thousand files would be most of what is measured.

use std::fmt::Write as _;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::args::Gitops;
use crate::scale::objects::HASHES;

/// Files of a directory: what people can still look at.
const FILES: usize = 500;

/// What is declared. Pure.
#[derive(Debug, Clone)]
pub struct Declared {
    mailboxes: usize,
    aliases: usize,
    domains: usize,
    per_file: usize,
}

impl Declared {
    /// As the options say; each domain has its postmaster.
    pub fn new(options: &Gitops) -> Declared {
        let domains = options.domains.max(1);
        Declared {
            mailboxes: options.mailboxes.max(domains),
            aliases: options.aliases.max(domains),
            domains,
            per_file: options.per_file.max(1),
        }
    }

    /// Mailboxes and Aliases.
    pub fn total(&self) -> usize {
        self.mailboxes + self.aliases
    }

    /// How many files they are in, and the one with the rest.
    pub fn files(&self) -> usize {
        1 + self.mailboxes.div_ceil(self.per_file) + self.aliases.div_ceil(self.per_file)
    }

    /// The MailServer and the domains.
    fn settings(&self, server: &str) -> String {
        let mut text = format!(
            "apiVersion: mailwright.dev/v1alpha1\nkind: MailServer\nmetadata: {{name: mail}}\nspec:\n{server}"
        );
        for number in 0..self.domains {
            let _ = write!(
                text,
                "---\napiVersion: mailwright.dev/v1alpha1\nkind: MailDomain\nmetadata: {{name: d{number}}}\nspec:\n  \
                 serverRef: {{name: mail}}\n  domain: {}\n",
                self.domain(number)
            );
        }
        text
    }

    fn domain(&self, number: usize) -> String {
        format!("d{}.example.test", number % self.domains)
    }

    fn mailbox(&self, number: usize, quota: &str, text: &mut String) {
        let _ = write!(
            text,
            "---\napiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata:\n  name: user{number}\nspec:\n  address: \
             user{number}@{}\n  displayName: User {number}\n  quota: {quota}\n  credentials:\n    passwordHash: \"{}\"\n",
            self.domain(number),
            HASHES[0]
        );
    }

    fn alias(&self, number: usize, text: &mut String) {
        let local = match number < self.domains {
            true => "postmaster".to_owned(),
            false => format!("list{number}"),
        };
        let target = |of: usize| {
            let number = of % self.mailboxes;
            format!("user{number}@{}", self.domain(number))
        };
        let (one, other) = (target(number), target(number * 7 + 1));
        let _ = write!(
            text,
            "---\napiVersion: mailwright.dev/v1alpha1\nkind: Alias\nmetadata:\n  name: alias{number}\nspec:\n  address: \
             {local}@{}\n  targets:\n    - {one}\n",
            self.domain(number)
        );
        if other != one {
            let _ = writeln!(text, "    - {other}");
        }
    }

    /// The file that a Mailbox is in, with this quota for those of it that `changed` chooses.
    fn mailboxes_of(&self, file: usize, quota: impl Fn(usize) -> String) -> (String, String) {
        let mut text = String::new();
        let from = file * self.per_file;
        for number in from..(from + self.per_file).min(self.mailboxes) {
            self.mailbox(number, &quota(number), &mut text);
        }
        (path("mailboxes", file), text)
    }

    fn aliases_of(&self, file: usize) -> (String, String) {
        let mut text = String::new();
        let from = file * self.per_file;
        for number in from..(from + self.per_file).min(self.aliases) {
            self.alias(number, &mut text);
        }
        (path("aliases", file), text)
    }
}

fn path(kind: &str, file: usize) -> String {
    format!("mail/{kind}/{:03}/{file:06}.yaml", file / FILES)
}

/// The quota of everybody who was not changed.
const QUOTA: &str = "2Gi";

/// A bare repository that is committed to.
#[derive(Debug)]
pub struct Repository {
    directory: PathBuf,
    declared: Declared,
    commits: usize,
}

impl Repository {
    /// Makes it, with everything declared in one commit. `server` is the MailServer's spec.
    pub fn make(directory: &Path, declared: &Declared, server: &str) -> Result<Repository> {
        let mut git = Command::new("git");
        git.args(["-C"]).arg(directory).args(["symbolic-ref", "HEAD", "refs/heads/main"]);
        succeed(&mut git)?;
        let mut repository =
            Repository { directory: directory.to_owned(), declared: declared.clone(), commits: 0 };
        let declared = declared.clone();
        repository.commit("everything", |files| {
            put(files, "mail/server.yaml", &declared.settings(server))?;
            for file in 0..declared.mailboxes.div_ceil(declared.per_file) {
                let (path, text) = declared.mailboxes_of(file, |_| QUOTA.to_owned());
                put(files, &path, &text)?;
            }
            for file in 0..declared.aliases.div_ceil(declared.per_file) {
                let (path, text) = declared.aliases_of(file);
                put(files, &path, &text)?;
            }
            Ok(())
        })?;
        Ok(repository)
    }

    /// One Mailbox gets another quota; the commit's id.
    pub fn change_line(&mut self, number: usize) -> Result<String> {
        let (number, mebi) = (number % self.declared.mailboxes, 3000 + self.commits);
        let quota = |it: usize| if it == number { format!("{mebi}Mi") } else { QUOTA.to_owned() };
        let (path, text) = self.declared.mailboxes_of(number / self.declared.per_file, quota);
        self.commit("another quota", |files| put(files, &path, &text))
    }

    /// The first `count` Mailboxes get another quota.
    pub fn change_many(&mut self, count: usize) -> Result<String> {
        let (declared, mebi) = (self.declared.clone(), 5000 + self.commits);
        let quota = |it: usize| if it < count { format!("{mebi}Mi") } else { QUOTA.to_owned() };
        self.commit("more quota", |files| {
            for file in 0..count.min(declared.mailboxes).div_ceil(declared.per_file) {
                let (path, text) = declared.mailboxes_of(file, quota);
                put(files, &path, &text)?;
            }
            Ok(())
        })
    }

    /// A file that is no manifest.
    pub fn change_nothing(&mut self) -> Result<String> {
        let text = format!("# Our mail, word {}\n", self.commits);
        self.commit("read me", |files| put(files, "README.md", &text))
    }

    fn commit(&mut self, subject: &str, files: impl FnOnce(&mut Input) -> Result<()>) -> Result<String> {
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.directory).args(["fast-import", "--quiet", "--date-format=now"]);
        let mut import = command.stdin(Stdio::piped()).spawn().context("git fast-import")?;
        let mut input = BufWriter::new(import.stdin.take().context("the input of git fast-import")?);
        writeln!(input, "commit refs/heads/main\ncommitter alice <alice@example.test> now")?;
        writeln!(input, "data {}\n{subject}", subject.len())?;
        if self.commits > 0 {
            writeln!(input, "from refs/heads/main^0")?;
        }
        files(&mut input)?;
        input.flush()?;
        drop(input);
        if !import.wait()?.success() {
            bail!("git fast-import failed");
        }
        self.commits += 1;
        let head =
            std::fs::read_to_string(self.directory.join("refs/heads/main")).context("refs/heads/main")?;
        Ok(head.trim().to_owned())
    }
}

type Input = BufWriter<ChildStdin>;

fn put(input: &mut Input, path: &str, text: &str) -> Result<()> {
    writeln!(input, "M 100644 inline {path}\ndata {}\n{text}", text.len())?;
    Ok(())
}

fn succeed(command: &mut Command) -> Result<()> {
    match command.status().context("git")?.success() {
        true => Ok(()),
        false => bail!("{command:?} failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(per_file: usize) -> Declared {
        Declared { mailboxes: 25, aliases: 5, domains: 2, per_file }
    }

    #[test]
    fn every_object_is_in_one_file() {
        for (per_file, files) in [(1, 31), (10, 5), (100, 3)] {
            let declared = declared(per_file);
            assert_eq!(declared.files(), files);
            let mut text = String::new();
            for file in 0..declared.mailboxes.div_ceil(per_file) {
                text.push_str(&declared.mailboxes_of(file, |_| QUOTA.to_owned()).1);
            }
            for file in 0..declared.aliases.div_ceil(per_file) {
                text.push_str(&declared.aliases_of(file).1);
            }
            assert_eq!(text.matches("kind: Mailbox").count(), 25);
            assert_eq!(text.matches("kind: Alias").count(), 5);
            assert_eq!(text.matches("address: postmaster@").count(), 2);
        }
    }

    #[test]
    fn a_changed_line_is_one_line() {
        let declared = declared(10);
        let (path, before) = declared.mailboxes_of(1, |_| QUOTA.to_owned());
        let (_, after) =
            declared.mailboxes_of(1, |it| if it == 12 { "3Gi".to_owned() } else { QUOTA.to_owned() });
        assert_eq!(path, "mail/mailboxes/000/000001.yaml");
        let differing = before.lines().zip(after.lines()).filter(|(one, other)| one != other).count();
        assert_eq!((differing, before.lines().count()), (1, after.lines().count()));
    }
}
