//! MAPI/HTTP server: session contexts, logons, ROPs, ICS producer
