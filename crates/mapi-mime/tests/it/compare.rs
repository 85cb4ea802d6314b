//! Runs `compare_mail.py`.

use std::{path::Path, process::Command};

use serde_json::Value;

/// The report of the comparison of two directories.
pub fn compare(expected: &Path, actual: &Path, arguments: &[&str]) -> Value {
    let script = watertight_testkit::data_dir().join("tools/compare_mail.py");
    let output = Command::new("python3")
        .arg(script)
        .args(arguments)
        .arg(expected)
        .arg(actual)
        .output()
        .unwrap_or_else(|e| panic!("python3 is needed for this test: {e}"));
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// The same; panics with the differences that are not tolerated.
pub fn assert_same(expected: &Path, actual: &Path, arguments: &[&str]) -> Value {
    let report = compare(expected, actual, arguments);
    if report["ok"] != true {
        let differences: Vec<String> = report["differences"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|d| d["tolerated"].is_null())
            .map(|d| {
                format!(
                    "{} {} [{}]\n  was {}\n  is  {}",
                    d["expected"], d["where"], d["name"], d["was"], d["is"]
                )
            })
            .collect();
        panic!(
            "{} differences; missing {}; extra {}\n{}",
            differences.len(),
            report["missing"],
            report["extra"],
            differences.join("\n")
        );
    }
    report
}
