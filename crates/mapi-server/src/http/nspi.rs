//! The address book endpoint — [MS-OXCMAPIHTTP] 2.2.5, 3.2.5.

use std::sync::Arc;

use axum::extract::Request;
use axum::response::Response;
use http::header;
use tokio::sync::oneshot;
use watertight_mapi::MapiCode;
use watertight_mapi::http::{RequestType, ResponseCode};
use watertight_mapi::nspi::body::{
    BindRequest, Bound, CompareMIdsRequest, DnToMIdRequest, GetMatchesRequest, GetPropListRequest,
    GetPropsRequest, GetSpecialTableRequest, GetTemplateInfoRequest, ModLinkAttRequest, ModPropsRequest,
    Plain, QueryColumnsRequest, QueryRowsRequest, ResolveNamesRequest, ResortRestrictionRequest,
    SeekEntriesRequest, UnbindRequest, UpdateStatRequest,
};
use watertight_mapi::nspi::{CP_UNICODE, INVALID_CODE_PAGE, UNBIND_SUCCESS};
use watertight_mapi::rop::field::Bytes32;
use watertight_mapi::store::Account;
use watertight_wire::{Guid, Wire};

use super::answer::{Echo, Started};
use super::head::{self, Head, Refusal};
use super::{BodyError, Front, MAX_REQUEST};
use crate::code_page;
use crate::nspi::{Book, BookUrl, Desk, MailboxUrl, Operation};
use crate::session::{CONTEXT_COOKIE, Claim, Context, SEQUENCE_COOKIE};

/// Where the cookies of this endpoint go back to.
const COOKIE_PATH: &str = "/mapi/nspi";

const BAD_BODY: Refusal = (ResponseCode::InvalidRequestBody, "The request body is invalid.");

/// The cookies of an answer, and its body.
type Accepted = (Vec<(&'static str, String)>, Vec<u8>);

/// Answers a request of somebody who has signed in.
pub(super) async fn answer(front: &Arc<Front>, account: Account, request: Request) -> Response {
    let started = Started::now();
    let (parts, body) = request.into_parts();
    let echo = Echo::of(&parts.headers);
    let head = match Head::read(&parts.method, &parts.headers, RequestType::is_of_address_book) {
        Ok(head) => head,
        Err((code, why)) => return echo.error(front, code, why),
    };
    let echo = echo.with_type(head.request_type);
    if front.is_stopping() {
        return echo.error(front, ResponseCode::EndpointShuttingDown, "The server is going away.");
    }
    let body = match front.body(body, MAX_REQUEST).await {
        Ok(body) => body,
        Err(BodyError::TooLarge) => {
            return echo.error(front, ResponseCode::TooLarge, "The request is too large.");
        }
        Err(BodyError::Broken) => {
            return echo.error(front, ResponseCode::InvalidRequestBody, "The request body is not complete.");
        }
    };
    let base = front.base_url(head::text(&parts.headers, header::HOST.as_str()));
    let visit = Visit { front, account, head, body: &body, base };
    match visit.run().await {
        Ok((cookies, body)) => {
            let (sender, work) = oneshot::channel();
            // The receiver is alive: it goes into the answer.
            let _ = sender.send(body);
            echo.accepted(front, COOKIE_PATH, &cookies, started, work)
        }
        Err((code, why)) => echo.error(front, code, why),
    }
}

/// One request.
struct Visit<'a> {
    front: &'a Arc<Front>,
    account: Account,
    head: Head,
    body: &'a [u8],
    base: String,
}

impl Visit<'_> {
    async fn run(self) -> Result<Accepted, Refusal> {
        match self.head.request_type {
            RequestType::Bind => self.bind(),
            RequestType::Unbind => self.unbind(),
            RequestType::Ping => self.ping(),
            RequestType::CompareMIds => self.operate::<CompareMIdsRequest>().await,
            RequestType::DnToMId => self.operate::<DnToMIdRequest>().await,
            RequestType::GetMatches => self.operate::<GetMatchesRequest>().await,
            RequestType::GetPropList => self.operate::<GetPropListRequest>().await,
            RequestType::GetProps => self.operate::<GetPropsRequest>().await,
            RequestType::GetSpecialTable => self.operate::<GetSpecialTableRequest>().await,
            RequestType::GetTemplateInfo => self.operate::<GetTemplateInfoRequest>().await,
            RequestType::ModLinkAtt => self.operate::<ModLinkAttRequest>().await,
            RequestType::ModProps => self.operate::<ModPropsRequest>().await,
            RequestType::QueryColumns => self.operate::<QueryColumnsRequest>().await,
            RequestType::QueryRows => self.operate::<QueryRowsRequest>().await,
            RequestType::ResolveNames => self.operate::<ResolveNamesRequest>().await,
            RequestType::ResortRestriction => self.operate::<ResortRestrictionRequest>().await,
            RequestType::SeekEntries => self.operate::<SeekEntriesRequest>().await,
            RequestType::UpdateStat => self.operate::<UpdateStatRequest>().await,
            RequestType::GetMailboxUrl => self.operate::<MailboxUrl>().await,
            RequestType::GetAddressBookUrl => self.operate::<BookUrl>().await,
            RequestType::Connect
            | RequestType::Execute
            | RequestType::Disconnect
            | RequestType::NotificationWait => {
                Err((ResponseCode::InvalidRequestType, "This endpoint does not take this request type."))
            }
        }
    }

    /// [MS-OXNSPI] 3.1.4.1.1.
    fn bind(self) -> Result<Accepted, Refusal> {
        let request = BindRequest::from_bytes(self.body).map_err(|_| BAD_BODY)?;
        let books = &self.front.books;
        // A client that binds again sends the cookies of its old context, which ends — 3.2.5.6.
        if let Some(cookie) = self.head.context.as_deref()
            && let Ok(old) = books.find(cookie, &self.account)
        {
            books.end(&old);
        }
        let bound = |error_code, server_guid| {
            encode(&Bound { error_code, server_guid, auxiliary: Bytes32::default() })
        };
        let code_page = request.state.as_ref().map(|stat| stat.code_page);
        if !code_page.is_some_and(|page| page != CP_UNICODE && code_page::is_known(page)) {
            return Ok((Vec::new(), bound(INVALID_CODE_PAGE, Guid::NIL)?));
        }
        match books.create(self.account.clone(), Book) {
            Some(context) => {
                Ok((both_cookies(&context), bound(MapiCode::Success, self.front.directory.server())?))
            }
            None => Ok((Vec::new(), bound(MapiCode::OutOfResources, Guid::NIL)?)),
        }
    }

    /// [MS-OXNSPI] 3.1.4.1.2.
    fn unbind(self) -> Result<Accepted, Refusal> {
        let context = self.find()?;
        UnbindRequest::from_bytes(self.body).map_err(|_| BAD_BODY)?;
        let claim = self.claim(&context)?;
        self.front.books.end(&context);
        drop(claim);
        let answer = Plain { error_code: UNBIND_SUCCESS, auxiliary: Bytes32::default() };
        Ok((both_cookies(&context), encode(&answer)?))
    }

    /// Starts the idle time of its context anew, if it names one — [MS-OXCMAPIHTTP] 3.2.5.3.
    fn ping(self) -> Result<Accepted, Refusal> {
        let mut cookies = Vec::new();
        if self.head.context.is_some() {
            cookies.push((CONTEXT_COOKIE, self.find()?.cookie()));
        }
        Ok((cookies, Vec::new()))
    }

    async fn operate<Q: Operation + Send>(self) -> Result<Accepted, Refusal>
    where
        Q::Answer: Send,
    {
        let context = self.find()?;
        let request = Q::from_bytes(self.body).map_err(|_| BAD_BODY)?;
        let claim = self.claim(&context)?;
        let cookies = both_cookies(&context);
        let answer = match self.front.directory.entries(&*self.front.store).await {
            Ok(entries) => {
                let server = self.front.directory.server();
                let desk = Desk { entries, account: self.account, base: self.base, server };
                request.run(&desk).unwrap_or_else(|code| request.refused(code))
            }
            Err(error) => {
                tracing::error!(%error, "the accounts cannot be read");
                request.refused(error.code())
            }
        };
        drop(claim);
        Ok((cookies, encode(&answer)?))
    }

    /// The context that the request belongs to.
    fn find(&self) -> Result<Arc<Context<Book>>, Refusal> {
        let cookie = self.head.context.as_deref();
        let cookie = cookie.ok_or((ResponseCode::MissingCookie, "The session context cookie is missing."))?;
        self.front.books.find(cookie, &self.account).map_err(|code| match code {
            ResponseCode::NoPrivilege => (code, "The session context is somebody else's."),
            code => (code, "The session context is not found."),
        })
    }

    fn claim(&self, context: &Arc<Context<Book>>) -> Result<Claim<Book>, Refusal> {
        let sequence = self.head.sequence.as_deref();
        let sequence = sequence.ok_or((ResponseCode::MissingCookie, "The sequence cookie is missing."))?;
        self.front.books.claim(context, sequence).map_err(|code| match code {
            ResponseCode::InvalidSequence => {
                (code, "One request at a time, each with the sequence cookie of the answer before.")
            }
            code => (code, "The session context is not found."),
        })
    }
}

fn both_cookies(context: &Context<Book>) -> Vec<(&'static str, String)> {
    vec![(CONTEXT_COOKIE, context.cookie()), (SEQUENCE_COOKIE, context.sequence())]
}

/// A success response.
fn encode<T: Wire>(answer: &T) -> Result<Vec<u8>, Refusal> {
    let bytes = answer.to_bytes().map(|rest| {
        let mut bytes = 0_u32.to_le_bytes().to_vec();
        bytes.extend(rest);
        bytes
    });
    bytes.map_err(|error| {
        tracing::error!(%error, "an answer of the address book cannot be written");
        (ResponseCode::UnknownFailure, "The request failed inside the server.")
    })
}
