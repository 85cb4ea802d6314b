//! `watertight serve`

use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};
use watertight_auth::AuthError;
use watertight_auth::kerberos::Keytab;
use watertight_ledger::Ledger;
use watertight_mapi::store::Store;
use watertight_mapi_server::{Server, ServerConfig, ServerError};

use super::on_runtime;
use super::soak::Planted;
use crate::cli::{Bindings, Common, Serve};
use crate::data;
use crate::exit::{Exit, Failure};
use crate::inspect::{Orders, Socket};
use crate::plain::PlainStore;

/// Runs the command.
pub fn run(args: &Serve, common: &Common) -> Result<Exit> {
    let threads = std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 16));
    on_runtime(threads, serve(args, common))
}

async fn serve(args: &Serve, common: &Common) -> Result<Exit> {
    if let Some(parent) = args.parent {
        super::soak::end_with(parent)?;
    }
    let ledger = Ledger::new("watertight");
    let store = data::open(&args.data, &ledger).await?;
    store.claim().with_context(|| format!("cannot serve {}", args.data.display()))?;
    let orders = Orders { store: Some(store.clone()), plant: Planted::new(&args.plant, &ledger) };
    let store: Arc<dyn Store> = Arc::new(store);
    let store = if args.no_transport_form { Arc::new(PlainStore(store)) } else { store };
    let mut config = ServerConfig::new(args.http);
    let timeout = Duration::from_secs(args.session_timeout.into());
    config.contexts.expiry = timeout;
    // What stalls is gone no later than what was abandoned.
    for limit in [&mut config.idle_timeout, &mut config.body_timeout, &mut config.stall_timeout] {
        *limit = timeout.min(*limit);
    }
    if let (Some(cert), Some(key)) = (&args.tls_cert, &args.tls_key) {
        let read = |path: &std::path::Path| {
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
        };
        config = config.with_tls(&read(cert)?, &read(key)?)?;
    }
    config.sign_in.schemes.clone_from(&args.sign_in);
    config.sign_in.bindings_required = args.channel_bindings == Bindings::Require;
    config.sign_in.keytab = args.keytab.as_deref().map(keytab).transpose()?;
    // Signals that come from now on are not missed.
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let server = Server::bind(config, store, &ledger).await.map_err(|error| match error {
        ServerError::SignIn(error) => Failure::usage(error.to_string()).into(),
        error => anyhow::Error::new(error),
    })?;
    let inspection = args.inspect.as_deref().map(|path| Socket::bind(path, &ledger, orders)).transpose()?;
    announce(&server.urls(), common)?;
    let stopped = async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
            _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
        }
    };
    let serving = server.run(stopped);
    match inspection {
        // It answers until the last request has ended.
        Some(socket) => tokio::select! {
            () = serving => {}
            () = socket.run() => {}
        },
        None => serving.await,
    }
    tracing::info!(held = ledger.held(), "stopped");
    Ok(Exit::Done)
}

/// The keys of a keytab that nobody else can read.
fn keytab(path: &Path) -> Result<Arc<Keytab>> {
    let shown = path.display();
    let failure = |what: String, cure: String| Failure::new(Exit::Failed, what, cure);
    let found = std::fs::metadata(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => failure(
            format!("there is no keytab {shown}"),
            format!("make one: kadmin -q 'ktadd -k {shown} HTTP/host', or samba-tool domain exportkeytab {shown} --principal=HTTP/host"),
        ),
        _ => unreadable(path, &error),
    })?;
    if found.permissions().mode() & 0o007 != 0 {
        let what =
            format!("everybody on this machine can read the keytab {shown}, and be this server with it");
        return Err(failure(what, format!("chmod 600 {shown}")).into());
    }
    let keytab = Keytab::read(path).map_err(|error| match &error {
        AuthError::Io { source, .. } => unreadable(path, source),
        error => failure(
            format!("{shown} cannot be used as a keytab: {error}"),
            format!("look at it with: klist -k -e {shown}; the keys must be aes256-cts or aes128-cts"),
        ),
    })?;
    Ok(Arc::new(keytab))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    let shown = path.display();
    let cure =
        format!("let the user that runs this command read it: chown USER {shown} and chmod 600 {shown}");
    Failure::new(Exit::Failed, format!("the keytab {shown} cannot be read: {error}"), cure)
}

/// Says what is listened on, one address a line, and that it is ready.
fn announce(urls: &[String], common: &Common) -> Result<()> {
    let mut out = std::io::stdout().lock();
    if common.json {
        writeln!(out, "{}", serde_json::json!({"version": 1, "http": urls}))?;
    } else {
        for url in urls {
            writeln!(out, "http {url}")?;
        }
    }
    out.flush().context("cannot say that the server is ready")
}
