//! What a server, a lock and a network can do to a commit: it may fail, it may have happened all the same, and to repeat it is
//! harmless.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use cockpit::clock;
use cockpit::domain::OrderState;
use cockpit::store::ledger::{Ledger, LedgerError, Write};
use cockpit::store::postgres::PostgresLedger;
use cockpit::store::sqlite::SqliteLedger;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::place::{Place, commit};
use crate::sample::*;
use crate::support::postgres::PostgresServer;

/// The promise is five seconds; a busy machine adds to it.
const BOUND: Duration = Duration::from_secs(15);

fn batch(n: u32) -> Vec<Write> {
    vec![inbox(n, &format!("{n}-0"), "b"), put(&order(n, OrderState::Signed)), command(n)]
}

async fn refused(ledger: &dyn Ledger, writes: &[Write]) {
    let begun = clock::monotonic();
    let error = ledger.commit(writes).await.expect_err("no answer");
    assert!(matches!(error, LedgerError::Unavailable(_)), "{error:?}");
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
}

fn logged(server: &PostgresServer) -> String {
    server.sql("SELECT COUNT(*) FROM log WHERE kind <> 'lease'")
}

#[tokio::test]
async fn a_server_that_is_killed_and_comes_back_has_what_was_committed() {
    let mut server = PostgresServer::start();
    let ledger = PostgresLedger::open(&server.url()).await.expect("opens");
    ledger.lease("a", Duration::from_mins(10)).await.expect("asked");
    commit(&ledger, &batch(1)).await;
    server.kill();
    refused(&ledger, &batch(2)).await;
    refused(&ledger, &batch(2)).await;
    server.up();
    commit(&ledger, &batch(2)).await;
    assert_eq!(logged(&server), "6");
    assert_eq!(ledger.load(9).await.expect("loads").orders.len(), 2);
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_and_the_batch_is_there_once() {
    let server = PostgresServer::start();
    let ledger = PostgresLedger::open(&server.url()).await.expect("opens");
    commit(&ledger, &batch(1)).await;
    server.signal("STOP");
    refused(&ledger, &batch(2)).await;
    server.signal("CONT");
    commit(&ledger, &batch(2)).await;
    assert_eq!(logged(&server), "6");
}

/// What the proxy does with the next commit.
const PASS: u8 = 0;
const LOSE_ANSWER: u8 = 1;
const LOSE_QUESTION: u8 = 2;

/// What of a conversation with a server commits: the word, or, outside of a transaction, the values of a statement.
#[derive(Default)]
struct Commits {
    in_transaction: bool,
}

impl Commits {
    fn hear(&mut self, asked: &[u8]) -> bool {
        let says = |word: &[u8]| asked.windows(word.len()).any(|part| part == word);
        let alone = !self.in_transaction && asked.first() == Some(&b'B');
        let commits = says(b"COMMIT");
        self.in_transaction = (self.in_transaction || says(b"BEGIN")) && !commits && !says(b"ROLLBACK");
        commits || alone
    }
}

/// Stands between the ledger and its server and loses one commit's question or answer.
async fn proxy(target: u16, plan: Arc<AtomicU8>) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(("127.0.0.1", target)).await.expect("the server is up");
            tokio::spawn(carry(client, server, Arc::clone(&plan)));
        }
    });
    port
}

async fn carry(mut client: TcpStream, mut server: TcpStream, plan: Arc<AtomicU8>) {
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    let mut commits = Commits::default();
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(length @ 1..) = read else { return };
                let now = if commits.hear(&asked[..length]) { plan.swap(PASS, Ordering::SeqCst) } else { PASS };
                if now == LOSE_QUESTION {
                    return;
                }
                server.write_all(&asked[..length]).await.expect("the server listens");
                if now == LOSE_ANSWER {
                    let mut told = Vec::new();
                    let done = |told: &[u8], word: &[u8]| told.windows(word.len()).any(|part| part == word);
                    while !(done(&told, b"COMMIT") || done(&told, b"INSERT 0 ")) {
                        let length = server.read(&mut answered).await.expect("the server answers");
                        assert!(length > 0, "the server hung up before it committed");
                        told.extend_from_slice(&answered[..length]);
                    }
                    return;
                }
            }
            read = server.read(&mut answered) => {
                let Ok(length @ 1..) = read else { return };
                client.write_all(&answered[..length]).await.expect("the client listens");
            }
        }
    }
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_not_logged_again() {
    let server = PostgresServer::start();
    let plan = Arc::new(AtomicU8::new(PASS));
    let port = proxy(server.port(), Arc::clone(&plan)).await;
    let ledger = PostgresLedger::open(&PostgresServer::url_at(port)).await.expect("opens");
    ledger.lease("a", Duration::from_mins(10)).await.expect("asked");
    for (n, loss, there) in [(1, LOSE_ANSWER, "3"), (2, LOSE_QUESTION, "3"), (3, LOSE_ANSWER, "9")] {
        plan.store(loss, Ordering::SeqCst);
        refused(&ledger, &batch(n)).await;
        assert_eq!(logged(&server), there, "case {n}: the outcome that the caller does not know");
        commit(&ledger, &batch(n)).await;
        assert_eq!(logged(&server), (n * 3).to_string(), "case {n}: once");
    }
    commit(&ledger, &batch(3)[1..]).await;
    assert_eq!(logged(&server), "11", "the same said anew is something new");
    plan.store(LOSE_ANSWER, Ordering::SeqCst);
    refused(&ledger, &batch(4)).await;
    commit(&ledger, &batch(5)).await;
    assert_eq!(logged(&server), "17", "another batch comes behind the one that was committed");
}

#[tokio::test]
async fn a_file_that_another_writes_is_waited_for_and_given_up() {
    let place = Place::sqlite();
    let ledger = SqliteLedger::open(&place.file()).await.expect("opens");
    commit(&ledger, &batch(1)).await;
    let other =
        sqlx::sqlite::SqlitePool::connect(&format!("sqlite://{}", place.file().display())).await.expect("opens");
    let lock = other.begin_with("BEGIN IMMEDIATE").await.expect("locks");
    refused(&ledger, &batch(2)).await;
    lock.rollback().await.expect("unlocks");
    commit(&ledger, &batch(2)).await;
    assert_eq!(ledger.load(9).await.expect("loads").orders.len(), 2);
}

#[tokio::test]
async fn no_secret_of_the_address_is_shown() {
    let error = PostgresLedger::open("postgres://desk:hunter2@127.0.0.1:1/x").await.expect_err("nobody there");
    assert!(matches!(error, LedgerError::Unavailable(_)), "{error}");
    for text in [error.to_string(), format!("{error:?}")] {
        assert!(text.contains("127.0.0.1:1/x") && !text.contains("hunter2"), "{text}");
    }
    let error = PostgresLedger::open("postgres://desk:hunter2@host:nonsense/x").await.expect_err("no address");
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    let server = PostgresServer::start();
    let ledger = PostgresLedger::open(&server.url().replace("desk@", "desk:hunter2@")).await.expect("opens");
    assert!(!format!("{ledger:?}").contains("hunter2"), "{ledger:?}");
}
