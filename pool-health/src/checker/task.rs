//! The checker's task: when it asks, and when it looks.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use pool_core::PoolState;
use pool_core::runtime::{Instant, Timer};

use super::Inner;
use super::prober::Prober;
use super::wait::{Bounded, within};

/// How often the pool's own figures are looked at between probes.
const LOOK: Duration = Duration::from_secs(1);

/// Why the task goes on.
enum Woken {
    Due,
    Asked,
    Ended,
}

pub(super) async fn run(inner: Arc<Inner>, mut prober: Prober, mut timer: Box<dyn Timer>) {
    let mut probe_at = inner.runtime.now();
    let mut last_probe = Instant::EPOCH;
    let _parting = Parting(Arc::clone(&inner));
    loop {
        let now = inner.runtime.now();
        if probe_at <= now {
            last_probe = now;
            if ask(&inner, &mut prober, &mut *timer).await.is_err() {
                return;
            }
            probe_at = last_probe.after(prober.pause());
        }
        let health = prober.look();
        let is_over = health.pool_state == PoolState::Closed;
        inner.publish(health);
        if is_over {
            inner.end();
            return;
        }
        timer.reset(probe_at.min(inner.runtime.now().after(LOOK)));
        match woken(&inner, &mut *timer).await {
            Woken::Ended => return,
            Woken::Asked => {
                probe_at = probe_at.min(last_probe.after(inner.options.doubt_interval));
            }
            Woken::Due => {}
        }
    }
}

/// Says at the task's end, by whatever it came, that nothing is known any more.
struct Parting(Arc<Inner>);

impl Drop for Parting {
    fn drop(&mut self) {
        self.0.part();
    }
}

/// Asks within the bound; an error if the checker has ended.
async fn ask(inner: &Inner, prober: &mut Prober, timer: &mut dyn Timer) -> Result<(), ()> {
    let began = inner.runtime.now();
    timer.reset(began.after(inner.options.timeout));
    match within(inner, &inner.task, timer, prober.probe()).await {
        Bounded::Done => {}
        Bounded::TimedOut => prober.gave_up(),
        Bounded::Ended => return Err(()),
    }
    prober.conclude(began);
    Ok(())
}

/// Waits for the timer, for somebody who asks, or for the end.
async fn woken(inner: &Inner, timer: &mut dyn Timer) -> Woken {
    poll_fn(|cx| {
        inner.task.register(cx.waker());
        if inner.has_ended.load(Ordering::Acquire) {
            return Poll::Ready(Woken::Ended);
        }
        if inner.is_asked.swap(false, Ordering::AcqRel) {
            return Poll::Ready(Woken::Asked);
        }
        timer.poll_expired(cx).map(|()| Woken::Due)
    })
    .await
}
