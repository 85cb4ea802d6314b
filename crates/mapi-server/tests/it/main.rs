//! The server over its sockets. (`cfg(test)` tells the lints that helpers are test code too.)

#[cfg(test)]
mod abandoned;
#[cfg(test)]
mod auth;
#[cfg(test)]
mod bed;
#[cfg(test)]
mod captures;
#[cfg(test)]
mod contexts;
#[cfg(test)]
mod notify;
#[cfg(test)]
mod nspi;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod waiting;
