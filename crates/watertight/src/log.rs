//! Logs go to standard error.

use tracing_subscriber::EnvFilter;

use crate::cli::{Common, LogFormat};

/// Starts logging: by the variable `WATERTIGHT_LOG` where it is set, else as loud as the command line says.
pub fn start(common: &Common) {
    let default = match common.verbose {
        0 if common.quiet => "error",
        // What a loop does is shown too.
        0 => "warn,watertight::watch=info",
        1 => {
            "watertight=info,watertight_sync=info,watertight_mapi_client=info,watertight_mapi_server=info,\
              watertight_store=info,warn"
        }
        2 => {
            "watertight=debug,watertight_sync=debug,watertight_mapi_client=debug,watertight_mapi_server=debug,\
              watertight_store=debug,info"
        }
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env("WATERTIGHT_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start (tests) keeps the first.
    let _ = match common.log_format {
        LogFormat::Text => builder.with_target(common.verbose > 1).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
}
