"""`loop diagnose`: why training does not make the model better, or why a version does worse in production."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runner.cli.repository import environment_option, find_root, json_option, pick_environment, read_spec
from runner.errors import terminal

if TYPE_CHECKING:
    from runner.economics.diagnose import Subject
    from runner.economics.variety import Pairs
    from runner.feedback.records import Ballot
    from runner.signals.readings.estimates import Estimate
    from runner.spec.load import Spec
    from runner.spec.model import ModelFile

BACK_S = 30 * 86_400.0
"""What users ask is taken from so far back."""
MOST = 20_000
"""Questions of users that are sorted into categories, the latest."""
EXAMPLES = """\b
Examples:
  loop diagnose               the last version that was trained on preferences
  loop diagnose chat-v1.1     another one
  loop diagnose --json        for programs: every check with its figures

Exit codes: 0 nothing stands in the way, 1 error, 2 something does, or it cannot be said for lack of figures.
"""


@click.command(epilog=EXAMPLES)
@click.argument("name", required=False)
@environment_option
@json_option
@click.pass_context
def command(ctx: click.Context, name: str | None, environment: str, as_json: bool) -> int:
    """Ask five questions of a version that does not improve, and three of one that does worse in production.

    Are preferences clear, all kinds of task covered, pairs enough, settings right, the parent good enough? Is it
    trained on what users ask, learnt by heart, served as it was trained? Figures that are missing decide nothing, and
    it is said what would supply them.
    """
    from runner.economics.diagnose import diagnose
    from runner.report import diagnose as report
    from runner.spec.model import GateVerdict

    root = find_root(ctx)
    spec = read_spec(root)
    pick_environment(spec, environment)
    diagnosis = diagnose(subject(root, spec, environment, _picked(spec, environment, name), time.time()))
    if as_json:
        click.echo(json.dumps(report.to_json(diagnosis), indent=2, ensure_ascii=False))
    else:
        click.echo(report.to_text(diagnosis))
    return 0 if diagnosis.verdict is GateVerdict.PASS else 2


def subject(root: Path, spec: Spec, environment: str, model: ModelFile, now: float) -> Subject:
    """Return what is known of a version at `now`, seconds since 1970. Raises LoopError, OSError."""
    from runner.cli.learning import evaluation_of, run_of, snapshot_of
    from runner.economics.diagnose import Subject

    account = snapshot_of(root)
    cadence = spec.policies.cadence
    return Subject(
        name=model.name,
        parent=model.parent,
        account=None if account is None else account.checks,
        votes=_votes(root),
        pairs=_pairs(root, spec, model),
        asked=_asked(root, spec, environment, now),
        run=run_of(root, spec, model.name),
        evaluated=evaluation_of(root, spec, model.name),
        parent_known=_parent(root, spec, model),
        collection=spec.policies.collection,
        evaluation=spec.policies.evaluation,
        least_pairs=cadence.phases[cadence.phase].min_samples,
    )


def _picked(spec: Spec, environment: str, name: str | None) -> ModelFile:
    """Return the version to ask about: the newest that was trained on preferences, the baseline where there is none."""
    from runner.spec.model import TrainingType

    if name is not None and name not in spec.models:
        raise terminal(f"there is no version '{name}'", f"known: {', '.join(sorted(spec.models))}")
    preferred = [each for each in spec.models.values() if each.type is not TrainingType.SFT]
    baseline = spec.models[name or spec.loop.environments[environment].baseline]
    newest = max(preferred, key=lambda each: (each.training.date, each.name), default=baseline)
    picked = baseline if name is not None else newest
    if picked.is_base:
        why = f"'{picked.name}' was not trained: it is the base model as it is"
        raise terminal(why, fix="train a version first: `loop train sft`")
    return picked


def _parent(root: Path, spec: Spec, model: ModelFile) -> Mapping[tuple[str, str], Estimate]:
    """Return what was measured of the parent: beside the version, else by its own evaluation."""
    from runner.cli.learning import evaluation_of

    beside = evaluation_of(root, spec, model.name)
    if model.parent is None:
        return beside.measured
    return {**evaluation_of(root, spec, model.parent).measured, **beside.parent}


def _votes(root: Path) -> tuple[Ballot, ...] | None:
    from runner.feedback import collected

    folder = root / collected.FOLDER
    return collected.read(folder).ballots if collected.is_there(folder) else None


def _pairs(root: Path, spec: Spec, model: ModelFile) -> Pairs | None:
    """Return the pairs as they are now: those of the version's data set, else of the first recipe that has pairs."""
    from runner.cli.learning import rows_of
    from runner.economics.variety import Pairs
    from runner.spec.model import TrainingType

    recipes = spec.policies.training.recipes.values()
    names = [each.dataset for each in recipes if each.type == TrainingType.DPO.value]
    if model.type is not TrainingType.SFT:
        names.insert(0, model.training.dataset)
    rows = rows_of(root, spec.datasets[names[0]]) if names and names[0] in spec.datasets else None
    return None if rows is None else Pairs.of(rows)


def _asked(root: Path, spec: Spec, environment: str, now: float) -> Mapping[str, Mapping[str, int]] | None:
    """Return what users asked lately by `category` and by `language`; None where nothing was logged here."""
    from runner.cli.data_collect import categories
    from runner.cli.logged import read_events
    from runner.events.schema import Kind
    from runner.signals.language import language
    from runner.signals.text import spoken

    events = read_events(root, environment, Kind.CONTENT, since_us=round((now - BACK_S) * 1e6))[Kind.CONTENT]
    latest = sorted(events, key=lambda each: each["event.time"])[-MOST:]
    questions = [text for each in latest if (text := spoken(each["gen_ai.input.messages"], "user"))]
    if not questions:
        return None
    kinds = categories(root, spec).of_all(questions)
    return {"category": Counter(kinds), "language": Counter(map(language, questions))}
