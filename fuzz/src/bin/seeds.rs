//! Writes the seeds of every target into `FOLDER/TARGET/`: `seeds FOLDER`.

use std::error::Error;
use std::path::PathBuf;

use watertight_fuzz::seeds;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from).ok_or("seeds FOLDER")?;
    for (target, _) in seeds::TARGETS {
        let folder = folder.join(target);
        std::fs::create_dir_all(&folder)?;
        for (name, bytes) in seeds::of(target) {
            std::fs::write(folder.join(name), bytes)?;
        }
    }
    Ok(())
}
