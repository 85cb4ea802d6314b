//! Header fields — [MS-OXCMAPIHTTP] 2.2.3. Names are compared without case; values are spelt as here.

use core::fmt;

use watertight_wire::wire_enum;

/// X-RequestType — [MS-OXCMAPIHTTP] 2.2.3.3.1.
pub const X_REQUEST_TYPE: &str = "X-RequestType";
/// X-RequestId — [MS-OXCMAPIHTTP] 2.2.3.3.2: a GUID, a colon and a counter.
pub const X_REQUEST_ID: &str = "X-RequestId";
/// X-ResponseCode — [MS-OXCMAPIHTTP] 2.2.3.3.3.
pub const X_RESPONSE_CODE: &str = "X-ResponseCode";
/// X-ClientInfo — [MS-OXCMAPIHTTP] 2.2.3.3.4: opaque to the server, which sends it back.
pub const X_CLIENT_INFO: &str = "X-ClientInfo";
/// X-PendingPeriod — [MS-OXCMAPIHTTP] 2.2.3.3.5: milliseconds between PENDING meta-tags.
pub const X_PENDING_PERIOD: &str = "X-PendingPeriod";
/// X-ClientApplication — [MS-OXCMAPIHTTP] 2.2.3.3.6: `Outlook/15.xx.xxxx.xxxx`.
pub const X_CLIENT_APPLICATION: &str = "X-ClientApplication";
/// X-ServerApplication — [MS-OXCMAPIHTTP] 2.2.3.3.7: `Exchange/15.xx.xxxx.xxx`.
pub const X_SERVER_APPLICATION: &str = "X-ServerApplication";
/// X-ExpirationInfo — [MS-OXCMAPIHTTP] 2.2.3.3.8: milliseconds until an idle session context ends.
pub const X_EXPIRATION_INFO: &str = "X-ExpirationInfo";
/// X-ElapsedTime — [MS-OXCMAPIHTTP] 2.2.3.3.9: an additional header, milliseconds spent on the request.
pub const X_ELAPSED_TIME: &str = "X-ElapsedTime";
/// X-StartTime — [MS-OXCMAPIHTTP] 2.2.3.3.10: an additional header, when the server started on the request.
pub const X_START_TIME: &str = "X-StartTime";
/// X-DeviceInfo — [MS-OXCMAPIHTTP] 2.2.3.3.11: of devices between client and server; never sent by either.
pub const X_DEVICE_INFO: &str = "X-DeviceInfo";
/// X-MapiHttpCapability — [MS-OXDSCLI] 2.2.2.1: the highest MAPI/HTTP version that an Autodiscover client can use.
pub const X_MAPI_HTTP_CAPABILITY: &str = "X-MapiHttpCapability";

/// Content-Type of requests, and of responses whose X-ResponseCode is 0 — [MS-OXCMAPIHTTP] 2.2.3.2.2.
pub const CONTENT_TYPE_MAPI: &str = "application/mapi-http";
/// Content-Type of responses whose X-ResponseCode is not 0 — [MS-OXCMAPIHTTP] 2.2.3.2.2.
pub const CONTENT_TYPE_ERROR: &str = "text/html";

macro_rules! request_types {
    ($($(#[$meta:meta])* $variant:ident $name:literal;)*) => {
        /// A value of X-RequestType — [MS-OXCMAPIHTTP] 2.2.3.3.1.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum RequestType {
            $($(#[$meta])* $variant,)*
        }

        impl RequestType {
            const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name as the document spells it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

request_types! {
    /// `Connect`: makes a session context.
    Connect "Connect";
    /// `Execute`: runs ROPs.
    Execute "Execute";
    /// `Disconnect`: ends a session context.
    Disconnect "Disconnect";
    /// `NotificationWait`: answers when an event is pending.
    NotificationWait "NotificationWait";
    /// `PING`: answers, at either endpoint.
    Ping "PING";
    /// `Bind`: makes a session context of the address book.
    Bind "Bind";
    /// `Unbind`: ends it.
    Unbind "Unbind";
    /// `CompareMIds`: which of two entries comes first.
    CompareMIds "CompareMIds";
    /// `DNToMId`: entries of distinguished names.
    DnToMId "DNToMId";
    /// `GetMatches`: entries that a restriction selects.
    GetMatches "GetMatches";
    /// `GetPropList`: which properties an entry has.
    GetPropList "GetPropList";
    /// `GetProps`: properties of an entry.
    GetProps "GetProps";
    /// `GetSpecialTable`: the containers, or the templates for addresses.
    GetSpecialTable "GetSpecialTable";
    /// `GetTemplateInfo`: a template for displaying entries.
    GetTemplateInfo "GetTemplateInfo";
    /// `ModLinkAtt`: changes a list of entries.
    ModLinkAtt "ModLinkAtt";
    /// `ModProps`: changes properties of an entry.
    ModProps "ModProps";
    /// `QueryColumns`: which properties the server knows.
    QueryColumns "QueryColumns";
    /// `QueryRows`: rows of a table.
    QueryRows "QueryRows";
    /// `ResolveNames`: entries of names.
    ResolveNames "ResolveNames";
    /// `ResortRestriction`: sorts entries.
    ResortRestriction "ResortRestriction";
    /// `SeekEntries`: the first row from a value on.
    SeekEntries "SeekEntries";
    /// `UpdateStat`: moves in a table.
    UpdateStat "UpdateStat";
    /// `GetMailboxUrl`: where a mailbox is.
    GetMailboxUrl "GetMailboxUrl";
    /// `GetAddressBookUrl`: where the address book is.
    GetAddressBookUrl "GetAddressBookUrl";
}

impl RequestType {
    /// The type of that name, compared without case.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|ty| ty.as_str().eq_ignore_ascii_case(name))
    }

    /// Whether the mailbox server endpoint takes it.
    #[must_use]
    pub const fn is_of_mailbox(self) -> bool {
        matches!(self, Self::Connect | Self::Execute | Self::Disconnect | Self::NotificationWait | Self::Ping)
    }

    /// Whether the address book endpoint takes it.
    #[must_use]
    pub const fn is_of_address_book(self) -> bool {
        matches!(self, Self::Ping) || !self.is_of_mailbox()
    }
}

impl fmt::Display for RequestType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

wire_enum! {
    /// A value of X-ResponseCode — [MS-OXCMAPIHTTP] 2.2.3.3.3. In headers it is a decimal number.
    pub enum ResponseCode: u32 {
        /// The request was properly formatted and accepted.
        Success = 0,
        /// The request produced an unknown failure.
        UnknownFailure = 1,
        /// The request has an invalid verb.
        InvalidVerb = 2,
        /// The request has an invalid path.
        InvalidPath = 3,
        /// The request has an invalid header.
        InvalidHeader = 4,
        /// The request has an invalid X-RequestType header.
        InvalidRequestType = 5,
        /// The request has an invalid session context cookie.
        InvalidContextCookie = 6,
        /// The request has a missing required header.
        MissingHeader = 7,
        /// The request is anonymous, but anonymous requests are not accepted.
        AnonymousNotAllowed = 8,
        /// The request is too large.
        TooLarge = 9,
        /// The session context is not found.
        ContextNotFound = 10,
        /// The client has no privileges to the session context.
        NoPrivilege = 11,
        /// The request body is invalid.
        InvalidRequestBody = 12,
        /// The request is missing a required cookie.
        MissingCookie = 13,
        /// Reserved; ignored by the client.
        Reserved = 14,
        /// The request has violated the sequencing requirement of one request at a time per session context.
        InvalidSequence = 15,
        /// The endpoint is disabled.
        EndpointDisabled = 16,
        /// The response is invalid.
        InvalidResponse = 17,
        /// The endpoint is shutting down.
        EndpointShuttingDown = 18,
    }
}

impl ResponseCode {
    /// The code of a header value: decimal digits.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        value.trim().parse().ok().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case_and_written_as_documented() {
        assert_eq!(RequestType::parse("ping"), Some(RequestType::Ping));
        assert_eq!(RequestType::Ping.to_string(), "PING");
        assert_eq!(RequestType::parse("notificationWAIT"), Some(RequestType::NotificationWait));
        assert_eq!(RequestType::parse("Frobnicate"), None);
    }

    #[test]
    fn response_codes_have_the_documents_numbers() {
        assert_eq!(ResponseCode::parse("15"), Some(ResponseCode::InvalidSequence));
        assert_eq!(ResponseCode::parse(" 10"), Some(ResponseCode::ContextNotFound));
        assert_eq!(ResponseCode::parse("-1"), None);
        assert_eq!(ResponseCode(99).name(), None);
        assert_eq!(ResponseCode::EndpointShuttingDown.to_string(), "EndpointShuttingDown (0x12)");
    }
}
