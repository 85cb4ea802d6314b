//! Names: addresses of hosts, and who offers a service in a domain.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use async_trait::async_trait;
use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::RData;

/// Records of one service that are looked at.
const MAX_SERVICES: usize = 16;

/// Asks for names. The real one is [`SystemDns`]; tests and programs with a map of their own bring another.
#[async_trait]
pub trait Dns: fmt::Debug + Send + Sync {
    /// The addresses of a host, best first.
    ///
    /// # Errors
    /// Why there are none.
    async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;

    /// The SRV records of a name, best first; none when it has none — RFC 2782.
    ///
    /// # Errors
    /// No answer.
    async fn services(&self, name: &str) -> io::Result<Vec<Service>>;
}

/// An SRV record — RFC 2782.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Service {
    /// Lower ones are tried first.
    pub priority: u16,
    /// Of two with the same priority, the higher one first: we need one server, not a share of the load.
    pub weight: u16,
    /// The TCP port.
    pub port: u16,
    /// The host, without a dot at its end.
    pub target: String,
}

/// Hosts as every program on this machine finds them (`/etc/hosts`, `nsswitch.conf`); services from the name servers
/// in `/etc/resolv.conf`.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemDns;

#[async_trait]
impl Dns for SystemDns {
    async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }

    async fn services(&self, name: &str) -> io::Result<Vec<Service>> {
        let resolver = TokioResolver::builder_tokio()
            .and_then(hickory_resolver::ResolverBuilder::build)
            .map_err(|e| io::Error::other(e.to_string()))?;
        // With the dot, no search list is tried.
        let found = match resolver.srv_lookup(format!("{name}.")).await {
            Ok(found) => found,
            Err(error) if error.is_no_records_found() => return Ok(Vec::new()),
            Err(error) => return Err(io::Error::other(error.to_string())),
        };
        let services = found.answers().iter().filter_map(|record| match &record.data {
            RData::SRV(srv) => Some(Service {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                target: srv.target.to_string(),
            }),
            _ => None,
        });
        Ok(in_order(services.take(MAX_SERVICES).collect()))
    }
}

/// Best first, without those that say that the service is decidedly not there (target `.`).
pub(super) fn in_order(mut services: Vec<Service>) -> Vec<Service> {
    for service in &mut services {
        service.target = service.target.trim_end_matches('.').to_ascii_lowercase();
    }
    services.retain(|service| !service.target.is_empty() && service.port != 0);
    services.sort_by(|a, b| a.priority.cmp(&b.priority).then(b.weight.cmp(&a.weight)));
    services
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_come_in_the_order_in_which_they_are_tried() {
        let service = |priority, weight, target: &str| Service {
            priority,
            weight,
            port: 443,
            target: target.to_owned(),
        };
        let all =
            vec![service(10, 1, "C.example."), service(0, 0, "."), service(5, 1, "b."), service(5, 9, "a")];
        let targets: Vec<_> = in_order(all).into_iter().map(|s| s.target).collect();
        assert_eq!(targets, ["a", "b", "c.example"]);
    }
}
