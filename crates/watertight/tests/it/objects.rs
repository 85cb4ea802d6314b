//! The objects of `mapi-client` with our own server, in one process.

mod basics;
mod bed;
mod endings;
mod more;
mod writes;
