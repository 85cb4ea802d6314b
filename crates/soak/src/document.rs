//! The documents whose loops are run: what went wrong, and how to see it, in our words.

/// A document about a leak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Document {
    /// Its number.
    pub number: &'static str,
    /// What it is about.
    pub title: &'static str,
    /// What people saw.
    pub symptom: &'static str,
    /// How it is made to happen.
    pub steps: &'static [&'static str],
    /// What is run here instead.
    pub here: &'static str,
}

/// Q293150: MAPILogonEx.
pub const LOGON: Document = Document {
    number: "Q293150",
    title: "each MAPILogonEx leaves a heap behind",
    symptom: "A program that logs on to its mailbox again and again (one that files or scans large volumes of mail, \
              say) runs well for a long time. Then properties of messages come back corrupt, the machine runs out of \
              resources, or the program is suddenly gone: every session makes a memory heap when it begins, and \
              releasing the session does not destroy it.",
    steps: &[
        "MAPILogonEx with a profile and MAPI_NEW_SESSION | MAPI_LOGON_UI | MAPI_NO_MAIL | MAPI_USE_DEFAULT",
        "Logoff",
        "Release",
        "again, at least 6,000 times",
    ],
    here: "The same loop, as `Mapi::logon_ex`, `logoff` and drop, against a server of ours.",
};

/// KB 887828: incremental change synchronization.
pub const ICS: Document = Document {
    number: "887828",
    title: "each ICS download keeps its memory",
    symptom: "A program that follows the changes of a mailbox through Incremental Change Synchronization in a loop \
              stops answering, or ends, with 0x80004005 (MAPI_E_CALL_FAILED) from the server: the ICS object uses \
              memory for each download synchronization and does not let go of it, until there is none left.",
    steps: &[
        "Config with the state of the last time",
        "Synchronize until it is done",
        "UpdateState, and keep the state",
        "again, in a loop, while the mailbox changes",
    ],
    here: "The same loop on a mailbox of 1,000 messages. Each iteration is a round: messages come, change, are read \
           and deleted; then three synchronizations: of what changed, once more with nothing changed, and of the \
           folders. Every 25th round also synchronizes all of the mailbox from an empty state.",
};
