//! Whether the server answers, in which role, and with how much room.

use std::borrow::Cow;

use pool_core::{Capacity, Probe, Role, async_trait};

use super::{Check, Finding, answered, causes};

/// Whether the server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ping;

#[async_trait]
impl Check for Ping {
    fn name(&self) -> Cow<'static, str> {
        "ping".into()
    }

    async fn run(&self, probe: &mut dyn Probe) -> Finding {
        match probe.ping().await {
            Ok(_) => Finding::Fine,
            Err(error) => Finding::Failed(causes(&*error)),
        }
    }
}

/// Whether the server takes writes, or does not. When it comes to have another role, the pool's
/// connections are retired: a failover has happened, and they lead to the wrong server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleIs(pub Role);

#[async_trait]
impl Check for RoleIs {
    fn name(&self) -> Cow<'static, str> {
        "role".into()
    }

    fn retires_connections(&self) -> bool {
        true
    }

    async fn run(&self, probe: &mut dyn Probe) -> Finding {
        answered(probe.role().await, "the server's role", |role| {
            if role == self.0 {
                return Finding::Fine;
            }
            let named = |role| match role {
                Role::ReadWrite => "takes writes",
                _ => "takes reads only",
            };
            Finding::Failed(format!(
                "the server {}, wanted is one that {}",
                named(role),
                named(self.0)
            ))
        })
    }
}

/// Whether the server has room for this many more connections, beside those kept for administrators.
/// Where the account or the database has a limit of its own, the tightest of them counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headroom(pub usize);

impl Headroom {
    fn judge(self, capacity: &Capacity) -> Finding {
        let Capacity { max_connections, reserved, in_use, account, database, .. } = *capacity;
        let server = ("server", max_connections.saturating_sub(reserved), in_use);
        let account = account.map(|it| ("account", it.limit, it.in_use));
        let database = database.map(|it| ("database", it.limit, it.in_use));
        let limits = [account, database].into_iter().flatten();
        // Of limits that leave the same room the server's is told.
        let (whose, allowed, in_use) =
            limits.fold(
                server,
                |tightest, limit| {
                    if room(limit) < room(tightest) { limit } else { tightest }
                },
            );
        let free = room((whose, allowed, in_use));
        if free >= self.0 {
            return Finding::Fine;
        }
        Finding::Degraded(format!(
            "the {whose} has room for {free} more connections, {} are wanted: {in_use} of {allowed} \
             are open",
            self.0
        ))
    }
}

/// What a limit leaves.
fn room((_, allowed, in_use): (&str, usize, usize)) -> usize {
    allowed.saturating_sub(in_use)
}

#[async_trait]
impl Check for Headroom {
    fn name(&self) -> Cow<'static, str> {
        "headroom".into()
    }

    async fn run(&self, probe: &mut dyn Probe) -> Finding {
        let question = "the server's limit on connections";
        answered(probe.capacity().await, question, |capacity| self.judge(&capacity))
    }
}

#[cfg(test)]
mod tests {
    use pool_core::Quota;

    use super::*;

    #[test]
    fn the_tightest_limit_counts() {
        let mut capacity = Capacity::new(100);
        (capacity.reserved, capacity.in_use) = (3, 90);
        let found = |capacity: &Capacity, wanted| Headroom(wanted).judge(capacity);
        let why = |whose: &str, rest: &str| {
            Finding::Degraded(format!("the {whose} has room for {rest} are open"))
        };
        assert_eq!(found(&capacity, 7), Finding::Fine);
        let server = why("server", "7 more connections, 8 are wanted: 90 of 97");
        assert_eq!(found(&capacity, 8), server);
        capacity.account = Some(Quota::new(20, 14));
        capacity.database = Some(Quota::new(50, 10));
        assert_eq!(found(&capacity, 6), Finding::Fine);
        let account = why("account", "6 more connections, 7 are wanted: 14 of 20");
        assert_eq!(found(&capacity, 7), account);
        capacity.database = Some(Quota::new(12, 13));
        let database = why("database", "0 more connections, 1 are wanted: 13 of 12");
        assert_eq!(found(&capacity, 1), database);
    }
}
