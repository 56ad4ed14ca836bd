//! The running collector: its socket, its receiver, and its end.
//!
//! One rule: it starts completely or not at all, and it ends when everything accepted is answered and on disk.

use super::demo;
use super::expiry;
use super::http::{self, App, Clock, Pace};
use super::keeper::Keeper;
use super::operating::{self, Operating};
use super::origin::Network;
use super::pages::access::{Access, AccessError};
use super::pages::{self, Pages, privacy};
use super::public::{self, Public};
use super::receive::Receiver;
use super::row::Standing;
use super::store::{self, Keep, ProductError, StoreError, StoreOptions};
use super::tls::{Greeter, Tls, TlsError, TlsFiles};
use crate::web::answer;
use crate::web::connections::{self, Bounds, HEAD_WAIT, Plain, Serving};
use crate::web::listen::Front;
use axum::middleware;
use axum::response::Response;
use mcpproxy_platform::sockets;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::info;

/// Where it listens unless it is told otherwise.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:8787";

/// Connections that wait to be taken: a burst of senders is not dropped.
const WAITING: u16 = 4096;

/// Fewer connections than the 1,024 files that a process may usually open. A proxy in front has all of them.
const BOUNDS: Bounds = Bounds {
    most: 900,
    spare: 64,
    of_one_address: 900,
    head: 16 << 10,
    head_wait: HEAD_WAIT,
    lifetime: Some(Duration::from_secs(10 * 60)),
    stall: Duration::from_secs(60),
};

/// What the command line says.
pub struct Options {
    /// The database.
    pub store: StoreOptions,
    /// `--keep-days` and `--keep-installs`
    pub keep: Keep,
    /// `--listen`
    pub listen: SocketAddr,
    /// `--base-path`, checked: empty, or such as `/t`.
    pub base_path: String,
    /// `--password-file`: the key of the pages; without it one is made and kept in the data directory.
    pub password_file: Option<PathBuf>,
    /// `--tls-cert` and `--tls-key`: without them it speaks plain HTTP.
    pub tls: Option<TlsFiles>,
    /// `--trusted-proxy`: whose forwarding headers are believed.
    pub trusted_proxies: Vec<Network>,
    /// `--contact`, `--public` and what else the privacy page says.
    pub privacy: privacy::Settings,
    /// `--demo`: shows the recorded fleet in the place of what is received.
    pub is_demo: bool,
    /// Tells the time.
    pub clock: Clock,
    /// Tells how long it has run.
    pub pace: Pace,
}

/// Why it did not start.
#[derive(Debug)]
pub enum CollectorError {
    /// A product of the command line, or the database.
    Product(ProductError),
    /// The key of the pages.
    Access(AccessError),
    /// The files of the certificate.
    Tls(TlsError),
    /// The address cannot be listened on.
    Listen(SocketAddr, io::ErrorKind),
    /// The system does not give what a server needs.
    System(&'static str, io::ErrorKind),
}

impl fmt::Display for CollectorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Product(error) => error.fmt(f),
            Self::Access(error) => error.fmt(f),
            Self::Tls(error) => error.fmt(f),
            Self::Listen(address, kind) => write!(
                f,
                "cannot listen on {address}: {kind}; choose another address with --listen HOST:PORT"
            ),
            Self::System(what, kind) => write!(f, "{what}: {kind}"),
        }
    }
}

impl std::error::Error for CollectorError {}

/// What a running collector says once, when heartbeats are answered.
#[derive(Clone, Debug)]
pub struct Announced {
    /// Where it listens.
    pub address: SocketAddr,
    /// It is a demo.
    pub is_demo: bool,
    /// It speaks TLS.
    pub is_secure: bool,
    /// How many products are received.
    pub products: usize,
    /// What follows the base path in the address of the pages: `/`, with the key unless the operator chose it.
    pub pages: String,
    /// What follows the base path in the address of the public page; `None`: there is none.
    pub public: Option<&'static str>,
    /// Others on this machine may read the file of the key.
    pub key_is_exposed: bool,
    /// The same of the private key of the certificate.
    pub tls_key_is_exposed: bool,
}

/// Receives until it is asked to stop (SIGINT, SIGTERM, SIGHUP).
pub fn run(options: Options, announce: impl FnOnce(&Announced)) -> Result<(), CollectorError> {
    // Before anything is made: an address that is taken changes nothing.
    let front = Front::open(options.listen)
        .map_err(|error| CollectorError::Listen(options.listen, error.kind()))?;
    let own = options.password_file.as_deref().map(Access::from_file);
    let own = own.transpose().map_err(CollectorError::Access)?;
    let tls = options.tls.map(|files| Tls::begin(files, options.clock.clone()));
    let (tls, _renewing) = tls.transpose().map_err(CollectorError::Tls)?.unzip();
    let receiver = Receiver::open(&options.store).map_err(CollectorError::Product)?;
    // A demo that is stopped while it is filled removes its directory as well.
    let closing = stop_signal()?;
    if options.is_demo {
        demo::fill(&receiver, (options.clock)())?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("mcpproxy-collector")
        .build()
        .map_err(|error| CollectorError::System("no threads could be started", error.kind()))?;
    let products = receiver.reader().and_then(|reader| reader.products());
    let products = products.map_err(|error| CollectorError::Product(error.into()))?;
    let access = match own {
        Some(access) => access,
        None => Access::kept_in(&options.store.dir).map_err(CollectorError::Access)?,
    };
    let announced = Announced {
        address: front.address,
        is_demo: options.is_demo,
        is_secure: tls.is_some(),
        products: products.iter().filter(|one| one.standing != Standing::Removed).count(),
        pages: match options.password_file {
            Some(_) => "/".to_owned(),
            None => pages::entrance(&access),
        },
        public: options.privacy.is_public.then_some("/public"),
        key_is_exposed: store::key_is_exposed(&options.store),
        tls_key_is_exposed: tls.as_ref().is_some_and(|tls| tls.key_is_exposed()),
    };
    let keeper = Arc::new(Keeper::new(receiver.reader()?, options.clock.clone())?);
    let _looking = keeper
        .begin(options.pace.clone())
        .map_err(|error| CollectorError::System("no threads could be started", error.kind()))?;
    let _expiring = expiry::begin((&options.store).into(), options.keep, options.clock.clone())
        .map_err(|error| CollectorError::System("no threads could be started", error.kind()))?;
    let pages = Arc::new(Pages {
        access,
        snapshot: Box::new(move || keeper.current()),
        wants_a_proxy: Box::new(receiver.proxy_alarm()),
        is_secure: tls.is_some(),
        clock: options.clock.clone(),
    });
    let app = Arc::new(App::new(receiver, options.clock, options.pace, options.trusted_proxies));
    let base = &options.base_path;
    let publishing = options.privacy.is_public.then(|| {
        let public = Public::new(pages.clone(), options.store.dir.clone());
        public::router(Arc::new(public), base)
    });
    let operating = Arc::new(Operating {
        app: app.clone(),
        pages: pages.clone(),
        dir: options.store.server.is_none().then(|| options.store.dir.clone()),
        tls: tls.clone(),
        privacy: options.privacy,
        is_demo: options.is_demo,
    });
    let metrics = app.receiver.metrics().clone();
    let receiving = if options.is_demo { demo::router(base) } else { http::router(app, base) };
    let router =
        receiving.merge(operating::router(operating, base)).merge(pages::router(pages, base));
    let router = match publishing {
        Some(publishing) => router.merge(publishing),
        None => router,
    };
    let router = if options.is_demo { demo::with_banner(router) } else { router };
    let router = router.layer(middleware::map_response(async |mut response: Response| {
        answer::secure(&mut response);
        response
    }));
    runtime.block_on(async move {
        let address = front.address;
        let listener = front.into_listener();
        sockets::let_wait(&listener, WAITING);
        let listener = TcpListener::from_std(listener)
            .map_err(|error| CollectorError::Listen(address, error.kind()))?;
        announce(&announced);
        let (watch, bounds) = (metrics, BOUNDS);
        match tls.map(Greeter::new) {
            Some(greeter) => {
                let serving = Serving { greeter, router, closing, watch, bounds };
                connections::serve(listener, serving).await;
            }
            None => {
                let serving = Serving { greeter: Plain, router, closing, watch, bounds };
                connections::serve(listener, serving).await;
            }
        }
        Ok::<(), CollectorError>(())
    })?;
    runtime.shutdown_background();
    info!("stopped: everything accepted is answered");
    Ok(())
}

/// Cancelled by the first signal to stop. The second ends the process at once: acknowledged heartbeats are on
/// disk anyway.
fn stop_signal() -> Result<CancellationToken, CollectorError> {
    let closing = CancellationToken::new();
    let (asked, stop) = (AtomicBool::new(false), closing.clone());
    let installed = ctrlc::set_handler(move || {
        if asked.swap(true, Ordering::AcqRel) {
            std::process::exit(130);
        }
        stop.cancel();
    });
    match installed {
        Ok(()) => Ok(closing),
        Err(ctrlc::Error::System(error)) => {
            Err(CollectorError::System("signals cannot be handled", error.kind()))
        }
        Err(_) => Err(CollectorError::System("signals cannot be handled", io::ErrorKind::Other)),
    }
}

impl From<StoreError> for CollectorError {
    fn from(error: StoreError) -> Self {
        Self::Product(error.into())
    }
}
