//! Whose mailbox is synchronized: `--mailbox`, `--archive`, `--public-folders`.

use anyhow::Result;
use watertight_mapi_client::{Connector, Error, Profile};
use watertight_sync::Tree;

use crate::cli::Sync;
use crate::exit::{Exit, Failure};

/// What the command line, or the profile, says of it.
#[derive(Debug, Clone, Default)]
pub struct Whose {
    /// An address, or a DN.
    mailbox: Option<String>,
    archive: bool,
    /// The path, empty for all.
    public_folders: Option<String>,
    /// The address or name of whoever signs in.
    user: String,
}

impl Whose {
    /// As the command line says, or else the profile of the user.
    pub fn new(args: &Sync, profile: &Profile) -> Self {
        let user = profile.address.as_deref().or(profile.login_name()).unwrap_or_default().to_owned();
        if args.mailbox.is_some() || args.archive || args.public_folders.is_some() {
            let public_folders = args.public_folders.clone();
            return Self { mailbox: args.mailbox.clone(), archive: args.archive, public_folders, user };
        }
        let public_folders = profile.public_folders.then(String::new);
        Self { mailbox: profile.mailbox.clone(), archive: profile.archive, public_folders, user }
    }

    /// The tree of folders that is meant. Where that takes Autodiscover, the server is asked through the connector,
    /// with the credentials of whoever signs in.
    pub async fn tree(&self, connector: &Connector) -> Result<Tree, NoTree> {
        if let Some(path) = &self.public_folders {
            return Ok(Tree::Public(Some(path.clone()).filter(|path| !path.is_empty())));
        }
        if self.archive {
            return self.archive_of(connector, self.mailbox.as_deref().unwrap_or(&self.user)).await;
        }
        Ok(match &self.mailbox {
            None => Tree::Own,
            Some(dn) if is_dn(dn) => Tree::Mailbox(dn.clone()),
            Some(address) => Tree::Mailbox(connector.discover(address).await?.legacy_dn),
        })
    }

    async fn archive_of(&self, connector: &Connector, whose: &str) -> Result<Tree, NoTree> {
        if is_dn(whose) {
            let what = "the archive of a mailbox is found by its owner's address, not by a DN";
            let cure = "give --mailbox ADDRESS with --archive, or the archive's own DN with --mailbox alone";
            return Err(NoTree::Said(Failure::new(Exit::Usage, what, cure)));
        }
        let found = connector.discover(whose).await?;
        let archive = found.alternative_mailboxes.iter().find(|other| other.is_archive());
        if let Some(dn) = archive.and_then(|archive| archive.legacy_dn.clone()) {
            return Ok(Tree::Mailbox(dn));
        }
        // Without a DN its address is to be discovered.
        if let Some(address) = archive.and_then(|archive| archive.smtp_address.as_deref()) {
            return Ok(Tree::Mailbox(connector.discover(address).await?.legacy_dn));
        }
        let what = format!("Autodiscover says nothing of an archive of {whose}");
        let cure = "leave --archive out, or ask whoever runs the server whether there is one";
        Err(NoTree::Said(Failure::new(Exit::Failed, what, cure)))
    }
}

/// Why no tree was found.
#[derive(Debug)]
pub enum NoTree {
    /// The server was asked in vain.
    Server(Error),
    /// What it is, with a cure.
    Said(Failure),
}

impl From<Error> for NoTree {
    fn from(error: Error) -> Self {
        Self::Server(error)
    }
}

impl From<NoTree> for anyhow::Error {
    fn from(error: NoTree) -> Self {
        match error {
            NoTree::Server(error) => super::client(error),
            NoTree::Said(failure) => anyhow::anyhow!(failure),
        }
    }
}

/// Whether it is a DN and no address.
fn is_dn(text: &str) -> bool {
    text.starts_with('/')
}
