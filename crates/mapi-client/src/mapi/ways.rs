//! Connectors that are kept from one logon to the next, so that their connections are, too.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use watertight_ledger::Ledger;

use crate::connector::Connector;
use crate::endpoint::Endpoint;
use crate::mapi::error::MapiError;
use crate::options::Options;
use crate::sign_in::{Credentials, SignIn};

/// How many are kept. Those that were not used for the longest time go first.
pub(super) const MOST: usize = 16;

/// What a connector is for. Others do not get its connections.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) endpoint: Endpoint,
    pub(super) credentials: Credentials,
    pub(super) tls_ca: Option<PathBuf>,
    pub(super) sign_in: Option<SignIn>,
}

/// A connector, and what is known about the mailbox behind it.
pub(super) struct Way {
    endpoint: Endpoint,
    credentials: Credentials,
    sign_in: SignIn,
    tls_ca: Option<(PathBuf, Option<SystemTime>)>,
    pub(super) connector: Connector,
    /// What Autodiscover said.
    pub(super) dn: Mutex<Option<String>>,
}

pub(super) struct Ways {
    options: Options,
    ledger: Ledger,
    /// The one that was used last is last.
    kept: Mutex<Vec<Arc<Way>>>,
}

impl Ways {
    pub(super) fn new(options: Options, ledger: &Ledger) -> Self {
        Self { options, ledger: ledger.clone(), kept: Mutex::default() }
    }

    /// The way there, made if there is none.
    pub(super) fn to(&self, key: Key) -> Result<Arc<Way>, MapiError> {
        let sign_in = key.sign_in.unwrap_or(self.options.sign_in);
        let file = key.tls_ca.or_else(|| self.options.tls_ca.clone());
        let tls_ca = file.map(|path| {
            let changed = fs::metadata(&path).and_then(|metadata| metadata.modified()).ok();
            (path, changed)
        });
        {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let found = kept.iter().position(|way| {
                way.endpoint == key.endpoint
                    && way.credentials == key.credentials
                    && way.sign_in == sign_in
                    && way.tls_ca == tls_ca
            });
            if let Some(at) = found {
                let way = kept.remove(at);
                kept.push(Arc::clone(&way));
                return Ok(way);
            }
        }
        let tls_ca_path = tls_ca.as_ref().map(|(path, _)| path.clone());
        let options = Options { tls_ca: tls_ca_path, sign_in, ..self.options.clone() };
        let connector = Connector::new(key.endpoint.clone(), &key.credentials, options, &self.ledger)?;
        let Key { endpoint, credentials, .. } = key;
        let way = Arc::new(Way { endpoint, credentials, sign_in, tls_ca, connector, dn: Mutex::default() });
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            kept.remove(0);
        }
        kept.push(Arc::clone(&way));
        Ok(way)
    }

    pub(super) fn all(&self) -> Vec<Arc<Way>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Way {
    pub(super) fn known_dn(&self) -> Option<String> {
        self.dn.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_dn(&self, dn: Option<String>) {
        *self.dn.lock().unwrap_or_else(PoisonError::into_inner) = dn;
    }
}
