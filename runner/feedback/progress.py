"""How collecting goes: this week's preference pairs against the plan, when enough will be there, and what to ask next.

`loop data progress`, the arena and the weekly report show it. A pair is a vote that counts and names one side; several
votes on the same two answers are one pair, dated by the first. A week begins on Monday, 00:00 UTC, as ISO 8601 has it.
Pure: ballots, policies and the time in, values out.

The forecast takes the rate of the last two weeks. Pairs come in bursts (somebody sits down and votes twenty times), so
the spread of the daily counts is estimated, too, and bursts rather than pairs arrive at random. With b bursts seen in
T days under Jeffreys' prior, the time until m more is T times a beta prime variable with m and b + 1/2.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from runner.feedback.ballots import pair
from runner.feedback.records import Ballot
from runner.spec.cadence import CadencePolicy
from runner.spec.collection import CollectionPolicy, Level
from runner.spec.dataset import DatasetFile
from runner.spec.training import TrainingPolicy

DAY_S = 86_400.0
WEEK_S = 7 * DAY_S
RATE_DAYS = 14
"""The rate is that of so many days, or since the first pair where that is less."""
QUIET_DAYS = 3.0
"""So long without a pair is told."""
THIN = 0.5
"""A category is thin below this share of what its part of the pairs so far would be."""
LIKELY = 0.5
"""Chance from which on the week's aim counts as within reach."""
LEAST_TO_JUDGE = 10
"""Pairs of a week from which on its categories are judged."""
_RANGE = (0.05, 0.5, 0.95)


@dataclass(frozen=True, slots=True)
class Forecast:
    """When something is reached, seconds since 1970: the median and the range of 5% to 95%.

    None where it is not at this rate: there is no rate, or it takes longer than a year.
    """

    early: float | None
    median: float | None
    late: float | None


@dataclass(frozen=True, slots=True)
class Rate:
    """Pairs a day with its interval (5% to 95%), over so many days."""

    value: float
    low: float
    high: float
    days: float


@dataclass(frozen=True, slots=True)
class Goal:
    """One level of the week's plan. `chance` is how likely it is reached before the week ends."""

    level: Level
    wanted: int
    missing: int
    forecast: Forecast
    chance: float


@dataclass(frozen=True, slots=True)
class Part:
    """This week's pairs of one category: how many there are and how many the aim wants."""

    name: str
    pairs: int
    wanted: int
    is_thin: bool


@dataclass(frozen=True, slots=True)
class Training:
    """The next round of training: pairs since the last one, and how many it needs."""

    since: float | None
    """Of the last round, seconds since 1970; None where there was none."""
    pairs: int
    wanted: int
    forecast: Forecast


@dataclass(frozen=True, slots=True)
class Small:
    """A recipe whose data set has fewer rows than its file asks for."""

    recipe: str
    dataset: str
    rows: int
    wanted: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How collecting goes at `at`, seconds since 1970."""

    at: float
    week: float
    """When it began."""
    votes: int
    """This week's votes that count, also those without a winner."""
    pairs: int
    aim: Level
    goals: tuple[Goal, ...]
    rate: Rate
    categories: tuple[Part, ...]
    languages: tuple[tuple[str, int], ...]
    training: Training
    quiet_s: float | None
    """Since the last pair; None where there was none."""
    small: tuple[Small, ...]
    reminders: tuple[str, ...]

    @property
    def week_ends(self) -> float:
        """When the next week begins, seconds since 1970."""
        return self.week + WEEK_S

    @property
    def aimed(self) -> Goal:
        """The level that progress is shown against."""
        return next(goal for goal in self.goals if goal.level is self.aim)


@dataclass(frozen=True, slots=True)
class Policies:
    """What the plan is made of."""

    collection: CollectionPolicy
    cadence: CadencePolicy
    training: TrainingPolicy
    datasets: Mapping[str, DatasetFile]


def progress(
    ballots: Sequence[Ballot],
    policies: Policies,
    now: float,
    trained: float | None = None,
    rows: Mapping[str, int] | None = None,
) -> Progress:
    """Return how collecting goes at `now`, seconds since 1970.

    `trained` is when the last round of preference training was; `rows` are rows by data set, of those that are here.
    """
    pairs = _pairs([ballot for ballot in ballots if ballot.at_us / 1e6 <= now])
    week = week_of(now)
    own = [each for each in pairs if each.at_us / 1e6 >= week]
    arrivals = _Arrivals.of([each.at_us / 1e6 for each in pairs], now)
    plan, cadence = policies.collection.plan, policies.cadence
    left = week + WEEK_S - now
    goals = []
    for level in Level:
        wanted = getattr(plan, level.value).samples_per_week
        missing = max(0, wanted - len(own))
        goals.append(Goal(level, wanted, missing, arrivals.forecast(missing), arrivals.chance(missing, left)))
    aim = next(goal for goal in goals if goal.level is plan.aim)
    since = len([each for each in pairs if trained is None or each.at_us / 1e6 >= trained])
    wanted = cadence.phases[cadence.phase].min_samples
    found = Progress(
        at=now,
        week=week,
        votes=sum(ballot.counted and week <= ballot.at_us / 1e6 <= now for ballot in ballots),
        pairs=len(own),
        aim=plan.aim,
        goals=tuple(goals),
        rate=arrivals.rate(),
        categories=_categories(own, policies.collection, aim),
        languages=tuple(Counter(each.language or "unknown" for each in own).most_common()),
        training=Training(trained, since, wanted, arrivals.forecast(max(0, wanted - since))),
        quiet_s=now - max(each.at_us for each in pairs) / 1e6 if pairs else None,
        small=_small(policies, rows or {}),
        reminders=(),
    )
    return _reminded(found, policies.collection)


def by_week(ballots: Sequence[Ballot], now: float, weeks: int) -> tuple[tuple[float, int], ...]:
    """Return when each of the last weeks began, seconds since 1970, and its preference pairs; the oldest first."""
    last = week_of(now)
    counts = Counter(week_of(each.at_us / 1e6) for each in _pairs(ballots) if each.at_us / 1e6 <= now)
    begins = [last - number * WEEK_S for number in reversed(range(weeks))]
    return tuple((week, counts[week]) for week in begins)


def headline(progress: Progress) -> str:
    """Return how collecting goes in one line."""
    aim = progress.aimed
    told = f"{progress.pairs} of {aim.wanted} preference pairs this week ({aim.level.value})"
    if not aim.missing:
        return f"{told}: reached"
    if aim.forecast.median is None or aim.chance < LIKELY:
        return f"{told}; not this week at {progress.rate.value:.1f} a day"
    return f"{told}; likely reached on {day(aim.forecast.median)}"


def week_of(at: float) -> float:
    """Return when the ISO week of a moment began, both seconds since 1970."""
    moment = datetime.fromtimestamp(at, UTC)
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight - timedelta(days=moment.weekday())).timestamp()


def day(at: float) -> str:
    """Return a moment, seconds since 1970, as weekday and date in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%a %Y-%m-%d")


@dataclass(frozen=True, slots=True)
class _Arrivals:
    """How pairs came lately: `seen` of them in `days`, in bursts of `burst` on average; `now` in seconds since 1970."""

    seen: int
    days: float
    burst: float
    now: float

    @classmethod
    def of(cls, times: Sequence[float], now: float) -> _Arrivals:
        """Count arrivals of the last days. The rate of less than a day is not told from chance: a day is the least."""
        first = min(times, default=now)
        days = min(max((now - first) / DAY_S, 1.0), float(RATE_DAYS))
        ages = [(now - at) / DAY_S for at in times if (now - at) / DAY_S < days]
        return cls(len(ages), days, _burst(ages, math.floor(days)), now)

    def rate(self) -> Rate:
        """Return pairs a day."""
        from scipy.stats import gamma

        low, high = gamma.ppf((_RANGE[0], _RANGE[-1]), self.seen / self.burst + 0.5)
        return Rate(
            self.seen / self.days, self.burst * low / self.days, self.burst * high / self.days, self.days
        )

    def forecast(self, missing: int) -> Forecast:
        """Return when so many more are there."""
        from scipy.stats import betaprime

        if not missing:
            return Forecast(self.now, self.now, self.now)
        if not self.seen:
            return Forecast(None, None, None)
        waits = self.days * betaprime.ppf(_RANGE, missing / self.burst, self.seen / self.burst + 0.5)
        return Forecast(*(self.now + wait * DAY_S if wait < 365 else None for wait in waits.tolist()))

    def chance(self, missing: int, within_s: float) -> float:
        """Return how likely so many more are there within a time."""
        from scipy.stats import betaprime

        if not missing:
            return 1.0
        if not self.seen:
            return 0.0
        share = within_s / DAY_S / self.days
        return float(betaprime.cdf(share, missing / self.burst, self.seen / self.burst + 0.5))


def _burst(ages: Sequence[float], days: int) -> float:
    """Return the variance of daily counts over their mean, at least 1; 1 where there are too few days to tell."""
    if days < 3 or not ages:
        return 1.0
    counts = Counter(math.floor(age) for age in ages if age < days)
    mean = counts.total() / days
    if not mean:
        return 1.0
    variance = sum((counts[at] - mean) ** 2 for at in range(days)) / (days - 1)
    return max(1.0, variance / mean)


def _pairs(ballots: Sequence[Ballot]) -> list[Ballot]:
    """Return one ballot for each preference pair, the earliest."""
    found: dict[tuple[str, frozenset[str]], Ballot] = {}
    for ballot in sorted(ballots, key=lambda each: (each.at_us, each.id)):
        if ballot.counted and ballot.chosen is not None:
            found.setdefault((ballot.comparison, pair(ballot)), ballot)
    return list(found.values())


def _categories(own: Sequence[Ballot], policy: CollectionPolicy, aim: Goal) -> tuple[Part, ...]:
    counts = Counter(each.category for each in own)
    return tuple(
        Part(
            name,
            counts[name],
            math.ceil(category.share * aim.wanted - 1e-9),
            len(own) >= LEAST_TO_JUDGE and counts[name] < THIN * category.share * len(own),
        )
        for name, category in policy.categories.items()
    )


def _small(policies: Policies, rows: Mapping[str, int]) -> tuple[Small, ...]:
    found = []
    for name, recipe in policies.training.recipes.items():
        dataset = policies.datasets.get(recipe.dataset)
        if dataset is None or (dataset.hash is not None and recipe.dataset not in rows):
            continue  # declared and not on this machine: how many rows it has is not known here
        if rows.get(recipe.dataset, 0) < dataset.minimum.rows:
            found.append(Small(name, recipe.dataset, rows.get(recipe.dataset, 0), dataset.minimum.rows))
    return tuple(found)


def _reminded(found: Progress, policy: CollectionPolicy) -> Progress:
    aim, reminders = found.aimed, []
    if found.quiet_s is None:
        reminders.append("nobody has compared answers yet: open the arena and ask people in")
    elif found.quiet_s >= QUIET_DAYS * DAY_S:
        reminders.append(f"overdue: no preference pair for {found.quiet_s / DAY_S:.0f} days")
    if aim.missing:
        reminders.append(f"{aim.missing} more until the {aim.level.value}")
    for part in sorted(found.categories, key=lambda each: each.pairs - each.wanted):
        if part.is_thin:
            example = policy.categories[part.name].examples[0]
            reminders.append(
                f"'{part.name}' is thin: {part.pairs} of {part.wanted}; ask something like \"{example}\""
            )
    for each in found.small:
        reminders.append(
            f"recipe '{each.recipe}' cannot train yet: data set '{each.dataset}' has {each.rows:,} of "
            f"{each.wanted:,} rows here"
        )
    return replace(found, reminders=tuple(reminders))
