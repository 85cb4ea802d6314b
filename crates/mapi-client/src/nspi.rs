//! The address book — [MS-OXNSPI] over MAPI/HTTP, [MS-OXCMAPIHTTP] 2.2.5, 3.1.5.

mod entry;

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinHandle;
use watertight_ledger::Entry;
use watertight_mapi::http::RequestType;
use watertight_mapi::http::body::Answer;
use watertight_mapi::nspi::body::{
    AddressBookUrlRequest, BindRequest, Bound, DnToMIdRequest, FoundMIds, GetMatchesRequest, GetPropsRequest,
    Matches, NamesResolved, Plain, PropsFound, QueryRowsRequest, ResolveNamesRequest, RowsFound,
    UnbindRequest, UrlFound,
};
use watertight_mapi::nspi::{
    CP_TELETEX, Filter, Has, List32, Narrow, RESOLVED, Stat, UNBIND_SUCCESS, UNRESOLVED, ValueList, Wide,
    tags,
};
use watertight_mapi::restriction::Restriction;
use watertight_mapi::{MapiCode, PropTag};
use watertight_wire::Wire;

use crate::connector::{Connector, Running};
use crate::error::{Error, SignInError};
use crate::settings::Settings;
use crate::transport::{Reply, Transport};

pub use entry::{BookEntry, Resolved, Search};

/// Bytes of a response.
const MAX_ANSWER: usize = 4 << 20;

/// The address book of a server: a session context of its own. It lasts until [`AddressBook::close`], or until it is
/// dropped: then it is unbound in the background.
///
/// The connector is one of the address-book endpoint: what Autodiscover calls AddressBook
/// ([`Discovered::address_book_urls`](crate::Discovered::address_book_urls)), or
/// [`Endpoint::address_book`](crate::Endpoint::address_book).
pub struct AddressBook {
    settings: Arc<Settings>,
    /// Not there while a request is on its way, and after the end.
    transport: Option<Transport>,
    /// A request that is on its way. It comes to its end, whoever waits for it, so that the sequence stays right.
    pending: Option<JoinHandle<(Transport, Result<Reply, Error>)>>,
    /// What is held as long as the session context is.
    held: Option<(Entry, Running)>,
}

impl AddressBook {
    /// Binds: a new session context — [MS-OXCMAPIHTTP] 2.2.5.1.
    ///
    /// # Errors
    /// What reaching the server and signing in meets; [`Error::Refused`] when it does not want to.
    pub async fn bind(connector: &Connector) -> Result<Self, Error> {
        let settings = Arc::clone(&connector.settings);
        let entry = settings.ledger.kind("address books").enter();
        let held = Some((entry, Running::enter(&connector.running)));
        let transport = Some(Transport::new(Arc::clone(&settings))?);
        let mut book = Self { settings, transport, pending: None, held };
        let request = BindRequest { state: Has(Some(place())), ..BindRequest::default() };
        let bound: Bound = book.ask(RequestType::Bind, &request).await?;
        match bound.error_code {
            MapiCode::Success => Ok(book),
            MapiCode::AccessDenied | MapiCode::LogonFailed => {
                Err(SignInError::NoPrivilege(bound.error_code).into())
            }
            code => Err(Error::Refused { operation: "Bind", code }),
        }
    }

    /// Who has each of these names (addresses, accounts, display names or the beginnings of them).
    ///
    /// Servers differ: gromox 3.10 says of a name that nobody has that several have it. [`AddressBook::search`] knows
    /// better.
    ///
    /// # Errors
    /// As for every request.
    pub async fn resolve(&mut self, names: &[&str]) -> Result<Vec<Resolved>, Error> {
        let wide = names.iter().map(|name| Wide(name.replace('\0', ""))).collect();
        let request = ResolveNamesRequest {
            state: Has(Some(place())),
            tags: Has(Some(List32(entry::COLUMNS.to_vec()))),
            names: Has(Some(List32(wide))),
            ..ResolveNamesRequest::default()
        };
        let answer: NamesResolved = self.ask(RequestType::ResolveNames, &request).await?;
        checked("ResolveNames", answer.error_code)?;
        let ids = answer.ids.0.unwrap_or_default();
        let table = answer.rows.0.unwrap_or_default();
        let mut rows = table.rows.iter();
        let mut found: Vec<_> = ids
            .iter()
            .map(|id| match *id {
                UNRESOLVED => Resolved::Nobody,
                RESOLVED => rows
                    .next()
                    .map_or(Resolved::Nobody, |row| Resolved::One(Box::new(BookEntry::of_row(&table, row)))),
                _ => Resolved::Several,
            })
            .collect();
        found.resize_with(names.len(), || Resolved::Nobody);
        Ok(found)
    }

    /// Everybody whose name, account or address begins with a text, up to so many — GetMatches with PidTagAnr.
    ///
    /// # Errors
    /// As for every request.
    pub async fn search(&mut self, text: &str, most: u32) -> Result<Search, Error> {
        let text = text.replace('\0', "");
        let request = GetMatchesRequest {
            state: Has(Some(place())),
            filter: Has(Some(Filter(Restriction::equals(tags::ANR, text.as_str())))),
            row_count: most,
            columns: Has(Some(List32(entry::COLUMNS.to_vec()))),
            ..GetMatchesRequest::default()
        };
        let answer: Matches = self.ask(RequestType::GetMatches, &request).await?;
        if answer.error_code == MapiCode::TableTooBig {
            return Ok(Search { entries: Vec::new(), too_many: true });
        }
        checked("GetMatches", answer.error_code)?;
        let table = answer.rows.0.unwrap_or_default();
        let entries = table.rows.iter().map(|row| BookEntry::of_row(&table, row)).collect();
        Ok(Search { entries, too_many: false })
    }

    /// Entries of the global address list, sorted, from a row on; fewer than so many at its end, or where the server
    /// gives no more at once.
    ///
    /// # Errors
    /// As for every request.
    pub async fn list(&mut self, from: u32, most: u32) -> Result<Vec<BookEntry>, Error> {
        let delta = i32::try_from(from).unwrap_or(i32::MAX);
        let request = QueryRowsRequest {
            state: Has(Some(Stat { delta, ..place() })),
            row_count: most,
            columns: Has(Some(List32(entry::COLUMNS.to_vec()))),
            ..QueryRowsRequest::default()
        };
        let answer: RowsFound = self.ask(RequestType::QueryRows, &request).await?;
        checked("QueryRows", answer.error_code)?;
        let table = answer.rows.0.unwrap_or_default();
        Ok(table.rows.iter().map(|row| BookEntry::of_row(&table, row)).collect())
    }

    /// The Minimal Entry IDs of distinguished names, good in this session; `None` for one that nobody has.
    ///
    /// # Errors
    /// As for every request.
    pub async fn dn_to_mid(&mut self, dns: &[&str]) -> Result<Vec<Option<u32>>, Error> {
        let names = dns.iter().map(|dn| Narrow(dn.replace('\0', ""))).collect();
        let names = Has(Some(List32(names)));
        let request = DnToMIdRequest { reserved: 0, names, auxiliary: entry::nothing() };
        let answer: FoundMIds = self.ask(RequestType::DnToMId, &request).await?;
        checked("DNToMId", answer.error_code)?;
        let mut ids: Vec<_> =
            answer.ids.0.unwrap_or_default().iter().map(|id| (*id != 0).then_some(*id)).collect();
        ids.resize(dns.len(), None);
        Ok(ids)
    }

    /// Properties of an entry; an error stands in the place of one that it does not have.
    ///
    /// # Errors
    /// As for every request.
    pub async fn props(&mut self, mid: u32, wanted: &[PropTag]) -> Result<ValueList, Error> {
        let request = GetPropsRequest {
            state: Has(Some(Stat { current_rec: mid, ..place() })),
            tags: Has(Some(List32(wanted.to_vec()))),
            ..GetPropsRequest::default()
        };
        let answer: PropsFound = self.ask(RequestType::GetProps, &request).await?;
        checked("GetProps", answer.error_code)?;
        Ok(answer.values.0.unwrap_or_default())
    }

    /// The URL of the mailbox endpoint of the user or server with that distinguished name.
    ///
    /// # Errors
    /// As for every request.
    pub async fn mailbox_url(&mut self, dn: &str) -> Result<String, Error> {
        self.url(RequestType::GetMailboxUrl, dn).await
    }

    /// The URL of the address book of the user with that distinguished name.
    ///
    /// # Errors
    /// As for every request.
    pub async fn address_book_url(&mut self, dn: &str) -> Result<String, Error> {
        self.url(RequestType::GetAddressBookUrl, dn).await
    }

    async fn url(&mut self, request_type: RequestType, dn: &str) -> Result<String, Error> {
        let request =
            AddressBookUrlRequest { dn: Wide(dn.replace('\0', "")), ..AddressBookUrlRequest::default() };
        let answer: UrlFound = self.ask(request_type, &request).await?;
        checked(request_type.as_str(), answer.error_code)?;
        Ok(answer.url.0)
    }

    /// Unbinds.
    ///
    /// # Errors
    /// When the server could not be told. It holds nothing for us all the same, later.
    pub async fn close(mut self) -> Result<(), Error> {
        let answer: Result<Plain, Error> = self.ask(RequestType::Unbind, &UnbindRequest::default()).await;
        if let Some(mut transport) = self.transport.take() {
            transport.keep();
        }
        self.held = None;
        match answer?.error_code {
            UNBIND_SUCCESS | MapiCode::Success => Ok(()),
            code => Err(Error::Refused { operation: "Unbind", code }),
        }
    }

    /// A request and its answer.
    async fn ask<Q: Wire, A: Wire>(&mut self, request_type: RequestType, request: &Q) -> Result<A, Error> {
        let body = Bytes::from(request.to_bytes()?);
        // Of a request that somebody gave up, only the end matters.
        let _ = self.settled().await;
        let mut transport = self.transport.take().ok_or(Error::Closed)?;
        self.pending = Some(tokio::spawn(async move {
            let reply = transport.request(request_type, body, MAX_ANSWER).await;
            (transport, reply)
        }));
        let reply = self.settled().await.unwrap_or(Err(Error::Closed))?;
        match Answer::<A>::from_bytes(&reply.body)? {
            Answer::Success(answer) => Ok(answer),
            Answer::Failure(failure) => {
                let code = MapiCode(failure.status_code.0);
                Err(Error::Refused { operation: request_type.as_str(), code })
            }
        }
    }

    /// Waits for the request that is on its way, if one is.
    async fn settled(&mut self) -> Option<Result<Reply, Error>> {
        let done = self.pending.as_mut()?.await;
        self.pending = None;
        let (transport, reply) = done.ok()?;
        self.transport = Some(transport);
        Some(reply)
    }
}

/// In the background, as far as a runtime is there; else the server forgets the session context by itself.
impl Drop for AddressBook {
    fn drop(&mut self) {
        let (Some(held), Ok(runtime)) = (self.held.take(), tokio::runtime::Handle::try_current()) else {
            return;
        };
        let (transport, pending) = (self.transport.take(), self.pending.take());
        let patience = self.settings.options.goodbye_timeout;
        let abort = pending.as_ref().map(JoinHandle::abort_handle);
        runtime.spawn(async move {
            let unbind = async {
                let transport = match pending {
                    Some(pending) => pending.await.ok().map(|(transport, _)| transport),
                    None => transport,
                };
                let Some(mut transport) = transport.filter(Transport::has_cookies) else { return };
                let body = UnbindRequest::default().to_bytes().unwrap_or_default();
                match transport.request(RequestType::Unbind, Bytes::from(body), MAX_ANSWER).await {
                    Ok(_) => transport.keep(),
                    Err(error) => tracing::debug!(%error, "an address book could not be unbound"),
                }
            };
            // When it takes too long, the connection closes.
            if tokio::time::timeout(patience, unbind).await.is_err() {
                abort.iter().for_each(tokio::task::AbortHandle::abort);
            }
            drop(held);
        });
    }
}

impl std::fmt::Debug for AddressBook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AddressBook").field("endpoint", &self.settings.endpoint).finish_non_exhaustive()
    }
}

/// The beginning of the global address list, for somebody who speaks English.
fn place() -> Stat {
    Stat { code_page: CP_TELETEX, template_locale: 1033, sort_locale: 1033, ..Stat::default() }
}

fn checked(operation: &'static str, code: MapiCode) -> Result<(), Error> {
    if code.is_error() { Err(Error::Refused { operation, code }) } else { Ok(()) }
}
