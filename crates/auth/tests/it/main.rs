//! The public interface: between our own two sides, and against programs that are not ours. (`cfg(test)` tells the
//! lints that helpers are test code too.)

#[cfg(test)]
mod domain;
#[cfg(test)]
mod kdc;
#[cfg(test)]
mod pair;
#[cfg(test)]
mod peer;
#[cfg(test)]
mod peer_apache;
#[cfg(test)]
mod peer_curl;
#[cfg(test)]
mod peer_impacket;
#[cfg(test)]
mod peer_krb5;
#[cfg(test)]
mod peer_pyspnego;
#[cfg(test)]
mod peer_samba;
#[cfg(test)]
mod peer_samba_ad;
#[cfg(test)]
mod support;
