//! The file that tells how a repository is followed where there is no cluster: one MailRepository and the Secrets that it
//! names. It leaves out following ([`crate::repository`]). The file is its owner's and not the repository's: who can push does
//! not guard himself.

use std::fmt;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use mailwright_crds::{API_VERSION, DEFAULT_NAMESPACE, Kind, MailRepository, check_repository};

use super::super::object::Content;
use super::super::yaml::{self, Document, Fault, MAX_FILE_BYTES, Node};
use super::super::{Problem, Severity};
use super::{FileContents, Metadata, Reader, resource};
use crate::secrets::Secrets;

/// A repository to follow, and the Secrets for it.
#[derive(Debug, Clone)]
pub struct Config {
    /// How the repository is followed.
    pub repository: MailRepository,
    /// The Secrets of the file.
    pub secrets: Secrets,
}

/// Why a file is not such a configuration. Nothing is followed then.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{path} cannot be read ({reason}); --config names a file with a MailRepository")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        reason: String,
    },
    /// It is longer than any such file.
    #[error(
        "{0} is longer than {MAX_FILE_BYTES} bytes; --config names a file with a MailRepository and its Secrets"
    )]
    TooLong(PathBuf),
    /// There is something wrong in it.
    #[error("{}", Listed(.0))]
    Wrong(Vec<Problem>),
    /// It does not hold exactly one MailRepository.
    #[error(
        "{path} holds {count} MailRepositories; write exactly one, as docs/resources/mailrepository.md shows"
    )]
    Count {
        /// The file.
        path: PathBuf,
        /// How many.
        count: usize,
    },
    /// It holds something else.
    #[error("{path}:{line}: {object} is no part of how a repository is followed; put it into the repository")]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Where.
        line: u32,
        /// What.
        object: String,
    },
}

/// Problems, a line each.
struct Listed<'a>(&'a [Problem]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl Config {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        let unreadable = |error: std::io::Error| ConfigError::Unreadable {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let mut bytes = Vec::new();
        let file = fs::File::open(path).map_err(unreadable)?;
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(ConfigError::TooLong(path.to_owned()));
        }
        Config::parse(path, &bytes)
    }

    /// Takes the text apart; `path` is only shown.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Config, ConfigError> {
        let shown = path.display().to_string();
        let (mut repositories, contents) = documents(&shown, bytes);
        let wrong: Vec<Problem> =
            contents.problems.into_iter().filter(|problem| problem.severity == Severity::Error).collect();
        if !wrong.is_empty() {
            return Err(ConfigError::Wrong(wrong));
        }
        let mut secrets = Secrets::default();
        for object in &contents.objects {
            match &object.content {
                Content::Secret(secret) => {
                    secrets.insert(&object.reference.namespace, &object.reference.name, secret.clone());
                }
                _ => {
                    return Err(ConfigError::Foreign {
                        path: path.to_owned(),
                        line: object.origin.line,
                        object: object.reference.to_string(),
                    });
                }
            }
        }
        match (repositories.pop(), repositories.len()) {
            (Some(repository), 0) => Ok(Config { repository, secrets }),
            (found, others) => Err(ConfigError::Count {
                path: path.to_owned(),
                count: others + usize::from(found.is_some()),
            }),
        }
    }
}

fn documents(file: &str, bytes: &[u8]) -> (Vec<MailRepository>, FileContents) {
    let mut reader = Reader::new(DEFAULT_NAMESPACE, file);
    let mut repositories = Vec::new();
    match yaml::parse(bytes) {
        Ok(documents) => {
            for document in documents {
                match document {
                    Document { root: Some(root), faults } if is_repository(&root) => {
                        repositories.extend(repository(&mut reader, &root, faults));
                    }
                    mut document => reader.document(&mut document),
                }
            }
        }
        Err(fault) => reader.faults(vec![fault], None),
    }
    (repositories, reader.finish(bytes))
}

fn is_repository(node: &Node) -> bool {
    let is = |key: &str, text: &str| node.get(key).and_then(Node::as_str) == Some(text);
    is("kind", Kind::MailRepository.as_str()) && is("apiVersion", API_VERSION)
}

/// One MailRepository; what is wrong is told by the reader.
fn repository(reader: &mut Reader<'_>, node: &Node, faults: Vec<Fault>) -> Option<MailRepository> {
    let (metadata, mut findings) = Metadata::read(node, DEFAULT_NAMESPACE);
    let mut manifest = node.to_json();
    if let (Some(fields), Some(metadata)) = (manifest.as_object_mut(), metadata) {
        fields.insert("metadata".to_owned(), metadata.json);
    }
    let read = check_repository(&manifest);
    // Without a name the metadata has been told already.
    let violations =
        read.as_ref().err().into_iter().flatten().filter(|it| !it.field().starts_with("metadata"));
    findings.extend(violations.map(|violation| resource::finding(node, violation.clone())));
    reader.faults(faults, None);
    reader.findings(node, findings, None);
    read.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPOSITORY: &str = "apiVersion: mailwright.dev/v1alpha1\nkind: MailRepository\nmetadata: {name: company, namespace: mail}\n\
        spec:\n  url: https://git.example.test/mail.git\n  interval: 30s\n";
    const SECRET: &str = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: git, namespace: mail}\nstringData: {password: hunter2}\n";

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(Path::new("mailwright.yaml"), text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_repository_and_its_secrets() {
        let config = parse(&format!("{REPOSITORY}{SECRET}")).unwrap();
        assert_eq!(config.repository.metadata.name.as_deref(), Some("company"));
        assert_eq!(config.repository.spec.interval.as_secs(), 30);
        assert_eq!(config.repository.spec.guards.max_removed, 20);
        assert_eq!(config.secrets.value("mail", "git", "password").unwrap().expose(), b"hunter2");
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let mailbox = "---\napiVersion: mailwright.dev/v1alpha1\nkind: Mailbox\nmetadata: {name: a}\nspec: {address: a@example.test}\n";
        for (text, expected) in [
            (String::new(), "mailwright.yaml holds 0 MailRepositories; write exactly one"),
            (SECRET.to_owned(), "mailwright.yaml holds 0 MailRepositories; write exactly one"),
            (
                format!("{REPOSITORY}---\n{REPOSITORY}---\n{REPOSITORY}"),
                "mailwright.yaml holds 3 MailRepositories; write exactly one",
            ),
            (
                format!("{REPOSITORY}{mailbox}"),
                "mailwright.yaml:8: Mailbox default/a is no part of how a repository is followed",
            ),
            (
                REPOSITORY.replace("30s", "3s"),
                "mailwright.yaml:6:13: spec.interval: interval must be at least 5s and at most 24h",
            ),
            (
                REPOSITORY.replace("interval", "intervall"),
                "mailwright.yaml:6:3: spec.intervall: unknown field; did you mean interval?",
            ),
            (REPOSITORY.replace("name: company, ", ""), "mailwright.yaml:3:1: metadata.name: is missing"),
            (REPOSITORY.replace("  url:", "\turl:"), "mailwright.yaml:5"),
            (
                REPOSITORY.replace("https://", "https://alice:hunter2@"),
                "mailwright.yaml:5:8: spec.url: a repository's URL holds no user, password or query (it is not shown)",
            ),
        ] {
            let error = parse(&text).unwrap_err();
            assert!(error.starts_with(expected), "{text}\n{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
        let missing = Config::read(Path::new("/nonexistent/mailwright.yaml")).unwrap_err().to_string();
        assert!(missing.contains("--config names a file"), "{missing}");
    }
}
