//! `watertight who`, and the client's address book against our server.

use crate::bed::Bed;
use crate::harness::{House, ended, watertight};
use watertight_mapi::nspi::tags;
use watertight_mapi::prop::PropValue;
use watertight_mapi::store::{NewAccount, legacy_dn};
use watertight_mapi_client::{AddressBook, Connector, Credentials, Endpoint, Error, Options, Resolved};

#[test]
fn names_are_found_listed_or_not_there() {
    let house = House::new();
    for (name, display) in [("bert", "Bert Berger"), ("berta", "Berta Zoll")] {
        let mut add = watertight();
        add.args(["user", "add", name, "--display", display, "--smtp", &format!("{name}@example.org")]);
        ended(add.arg("--data").arg(house.data()).arg("--password-file").arg(house.password())).good();
    }
    let server = house.serve(&[]);
    let url = server.url.clone();
    let who = |name: &str, options: &[&str]| {
        let mut command = watertight();
        command.args(["who", name, "--user", "anna", "--server", &url, "--password-file"]);
        ended(command.arg(house.password()).args(options))
    };
    let one = who("berta", &[]).good();
    assert_eq!(one.stdout, "Name        Address\nBerta Zoll  berta@example.org\n");
    let several = who("BER", &[]).good();
    let expected = "Name         Address\nBert Berger  bert@example.org\nBerta Zoll   berta@example.org\n";
    assert_eq!(several.stdout, expected);
    let json = who("zo", &["--json"]).good().json();
    assert_eq!(json["version"], 1);
    assert_eq!(json["entries"][0]["address"], "berta@example.org");
    assert_eq!(json["entries"][0]["dn"], legacy_dn("berta"));
    let nobody = who("nobody", &["--json"]);
    assert_eq!((nobody.code(), nobody.json()["entries"].as_array().unwrap().len()), (Some(1), 0));
    assert_eq!(who("=ber", &[]).code(), Some(1));
    let many = who("ber", &["--most", "1"]);
    assert_eq!(many.code(), Some(5), "{}", many.stderr);
    assert_eq!(who(" ", &[]).code(), Some(2));
    let wrong = ended(
        watertight()
            .args(["who", "anna", "--user", "anna", "--server", &url])
            .env("WATERTIGHT_PASSWORD", "wrong"),
    );
    assert_eq!(wrong.code(), Some(3), "{}", wrong.stderr);
    server.stop();
    let gone = who("anna", &[]);
    assert_eq!(gone.code(), Some(4), "{}", gone.stderr);
}

/// The connector of the address book beside the bed's mailbox endpoint.
fn book(bed: &Bed) -> Connector {
    let endpoint = bed.connector.endpoint().address_book();
    let credentials = Credentials::new("anna", crate::bed::PASSWORD).unwrap();
    Connector::new(endpoint, &credentials, Options::default(), &bed.ledger).unwrap()
}

#[tokio::test]
async fn an_address_book_is_asked_and_left() {
    let bed = Bed::new().await;
    let account = NewAccount {
        name: "bert".into(),
        display_name: "Bert Ö.".into(),
        smtp_address: "bert@example.org".into(),
        password_hash: "*".into(),
    };
    let dn = bed.store.create_account(account).await.unwrap().legacy_dn;
    let connector = book(&bed);
    let mut book = AddressBook::bind(&connector).await.unwrap();
    let found = book.resolve(&["bert", "nobody", "=SMTP:ANNA@example.org", "bert ö"]).await.unwrap();
    let names: Vec<_> = found
        .iter()
        .map(|found| match found {
            Resolved::One(entry) => entry.display_name.as_str(),
            _ => "",
        })
        .collect();
    assert_eq!(names, ["Bert Ö.", "", "Anna", "Bert Ö."]);
    assert_eq!(book.list(0, 10).await.unwrap().len(), 2);
    assert_eq!(book.list(1, 10).await.unwrap()[0].display_name, "Bert Ö.");
    let mids = book.dn_to_mid(&[&dn, "/o=Nobody"]).await.unwrap();
    assert_eq!(mids[1], None);
    let props = book.props(mids[0].unwrap(), &[tags::SMTP_ADDRESS, tags::TITLE]).await.unwrap();
    assert_eq!(props.value(tags::SMTP_ADDRESS), Some(&PropValue::from("bert@example.org")));
    assert_eq!(props.value(tags::TITLE), None);
    let url = book.mailbox_url(&dn).await.unwrap();
    assert!(Endpoint::parse(&url).is_ok() && url.contains("/mapi/emsmdb/?MailboxId="), "{url}");
    assert!(matches!(book.mailbox_url("/o=Nobody").await, Err(Error::Refused { .. })));
    assert_eq!(book.search("b", 10).await.unwrap().entries.len(), 1);
    // A request that is given up is brought to its end, and the next one is in step.
    for _ in 0..20 {
        let given_up = tokio::time::timeout(std::time::Duration::from_micros(200), book.list(0, 10));
        let _ = given_up.await;
        assert_eq!(book.list(0, 10).await.unwrap().len(), 2);
    }
    book.close().await.unwrap();
    let dropped = AddressBook::bind(&connector).await.unwrap();
    drop(dropped);
    connector.idle().await;
    bed.end().await;
}

/// Ten thousand times the cheapest way there is: what is left is nothing, on both sides.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_address_books_leave_nothing() {
    let bed = Bed::new().await;
    let connector = book(&bed);
    for round in 0..10_000_u32 {
        let book = AddressBook::bind(&connector).await.unwrap();
        if round % 10 == 9 {
            drop(book);
        } else {
            book.close().await.unwrap();
        }
    }
    connector.idle().await;
    bed.end().await;
}
