//! MAPI/HTTP sessions, objects and ICS drivers
