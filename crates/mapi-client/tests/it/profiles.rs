//! Profiles as people have them, and as they should not have them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use watertight_mapi::MapiCode;
use watertight_mapi_client::{LogoffFlags, LogonFlags, Mapi, MapiError, NoUi, Profiles};

use crate::kit::{Bench, options};

struct Home {
    dir: tempfile::TempDir,
    bench: Bench,
}

impl Home {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), bench: Bench::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        // Another inode each time, as editors do it.
        let new = self.path("new");
        fs::write(&new, text).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(mode)).unwrap();
        fs::rename(&new, self.path(name)).unwrap();
    }

    /// A `config.toml` with the profile `work` and these lines more in it.
    fn config(&self, more: &str) {
        let Bench { replay, dn, .. } = &self.bench;
        let text = format!(
            "default = \"work\"\n[profile.work]\nserver = \"{}\"\nuser = \"u4@test.local\"\nuser_dn = \"{dn}\"\n{more}\n",
            replay.url()
        );
        self.write("config.toml", &text, 0o600);
    }

    fn mapi(&self) -> Mapi {
        Mapi::new(Profiles::in_file(self.path("config.toml")), options(), &self.bench.ledger)
    }
}

async fn logon(mapi: &Mapi, profile: Option<&str>) -> Result<(), MapiError> {
    let session =
        mapi.logon_ex(&NoUi, profile, None, LogonFlags::NEW_SESSION | LogonFlags::USE_DEFAULT).await?;
    session.logoff(LogoffFlags::empty()).await
}

fn is(error: &MapiError, code: MapiCode, words: &[&str]) {
    let shown = error.to_string();
    assert_eq!(error.code(), code, "{shown}");
    assert!(words.iter().all(|word| shown.contains(word)), "{shown}");
}

#[tokio::test]
async fn a_profile_opens_its_mailbox_and_is_read_again_when_it_changes() {
    let home = Home::new();
    home.bench.replay.require_authorization("Basic dTRAdGVzdC5sb2NhbDpzZWNyZXQ=");
    let mapi = home.mapi();
    home.write("password", "secret\n", 0o600);
    home.config("password_file = \"password\"");
    for _ in 0..3 {
        logon(&mapi, None).await.unwrap();
    }
    home.config(
        "password_command = \"echo secret; echo again >> ran\""
            .replace("ran", &home.path("ran").display().to_string())
            .as_str(),
    );
    for _ in 0..3 {
        logon(&mapi, Some("work")).await.unwrap();
    }
    assert_eq!(fs::read_to_string(home.path("ran")).unwrap(), "again\n", "asked once");
    // The same connection all the time: server, user and password are the same.
    assert_eq!(home.bench.replay.counts().connections_ever, 1);

    // A password that is changed is noticed.
    home.config("password_file = \"password\"");
    home.write("password", "wrong\n", 0o600);
    let error = logon(&mapi, None).await.unwrap_err();
    is(
        &error,
        MapiCode::LogonFailed,
        &["MAPI_E_LOGON_FAILED (0x80040111)", "profile \"work\"", "check both"],
    );
    home.write("password", "secret\n", 0o600);
    logon(&mapi, None).await.unwrap();
    mapi.idle().await;
    home.bench.assert_nothing_left().await;
}

#[tokio::test]
async fn bad_profiles_are_refused_by_name_and_code() {
    let home = Home::new();
    let mapi = home.mapi();
    let file = home.path("config.toml").display().to_string();

    // Missing: the file, the profile, the password file.
    is(
        &logon(&mapi, Some("work")).await.unwrap_err(),
        MapiCode::NotFound,
        &["no profile \"work\"", "none yet"],
    );
    is(&logon(&mapi, None).await.unwrap_err(), MapiCode::LogonFailed, &["no profile is named", "default"]);
    home.config("password_file = \"password\"");
    let plain = LogonFlags::NEW_SESSION;
    let error = mapi.logon_ex(&NoUi, Some("play"), None, plain).await.unwrap_err();
    is(&error, MapiCode::NotFound, &["no profile \"play\"", "there is work"]);
    is(&logon(&mapi, None).await.unwrap_err(), MapiCode::NotFound, &["no file", "password_file"]);

    // Readable or writable by others: the password, the profiles.
    for mode in [0o640, 0o620, 0o604, 0o602] {
        home.write("password", "secret\n", mode);
        is(&logon(&mapi, None).await.unwrap_err(), MapiCode::AccessDenied, &["password", "chmod 600"]);
    }
    home.write("password", "secret\n", 0o600);
    logon(&mapi, None).await.unwrap();
    for mode in [0o644, 0o660] {
        fs::set_permissions(home.path("config.toml"), fs::Permissions::from_mode(mode)).unwrap();
        is(&logon(&mapi, None).await.unwrap_err(), MapiCode::AccessDenied, &["profiles", &file, "chmod 600"]);
    }

    // Corrupt, and with keys that nobody knows: the line is said, the value is not.
    home.config("password = \"hunter2\"");
    let error = logon(&mapi, None).await.unwrap_err();
    is(&error, MapiCode::CorruptData, &["config.toml, line 6", "password", "correct the file"]);
    assert!(!error.to_string().contains("hunter2"));
    home.config("password_file = \"hunter2");
    let error = logon(&mapi, None).await.unwrap_err();
    is(&error, MapiCode::CorruptData, &["config.toml, line 6"]);
    assert!(!error.to_string().contains("hunter2"));
    home.write("config.toml", "\u{0}\u{1}", 0o600);
    is(&logon(&mapi, None).await.unwrap_err(), MapiCode::CorruptData, &["line 1"]);

    // Incomplete, with nobody to ask.
    home.write("config.toml", "[profile.a]\nuser = \"x\"\n", 0o600);
    is(
        &logon(&mapi, Some("a")).await.unwrap_err(),
        MapiCode::UnconfiguredLogon,
        &["has no server", "MAPI_LOGON_UI"],
    );
    home.config("");
    is(
        &logon(&mapi, None).await.unwrap_err(),
        MapiCode::UnconfiguredLogon,
        &["no password", "password_file"],
    );

    // Usable by nobody.
    home.write("config.toml", "[profile.a]\nserver = \"http://mail.example.org/\"\nuser = \"x\"\n", 0o600);
    is(&logon(&mapi, Some("a")).await.unwrap_err(), MapiCode::InvalidParameter, &["profile \"a\"", "https"]);
    home.config("password_command = \"echo x\"\ntls_ca = \"missing.pem\"");
    // Over plain HTTP no authority is needed; the file is not looked at.
    logon(&mapi, None).await.unwrap();
    mapi.idle().await;
    home.bench.assert_nothing_left().await;
}

/// `$XDG_CONFIG_HOME/watertight/config.toml`, else below `$HOME/.config`.
#[test]
fn the_usual_place_is_the_users_configuration() {
    let profiles = Profiles::usual().unwrap();
    let path = profiles.path().unwrap();
    assert!(path.is_absolute() && path.ends_with("watertight/config.toml"), "{}", path.display());
    let expected = std::env::var_os("XDG_CONFIG_HOME")
        .map_or_else(|| Path::new(&std::env::var_os("HOME").unwrap()).join(".config"), PathBuf::from);
    assert!(path.starts_with(expected));
}
