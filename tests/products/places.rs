//! Where the state of a product lies, and how a host comes to it.

use super::*;
use mcpproxy::activation::{Mark, State, Store};
use mcpproxy::consent::Effective;
use mcpproxy::contract::Product;
use mcpproxy::heartbeat::attempt::{Attempt, Outcome};
use mcpproxy::heartbeat::live::Live;
use mcpproxy::heartbeat::permission::Permission;
use mcpproxy::heartbeat::schedule;
use mcpproxy::heartbeat::timing::Timing;
use mcpproxy::identity::{self, LIFETIME, install};
use mcpproxy::machine::{Surroundings, Variable};
use mcpproxy::notice::{self, Notice, Program};
use mcpproxy::paths::{DataDir, Place};
use mcpproxy::products::{EnterError, MOST_PRODUCTS, Subject, enter};
use std::os::unix::fs::PermissionsExt as _;

/// 2026-11-22T14:46:40Z
const NOW: u64 = 1_795_358_800;
const HOST: &str = "t.example.org";

fn subject(dir: &DataDir, name: &str) -> Subject {
    Subject {
        dir: dir.clone(),
        product: Product { name: name.into(), version: "1.4.0".into() },
        endpoint: Some(format!("https://{HOST}")),
        require_visible_notice: false,
    }
}

fn come_in(dir: &DataDir, name: &str, host: &str) -> Result<Place, EnterError> {
    let place = dir.place(name, host);
    let endpoint = format!("https://{host}");
    let endpoint = (!host.is_empty()).then_some(endpoint.as_str());
    enter(&subject(dir, name), &place, endpoint, NOW, PATIENCE).map(|()| place)
}

fn id(place: &Place) -> String {
    identity::ensure(place, NOW).expect("an id").anonymous_id
}

fn none_around() -> Surroundings {
    Surroundings { variables: Vec::new(), ancestors_readable: true, terminal: None }
}

#[test]
fn the_directory_is_named_by_product_and_host_and_is_ours_alone() {
    let home = Home::new();
    let place = come_in(&home.dir(), "notes-mcp", HOST).expect("a place");
    // The first half of SHA-256("t.example.org").
    assert!(place.root().ends_with("products/notes-mcp/2cbe6c4696d0ba13"), "{place:?}");
    let mut at = place.root().to_owned();
    while at != home.data().parent().expect("a parent") {
        let mode = std::fs::metadata(&at).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{at:?}");
        at.pop();
    }
    let mode = std::fs::metadata(place.install()).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let file = install::read(&place).expect("readable").expect("a file");
    assert_eq!(file.endpoint.as_deref(), Some("https://t.example.org"));
    assert_eq!((file.version.as_deref(), file.kept.carried_over), (Some("1.4.0"), false));
}

#[test]
fn sixteen_first_hosts_agree_on_one_id() {
    let home = Home::new();
    let ids: BTreeSet<String> = std::thread::scope(|scope| {
        let come = || id(&come_in(&home.dir(), "notes-mcp", HOST).expect("a place"));
        let hosts: Vec<_> = (0..16).map(|_| scope.spawn(come)).collect();
        hosts.into_iter().map(|host| host.join().expect("an id")).collect()
    });
    assert_eq!(ids.len(), 1, "{ids:?}");
}

#[test]
fn the_sixty_fifth_product_runs_uncounted() {
    let home = Home::new();
    for number in 1..MOST_PRODUCTS {
        come_in(&home.dir(), &format!("product-{number}"), HOST).expect("a place");
    }
    // Of many that come at once, one is the last that fits.
    let came = std::thread::scope(|scope| {
        let come = |number| come_in(&home.dir(), &format!("late-{number}"), HOST).is_ok();
        let hosts: Vec<_> = (0..16).map(|at| scope.spawn(move || come(at))).collect();
        hosts.into_iter().map(|it| it.join().expect("an answer")).filter(|it| *it).count()
    });
    assert_eq!(came, 1);
    let products =
        || std::fs::read_dir(home.data().join("products")).expect("there").flatten().count();
    assert_eq!(products(), MOST_PRODUCTS + 1, "the lock is there, too");
    let refused = come_in(&home.dir(), "one-more", HOST);
    assert_eq!(refused, Err(EnterError::TooManyProducts));
    // Those that are known go on, also towards another host.
    come_in(&home.dir(), "product-1", HOST).expect("a place");
    come_in(&home.dir(), "product-1", "other.example.org").expect("a place");

    // A real host of one more: its server runs, and nothing is made or sent.
    let receiver = Receiver::start([]);
    let mut tap = Tap::of(&home, "one-more", &receiver);
    let until = Instant::now() + PATIENCE;
    while tap.has_telemetry_thread() {
        assert!(Instant::now() < until, "it goes on trying");
        std::thread::sleep(Duration::from_millis(20));
    }
    tap.call();
    assert_eq!((tap.end(), receiver.connections()), (String::new(), 0));
    assert_eq!(products(), MOST_PRODUCTS + 1);
}

#[test]
fn another_host_begins_with_the_flags_and_a_killed_beginning_is_begun_again() {
    let home = Home::new();
    let first = come_in(&home.dir(), "notes-mcp", HOST).expect("a place");
    let store = Store::open(&first, NOW).expect("a store");
    store.record(Mark::ServerConnected, NOW);
    store.record(Mark::Client("claude-code"), NOW);
    store.record(Mark::UpstreamCall, NOW);
    // As a process leaves it that is killed after the directory and before the id.
    let second = home.dir().place("notes-mcp", "two.example.org");
    std::fs::create_dir_all(second.root()).expect("made");
    drop(Store::open(&second, NOW).expect("a store"));
    assert_eq!(come_in(&home.dir(), "notes-mcp", "two.example.org"), Ok(second.clone()));
    assert_ne!(id(&first), id(&second));
    let identity = identity::ensure(&second, NOW).expect("an id");
    assert!(identity.carried_over && identity.rotated_from.is_none());
    let state = Store::peek(&second, NOW).expect("readable").expect("a store");
    assert!(state.funnel.connected_server && state.funnel.mcp_client);
    assert!(state.funnel.clients.is_empty() && state.counters.upstream_tool_calls == 0);
    // An endpoint that comes later than another takes nothing over.
    let without = come_in(&home.dir(), "notes-mcp", "").expect("a place");
    let third = come_in(&home.dir(), "notes-mcp", "three.example.org").expect("a place");
    assert!(without.root().is_dir() && id(&without) != id(&third));
    assert!(identity::ensure(&third, NOW).expect("an id").carried_over);
}

#[test]
fn an_id_rotates_after_a_year_and_keeps_its_flags() {
    let home = Home::new();
    let place = come_in(&home.dir(), "notes-mcp", HOST).expect("a place");
    let old = identity::ensure(&place, NOW).expect("an id");
    let store = Store::open(&place, NOW).expect("a store");
    store.update(true, |state| schedule::adopt(state, &old)).expect("adopted");
    store.record(Mark::Client("claude-code"), NOW);
    assert_eq!(identity::ensure(&place, NOW + LIFETIME - 1), Ok(old.clone()));
    let new = identity::ensure(&place, NOW + LIFETIME).expect("an id");
    assert!(new.carried_over && new.anonymous_id != old.anonymous_id);
    assert_eq!(new.rotated_from, Some(old.anonymous_id.clone()));
    store.update(true, |state| schedule::adopt(state, &new)).expect("adopted");
    let funnel = store.read().expect("readable").funnel;
    assert!(funnel.mcp_client && funnel.clients.is_empty());
    // A date that is missing, corrupt or in the future is set, and never a reason to rotate.
    for date in ["", "yesterday", "2099-01-01T00:00:00Z"] {
        let text = std::fs::read_to_string(place.install()).expect("a file");
        let start = text.find("anonymous_id_created_at\": \"").expect("a date") + 27;
        let end = start + text[start..].find('"').expect("its end");
        std::fs::write(place.install(), format!("{}{date}{}", &text[..start], &text[end..]))
            .expect("written");
        let kept = identity::ensure(&place, NOW + LIFETIME + 5).expect("an id");
        assert_eq!(kept.anonymous_id, new.anonymous_id, "{date:?}");
        assert_eq!(kept.created_at, mcpproxy::contract::timestamp::format(NOW + LIFETIME + 5));
    }
    // A file that cannot be read may hold an id that was sent: it is left alone, and nothing is made.
    std::fs::write(place.install(), "{\"anonymous_id\":").expect("written");
    assert!(identity::ensure(&place, NOW).is_err());
    assert!(come_in(&home.dir(), "notes-mcp", HOST).is_err());
    assert_eq!(std::fs::read_to_string(place.install()).expect("a file"), "{\"anonymous_id\":");
    let reset = identity::reset_id(&place, NOW).expect("an id");
    assert!(reset.anonymous_id != new.anonymous_id && !reset.carried_over);
}

#[test]
fn a_directory_in_the_hands_of_others_is_not_used() {
    let home = Home::new();
    let dir = home.dir();
    let place = come_in(&dir, "notes-mcp", HOST).expect("a place");
    let permission = || Permission::read(&subject(&dir, "notes-mcp"), &none_around());
    assert_ne!(permission().consent.effective, Effective::Off);
    for path in [dir.products(), dir.product("notes-mcp"), place.root().to_owned(), place.install()]
    {
        let before = std::fs::metadata(&path).expect("there").permissions();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).expect("set");
        let consent = permission().consent;
        assert_eq!(
            (consent.effective, consent.rule.as_str()),
            (Effective::Off, "product:untrusted"),
            "{path:?}"
        );
        assert!(come_in(&dir, "notes-mcp", HOST).is_err(), "{path:?}");
        std::fs::set_permissions(&path, before).expect("set");
    }
    assert_ne!(permission().consent.effective, Effective::Off);
}

/// The fields of a process that has nothing to say.
fn live(dir: &DataDir) -> impl Fn(&State) -> Live {
    |_| Live::of_sender(&State::default(), dir, 0)
}

#[test]
fn where_a_visible_notice_is_required_a_written_one_is_not_enough() {
    let (home, receiver) = (Home::new(), Receiver::start([]));
    let dir = home.dir();
    let endpoint = receiver.endpoint();
    let subject = Subject {
        endpoint: Some(endpoint.clone()),
        require_visible_notice: true,
        ..subject(&dir, "notes-mcp")
    };
    let around = none_around();
    let permission = Permission::read(&subject, &around);
    let place = permission.place.clone();
    enter(&subject, &place, Some(&endpoint), NOW, PATIENCE).expect("a place");
    let identity = identity::ensure(&place, NOW).expect("an id");
    let store = Store::open(&place, NOW).expect("a store");
    store.update(true, |state| schedule::adopt(state, &identity)).expect("adopted");
    let attempt = || {
        let attempt = Attempt {
            subject: &subject,
            store: &store,
            around: &around,
            timing: Timing::default(),
            nonce: 7,
            asked_at: Some(NOW),
            running_since: None,
            clock: &|| NOW,
            stopped: &|| false,
        };
        attempt.run(&live(&dir))
    };
    assert!(matches!(attempt(), Outcome::Unable(why) if why.to_string().contains("was not shown")));
    let host = permission.host();
    let program = Program::at(MCPPROXY.into());
    let notice =
        Notice { product: "notes-mcp", host: &host, first_in: 0, dir: &dir, program: &program };
    let mut out = Vec::new();
    notice::show_once_to((&mut out, false), &notice, &store, &identity, NOW).expect("shown");
    assert!(
        matches!(attempt(), Outcome::Unable(why) if why.to_string().contains("no person could see it"))
    );
    assert_eq!(receiver.connections(), 0);
    notice::seen(&place, "other.example.org", NOW).expect("no other notice");
    assert!(matches!(attempt(), Outcome::Unable(_)));
    notice::seen(&place, &host, NOW).expect("noted");
    assert!(matches!(attempt(), Outcome::Acknowledged(_)));
}

#[test]
fn what_is_private_is_not_what_the_product_is_called() {
    let variable = Variable { origin: 0, name: "MCPPROXY_PRODUCT".into(), value: "x".into() };
    let around =
        Surroundings { variables: vec![variable], ancestors_readable: true, terminal: None };
    let said = mcpproxy::HostProduct::said(None, None, &around).expect("a product");
    assert_eq!((said.name.as_str(), said.version.as_str()), ("x", ""));
}
