//! What `--public` shows to everybody: a page of one-way tables for each product, and its badge.
//!
//! One rule: made once a day of rounded numbers. Nothing in a request changes a byte of the answer.

pub mod badge;
pub mod kept;
pub mod numbers;
pub mod page;
#[cfg(test)]
mod tests;

use super::pages::{self, Pages};
use super::snapshot::Snapshot;
use crate::web::answer;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use kept::Published;
use maud::Markup;
use numbers::Numbers;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use tracing::warn;

/// A page or a badge may be an hour old. The proxies of pictures that code hosts have ask again after that.
const CACHED: &str = "public, max-age=3600";
/// A picture asks for nothing.
const PICTURE_POLICY: &str = "default-src 'none'";

/// What is published, and where it is kept.
pub struct Public {
    pages: Arc<Pages>,
    dir: PathBuf,
    last: Mutex<Option<Arc<Published>>>,
}

type This = State<Arc<Public>>;

impl Public {
    /// Publishes what `pages` are made of; `dir` is the data directory.
    pub fn new(pages: Arc<Pages>, dir: PathBuf) -> Self {
        Self { pages, dir, last: Mutex::new(None) }
    }

    /// What is published on the day of the snapshot: made of it, unless it was made before.
    pub fn on_the_day_of(&self, snapshot: &Snapshot) -> Arc<Published> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = last.take().or_else(|| Published::read(&self.dir).map(Arc::new));
        let today = snapshot.made_at.today();
        let published = kept.filter(|kept| kept.day() == today).unwrap_or_else(|| {
            let made = Published::of(snapshot);
            if let Err(error) = made.keep(&self.dir) {
                warn!(
                    "the public numbers of {today} are not kept: a restart makes them anew: {error}"
                );
            }
            Arc::new(made)
        });
        *last = Some(published.clone());
        published
    }

    /// What is published now. Products that have gone since it was made are not.
    fn now(&self) -> (Arc<Published>, Vec<String>) {
        let snapshot = (self.pages.snapshot)();
        let names = snapshot.names().map(str::to_owned).collect();
        (self.on_the_day_of(&snapshot), names)
    }
}

/// The routes below `base` (empty, or such as `/t`).
pub fn router(public: Arc<Public>, base: &str) -> Router {
    Router::new()
        .route(&format!("{base}/public"), get(first_page))
        .route(&format!("{base}/public/{{product}}"), get(page_of))
        // For the pages below it: their style lies beside them.
        .route(&format!("{base}/public/style.css"), get(pages::style))
        .route(&format!("{base}/badge.svg"), get(only_badge))
        .route(&format!("{base}/badge/{{file}}"), get(badge_of))
        .with_state(public)
}

async fn first_page(state: This, headers: HeaderMap) -> Response {
    given(state, headers, |published, all| {
        Ok(Given::Page(match all {
            [only] => page::of_product(only, published.day(), ""),
            all => page::index(all.iter().copied(), published.day()),
        }))
    })
    .await
}

async fn page_of(state: This, Path(product): Path<String>, headers: HeaderMap) -> Response {
    given(state, headers, move |published, all| {
        let numbers = all.iter().find(|one| one.product == product).ok_or(NotPublic::Product)?;
        Ok(Given::Page(page::of_product(numbers, published.day(), "../")))
    })
    .await
}

async fn only_badge(state: This, headers: HeaderMap) -> Response {
    given(state, headers, |_, all| match all {
        [only] => Ok(Given::Picture(badge::svg(only))),
        _ => Err(NotPublic::OnePerProduct),
    })
    .await
}

async fn badge_of(state: This, Path(file): Path<String>, headers: HeaderMap) -> Response {
    given(state, headers, move |_, all| {
        let product = file.strip_suffix(".svg").ok_or(NotPublic::Product)?;
        let numbers = all.iter().find(|one| one.product == product).ok_or(NotPublic::Product)?;
        Ok(Given::Picture(badge::svg(numbers)))
    })
    .await
}

/// What an address shows.
enum Given {
    Page(Markup),
    Picture(Markup),
}

/// Why nothing is shown at an address.
enum NotPublic {
    /// It names no product that is published.
    Product,
    /// It is for a single product, and there are several.
    OnePerProduct,
}

impl NotPublic {
    const fn words(self) -> &'static str {
        match self {
            Self::Product => "",
            Self::OnePerProduct => "each product has its own: badge/PRODUCT.svg\n",
        }
    }
}

/// The answer that `choose` finds among the products, or why there is none.
async fn given(
    State(public): This,
    headers: HeaderMap,
    choose: impl FnOnce(&Published, &[&Numbers]) -> Result<Given, NotPublic> + Send + 'static,
) -> Response {
    // Once a day it counts every install.
    let answered = tokio::task::spawn_blocking(move || {
        let (published, names) = public.now();
        let all = published.products.iter().filter(|one| names.contains(&one.product));
        let all: Vec<&Numbers> = all.collect();
        match choose(&published, &all) {
            Ok(given) => answered(given, &headers),
            Err(why) => {
                let mut response = (StatusCode::NOT_FOUND, why.words()).into_response();
                answer::secure(&mut response);
                response
            }
        }
    });
    answered.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

fn answered(given: Given, asked: &HeaderMap) -> Response {
    let (kind, policy, sites, text) = match given {
        Given::Page(page) => ("text/html; charset=utf-8", pages::POLICY, "same-origin", page),
        Given::Picture(svg) => {
            ("image/svg+xml; charset=utf-8", PICTURE_POLICY, "cross-origin", svg)
        }
    };
    let text = text.into_string();
    let tag = format!("\"{}\"", tag(&text));
    let mut response = if is_known(asked, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(CONTENT_TYPE, kind), (CONTENT_SECURITY_POLICY, policy)], text).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(CACHED));
    headers.extend(HeaderValue::from_str(&tag).map(|tag| (ETAG, tag)));
    answer::secure(&mut response);
    let name = HeaderName::from_static("cross-origin-resource-policy");
    response.headers_mut().insert(name, HeaderValue::from_static(sites));
    response
}

fn tag(text: &str) -> String {
    let hash = hmac_sha256::Hash::hash(text.as_bytes());
    hash[..12].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether the one who asks has these bytes. What is compressed on the way has a weak tag.
fn is_known(asked: &HeaderMap, tag: &str) -> bool {
    let tags = asked.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = tags.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|one| one == "*" || one.trim_start_matches("W/") == tag)
}
