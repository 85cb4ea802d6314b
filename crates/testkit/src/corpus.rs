//! Real sample mail; `data/corpus/SOURCES.md` says where it is from.

use std::path::PathBuf;

/// The messages of `data/corpus/eml`, by file name, in order.
#[must_use]
pub fn eml() -> Vec<(String, Vec<u8>)> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(crate::data_dir().join("corpus/eml"))
        .expect("the corpus")
        .map(|entry| entry.expect("a readable folder").path())
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let name = path.file_name().expect("a file name").to_string_lossy().into_owned();
            (name, std::fs::read(path).expect("a readable message"))
        })
        .collect()
}
