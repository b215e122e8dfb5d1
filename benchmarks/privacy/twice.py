"""What is left of the masking where the gateway has masked before, as it has nearly every text of the log.

Called by `benchmarks.privacy.run`. The same texts as in `synth` and `korean`, through the gateway's masking and then
ours, beside ours alone. `..._met`: only the texts in which the gateway finds something. `changed_again`: the share of
texts that a second scrubbing of ours changes, which it should not.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.privacy import korean, synth, systems
from benchmarks.privacy.scoring import NAMES, PLACES, STRUCTURED, Counts, Labelled
from benchmarks.privacy.synth import counted
from runner.feedback.privacy import Scrubber
from runner.spec.privacy import PrivacyPolicy


def measure(data: Path | None) -> dict[str, float]:
    """Print a table and return figures by name; the English ones only where `data` holds the labelled texts."""
    print("Masked twice, by the gateway and then by ours, beside ours alone")
    print(f"  {'':<28}{'F1':>7}{'structured':>12}{'names':>8}{'places':>8}{'needless of 1,000':>19}")
    figures: dict[str, float] = {}
    if data:
        texts = [each for name in synth.FILES for each in synth.read(data / "presidio_synth" / name)]
        figures |= _of(texts, "en", "")
    return figures | _of(korean.texts(korean.TEXTS), "ko", "korean_")


def _of(texts: Sequence[Labelled], language: str, prefix: str) -> dict[str, float]:
    ours = systems.ours()
    met = [each for each in texts if systems.gateway(each.text, language)]
    once, twice = (counted(finds, texts, language) for finds in (ours, systems.twice(ours)))
    met_once, met_twice = (counted(finds, met, language) for finds in (ours, systems.twice(ours)))
    for name, counts in (("ours alone", once), ("gateway, ours", twice)):
        _tell(f"{name}, {language}", counts)
    for name, counts in (("ours alone", met_once), ("gateway, ours", met_twice)):
        _tell(f"{name}, {language}, {len(met)} met", counts)
    found = {
        "pii_token_f1_twice": twice.f1,
        "recall_structured_twice": twice.whole_of(STRUCTURED),
        "recall_names_twice": twice.whole_of(NAMES),
        "recall_places_twice": twice.whole_of(PLACES),
        "damage_once": once.needless,
        "damage_twice": twice.needless,
        "pii_token_f1_met": met_once.f1,
        "pii_token_f1_met_twice": met_twice.f1,
        "damage_met_once": met_once.needless,
        "damage_met_twice": met_twice.needless,
        "changed_again": _changed(texts, language),
    }
    print(f"  texts of 1,000 that a second scrubbing changes: {1000 * found['changed_again']:.1f}")
    return {f"{prefix}{name}": value for name, value in found.items()}


def _changed(texts: Sequence[Labelled], language: str) -> float:
    """Return the share of texts that are not the same after a second scrubbing."""
    scrubber = Scrubber(PrivacyPolicy())
    changed = 0
    for each in texts:
        once = scrubber.scrub([each.text], language).texts
        changed += scrubber.scrub(once, language).texts != once
    return changed / len(texts)


def _tell(name: str, counts: Counts) -> None:
    print(
        f"  {name:<28}{counts.f1:>7.4f}{counts.whole_of(STRUCTURED):>12.4f}{counts.whole_of(NAMES):>8.4f}"
        f"{counts.whole_of(PLACES):>8.4f}{counts.needless:>19.2f}"
    )
