//! What discovery tried, one step after the other.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// One step, when it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiscoveryStep {
    /// Which of the ways it is.
    pub way: Way,
    /// What was asked: a URL, or a name in DNS.
    pub url: String,
    /// What came of it.
    pub outcome: Outcome,
    /// How long it took, questions to the person left out.
    pub took: Duration,
}

/// The ways of [MS-OXDISCO] 3.1.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Way {
    /// One of the two URLs that are made of the domain.
    WellKnown,
    /// The unauthenticated GET over http.
    PlainRedirect,
    /// The SRV record `_autodiscover._tcp`.
    Service,
    /// A URL that another step led to.
    Followed,
}

impl Way {
    /// A word for it, for machines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WellKnown => "well-known URL",
            Self::PlainRedirect => "http redirect",
            Self::Service => "SRV record",
            Self::Followed => "redirected",
        }
    }
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The user's settings.
    Settings,
    /// It says to ask at this URL (without its query).
    Elsewhere(String),
    /// It says to ask for this address.
    Address(String),
    /// There is nothing of the kind.
    Nothing(String),
    /// It failed; the error's text, which says what to do.
    Failed(String),
    /// It leads to this host, which was not confirmed.
    Declined(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings => f.write_str("settings found"),
            Self::Elsewhere(url) => write!(f, "leads to {url}"),
            Self::Address(address) => write!(f, "says that the address is {address} now"),
            Self::Nothing(why) | Self::Failed(why) => f.write_str(why),
            Self::Declined(host) => write!(f, "leads to {host}, which was not confirmed"),
        }
    }
}

/// Hears of each step.
#[derive(Clone)]
pub(super) struct Report(Arc<dyn Fn(&DiscoveryStep) + Send + Sync>);

impl Report {
    pub(super) fn new(report: impl Fn(&DiscoveryStep) + Send + Sync + 'static) -> Self {
        Self(Arc::new(report))
    }

    pub(super) fn step(&self, step: &DiscoveryStep) {
        tracing::debug!(way = step.way.as_str(), url = step.url, outcome = %step.outcome, "discovery");
        (self.0)(step);
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Report")
    }
}
