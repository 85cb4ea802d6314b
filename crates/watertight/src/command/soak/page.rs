//! The page that `--report` writes, and what it says about where it was made.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use watertight_soak::Record;

/// Finds out before a long run whether the page can be written after it.
pub fn check(path: &Path) -> Result<()> {
    let context = || format!("cannot write {}", path.display());
    anyhow::ensure!(!path.is_dir(), "{} is a directory", path.display());
    tempfile::NamedTempFile::new_in(dir(path)).map(drop).with_context(context)
}

fn dir(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes the page; whoever looks meanwhile sees the old one or the new one.
pub fn write(record: &Record, path: &Path) -> Result<()> {
    let context = || format!("cannot write {}", path.display());
    let file = tempfile::NamedTempFile::new_in(dir(path)).with_context(context)?;
    fs::write(file.path(), watertight_soak::report::page(record)).with_context(context)?;
    // As any other file that a program writes, where a temporary one is its owner's alone.
    let mask = rustix::process::umask(rustix::fs::Mode::empty());
    rustix::process::umask(mask);
    let mode = 0o666 & !mask.as_raw_mode();
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
    fs::set_permissions(file.path(), permissions).with_context(context)?;
    file.persist(path).with_context(context)?;
    Ok(())
}

/// The command as it was typed; no argument is ever a secret.
pub fn command_line() -> String {
    let mut words = vec!["watertight".to_owned()];
    words.extend(std::env::args().skip(1).map(|word| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,".contains(c);
        if !word.is_empty() && word.chars().all(plain) { word } else { format!("'{word}'") }
    }));
    words.join(" ")
}

/// The machine: its processors, memory and kernel.
pub fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key))
            .map(|rest| rest.trim_start_matches([' ', '\t', ':']).trim().to_owned())
    };
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let model = field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| std::env::consts::ARCH.into());
    let memory = field(&read("/proc/meminfo"), "MemTotal")
        .and_then(|kib| kib.split(' ').next().and_then(|n| n.parse::<u64>().ok()))
        .map_or_else(String::new, |kib| {
            format!(", {:.1} GiB", f64::from(u32::try_from(kib / 1024).unwrap_or(0)) / 1024.0)
        });
    let kernel = read("/proc/sys/kernel/osrelease");
    let build = if cfg!(debug_assertions) { "debug build" } else { "release build" };
    format!(
        "{cpus} × {model}{memory}, Linux {}; watertight {}, {build}",
        kernel.trim(),
        env!("CARGO_PKG_VERSION")
    )
}

/// This moment.
pub fn now() -> String {
    let now = jiff::Timestamp::now();
    jiff::fmt::strtime::format("%Y-%m-%d %H:%M:%S UTC", now).unwrap_or_else(|_| now.to_string())
}
