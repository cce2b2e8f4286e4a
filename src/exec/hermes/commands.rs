//! Commands from `control.commands`. A kill is obeyed here, without waiting for the loop; the rest is asked of it.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::kill::KillSwitch;
use crate::bus::{BusError, BusRef, EntryId, Envelope, Stream, decode};
use crate::clock;
use crate::domain::{Ack, AckVerdict, Action, Addressee, Command, KillLatch, KillState, ParamBook};

const BLOCK: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(250);
const BATCH: usize = 16;
/// Commands of a kind that wait for the one before them, or for their answers.
const WAITING: usize = 64;
/// How long the loop may take to answer.
const ANSWER: Duration = Duration::from_secs(20);
/// How long who asks waits for what the loop has taken to become durable.
const DURABLE: Duration = Duration::from_secs(5);
/// Answers to a question: that it is being done, and what came of it.
const ANSWERS: usize = 2;

/// What reaches the loop of a command.
#[derive(Debug)]
pub(in crate::exec) enum Asked {
    /// It is to be carried out.
    Question {
        /// What is asked.
        command: Command,
        /// Where the answer goes.
        reply: Reply,
    },
    /// It was answered without the loop, and is to be kept for the record.
    Answered {
        /// What was asked.
        command: Command,
        /// What was answered.
        verdict: AckVerdict,
    },
    /// The dead letter of this id is on the bus, which is to be kept.
    Published(String),
    /// The parameters of a strategy as they are on the bus, which are to be kept.
    Params(Box<ParamBook>),
}

/// Where the answers to a question go.
#[derive(Debug)]
pub(in crate::exec) struct Reply(mpsc::Sender<Ack>);

impl Reply {
    /// Says that it is being done. Who asked may have gone.
    pub(super) fn taken(&self, ack: Ack) {
        let _gone = self.0.try_send(ack);
    }

    /// Says what came of it; gives it back when who asked has gone.
    pub(super) fn send(self, ack: Ack) -> Result<(), Box<Ack>> {
        self.0.try_send(ack).map_err(|error| Box::new(error.into_inner()))
    }
}

/// Says what came of a question; to everybody when who asked has gone.
pub(super) fn conclude(reply: Reply, ack: Ack, answers: &mpsc::Sender<Ack>) {
    if let Err(late) = reply.send(ack) {
        answer(answers, *late);
    }
}

/// Obeys what is appended from now on, until the end. A kill takes effect when it is read, and again in its turn behind the armings
/// before it: none of them holds it up or outlasts it. Everything else is asked of the loop in its order, and no answer that
/// fails to come holds up the next question.
pub(super) async fn tail(
    bus: BusRef,
    switch: Arc<KillSwitch>,
    asks: mpsc::Sender<Asked>,
    answers: mpsc::Sender<Ack>,
    end: CancellationToken,
) {
    let (latch, mut latches) = mpsc::channel(WAITING);
    let (rest, mut others) = mpsc::channel(WAITING);
    let queues = Queues { latch, rest };
    let reading = async {
        let mut after: Option<EntryId> = None;
        loop {
            if let Err(error) = follow(&bus, &switch, &queues, &answers, &mut after).await {
                tracing::warn!(%error, "control.commands cannot be read, trying again");
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    let one_by_one = async {
        while let Some(command) = latches.recv().await {
            answer(&answers, obey(command, &switch, &asks).await);
        }
    };
    let at_once = async {
        let mut asked = FuturesUnordered::new();
        loop {
            tokio::select! {
                Some(command) = others.recv(), if asked.len() < WAITING => asked.push(obey(command, &switch, &asks)),
                Some(ack) = asked.next() => answer(&answers, ack),
            }
        }
    };
    tokio::select! {
        () = reading => {}
        () = one_by_one => {}
        () = at_once => {}
        () = end.cancelled() => {}
    }
}

/// Where commands wait for their turn.
struct Queues {
    /// What arms and kills: one after the other.
    latch: mpsc::Sender<Command>,
    /// Everything else.
    rest: mpsc::Sender<Command>,
}

async fn follow(
    bus: &BusRef,
    switch: &KillSwitch,
    queues: &Queues,
    answers: &mpsc::Sender<Ack>,
    after: &mut Option<EntryId>,
) -> Result<(), BusError> {
    loop {
        let from = match *after {
            Some(from) => from,
            // What was asked before this run was asked of another.
            None => bus.tail(Stream::Commands, 1).await?.last().map_or(EntryId::START, |entry| entry.id),
        };
        *after = Some(from);
        for entry in bus.read(Stream::Commands, from, BATCH, BLOCK).await? {
            *after = Some(entry.id);
            let command = match decode::<Command>(&entry.payload) {
                Ok(Envelope { body, .. }) => body,
                Err(error) => {
                    tracing::warn!(entry = %entry.id, %error, "a command cannot be read");
                    continue;
                }
            };
            if command.action.addressee() != Addressee::Hermes {
                continue;
            }
            if let Action::Kill { why } = &command.action {
                trip(switch, &command.actor, why);
                // Its turn may be waited for: nothing behind it stops more than it has.
                if queues.latch.send(command).await.is_err() {
                    return Ok(());
                }
                continue;
            }
            let arms = matches!(command.action, Action::Arm { .. });
            if let Err(error) = (if arms { &queues.latch } else { &queues.rest }).try_send(command) {
                let id = error.into_inner().id;
                answer(answers, refused(id, "too many commands are waiting for hermes"));
            }
        }
    }
}

pub(super) fn answer(answers: &mpsc::Sender<Ack>, ack: Ack) {
    if let Err(error) = answers.try_send(ack) {
        tracing::warn!(%error, "an acknowledgement was lost");
    }
}

fn refused(id: String, reason: &str) -> Ack {
    let verdict = AckVerdict::Denied { reasons: vec![reason.to_owned()] };
    Ack { id, by: "hermes".into(), not_heard_from: Vec::new(), verdict, version: None, at: clock::now() }
}

/// Carries a command out and says what came of it. What the loop has been asked is never said to be denied but by the loop: as long as
/// it has not said what came of it, it may be in force.
pub(super) async fn obey(command: Command, switch: &KillSwitch, asks: &mpsc::Sender<Asked>) -> Ack {
    let id = command.id.clone();
    let ack = |verdict| Ack {
        id: id.clone(),
        by: "hermes".into(),
        not_heard_from: Vec::new(),
        verdict,
        version: None,
        at: clock::now(),
    };
    let denied = |reason: &str| AckVerdict::Denied { reasons: vec![reason.to_owned()] };
    if let Action::Kill { why } = &command.action {
        trip(switch, &command.actor, why);
        return ack(answered(asks, command, AckVerdict::Applied));
    }
    if command.expires_at < clock::now() {
        return ack(answered(asks, command, denied("it has expired")));
    }
    let (reply, mut answers) = mpsc::channel(ANSWERS);
    if asks.try_send(Asked::Question { command, reply: Reply(reply) }).is_err() {
        return ack(denied("hermes is too busy or is ending"));
    }
    let (mut known, mut until) = (ack(AckVerdict::Accepted), Instant::now() + ANSWER);
    while let Ok(Some(answer)) = tokio::time::timeout_at(until, answers.recv()).await {
        if answer.verdict != AckVerdict::Accepted {
            return answer;
        }
        (known, until) = (answer, until.min(Instant::now() + DURABLE));
    }
    known
}

/// Closes the gate, in the epoch in force.
pub(super) fn trip(switch: &KillSwitch, by: &str, why: &str) {
    let latch = switch.latch();
    let at = clock::now().max(latch.at);
    switch.trip(KillLatch { state: KillState::Killed, by: by.to_owned(), why: why.to_owned(), at, ..latch });
}

/// Has the loop keep the record. A loop that is too busy for it leaves it to the log: no command waits for its record.
fn answered(asks: &mpsc::Sender<Asked>, command: Command, verdict: AckVerdict) -> AckVerdict {
    let told = format!("{:?} of {} by {}: {verdict:?}", command.action, command.id, command.actor);
    if asks.try_send(Asked::Answered { command, verdict: verdict.clone() }).is_err() {
        tracing::error!(%told, "a command is only recorded here");
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::memory::MemoryBus;
    use crate::bus::{Origin, control};

    /// Longer than the test waits, were the kill to wait for the answer before it.
    const PATIENCE: Duration = ANSWER.checked_div(2).expect("half of it");

    async fn until(what: &str, holds: impl Fn() -> bool) {
        let reached = async {
            while !holds() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("{what}"));
    }

    #[tokio::test]
    async fn what_the_loop_was_asked_is_denied_by_nobody_else() {
        let latch = KillLatch { epoch: 1, state: KillState::Armed, by: "t".into(), why: "t".into(), at: clock::now() };
        let switch = KillSwitch::new(latch);
        let command = || control::make("cli:a", Action::DlqDrop { id: "1".into(), why: "t".into() }, clock::now());
        let ack = |verdict, version| Ack {
            id: "1".into(),
            by: "hermes".into(),
            not_heard_from: Vec::new(),
            verdict,
            version,
            at: clock::now(),
        };
        let (asks, mut asked) = mpsc::channel(1);
        let next = |asked: Option<Asked>| {
            let Some(Asked::Question { reply, .. }) = asked else { panic!("a question: {asked:?}") };
            reply
        };
        let dropped = async { drop(next(asked.recv().await)) };
        let (answer, ()) = tokio::join!(obey(command(), &switch, &asks), dropped);
        assert_eq!((answer.verdict, answer.version), (AckVerdict::Accepted, None), "not known");
        let taken_only = async {
            let reply = next(asked.recv().await);
            reply.taken(ack(AckVerdict::Accepted, Some(7)));
        };
        let (answer, ()) = tokio::join!(obey(command(), &switch, &asks), taken_only);
        assert_eq!((answer.verdict, answer.version), (AckVerdict::Accepted, Some(7)));
        let both = async {
            let reply = next(asked.recv().await);
            reply.taken(ack(AckVerdict::Accepted, Some(7)));
            reply.send(ack(AckVerdict::Applied, Some(7))).expect("somebody waits");
        };
        let (answer, ()) = tokio::join!(obey(command(), &switch, &asks), both);
        assert_eq!(answer.verdict, AckVerdict::Applied);
        drop(asked);
        let refused = obey(command(), &switch, &asks).await.verdict;
        assert!(matches!(refused, AckVerdict::Denied { .. }), "never handed over: {refused:?}");
    }

    #[tokio::test]
    async fn an_answer_that_comes_after_who_asked_has_gone_is_told_to_everybody() {
        let (reply, asker) = mpsc::channel(ANSWERS);
        let (answers, mut told) = mpsc::channel(1);
        drop(asker);
        conclude(Reply(reply), refused("late".into(), "test"), &answers);
        assert_eq!(told.recv().await.map(|ack| ack.id), Some("late".into()));
    }

    #[tokio::test]
    async fn a_kill_neither_waits_for_an_arming_before_it_nor_is_lost_to_it() {
        let bus: BusRef = MemoryBus::new();
        let latch = |epoch, state| KillLatch { epoch, state, by: "test".into(), why: "test".into(), at: clock::now() };
        let switch = Arc::new(KillSwitch::new(latch(1, KillState::Armed)));
        let (asks, mut asked) = mpsc::channel(8);
        let (answers, mut answered) = mpsc::channel(8);
        let end = CancellationToken::new();
        let task = tokio::spawn(tail(Arc::clone(&bus), Arc::clone(&switch), asks, answers, end.clone()));
        let origin = Origin::new("cli", "c1");
        // Until the first is heard: what was appended before the task looked is not for it.
        let (question, reply) = loop {
            let arm = Action::Arm { why: "test".into() };
            control::command(&bus, &origin, "cli:a", arm, clock::now()).await.expect("appended");
            match tokio::time::timeout(Duration::from_millis(50), asked.recv()).await {
                Ok(Some(Asked::Question { command, reply })) => break (command, reply),
                Ok(other) => panic!("{other:?}"),
                Err(_) => {}
            }
        };
        let kill = Action::Kill { why: "now".into() };
        let kill = control::command(&bus, &origin, "cli:b", kill, clock::now()).await.expect("appended");
        until("the kill waits for the arming", || !switch.is_armed()).await;

        // The arming that was under way takes effect all the same; then it is the kill's turn.
        switch.arm(latch(2, KillState::Armed), switch.trips()).expect("armed");
        let ack = |id: &str| Ack {
            id: id.into(),
            by: "hermes".into(),
            not_heard_from: Vec::new(),
            verdict: AckVerdict::Applied,
            version: None,
            at: clock::now(),
        };
        reply.send(ack(&question.id)).expect("somebody waits");
        let killed = async {
            loop {
                tokio::select! {
                    Some(ack) = answered.recv() => if ack.id == kill.id { return },
                    // Armings that were appended more than once.
                    Some(asked) = asked.recv() => if let Asked::Question { command, reply } = asked {
                        reply.send(refused(command.id, "test")).expect("somebody waits");
                    },
                }
            }
        };
        tokio::time::timeout(PATIENCE, killed).await.expect("it was obeyed in its turn");
        assert_eq!((switch.is_armed(), switch.latch().epoch), (false, 2));
        end.cancel();
        task.await.expect("it ends");
    }

    #[tokio::test]
    async fn an_answer_that_does_not_come_holds_up_no_other_question() {
        let bus: BusRef = MemoryBus::new();
        let latch = KillLatch { epoch: 1, state: KillState::Killed, by: "t".into(), why: "t".into(), at: clock::now() };
        let (asks, mut asked) = mpsc::channel(8);
        let (answers, mut answered) = mpsc::channel(8);
        let (switch, end) = (Arc::new(KillSwitch::new(latch)), CancellationToken::new());
        let task = tokio::spawn(tail(Arc::clone(&bus), switch, asks, answers, end.clone()));
        let origin = Origin::new("cli", "c1");
        let drop = |id: &str| Action::DlqDrop { id: id.into(), why: "test".into() };
        // Until the first is heard; its answer never comes, nor does the arming's behind it.
        let stuck = loop {
            control::command(&bus, &origin, "cli:a", drop("stuck"), clock::now()).await.expect("appended");
            if let Ok(stuck) = tokio::time::timeout(Duration::from_millis(50), asked.recv()).await {
                break stuck;
            }
        };
        let arm = Action::Arm { why: "test".into() };
        control::command(&bus, &origin, "cli:a", arm, clock::now()).await.expect("appended");
        let other = control::command(&bus, &origin, "cli:b", drop("other"), clock::now()).await.expect("appended");
        let mut unanswered = vec![stuck];
        let heard = async {
            loop {
                match asked.recv().await {
                    Some(Asked::Question { command, reply }) if command.id == other.id => break reply,
                    waiting => unanswered.push(waiting),
                }
            }
        };
        let reply = tokio::time::timeout(PATIENCE, heard).await.expect("it waits for no other's answer");
        reply.send(refused(other.id.clone(), "test")).expect("somebody waits");
        let ack = tokio::time::timeout(PATIENCE, answered.recv()).await.expect("in time").expect("an answer");
        assert_eq!(ack.id, other.id);
        end.cancel();
        task.await.expect("it ends");
    }
}
