use std::sync::Arc;

use watertight_mapi::{
    PropId, PropName,
    store::{NewAccount, NtHash, SecretKinds, Store, StoreError, TokenHash},
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
