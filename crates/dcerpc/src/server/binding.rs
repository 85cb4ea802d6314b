//! bind and alter_context — C706 12.6.4.1 and 12.6.4.3, [MS-RPCE] 3.3.1.5.3 and 3.3.3.

use super::{Closed, Context, ServerAssociation, ServerEvent, State};
use crate::pdu::{
    Bind, BindAck, BindNak, Body, ContextElement, ContextResult, CountedList, Features, Flags, MUST_RECEIVE,
    Pdu, PortAny, RejectReason, ResultReason, Version,
};

impl ServerAssociation {
    pub(super) fn bind(&mut self, pdu: Pdu<'_>) {
        let Body::Bind(bind) = pdu.body else { return };
        let Some(group) = self.groups.join(bind.assoc_group_id) else {
            self.nak(pdu.call_id, RejectReason::reason_not_specified);
            return self.close(Closed::Protocol("a bind to an association group that is not there"));
        };
        let id = group.id();
        self.group = Some(group);
        self.max_fragment = negotiated(bind.max_xmit_frag.min(bind.max_recv_frag), self.config.max_fragment);
        self.multiplex = self.config.multiplex && pdu.flags.contains(Flags::conc_mpx);
        self.header_signing = pdu.flags.contains(Flags::HEADER_SIGN);
        let results = match self.negotiate(&bind) {
            Ok(results) => results,
            Err(why) => {
                self.nak(pdu.call_id, RejectReason::reason_not_specified);
                return self.close(Closed::Protocol(why));
            }
        };
        let mut answer = None;
        if let Some(auth) = &pdu.auth {
            match self.authenticate(auth, true) {
                Ok(token) => answer = token,
                Err(reason) => {
                    self.nak(pdu.call_id, reason);
                    return self.close(Closed::Security(crate::security::SecurityError::Denied));
                }
            }
            let can =
                self.security.get(&auth.trailer.context_id).is_some_and(|s| s.context.can_sign_header());
            self.header_signing &= can;
        }
        let ack = BindAck {
            max_xmit_frag: self.max_fragment,
            max_recv_frag: self.max_fragment,
            assoc_group_id: id,
            sec_addr: PortAny(self.config.endpoint.clone().into_bytes()),
            results: CountedList(results),
        };
        let mut reply = Pdu::new(pdu.call_id, Body::BindAck(ack));
        if self.multiplex {
            reply.flags = reply.flags | Flags::conc_mpx;
        }
        // Windows says so to clients that do not authenticate, too.
        if self.header_signing {
            reply.flags = reply.flags | Flags::HEADER_SIGN;
        }
        self.send_with(reply, answer.as_ref().map(|(trailer, token)| (*trailer, token.as_slice())));
        if self.state == State::Start {
            self.state = State::Bound;
            self.events.push_back(ServerEvent::Bound(id));
        }
    }

    pub(super) fn alter(&mut self, pdu: Pdu<'_>) {
        let Body::AlterContext(alter) = pdu.body else { return };
        let results = match self.negotiate(&alter) {
            Ok(results) => results,
            Err(why) => return self.disconnect(pdu.call_id, why),
        };
        let mut answer = None;
        if let Some(auth) = &pdu.auth {
            match self.authenticate(auth, false) {
                Ok(token) => answer = token,
                Err(_) => return self.deny(pdu.call_id, 0, crate::security::SecurityError::Denied),
            }
        }
        let ack = BindAck {
            max_xmit_frag: self.max_fragment,
            max_recv_frag: self.max_fragment,
            assoc_group_id: self.group().unwrap_or(0),
            sec_addr: PortAny::default(),
            results: CountedList(results),
        };
        let mut reply = Pdu::new(pdu.call_id, Body::AlterContextResp(ack));
        reply.flags = reply.flags | pdu.flags.only(Flags::HEADER_SIGN);
        self.send_with(reply, answer.as_ref().map(|(trailer, token)| (*trailer, token.as_slice())));
    }

    /// The result of each context that a client asks for.
    fn negotiate(&mut self, bind: &Bind) -> Result<Vec<ContextResult>, &'static str> {
        if bind.contexts.0.is_empty() {
            return Err("no presentation contexts");
        }
        let negotiations = bind.contexts.0.iter().filter(|element| features(element).is_some()).count();
        if negotiations > 1 {
            return Err("features are negotiated twice");
        }
        bind.contexts.0.iter().map(|element| self.context(element)).collect()
    }

    fn context(&mut self, element: &ContextElement) -> Result<ContextResult, &'static str> {
        if let Some(asked) = features(element) {
            let granted = Features(asked.0 & self.config.features.0);
            self.features = granted;
            return Ok(ContextResult::features(granted));
        }
        if element.transfer_syntaxes.is_empty() {
            return Err("a presentation context without transfer syntaxes");
        }
        if let Some(known) = self.contexts.get(&element.context_id) {
            // The same context once more, as clients do to go on with an authentication; never another one.
            if known.requested != element.abstract_syntax {
                return Err("a presentation context with the id of another one");
            }
            let proposed = &element.transfer_syntaxes;
            if proposed.contains(&known.syntax.id()) {
                return Ok(ContextResult::accepted(known.syntax));
            }
            if self.config.syntaxes.iter().any(|ours| proposed.contains(&ours.id())) {
                return Err("a presentation context in another transfer syntax than before");
            }
            return Ok(ContextResult::rejected(ResultReason::proposed_transfer_syntaxes_not_supported));
        }
        let interface = self.config.interfaces.iter().find(|ours| ours.serves(element.abstract_syntax));
        let Some(interface) = interface else {
            return Ok(ContextResult::rejected(ResultReason::abstract_syntax_not_supported));
        };
        let ours = &self.config.syntaxes;
        let syntax = ours.iter().copied().find(|ours| element.transfer_syntaxes.contains(&ours.id()));
        let Some(syntax) = syntax else {
            return Ok(ContextResult::rejected(ResultReason::proposed_transfer_syntaxes_not_supported));
        };
        if self.contexts.len() >= self.config.max_contexts {
            return Ok(ContextResult::rejected(ResultReason::local_limit_exceeded));
        }
        let context = Context { interface: interface.id, requested: element.abstract_syntax, syntax };
        self.contexts.insert(element.context_id, context);
        Ok(ContextResult::accepted(syntax))
    }

    pub(super) fn nak(&mut self, call_id: u32, reason: RejectReason) {
        let versions = vec![Version { major: 5, minor: 0 }];
        self.send(Pdu::new(call_id, Body::BindNak(BindNak { reason, versions: CountedList(versions) })));
    }
}

/// The largest fragment, in both directions the same, as Windows has it: what the client sends or takes, whichever is
/// less, and no more than our limit; a multiple of eight. A client that asks for less than everybody must take gets 2048.
fn negotiated(wanted: u16, max: u16) -> u16 {
    let wanted = if wanted < MUST_RECEIVE { 2048 } else { wanted };
    wanted.min(max) & 0xfff8
}

/// The features that a context asks for instead of an interface: its first transfer syntax says so, the others do not
/// count.
fn features(element: &ContextElement) -> Option<Features> {
    element.transfer_syntaxes.first().copied().and_then(Features::from_syntax)
}
