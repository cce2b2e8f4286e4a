//! Passwords, permissions, TLS, and refusals of the server.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use cockpit::bus::control::{self, ControlError};
use cockpit::bus::redis::RedisBus;
use cockpit::bus::{Bus, BusError, BusLink, BusRef, Channel, Delivery, EntryId, Group, Key, Origin, ReadFrom, Stream};
use cockpit::clock;

use crate::support::redis_server::RedisServer;
use crate::support::sentinel_cluster::Sentinel;
use crate::{PATIENCE, append, payloads, text, until_down, until_up};

#[tokio::test]
async fn a_wrong_password_is_refused_without_being_repeated() {
    let server = RedisServer::start_with(&["--requirepass", "right-secret"]);
    for (credentials, code) in [(":wrong-secret", "WRONGPASS"), ("nobody:wrong-secret", "WRONGPASS"), ("", "NOAUTH")] {
        let bus = RedisBus::new(&server.url_as(credentials)).unwrap();
        let told = until_down(&mut refused(&*bus).await).await;
        let Err(BusError::Refused(called)) = bus.get(&Key::Kill).await else { panic!("refused") };
        let Err(BusError::Refused(subscribed)) = bus.subscribe(&[Channel::Kill], 8).await else { panic!("refused") };
        let Err(BusError::Refused(read)) = bus.read(Stream::Events, EntryId::START, 1, Duration::from_millis(1)).await
        else {
            panic!("refused")
        };
        for message in [&told, &called, &read] {
            assert!(message.contains(code) && message.contains("127.0.0.1"), "{message}");
        }
        for message in [told, called, subscribed, read, format!("{bus:?}")] {
            assert!(!message.contains("secret"), "{message}");
        }
    }
    let bus = RedisBus::new(&server.url_as(":right-secret")).unwrap();
    works(&*bus).await;
}

/// The link once the first attempt has failed.
async fn refused(bus: &dyn Bus) -> tokio::sync::watch::Receiver<BusLink> {
    assert!(bus.get(&Key::Kill).await.is_err());
    bus.link()
}

#[tokio::test]
async fn a_user_with_rights_works_and_one_without_is_told() {
    let server = RedisServer::start_with(&[
        "--user",
        "hermes",
        "on",
        ">pass word",
        "~*",
        "&*",
        "+@all", //
        "--user",
        "argos",
        "on",
        ">argos",
        "~data.*",
        "&data.*",
        "-@all",
        "+publish",
        "+subscribe",
        "+xadd",
        "+set",
    ]);
    works(&*RedisBus::new(&server.url_as("hermes:pass%20word")).unwrap()).await;

    let argos = RedisBus::new(&server.url_as("argos:argos")).unwrap();
    argos.publish(Channel::Crypto, text("tick")).await.unwrap();
    append(&*argos, Stream::Rejected, "bad tick").await;
    assert!(argos.subscribe(&[Channel::Crypto], 8).await.is_ok());
    for denied in [
        argos.set(&Key::Kill, text("armed")).await,
        argos.publish(Channel::Kill, text("armed")).await,
        argos.append(Stream::Signals, text("order")).await.map(drop),
        argos.subscribe(&[Channel::Kill], 8).await.map(drop),
    ] {
        let Err(BusError::Refused(reason)) = denied else { panic!("{denied:?}") };
        assert!(reason.contains("NOPERM"), "{reason}");
    }
    assert_eq!(*argos.link().borrow(), BusLink::Up, "a refusal is no outage");
}

#[tokio::test]
async fn a_kill_that_cannot_be_kept_is_pushed_all_the_same() {
    let rights =
        ["--user", "cli", "on", ">cli", "%R~control.kill", "&control.kill", "-@all", "+publish", "+get", "+set"];
    let server = RedisServer::start_with(&rights);
    let watcher = RedisBus::new(&server.url()).unwrap();
    let mut pushes = watcher.subscribe(&[Channel::Kill], 8).await.unwrap();
    let bus: BusRef = RedisBus::new(&server.url_as("cli:cli")).unwrap();
    let killed = control::kill(&bus, &Origin::new("cli", "boot"), "cli", "test", clock::now()).await;
    assert!(matches!(killed, Err(ControlError::Bus(BusError::Refused(_)))), "{killed:?}");
    assert!(matches!(crate::next(&mut pushes).await, Delivery::Message { channel: Channel::Kill, .. }));
}

#[tokio::test]
async fn refusals_of_the_server_are_permanent_errors_and_a_full_one_is_degraded() {
    let server = RedisServer::start();
    let bus = RedisBus::new(&server.url()).unwrap();
    server.command("SET trade.signals text");
    server.command("RPUSH state.argos item");
    let wrong = [
        bus.append(Stream::Signals, text("x")).await.map(drop),
        bus.create_group(Stream::Signals, Group::Hermes).await,
        bus.read(Stream::Signals, EntryId::START, 1, PATIENCE).await.map(drop),
        bus.get(&Key::ARGOS).await.map(drop),
    ];
    for answer in wrong {
        assert!(matches!(&answer, Err(BusError::Refused(reason)) if reason.starts_with("WRONGTYPE")), "{answer:?}");
    }
    server.command("CONFIG SET maxmemory 1");
    let full = bus.set(&Key::HERMES, text("x")).await;
    assert!(matches!(&full, Err(BusError::Degraded(reason)) if reason.starts_with("OOM")), "{full:?}");
    assert_eq!(bus.get(&Key::Kill).await, Ok(None), "reading goes on");
}

#[tokio::test]
async fn an_entry_that_somebody_else_wrote_is_handed_over_with_what_it_says() {
    let server = RedisServer::start();
    let bus = RedisBus::new(&server.url()).unwrap();
    bus.create_group(Stream::Signals, Group::Hermes).await.unwrap();
    server.command("XADD trade.signals * price 0.5");
    append(&*bus, Stream::Signals, "ours").await;
    let read = bus.read_group(Stream::Signals, Group::Hermes, "me", ReadFrom::New, 9, PATIENCE).await.unwrap();
    assert_eq!(payloads(&read), [r#"["price","0.5"]"#, "ours"]);
}

#[tokio::test]
async fn tls_is_spoken_to_a_server_whose_authority_is_trusted() {
    // An error means that another test was first.
    let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let server = tls_server();
    let authority = server.folder().join("ca.pem");
    let bus = RedisBus::new(&format!("{}/?ca={}", server.tls_url(), authority.display())).unwrap();
    works(&*bus).await;

    let stranger = RedisBus::new(&server.tls_url()).unwrap();
    let told = until_down(&mut refused(&*stranger).await).await;
    assert!(told.contains("certificate"), "{told}");
    let plain = RedisBus::new(&server.url()).unwrap();
    assert!(refused(&*plain).await.borrow().clone() != BusLink::Up);
}

#[tokio::test]
async fn tls_is_spoken_to_sentinels_and_to_the_master_that_they_name() {
    // An error means that another test was first.
    let _installed = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let server = tls_server();
    let (folder, port) = (server.folder().display(), server.port());
    let sentinel = Sentinel::start_with(&format!(
        "port 0\ntls-port {{port}}\nbind 127.0.0.1\ntls-auth-clients no\ntls-replication yes\n\
         tls-cert-file {folder}/leaf.pem\ntls-key-file {folder}/leaf.key\ntls-ca-cert-file {folder}/ca.pem\n\
         sentinel monitor desk 127.0.0.1 {port} 1\nsentinel down-after-milliseconds desk 600000\n"
    ));
    let (place, authority) = (sentinel.port(), server.folder().join("ca.pem"));
    let bus = RedisBus::new(&format!("rediss+sentinel://127.0.0.1:{place}/desk?ca={}", authority.display())).unwrap();
    works(&*bus).await;
}

/// A server that speaks nothing but TLS, with an authority of its own.
fn tls_server() -> RedisServer {
    let mut server = RedisServer::down_with(&[
        "--port",
        "0",
        "--tls-port",
        "{port}",
        "--tls-auth-clients",
        "no", //
        "--tls-cert-file",
        "{folder}/leaf.pem",
        "--tls-key-file",
        "{folder}/leaf.key",
        "--tls-ca-cert-file",
        "{folder}/ca.pem",
    ]);
    certify(server.folder());
    server.up();
    server
}

/// Every kind of connection, once.
async fn works(bus: &dyn Bus) {
    until_up(&mut bus.link()).await;
    bus.set(&Key::HERMES, text("x")).await.unwrap();
    let mut subscription = bus.subscribe(&[Channel::Crypto], 8).await.unwrap();
    bus.publish(Channel::Crypto, text("tick")).await.unwrap();
    crate::next(&mut subscription).await;
    append(bus, Stream::Events, "event").await;
    let read = bus.read(Stream::Events, EntryId::START, 1, PATIENCE).await.unwrap();
    assert_eq!(payloads(&read), ["event"]);
}

/// An authority and a certificate for 127.0.0.1 that it signed.
fn certify(folder: &Path) {
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    openssl(folder, &key, &["-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem"]);
    openssl(
        folder,
        &key,
        &[
            "-subj",
            "/CN=bus",
            "-keyout",
            "leaf.key",
            "-out",
            "leaf.pem",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
        ],
    );
}

fn openssl(folder: &Path, key: &[&str], more: &[&str]) {
    let mut command = Command::new("openssl");
    command.args(["req", "-x509"]).args(key).args(more).current_dir(folder);
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    let status = status.unwrap_or_else(|error| panic!("openssl cannot be started ({error}): run `make setup`"));
    assert!(status.success(), "{command:?}: {status}");
}
