//! MAPI objects to MIME and back
