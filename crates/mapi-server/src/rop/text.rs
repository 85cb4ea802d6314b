//! Strings in code pages, under the name that the ROPs call them by.

pub(super) use crate::code_page::{decode, encode};
