use std::sync::Arc;

use watertight_mapi::{
    PropId, PropName,
    store::{
        Access, Depth, Grant, MailboxKind, NewAccount, NewFolder, NtHash, PUBLIC_DN, SecretKinds,
        SpecialFolder, Store, StoreError, TokenHash, split_dn,
    },
};
use watertight_wire::Guid;

use super::{alice, mailbox};

pub(super) async fn accounts(store: Arc<impl Store + 'static>) {
    let account = store.create_account(alice()).await.unwrap();
    assert_eq!(account.legacy_dn, watertight_mapi::store::legacy_dn("alice"));
    assert_eq!(store.account("aLICE").await.unwrap().as_ref(), Some(&account));
    assert_eq!(store.account("bob").await.unwrap(), None);
    let dn = account.legacy_dn.to_uppercase();
    assert_eq!(store.account_by_dn(&dn).await.unwrap().as_ref(), Some(&account));
    assert!(matches!(store.create_account(alice()).await, Err(StoreError::Exists(_))));
    let same_address = NewAccount { name: "bob".into(), ..alice() };
    assert!(matches!(store.create_account(same_address).await, Err(StoreError::Exists(_))));
    for name in ["", "a/b", "a:b", "a\\b", "a\nb", " a", &"x".repeat(65)] {
        let bad = NewAccount { name: name.into(), smtp_address: "x@y".into(), ..alice() };
        assert!(matches!(store.create_account(bad).await, Err(StoreError::Invalid(_))), "{name:?}");
    }
    let address = account.smtp_address.to_uppercase();
    assert_eq!(store.account_by_address(&address).await.unwrap().as_ref(), Some(&account));
    assert_eq!(store.account_by_address("").await.unwrap(), None);
    assert!(matches!(store.mailbox(Guid::NIL).await, Err(StoreError::NotFound(_))));
    let info = store.mailbox(account.mailbox_guid).await.unwrap().info().clone();
    assert_eq!((info.mailbox_guid, info.legacy_dn), (account.mailbox_guid, account.legacy_dn));
    assert_eq!((info.display_name, info.smtp_address), (account.display_name, account.smtp_address));
    assert_ne!(info.repl_guid, info.mailbox_guid);
}

pub(super) async fn secrets(store: Arc<impl Store + 'static>) {
    store.create_account(alice()).await.unwrap();
    store
        .create_account(NewAccount { name: "Bob".into(), smtp_address: String::new(), ..alice() })
        .await
        .unwrap();
    let secrets = store.secrets();
    assert_eq!(secrets.kinds().await.unwrap(), SecretKinds::default());
    assert_eq!(secrets.nt_hash("alice").await.unwrap(), None);
    let hash = NtHash([7; 16]);
    secrets.set_password("ALICE", "other", Some(hash)).await.unwrap();
    assert_eq!(store.account("alice").await.unwrap().unwrap().password_hash, "other");
    assert_eq!(secrets.nt_hash("Alice").await.unwrap(), Some(hash));
    assert_eq!(secrets.nt_hash("bob").await.unwrap(), None);
    assert_eq!(secrets.kinds().await.unwrap(), SecretKinds { nt_hashes: true, tokens: false });
    // The hash of a former password is gone.
    secrets.set_password("alice", "third", None).await.unwrap();
    assert_eq!(secrets.nt_hash("alice").await.unwrap(), None);
    assert!(matches!(secrets.set_password("carol", "x", Some(hash)).await, Err(StoreError::NotFound(_))));

    let token = |n| TokenHash([n; 32]);
    secrets.add_token("alice", token(1), 100, 0).await.unwrap();
    secrets.add_token("alice", token(2), 200, 0).await.unwrap();
    secrets.add_token("Bob", token(3), 100, 0).await.unwrap();
    assert!(matches!(secrets.add_token("alice", token(1), 1, 0).await, Err(StoreError::Exists(_))));
    assert!(matches!(secrets.add_token("carol", token(4), 1, 0).await, Err(StoreError::NotFound(_))));
    let found = secrets.token(token(3)).await.unwrap().unwrap();
    assert_eq!(store.account(&found.account).await.unwrap().unwrap().name, "Bob");
    assert_eq!(found.expires, 100);
    assert_eq!(secrets.token(token(9)).await.unwrap(), None);
    assert_eq!(secrets.kinds().await.unwrap(), SecretKinds { nt_hashes: false, tokens: true });
    // The first has ended by now; the other account's is its own affair.
    secrets.add_token("alice", token(5), 300, 101).await.unwrap();
    let left = [secrets.token(token(1)).await.unwrap(), secrets.token(token(3)).await.unwrap()];
    assert_eq!(left.map(|token| token.is_some()), [false, true]);
    assert_eq!(secrets.revoke_tokens("ALICE").await.unwrap(), 2);
    assert_eq!(secrets.revoke_tokens("alice").await.unwrap(), 0);
    assert!(matches!(secrets.revoke_tokens("carol").await, Err(StoreError::NotFound(_))));
    assert!(secrets.token(token(3)).await.unwrap().is_some());
    assert!(!format!("{hash:?} {:?}", token(7)).contains('7'));
}

pub(super) async fn accounts_are_paged(store: Arc<impl Store + 'static>) {
    for n in [3, 1, 4, 0, 2] {
        let new = NewAccount { name: format!("User{n}"), smtp_address: String::new(), ..alice() };
        store.create_account(new).await.unwrap();
    }
    let (mut names, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.accounts(cursor.as_ref(), 2).await.unwrap();
        assert!(page.items.len() <= 2);
        names.extend(page.items.into_iter().map(|a| a.name));
        let Some(next) = page.next else { break };
        cursor = Some(next);
    }
    assert_eq!(names, ["User0", "User1", "User2", "User3", "User4"]);
}

pub(super) async fn archives(store: Arc<impl Store + 'static>) {
    let account = store.create_account(alice()).await.unwrap();
    assert_eq!((account.archive, account.archive_dn()), (None, None));
    assert!(matches!(store.create_archive("bob").await, Err(StoreError::NotFound(_))));
    let with = store.create_archive("ALICE").await.unwrap();
    assert!(matches!(store.create_archive("alice").await, Err(StoreError::Exists(_))));
    assert_eq!(store.account("alice").await.unwrap().as_ref(), Some(&with));
    assert_eq!(store.account_by_address("Alice@Example.org").await.unwrap().as_ref(), Some(&with));
    assert_eq!(store.account_by_address("").await.unwrap(), None);
    assert_eq!(store.accounts(None, 5).await.unwrap().items, std::slice::from_ref(&with));
    let guid = with.archive.unwrap();
    assert_ne!(guid, account.mailbox_guid);
    let archive = store.mailbox(guid).await.unwrap();
    let info = archive.info().clone();
    assert_eq!((info.kind, info.mailbox_guid), (MailboxKind::Archive, guid));
    assert_eq!(Some(&info.legacy_dn), with.archive_dn().as_ref());
    assert_eq!(split_dn(&info.legacy_dn), (account.legacy_dn.as_str(), Some(guid.to_string().as_str())));
    super::filled(&archive, 2).await;
    let own = store.mailbox(account.mailbox_guid).await.unwrap();
    assert_eq!(own.info().kind, MailboxKind::Private);
    assert_ne!(own.info().repl_guid, info.repl_guid);
    assert_eq!(own.folder(own.special(SpecialFolder::Inbox), false).await.unwrap().counts.messages, 0);
    // A changed password leaves it alone.
    store.secrets().set_password("alice", "other", None).await.unwrap();
    assert_eq!(store.account("alice").await.unwrap().unwrap().archive, Some(guid));
}

pub(super) async fn public_folders(store: Arc<impl Store + 'static>) {
    assert_eq!(store.public_store().await.unwrap(), None);
    let guid = store.create_public_store().await.unwrap();
    assert!(matches!(store.create_public_store().await, Err(StoreError::Exists(_))));
    assert_eq!(store.public_store().await.unwrap(), Some(guid));
    let public = store.mailbox(guid).await.unwrap();
    assert_eq!(public.info().kind, MailboxKind::Public);
    assert_eq!(public.info().legacy_dn, PUBLIC_DN);
    let root = public.special(SpecialFolder::Root);
    let all = public.folders(root, Depth::All, false, None, 100).await.unwrap().items;
    let names: Vec<_> = all.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(
        names,
        ["IPM_SUBTREE", "NON_IPM_SUBTREE", "EFORMS REGISTRY", "OFFLINE ADDRESS BOOK", "SCHEDULE+ FREE BUSY"]
    );
    for special in SpecialFolder::PUBLIC {
        assert!(public.folder(public.special(special), false).await.is_ok(), "{special:?}");
        if special != SpecialFolder::Root {
            let refused = public.delete_folder(public.special(special), Default::default()).await;
            assert!(matches!(refused, Err(StoreError::Denied(_))), "{special:?}");
        }
    }
    let folder = NewFolder {
        parent: public.special(SpecialFolder::IpmSubtree),
        name: "News".to_owned(),
        kind: watertight_mapi::store::FolderKind::Generic,
        props: Default::default(),
        open_existing: false,
    };
    let news = public.create_folder(folder).await.unwrap().0.id;
    super::save(&public, super::new(news, super::mail("a post", 5))).await;
    assert_eq!(public.folder(news, false).await.unwrap().counts.messages, 1);
}

pub(super) async fn rights(store: Arc<impl Store + 'static>) {
    for name in ["Owner", "Bea", "Cem"] {
        let new = NewAccount { name: name.into(), smtp_address: String::new(), ..alice() };
        store.create_account(new).await.unwrap();
    }
    let right = |owner: Option<&str>, to: &str, access| Grant {
        owner: owner.map(str::to_owned),
        to: to.to_owned(),
        access,
    };
    store.grant(right(Some("owner"), "CEM", Access::Write)).await.unwrap();
    store.grant(right(Some("OWNER"), "bea", Access::Write)).await.unwrap();
    store.grant(right(Some("owner"), "bea", Access::Read)).await.unwrap();
    let given = [right(Some("Owner"), "Bea", Access::Read), right(Some("Owner"), "Cem", Access::Write)];
    assert_eq!(store.grants(Some("oWner")).await.unwrap(), given);
    assert_eq!(store.access(Some("Owner"), "BEA").await.unwrap(), Some(Access::Read));
    assert_eq!(store.access(Some("Owner"), "cem").await.unwrap(), Some(Access::Write));
    // It holds in one direction, in one mailbox.
    assert_eq!(store.access(Some("cem"), "owner").await.unwrap(), None);
    assert_eq!(store.access(None, "cem").await.unwrap(), None);
    store.revoke(Some("owner"), "CEM").await.unwrap();
    assert_eq!(store.access(Some("Owner"), "cem").await.unwrap(), None);
    assert!(matches!(store.revoke(Some("owner"), "cem").await, Err(StoreError::NotFound(_))));
    for wrong in [right(Some("owner"), "nobody", Access::Read), right(Some("nobody"), "bea", Access::Read)] {
        assert!(matches!(store.grant(wrong).await, Err(StoreError::NotFound(_))));
    }
    let oneself = store.grant(right(Some("bea"), "BEA", Access::Read)).await;
    assert!(matches!(oneself, Err(StoreError::Invalid(_))));
    assert_eq!(store.grants(Some("nobody")).await.unwrap(), []);

    let public = right(None, "Bea", Access::Write);
    assert!(matches!(store.grant(public.clone()).await, Err(StoreError::NotFound(_))));
    store.create_public_store().await.unwrap();
    store.grant(public.clone()).await.unwrap();
    assert_eq!(store.grants(None).await.unwrap(), [public]);
    assert_eq!(store.access(None, "bea").await.unwrap(), Some(Access::Write));
    store.revoke(None, "bea").await.unwrap();
    assert_eq!(store.grants(None).await.unwrap(), []);
}

pub(super) async fn names_of_properties(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let names: Vec<_> = [
        PropName::lid(Guid::from_bytes([1; 16]), 0x8501),
        PropName::lid(Guid::from_bytes([1; 16]), u32::MAX),
        PropName::string(Guid::from_bytes([2; 16]), "Keywörds"),
        PropName::string(Guid::from_bytes([3; 16]), "Keywörds"),
    ]
    .into();
    assert_eq!(mailbox.prop_ids(&names, false).await.unwrap(), [None; 4]);
    let given = mailbox.prop_ids(&names, true).await.unwrap();
    assert_eq!(given, [0x8000, 0x8001, 0x8002, 0x8003].map(|id| Some(PropId(id))));
    assert_eq!(mailbox.prop_ids(&names, true).await.unwrap(), given);
    assert_eq!(mailbox.prop_ids(&names, false).await.unwrap(), given);
    let asked = [PropId(0x8002), PropId(0x8010), PropId(0x37)];
    assert_eq!(mailbox.prop_names(&asked).await.unwrap(), [Some(names[2].clone()), None, None]);
    let all: Vec<_> = given.into_iter().flatten().zip(names).collect();
    assert_eq!(mailbox.all_prop_names().await.unwrap(), all);
    let too_long = [PropName::string(Guid::NIL, "x".repeat(128))];
    assert!(mailbox.prop_ids(&too_long, true).await.is_err());
}

pub(super) async fn counters_are_given_out_once(store: Arc<impl Store + 'static>) {
    let mailbox = mailbox(&store).await;
    let first = mailbox.allocate_ids(100).await.unwrap().value();
    let second = mailbox.allocate_ids(1).await.unwrap().value();
    assert!(second >= first + 100);
    assert!(mailbox.allocate_ids(5).await.unwrap().value() > second);
    let heads = super::filled(&mailbox, 1).await;
    assert!(heads[0].id.0.value() > second + 4);
}
