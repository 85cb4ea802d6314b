//! What clients ask of public folders: where they are, and what somebody has read — [MS-OXCSTOR] 3.2.5.6, 3.2.5.7,
//! 3.2.5.10 to 3.2.5.12.
//!
//! There is one server, so no folder is a ghost of one elsewhere; and nothing is kept for each user: what is read is
//! read for all.

use watertight_mapi::{
    MapiCode,
    rop::{
        Request, ResponseBody,
        field::{Ascii, Bytes16, Maybe, Servers},
        logon::{
            GetOwningServersRequest, GetPerUserLongTermIdsResponse, PublicFolderIsGhostedRequest,
            PublicFolderIsGhostedResponse, ReadPerUserInformationResponse,
        },
    },
};

use super::{Answer, Outcome, Session, failed, logon::Logon, refused};

/// Of the one server that there is.
const SERVER_DN: &str = "/o=Watertight/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Configuration/\
    cn=Servers/cn=watertight";

impl Session {
    /// RopGetOwningServers — [MS-OXCSTOR] 3.2.5.6.
    pub(super) async fn rop_get_owning_servers(
        &self,
        request: &Request,
        body: &GetOwningServersRequest,
    ) -> Outcome {
        let logon = self.logon(request)?;
        if !logon.is_public() {
            return refused(MapiCode::NotSupported);
        }
        logon.mailbox.folder(Logon::folder_id(body.folder_id)?, false).await.map_err(failed)?;
        let servers = Servers { cheap: 1, names: vec![Ascii(SERVER_DN.as_bytes().to_vec())] };
        Ok(Answer::of(ResponseBody::GetOwningServers(servers)))
    }

    /// RopPublicFolderIsGhosted — [MS-OXCSTOR] 3.2.5.7.
    pub(super) async fn rop_public_folder_is_ghosted(
        &self,
        request: &Request,
        body: &PublicFolderIsGhostedRequest,
    ) -> Outcome {
        let logon = self.logon(request)?;
        logon.mailbox.folder(Logon::folder_id(body.folder_id)?, false).await.map_err(failed)?;
        let body = PublicFolderIsGhostedResponse { ghosted: Maybe(None) };
        Ok(Answer::of(ResponseBody::PublicFolderIsGhosted(body)))
    }

    /// RopGetPerUserLongTermIds — [MS-OXCSTOR] 3.2.5.10: no mailbox keeps data of public folders.
    pub(super) fn rop_get_per_user_long_term_ids(&self, request: &Request) -> Outcome {
        self.private_logon(request)?;
        let body = GetPerUserLongTermIdsResponse { long_term_ids: Vec::new().into() };
        Ok(Answer::of(ResponseBody::GetPerUserLongTermIds(body)))
    }

    /// RopGetPerUserGuid — [MS-OXCSTOR] 3.2.5.11: no mailbox keeps data of public folders.
    pub(super) fn rop_get_per_user_guid(&self, request: &Request) -> Outcome {
        self.private_logon(request)?;
        refused(MapiCode::NotFound)
    }

    /// RopReadPerUserInformation — [MS-OXCSTOR] 3.2.5.12: there is none.
    pub(super) fn rop_read_per_user_information(&self, request: &Request) -> Outcome {
        self.logon(request)?;
        let body = ReadPerUserInformationResponse { has_finished: true.into(), data: Bytes16(Vec::new()) };
        Ok(Answer::of(ResponseBody::ReadPerUserInformation(body)))
    }
}
