//! The small API against our own server.

#[cfg(test)]
mod blocking;
#[cfg(test)]
mod changes;
#[cfg(test)]
mod ends;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod folders;
#[cfg(test)]
mod kit;
#[cfg(test)]
mod mail;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod sessions;
