"""Builds what the settings decide with: the scorer, the routing target, and the share kept with other processes."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from turnout.errors import ArtifactError, SettingsError
from turnout.ports.runtime import Clock, Observer
from turnout.ports.scoring import Score, Scorer
from turnout.ports.sharing import ShareStore
from turnout.routing.drift import MOST_NOVEL, WINDOW, Drift
from turnout.routing.quality_control import QualityControl
from turnout.routing.share_control import ShareControl
from turnout.routing.share_sync import SharedShareControl, ShareSync
from turnout.settings import Settings
from turnout.telemetry import names

log = logging.getLogger("turnout")

# The share where the settings name no target.
DEFAULT_SHARE = 0.3
# The share where the settings ask for a quality, which the default scorer cannot promise.
DEFAULT_SCORER_SHARE = 0.5


def scorer_from(settings: Settings) -> Scorer:
    """The scorer of the settings. Raises SettingsError."""
    # Imported here: numpy takes a while, and importing turnout is light.
    if settings.routing.scorer == "default":
        from turnout.routing.prior import PriorScorer

        return PriorScorer()
    from turnout.routing.scorer import load_scorer

    try:
        return load_scorer(settings.routing.scorer)
    except ArtifactError as error:
        raise SettingsError(f'routing.scorer = "{settings.routing.scorer}": {error}') from error


def routing_target(settings: Settings, scorer: Scorer) -> float | ShareControl:
    """A fixed threshold, or one that moves to keep a share."""
    routing = settings.routing
    if routing.threshold is not None:
        return routing.threshold
    if routing.max_expensive_share is not None:
        return ShareControl(routing.max_expensive_share)
    if routing.keep_quality is None:
        return ShareControl(DEFAULT_SHARE)
    promised = getattr(scorer, "threshold_for_quality", None)
    if promised is None or scorer.is_default:
        log.warning(
            "routing.keep_quality: the default scorer can promise no quality; serving a share of %s expensive. "
            "Train a scorer on your own logs: turnout train LOGS -o FILE",
            DEFAULT_SCORER_SHARE,
        )
        return ShareControl(DEFAULT_SCORER_SHARE)
    threshold: float = promised(routing.keep_quality)
    return threshold


def quality_control_from(settings: Settings, scorer: Scorer, target: float | ShareControl) -> QualityControl | None:
    """What makes up for conversations that stay, where the target is a quality; None: nothing is to be made up for."""
    gain_at = getattr(scorer, "gain_at", None)
    routing = settings.routing
    if gain_at is None or isinstance(target, ShareControl):
        return None
    if routing.keep_quality is None or not routing.conversation.sticky:
        return None
    return QualityControl(target, gain_at(target))


def share_sync_from(
    target: float | ShareControl, scorer: Scorer, share_store: ShareStore | None, clock: Clock
) -> ShareSync | None:
    """What keeps the share together with the app's other processes of the same scorer and share; None: nothing does."""
    if share_store is None or not isinstance(target, ShareControl):
        return None
    control = SharedShareControl(target.share)
    return ShareSync(control=control, share_store=share_store, name=f"{scorer.version}:{target.share:g}", clock=clock)


def training_rows_of(scorer: Scorer) -> int:
    """How many rows the scorer was trained on; 0 where it does not say."""
    summary = getattr(scorer, "summary", None)
    rows = summary.get("rows_used") if isinstance(summary, Mapping) else None
    return rows if isinstance(rows, int) and rows > 0 else 0


def watch(drift: Drift | None, observer: Observer, score: Score) -> None:
    """Reports how far the traffic is from the training logs, and once when it has left them. It goes by the text's own
    score, whatever decided: the question is what the scorer reads."""
    if drift is None or (look := drift.observe(score.score, novel=score.novel)) is None:
        return
    measured = {names.DRIFT_DISTANCE: look.distance, names.NOVEL_SHARE: look.novel}
    observer.event(None, names.EVENT_DRIFT_MEASURED, measured)
    if look.crossed is None:
        return
    if look.crossed:
        log.warning(
            "the traffic has left the scorer's training logs: its last %d scores are %.2f off (told from %s on), and "
            "%.0f %% of its requests are unlike any in them (told from %.0f %% on); label what is asked now and train "
            "again: turnout label, turnout train",
            *(WINDOW, look.distance, round(drift.limit, 2), 100 * look.novel, 100 * MOST_NOVEL),
        )
    else:
        log.info(
            "the traffic is like the scorer's training logs again: %.2f off, %.0f %% of it unlike them",
            *(look.distance, 100 * look.novel),
        )
    observer.event(None, names.EVENT_DRIFT, {**measured, names.DRIFTED: look.crossed})
