"""Data, collection, training, calendar and cost: that a round of training can be run as the policies say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from runner.errors import Diagnostic
from runner.spec.cadence import CadencePolicy, Cycle, PhaseName
from runner.spec.checks.versions import unknown
from runner.spec.collection import CollectionPolicy
from runner.spec.cost import Account, CostPolicy, Item, Per, Reason
from runner.spec.dataset import DatasetFile, Expect, Expectation
from runner.spec.expression import Baseline
from runner.spec.files import Files
from runner.spec.metric import METRICS
from runner.spec.parse import Parsed
from runner.spec.source import Document, KeyPath
from runner.spec.training import DpoRecipe, Recipe, TermKind, TrainingPolicy

COLUMNS = {
    "SFT": ("question", "answer"),
    "DPO": ("prompt", "chosen", "rejected"),
    "KTO": ("prompt", "completion", "label"),
}
"""What a data set needs for each type of training."""

_DAY = 86400.0
_MONTH, _QUARTER = 31, 92
_TOLERANCE = 1e-9


def check(parsed: Parsed, files: Files) -> Iterator[Diagnostic]:
    """Yield everything that is wrong with the way from data to a version."""
    del files
    yield from _datasets(parsed)
    if (collection := parsed.policy(CollectionPolicy)) is not None:
        yield from _collection(parsed, collection)
    if (training := parsed.policy(TrainingPolicy)) is not None:
        for name, recipe in training.recipes.items():
            yield from _recipe(parsed, name, recipe)
    if (cadence := parsed.policy(CadencePolicy)) is not None:
        yield from _cadence(parsed, cadence)
    if (cost := parsed.policy(CostPolicy)) is not None:
        yield from _cost(parsed, cost)


def _datasets(parsed: Parsed) -> Iterator[Diagnostic]:
    owners: dict[str, str] = {}
    for name, dataset in parsed.datasets.items():
        document = parsed.document(f"datasets/{name}")
        owner = owners.setdefault(dataset.path, name)
        if owner != name:
            where = document.at("path")
            yield Diagnostic(
                f"'{dataset.path}' is the file of '{owner}' already", where, (), "give it its own file"
            )
        for i, expectation in enumerate(dataset.expectations):
            yield from _expectation(dataset, expectation, document, ("expectations", i))
        yield from _categories(parsed, dataset, document)


def _expectation(
    dataset: DatasetFile, expectation: Expectation, document: Document, path: KeyPath
) -> Iterator[Diagnostic]:
    if expectation.column not in dataset.schema_:
        known = frozenset(dataset.schema_)
        yield unknown("column", expectation.column, known, document.at(*path, "column"))
    between = expectation.expect in (Expect.LENGTH_BETWEEN, Expect.VALUE_BETWEEN)
    low, high = expectation.low, expectation.high
    given = {
        "low": (low is not None, between),
        "high": (high is not None, between),
        "values": (bool(expectation.values), expectation.expect is Expect.IN_SET),
        "pattern": (expectation.pattern is not None, expectation.expect is Expect.MATCHES),
    }
    for key, (present, wanted) in given.items():
        if present and not wanted:
            summary = f"'{key}' means nothing to '{expectation.expect.value}'"
            yield Diagnostic(summary, document.key(*path, key), (), f"remove '{key}'")
    wanted_keys = [key for key, (_, wanted) in given.items() if wanted]
    if wanted_keys and not any(given[key][0] for key in wanted_keys):
        fix = f"add {' or '.join(repr(key) for key in wanted_keys)}"
        yield Diagnostic(f"'{expectation.expect.value}' says of nothing", document.key(*path), (), fix)
    if low is not None and high is not None and low > high:
        yield Diagnostic(
            "nothing lies between these", document.at(*path, "low"), (f"low: {low:g}", f"high: {high:g}")
        )
    yield from _pattern(expectation, document, path)


def _pattern(expectation: Expectation, document: Document, path: KeyPath) -> Iterator[Diagnostic]:
    if expectation.pattern is None:
        return
    try:
        re.compile(expectation.pattern)
    except (re.error, RecursionError, OverflowError) as error:
        where = document.at(*path, "pattern")
        yield Diagnostic(f"not a regular expression: {error}", where, (expectation.pattern,), "correct it")


def _categories(parsed: Parsed, dataset: DatasetFile, document: Document) -> Iterator[Diagnostic]:
    if dataset.minimum.per_category and not dataset.categories:
        where = document.at("minimum", "per_category")
        yield Diagnostic(
            "a minimum of every category, and no categories", where, (), "add 'categories: [...]'"
        )
    if dataset.categories and "category" not in dataset.schema_:
        where = document.key("categories")
        yield Diagnostic("the data has no column 'category'", where, (), "add 'category: text' to the schema")
    collection = parsed.policy(CollectionPolicy)
    for i, category in enumerate(dataset.categories):
        if collection is not None and category not in collection.categories:
            yield unknown(
                "category", category, frozenset(collection.categories), document.at("categories", i)
            )


def _collection(parsed: Parsed, policy: CollectionPolicy) -> Iterator[Diagnostic]:
    document = parsed.document("policies/collection")
    shares = [category.share for category in policy.categories.values()]
    if sum(shares) > 1 + _TOLERANCE:
        evidence = (f"shares: {', '.join(f'{share:.6g}' for share in shares)}",)
        summary = f"the shares of the categories add up to {sum(shares):.0%}"
        yield Diagnostic(summary, document.key("categories"), evidence, "let them add up to at most 100%")
    yield from _plan(policy, document)


def _plan(policy: CollectionPolicy, document: Document) -> Iterator[Diagnostic]:
    amounts = [policy.plan.minimum, policy.plan.target, policy.plan.optimal]
    weekly = [amount.samples_per_week for amount in amounts]
    if not _ascending(weekly):
        levels = (f"minimum, target, optimal: {', '.join(map(str, weekly))}",)
        fix = "let each be at least the one before"
        yield Diagnostic("the levels of the plan fall", document.key("plan"), levels, fix)
    agreement = policy.agreement
    if agreement.floor > agreement.reliable:
        where = document.at("agreement", "floor")
        bounds = (f"floor: {agreement.floor:g}", f"reliable: {agreement.reliable:g}")
        yield Diagnostic("the floor of agreement is above what is reliable", where, bounds, "lower the floor")


def _recipe(parsed: Parsed, name: str, recipe: Recipe) -> Iterator[Diagnostic]:
    document, path = parsed.document("policies/training"), ("recipes", name)
    known = parsed.names["datasets"]
    if recipe.dataset not in known:
        yield unknown("dataset", recipe.dataset, known, document.at(*path, "dataset"))
    elif (dataset := parsed.datasets.get(recipe.dataset)) is not None:
        missing = [column for column in COLUMNS[recipe.type] if column not in dataset.schema_]
        if missing:
            summary = f"{recipe.type} needs columns that '{recipe.dataset}' lacks"
            evidence = (f"missing: {', '.join(missing)}",)
            yield Diagnostic(
                summary, document.at(*path, "dataset"), evidence, "name a data set that has them"
            )
    yield from _recipe_rank(parsed, recipe, document, path)
    micro, batch = recipe.optimiser.micro_batch_size, recipe.optimiser.batch_size
    if micro is not None and batch % micro:
        where = document.at(*path, "optimiser", "micro_batch_size")
        sizes = (f"batch_size: {batch}", f"micro_batch_size: {micro}")
        summary = "the batch cannot be made of whole micro-batches"
        yield Diagnostic(summary, where, sizes, "let it divide the batch")
    if isinstance(recipe, DpoRecipe):
        yield from _dpo(recipe, document, path)


def _dpo(recipe: DpoRecipe, document: Document, path: KeyPath) -> Iterator[Diagnostic]:
    kinds = {term.kind for term in recipe.loss}
    if len(kinds) < len(recipe.loss):
        yield Diagnostic(
            "a part of the loss stands twice", document.at(*path, "loss"), (), "add up their weights"
        )
    changed = {"label_smoothing": recipe.label_smoothing > 0, "length_normalised": recipe.length_normalised}
    given = [key for key, value in changed.items() if value]
    if given and TermKind.SIGMOID not in kinds:
        where = document.at(*path, given[0])
        fix = f"add {{kind: sigmoid}} to the loss, or remove '{given[0]}'"
        yield Diagnostic(f"'{given[0]}' changes the part 'sigmoid' of the loss alone", where, (), fix)
    elif len(given) > 1:
        where = document.at(*path, "label_smoothing")
        summary = "there is no loss that is both smoothed and normalised by length"
        yield Diagnostic(summary, where, (), f"remove '{given[0]}' or '{given[1]}'")


def _recipe_rank(parsed: Parsed, recipe: Recipe, document: Document, path: KeyPath) -> Iterator[Diagnostic]:
    rank = recipe.lora.rank
    small = [name for name, env in parsed.environments() if env.engine.max_lora_rank < rank]
    if small:
        summary = f"an adapter of rank {rank} could not be served in {', '.join(small)}"
        fix = "lower the rank, or raise max_lora_rank of the engine"
        yield Diagnostic(summary, document.at(*path, "lora", "rank"), (), fix)


def _cadence(parsed: Parsed, policy: CadencePolicy) -> Iterator[Diagnostic]:
    document = parsed.document("policies/cadence")
    for phase in PhaseName:
        if phase not in policy.phases:
            yield Diagnostic(
                f"phase '{phase.value}' is missing", document.key("phases"), (), f"add '{phase.value}: ...'"
            )
    for key, cycle, days in (("monthly", policy.monthly, _MONTH), ("quarterly", policy.quarterly, _QUARTER)):
        yield from _cycle(key, cycle, days, document)


def _cycle(key: str, cycle: Cycle, days: int, document: Document) -> Iterator[Diagnostic]:
    names: list[str] = []
    for i, work in enumerate(cycle.work):
        path = (key, "work", i)
        if work.name in names:
            yield Diagnostic(
                f"work '{work.name}' stands twice", document.at(*path, "name"), (), "give it another name"
            )
        names.append(work.name)
        end = (work.starts + work.lasts) / _DAY
        if end > days:
            summary = f"'{work.name}' ends on day {end:g} of a {key} cycle"
            yield Diagnostic(
                summary, document.at(*path, "lasts"), (f"a cycle has {days} days at most",), "end it earlier"
            )


def _cost(parsed: Parsed, policy: CostPolicy) -> Iterator[Diagnostic]:
    document = parsed.document("policies/cost")
    for name, item in policy.items.items():
        path: KeyPath = ("items", name)
        yield from _range(name, "amount", (item.low, item.amount, item.high), document, path)
        yield from _due(name, item, document, path)
    for name, work in policy.engineering.items():
        path = ("engineering", name)
        yield from _range(name, "hours", (work.low, work.hours, work.high), document, path)
        if name in policy.items:
            summary = f"'{name}' is the name of an item already"
            yield Diagnostic(summary, document.key(*path), (), "give it another name")
    for i, reason in enumerate(policy.reasons):
        yield from _reason(reason, document, ("reasons", i, "bound"))


def _range(
    name: str, what: str, range_: tuple[float | None, float, float | None], document: Document, path: KeyPath
) -> Iterator[Diagnostic]:
    low, value, high = range_
    ends = (value if low is None else low, value, value if high is None else high)
    if not _ascending(ends):
        evidence = (f"low {ends[0]:g}, {what} {value:g}, high {ends[2]:g}",)
        summary = f"the figure '{what}' of '{name}' lies outside its range"
        yield Diagnostic(summary, document.at(*path, what), evidence, "correct one of the three")


def _due(name: str, item: Item, document: Document, path: KeyPath) -> Iterator[Diagnostic]:
    """What is paid once is set-up, or paid for each round of training; set-up is paid once."""
    account, once = item.account, item.per is Per.ONCE
    if (account is Account.SETUP) is not once and not (once and account is Account.RETRAINING):
        summary = f"'{name}' is paid per {item.per.value} and counted as {account.value}"
        fix = "say 'account: setup'" if once else "say 'per: once', or count it as 'running'"
        yield Diagnostic(summary, document.at(*path, "per"), ("set-up is what is paid once",), fix)


def _reason(reason: Reason, document: Document, path: KeyPath) -> Iterator[Diagnostic]:
    """A reason is held against times that every request has, not against another arm."""
    if reason.bound is None:
        return
    where, asked = document.at(*path), reason.bound.comparisons()
    for metric in dict.fromkeys(each.metric for each in asked if each.metric not in _TIMES):
        summary = f"a reason beyond money is not held against '{metric}'"
        yield Diagnostic(summary, where, (f"it may name {', '.join(_TIMES)}",), "name one of these")
    if any(isinstance(each.bound, Baseline) for each in asked):
        fix = "name a time such as 100ms"
        yield Diagnostic("a reason beyond money compares with no baseline", where, (reason.bound.text,), fix)


_TIMES = tuple(name for name in METRICS if name.startswith(("latency_p", "first_token_p")))


def _ascending(values: Sequence[float]) -> bool:
    return list(values) == sorted(values)
