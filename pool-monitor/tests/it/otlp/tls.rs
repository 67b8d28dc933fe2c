//! Encrypted ways to a real collector: whom the exporters trust, and what they show of themselves.

use std::fs;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry::metrics::MeterProvider as _;
use pool_monitor::otlp::{ExportError, OtlpError, OtlpOptions, Protocol, Telemetry};
use pool_testkit::receivers::Collector;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto};

use super::process::{again, is_child, said};
use super::{AGES, collector_has, end_spans, options, protocols};

/// An authority, and what it vouches for: a server at localhost and a client.
struct Files {
    folder: TempDir,
}

impl Files {
    fn make() -> Self {
        let folder = TempDir::new().expect("a folder");
        let key = KeyPair::generate().expect("a key");
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = authority.self_signed(&key).expect("a certificate");
        fs::write(folder.path().join("authority.pem"), certificate.pem()).expect("written");
        let issuer = Issuer::new(authority, key);
        for name in ["localhost", "client"] {
            let key = KeyPair::generate().expect("a key");
            let params = CertificateParams::new([name.to_owned()]).expect("parameters");
            let certificate = params.signed_by(&key, &issuer).expect("a certificate");
            fs::write(folder.path().join(format!("{name}.pem")), certificate.pem())
                .expect("written");
            let key = key.serialize_pem();
            fs::write(folder.path().join(format!("{name}.key")), key).expect("written");
        }
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn server_config(&self, asks_for_client: bool) -> ServerConfig {
        let provider = Arc::new(crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("versions");
        let builder = if asks_for_client {
            let mut roots = RootCertStore::empty();
            let authority = CertificateDer::from_pem_file(self.path("authority.pem"));
            roots.add(authority.expect("a certificate")).expect("an authority");
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            builder.with_client_cert_verifier(verifier.expect("a verifier"))
        } else {
            builder.with_no_client_auth()
        };
        let certificate = CertificateDer::from_pem_file(self.path("localhost.pem"));
        let key = PrivateKeyDer::from_pem_file(self.path("localhost.key")).expect("a key");
        let chain = vec![certificate.expect("a certificate")];
        let mut config = builder.with_single_cert(chain, key).expect("they match");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config
    }
}

/// Takes encrypted connections and hands on what they say, as long as the test's process runs; the
/// URL to reach it by.
fn encrypted(url: &str, config: ServerConfig) -> String {
    let upstream: SocketAddr = url.replace("http://", "").parse().expect("an address");
    let listener = StdListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("set");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(serve(listener, upstream, TlsAcceptor::from(Arc::new(config))));
    });
    format!("https://localhost:{port}")
}

async fn serve(listener: StdListener, upstream: SocketAddr, acceptor: TlsAcceptor) {
    let listener = TcpListener::from_std(listener).expect("a listener");
    while let Ok((client, _)) = listener.accept().await {
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            // A client that does not like the certificate is gone, as it should be.
            let Ok(mut client) = acceptor.accept(client).await else { return };
            let mut server = TcpStream::connect(upstream).await.expect("it listens");
            let _ended = copy_bidirectional(&mut client, &mut server).await;
        });
    }
}

/// What an attempt met, however long the first one takes.
fn why_not(telemetry: &Telemetry) -> Option<ExportError> {
    let began = Instant::now();
    loop {
        match telemetry.flush(Duration::from_millis(50)).error {
            Some(ExportError::TimedOut(_)) if began.elapsed() < AGES => {}
            error => return error,
        }
    }
}

#[test]
fn a_named_authority_is_trusted_and_no_other() {
    let (collector, files) = (Collector::start().expect("started"), Files::make());
    for (protocol, url) in protocols(&collector) {
        let name = format!("{protocol:?}");
        let trusting = OtlpOptions {
            protocol: Some(protocol),
            service_name: Some(name.clone()),
            trusted_certificates: Some(files.path("authority.pem")),
            ..options(&encrypted(&url, files.server_config(false)))
        };
        let telemetry = Telemetry::start(&trusting).expect("started");
        telemetry.meter_provider().meter("test").u64_counter("c").build().add(1, &[]);
        end_spans(&telemetry, 2);
        let delivery = telemetry.shutdown(AGES);
        assert!(delivery.is_complete(), "{delivery:?}");
        collector_has(&collector, &name, 2, 1);

        let timeout = Some(10 * AGES);
        let distrusting = OtlpOptions { trusted_certificates: None, timeout, ..trusting };
        let telemetry = Telemetry::start(&distrusting).expect("started");
        end_spans(&telemetry, 1);
        let reason = "invalid peer certificate: UnknownIssuer".to_owned();
        assert_eq!(why_not(&telemetry), Some(ExportError::Connection { reason }));
        assert_eq!(telemetry.shutdown(Duration::ZERO).spans_undelivered, 1);
    }
}

#[test]
fn whom_the_system_trusts_is_trusted() {
    if is_child() {
        let telemetry = Telemetry::start(&OtlpOptions::default()).expect("started");
        end_spans(&telemetry, 2);
        let delivery = telemetry.shutdown(AGES);
        assert!(delivery.is_complete(), "{delivery:?}");
        return;
    }
    let (collector, files) = (Collector::start().expect("started"), Files::make());
    let authority = files.path("authority.pem");
    for ((_, url), protocol) in protocols(&collector).into_iter().zip(["http/protobuf", "grpc"]) {
        let url = encrypted(&url, files.server_config(false));
        said(&again(&[
            // Where the system's certificates are.
            ("SSL_CERT_FILE", authority.to_str().expect("text")),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &url),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
        ]));
    }
}

#[test]
fn a_system_that_trusts_nobody_is_trouble_of_the_connection() {
    if is_child() {
        let telemetry = Telemetry::start(&OtlpOptions::default()).expect("started");
        end_spans(&telemetry, 1);
        let reason = "invalid peer certificate: UnknownIssuer".to_owned();
        let error = telemetry.shutdown(AGES).error;
        assert_eq!(error, Some(ExportError::Connection { reason }));
        return;
    }
    let (collector, files) = (Collector::start().expect("started"), Files::make());
    for ((_, url), protocol) in protocols(&collector).into_iter().zip(["http/protobuf", "grpc"]) {
        said(&again(&[
            ("SSL_CERT_FILE", "/nonexistent"),
            ("SSL_CERT_DIR", "/nonexistent"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &encrypted(&url, files.server_config(false))),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "3000"),
        ]));
    }
}

#[test]
fn a_host_that_no_certificate_can_name_is_a_problem_of_the_endpoint() {
    let grpc = Some(Protocol::Grpc);
    let options = OtlpOptions { protocol: grpc, ..options("https://me:canary@-x-:4317/canary") };
    let error = Telemetry::start(&options).expect_err("a problem");
    let OtlpError::Config(error) = error else { panic!("{error:?}") };
    let [problem] = error.problems() else { panic!("one, of both signals: {error}") };
    let problem = problem.to_string();
    assert!(problem.starts_with("endpoint = \"-x-:4317\""), "{problem}");
    assert!(!problem.contains("canary"), "{problem}");
}

#[test]
fn who_is_asked_for_a_certificate_shows_it() {
    let (collector, files) = (Collector::start().expect("started"), Files::make());
    for (protocol, url) in protocols(&collector) {
        let name = format!("{protocol:?}");
        let known = OtlpOptions {
            protocol: Some(protocol),
            service_name: Some(name.clone()),
            trusted_certificates: Some(files.path("authority.pem")),
            client_certificate: Some(files.path("client.pem")),
            client_key: Some(files.path("client.key")),
            ..options(&encrypted(&url, files.server_config(true)))
        };
        let telemetry = Telemetry::start(&known).expect("started");
        telemetry.meter_provider().meter("test").u64_counter("c").build().add(1, &[]);
        end_spans(&telemetry, 2);
        let delivery = telemetry.shutdown(AGES);
        assert!(delivery.is_complete(), "{delivery:?}");
        collector_has(&collector, &name, 2, 1);

        let unknown = OtlpOptions {
            timeout: Some(Duration::from_secs(2)),
            client_certificate: None,
            client_key: None,
            ..known
        };
        let telemetry = Telemetry::start(&unknown).expect("started");
        end_spans(&telemetry, 1);
        let delivery = telemetry.shutdown(AGES);
        assert!(matches!(delivery.error, Some(ExportError::Connection { .. })), "{delivery:?}");
    }
}

/// What is wrong with the files of some options, and how the problem with them begins.
type Case = (fn(&Files, &mut OtlpOptions), &'static str, &'static str);

const CERTIFICATES: &str = "allowed: a PEM file with certificates";
const KEY: &str = "allowed: a PEM file with the private key of the client's certificate";

const CASES: [Case; 7] = [
    (
        |_, options| options.trusted_certificates = Some("/no/such/file".into()),
        "trusted_certificates = \"/no/such/file\": the file cannot be read: entity not found",
        CERTIFICATES,
    ),
    (
        |files, options| options.trusted_certificates = Some(files.path("empty.pem")),
        "trusted_certificates = ",
        CERTIFICATES,
    ),
    (
        |files, options| options.trusted_certificates = Some(files.path("broken.pem")),
        "trusted_certificates = ",
        CERTIFICATES,
    ),
    (
        |files, options| options.client_certificate = Some(files.path("client.pem")),
        "client_certificate = ",
        KEY,
    ),
    (
        |files, options| options.client_key = Some(files.path("client.key")),
        "client_key = ",
        CERTIFICATES,
    ),
    (
        |files, options| {
            options.client_certificate = Some(files.path("client.pem"));
            options.client_key = Some(files.path("client.pem"));
        },
        "client_key = ",
        KEY,
    ),
    (
        |files, options| {
            options.client_certificate = Some(files.path("client.pem"));
            options.client_key = Some(files.path("localhost.key"));
        },
        "client_key = ",
        KEY,
    ),
];

#[test]
fn files_that_are_no_certificates_or_keys_are_named_with_what_they_should_be() {
    let files = Files::make();
    fs::write(files.path("empty.pem"), "").expect("written");
    let text = "-----BEGIN CERTIFICATE-----\ncanary\n-----END CERTIFICATE-----\n";
    fs::write(files.path("broken.pem"), text).expect("written");
    for (change, begin, end) in CASES {
        for protocol in super::PROTOCOLS {
            let mut options = OtlpOptions { protocol: Some(protocol), ..options("https://x") };
            change(&files, &mut options);
            let error = Telemetry::start(&options).expect_err("a problem");
            let OtlpError::Config(error) = error else { panic!("{error:?}") };
            let [problem] = error.problems() else { panic!("one, of both signals: {error}") };
            let problem = problem.to_string();
            assert!(problem.starts_with(begin) && problem.ends_with(end), "{problem}");
            assert!(!problem.contains("canary"), "{problem}");
        }
    }
}
