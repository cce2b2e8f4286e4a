//! The lease: one row, one clock, the database's.

use std::time::Duration;

use sqlx::AssertSqlSafe;

use super::super::chain::{Draft, Kind};
use super::super::engine::{Access, Engine, Session};
use super::super::ledger::{Lease, LedgerError};
use super::super::plan::{self, json};
use super::{SqlLedger, batch, rows, run};

impl<E: Engine> SqlLedger<E> {
    pub(super) async fn take_lease(&self, holder: &str, ttl: Duration) -> Result<Lease, LedgerError> {
        let ours = self.turn().token;
        let mut session = self.engine.begin(Access::Write).await?;
        let asked = match self.ask(session.as_mut(), ours, holder, ttl).await {
            Ok(lease) => lease,
            Err(error) => {
                session.roll_back().await;
                return Err(error);
            }
        };
        let Lease::Ours { token } = asked else {
            session.roll_back().await;
            return Ok(asked);
        };
        session.commit().await?;
        let mut turn = self.turn();
        if turn.token != token {
            turn.token = token;
            // A commit of an earlier turn that is still open can only have been fenced off.
            turn.unsure = None;
            turn.head = None;
        }
        Ok(asked)
    }

    async fn ask(
        &self,
        session: &mut dyn Session,
        ours: u64,
        holder: &str,
        ttl: Duration,
    ) -> Result<Lease, LedgerError> {
        let now = self.engine.dialect().now_ms;
        let ttl = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX / 4);
        let sql = format!(
            "UPDATE lease SET token = CASE WHEN token = $1 AND token > 0 THEN token ELSE token + 1 END,
                 holder = $2, expires_at = {now} + $3
             WHERE (token = $1 AND token > 0) OR expires_at <= {now} RETURNING token"
        );
        let values = vec![ours.cast_signed().into(), holder.into(), ttl.into()];
        if let Some(row) = rows(session, AssertSqlSafe(sql), values).await?.first() {
            let token = row.int(0)?.cast_unsigned();
            if token != ours {
                self.log_turn(session, holder).await?;
            }
            return Ok(Lease::Ours { token });
        }
        let sql = format!("SELECT holder, expires_at - {now} FROM lease");
        let found = rows(session, AssertSqlSafe(sql), Vec::new()).await?;
        let Some(row) = found.first() else {
            return Err(LedgerError::Corrupt { what: "lease".into(), reason: "its row is gone".into() });
        };
        let rest = u64::try_from(row.int(1)?).unwrap_or(0);
        Ok(Lease::Theirs { holder: row.text(0)?.to_owned(), expires_in: Duration::from_millis(rest) })
    }

    async fn log_turn(&self, session: &mut dyn Session, holder: &str) -> Result<(), LedgerError> {
        let stand = batch::stand(session, self.engine.dialect()).await?;
        let draft = Draft {
            kind: Kind::Lease,
            subject: "lease".into(),
            what: "taken".into(),
            at: None,
            document: json(&plan::Turn { holder: holder.to_owned() })?,
        };
        let row = draft.chain(&stand.head, stand.token, stand.now);
        batch::append(session, vec![row]).await
    }

    pub(super) async fn give_lease_up(&self) -> Result<(), LedgerError> {
        let ours = self.turn().token;
        if ours == 0 {
            return Ok(());
        }
        let mut session = self.engine.begin(Access::Write).await?;
        let given =
            run(session.as_mut(), "UPDATE lease SET expires_at = 0 WHERE token = $1", vec![ours.cast_signed().into()]);
        match given.await {
            Ok(_) => session.commit().await,
            Err(error) => {
                session.roll_back().await;
                Err(error)
            }
        }
    }
}
