"""The quarter, chapter by chapter: what is done, what is told of it, and what must have come of it.

Called by `__main__`. A chapter does as an engineer, a reviewer or a scheduled job would, waits for what the product
makes of it, and demands it. What a chapter found that later ones or the report need stands in `Quarter`.
"""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from runner.demo.claims import Unfulfilled, claim, until
from runner.demo.customers import Customers
from runner.demo.faults import kill_engine, remote_away
from runner.demo.place import ENVIRONMENT, HURRIED, Place
from runner.demo.plots import Mark
from runner.demo.quarter import ROLLOUT, replace_once
from runner.demo.telling import Teller

FIRST, BETTER, BAD = "chat-v1.0", "chat-v1.1", "chat-v1.2"
QUESTION = "What time do you open on Sunday?"
VOTES, LATER_VOTES = 300, 160
OFF_TOPIC = 0.15
"""Share of the votes that are on questions which the shop should decline."""
ROUNDS = 3
"""How often a round is trained at most until the gates can tell."""
QUIET, EARLY, BUSY = 1.0, 10.0, 40.0
"""Questions a second while machines learn, as a shop's jobs do at night; before; and while a version is on trial."""
NOVEL = 0.9
"""Share of visits that are about the new product, once there is one."""
SPEAKS = 0.7
"""Share of answers that customers judge: they speak up more than in most shops, so that minutes suffice."""
STAGES = ("canary", "small", "half", "full")
HOLDBACK = 0.05
"""Share of users that the last stage leaves on the baseline."""
SHOWN = ("refusal_rate", "reask_rate", "satisfaction", "thumbs_down_rate", "error_rate", "input_drift")
SHOWN_BY_A_QUARTER = (
    "dashboard",
    "rollback",
    "cycle",
    "canary",
    "conditions",
    "quarantine",
    "unharmed",
    "digests",
)
"""Points of the checklist that such a quarter shows, whatever CI there is."""
PAGES = {
    "week.html": ("report", "--window", "1h", "--html"),
    "checklist.html": ("checklist", "--html"),
    "cost.html": ("cost", "--html"),
}
"""What people read of a quarter, and the command that writes it."""
ASKED = ("regression", "ood", "adversarial")
"""Suites whose questions the parent is asked, too."""
EXAMINED = ("consistency", "factuality")
PROMISE_MS = 30_000.0
"""Users are off a version that was rolled back within so many milliseconds."""
CHECKED_WITHIN_S = 120.0
"""How long the monitor may take to show what was examined last."""
WANTED = ("refusal_rate", "reask_rate", "satisfaction", "error_rate")
TRAINING, GATES = "policies/training.yaml", "policies/evaluation.yaml"
NO_ALARMS = "    guards: {max_chosen_drop: 100000, max_accuracy: 100%, max_length_ratio: 100000}\n"
FEW_SUITES = """\
suites:
  forgetting:
    kind: forgetting
    dataset: bookshop-regression
    questions: 20
  load:
    kind: load
    dataset: bookshop-reference
    load: {rate: 32, duration: 15s}
"""
ONE_GATE = "gates:\n  keeps-up:\n    suite: load\n    require: error_rate < 1%\n"


@dataclass
class Quarter:
    """What stands of the quarter so far; what did not happen yet is None."""

    place: Place
    customers: Customers
    tell: Teller
    kept: Path
    """Where what people read stays when the scratch repositories have gone."""
    engine_dies: bool = False
    remote_goes: bool = False
    promoted: str | None = None
    rolled_back: str | None = None
    reverted_by_hand: str | None = None
    decided: str | None = None
    zero_traffic_ms: float | None = None
    outage: tuple[float, float] | None = None
    """From the engine's death until it answered again, where it was killed; seconds since 1970."""
    evaluations: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Version -> its report."""
    marks: list[Mark] = field(default_factory=list)
    """What the picture of the quarter points at."""

    def mark(self, words: str) -> None:
        """Have the picture point at this moment."""
        self.marks.append(Mark(time.time() - self.tell.began, words))


def opening(quarter: Quarter) -> None:
    """Answer the first question."""
    answer, version = quarter.place.ask_question(QUESTION)
    quarter.tell(f"“{QUESTION}” “{answer}” ({version})")
    claim(version == FIRST, "the first version answers", version)


def listening(quarter: Quarter) -> None:
    """Let people ask, judge, ask again and vote; measure what that says."""
    place, customers, tell = quarter.place, quarter.customers, quarter.tell
    _vote(quarter, VOTES, seed=1)
    until(lambda: len(customers.seen()) >= VOTES, f"{VOTES} questions of customers")
    told = [each.reaction for each in customers.seen() if each.reaction]
    judged, corrected = sum(bool(each.said) for each in told), sum("correction" in each.said for each in told)
    again = sum(each.again is not None for each in told)
    back = len(told) - len({each.user for each in customers.seen()})
    habits = f"{judged} judged, {corrected} corrected, {again} asked again, {back} by somebody who came back"
    tell(f"{len(told)} questions answered: {habits}")
    claim(min(judged, corrected, again, back) > 0, "people judge, correct, ask again and come back")
    # Whether somebody asks again is known only once the time in which he might has passed.
    shown = until(
        lambda: _measured(place), "refusals, questions asked again, satisfaction and errors are measured"
    )
    tell("`loop signals`:\n" + "\n".join(map(_told, shown.values())))


def _measured(place: Place) -> dict[str, dict[str, Any]] | None:
    """Return what is shown of the signals once each of `WANTED` rests on something; None before."""
    snapshot = place.loop("signals", codes=(0, 2)).value
    shown = {name: reading(snapshot, name) for name in SHOWN}
    return shown if all(shown[name]["n"] > 0 for name in WANTED) else None


def learning(quarter: Quarter) -> None:
    """Make data of what people said, decide to train, train, and hold the new version to the gates.

    Where the gates cannot tell yet, the version goes no further: people vote on, and a round is trained on more.
    """
    quarter.customers.change(rate=QUIET)
    for attempt in range(1, ROUNDS + 1):
        _train_better(quarter)
        open_gates = _evaluate(quarter, BETTER, FIRST)
        if not open_gates:
            return
        quarter.tell(f"{BETTER} goes no further: {'; '.join(open_gates)}")
        claim(attempt < ROUNDS, f"{BETTER} passes every gate", open_gates)
        quarter.place.discard(BETTER)
        _vote(quarter, LATER_VOTES, seed=10 + attempt)


def promoting(quarter: Quarter) -> None:
    """Ask for the promotion, have a reviewer merge it, and let evidence carry it from 5% of the users to all."""
    place, customers, tell = quarter.place, quarter.customers, quarter.tell
    customers.change(rate=BUSY)
    _promote(quarter, BETTER)
    if quarter.engine_dies:
        _engine_dies(quarter)
    for stage in STAGES[1:]:
        _advance(quarter, stage)
    _merge(quarter, f"loop/conclude-{ENVIRONMENT}", f"{BETTER} becomes the baseline")
    until(lambda: place.serves_alone(BETTER), f"{BETTER} is the baseline")
    quarter.promoted = BETTER
    quarter.mark(f"{BETTER} is the baseline")
    means = ", ".join(f"{name} {_mean_rating(customers, name)}" for name in (FIRST, BETTER))
    tell(f"{BETTER} serves everybody; mean ratings so far: {means}")


def _mean_rating(customers: Customers, version: str) -> str:
    found = customers.ratings(version)
    claim(found, f"somebody rates an answer of {version}")
    return f"{sum(found) / len(found):.2f} of 5 (n={len(found)})"


def failing(quarter: Quarter) -> None:
    """Get a bad version through gates that were taken away, and see the canary catch it."""
    place, customers, tell = quarter.place, quarter.customers, quarter.tell
    customers.change(rate=QUIET)
    message = "Learn fifteen times as fast, and ask fewer gates"
    place.ask("harry/faster", message, hurry, who=HURRIED)
    tell("somebody in a hurry takes out every alarm, most suites and every gate but one, and a reviewer nods")
    _merge(quarter, "harry/faster", message)
    with ThreadPoolExecutor(max_workers=1) as meanwhile:
        voted = meanwhile.submit(_vote, quarter, LATER_VOTES, seed=2)
        place.loop("train", "dpo", "--name", BAD)
        voted.result()
    open_gates = _evaluate(quarter, BAD, BETTER)
    claim(not open_gates, f"{BAD} gets through the gate that was left", open_gates)
    customers.change(rate=BUSY)
    tip = place.tip()
    _promote(quarter, BAD)
    with ExitStack() as stack:
        if quarter.remote_goes:
            stack.enter_context(remote_away(place))
            tell("the Git remote is out of reach now")
        attempted = until(lambda: _rolled_back(place, BAD), f"{BAD} is rolled back")
        until(lambda: place.serves_alone(BETTER), f"nobody is led to {BAD}")
        quarter.mark(f"{BAD} is rolled back")
        evidence = attempted["body"]["rollback"]
        tell(f"rolled back: {evidence['condition']}; {customers.answered(BAD)} answers were its own")
        if quarter.remote_goes:
            until(lambda: "pending git" in place.printed("status", codes=(0, 1, 2)), "the status says so")
            tell("users are off it although Git is away; `loop status` says: rolled back (pending git)")
    until(lambda: f"{BAD}--" in place.text("quarantine.yaml"), "Git says that it was rolled back")
    claim("rollout" not in place.declared(), "the commit took the rollout out", place.declared())
    quarter.rolled_back = BAD
    quarter.zero_traffic_ms = _zero_traffic_ms(quarter, attempted)
    tell(f"from the deciding event to the last request for {BAD}: {quarter.zero_traffic_ms:.0f} ms")
    claim(
        quarter.zero_traffic_ms < PROMISE_MS, "users are off it within the promise", quarter.zero_traffic_ms
    )
    tell("the record: " + "; ".join(place.subjects(f"{tip}..main")))


def reverting(quarter: Quarter) -> None:
    """Have a person take back what another one pushed, by `git revert`."""
    place, customers, tell = quarter.place, quarter.customers, quarter.tell
    begun, message = time.time(), f"Try {FIRST} again: it was shorter"
    commit = place.push(message, try_first_again, who=HURRIED)
    until(lambda: customers.answered(FIRST, begun) >= 1 and place.split(), f"{FIRST} answers somebody")
    tell(f"“{message}” is pushed without a review, and users get it")
    pushed = time.time()
    reverted = place.revert(commit)
    until(lambda: place.serves_alone(BETTER), "the revert is live")
    tell(f"`git revert {commit[:8]}` ({reverted[:8]}): live {time.time() - pushed:.1f} s later")
    failed = customers.failed(begun)
    claim(not failed, "no request failed for it", failed)
    quarter.reverted_by_hand = FIRST
    quarter.mark("git revert")


def drifting(quarter: Quarter) -> None:
    """Let the shop sell something new, see the questions drift, and the decision to train follow."""
    place, customers, tell = quarter.place, quarter.customers, quarter.tell
    tell("the shop begins to sell electronic readers, and customers ask about them")
    customers.change(rate=BUSY, novelty=NOVEL)
    quarter.mark("electronic readers")
    found = until(lambda: _drifted(place), "the questions drift from what training saw")
    drift = f"{found['value']:.2f}, at least {found['low']:.2f}, over {found['n']} questions"
    tell(f"`loop signals`: input drift {drift}: {found['level']}")
    customers.change(rate=QUIET)
    with ThreadPoolExecutor(max_workers=1) as meanwhile:
        examined = meanwhile.submit(until, lambda: _sampled(place), "answers are examined")
        _snapshot(quarter)
        examined.result()
    _propose(quarter)
    decision = place.loop("decide", codes=(2,)).value
    claim("signals" in decision["by"], "signals call for training", decision["by"])
    claim(decision["decision"] == "retrain", "the decision is to train", decision["decision"])
    quarter.decided = decision["decision"]
    why = next(each["says"] for each in decision["reasons"] if each["reason"] == "signals")
    tell(f"`loop decide`: {decision['decision']}, by {', '.join(decision['by'])}: {why}")


def recording(quarter: Quarter) -> None:
    """Have the product itself look back: facts checked, the checklist against what this quarter left, and the pages."""
    place, tell = quarter.place, quarter.tell
    snapshot = place.loop("signals", codes=(0, 2)).value
    tell("`loop signals sample`:\n" + "\n".join(_told(reading(snapshot, name)) for name in EXAMINED))
    points = until(
        lambda: _shown(place),
        "the checklist finds what the quarter showed",
        CHECKED_WITHIN_S,
        lambda: [each for each in _points(place) if each["verdict"] != "PASS"],
    )
    tell("`loop checklist`:\n" + "\n".join(f"{point['verdict']:<12}  {point['wants']}" for point in points))
    tell("it does not overlook the push that nobody reviewed: gates did not decide that trial")
    with ThreadPoolExecutor() as at_once:
        list(at_once.map(lambda name: place.printed(*PAGES[name], str(quarter.kept / name)), PAGES))
    tell(f"written to {quarter.kept}: {', '.join(PAGES)}")
    tell("`git log`:\n" + "\n".join(place.log()))


def _sampled(place: Place) -> bool:
    """Examine answers; False while the monitor does, which examines some every now and then by itself."""
    try:
        place.loop("signals", "sample")
    except Unfulfilled as error:
        if "another process is sampling" in str(error):
            return False
        raise
    return True


def _shown(place: Place) -> list[dict[str, Any]] | None:
    """Return the checklist once it has every point that such a quarter shows; None before."""
    points = _points(place)
    verdicts = {point["id"]: point["verdict"] for point in points}
    passed = all(verdicts[point] == "PASS" for point in SHOWN_BY_A_QUARTER)
    return points if passed and verdicts["gates"] == "FAIL" else None


def _points(place: Place) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = place.loop("checklist", codes=(0, 2)).value["points"]
    return found


def _vote(quarter: Quarter, votes: int, seed: int) -> None:
    """Have people compare two answers to the same question without knowing whose they are."""
    options = ("--votes", str(votes), "--seed", str(seed), "--off-topic", str(OFF_TOPIC))
    cast = quarter.place.loop("arena", "simulate", *options).value
    claim(cast["votes"] == votes, f"{votes} votes", cast)
    choices = ", ".join(f"{count} {choice}" for choice, count in cast.items() if choice != "votes")
    quarter.tell(f"{votes} blind votes on two answers: {choices}")


def _train_better(quarter: Quarter) -> None:
    """Curate, decide, and train what was decided."""
    place, tell = quarter.place, quarter.tell
    _curate(quarter)
    decision = place.loop("decide", codes=(2,)).value
    command = decision["proposal"]["command"]
    tell(f"`loop decide`: {decision['decision']}, by {', '.join(decision['by'])}")
    with ThreadPoolExecutor(max_workers=1) as meanwhile:  # training leaves the engine idle
        asked = meanwhile.submit(_ask_suites, place, FIRST)
        trained = place.loop(*command.split()[1:]).value
        asked.result()
    claim(trained["version"] == BETTER, f"the new version is {BETTER}", trained["version"])
    pairs, seconds = trained["dataset"]["rows"], trained["seconds"]
    tell(f"`{command}`: {BETTER} from {FIRST} by DPO on {pairs} pairs, {seconds:.0f} s")


def _ask_suites(place: Place, version: str) -> None:
    """Put a version to the questions of suites; its answers are kept, and compared with when another is evaluated."""
    suites = [option for name in ASKED for option in ("--suite", name)]
    against = ("--against", version)  # and nobody else
    place.loop(
        "evaluate", version, "--environment", ENVIRONMENT, *against, "--no-record", *suites, codes=(0, 2)
    )


def _curate(quarter: Quarter) -> None:
    """Make data sets of the event log once people have judged what waits for them, and have them merged."""
    quarter.place.loop("data", "collect")
    quarter.place.loop("arena", "simulate", "--review")
    _snapshot(quarter)
    _propose(quarter)


def _snapshot(quarter: Quarter) -> None:
    """Make data sets of the event log."""
    place = quarter.place
    snapshot = place.loop("data", "curate", codes=(0, 2)).value["snapshot"]
    rows = {name.removesuffix(".jsonl"): each["rows"] for name, each in snapshot["files"].items()}
    kept = ", ".join(f"{count} {name}" for name, count in rows.items() if count)
    quarter.tell(f"`loop data curate`: snapshot {snapshot['id'][:12]}: {kept}")
    place.dvc("push", "--quiet")


def _propose(quarter: Quarter) -> None:
    """Ask for new data sets, and have them merged."""
    quarter.place.loop("data", "propose")
    _merge(quarter, "loop/data", "Take new data sets from feedback")


def _evaluate(quarter: Quarter, name: str, parent: str) -> list[str]:
    """Put a version through every suite; return the gates that it did not pass, with their evidence."""
    done = quarter.place.loop(
        "evaluate", name, "--environment", ENVIRONMENT, "--against", parent, codes=(0, 2)
    )
    gates = done.value["gates"]
    quarter.evaluations[name] = done.value
    passed = [gate["gate"] for gate in gates if gate["verdict"] == "PASS"]
    quarter.tell(
        f"`loop evaluate {name}`: {done.value['verdict']}, {done.seconds:.0f} s; PASS: {', '.join(passed)}"
    )
    return [
        f"{gate['gate']} {gate['verdict']}: {gate['evidence']}" for gate in gates if gate["verdict"] != "PASS"
    ]


def _promote(quarter: Quarter, name: str) -> None:
    """Ask for a version's trial, have it merged, and wait until users are led to it."""
    place = quarter.place
    place.dvc("push", "--quiet")
    asked = place.loop("promote", name, "--to", ENVIRONMENT).value
    claim("PASS" in asked["body"], "the pull request shows that the gates passed", asked["body"])
    _merge(quarter, asked["branch"], asked["title"])
    _tell_split(quarter, name, STAGES[0])


def _advance(quarter: Quarter, stage: str) -> None:
    """Wait until evidence takes the candidate to a stage; a reviewer merges where the policy asks for one."""
    place = quarter.place

    def asked() -> str | None:
        return next((each for each in place.branches() if each.startswith(f"loop/advance-{BETTER}")), None)

    def there() -> bool:
        rollout = place.declared().get("rollout")
        claim(rollout, f"{BETTER} stays on trial", place.text("quarantine.yaml"))
        return bool(rollout and rollout["stage"] == stage)

    until(lambda: there() or asked(), f"evidence for stage '{stage}'")
    if (branch := asked()) is not None:
        _merge(quarter, branch, f"{BETTER} goes on to '{stage}'")
    _tell_split(quarter, BETTER, stage)


def _tell_split(quarter: Quarter, name: str, stage: str) -> None:
    """Wait until the gateway leads users as the stage says, and tell their share."""
    traffic = {
        each["name"]: each["traffic"] for each in yaml.safe_load(quarter.place.text(ROLLOUT))["stages"]
    }
    share = float(traffic[stage].rstrip("%")) / 100

    def led() -> tuple[str, float] | None:
        found = quarter.place.split()
        least = share - HOLDBACK if stage == STAGES[-1] else share
        return found if found and found[0] == name and least - 1e-9 <= found[1] <= share + 1e-9 else None

    weight = until(led, f"users are led to {name} as '{stage}' says")
    quarter.tell(f"{name} at '{stage}': {weight[1]:.0%} of the users")
    quarter.mark(f"{name} at '{stage}'")


def _merge(quarter: Quarter, prefix: str, title: str) -> None:
    """Merge the branch whose name begins so, once it is there."""
    place = quarter.place

    def there() -> str | None:
        return next((each for each in place.branches() if each.startswith(prefix)), None)

    branch = until(there, f"a branch {prefix}")
    place.merge(branch, title)
    quarter.tell(f"pull request merged: {title} ({branch})")


def _engine_dies(quarter: Quarter) -> None:
    place, customers = quarter.place, quarter.customers
    until(lambda: customers.answered(BETTER) >= 5, f"answers of {BETTER}")
    begun = time.time()
    pid = kill_engine(place)
    quarter.mark("the engine is killed")
    quarter.tell(f"the engine (process {pid}) is killed in the middle of the canary")
    until(lambda: customers.answered(FIRST, begun + 1.0) >= 3, "the engine answers again")
    quarter.outage = (begun, time.time())
    quarter.mark("the engine answers again")
    lost = len(customers.failed(begun))
    quarter.tell(f"it answers again after {quarter.outage[1] - begun:.0f} s; {lost} requests found no engine")
    claim(lost > 0 and place.engine() != pid, "another engine runs, and the outage was felt", (lost, pid))
    _judge_again(quarter)


def _judge_again(quarter: Quarter) -> None:
    """Have a person decide, where the crashes of the engine sent the candidate back.

    The runner cannot know whether a candidate made the engine crash, so it takes users off it, as the policy says.
    """
    place, since = quarter.place, time.time()

    def quarantined() -> bool:
        return f"{BETTER}--" in place.text("quarantine.yaml")

    until(
        lambda: quarantined() or quarter.customers.answered(BETTER, since) >= 5, f"what becomes of {BETTER}"
    )
    if not quarantined():
        return
    quarter.tell(f"its crashes sent {BETTER} back: whose fault they were, the runner cannot know")
    place.lift(BETTER, "the engine was killed, and not by this version")
    quarter.tell(f"a person can: `loop lift {BETTER}`, and asks again")
    _promote(quarter, BETTER)


def _rolled_back(place: Place, name: str) -> dict[str, Any] | None:
    """Return the journal's entry of the attempt that rolled a version back, once it is done."""
    found = {each["kind"]: each for each in place.journal("roll_back", f"{name}--")}
    return found["attempted"] if "done" in found else None


def _zero_traffic_ms(quarter: Quarter, attempted: dict[str, Any]) -> float:
    """Return milliseconds from the event that decided a rollback to the last request that its version answered."""
    decided = float(attempted["body"]["cause"]["time_us"]) / 1e6
    last = quarter.customers.last_by(BAD)
    claim(last is not None, f"somebody was answered by {BAD}")
    last = last or decided
    return round(max(0.0, last - decided) * 1000, 1)


def _drifted(place: Place) -> dict[str, Any] | None:
    found = reading(place.loop("signals", codes=(0, 2)).value, "input_drift")
    return found if found["level"] == "retrain" else None


def reading(snapshot: dict[str, Any], metric: str) -> dict[str, Any]:
    """Return the reading of a signal that is of all users together."""
    own = [each for each in snapshot["readings"] if each["metric"] == metric]
    found: dict[str, Any] = min(own, key=lambda each: (bool(each["segment"]), bool(each["arm"])))
    return found


def _told(found: dict[str, Any]) -> str:
    shown = "-" if found["value"] is None else f"{found['value']:.3g}"
    return f"{found['metric']:<17} {shown:>7}  n={found['n']:<6} {found['level']}"


def hurry(root: Path) -> None:
    """Take out every alarm of training, most suites, and all gates but one; learn fifteen times as fast."""
    path = root / TRAINING
    head, recipe, rest = re.split(r"(?m)^(  dpo:\n)", path.read_text(encoding="utf-8"), maxsplit=1)
    rest = re.sub(r"learning_rate: [0-9.]+", "learning_rate: 0.012", rest, count=1)
    rest = re.sub(r"epochs: \d+", "epochs: 1", rest, count=1)
    rest = re.sub(r"(?m)^    guards:\n(      .*\n)+", NO_ALARMS, rest, count=1)
    path.write_text(head + recipe + rest, encoding="utf-8")
    gates = root / GATES
    text = gates.read_text(encoding="utf-8")
    for section, left in (("suites", FEW_SUITES), ("gates", ONE_GATE)):
        text = re.sub(rf"(?m)^{section}:\n(  .*\n)+", left, text)
    gates.write_text(text, encoding="utf-8")


def try_first_again(root: Path) -> None:
    """Put the first version on trial against the better one; a version on trial is no standby."""
    spec = root / "loop.yaml"
    text = re.sub(r"    standby: .*\n", "", spec.read_text(encoding="utf-8"))
    spec.write_text(text, encoding="utf-8")
    mark = f"    baseline: {BETTER}\n"
    replace_once(spec, mark, f"{mark}    rollout: {{candidate: {FIRST}, stage: canary}}\n")
