//! Bounds in time and size.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::discover::{Dns, SystemDns};
use crate::sign_in::SignIn;

/// What a [`Connector`](crate::Connector) allows itself and its server.
#[derive(Debug, Clone)]
pub struct Options {
    /// A file with PEM certificates of authorities that are trusted besides the system's.
    pub tls_ca: Option<PathBuf>,
    /// For the name, the TCP connection and TLS together.
    pub connect_timeout: Duration,
    /// For the next byte of a response. PENDING, which a busy server sends, starts it again.
    pub read_timeout: Duration,
    /// For a whole response, however often the server says PENDING.
    pub response_timeout: Duration,
    /// How long a Disconnect may take, and a request that nobody waits for any more.
    pub goodbye_timeout: Duration,
    /// How many connections are kept for the next session after theirs was disconnected; 0 closes each with its
    /// session.
    pub kept_connections: usize,
    /// How long such a connection is kept. Servers close them sooner or later, ours after three minutes.
    pub kept_for: Duration,
    /// How to sign in.
    pub sign_in: SignIn,
    /// How long a command may take that prints a token.
    pub token_timeout: Duration,
    /// X-ClientApplication — [MS-OXCMAPIHTTP] 2.2.3.3.7. Servers know clients that say Outlook.
    pub client_application: String,
    /// Whether responses may be compressed. Where it is left open all may, but for long ones from this machine itself.
    pub compression: Option<bool>,
    /// When to come back after the server said that it is busy.
    pub backoff: Backoff,
    /// How hosts and services are found.
    pub dns: Arc<dyn Dns>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tls_ca: None,
            connect_timeout: Duration::from_secs(20),
            read_timeout: Duration::from_secs(90),
            response_timeout: Duration::from_secs(600),
            goodbye_timeout: Duration::from_secs(3),
            kept_connections: 8,
            kept_for: Duration::from_secs(60),
            sign_in: SignIn::Auto,
            token_timeout: Duration::from_secs(60),
            client_application: "Outlook/16.0.10000.1000".to_owned(),
            compression: None,
            backoff: Backoff::default(),
            dns: Arc::new(SystemDns),
        }
    }
}

/// When to come back after RopBackoff, 429 or 503: what the server says, else a time that doubles with each try.
#[derive(Clone)]
pub struct Backoff {
    /// How often a request is sent at most.
    pub tries: u32,
    /// The first wait.
    pub first: Duration,
    /// No wait is longer; a server that wants more gets [`Error::Busy`](crate::Error::Busy).
    pub longest: Duration,
    /// A number from 0 to 1: how much of half the wait is added to the other half.
    pub jitter: Arc<dyn Fn() -> f64 + Send + Sync>,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            tries: 6,
            first: Duration::from_millis(500),
            longest: Duration::from_secs(120),
            jitter: Arc::new(random_share),
        }
    }
}

impl Backoff {
    /// How long to wait after try number `tried` (from 1), or `None` to give up.
    pub(crate) fn wait(&self, tried: u32, asked: Option<Duration>) -> Option<Duration> {
        if tried >= self.tries {
            return None;
        }
        match asked {
            Some(asked) if asked > self.longest => None,
            Some(asked) => Some(asked),
            None => {
                let full = self.first.saturating_mul(1 << tried.saturating_sub(1).min(20)).min(self.longest);
                let share = (self.jitter)().clamp(0.0, 1.0);
                Some((full / 2).saturating_add((full / 2).mul_f64(share)))
            }
        }
    }
}

impl fmt::Debug for Backoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backoff")
            .field("tries", &self.tries)
            .field("first", &self.first)
            .field("longest", &self.longest)
            .finish_non_exhaustive()
    }
}

fn random_share() -> f64 {
    let mut bytes = [0; 4];
    // Without random numbers the wait is the plain one.
    let _ = getrandom::fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_within_bounds_and_end() {
        let backoff = Backoff {
            tries: 4,
            first: Duration::from_secs(2),
            longest: Duration::from_secs(6),
            jitter: Arc::new(|| 1.0),
        };
        let waits: Vec<_> = (1..=4).map(|n| backoff.wait(n, None).map(|d| d.as_secs())).collect();
        assert_eq!(waits, [Some(2), Some(4), Some(6), None]);
        let half = Backoff { jitter: Arc::new(|| 0.0), ..backoff.clone() };
        assert_eq!(half.wait(1, None), Some(Duration::from_secs(1)));
        assert_eq!(backoff.wait(1, Some(Duration::from_secs(5))), Some(Duration::from_secs(5)));
        assert_eq!(backoff.wait(1, Some(Duration::from_secs(7))), None);
    }
}
