//! `watertight check`, run against `watertight serve`.

use base64::Engine as _;

use crate::harness::{House, PASSWORD, ended, watertight};

#[test]
fn a_check_tells_each_step_and_no_secret_at_any_level() {
    let house = House::new();
    let server = house.serve(&[]);
    let check = |options: &[&str], password: &str| {
        let mut command = watertight();
        command.args(["check", "anna@example.org", "--user", "anna", "--server", &server.url]).args(options);
        ended(command.env("WATERTIGHT_PASSWORD", password))
    };
    let done = check(&["-vvv", "--json"], PASSWORD).good();
    let report = done.json();
    assert_eq!(report["ok"], true, "{report}");
    let steps: Vec<_> = report["steps"].as_array().unwrap().iter().map(|s| s["step"].clone()).collect();
    for step in ["mailbox", "dns", "tls", "sign-in", "connect", "logon", "size", "quota", "ics"] {
        assert!(steps.iter().any(|s| s == step), "{step}: {report}");
    }
    let said = format!("{}{}", done.stdout, done.stderr);
    assert!(said.contains("TRACE"), "the log is as loud as it gets");
    let pair = |password: &str| base64::engine::general_purpose::STANDARD.encode(format!("anna:{password}"));
    for secret in [PASSWORD.to_owned(), pair(PASSWORD), "MapiContext=".to_owned(), "MapiSequence=".to_owned()]
    {
        assert!(!said.contains(&secret), "{secret}");
    }

    let wrong = "an0ther-secret";
    let done = check(&["-vvv"], wrong);
    assert_eq!(done.code(), Some(3), "{}{}", done.stdout, done.stderr);
    assert!(done.stdout.contains("FAIL") && done.stdout.contains("at fault: "), "{}", done.stdout);
    let said = format!("{}{}", done.stdout, done.stderr);
    assert!(!said.contains(wrong) && !said.contains(&pair(wrong)), "{said}");
    server.stop();
}
