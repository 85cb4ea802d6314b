//! A store without the transport form: what a client sees of a server that keeps standard properties only.

use std::sync::Arc;

use async_trait::async_trait;
use watertight_mapi::ics::GlobSet;
use watertight_mapi::prop::{Prop, PropBag, PropName};
use watertight_mapi::store::*;
use watertight_mapi::{GlobCnt, PropId, PropTag};
use watertight_mapi_mime::transport_form_name;
use watertight_wire::Guid;

/// The store behind it, less the transport form of its messages.
pub struct PlainStore(pub Arc<dyn Store>);

struct PlainMailbox {
    mailbox: Arc<dyn Mailbox>,
    hidden: PropName,
}

struct PlainView {
    view: Box<dyn ContentsView>,
    hidden: PropName,
}

fn strip(bag: &mut PropBag, hidden: &PropName) {
    bag.0.retain(|prop: &Prop| prop.name.as_deref() != Some(hidden));
}

#[async_trait]
impl Store for PlainStore {
    async fn account(&self, name: &str) -> StoreResult<Option<Account>> {
        self.0.account(name).await
    }
    async fn account_by_dn(&self, legacy_dn: &str) -> StoreResult<Option<Account>> {
        self.0.account_by_dn(legacy_dn).await
    }
    async fn account_by_address(&self, smtp_address: &str) -> StoreResult<Option<Account>> {
        self.0.account_by_address(smtp_address).await
    }
    async fn accounts(&self, after: Option<&Cursor>, limit: usize) -> StoreResult<Page<Account>> {
        self.0.accounts(after, limit).await
    }
    async fn create_account(&self, account: NewAccount) -> StoreResult<Account> {
        self.0.create_account(account).await
    }
    fn secrets(&self) -> &dyn Secrets {
        self.0.secrets()
    }
    async fn create_archive(&self, name: &str) -> StoreResult<Account> {
        self.0.create_archive(name).await
    }
    async fn public_store(&self) -> StoreResult<Option<Guid>> {
        self.0.public_store().await
    }
    async fn create_public_store(&self) -> StoreResult<Guid> {
        self.0.create_public_store().await
    }
    async fn access(&self, owner: Option<&str>, to: &str) -> StoreResult<Option<Access>> {
        self.0.access(owner, to).await
    }
    async fn grants(&self, owner: Option<&str>) -> StoreResult<Vec<Grant>> {
        self.0.grants(owner).await
    }
    async fn grant(&self, grant: Grant) -> StoreResult<()> {
        self.0.grant(grant).await
    }
    async fn revoke(&self, owner: Option<&str>, to: &str) -> StoreResult<()> {
        self.0.revoke(owner, to).await
    }
    async fn mailbox(&self, mailbox_guid: Guid) -> StoreResult<Arc<dyn Mailbox>> {
        let mailbox = self.0.mailbox(mailbox_guid).await?;
        Ok(Arc::new(PlainMailbox { mailbox, hidden: transport_form_name() }))
    }
    async fn rest(&self) {
        self.0.rest().await;
    }
}

macro_rules! forward {
    ($(fn $name:ident(&self $(, $arg:ident: $ty:ty)*) -> $result:ty;)*) => {
        #[async_trait]
        impl Mailbox for PlainMailbox {
            fn info(&self) -> &MailboxInfo {
                self.mailbox.info()
            }
            fn special(&self, folder: SpecialFolder) -> FolderId {
                self.mailbox.special(folder)
            }
            async fn message(&self, id: MessageId, deleted: bool) -> StoreResult<Message> {
                let mut message = self.mailbox.message(id, deleted).await?;
                strip(&mut message.content.props, &self.hidden);
                Ok(message)
            }
            async fn contents(
                &self,
                folder: FolderId,
                query: ContentsQuery,
            ) -> StoreResult<Box<dyn ContentsView>> {
                let view = self.mailbox.contents(folder, query).await?;
                Ok(Box::new(PlainView { view, hidden: self.hidden.clone() }))
            }
            $(async fn $name(&self $(, $arg: $ty)*) -> $result {
                self.mailbox.$name($($arg),*).await
            })*
        }
    };
}

forward! {
    fn prop_ids(&self, names: &[PropName], create: bool) -> StoreResult<Vec<Option<PropId>>>;
    fn prop_names(&self, ids: &[PropId]) -> StoreResult<Vec<Option<PropName>>>;
    fn all_prop_names(&self) -> StoreResult<Vec<(PropId, PropName)>>;
    fn allocate_ids(&self, count: u32) -> StoreResult<GlobCnt>;
    fn version(&self) -> StoreResult<u64>;
    fn folder(&self, id: FolderId, deleted: bool) -> StoreResult<Folder>;
    fn folders(&self, root: FolderId, depth: Depth, deleted: bool, after: Option<&Cursor>, limit: usize) -> StoreResult<Page<Folder>>;
    fn create_folder(&self, folder: NewFolder) -> StoreResult<(Folder, bool)>;
    fn change_folder(&self, id: FolderId, set: Vec<Prop>, remove: Vec<PropTag>) -> StoreResult<Folder>;
    fn move_folder(&self, id: FolderId, parent: FolderId, name: Option<String>) -> StoreResult<Folder>;
    fn delete_folder(&self, id: FolderId, how: DeleteFolder) -> StoreResult<Outcome>;
    fn folder_ids(&self, root: FolderId) -> StoreResult<Arc<GlobSet>>;
    fn folder_changes(&self, root: FolderId, seen: &GlobSet, after: Option<&Cursor>, limit: usize) -> StoreResult<Page<FolderChange>>;
    fn read_large(&self, id: u64, offset: u64, len: usize) -> StoreResult<Vec<u8>>;
    fn create_large(&self) -> StoreResult<u64>;
    fn write_large(&self, id: u64, offset: u64, bytes: &[u8]) -> StoreResult<u64>;
    fn resize_large(&self, id: u64, len: u64) -> StoreResult<()>;
    fn discard_large(&self, id: u64) -> StoreResult<()>;
    fn save_messages(&self, messages: Vec<SaveMessage>) -> StoreResult<Vec<MessageHead>>;
    fn delete_messages(&self, folder: FolderId, ids: &[MessageId], hard: bool) -> StoreResult<Outcome>;
    fn move_copy(&self, job: MoveCopy) -> StoreResult<Vec<Option<MessageHead>>>;
    fn set_read(&self, folder: FolderId, ids: &[MessageId], read: bool) -> StoreResult<u32>;
    fn set_status(&self, folder: FolderId, id: MessageId, status: u32, mask: u32) -> StoreResult<u32>;
    fn message_ids(&self, folder: FolderId, kind: ItemKind) -> StoreResult<Arc<GlobSet>>;
    fn deleted_ids(&self, folder: FolderId, ids: &GlobSet) -> StoreResult<Deleted>;
    fn changes_total(&self, folder: FolderId, kind: ItemKind, seen: &GlobSet) -> StoreResult<(u32, u64)>;
    fn message_changes(&self, folder: FolderId, kind: ItemKind, seen: &GlobSet, newest_first: bool, after: Option<&Cursor>, limit: usize) -> StoreResult<Page<MessageHead>>;
    fn read_changes(&self, folder: FolderId, read: &GlobSet, after: Option<&Cursor>, limit: usize) -> StoreResult<Page<MessageHead>>;
    fn last_change(&self) -> StoreResult<ChangeNumber>;
    fn last_event(&self) -> StoreResult<u64>;
    fn events(&self, after: u64) -> StoreResult<Events>;
    fn changed(&self, after: u64) -> StoreResult<()>;
}

#[async_trait]
impl ContentsView for PlainView {
    fn len(&self) -> usize {
        self.view.len()
    }
    async fn rows(&self, start: usize, limit: usize, columns: &[PropTag]) -> StoreResult<Vec<MessageRow>> {
        let mut rows = self.view.rows(start, limit, columns).await?;
        for row in &mut rows {
            strip(&mut row.props, &self.hidden);
        }
        Ok(rows)
    }
}
