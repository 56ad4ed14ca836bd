//! What is for a server on this machine never goes to a proxy.

use crate::clients::{call, modern, over_http, text};
use crate::fake::Fake;
use crate::gateway::{Gateway, Home, eventually};
use serde_json::json;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

/// A proxy that keeps the first line of everything it is asked, and answers nothing useful.
struct Proxy {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("its address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mut line = String::new();
                let mut reader = BufReader::new(stream);
                let _ = reader.by_ref().take(4096).read_line(&mut line);
                kept.lock().unwrap().push(line);
                let _ = reader.get_mut().write_all(
                    b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                );
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

const NAMES: [&str; 6] =
    ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_for_a_server_on_this_machine_never_goes_to_a_proxy() {
    let url = Fake::default().serve().await;
    let port = url.rsplit(':').next().and_then(|rest| rest.split('/').next()).expect("a port");
    let entry = |host: &str| json!({"url": format!("http://{host}:{port}/mcp"), "headers": {"Authorization": "Bearer SECRET"}});
    let proxy = Proxy::start();
    let variables = NAMES.map(|name| (name, proxy.address.as_str()));
    let config = json!({"mcpServers": {
        "address": entry("127.0.0.1"),
        "name": entry("localhost"),
        "short": entry("127.1"),
        "mapped": entry("[::ffff:127.0.0.1]"),
        "any": entry("0.0.0.0"),
        "below": entry("app.localhost"),
        "six": entry("[::1]"),
        // The proxy does work: what is elsewhere goes through it.
        "elsewhere": {"url": "http://mcp.example.org/mcp"},
    }});
    let gateway = Gateway::start_in(Home::with(&config), &[], &variables);
    for name in ["address", "name", "short"] {
        gateway.wait_for(name, "connected");
    }
    eventually("the proxy is asked for what is elsewhere", || {
        proxy.asked().iter().any(|line| line.contains("mcp.example.org")).then_some(())
    });
    // These have an answer of their own, if only that the fake is not there or not called so.
    for name in ["mapped", "any", "below", "six"] {
        eventually(name, || {
            let status = gateway.status();
            let all = status["servers"].as_array().expect("servers").clone();
            all.into_iter().find(|s| s["name"] == name && s["state"] != "connecting").map(drop)
        });
    }
    let session = over_http(&gateway.mcp(), "zed", modern()).await;
    assert_eq!(text(&call(&session, "address:echo", json!({})).await), "echo");
    let wrong: Vec<_> =
        proxy.asked().into_iter().filter(|line| !line.contains("mcp.example.org")).collect();
    assert!(wrong.is_empty(), "it got what is for this machine: {wrong:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_proxy_names_servers_that_are_asked_directly() {
    let proxy = Proxy::start();
    for name in ["NO_PROXY", "no_proxy"] {
        let config = json!({"mcpServers": {
            // Names that no resolver knows: asked directly, they are not found.
            "named": {"url": "http://direct.invalid:8123/mcp"},
            "below": {"url": "http://a.direct.invalid/mcp"},
            "other": {"url": "http://proxied.invalid/mcp"},
        }});
        let variables =
            [("HTTP_PROXY", proxy.address.as_str()), (name, ".x.invalid, direct.invalid:8123")];
        let gateway = Gateway::start_in(Home::with(&config), &[], &variables);
        eventually("the proxy is asked for the other one", || {
            proxy.asked().iter().any(|line| line.contains("proxied.invalid")).then_some(())
        });
        for name in ["named", "below"] {
            gateway.wait_for(name, "waiting");
        }
        assert!(!proxy.asked().iter().any(|line| line.contains("direct.invalid")), "{name}");
    }
}
