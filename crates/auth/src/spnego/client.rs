//! The client's side — RFC 4178 4 and 5, [MS-SPNG] 3.2.

use std::collections::VecDeque;

use watertight_wire::Wire;

use super::message::{NegState, NegToken, NegTokenInit, NegTokenResp};
use super::{KERBEROS, MS_KERBEROS, NTLM};
use crate::AuthError;
use crate::context::SecurityContext;
use crate::exchange::{Exchange, Request, Step};
use crate::kerberos::KerberosClient;
use crate::ntlm::NtlmClient;

/// A client's negotiation.
pub(crate) struct SpnegoClient {
    state: State,
}

enum State {
    Fresh(Box<Request>),
    Going(Negotiation),
    Over,
}

struct Negotiation {
    mech_list: Vec<u8>,
    /// The mechanism that goes on now.
    mech: &'static [u8],
    inner: Option<Box<dyn Exchange>>,
    context: Option<Box<dyn SecurityContext>>,
    /// The mechanisms that the server may choose instead, while it has chosen none.
    others: Candidates,
    /// Whether the server has chosen.
    chosen: bool,
    /// Whether the server must sign the list.
    must_sign: bool,
    /// Whether we signed it.
    signed: bool,
}

/// Mechanisms and their exchanges, the preferred one first.
type Candidates = VecDeque<(&'static [u8], Box<dyn Exchange>)>;

impl SpnegoClient {
    pub(crate) fn new(request: Request) -> Self {
        Self { state: State::Fresh(Box::new(request)) }
    }
}

/// Every mechanism that the request's identity can be proved by, the preferred one first; it has begun already.
fn candidates(request: &Request) -> Result<(Vec<u8>, Candidates), AuthError> {
    let mut all: Candidates = VecDeque::new();
    let mut first = None;
    let mut why = None;
    if request.identity.cache_path().is_some() || request.identity.clear_password().is_some() {
        let mut exchange: Box<dyn Exchange> = Box::new(KerberosClient::new(request.clone()));
        match exchange.step(&[]) {
            Ok(step) => {
                first = step.token;
                all.push_back((KERBEROS, exchange));
            }
            // A password that one mechanism refuses is not tried with the next: that would count as two failures.
            Err(error @ AuthError::Kdc { code: 18 | 23 | 24, .. }) => return Err(error),
            Err(error) => {
                tracing::debug!(%error, "no Kerberos");
                why = Some(error);
            }
        }
    }
    if request.identity.has_ntlm() {
        let mut exchange: Box<dyn Exchange> = Box::new(NtlmClient::new(request.clone()));
        // One that is only in reserve begins when the server chooses it.
        if first.is_none() {
            first = exchange.step(&[])?.token;
        }
        all.push_back((NTLM, exchange));
    }
    let token = match (first, why) {
        (Some(token), _) => token,
        (None, Some(error)) => return Err(error),
        (None, None) => return Err(AuthError::Credentials("neither a ticket nor a password".to_owned())),
    };
    Ok((token, all))
}

impl Negotiation {
    fn begin(request: &Request) -> Result<(Self, Step), AuthError> {
        let (token, mut others) = candidates(request)?;
        let types: Vec<&[u8]> = others.iter().map(|(oid, _)| *oid).collect();
        let init = NegTokenInit::new(&types, Some(token));
        let (mech, inner) = others.pop_front().ok_or(AuthError::NoCommonGround("no mechanism"))?;
        let negotiation = Self {
            mech_list: init.mech_list.clone(),
            mech,
            inner: Some(inner),
            context: None,
            others,
            chosen: false,
            must_sign: false,
            signed: false,
        };
        Ok((negotiation, Step::going(NegToken::Init(init).to_bytes()?)))
    }

    fn go_on(&mut self, token: &[u8]) -> Result<Step, AuthError> {
        let NegToken::Resp(resp) = NegToken::from_bytes(token)? else {
            return Err(AuthError::spnego("a second negTokenInit"));
        };
        let state = resp.state.unwrap_or(NegState::ACCEPT_INCOMPLETE);
        if state == NegState::REJECT {
            return Err(AuthError::Refused("the server rejects every mechanism".to_owned()));
        }
        // Old Windows repeats the responseToken here.
        let mic = resp.mech_list_mic.as_ref().filter(|mic| Some(*mic) != resp.response_token.as_ref());
        let changed = self.choose(resp.supported_mech.as_deref())?;
        self.must_sign |= changed || state == NegState::REQUEST_MIC;

        let mut reply = NegTokenResp::default();
        let mut send = false;
        if changed {
            reply.response_token = self.inner_step(&[])?;
            send = true;
        } else if let Some(inner_token) = &resp.response_token {
            if self.inner.is_some() {
                reply.response_token = self.inner_step(inner_token)?;
                send = reply.response_token.is_some();
            } else if !inner_token.is_empty() {
                return Err(AuthError::spnego("a responseToken after the mechanism's end"));
            }
        }
        let Some(context) = &mut self.context else {
            if state == NegState::ACCEPT_COMPLETED {
                return Err(AuthError::spnego("accept-completed before the mechanism's end"));
            }
            if !send {
                return Err(AuthError::spnego("no responseToken"));
            }
            return Ok(Step { token: Some(NegToken::Resp(reply).to_bytes()?), done: None });
        };

        let can_sign = context.protection().integrity;
        let completed = state == NegState::ACCEPT_COMPLETED;
        // The first signature is the client's where the mechanism ends with the client: each side signs once.
        let sign_now = can_sign
            && !self.signed
            && (self.must_sign || mic.is_some() || context.signs_mech_list())
            && !(completed && mic.is_none());
        if sign_now && !completed {
            reply.mech_list_mic = Some(context.sign(&[&self.mech_list])?);
            self.signed = true;
            send = true;
        }
        if let Some(mic) = mic {
            context.verify(&[&self.mech_list], mic)?;
            self.must_sign = false;
        }
        if completed {
            if self.must_sign {
                return Err(AuthError::spnego("the server did not sign the list of mechanisms"));
            }
            if send {
                return Err(AuthError::spnego("accept-completed before the mechanism's end"));
            }
            if self.signed || mic.is_some() {
                context.after_mech_list_mic()?;
            }
            return Ok(Step { token: None, done: self.context.take() });
        }
        if !send {
            return Err(AuthError::spnego("nothing left to say, and no accept-completed"));
        }
        reply.state = Some(NegState::ACCEPT_INCOMPLETE);
        Ok(Step { token: Some(NegToken::Resp(reply).to_bytes()?), done: None })
    }

    /// Takes the server's choice; says whether it is another one than ours.
    fn choose(&mut self, supported: Option<&[u8]>) -> Result<bool, AuthError> {
        let Some(supported) = supported else { return Ok(false) };
        let supported = if supported == MS_KERBEROS { KERBEROS } else { supported };
        if supported == self.mech {
            self.chosen = true;
            return Ok(false);
        }
        if self.chosen {
            return Err(AuthError::spnego("the server changes its mind"));
        }
        let at = self.others.iter().position(|(oid, _)| *oid == supported);
        let Some((mech, inner)) = at.and_then(|at| self.others.remove(at)) else {
            return Err(AuthError::spnego("a mechanism that was not offered"));
        };
        self.chosen = true;
        self.mech = mech;
        self.inner = Some(inner);
        self.others.clear();
        Ok(true)
    }

    fn inner_step(&mut self, token: &[u8]) -> Result<Option<Vec<u8>>, AuthError> {
        let inner = self.inner.as_mut().ok_or(AuthError::OutOfTurn)?;
        let step = inner.step(token)?;
        if step.done.is_some() {
            self.context = step.done;
            self.inner = None;
        }
        Ok(step.token)
    }
}

impl Exchange for SpnegoClient {
    fn step(&mut self, token: &[u8]) -> Result<Step, AuthError> {
        match core::mem::replace(&mut self.state, State::Over) {
            // A server may begin with its list of mechanisms (negTokenInit2); that is advice.
            State::Fresh(request) => {
                let (negotiation, step) = Negotiation::begin(&request)?;
                self.state = State::Going(negotiation);
                Ok(step)
            }
            State::Going(mut negotiation) => {
                let step = negotiation.go_on(token)?;
                self.state = State::Going(negotiation);
                Ok(step)
            }
            State::Over => Err(AuthError::OutOfTurn),
        }
    }
}
