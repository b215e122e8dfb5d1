"""What is found in one text, kind by kind, and what is left alone; names and places are the tagger's."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.events.recognisers import luhn
from runner.feedback.privacy import Found, Scrubber
from runner.feedback.privacy.engine import OVERLAP, PIECE, pieces
from runner.spec.privacy import Entity, PrivacyPolicy


def nobody(text: str, language: str) -> list[Found]:
    """Know no name and no place."""
    return []


@pytest.fixture(scope="module")
def scrubber() -> Scrubber:
    return Scrubber(PrivacyPolicy(), tagger=nobody)


def found(scrubber: Scrubber, text: str) -> list[tuple[str, str]]:
    """Return the kind and the words of everything that is found."""
    return [(each.entity.value, text[each.start : each.end]) for each in scrubber.find(text, "en")]


FOUND = {
    "email": (
        "write to [kim.minsu+x@mail.example.co.kr] please",
        "to [ANN@EXAMPLE.COM].",
        "메일은 [kim@example.com]입니다",
    ),
    "url": (
        "see [https://a.example/b?c=d], then",
        "on [www.example.com/x].",
        "my page [example.com/about] is old",
        "[https://example.com]에서 봤어요",
        "([https://user:pw@example.com/x])",
    ),
    "ip": (
        "from [192.168.0.12] at noon",
        "from [2001:db8::8a2e:370:7334]",
    ),
    "phone": (
        "call [+44 20 7946 0958] now",
        "call [+82-10-1234-5678]",
        "[010-1234-5678]로 전화 주세요",
        "대표 번호는 [1588-1234]입니다",
        "fax: [(02) 123-4567]",
        "[(555) 555-0154]",
        "[+1-203-305-2492x5662]",
        "her cell is [5551234567]",
        "text me at [555 0199]",
        "they answer at [01.42.68.53.00]",
        "I dialled [699 956 915]",
    ),
    "card": (
        "paid with [4111 1111 1111 1111]",
        "Diners [30569309025904]",
        "JCB [3530111333300000]",
        "old JCB card [213173282369527]",
        "Maestro card [503802053770]",
        "Visa [4222222222222] of 13 digits",
        "card [4933870304038678414] of 19",
        "카드 번호는 [3782-822463-10005]",
        "my card [4111 1111 1111 1112] was mistyped",
    ),
    "iban": (
        "pay to [DE89 3704 0044 0532 0130 00]",
        "my IBAN is [DE89 3704 0044 0532 0130 01], mistyped",
        "IBAN [gb82west12345698765432]",
    ),
    "national_number": (
        "my SSN is [078-05-1120]",
        "ITIN [912-70-1234]",
        "social security number [078051120]",
        "passport number [C01234567]",
        "driver's license: [D1234567]",
        "licence no. [2270-66-1551]",
        "NHS number [943 476 5919]",
        "NINO [AB123456C]",
        "주민등록번호 [850503-1234567]",
        "주민번호는 [850503-1******]",
        "사업자등록번호는 [123-45-67890]",
        "여권번호는 [M12345678]입니다",
        "운전면허 [11-22-123456-33]",
        "codice fiscale [RSSMRA85T10A562S]",
        "it says [RSSMRA85T10A562S] there",
        "DNI [12345678Z]",
        "her PESEL is [44051401359]",
        "Aadhaar [2345 6789 0124]",
        "his PAN is [ABCPE1234F]",
    ),
    "date": (
        "born on [May 3rd, 1985]",
        "on [3 May 1985] in",
        "[1985-05-03]",
        "at [1985-05-03T10:20:30Z]",
        "[03.05.1985]",
        "[5/3/1985]",
        "[5/3/85]",
        "the letter of [the 3rd of May 1985] is",
        "[1985년 5월 3일]에 태어났어요",
        "[85년 5월 3일]생",
        "[1985. 5. 3.] 출생",
        "생일은 [5월 3일]이에요",
        "생년월일 [850503]",
        "my birthday is [May 3]",
    ),
    "name": (
        "I am [Hugo Hill]. When was it published?",
        "This is [Mary J. O'Neil], hello",
        "my name is [Jo], I live nearby",
        "제 이름은 [김민수]입니다",
        "저는 [박도윤]이고 책을 찾아요",
    ),
    "address": (
        "I live at [221B Baker Street], London",
        "[1600 Pennsylvania Avenue NW]",
        "to [P.O. Box 123] please",
        "[Unit 4818 Box 0262, DPO AA 65303]",
        "[Hauptstraße 12a]",
        "[5 rue de Rivoli]",
        "at [Via Roma 3]",
        "zip code [94110]",
        "London [NW1 6XE]",
        "우편번호는 [06236]입니다",
        "[서울특별시 강남구 테헤란로 152]로 보내 주세요",
        "[경기도 성남시 분당구 정자동 178-1번지 101동 1203호]입니다",
        "집은 [테헤란로 152]예요",
    ),
}
MARKED = [(kind, text) for kind, texts in FOUND.items() for text in texts]


@pytest.mark.parametrize(("kind", "marked"), MARKED, ids=[text for _, text in MARKED])
def test_each_kind_is_found_in_every_common_spelling(scrubber: Scrubber, kind: str, marked: str) -> None:
    text = marked.replace("[", "").replace("]", "")
    wanted = marked[marked.index("[") + 1 : marked.index("]")]
    assert found(scrubber, text) == [(kind, wanted)]


@pytest.mark.parametrize(
    "text",
    [
        "open from 9:00 to 17:30 on Monday, and on 24 December until noon",
        "in 2019, from 1914-1918, pages 120-1234, chapter 3.4.5",
        "it costs $1,234,567.00 or 12 345 678 won",
        "order number 20211234567, ISBN 978-3-16-148410-0",
        "version 1.2.3.4 of node.js, see README.md",
        "What is 1234567 times 7654321? 3.14159265358979",
        "a UUID 123e4567-e89b-12d3-a456-426614174000 at 1700000000",
        "100 Years of Solitude, 1984, Catch-22, 20,000 Leagues",
        "카드로 40달러를 결제했고 2로 나누면 20이에요",
        "서울 인구는 몇 명이에요? 다시 3번 눌러 주세요.",
        "5 minutes down the road, considering 3 roads",
        "my gift card from 2019 and the license of 2011",
        "the card ending 4242",
        "std::vector and a1::b2",
        "I am Not Sure, this is The Lantern Ledger, this is Fun",
        "저는 학생입니다. 이 책의 이름은 뭐예요?",
    ],
)
def test_what_belongs_to_nobody_stays(scrubber: Scrubber, text: str) -> None:
    assert found(scrubber, text) == []


def test_spellings_with_other_digits_and_dashes_are_found_where_they_stand(scrubber: Scrubber) -> None:
    text = "전화는 ０１０−１２３４−５６７８ 입니다…"
    assert found(scrubber, text) == [("phone", "０１０−１２３４−５６７８")]


def test_only_what_the_policy_names_is_found() -> None:
    text = "ann@example.com, 010-1234-5678, 5 May 1985"
    for entity in (Entity.EMAIL, Entity.PHONE, Entity.DATE):
        only = Scrubber(PrivacyPolicy(entities=(entity,)), tagger=nobody)
        assert [kind for kind, _ in found(only, text)] == [entity.value]


@given(st.integers(0, 10**9))
def test_every_card_number_that_passes_luhn_is_found_behind_its_name(seed: int) -> None:
    rng = random.Random(seed)
    size = rng.choice((12, 13, 14, 15, 16, 18, 19))
    body = str(rng.randrange(1, 10)) + "".join(rng.choices("0123456789", k=size - 2))
    number = next(body + last for last in "0123456789" if luhn(body + last))
    text = f"my credit card {number} does not work"
    assert found(Scrubber(PrivacyPolicy(), tagger=nobody), text) == [("card", number)]


@given(st.text(alphabet="a1 @.-+(가로<>_/:\n9", max_size=200))
def test_what_is_found_lies_in_order_inside_the_text_and_never_overlaps(text: str) -> None:
    done = 0
    for each in Scrubber(PrivacyPolicy(), tagger=nobody).find(text, "ko"):
        assert done <= each.start < each.end <= len(text)
        done = each.end


@given(st.integers(0, 5 * PIECE), st.integers(0, 10**9))
def test_a_long_text_is_searched_in_pieces_that_leave_nothing_out(size: int, seed: int) -> None:
    rng = random.Random(seed)
    text = "x" * size if seed % 2 else "".join(rng.choices("xyz \n", k=size))
    parts = list(pieces(text))
    assert parts[0][0] == 0 and parts[-1][1] == len(text)
    assert all(0 <= end - start <= PIECE for start, end in parts)
    assert all(later[0] == earlier[1] - OVERLAP for earlier, later in pairwise(parts))
    assert len(parts) <= 1 + size / (PIECE - 2 * OVERLAP)


def test_nothing_is_lost_where_two_pieces_of_a_long_text_meet(scrubber: Scrubber) -> None:
    number = "4111 1111 1111 1111"
    for place in range(PIECE - 2 * OVERLAP, PIECE + OVERLAP, 31):
        text = "lorem ipsum " * (place // 12) + number + " dolor" * 600
        assert found(scrubber, text) == [("card", number)]
