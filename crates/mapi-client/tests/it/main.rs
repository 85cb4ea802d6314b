//! The client against a server that answers with captured bytes, and against one that does everything wrong.

#[cfg(test)]
mod discovery;
#[cfg(test)]
mod download;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod gate;
#[cfg(test)]
mod hosts;
#[cfg(test)]
mod keep_alive;
#[cfg(test)]
mod kit;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod logon_ex;
#[cfg(test)]
mod notify;
#[cfg(test)]
mod peer_apache;
#[cfg(test)]
mod profiles;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod terminal;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod walk;
