//! The client against a server that answers with captured bytes, and against one that does everything wrong.

mod download;
mod kit;
