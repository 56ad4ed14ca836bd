//! What the operator's tools ask: alive, ready, metrics. And what anybody may read: the privacy page.
//!
//! One rule: open answers say nothing that an outsider could use; the metrics are for this machine and the key.

use super::http::App;
use super::metrics::{self, Measured};
use super::origin::Origins;
use super::pages::{self, Pages, privacy};
use super::store;
use super::tls::Tls;
use crate::json;
use crate::web::answer;
use crate::web::connections::Peer;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use std::path::PathBuf;
use std::sync::Arc;

/// The pages call numbers old from this age on, in seconds.
pub const STALE: u64 = 3600;

/// What these answers are made of.
pub struct Operating {
    /// Receiving.
    pub app: Arc<App>,
    /// The pages, whose key and snapshot these are.
    pub pages: Arc<Pages>,
    /// The data directory; `None`: the rows lie on a server, which is asked when they are read.
    pub dir: Option<PathBuf>,
    /// The certificate, where TLS is spoken here.
    pub tls: Option<Arc<Tls>>,
    /// What the privacy page says.
    pub privacy: privacy::Settings,
    /// It is a demo, which receives nothing.
    pub is_demo: bool,
}

type This = State<Arc<Operating>>;

/// The routes below `base` (empty, or such as `/t`).
pub fn router(operating: Arc<Operating>, base: &str) -> Router {
    Router::new()
        .route(&format!("{base}/healthz"), get(health))
        .route(&format!("{base}/readyz"), get(ready))
        .route(&format!("{base}/metrics"), get(all_metrics))
        .route(&format!("{base}/privacy"), get(what_is_kept))
        .with_state(operating)
}

impl Operating {
    /// Age of the numbers on the pages, in seconds.
    fn age(&self) -> u64 {
        (self.app.clock)().saturating_sub((self.pages.snapshot)().made_at.0)
    }
}

/// Alive: this process answers, and says how old its numbers are.
async fn health(State(this): This) -> Response {
    let age = this.age();
    let text = format!(r#"{{"alive":true,"numbers_age_seconds":{age},"fresh":{}}}"#, age < STALE);
    said(StatusCode::OK, text)
}

/// Ready: the last write worked, or there was none yet. A demo never is.
async fn ready(State(this): This) -> Response {
    if this.is_demo {
        let text = r#"{"ready":false,"error":"a demo receives no heartbeats"}"#;
        return said(StatusCode::SERVICE_UNAVAILABLE, text.to_owned());
    }
    match this.app.receiver.write_error() {
        None => said(StatusCode::OK, r#"{"ready":true}"#.to_owned()),
        Some(error) => {
            let mut text = r#"{"ready":false,"error":"#.to_owned();
            json::write_str(&mut text, &error.to_string());
            text.push('}');
            said(StatusCode::SERVICE_UNAVAILABLE, text)
        }
    }
}

async fn all_metrics(State(this): This, request: Request) -> Response {
    if !this.may_read_metrics(&request) {
        let no_key = pages::access::NO_KEY;
        return secured(answer::failure(StatusCode::UNAUTHORIZED, no_key));
    }
    let snapshot = (this.pages.snapshot)();
    let now = Measured {
        is_ready: this.app.receiver.write_error().is_none(),
        snapshot_age: this.age(),
        database_bytes: match &this.dir {
            Some(dir) => store::database_bytes(dir),
            None => snapshot.health.bytes,
        },
        snapshot: snapshot.made.clone(),
        certificate_ends: this.tls.as_ref().and_then(|tls| tls.ends_at()),
    };
    let text = this.app.receiver.metrics().text(&now);
    let kind = HeaderValue::from_static(metrics::CONTENT_TYPE);
    secured(([(CONTENT_TYPE, kind)], text).into_response())
}

impl Operating {
    /// A program on this machine may, without a proxy in between; others need the key of the pages.
    fn may_read_metrics(&self, request: &Request) -> bool {
        let is_here = request.extensions().get().is_some_and(|Peer(peer)| {
            peer.to_canonical().is_loopback() && !Origins::is_forwarded(request.headers())
        });
        let query = request.uri().query().unwrap_or_default();
        is_here
            || self.pages.access.is_given(request.headers())
            || pages::key_in(query).is_some_and(|key| self.pages.access.key().is(key.as_bytes()))
    }
}

async fn what_is_kept(State(this): This, request: Request) -> Response {
    let endpoint = pages::endpoint(&this.pages, &request);
    pages::public(privacy::page(&this.privacy, &endpoint))
}

fn said(code: StatusCode, text: String) -> Response {
    let kind = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    secured((code, kind, text).into_response())
}

fn secured(mut response: Response) -> Response {
    answer::secure(&mut response);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::keeper::Keeper;
    use crate::collector::pages::access::Access;
    use crate::collector::receive::Receiver;
    use crate::collector::store::StoreOptions;
    use crate::collector::view::Topic;
    use crate::web::key::ApiKey;
    use std::sync::atomic::{AtomicU64, Ordering};

    const NOW: u64 = 1_790_000_000;

    #[test]
    fn health_metrics_and_every_page_say_when_the_numbers_are_old() {
        let place = tempfile::tempdir().expect("a directory");
        let dir = place.path().to_owned();
        let options = StoreOptions { dir: dir.clone(), ephemeral: true, ..StoreOptions::default() };
        let receiver = Receiver::open(&options).expect("a database");
        let time = Arc::new(AtomicU64::new(NOW));
        let clock: crate::collector::http::Clock = {
            let time = time.clone();
            Arc::new(move || time.load(Ordering::SeqCst))
        };
        let reader = receiver.reader().expect("a reader");
        let keeper = Arc::new(Keeper::new(reader, clock.clone()).expect("a snapshot"));
        let looked = keeper.clone();
        let pages = Arc::new(Pages {
            access: Access::new(ApiKey::for_tests("0123456789abcdef")),
            snapshot: Box::new(move || keeper.current()),
            wants_a_proxy: Box::new(|| false),
            is_secure: false,
            clock: clock.clone(),
        });
        let this = Arc::new(Operating {
            app: Arc::new(App::new(
                receiver,
                clock,
                Arc::new(|| std::time::Duration::ZERO),
                Vec::new(),
            )),
            pages,
            dir: Some(dir),
            tls: None,
            privacy: privacy::Settings { contact: None, days: 400, months: 25, is_public: false },
            is_demo: false,
        });
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let ask = || {
            let response = runtime.block_on(health(State(this.clone())));
            let body = runtime.block_on(axum::body::to_bytes(response.into_body(), 1024));
            String::from_utf8(body.expect("a body").to_vec()).expect("text")
        };
        let said = |age: u64, fresh| {
            format!(r#"{{"alive":true,"numbers_age_seconds":{age},"fresh":{fresh}}}"#)
        };
        let request = || {
            let key = ("x-api-key", "0123456789abcdef");
            let request = Request::builder().uri("/").header(key.0, key.1);
            request.body(axum::body::Body::empty()).expect("a request")
        };
        let text = |response: Response| {
            assert_eq!(response.status(), StatusCode::OK);
            let body = runtime.block_on(axum::body::to_bytes(response.into_body(), 1 << 20));
            String::from_utf8(body.expect("a body").to_vec()).expect("text")
        };
        let check = |later: u64, ago: &str, fresh: bool| {
            time.store(NOW + later, Ordering::SeqCst);
            assert_eq!(ask(), said(later, fresh));
            let metrics = runtime.block_on(all_metrics(State(this.clone()), request()));
            let age = format!("mcpproxy_collector_snapshot_age_seconds {later}\n");
            assert!(text(metrics).contains(&age), "{later}");
            let words = match fresh {
                true => format!(r#"<p class="age">read {ago} ago"#),
                false => {
                    format!(
                        r#"<p class="age stale"><strong>Numbers are old: </strong>read {ago} ago"#
                    )
                }
            };
            for topic in Topic::ALL {
                let page = pages::show(State(this.pages.clone()), request(), topic);
                let page = text(runtime.block_on(page));
                assert!(page.contains(&words), "{topic:?}: {words}");
            }
        };
        check(0, "0 seconds", true);
        check(STALE - 1, "59 minutes", true);
        check(STALE, "1 hour", false);
        check(34 * 86_400, "34 days", false);
        looked.look().expect("a look");
        time.store(NOW + 34 * 86_400 + 1, Ordering::SeqCst);
        assert_eq!(ask(), said(1, true));
    }
}
