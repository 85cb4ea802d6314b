//! The server's side — RFC 4178 4 and 5, [MS-SPNG] 3.3. Takes NTLM and Kerberos without SPNEGO's frame too, as
//! clients send them under `Negotiate` over HTTP ([MS-N2HT] 2.1).

use watertight_wire::Wire;

use super::message::{NegState, NegToken, NegTokenResp};
use super::{KERBEROS, MS_KERBEROS, NTLM};
use crate::AuthError;
use crate::context::SecurityContext;
use crate::der;
use crate::exchange::{Exchange, Offer, Step};
use crate::kerberos::KerberosServer;
use crate::ntlm::{self, NtlmServer};

/// A server's negotiation.
pub(crate) struct SpnegoServer {
    state: State,
}

enum State {
    Fresh(Box<Offer>),
    /// The client does without SPNEGO.
    Bare(Box<dyn Exchange>),
    Going(Negotiation),
    Over,
}

struct Negotiation {
    mech_list: Vec<u8>,
    inner: Option<Box<dyn Exchange>>,
    context: Option<Box<dyn SecurityContext>>,
    /// Whether the client must sign the list: the mechanism is not the one that it preferred.
    must_sign: bool,
    /// Whether the client's signature was right.
    verified: bool,
    /// Whether we signed it.
    signed: bool,
}

impl SpnegoServer {
    pub(crate) fn new(offer: Offer) -> Self {
        Self { state: State::Fresh(Box::new(offer)) }
    }
}

/// Whether a token has the frame of GSS-API around Kerberos, and not around SPNEGO.
fn is_bare_kerberos(token: &[u8]) -> bool {
    let mut r = der::Reader::new(token, "InitialContextToken");
    let framed = r.nested(der::application(0), "token");
    let oid = framed.and_then(|mut framed| framed.value(der::OBJECT_IDENTIFIER, "thisMech"));
    matches!(oid, Ok(KERBEROS | MS_KERBEROS))
}

/// The exchange of a mechanism, when the server has it.
fn mechanism(oid: &[u8], offer: &Offer) -> Option<Box<dyn Exchange>> {
    match oid {
        NTLM => Some(Box::new(NtlmServer::new(offer.clone()))),
        KERBEROS | MS_KERBEROS => {
            Some(Box::new(KerberosServer::new(offer.clone(), offer.accounts.keytab()?)))
        }
        _ => None,
    }
}

impl Negotiation {
    fn begin(offer: &Offer, token: &[u8]) -> Result<(Self, Step), AuthError> {
        let NegToken::Init(init) = NegToken::from_bytes(token)? else {
            return Err(AuthError::spnego("it begins with a negTokenInit"));
        };
        let found = init
            .mech_types
            .iter()
            .enumerate()
            .find_map(|(at, oid)| mechanism(oid, offer).map(|exchange| (at, oid.clone(), exchange)));
        let (at, oid, inner) = found.ok_or(AuthError::NoCommonGround("no mechanism of the client's list"))?;
        let mut negotiation = Self {
            mech_list: init.mech_list,
            inner: Some(inner),
            context: None,
            must_sign: at > 0,
            verified: false,
            signed: false,
        };
        let reply = NegTokenResp { supported_mech: Some(oid), ..NegTokenResp::default() };
        // The optimistic token is of the preferred mechanism.
        let step = match init.mech_token {
            Some(token) if at == 0 => negotiation.go_on(Some(&token), None, reply)?,
            _ => {
                let state = if at > 0 { NegState::REQUEST_MIC } else { NegState::ACCEPT_INCOMPLETE };
                let reply = NegTokenResp { state: Some(state), ..reply };
                Step::going(NegToken::Resp(reply).to_bytes()?)
            }
        };
        Ok((negotiation, step))
    }

    fn go_on(
        &mut self,
        token: Option<&[u8]>,
        mic: Option<&[u8]>,
        mut reply: NegTokenResp,
    ) -> Result<Step, AuthError> {
        match (&mut self.inner, token) {
            (Some(inner), Some(token)) => {
                let step = inner.step(token)?;
                reply.response_token = step.token;
                if step.done.is_some() {
                    self.context = step.done;
                    self.inner = None;
                }
            }
            (Some(_), None) => return Err(AuthError::spnego("no responseToken")),
            (None, Some(token)) if !token.is_empty() => {
                return Err(AuthError::spnego("a responseToken after the mechanism's end"));
            }
            (None, _) => {}
        }
        let Some(context) = &mut self.context else {
            reply.state = Some(NegState::ACCEPT_INCOMPLETE);
            return Ok(Step::going(NegToken::Resp(reply).to_bytes()?));
        };
        if let Some(mic) = mic {
            context.verify(&[&self.mech_list], mic)?;
            self.verified = true;
        }
        let must_sign = self.must_sign || context.demands_mech_list_mic();
        let sign = context.protection().integrity && !self.signed && (self.verified || self.must_sign);
        if sign {
            reply.mech_list_mic = Some(context.sign(&[&self.mech_list])?);
            self.signed = true;
        }
        if must_sign && !self.verified {
            if !sign {
                return Err(AuthError::spnego("the client did not sign the list of mechanisms"));
            }
            reply.state = Some(NegState::ACCEPT_INCOMPLETE);
            return Ok(Step::going(NegToken::Resp(reply).to_bytes()?));
        }
        if self.verified {
            context.after_mech_list_mic()?;
        }
        reply.state = Some(NegState::ACCEPT_COMPLETED);
        Ok(Step { token: Some(NegToken::Resp(reply).to_bytes()?), done: self.context.take() })
    }

    fn response(&mut self, token: &[u8]) -> Result<Step, AuthError> {
        let NegToken::Resp(resp) = NegToken::from_bytes(token)? else {
            return Err(AuthError::spnego("a second negTokenInit"));
        };
        if resp.state == Some(NegState::REJECT) {
            return Err(AuthError::Refused("the client rejects the mechanism".to_owned()));
        }
        self.go_on(resp.response_token.as_deref(), resp.mech_list_mic.as_deref(), NegTokenResp::default())
    }
}

impl Exchange for SpnegoServer {
    fn step(&mut self, token: &[u8]) -> Result<Step, AuthError> {
        let (state, step) = match core::mem::replace(&mut self.state, State::Over) {
            State::Fresh(offer) if token.starts_with(ntlm::SIGNATURE) => {
                let mut exchange: Box<dyn Exchange> = Box::new(NtlmServer::new(*offer));
                let step = exchange.step(token)?;
                (State::Bare(exchange), step)
            }
            State::Fresh(offer) if is_bare_kerberos(token) => {
                let mut exchange =
                    mechanism(KERBEROS, &offer).ok_or(AuthError::NoCommonGround("no keytab"))?;
                let step = exchange.step(token)?;
                (State::Bare(exchange), step)
            }
            State::Fresh(offer) => {
                let (negotiation, step) = Negotiation::begin(&offer, token)?;
                (State::Going(negotiation), step)
            }
            State::Bare(mut exchange) => {
                let step = exchange.step(token)?;
                (State::Bare(exchange), step)
            }
            State::Going(mut negotiation) => {
                let step = negotiation.response(token)?;
                (State::Going(negotiation), step)
            }
            State::Over => return Err(AuthError::OutOfTurn),
        };
        self.state = state;
        Ok(step)
    }
}
