//! What a tuner and a fleet say of a pool's size, and what they keep it to.

use pool_core::{FleetShare, PoolConfig, RecommendedSize, ShareState};

use super::setting::{Setting, lower_max_open};
use super::{Finding, Seen};

/// Who keeps a pool below what is configured. There, a larger `max_open` changes nothing.
pub(super) enum LimitedBy<'a> {
    Fleet,
    Tuner(&'a RecommendedSize),
    /// Somebody who does not say why.
    Steering,
}

/// `None` if it is the configuration that limits the pool.
pub(super) fn limited_by<'a>(seen: &Seen<'a>) -> Option<LimitedBy<'a>> {
    let limit = seen.limit();
    if limit >= seen.view.config.max_open {
        return None;
    }
    // A pool that is granted nothing has a limit of one, and opens none.
    let grant = share(seen).filter(|share| share.granted.max(1) <= limit);
    let tuned = recommended(seen).filter(|recommended| recommended.is_applied);
    let by = grant.map(|_| LimitedBy::Fleet).or(tuned.map(LimitedBy::Tuner));
    Some(by.unwrap_or(LimitedBy::Steering))
}

pub(super) fn share<'a>(seen: &Seen<'a>) -> Option<&'a FleetShare> {
    seen.view.snapshot.sizing.as_ref()?.share.as_ref()
}

fn recommended<'a>(seen: &Seen<'a>) -> Option<&'a RecommendedSize> {
    seen.view.snapshot.sizing.as_ref()?.recommended.as_ref()
}

/// What a tuner would do that only looks on.
pub(super) fn size_recommended(seen: &Seen<'_>) -> Option<Finding> {
    let RecommendedSize { max_open: then, reason, .. } = not_applied(seen)?;
    let (now, then) = (seen.limit(), *then);
    let (remedy, setting) = if then < now {
        lower_max_open(&seen.view.config, then)
    } else {
        (format!("raise max_open to {then}"), Some(Setting::MaxOpen(then)))
    };
    let limit = match now {
        PoolConfig::UNLIMITED => "no limit".to_owned(),
        now => format!("a max_open of {now}"),
    };
    Some(Finding {
        evidence: format!("the tuner recommends {then} connections instead of {limit}: {reason}"),
        remedy: format!("{remedy}, or let the tuner do it (mode on)"),
        setting,
    })
}

/// What the tuner recommends, if that is another size and not in force. Two who say different sizes help
/// nobody: where there is one, other rules leave the size to it.
pub(super) fn not_applied<'a>(seen: &Seen<'a>) -> Option<&'a RecommendedSize> {
    let is_other = |it: &&RecommendedSize| !it.is_applied && it.max_open != seen.limit();
    recommended(seen).filter(is_other)
}

/// The share of a server that a pool has of its fleet lets it open nothing, or less than it could use.
pub(super) fn fleet_share(seen: &Seen<'_>) -> Option<Finding> {
    let FleetShare { fleet, granted, state, reason } = share(seen)?;
    let fleet = fleet.as_str();
    let (evidence, remedy) = match state {
        ShareState::Pending => (
            format!("in the fleet {fleet}: {reason}"),
            "raise the fleet's total or the server's limit, lower the members' floors, or run fewer members",
        ),
        ShareState::Lapsed => (
            format!("in the fleet {fleet}: {reason}"),
            "look why it cannot write to its database: it is down, read-only, or refuses the member",
        ),
        ShareState::Granted => {
            let waiting = seen.recent.mean_waiting();
            let is_short = matches!(limited_by(seen), Some(LimitedBy::Fleet));
            if !is_short || !seen.is_mostly_full() || waiting < 1.0 {
                return None;
            }
            let evidence = format!(
                "{waiting:.0} acquires waited on average for the {granted} connections that the fleet {fleet} \
                 grants: {reason}"
            );
            let remedy = "a larger max_open changes nothing: raise the fleet's total if the database has time, or \
                          hold connections for less time";
            (evidence, remedy)
        }
        // That is what it wants.
        _ => return None,
    };
    Some(Finding { evidence, remedy: remedy.to_owned(), setting: None })
}
