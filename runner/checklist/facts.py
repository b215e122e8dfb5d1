"""What was seen of one environment, before anybody judged it. Values only; `evidence` fills them, `points` read them.

Whatever could not be looked at is `Unknown(reason)`, which is never the same as absent. Times are seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runner.errors import Unknown
from runner.evaluation.results import Report
from runner.signals.reading import Drift, Reading
from runner.spec.load import Spec

DATA = "Loop-Data"
"""Trailer of a commit of new data sets; it says nothing of an environment."""


@dataclass(frozen=True, slots=True)
class Page:
    """What the monitor's page showed. `stale` says in words why its figures are old, "" where they are not.

    `runner` is the process that it tells of, None where it found none at work. `at` is when it measured, None where it
    has not yet. `exported` are the families of figures in its `/metrics`.
    """

    url: str
    environment: str
    runner: int | None
    at: float | None
    stale: str
    readings: tuple[Reading, ...]
    drift: Drift | None
    weeks: tuple[Drift, ...]
    exported: frozenset[str]


@dataclass(frozen=True, slots=True)
class Gateway:
    """What one gateway said of itself: whom it leads users to, and how many events of each kind it has written.

    `revision` is the one that its route table was made of.
    """

    url: str
    started: float
    revision: str
    baseline: str | None
    candidate: str | None
    written: Mapping[str, int]
    lost: int
    not_ready: str | None

    @property
    def serves(self) -> tuple[str, ...]:
        """Served names of the arms."""
        return tuple(name for name in (self.baseline, self.candidate) if name is not None)


@dataclass(frozen=True, slots=True)
class Placed:
    """An adapter as the runner's last pass saw it: on how many of the replicas it was verified."""

    served: str
    role: str
    verified: int
    replicas: int


@dataclass(frozen=True, slots=True)
class Pass:
    """The runner's last pass; `runner` is its process, None where none is at work."""

    at: float
    verdict: str
    revision: str
    adapters: tuple[Placed, ...]
    runner: int | None


@dataclass(frozen=True, slots=True)
class Rolled:
    """A rollback as the journal has it, with what the log says of the users.

    `decided` is when the event happened that decided it, or when a person asked (`event` is "" then). `switched` is
    when the last gateway had taken its users off, None where that is not written. `last_arrival` is when the last
    request arrived that was given to the candidate, `strays` how many came once all were switched; None where the log
    was not read. `late` are the gateways that are not known to have switched.
    """

    served: str
    rollout: str
    stage: str
    condition: str
    event: str
    decided: float
    attempted: int
    done: int | None
    switched: float | None
    late: tuple[str, ...] = ()
    last_arrival: float | None = None
    strays: int | None = None


@dataclass(frozen=True, slots=True)
class Entered:
    """The journal's word that the live routes gave a rollout its stage."""

    entry: int
    rollout: str
    stage: str
    at: float


@dataclass(frozen=True, slots=True)
class Written:
    """The journal's word that a step was written to Git: which action, and the commit or pull request it became."""

    entry: int
    at: float
    action: str
    written: str


@dataclass(frozen=True, slots=True)
class Journal:
    """What the runner wrote down. `open` are rollbacks that Git does not show, `failing` steps to Git that fail."""

    path: str
    entries: int = 0
    first: float | None = None
    rollbacks: tuple[Rolled, ...] = ()
    entered: tuple[Entered, ...] = ()
    written: tuple[Written, ...] = ()
    probed: Mapping[str, int] = field(default_factory=dict)
    """Served name -> entry of its last probe that passed."""
    in_sync: tuple[int, str, str] | None = None
    """The last entry that says so, its revision, and the digest of the spec that was in force."""
    open: tuple[str, ...] = ()
    failing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Merge:
    """The merge commit by which somebody else than its author brought a commit to the branch."""

    sha: str
    by: str


@dataclass(frozen=True, slots=True)
class Step:
    """A commit of the loop about a version: what its trailer says, and when it was made.

    `run` is what started the run of a workflow that made it, and the address of the run; "" where it names none, or
    one that somebody started by hand. `merge` is None where no merge of somebody else brought it.
    """

    sha: str
    at: float
    trailer: str
    value: str
    rollout: str = ""
    run: str = ""
    merge: Merge | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """A commit that put a version on trial, whoever wrote it."""

    version: str
    sha: str
    at: float


@dataclass(frozen=True, slots=True)
class Workflow:
    """A file that has a command run by itself: where the command stands, and what starts it."""

    path: str
    line: int
    runs: str
    when: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """A file of alert rules in the repository, and whether it is what today's policy makes."""

    path: str
    fresh: bool


@dataclass(frozen=True, slots=True)
class History:
    """What Git says: the revision that was read, the loop's own commits and trials (oldest first), and files."""

    revision: str
    steps: tuple[Step, ...] = ()
    trials: tuple[Trial, ...] = ()
    workflows: tuple[Workflow, ...] = ()
    rules: tuple[Rules, ...] = ()
    known: frozenset[str] = frozenset()
    """Of the commits that the journal and the gateways name, those that this history has."""
    places: Mapping[str, str] = field(default_factory=dict)
    """What is declared -> PATH:LINE at which it stands."""


@dataclass(frozen=True, slots=True)
class Span:
    """Events of one kind: how many, and when the first and the last happened; `since` counts those of the gateways."""

    n: int
    first: float
    last: float
    since: int


@dataclass(frozen=True, slots=True)
class ArmTraffic:
    """Requests of one rollout that were given to one arm at one weight: of how many users, failed, and fallen back."""

    rollout: str
    weight: float
    arm: str
    n: int
    users: int
    failed: int
    fell_back: int


@dataclass(frozen=True, slots=True)
class Log:
    """What the event log holds. `damaged` are lines that are no events."""

    kinds: Mapping[str, Span] = field(default_factory=dict)
    days: tuple[int, ...] = ()
    """Days since 1970 on which anything was asked."""
    arms: tuple[ArmTraffic, ...] = ()
    damaged: int = 0
    forgotten: bool = False
    """Whether events were deleted because somebody asked for it, or they were old."""


@dataclass(frozen=True, slots=True)
class Sourced:
    """The data that one version was trained on: for each row the events that it was made from; None where not here."""

    version: str
    path: str
    rows: tuple[tuple[str, ...], ...] | None


@dataclass(frozen=True, slots=True)
class Trained:
    """The data that one version was trained on, followed back into the log.

    `rows` of its file have sources, `found` of them an event in this log; None where the file is not here.
    """

    version: str
    path: str
    rows: int | None
    found: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The newest snapshot of feedback: its id, the verdict of its checks, and rows by file."""

    id: str
    verdict: str
    rows: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Bytes:
    """The digest of a placed adapter's directory as it is on the disk now; None where it is not there."""

    served: str
    digest: str | None


@dataclass(frozen=True, slots=True)
class Account:
    """What a year of serving costs by `policies/cost.yaml`, in dollars, beside the API `api`.

    `measured` are the figures of the workload that were measured, with what each rests on, `assumed` those that were
    not, with the reason. `payback` says in words after how long the set-up is paid for.
    """

    year: float
    api: str
    api_year: float
    payback: str
    measured: tuple[str, ...]
    assumed: tuple[str, ...]

    @property
    def saving(self) -> float:
        """What a year saves; below zero where the API costs less."""
        return self.api_year - self.year


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that was seen at `now` of one environment."""

    environment: str
    now: float
    spec: Spec
    history: History | Unknown
    journal: Journal | Unknown
    last_pass: Pass | Unknown | None
    page: Page | Unknown | None
    """None where `loop.yaml` declares no monitor."""
    gateways: Mapping[str, Gateway | Unknown]
    log: Log | Unknown
    reports: Mapping[str, Report | Unknown | None]
    """Version -> the report of its evaluation; None where it has none."""
    trained: tuple[Trained, ...] | Unknown
    snapshot: Snapshot | Unknown | None
    placed: tuple[Bytes, ...] | Unknown
    account: Account | Unknown

    @property
    def revision(self) -> str:
        """The revision whose files were read, "" where Git could not be asked."""
        return self.history.revision if isinstance(self.history, History) else ""

    @property
    def has_run(self) -> bool:
        """Whether anything was ever done in this environment, as far as is known here."""
        return not isinstance(self.journal, Journal) or self.journal.entries > 0
