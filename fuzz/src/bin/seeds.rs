//! Writes the seeds of every target into `FOLDER/TARGET/`: `seeds FOLDER`.

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from).ok_or("seeds FOLDER")?;
    for target in watertight_fuzz::TARGETS {
        let folder = folder.join(target.name);
        std::fs::create_dir_all(&folder)?;
        for (name, bytes) in (target.seeds)() {
            if bytes.len() <= watertight_fuzz::LONGEST_SEED {
                std::fs::write(folder.join(name), bytes)?;
            }
        }
    }
    Ok(())
}
