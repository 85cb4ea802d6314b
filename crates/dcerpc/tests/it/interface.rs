//! A client stub calls a server through both associations.

use std::cell::RefCell;
use std::future::{Future, ready};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use watertight_dcerpc::binding::ProtocolSequence;
use watertight_dcerpc::client::{CallError, ClientConfig};
use watertight_dcerpc::interface::epmapper::*;
use watertight_dcerpc::interface::*;
use watertight_dcerpc::ndr::{ContextHandle, IfId, Syntax, SyntaxId};
use watertight_dcerpc::server::{Interface, ServerConfig};
use watertight_dcerpc::tower::Tower;
use watertight_dcerpc::{FaultStatus, Guid, WireError};

use crate::pair::{ECHO, Pair};

#[derive(Debug)]
enum Error {
    Call(CallError),
    Wire(WireError),
}

/// A binding that blocks: the pair runs until the answer is there.
struct Blocking<D> {
    pair: RefCell<Pair>,
    server: RefCell<D>,
    context_id: u16,
    syntax: Syntax,
}

impl<D: Dispatch> Blocking<D> {
    fn new(server: D, syntax: Syntax) -> Self {
        let config = ServerConfig::new([Interface::open(server.id())]);
        let mut pair = Pair::with(ClientConfig::default(), None, config);
        let context_id = pair.client.bind(pair.now, &[(server.id(), &[syntax])])[0];
        pair.run();
        assert_eq!(pair.outcomes()[0].outcome, Ok(syntax));
        Self { pair: RefCell::new(pair), server: RefCell::new(server), context_id, syntax }
    }
}

impl<D: Dispatch> Binding for &Blocking<D> {
    type Error = Error;

    fn call<P: Procedure>(&self, request: P::Request) -> impl Future<Output = Result<P::Response, Error>> {
        let mut pair = self.pair.borrow_mut();
        let done = request_stub::<P>(&request, self.syntax).map_err(Error::Wire).and_then(|stub| {
            let call = pair.call(self.context_id, P::OPNUM, &stub);
            pair.serve_with(&mut *self.server.borrow_mut());
            let reply = pair.reply(call).map_err(Error::Call)?;
            let stub = Stub { bytes: &reply.stub, syntax: reply.syntax, order: reply.order };
            response_of::<P>(&request, stub).map_err(Error::Wire)
        });
        ready(done)
    }
}

fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a binding that blocks is ready"),
    }
}

/// Arithmetic of every kind of parameter.
#[interface("11111111-2222-3333-4444-555555555555", version = "1.2")]
trait Arithmetic {
    /// Adds.
    #[opnum(3)]
    fn add(
        &mut self,
        call: &Caller,
        count: u32,
        #[ndr(size_is(count))] numbers: Vec<u32>,
        #[ndr(in, out)] total: &mut u64,
        #[ndr(out)] average: &mut u32,
        #[ndr(out, unique, string)] text: &mut Option<String>,
    ) -> u32;

    /// Has nothing to say.
    fn nothing(&mut self);

    /// Fails.
    #[opnum(9)]
    fn fails(&self, why: u32) -> FaultStatus;
}

struct Arithmetician {
    calls: u32,
}

impl Arithmetic for Arithmetician {
    fn add(
        &mut self,
        call: &Caller,
        count: u32,
        numbers: Vec<u32>,
        total: &mut u64,
        average: &mut u32,
        text: &mut Option<String>,
    ) -> Result<u32, FaultStatus> {
        self.calls += 1;
        assert_ne!(call.group, 0);
        let sum: u64 = numbers.iter().copied().map(u64::from).sum();
        *total += sum;
        *average = u32::try_from(sum.checked_div(u64::from(count)).unwrap_or(0)).unwrap();
        *text = Some(format!("{count} Zahlen"));
        Ok(self.calls)
    }

    fn nothing(&mut self) -> Result<(), FaultStatus> {
        Ok(())
    }

    fn fails(&self, why: u32) -> Result<FaultStatus, FaultStatus> {
        Err(FaultStatus(why))
    }
}

#[test]
fn a_stub_calls_what_a_dispatcher_serves() {
    for syntax in [Syntax::Ndr, Syntax::Ndr64] {
        let binding = Blocking::new(ArithmeticServer(Arithmetician { calls: 0 }), syntax);
        let client = ArithmeticClient::new(&binding);
        let response = now(client.add(3, vec![1, 2, 6], 100)).unwrap();
        let text = Some("3 Zahlen".to_owned());
        assert_eq!(response, AddResponse { total: 109, average: 3, text, result: 1 });
        now(client.nothing()).unwrap();
        let error = now(client.fails(0x1c00_0024)).unwrap_err();
        let status = FaultStatus::nca_s_fault_object_not_found;
        assert!(matches!(error, Error::Call(CallError::Fault { status: s, executed: true }) if s == status));
        // A count that lies does not leave the client.
        let Err(Error::Wire(error)) = now(client.add(2, vec![1], 0)) else { panic!() };
        assert_eq!(error.to_string(), "add.numbers at offset 4: value 0x1 is not allowed here");
        // Nor does it come into the server.
        let call = binding.pair.borrow_mut().call(binding.context_id, 3, &[9, 0, 0, 0, 1, 0, 0, 0]);
        binding.pair.borrow_mut().serve_with(&mut *binding.server.borrow_mut());
        let error = binding.pair.borrow_mut().reply(call).unwrap_err();
        assert_eq!(error, CallError::Fault { status: FaultStatus::rpc_x_bad_stub_data, executed: true });
        let call = binding.pair.borrow_mut().call(binding.context_id, 5, &[]);
        binding.pair.borrow_mut().serve_with(&mut *binding.server.borrow_mut());
        let error = binding.pair.borrow_mut().reply(call).unwrap_err();
        assert_eq!(error, CallError::Fault { status: FaultStatus::nca_s_op_rng_error, executed: false });
    }
    let id = SyntaxId::new("11111111-2222-3333-4444-555555555555".parse().unwrap(), 1, 2);
    assert_eq!(ArithmeticClient::<()>::ID, id);
    assert_eq!((Add::OPNUM, Nothing::OPNUM, Fails::OPNUM), (3, 4, 9));
}

/// One endpoint for everybody who asks.
struct OneEndpoint;

impl Epmapper for OneEndpoint {
    fn ept_insert(
        &mut self,
        _: &Caller,
        _: u32,
        _: Vec<EptEntry>,
        _: u32,
    ) -> Result<FaultStatus, FaultStatus> {
        Ok(FaultStatus::ept_s_cant_perform_op)
    }

    fn ept_delete(&mut self, _: &Caller, _: u32, _: Vec<EptEntry>) -> Result<FaultStatus, FaultStatus> {
        Ok(FaultStatus::ept_s_cant_perform_op)
    }

    fn ept_lookup(
        &mut self,
        _: &Caller,
        _: InquiryType,
        _: Option<Arc<Guid>>,
        _: Option<Arc<IfId>>,
        _: VersionOption,
        handle: &mut ContextHandle,
        max: u32,
        num: &mut u32,
        entries: &mut Vec<EptEntry>,
    ) -> Result<FaultStatus, FaultStatus> {
        *handle = ContextHandle::NULL;
        *num = max;
        entries.extend((0..max).map(|n| EptEntry {
            object: Guid::NIL,
            tower: None,
            annotation: n.to_string().into_bytes(),
        }));
        Ok(FaultStatus::rpc_s_ok)
    }

    fn ept_map(
        &mut self,
        _: &Caller,
        _: Option<Arc<Guid>>,
        map_tower: Option<Arc<TowerOctets>>,
        _: &mut ContextHandle,
        _: u32,
        num_towers: &mut u32,
        towers: &mut Vec<Option<Arc<TowerOctets>>>,
    ) -> Result<FaultStatus, FaultStatus> {
        let asked = map_tower.ok_or(FaultStatus::rpc_s_invalid_arg)?;
        let asked =
            Tower::from_octets(&asked.tower_octet_string).map_err(|_| FaultStatus::rpc_s_invalid_arg)?;
        let interface = asked.interface().ok_or(FaultStatus::rpc_s_invalid_arg)?;
        let tcp = ProtocolSequence::NcacnIpTcp;
        let answer = Tower::new(interface, Syntax::Ndr, tcp, Some("4711"), Some("127.0.0.9"));
        *num_towers = 1;
        towers.push(Some(Arc::new(TowerOctets::from(&answer))));
        Ok(FaultStatus::rpc_s_ok)
    }

    fn ept_lookup_handle_free(
        &mut self,
        _: &Caller,
        handle: &mut ContextHandle,
    ) -> Result<FaultStatus, FaultStatus> {
        *handle = ContextHandle::NULL;
        Ok(FaultStatus::rpc_s_ok)
    }

    fn ept_inq_object(&mut self, _: &Caller, object: &mut Guid) -> Result<FaultStatus, FaultStatus> {
        *object = ECHO.uuid;
        Ok(FaultStatus::rpc_s_ok)
    }

    fn ept_mgmt_delete(
        &mut self,
        _: &Caller,
        _: u32,
        _: Option<Arc<Guid>>,
        _: Option<Arc<TowerOctets>>,
    ) -> Result<FaultStatus, FaultStatus> {
        Ok(FaultStatus::ept_s_cant_perform_op)
    }
}

#[test]
fn an_endpoint_is_asked_for() {
    for syntax in [Syntax::Ndr, Syntax::Ndr64] {
        let binding = Blocking::new(EpmapperServer(OneEndpoint), syntax);
        let client = EpmapperClient::new(&binding);
        let tower = Tower::new(ECHO, Syntax::Ndr, ProtocolSequence::NcacnIpTcp, None, None);
        let tower = Some(Arc::new(TowerOctets::from(&tower)));
        let response = now(client.ept_map(None, tower, ContextHandle::NULL, 4)).unwrap();
        let tower = response.towers[0].as_ref().unwrap();
        let tower = Tower::from_octets(&tower.tower_octet_string).unwrap();
        assert_eq!(tower.endpoint().as_deref(), Some("4711"));
        assert_eq!(tower.host().as_deref(), Some("127.0.0.9"));
        let all = InquiryType::rpc_c_ep_all_elts;
        let any = VersionOption::rpc_c_vers_all;
        let response = now(client.ept_lookup(all, None, None, any, ContextHandle::NULL, 500)).unwrap();
        assert_eq!(response.entries.len(), 500);
        // Over the range that the IDL gives: the server does not even look.
        let error = now(client.ept_lookup(all, None, None, any, ContextHandle::NULL, 501)).unwrap_err();
        let status = FaultStatus::rpc_x_bad_stub_data;
        assert!(matches!(error, Error::Call(CallError::Fault { status: s, .. }) if s == status));
    }
}
