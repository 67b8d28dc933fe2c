//! A setting to change, and to what. It is tried on the pool's configuration first: what the pool would
//! refuse is no advice.

use std::time::Duration;

use pool_core::PoolConfig;

#[derive(Clone, Copy)]
pub(super) enum Setting {
    MaxOpen(usize),
    MaxIdle(usize),
    MaxIdleTime(Duration),
    MaxLifetime(Duration),
    LifetimeJitter(u8),
    Keepalive(Duration),
    AcquireTimeout(Duration),
    LeakAfter(Duration),
}

impl Setting {
    /// Its name and value as they are written; `None` if `config` has it already or would be refused with
    /// it. Durations are whole seconds.
    pub(super) fn written_for(self, config: &PoolConfig) -> Option<(&'static str, String)> {
        let changed = self.applied_to(config.clone());
        let is_news = changed != *config && changed.validate().is_ok();
        is_news.then(|| (self.name(), self.value()))
    }

    fn applied_to(self, mut config: PoolConfig) -> PoolConfig {
        match self {
            Self::MaxOpen(count) => config.max_open = count,
            Self::MaxIdle(count) => config.max_idle = count,
            Self::MaxIdleTime(time) => config.max_idle_time = Some(time),
            Self::MaxLifetime(time) => config.max_lifetime = Some(time),
            Self::LifetimeJitter(percent) => config.lifetime_jitter = percent,
            Self::Keepalive(time) => config.keepalive = Some(time),
            Self::AcquireTimeout(time) => config.acquire_timeout = time,
            Self::LeakAfter(time) => config.leak_after = Some(time),
        }
        config
    }

    const fn name(self) -> &'static str {
        match self {
            Self::MaxOpen(_) => "max_open",
            Self::MaxIdle(_) => "max_idle",
            Self::MaxIdleTime(_) => "max_idle_time",
            Self::MaxLifetime(_) => "max_lifetime",
            Self::LifetimeJitter(_) => "lifetime_jitter",
            Self::Keepalive(_) => "keepalive",
            Self::AcquireTimeout(_) => "acquire_timeout",
            Self::LeakAfter(_) => "leak_after",
        }
    }

    fn value(self) -> String {
        match self {
            Self::MaxOpen(count) | Self::MaxIdle(count) => count.to_string(),
            Self::LifetimeJitter(percent) => format!("{percent}%"),
            Self::MaxIdleTime(time)
            | Self::MaxLifetime(time)
            | Self::Keepalive(time)
            | Self::AcquireTimeout(time)
            | Self::LeakAfter(time) => format!("{}s", time.as_secs()),
        }
    }
}

/// The next whole second: what is advised in words is what is set.
pub(super) fn whole_seconds(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs() + u64::from(time.subsec_nanos() > 0))
}

/// How to lower `max_open`, in words and as a setting. Fewer than `min_idle` cannot be set alone.
pub(super) fn lower_max_open(config: &PoolConfig, then: usize) -> (String, Option<Setting>) {
    if then < config.min_idle {
        (format!("lower max_open to {then}, and min_idle with it"), None)
    } else {
        (format!("lower max_open to {then}"), Some(Setting::MaxOpen(then)))
    }
}
