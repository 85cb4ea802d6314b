//! The server over its sockets.

mod auth;
mod bed;
mod captures;
mod contexts;
mod requests;
mod tls;
