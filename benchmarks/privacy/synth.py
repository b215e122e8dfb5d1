"""Recall, precision and speed on Presidio's synthetic texts (development half), beside Presidio and the gateway alone.

Called by `benchmarks.privacy.run`. What counts as personal data is what `policies/privacy.yaml` can name: persons,
addresses and postcodes, places, telephones, cards, e-mail, web addresses, IBANs, IP addresses, social security and
driving licence numbers, dates. Labels of organisations, titles, ages and nationalities do not count (masking them
lowers the precision); `pii_token_f1_all_labels` counts them too. Data: microsoft/presidio-research, MIT.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.privacy import systems
from benchmarks.privacy.scoring import NAMES, PLACES, STRUCTURED, Counts, Labelled

FILES = ("synth_dataset_v2.json", "generated_large.json")
KINDS = {
    "PERSON": "name",
    "STREET_ADDRESS": "address",
    "ADDRESS": "address",
    "ZIP_CODE": "address",
    "GPE": "place",
    "LOCATION": "place",
    "PHONE_NUMBER": "phone",
    "CREDIT_CARD": "card",
    "EMAIL_ADDRESS": "email",
    "DOMAIN_NAME": "url",
    "IBAN_CODE": "iban",
    "IP_ADDRESS": "ip",
    "US_SSN": "national_number",
    "US_DRIVER_LICENSE": "national_number",
    "DATE_TIME": "date",
}
"""The data's label to the policy's entity."""


def read(path: Path) -> list[Labelled]:
    """Return the texts of one file."""
    found = []
    for row in json.loads(path.read_text(encoding="utf-8")):
        marks = [(mark["start_position"], mark["end_position"], mark["entity_type"]) for mark in row["spans"]]
        found.append(
            Labelled(
                row["full_text"],
                tuple((start, end, KINDS[kind]) for start, end, kind in marks if kind in KINDS),
                tuple((start, end, "other") for start, end, kind in marks if kind not in KINDS),
            )
        )
    return found


def measure(data: Path) -> dict[str, float]:
    """Print tables and return figures by name; `data` holds the folder `presidio_synth`."""
    files = {name: read(data / "presidio_synth" / name) for name in FILES}
    texts = [each for rows in files.values() for each in rows]
    ours = systems.ours()
    whole = {
        "presidio": counted(systems.presidio(0.0), texts),
        "presidio, score of .4 and more": counted(systems.presidio(0.4), texts),
        "gateway": counted(systems.gateway, texts),
        "tagger alone": counted(systems.tagger, texts),
        "ours": counted(ours, texts),
    }
    for name, rows in files.items():
        whole[f"ours, {name.split('.')[0]}"] = counted(ours, rows)
    _compare(whole)
    _kinds(whole["presidio"], whole["gateway"], whole["ours"])
    clean = [each for each in texts if not each.spans and not each.others]
    kinds = _of_kinds("ours", whole["ours"]) | _of_kinds("presidio", whole["presidio"])
    return _figures(whole) | kinds | speed(texts) | {"damage_unlabelled": counted(ours, clean).damage}


def _figures(whole: dict[str, Counts]) -> dict[str, float]:
    best = whole["ours"]
    return {
        "pii_token_f1": best.f1,
        "pii_token_f1_all_labels": best.f1_labelled,
        "recall": best.recall,
        "precision": best.precision,
        "recall_structured": best.whole_of(STRUCTURED),
        "recall_names": best.whole_of(NAMES),
        "recall_places": best.whole_of(PLACES),
        "recall_dates": best.whole_of(["date"]),
        "presidio_token_f1": whole["presidio"].f1,
        "presidio_token_f1_over_04": whole["presidio, score of .4 and more"].f1,
        "gateway_token_f1": whole["gateway"].f1,
    }


def _of_kinds(system: str, counts: Counts) -> dict[str, float]:
    """Return each kind's recall (spans masked whole) and precision; no precision where a kind was never masked."""
    found = {}
    for kind in (*STRUCTURED, *NAMES, *PLACES, "date"):
        found[f"{system}_recall_{kind}"] = counts.whole_of([kind])
        if (precision := counts.precision_of(kind)) is not None:
            found[f"{system}_precision_{kind}"] = precision
    return found


def counted(finds: systems.Finds, texts: Sequence[Labelled], language: str = "en") -> Counts:
    """Return the counts of one system over texts."""
    counts = Counts()
    for each in texts:
        counts.add(each, finds(each.text, language))
    return counts


def speed(texts: Sequence[Labelled]) -> dict[str, float]:
    """Return texts a second on one core, models loaded, and where the time goes."""
    from runner.feedback.privacy import engine
    from runner.feedback.privacy.tagger import spans

    ours = systems.ours()
    presidio = systems.presidio(0.0)
    kinds = frozenset(systems.PrivacyPolicy().entities)
    parts = {
        "all": lambda text: ours(text, "en"),
        "tagger": lambda text: spans(text, "en"),
        "structured": lambda text: list(engine.structured(text, kinds)),
        "presidio": lambda text: presidio(text, "en"),
    }
    seconds = {}
    for name, does in parts.items():
        begin = time.process_time()
        for each in texts:
            does(each.text)
        seconds[name] = time.process_time() - begin
    print(f"\nSpeed on one core, {len(texts)} texts")
    for name, taken in seconds.items():
        print(
            f"  {name:<12}{len(texts) / taken:>8.0f} texts a second{1e6 * taken / len(texts):>8.0f} microseconds a text"
        )
    return {
        "texts_per_s": len(texts) / seconds["all"],
        "presidio_texts_per_s": len(texts) / seconds["presidio"],
        "time_tagger": seconds["tagger"] / seconds["all"],
        "time_structured": seconds["structured"] / seconds["all"],
    }


def _compare(whole: dict[str, Counts]) -> None:
    print(
        "Personal data in Presidio's synthetic texts, development half: any kind, by token; and spans masked whole"
    )
    print(
        f"  {'':<32}{'recall':>8}{'precision':>11}{'F1':>7}{'F1 all labels':>15}"
        f"{'structured':>12}{'names':>8}{'places':>8}"
    )
    for name, each in whole.items():
        print(
            f"  {name:<32}{each.recall:>8.3f}{each.precision:>11.3f}{each.f1:>7.3f}{each.f1_labelled:>15.3f}"
            f"{each.whole_of(STRUCTURED):>12.3f}{each.whole_of(NAMES):>8.3f}{each.whole_of(PLACES):>8.3f}"
        )


def _kinds(presidio: Counts, gateway: Counts, ours: Counts) -> None:
    print(
        "\nBy kind: spans masked whole, as anything; tokens masked; of the tokens masked as the kind, those labelled so"
    )
    print(
        f"  {'':<17}{'spans':>6}{'presidio':>10}{'gateway':>9}{'ours':>7}"
        f"{'ours, tokens':>14}{'presidio, prec.':>17}{'ours, prec.':>13}"
    )
    for kind in (*STRUCTURED, *NAMES, *PLACES, "date"):
        recalls = [each.whole_of([kind]) for each in (presidio, gateway, ours)]
        first, last = (each.precision_of(kind) for each in (presidio, ours))
        print(
            f"  {kind:<17}{ours.spans[kind]:>6}{recalls[0]:>10.3f}{recalls[1]:>9.3f}{recalls[2]:>7.3f}"
            f"{ours.masked_of([kind]):>14.3f}{_shown(first):>17}{_shown(last):>13}"
        )
    sys.stdout.flush()


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
