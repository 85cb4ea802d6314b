//! bind and alter_context — C706 12.6.4.1 and 12.6.4.3, [MS-RPCE] 3.3.2.

use core::time::Duration;

use super::{ClientAssociation, ClientEvent, Closed, Context, ContextOutcome, ContextRefusal, State};
use crate::ndr::{Syntax, SyntaxId};
use crate::pdu::{
    Bind, BindAck, Body, ContextElement, ContextResult, CountedList, Features, Flags, Pdu, ResultCode,
};

impl ClientAssociation {
    /// Opens the association with presentation contexts, or adds some. Each is an interface with the transfer syntaxes in
    /// which it is offered; their ids come back in the same order, and what became of them in [`ClientEvent::Bound`].
    ///
    /// Where a server may be old, each context should have one transfer syntax.
    pub fn bind(&mut self, now: Duration, contexts: &[(SyntaxId, &[Syntax])]) -> Vec<u16> {
        let mut ids = Vec::with_capacity(contexts.len());
        for (interface, syntaxes) in contexts {
            let id = self.contexts.last_key_value().map_or(0, |(last, _)| last.saturating_add(1));
            self.contexts.insert(id, Context { interface: *interface, syntax: None });
            self.offered.insert(id, syntaxes.to_vec());
            ids.push(id);
        }
        match self.state {
            State::Closed => {}
            State::Binding => self.later.push_back(ids.clone()),
            State::Idle | State::Bound => self.ask(now, &ids),
        }
        ids
    }

    /// An alter_context that only authenticates.
    pub(super) fn ask_again(&mut self, now: Duration) {
        let ids = self.some_context();
        self.ask(now, &ids);
    }

    fn ask(&mut self, now: Duration, ids: &[u16]) {
        let first = self.state == State::Idle;
        if first {
            self.asked_security = self.security.keys().next().copied();
        }
        self.asked = ids.iter().copied().map(Some).collect();
        self.asked_call = self.take_call_id();
        self.outcomes.clear();
        self.authenticating = false;
        let with_features = first && self.config.features != Features::default();
        if with_features {
            self.asked.push(None);
        }
        let bind = self.bind_body(ids, with_features);
        let token = match self.first_token() {
            Ok(token) => token,
            Err(error) => return self.close(Closed::Security(error)),
        };
        let mut pdu = if first {
            Pdu::new(self.asked_call, Body::Bind(bind))
        } else {
            Pdu::new(self.asked_call, Body::AlterContext(bind))
        };
        if first && self.config.multiplex {
            pdu.flags = pdu.flags | Flags::conc_mpx;
        }
        let can_sign = self.security.values().any(|security| security.context.can_sign_header());
        if first && self.config.sign_header && can_sign {
            pdu.flags = pdu.flags | Flags::HEADER_SIGN;
        }
        self.state = State::Binding;
        self.deadline = Some(now.saturating_add(self.config.bind_timeout));
        self.send(pdu, token.as_ref().map(|(trailer, token)| (*trailer, token.as_slice())));
    }

    pub(super) fn bind_body(&self, ids: &[u16], with_features: bool) -> Bind {
        let mut elements: Vec<ContextElement> = ids
            .iter()
            .filter_map(|id| {
                let context = self.contexts.get(id)?;
                let offered = self.offered.get(id)?;
                Some(ContextElement {
                    context_id: *id,
                    abstract_syntax: context.interface,
                    transfer_syntaxes: offered.iter().map(|syntax| syntax.id()).collect(),
                })
            })
            .collect();
        if with_features && let Some(last) = elements.last() {
            elements.push(ContextElement {
                context_id: last.context_id.saturating_add(1),
                abstract_syntax: last.abstract_syntax,
                transfer_syntaxes: vec![self.config.features.to_syntax()],
            });
        }
        Bind {
            max_xmit_frag: self.max_transmit,
            max_recv_frag: self.config.max_fragment,
            assoc_group_id: self.group,
            contexts: CountedList(elements),
        }
    }

    /// bind_ack or alter_context_resp.
    pub(super) fn accepted(&mut self, now: Duration, pdu: &Pdu<'_>) {
        let (Body::BindAck(ack) | Body::AlterContextResp(ack)) = &pdu.body else { return };
        let is_ack = matches!(pdu.body, Body::BindAck(_));
        if pdu.call_id != self.asked_call || !pdu.flags.contains(Flags::first | Flags::last) {
            return self.close(Closed::Protocol("an answer to another bind"));
        }
        if is_ack == self.acknowledged {
            return self.close(Closed::Protocol("a bind_ack for an alter_context, or the other way round"));
        }
        if is_ack {
            self.first_answer(ack, pdu.flags);
        }
        if !self.authenticating
            && let Err(why) = self.outcomes_of(&ack.results.0)
        {
            return self.close(Closed::Protocol(why));
        }
        match self.next_token(pdu) {
            Ok(true) => {}
            Ok(false) => return,
            Err(why) => return self.close(why),
        }
        if self.state == State::Closed {
            return;
        }
        self.state = State::Bound;
        self.deadline = None;
        self.asked_security = None;
        self.events.push_back(ClientEvent::Bound(core::mem::take(&mut self.outcomes)));
        if let Some(ids) = self.later.pop_front() {
            self.ask(now, &ids);
        } else {
            self.send_waiting(now);
        }
    }

    fn first_answer(&mut self, ack: &BindAck, flags: Flags) {
        self.acknowledged = true;
        self.group = ack.assoc_group_id;
        // What the server takes, and never more than we wanted to send. A server may not ask for less than 1432.
        self.max_transmit = ack
            .max_recv_frag
            .min(self.config.max_fragment)
            .max(crate::pdu::MUST_RECEIVE.min(self.config.max_fragment));
        self.multiplex = self.config.multiplex && flags.contains(Flags::conc_mpx);
        let can_sign = self.security.values().any(|security| security.context.can_sign_header());
        self.sign_header = self.config.sign_header && can_sign && flags.contains(Flags::HEADER_SIGN);
    }

    fn outcomes_of(&mut self, results: &[ContextResult]) -> Result<(), &'static str> {
        if results.len() != self.asked.len() {
            return Err("not as many results as contexts");
        }
        for (id, result) in self.asked.clone().into_iter().zip(results) {
            let Some(id) = id else {
                if result.result == ResultCode::negotiate_ack {
                    self.features = Features(result.reason.0 & self.config.features.0);
                }
                continue;
            };
            let Some(context) = self.contexts.get_mut(&id) else { continue };
            let outcome = if result.result == ResultCode::acceptance {
                let offered = self.offered.get(&id);
                let syntax = result
                    .transfer_syntax
                    .transfer_syntax()
                    .filter(|syntax| offered.is_some_and(|offered| offered.contains(syntax)))
                    .ok_or("a transfer syntax that was not offered")?;
                context.syntax = Some(syntax);
                Ok(syntax)
            } else {
                Err(ContextRefusal { result: result.result, reason: result.reason })
            };
            self.outcomes.push(ContextOutcome { context_id: id, interface: context.interface, outcome });
        }
        Ok(())
    }
}
