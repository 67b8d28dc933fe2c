//! The ledgers of fleets that the fake server keeps.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use pool_core::{
    Budget, Changes, Decide, FleetName, LEASE_PROTOCOL, LeaseError, LeaseStore, LeaseTrouble,
    Ledger, MemberId, MemberRow, Role, ServerTime, Sessions, Settlement,
};

use super::driver::{FakeConnection, FakeDriver, FakeError};
use super::ledger::FakeServer;
use super::script::Call;

/// What the server keeps for fleets.
#[derive(Debug, Default)]
pub(super) struct Leases {
    by_name: BTreeMap<String, Kept>,
    /// Shown instead of the sessions there are.
    sessions: Option<Sessions>,
    trouble: Option<LeaseTrouble>,
}

/// A fleet's ledger.
#[derive(Clone, Debug, Default)]
struct Kept {
    serial: u64,
    budget: Option<Budget>,
    rows: Vec<MemberRow>,
}

impl Kept {
    fn commit(&mut self, ledger: &Ledger, own: MemberId, settlement: Settlement) {
        let Changes { share, budget, gone } = ledger.changes(own, settlement);
        self.rows.retain(|row| row.member != own && !gone.contains(&row.member));
        self.serial += 1;
        self.budget = budget.or(self.budget);
        if let Some(share) = share {
            let joined = ledger.row(own).map_or(self.serial, |row| row.joined);
            self.rows.push(MemberRow { member: own, joined, renewed_at: ledger.now, share });
        }
    }
}

impl FakeServer {
    /// What it shows of a fleet's sessions from now on, instead of those that [call
    /// themselves](FakeDriver::called) its members; they are hidden if none does.
    pub fn set_fleet_sessions(&self, sessions: Sessions) {
        self.ledger.lock().leases.sessions = Some(sessions);
    }

    fn fleet_sessions(&self, fleet: &FleetName) -> Sessions {
        let ledger = self.ledger.lock();
        if let Some(sessions) = &ledger.leases.sessions {
            return sessions.clone();
        }
        let mut shown = BTreeMap::new();
        for application in ledger.sessions.values().filter_map(|it| it.application.as_deref()) {
            if let Some(member) = fleet.member_of(application) {
                *shown.entry(member).or_default() += 1;
            }
        }
        if shown.is_empty() {
            return Sessions::Hidden;
        }
        Sessions::Shown(shown.into_iter().collect())
    }

    /// Has whatever is asked about ledgers fail so from now on, or no longer. What fails with
    /// [`LeaseTrouble::OutcomeUnknown`] was committed.
    pub fn set_lease_trouble(&self, trouble: Option<LeaseTrouble>) {
        self.ledger.lock().leases.trouble = trouble;
    }

    /// A fleet's ledger as the next settlement would read it; `None` if there is none.
    #[must_use]
    pub fn fleet_ledger(&self, fleet: &FleetName) -> Option<Ledger> {
        let now =
            ServerTime::from_unix_micros((self.runtime.now().as_nanos() / 1000).cast_signed());
        let sessions = self.fleet_sessions(fleet);
        let ledger = self.ledger.lock();
        let Kept { serial, budget, rows } = ledger.leases.by_name.get(fleet.as_str())?.clone();
        Some(Ledger { serial, now, budget, rows, sessions })
    }

    fn lease_trouble(&self) -> Option<LeaseTrouble> {
        let ledger = self.ledger.lock();
        let is_read_only = ledger.said.role == Role::ReadOnly;
        ledger.leases.trouble.or(is_read_only.then_some(LeaseTrouble::ReadOnly))
    }

    fn with_fleet<T>(&self, fleet: &FleetName, change: impl FnOnce(&mut Kept) -> T) -> T {
        change(self.ledger.lock().leases.by_name.entry(fleet.as_str().to_owned()).or_default())
    }
}

#[async_trait]
impl LeaseStore<FakeConnection> for FakeDriver {
    async fn prepare(
        &self,
        connection: &mut FakeConnection,
        fleet: &FleetName,
    ) -> Result<(), LeaseError> {
        let server = connection.server();
        server.asked(connection).await.map_err(other)?;
        if let Some(trouble) = server.lease_trouble() {
            return Err(failed(trouble));
        }
        server.with_fleet(fleet, |_| ());
        Ok(())
    }

    async fn settle(
        &self,
        connection: &mut FakeConnection,
        fleet: &FleetName,
        member: MemberId,
        decide: &mut Decide<'_>,
    ) -> Result<(), LeaseError> {
        let server = connection.server();
        server.asked(connection).await.map_err(other)?;
        let trouble = server.lease_trouble();
        let is_committed = matches!(trouble, None | Some(LeaseTrouble::OutcomeUnknown));
        let ledger = server.fleet_ledger(fleet).filter(|_| is_committed);
        let Some(ledger) = ledger else {
            return Err(failed(trouble.unwrap_or(LeaseTrouble::Other)));
        };
        let settlement = decide(&ledger);
        // The commit, which may hang or fail.
        server
            .asked(connection)
            .await
            .map_err(|error| LeaseError::OutcomeUnknown(shared(error)))?;
        let is_serial = server.with_fleet(fleet, |kept| {
            let is_serial = kept.serial == ledger.serial;
            if is_serial {
                kept.commit(&ledger, member, settlement);
            }
            is_serial
        });
        match trouble {
            Some(trouble) => Err(failed(trouble)),
            None if is_serial => Ok(()),
            None => Err(failed(LeaseTrouble::Other)),
        }
    }

    async fn sessions(
        &self,
        connection: &mut FakeConnection,
        fleet: &FleetName,
    ) -> Result<Sessions, LeaseError> {
        let server = connection.server();
        server.asked(connection).await.map_err(other)?;
        Ok(server.fleet_sessions(fleet))
    }
}

fn shared(error: FakeError) -> Arc<FakeError> {
    Arc::new(error)
}

fn other(error: FakeError) -> LeaseError {
    LeaseError::Other(shared(error))
}

fn failed(trouble: LeaseTrouble) -> LeaseError {
    let source = shared(FakeError::Scripted(Call::Ask));
    match trouble {
        LeaseTrouble::NoRight => LeaseError::NoRight(source),
        LeaseTrouble::OtherVersion { found } => {
            assert_ne!(found, LEASE_PROTOCOL, "another version is scripted");
            LeaseError::OtherVersion { found }
        }
        LeaseTrouble::ReadOnly => LeaseError::ReadOnly(source),
        LeaseTrouble::OutcomeUnknown => LeaseError::OutcomeUnknown(source),
        _ => LeaseError::Other(source),
    }
}
