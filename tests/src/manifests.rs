//! Random but valid manifests: a server, two or three domains, mailboxes, aliases, Secrets, spread over files in any order.
//! The postmaster and abuse addresses of each domain are always declared, because no plan may remove them.

use std::fs;
use std::path::Path;

use crate::random::Random;

const DOMAINS: [&str; 3] = ["example.test", "example.org", "example.net"];
const NAMES: [&str; 8] = ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"];

/// The form of a hash with its salt: making real ones takes longer than everything else in these tests.
fn hash(filler: &str) -> String {
    format!("{{SSHA512}}{}", filler.repeat(96))
}

/// Documents, each a whole manifest.
#[derive(Debug, Clone)]
pub struct Manifests(Vec<String>);

impl Manifests {
    /// Makes manifests up. The domains are always the same ones, so that any state can follow any other.
    pub fn random(random: &mut Random) -> Manifests {
        let mut documents = vec![
            document(
                "v1",
                "Secret",
                "passwords",
                &format!("stringData: {{password: \"{}\", other: \"{}\"}}", hash("A"), hash("B")),
            ),
            resource(
                "MailServer",
                "mail",
                &format!("{{hostname: {}}}", random.pick(&["mx.example.test", "mail.example.test"])),
            ),
        ];
        for domain in DOMAINS {
            documents.push(resource("MailDomain", domain, &domain_spec(random, domain)));
            let people: Vec<&str> = NAMES.into_iter().filter(|_| random.chance(60)).collect();
            documents.push(resource(
                "Mailbox",
                &format!("admin.{domain}"),
                &format!("{{address: admin@{domain}}}"),
            ));
            for role in ["postmaster", "abuse"] {
                let spec = format!("{{address: {role}@{domain}, targets: [admin@{domain}]}}");
                documents.push(resource("Alias", &format!("{role}.{domain}"), &spec));
            }
            for name in &people {
                documents.push(resource(
                    "Mailbox",
                    &format!("{name}.{domain}"),
                    &mailbox_spec(random, name, domain),
                ));
            }
            if !people.is_empty() && random.chance(80) {
                documents.push(resource(
                    "Alias",
                    &format!("team.{domain}"),
                    &alias_spec(random, "team", domain, &people),
                ));
            }
        }
        Manifests(documents)
    }

    /// The same declarations after an everyday edit: somebody comes, goes, or is declared differently.
    pub fn edited(&self, random: &mut Random) -> Manifests {
        let mut documents = self.0.clone();
        let (domain, name) = (random.pick(&DOMAINS), random.pick(&NAMES));
        let start = document_start("Mailbox", &format!("{name}.{domain}"));
        let place = documents.iter().position(|document| document.starts_with(&start));
        let spec = mailbox_spec(random, name, domain);
        let document = resource("Mailbox", &format!("{name}.{domain}"), &spec);
        match place {
            Some(place) if random.chance(15) => drop(documents.remove(place)),
            Some(place) => documents[place] = document,
            None => documents.push(document),
        }
        Manifests(documents)
    }

    /// The same declarations in another order.
    pub fn shuffled(&self, random: &mut Random) -> Manifests {
        let mut documents = self.0.clone();
        random.shuffle(&mut documents);
        Manifests(documents)
    }

    /// Writes them into `files` files of a directory, in place of what is there.
    pub fn write(&self, directory: &Path, files: usize) {
        if directory.exists() {
            fs::remove_dir_all(directory).expect("the directory is ours");
        }
        fs::create_dir_all(directory).expect("the directory can be made");
        let per_file = self.0.len().div_ceil(files.max(1));
        for (number, documents) in self.0.chunks(per_file).enumerate() {
            let path = directory.join(format!("{number}.yaml"));
            fs::write(path, documents.join("---\n")).expect("the file can be written");
        }
    }

    /// How many documents there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn document_start(kind: &str, name: &str) -> String {
    format!("apiVersion: mailwright.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}}}\n")
}

fn document(version: &str, kind: &str, name: &str, rest: &str) -> String {
    format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}}}\n{rest}\n")
}

fn resource(kind: &str, name: &str, spec: &str) -> String {
    document("mailwright.dev/v1alpha1", kind, name, &format!("spec: {spec}"))
}

fn domain_spec(random: &mut Random, domain: &str) -> String {
    let mut fields = vec!["serverRef: {name: mail}".to_owned(), format!("domain: {domain}")];
    if random.chance(30) {
        fields.push(format!("aliases: [alias-of.{domain}]"));
    }
    if random.chance(30) {
        fields.push(format!("catchAll: admin@{domain}"));
    }
    if random.chance(50) {
        fields.push(format!("limits: {{defaultQuota: {}}}", random.pick(&["1Gi", "500Mi"])));
    }
    if random.chance(50) {
        fields.push(format!("dmarc: {{policy: {}}}", random.pick(&["None", "Quarantine", "Reject"])));
    }
    // RSA keys take a while to make, and there is nothing random about them.
    fields.push("dkim: {keys: [Ed25519]}".to_owned());
    format!("{{{}}}", fields.join(", "))
}

fn mailbox_spec(random: &mut Random, name: &str, domain: &str) -> String {
    let mut fields = vec![format!("address: {name}@{domain}")];
    if random.chance(50) {
        fields.push(format!("displayName: {name} {}", random.below(3)));
    }
    if random.chance(70) {
        let key = random.pick(&["password", "other"]);
        let management = random.pick(&["Initial", "Enforced"]);
        fields.push(format!(
            "credentials: {{secretRef: {{name: passwords, key: {key}}}, management: {management}}}"
        ));
    }
    if random.chance(30) {
        fields.push(format!("quota: {}Mi", 1 + random.below(900)));
    }
    if random.chance(20) {
        fields.push("enabled: false".to_owned());
    }
    if random.chance(30) {
        fields.push(format!("deletionPolicy: {}", random.pick(&["Disable", "Retain", "Delete"])));
    }
    format!("{{{}}}", fields.join(", "))
}

fn alias_spec(random: &mut Random, name: &str, domain: &str, people: &[&str]) -> String {
    let mut targets: Vec<String> = people.iter().map(|person| format!("{person}@{domain}")).collect();
    targets.truncate(1 + random.below(people.len()));
    let senders = random.pick(&["Anyone", "Members", "Domain"]);
    format!("{{address: {name}@{domain}, targets: [{}], senders: {senders}}}", targets.join(", "))
}
