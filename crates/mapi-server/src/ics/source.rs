use std::sync::Arc;

use watertight_ledger::{Entry, Ledger};
use watertight_mapi::{
    MapiCode, PropTag, ReplId,
    ics::{GlobSet, State},
    restriction::Restriction,
    rop::sync::SynchronizationConfigureRequest,
    store::{Attachment, FolderId, Mailbox, MessageContent, MessageHead, MessageId},
};
use watertight_wire::Guid;

use super::{
    CopyFlags, ExtraFlags, SendOptions, SyncFlags,
    contents::{Config, Contents, write_state},
    copy::{Copy, Job},
    filter::Filter,
    flags::SyncType,
    hierarchy::Hierarchy,
    output::Output,
    text::TextForm,
    upload::Upload,
};

/// The mailbox's replica as the logon numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replica {
    /// REPLID.
    pub id: ReplId,
    /// REPLGUID.
    pub guid: Guid,
}

/// What every source is made of.
#[derive(Clone)]
pub struct Origin {
    /// The mailbox.
    pub mailbox: Arc<dyn Mailbox>,
    /// Its replica.
    pub replica: Replica,
    /// The code page of the connection.
    pub code_page: u32,
    /// Where the source is counted.
    pub ledger: Ledger,
}

/// The fields of RopSynchronizationConfigure — [MS-OXCFXICS] 2.2.3.2.1.1.1.
#[derive(Debug, Clone, PartialEq)]
pub struct SyncRequest {
    /// SynchronizationType.
    pub sync_type: u8,
    /// SendOptions.
    pub send_options: u8,
    /// SynchronizationFlags.
    pub sync_flags: u16,
    /// RestrictionData.
    pub restriction: Option<Restriction>,
    /// SynchronizationExtraFlags.
    pub extra_flags: u32,
    /// PropertyTags.
    pub tags: Vec<PropTag>,
}

impl From<&SynchronizationConfigureRequest> for SyncRequest {
    fn from(request: &SynchronizationConfigureRequest) -> Self {
        Self {
            sync_type: request.sync_type,
            send_options: request.send_options,
            sync_flags: request.sync_flags,
            restriction: request.restriction.0.clone(),
            extra_flags: request.extra_flags,
            tags: request.tags.0.clone(),
        }
    }
}

/// TransferStatus — [MS-OXCFXICS] 2.2.3.1.1.5.2; the error (0) is a return value here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferStatus {
    /// More is to come.
    Partial,
    /// These were the last bytes.
    Done,
}

impl TransferStatus {
    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::Partial => 1,
            Self::Done => 3,
        }
    }
}

/// What RopFastTransferSourceGetBuffer answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filled {
    /// TransferBuffer.
    pub bytes: Vec<u8>,
    /// TransferStatus.
    pub status: TransferStatus,
    /// InProgressCount: messages (or folders) of TotalStepCount.
    pub progress: u16,
    /// TotalStepCount; both are scaled down when there are more than 65,535.
    pub total: u16,
}

/// A FastTransfer download context: what stands behind the handles of RopSynchronizationConfigure,
/// RopSynchronizationGetTransferState and RopFastTransferSourceCopy*.
pub struct Source {
    mailbox: Arc<dyn Mailbox>,
    content: Content,
    upload: Upload,
    out: Output,
    /// Why it cannot go on; every further call says the same (3.2.5.8.1.5).
    failed: Option<MapiCode>,
    origin: (Replica, u32, Ledger),
    entry: Entry,
}

enum Content {
    Contents(Box<Contents>),
    Hierarchy(Box<Hierarchy>),
    Copy(Box<Copy>),
    /// A state, and whether it is of a hierarchy, until it is written.
    State(Option<(Box<State>, bool)>),
}

impl Source {
    fn new(origin: Origin, content: Content, send: SendOptions) -> Self {
        let Origin { mailbox, replica, code_page, ledger } = origin;
        let entry = ledger.kind("fasttransfer sources").enter();
        let out = Output::new(TextForm::new(send, code_page));
        let origin = (replica, code_page, ledger);
        Self { mailbox, content, upload: Upload::default(), out, failed: None, origin, entry }
    }

    /// RopSynchronizationConfigure on a folder — [MS-OXCFXICS] 3.2.5.9.1.1.
    ///
    /// # Errors
    /// [`MapiCode::InvalidParameter`] for an unknown type, flags that may not be set, and what a hierarchy
    /// synchronization cannot have.
    pub fn synchronize(origin: Origin, folder: FolderId, request: SyncRequest) -> Result<Self, MapiCode> {
        let flags = SyncFlags(request.sync_flags);
        let send = SendOptions(request.send_options);
        if flags.without(SyncFlags::KNOWN) != SyncFlags::default()
            || send.without(SendOptions::KNOWN) != SendOptions::default()
        {
            return Err(MapiCode::InvalidParameter);
        }
        // The Unicode flag of either field asks for Unicode: clients set one and forget the other.
        let text = if flags.contains(SyncFlags::Unicode) { send | SendOptions::Unicode } else { send };
        let filter = if flags.contains(SyncFlags::OnlySpecifiedProperties) {
            Filter::Only(request.tags)
        } else {
            Filter::Except(request.tags)
        };
        let config = Config {
            folder,
            replica: origin.replica,
            flags,
            extra: ExtraFlags(request.extra_flags),
            send,
            filter,
            restriction: request.restriction,
        };
        let content = match SyncType(request.sync_type) {
            SyncType::Contents => Content::Contents(Box::new(Contents::new(config))),
            SyncType::Hierarchy if config.restriction.is_none() => {
                Content::Hierarchy(Box::new(Hierarchy::new(config)))
            }
            _ => return Err(MapiCode::InvalidParameter),
        };
        Ok(Self::new(origin, content, text))
    }

    /// RopSynchronizationGetTransferState: the state uploaded, before the download is complete; then the final one
    /// (3.2.5.9.3.1). What happens to this source later does not change it.
    ///
    /// # Errors
    /// [`MapiCode::NotSupported`] for what is no synchronization.
    pub fn transfer_state(&self) -> Result<Self, MapiCode> {
        let hierarchy = matches!(self.content, Content::Hierarchy(_));
        let state = self.state().ok_or(MapiCode::NotSupported)?;
        let (replica, code_page, ledger) = self.origin.clone();
        let origin = Origin { mailbox: Arc::clone(&self.mailbox), replica, code_page, ledger };
        Ok(Self::new(origin, Content::State(Some((Box::new(state), hierarchy))), SendOptions::default()))
    }

    /// RopFastTransferSourceCopyTo of an open message: its content as the handle has it, the head when it was saved.
    ///
    /// # Errors
    /// [`MapiCode::InvalidParameter`] for unknown flags.
    pub fn copy_message(
        origin: Origin,
        head: Option<MessageHead>,
        content: MessageContent,
        options: CopyOptions,
    ) -> Result<Self, MapiCode> {
        Self::copy(origin, options, Job::Content(head.map(Box::new), content))
    }

    /// RopFastTransferSourceCopyTo of an open attachment.
    ///
    /// # Errors
    /// [`MapiCode::InvalidParameter`] for unknown flags.
    pub fn copy_attachment(
        origin: Origin,
        attachment: Attachment,
        options: CopyOptions,
    ) -> Result<Self, MapiCode> {
        Self::copy(origin, CopyOptions { descendants: true, ..options }, Job::Attachment(attachment))
    }

    /// RopFastTransferSourceCopyTo of a folder.
    ///
    /// # Errors
    /// [`MapiCode::InvalidParameter`] for unknown flags.
    pub fn copy_folder(origin: Origin, folder: FolderId, options: CopyOptions) -> Result<Self, MapiCode> {
        Self::copy(origin, options, Job::Folder(folder))
    }

    /// RopFastTransferSourceCopyFolder: the folder's messages, with its subfolders or without.
    ///
    /// # Errors
    /// [`MapiCode::InvalidParameter`] for unknown flags.
    pub fn copy_top_folder(
        origin: Origin,
        folder: FolderId,
        subfolders: bool,
        options: CopyOptions,
    ) -> Result<Self, MapiCode> {
        Self::copy(origin, options, Job::Top(folder, subfolders))
    }

    /// RopFastTransferSourceCopyMessages of a folder. Messages that are not in it are left out.
    ///
    /// # Errors
    /// [`MapiCode::InvalidParameter`] for unknown flags, or no messages.
    pub fn copy_messages(
        origin: Origin,
        folder: FolderId,
        mut ids: Vec<MessageId>,
        options: CopyOptions,
    ) -> Result<Self, MapiCode> {
        if ids.is_empty() {
            return Err(MapiCode::InvalidParameter);
        }
        ids.reverse();
        Self::copy(origin, options, Job::List(folder, ids))
    }

    fn copy(origin: Origin, options: CopyOptions, job: Job) -> Result<Self, MapiCode> {
        let send = SendOptions(options.send_options);
        if send.without(SendOptions::KNOWN) != SendOptions::default() {
            return Err(MapiCode::InvalidParameter);
        }
        let filter = match options.tags {
            CopyTags::Except(tags) => Filter::Except(tags),
            CopyTags::Only(tags) => Filter::Only(tags),
        };
        let filter = if options.descendants { filter } else { filter.without_descendants() };
        let copy = Copy::new(origin.replica, options.flags, send, filter, job);
        Ok(Self::new(origin, Content::Copy(Box::new(copy)), send))
    }

    /// RopSynchronizationUploadStateStreamBegin.
    ///
    /// # Errors
    /// [`MapiCode::NotSupported`] when the download has begun, a property is open already, or this is no
    /// synchronization; [`MapiCode::InvalidParameter`] for another property.
    pub fn put_state_begin(&mut self, tag: PropTag, size: u32) -> Result<(), MapiCode> {
        self.may_upload()?;
        self.upload.begin(tag, size)
    }

    /// RopSynchronizationUploadStateStreamContinue.
    ///
    /// # Errors
    /// [`MapiCode::NotSupported`] when no property is open; [`MapiCode::InvalidParameter`] beyond 16 MiB.
    pub fn put_state_continue(&mut self, bytes: &[u8]) -> Result<(), MapiCode> {
        self.may_upload()?;
        self.upload.more(bytes)?;
        self.entry.set_bytes(self.upload.held());
        Ok(())
    }

    /// RopSynchronizationUploadStateStreamEnd.
    ///
    /// # Errors
    /// [`MapiCode::NotSupported`] when no property is open; [`MapiCode::RpcFormat`] for bytes that are not a set.
    pub fn put_state_end(&mut self) -> Result<(), MapiCode> {
        self.may_upload()?;
        let done = self.upload.end();
        self.entry.set_bytes(self.upload.held());
        done
    }

    fn may_upload(&self) -> Result<(), MapiCode> {
        let begun = match &self.content {
            Content::Contents(sync) => sync.has_begun(),
            Content::Hierarchy(sync) => sync.has_begun(),
            Content::Copy(_) | Content::State(_) => true,
        };
        if begun { Err(MapiCode::NotSupported) } else { Ok(()) }
    }

    /// The state of a synchronization: as it was uploaded, or the final one when all is produced.
    #[must_use]
    pub fn state(&self) -> Option<State> {
        let initial = &self.upload.state;
        match &self.content {
            Content::Contents(sync) if sync.is_done() => Some(sync.final_state(initial)),
            Content::Hierarchy(sync) if sync.is_done() => Some(sync.final_state(initial)),
            Content::Contents(_) | Content::Hierarchy(_) => Some(initial.clone()),
            Content::Copy(_) | Content::State(_) => None,
        }
    }

    /// RopFastTransferSourceGetBuffer: the next bytes of the stream, `max` at most.
    ///
    /// # Errors
    /// [`MapiCode::BufferTooSmall`] when the next atom is longer than `max`: ask again for more. Any other code ends
    /// the download (TransferStatus Error).
    pub async fn fill(&mut self, max: usize) -> Result<Filled, MapiCode> {
        if let Some(code) = self.failed {
            return Err(code);
        }
        while self.out.writer.len() < max && !self.is_produced() {
            if let Err(code) = self.step().await {
                self.failed = Some(code);
                self.entry.set_bytes(0);
                return Err(code);
            }
        }
        let bytes = self.out.writer.take(max);
        self.entry.set_bytes(self.out.writer.len());
        if bytes.is_empty() && !self.out.writer.is_empty() {
            return Err(MapiCode::BufferTooSmall);
        }
        let done = self.is_produced() && self.out.writer.is_empty();
        let (progress, total) = self.progress();
        let status = if done { TransferStatus::Done } else { TransferStatus::Partial };
        Ok(Filled { bytes, status, progress, total })
    }

    fn is_produced(&self) -> bool {
        let content = match &self.content {
            Content::Contents(sync) => sync.is_done(),
            Content::Hierarchy(sync) => sync.is_done(),
            Content::Copy(copy) => copy.is_done(),
            Content::State(state) => state.is_none(),
        };
        content && self.out.is_idle()
    }

    async fn step(&mut self) -> Result<(), MapiCode> {
        let (mailbox, out) = (&*self.mailbox, &mut self.out);
        if !out.is_idle() {
            let Err(code) = out.pump(mailbox).await else { return Ok(()) };
            return match &mut self.content {
                Content::Contents(sync) => sync.interrupted(code, out),
                Content::Copy(copy) => copy.interrupted(code, out),
                Content::Hierarchy(_) | Content::State(_) => Err(code),
            };
        }
        match &mut self.content {
            Content::Contents(sync) => sync.step(mailbox, &self.upload.state, out).await,
            Content::Hierarchy(sync) => sync.step(mailbox, &self.upload.state, out).await,
            Content::Copy(copy) => copy.step(mailbox, out).await,
            Content::State(state) => {
                if let Some((state, hierarchy)) = state.take() {
                    write_state(out, &state, hierarchy);
                }
                Ok(())
            }
        }
    }

    fn progress(&self) -> (u16, u16) {
        let (done, total) = match &self.content {
            Content::Contents(sync) => (sync.done, sync.total),
            Content::Hierarchy(sync) => (sync.done, sync.total),
            Content::Copy(copy) => (copy.done, copy.total),
            Content::State(_) => (1, 1),
        };
        let (done, total) = (done.min(total), total);
        let scale = total.div_ceil(u32::from(u16::MAX)).max(1);
        let small = |n: u32| u16::try_from(n.checked_div(scale).unwrap_or(0)).unwrap_or(u16::MAX);
        (small(done), small(total))
    }
}

impl core::fmt::Debug for Source {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let (done, total) = self.progress();
        f.debug_struct("Source").field("done", &done).field("total", &total).finish_non_exhaustive()
    }
}

/// The fields of RopFastTransferSourceCopy* — [MS-OXCFXICS] 2.2.3.1.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyOptions {
    /// CopyFlags.
    pub flags: CopyFlags,
    /// SendOptions.
    pub send_options: u8,
    /// PropertyTags.
    pub tags: CopyTags,
    /// Whether what is below the object goes out: Level 0.
    pub descendants: bool,
}

/// What PropertyTags means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyTags {
    /// RopFastTransferSourceCopyTo: all but these.
    Except(Vec<PropTag>),
    /// RopFastTransferSourceCopyProperties: only these.
    Only(Vec<PropTag>),
}

/// The counters of this mailbox in a state's set.
pub(super) fn own(set: Option<&GlobSet>) -> GlobSet {
    set.cloned().unwrap_or_default()
}
