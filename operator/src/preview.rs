//! Previews: what a pull request would change is planned against the live state, and told where the pull request is.
//!
//! [`decide`] says which references are looked at (pure), [`stage`] makes the plan of one, [`post`] puts it into words,
//! [`forge`] speaks to GitHub, GitLab, Gitea and Forgejo, [`round`] does one round of all of it.
//!
//! A pull request is a stranger's, so a preview applies nothing, approves nothing, decrypts nothing, and does not tell whether
//! a password that it declares is the one in force. Leaves out following the branch: a round runs beside it and never holds it up.

pub mod decide;
pub mod forge;
pub mod post;
pub mod round;
pub mod settings;
pub mod stage;
pub mod status;

pub use decide::{Memory, Posted};
pub use forge::{Forge, ForgeError, Provider};
pub use round::{Base, Round, Told};
pub use settings::{Settings, SettingsError};
pub use stage::Stage;
