//! Named properties — [MS-OXCPRPT] 2.2.12, 2.2.13. The map belongs to the mailbox and never changes for a name that has
//! an identifier, so what was asked once is known for as long as the logon.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use watertight_mapi::prop::{Prop, PropBag, PropData};
use watertight_mapi::rop::RequestBody;
use watertight_mapi::rop::property::{GetNamesFromPropertyIdsRequest, GetPropertyIdsFromNamesRequest};
use watertight_mapi::{MapiCode, PropId, PropName, PropTag};
use watertight_wire::Wire;

use super::batch::{Batch, MAX_BYTES, body};
use crate::error::{Error, ProtocolError, SetupError};
use crate::logon::Logon;

/// Names that are remembered; with more, all are forgotten and asked again.
const MAX_KNOWN: usize = 4096;
/// Identifiers in one request: each may be answered with a name of 275 bytes.
const MAX_IDS: usize = 100;
/// Create — [MS-OXCPRPT] 2.2.12.1.
const CREATE: u8 = 0x02;

/// The names that are known.
#[derive(Default)]
pub(crate) struct Names {
    ids: HashMap<Arc<PropName>, PropId>,
    names: HashMap<PropId, Option<Arc<PropName>>>,
}

impl Names {
    fn learn(&mut self, name: &Arc<PropName>, id: PropId) {
        self.make_room();
        self.ids.insert(Arc::clone(name), id);
        self.names.insert(id, Some(Arc::clone(name)));
    }

    fn make_room(&mut self) {
        if self.ids.len().max(self.names.len()) >= MAX_KNOWN {
            self.ids.clear();
            self.names.clear();
        }
    }
}

impl Logon {
    /// The identifiers of names, in order — [MS-OXCPRPT] 2.2.12 RopGetPropertyIdsFromNames. With `create`, names that the
    /// mailbox does not know get one; without, they are `None`.
    ///
    /// # Errors
    /// [`Error::Refused`], when the mailbox takes no more names for example.
    #[doc(alias = "GetIDsFromNames")]
    pub async fn prop_ids(&self, names: &[PropName], create: bool) -> Result<Vec<Option<PropId>>, Error> {
        let mut found: HashMap<&PropName, PropId> = HashMap::new();
        {
            let known = self.inner.names.lock().unwrap_or_else(PoisonError::into_inner);
            found.extend(names.iter().filter_map(|name| Some((name, *known.ids.get(name)?))));
        }
        let mut unknown: Vec<&PropName> = names.iter().filter(|name| !found.contains_key(*name)).collect();
        unknown.sort_unstable();
        unknown.dedup();
        let mut rest = unknown.as_slice();
        while !rest.is_empty() {
            let mut size = 0_usize;
            let mut count = 0_usize;
            for name in rest {
                let bytes = name.to_bytes().map_err(SetupError::NoWireForm)?.len();
                size = size.saturating_add(bytes);
                if count > 0 && size > MAX_BYTES {
                    break;
                }
                count = count.saturating_add(1);
            }
            let (part, others) = rest.split_at(count);
            rest = others;
            for (name, id) in part.iter().zip(self.ask_ids(part, create).await?) {
                if id != PropId::default() {
                    found.insert(name, id);
                    let mut known = self.inner.names.lock().unwrap_or_else(PoisonError::into_inner);
                    known.learn(&Arc::new((*name).clone()), id);
                }
            }
        }
        Ok(names.iter().map(|name| found.get(name).copied()).collect())
    }

    async fn ask_ids(&self, names: &[&PropName], create: bool) -> Result<Vec<PropId>, Error> {
        let mut batch = Batch::on(self.handle().raw());
        let request = GetPropertyIdsFromNamesRequest {
            flags: if create { CREATE } else { 0 },
            names: names.iter().map(|name| (*name).clone()).collect::<Vec<_>>().into(),
        };
        let at = batch.push(0, RequestBody::GetPropertyIdsFromNames(request))?;
        let mut answers = batch.ask(&self.requester).await?;
        let ids = match body!(answers, at, GetPropertyIdsFromNames) {
            Ok(body) => body.prop_ids.0,
            // Some servers refuse when none of the names is known.
            Err(Error::Refused { code: MapiCode::NotFound, .. }) if !create => {
                vec![PropId::default(); names.len()]
            }
            Err(error) => return Err(error),
        };
        counted(ids, names.len(), "RopGetPropertyIdsFromNames")
    }

    /// The names of identifiers, in order — [MS-OXCPRPT] 2.2.13 RopGetNamesFromPropertyIds; `None` for those that have
    /// none.
    ///
    /// # Errors
    /// [`Error::Refused`].
    #[doc(alias = "GetNamesFromIDs")]
    pub async fn prop_names(&self, ids: &[PropId]) -> Result<Vec<Option<Arc<PropName>>>, Error> {
        let mut found: HashMap<PropId, Option<Arc<PropName>>> = HashMap::new();
        {
            let known = self.inner.names.lock().unwrap_or_else(PoisonError::into_inner);
            found.extend(ids.iter().filter_map(|id| Some((*id, known.names.get(id)?.clone()))));
        }
        let mut unknown: Vec<PropId> = ids.iter().copied().filter(|id| !found.contains_key(id)).collect();
        unknown.sort_unstable();
        unknown.dedup();
        for part in unknown.chunks(MAX_IDS) {
            let mut batch = Batch::on(self.handle().raw());
            let request = GetNamesFromPropertyIdsRequest { prop_ids: part.to_vec().into() };
            let at = batch.push(0, RequestBody::GetNamesFromPropertyIds(request))?;
            let mut answers = batch.ask(&self.requester).await?;
            let names = body!(answers, at, GetNamesFromPropertyIds)?.names.0;
            let names = counted(names, part.len(), "RopGetNamesFromPropertyIds")?;
            let mut known = self.inner.names.lock().unwrap_or_else(PoisonError::into_inner);
            for (id, name) in part.iter().zip(names) {
                let name = name.into_name().map(Arc::new);
                if let Some(name) = &name {
                    known.learn(name, *id);
                }
                found.insert(*id, name);
            }
        }
        Ok(ids.iter().map(|id| found.get(id).cloned().flatten()).collect())
    }

    /// Gives the named properties of a bag their names.
    pub(crate) async fn name(&self, bag: &mut PropBag) -> Result<(), Error> {
        let ids: Vec<PropId> =
            bag.0.iter().filter(|p| p.tag.is_named() && p.name.is_none()).map(|p| p.tag.id()).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let mut names = self.prop_names(&ids).await?.into_iter();
        for prop in bag.0.iter_mut().filter(|p| p.tag.is_named() && p.name.is_none()) {
            prop.name = names.next().flatten();
        }
        Ok(())
    }

    /// The tags of properties as this mailbox numbers them, in order; names that are not known get a number.
    pub(crate) async fn tags_of(&self, props: &[Prop]) -> Result<Vec<PropTag>, Error> {
        let names: Vec<PropName> = props.iter().filter_map(|p| p.name.as_deref().cloned()).collect();
        let mut ids = if names.is_empty() {
            Vec::new().into_iter()
        } else {
            self.prop_ids(&names, true).await?.into_iter()
        };
        props
            .iter()
            .map(|prop| {
                let ty = match &prop.value {
                    PropData::Inline(value) => value.ty(),
                    PropData::Large(_) => prop.tag.ty(),
                };
                match &prop.name {
                    None => Ok(prop.tag.with_type(ty)),
                    Some(_) => match ids.next().flatten() {
                        Some(id) => Ok(PropTag::new(id, ty)),
                        None => Err(Error::Refused {
                            operation: "RopGetPropertyIdsFromNames",
                            code: MapiCode::NamedPropertyQuotaExceeded,
                        }),
                    },
                }
            })
            .collect()
    }
}

/// As many as were asked for.
fn counted<T>(items: Vec<T>, count: usize, operation: &str) -> Result<Vec<T>, Error> {
    if items.len() != count {
        let what = format!("{operation} was asked for {count} and answered {}", items.len());
        return Err(ProtocolError::Unexpected(what).into());
    }
    Ok(items)
}
