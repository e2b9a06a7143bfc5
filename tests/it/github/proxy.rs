//! The way to GitHub through a proxy: the program itself, a proxy on loopback, and TLS to the end.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::binary::Job;
use super::*;

/// No name server knows it: only the proxy can lead there.
const HOST: &str = "https://api.github.test";

fn tls(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/github/tls").join(name)
}

/// A proxy whose every tunnel ends at the fake, and the heads of the requests for a tunnel.
struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start(fake: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_file(tls("certificate.pem")).unwrap()],
                PrivateKeyDer::from_pem_file(tls("key.pem")).unwrap(),
            )
            .unwrap();
        let (server, heads) = (Arc::new(server), Arc::clone(&asked));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (server, heads) = (Arc::clone(&server), Arc::clone(&heads));
                thread::spawn(move || tunnel(client, fake, &server, &heads));
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

fn tunnel(mut client: TcpStream, fake: SocketAddr, server: &Arc<ServerConfig>, heads: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if client.read_exact(&mut byte).is_err() {
            return;
        }
        head.push(byte[0]);
    }
    heads.lock().unwrap().push(String::from_utf8(head).unwrap());
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
    let mut inside = TcpStream::connect(fake).unwrap();
    for stream in [&client, &inside] {
        stream.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
    }
    let mut outside = StreamOwned::new(ServerConnection::new(Arc::clone(server)).unwrap(), client);
    while pump(&mut outside, &mut inside) && pump(&mut inside, &mut outside) {}
}

/// Carries over what is there by now; `false` at the end.
fn pump(from: &mut impl Read, to: &mut impl Write) -> bool {
    let mut bytes = [0; 16_384];
    match from.read(&mut bytes) {
        Ok(0) => false,
        Ok(length) => to.write_all(&bytes[..length]).and_then(|()| to.flush()).is_ok(),
        Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

/// A pull request whose API has the name that only the proxy knows.
fn behind(proxy: &str, except: &str) -> Job {
    let mut job = Job::pull_request();
    job.set("GITHUB_API_URL", HOST.to_owned());
    job.set("SSL_CERT_FILE", tls("certificate.pem").display().to_string());
    job.set("HTTPS_PROXY", proxy.to_owned());
    job.set("NO_PROXY", except.to_owned());
    job
}

#[test]
fn the_api_is_reached_through_the_proxy() {
    let mut job = behind("", "");
    let proxy = Proxy::start(job.fake.address);
    job.set("HTTPS_PROXY", format!("http://ann:pass%20word@{}", proxy.address));
    assert_eq!(job.run("check --publish").code, 1);
    assert_eq!(job.fake.state().comments_on(7).len(), 1, "{:?}", proxy.asked());
    let asked = proxy.asked();
    assert!(asked[0].starts_with("CONNECT api.github.test:443 HTTP/1.1\r\n"), "{asked:?}");
    // `ann:pass word`
    assert!(asked[0].contains("Proxy-Authorization: Basic YW5uOnBhc3Mgd29yZA==\r\n"), "{asked:?}");
}

#[test]
fn an_excepted_host_is_asked_without_the_proxy() {
    let mut job = behind("", "other.example, github.test");
    let proxy = Proxy::start(job.fake.address);
    job.set("HTTPS_PROXY", format!("http://{}", proxy.address));
    assert_eq!(job.run("check --publish").code, 1);
    assert_eq!(proxy.asked(), Vec::<String>::new());
    assert!(job.workspace.read("summary").contains("could not be reached"), "{}", job.workspace.read("summary"));
}

#[test]
fn a_proxy_that_cannot_be_used_is_a_notice_without_its_password() {
    for proxy in
        ["socks5://ann:hunter2@127.0.0.1:9", "https://ann:hunter2@127.0.0.1:9", "http://ann:hunter2@127.0.0.1:9"]
    {
        let job = behind(proxy, "");
        let ran = job.run("check --publish");
        assert_eq!(ran.code, 1, "{proxy}: {}", ran.stderr);
        let summary = job.workspace.read("summary");
        assert!(summary.contains("not_published") || summary.contains("GitHub"), "{proxy}: {summary}");
        for text in [&summary, &ran.stdout, &ran.stderr, &job.workspace.read("loadgate-report/report.json")] {
            assert!(!text.contains("hunter2"), "{proxy}: {text}");
        }
    }
}
