"""Finds postal addresses in Korea: by road (`테헤란로 152`), by lot (`정자동 178-1번지`), and flats.

Called by `engine`, on folded text. `로` and `길` are also particles and common words: a road counts behind a region or
a district, with a branch of its own (`12번길 3`), or where a word beside it speaks of addresses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from runner.feedback.privacy.found import Context, Finder, Found
from runner.spec.privacy import Entity

_REGION = (
    r"(?:서울|부산|대구|인천|광주|대전|울산|세종|경기|강원|충청?[북남]|전라?[북남]|경상?[북남]|제주)"
    r"(?:특별자치시|특별자치도|특별시|광역시|[시도])?"
)
_DISTRICT = r"[가-힣]{1,6}(?:시|군|구|읍|면)"
_CERTAIN_DISTRICT = r"(?:[중남북동서]구|[가-힣]{2,4}[시군구])"
_BRANCH = r"[0-9]{1,4}번?[가나다라]?길 ?"
_PLOT = r"[0-9]{1,5}(?:-[0-9]{1,4})?(?:번지)?"
_ROAD = rf"[가-힣][가-힣0-9]{{0,11}}(?:대로|로|길) ?(?:{_BRANCH})?{_PLOT}"
_LOT = rf"[가-힣][가-힣0-9]{{0,7}}(?:동|리|가) (?:산 ?)?{_PLOT}"
_HOUSE = r"[가-힣A-Za-z0-9]{2,16}(?:아파트|빌라|오피스텔|타워|빌딩|센터|맨션|빌리지)"
_FLAT = rf"(?:[ ,]{{1,2}}(?:{_HOUSE} ?)?(?:[0-9]{{1,5}}동 ?)?(?:[0-9]{{1,5}}호|[0-9]{{1,3}}층))?"
_SURE = re.compile(
    "(?<![가-힣0-9])(?:"
    + "|".join(
        (
            rf"(?:{_REGION} ?(?:{_DISTRICT} ){{0,3}}|(?:{_DISTRICT} ){{1,3}})(?:{_ROAD}|{_LOT}){_FLAT}",
            rf"{_REGION} ?(?:{_CERTAIN_DISTRICT} ?){{1,2}}(?:[가-힣0-9]{{2,8}}(?:동|읍|면|리)(?![가-힣]))?",
            rf"[가-힣][가-힣0-9]{{0,11}}(?:대로|로|길) ?{_BRANCH}{_PLOT}",
            r"[0-9]{1,4}동 ?[0-9]{2,5}호(?!선)",
            r"사서함 ?[0-9]{1,5}호?",
            r"[가-힣]{2,12}(?:아파트|빌라|오피스텔) ?(?:[0-9]{1,5}동 ?)?[0-9]{1,5}호",
        )
    )
    + ")"
)
_PERHAPS = re.compile(rf"(?<![가-힣])(?:{_ROAD}|{_LOT}){_FLAT}")
_SPOKEN = Context(re.compile("주소|배송지|거주|살고|살아|사는|삽니다|집은|받는 ?곳|보내"), right=24)


def _addresses(text: str) -> Iterator[Found]:
    for match in _SURE.finditer(text):
        yield _found(match, 0.75)
    if _SPOKEN.words.search(text):
        for match in _PERHAPS.finditer(text):
            if _SPOKEN.near(text, match.span()):
                yield _found(match, 0.6)


def _found(match: re.Match[str], score: float) -> Found:
    return Found(match.start(), match.start() + len(match[0].rstrip(" ,")), Entity.ADDRESS, score)


FINDERS = (
    Finder("addresses in Korea", frozenset({Entity.ADDRESS}), re.compile("[가-힣]").search, _addresses),
)
