//! Whether the server answers, in which role, and with how much room.

use std::borrow::Cow;

use pool_core::{Probe, Role, async_trait};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headroom(pub usize);

#[async_trait]
impl Check for Headroom {
    fn name(&self) -> Cow<'static, str> {
        "headroom".into()
    }

    async fn run(&self, probe: &mut dyn Probe) -> Finding {
        answered(probe.capacity().await, "the server's limit on connections", |capacity| {
            let allowed = capacity.max_connections.saturating_sub(capacity.reserved);
            let free = allowed.saturating_sub(capacity.in_use);
            if free >= self.0 {
                return Finding::Fine;
            }
            let in_use = capacity.in_use;
            Finding::Degraded(format!(
                "the server has room for {free} more connections, {} are wanted: {in_use} of {allowed} \
                 are open",
                self.0
            ))
        })
    }
}
