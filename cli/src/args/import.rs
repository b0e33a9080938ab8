//! Owns the command line of `mailwright import`. Leaves out reading anything.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `mailwright import`
#[derive(Debug, Args)]
pub struct Import {
    /// What to import from.
    #[command(subcommand)]
    pub from: From,
}

/// The systems that can be imported from.
#[derive(Debug, Subcommand)]
pub enum From {
    /// Postfix's virtual maps, as the text that postmap reads, with Dovecot's passwords beside them
    Postfix(Postfix),
    /// Dovecot's passwd-file
    DovecotPasswd(Dovecot),
    /// iRedMail's vmail database, as mysqldump or pg_dump writes it
    Iredmail(Export),
    /// Mailu's configuration, as `flask mailu config-export --secrets` writes it (YAML or JSON)
    Mailu(Export),
    /// mailcow's database as mysqldump writes it, or the answers of its API (domain, alias-domain, mailbox, alias), a file each
    Mailcow(Export),
}

/// Where manifests go.
#[derive(Debug, Args)]
pub struct Into {
    /// Directory to write manifests to; it must be empty or not there
    #[arg(long, value_name = "DIR")]
    pub into: PathBuf,
    /// Name of the mail server, as MX records have it
    #[arg(long, value_name = "NAME")]
    pub hostname: String,
}

/// `mailwright import postfix`
#[derive(Debug, Args)]
pub struct Postfix {
    /// Text of virtual_mailbox_maps; may be given more than once
    #[arg(long, value_name = "FILE")]
    pub mailboxes: Vec<PathBuf>,
    /// Text of virtual_alias_maps; may be given more than once
    #[arg(long, value_name = "FILE")]
    pub aliases: Vec<PathBuf>,
    /// Text of virtual_mailbox_domains or virtual_alias_domains; may be given more than once
    #[arg(long, value_name = "FILE")]
    pub domains: Vec<PathBuf>,
    /// Dovecot's passwd-file with the passwords of these mailboxes; may be given more than once
    #[arg(long, value_name = "FILE")]
    pub passwd: Vec<PathBuf>,
    /// Scheme of passwords that name none
    #[arg(long, value_name = "SCHEME")]
    pub scheme: Option<String>,
    /// Domain of addresses without one, as myorigin
    #[arg(long, value_name = "DOMAIN")]
    pub origin: Option<String>,
    /// Where manifests go.
    #[command(flatten)]
    pub into: Into,
}

/// `mailwright import dovecot-passwd`
#[derive(Debug, Args)]
pub struct Dovecot {
    /// The passwd-file; may be given more than once
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Domain of users without one
    #[arg(long, value_name = "DOMAIN")]
    pub domain: Option<String>,
    /// Scheme of passwords that name none
    #[arg(long, value_name = "SCHEME")]
    pub scheme: Option<String>,
    /// Where manifests go.
    #[command(flatten)]
    pub into: Into,
}

/// `mailwright import iredmail|mailu|mailcow`
#[derive(Debug, Args)]
pub struct Export {
    /// What the other system exported; may be given more than once
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Where manifests go.
    #[command(flatten)]
    pub into: Into,
}
