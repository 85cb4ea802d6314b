//! Named properties — [MS-OXCPRPT] 3.2.5.6, 3.2.5.9, 3.2.5.10.

use watertight_mapi::{
    MapiCode, PropId, PropName,
    prop::{PropNameKind, wire::MaybePropName},
    rop::{
        Request, ResponseBody,
        property::{
            GetNamesFromPropertyIdsRequest, GetNamesFromPropertyIdsResponse, GetPropertyIdsFromNamesRequest,
            GetPropertyIdsFromNamesResponse, QueryNamedPropertiesRequest, QueryNamedPropertiesResponse,
        },
    },
};
use watertight_wire::{Guid, Wire};

use super::{Answer, Outcome, Session, failed, refused};

/// PS_MAPI — [MS-OXPROPS] 1.3.2: its names are identifiers below 0x8000.
const PS_MAPI: Guid = Guid::new(0x0002_0328, 0, 0, [0xc0, 0, 0, 0, 0, 0, 0, 0x46]);
/// Flags — [MS-OXCPRPT] 2.2.12.1: Create.
const CREATE: u8 = 0x02;

/// QueryFlags — [MS-OXCPRPT] 2.2.9.1: NoStrings, NoIds.
const NO_STRINGS: u8 = 0x01;
const NO_IDS: u8 = 0x02;

impl Session {
    /// RopGetPropertyIdsFromNames — [MS-OXCPRPT] 3.2.5.10.
    pub(super) async fn rop_get_property_ids_from_names(
        &self,
        request: &Request,
        body: &GetPropertyIdsFromNamesRequest,
    ) -> Outcome {
        let logon = self.logon(request)?;
        if body.names.is_empty() {
            let all = logon.mailbox.all_prop_names().await.map_err(failed)?;
            let prop_ids: Vec<PropId> = all.into_iter().map(|(id, _)| id).collect();
            return Ok(Answer::of(ResponseBody::GetPropertyIdsFromNames(GetPropertyIdsFromNamesResponse {
                prop_ids: prop_ids.into(),
            })));
        }
        let fixed = |name: &PropName| match name.kind {
            PropNameKind::Lid(lid) if name.guid == PS_MAPI => {
                Some(u16::try_from(lid).ok().map(PropId).filter(|id| !id.is_named()))
            }
            _ => None,
        };
        let asked: Vec<PropName> = body.names.iter().filter(|name| fixed(name).is_none()).cloned().collect();
        let given = logon.mailbox.prop_ids(&asked, body.flags & CREATE != 0).await.map_err(failed)?;
        let mut given = given.into_iter();
        let prop_ids: Vec<PropId> = body
            .names
            .iter()
            .map(|name| match fixed(name) {
                Some(id) => id.unwrap_or_default(),
                None => given.next().flatten().unwrap_or_default(),
            })
            .collect();
        let all_known = prop_ids.iter().all(|id| *id != PropId::default());
        let code = if all_known { MapiCode::Success } else { MapiCode::ErrorsReturned };
        let body = GetPropertyIdsFromNamesResponse { prop_ids: prop_ids.into() };
        Ok(Answer { code, body: ResponseBody::GetPropertyIdsFromNames(body), opened: None })
    }

    /// RopGetNamesFromPropertyIds — [MS-OXCPRPT] 3.2.5.9.
    pub(super) async fn rop_get_names_from_property_ids(
        &self,
        request: &Request,
        body: &GetNamesFromPropertyIdsRequest,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let names = logon.mailbox.prop_names(&body.prop_ids).await.map_err(failed)?;
        let names: Vec<MaybePropName> = body
            .prop_ids
            .iter()
            .zip(names)
            .map(|(id, name)| match name {
                _ if !id.is_named() => MaybePropName::Named(PropName::lid(PS_MAPI, u32::from(id.0))),
                Some(name) => MaybePropName::Named(name),
                None => MaybePropName::Unnamed(Guid::NIL),
            })
            .collect();
        let names = names.into();
        Ok(Answer::of(ResponseBody::GetNamesFromPropertyIds(GetNamesFromPropertyIdsResponse { names })))
    }

    /// RopQueryNamedProperties — [MS-OXCPRPT] 3.2.5.6.
    pub(super) async fn rop_query_named_properties(
        &self,
        request: &Request,
        body: &QueryNamedPropertiesRequest,
        limit: usize,
    ) -> Outcome {
        let logon = self.logon(request)?;
        let wanted = |name: &PropName| {
            let kind = match name.kind {
                PropNameKind::Lid(_) => NO_IDS,
                PropNameKind::Name(_) => NO_STRINGS,
            };
            body.query_flags & kind == 0 && body.guid.0.is_none_or(|guid| guid == name.guid)
        };
        let all = logon.mailbox.all_prop_names().await.map_err(failed)?;
        let (prop_ids, names) = all
            .into_iter()
            .filter(|(_, name)| wanted(name))
            .map(|(id, name)| (id, MaybePropName::Named(name)))
            .unzip();
        let body = QueryNamedPropertiesResponse { prop_ids, names };
        let size = body.to_bytes().map_err(|_| MapiCode::BufferTooSmall)?.len();
        if size > limit.saturating_sub(6) {
            return refused(MapiCode::BufferTooSmall);
        }
        Ok(Answer::of(ResponseBody::QueryNamedProperties(body)))
    }
}
