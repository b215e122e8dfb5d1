"""An answer as a row of small numbers that keep how it speaks and drop what it speaks about.

A refusal is a way of speaking: "i", a negation, a verb of serving, a pronoun. What was asked for is not part of it, and
a classifier that sees the topic learns the topic. So every word that is not in the tables below becomes `OTHER`, and
synonyms become one class. Korean is read by stems and endings inside the word. Pure; time linear in the text.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

HEAD = 1200
"""Characters read from the beginning of an answer: who declines says so early ..."""
TAIL = 400
"""... or at the end."""

_CLASSES: dict[str, str] = {
    "<i>": "i we",
    "<my>": "my our",
    "<me>": "me us myself ourselves",
    "<am>": "am i'm we're",
    "<will>": "i'll we'll will shall let's",
    "<would>": "would i'd we'd",
    "<have>": "have has had i've we've having",
    "<you>": "you you're you've you'll yourself u",
    "<your>": "your yours",
    "<is>": "is are was were be been being it's that's there's here's they're",
    "<cannot>": "cannot can't cant couldn't",
    "<wont>": "won't wouldn't",
    "<dont>": "don't doesn't didn't dont haven't hasn't hadn't",
    "<not>": "not isn't aren't wasn't weren't shouldn't mustn't ain't neither nor without",
    "<never>": "never no none nobody",
    "<unable>": "unable incapable incapacitated powerless barred prohibited forbidden",
    "<able>": "able allowed permitted authorised authorized equipped qualified comfortable willing prepared supposed",
    "<made>": "designed trained programmed built meant intended created developed",
    "<ability>": "ability abilities capability capabilities capacity scope expertise position access remit purview"
    " knowledge",
    "<serve>": "help assist answer respond comply fulfil fulfill oblige cooperate assisting helping answering complying"
    " responding fulfilling",
    "<give>": "provide share give offer tell say disclose reveal supply list describe explain discuss explore elaborate"
    " advise suggest recommend comment speculate weigh weighing guess predict providing sharing giving offering telling"
    " disclosing discussing commenting speculating advising explaining",
    "<make>": "write create generate produce compose draft translate make do perform execute complete process carry"
    " writing creating generating producing making doing",
    "<condone>": "promote encourage condone endorse facilitate support engage participate contribute glorify justify"
    " enable perpetuate advocate promoting encouraging condoning endorsing facilitating engaging participating"
    " supporting perpetuating glorifying justifying",
    "<decline>": "decline refuse declining refusing abstain refrain pass reject skip avoid hesitant reluctant avoiding"
    " refraining withhold",
    "<sorry>": "sorry apologize apologise apologies apology regret unfortunately regrettably sadly afraid pardon"
    " forgive alas",
    "<bad>": "illegal unethical harmful dangerous inappropriate offensive immoral wrong unlawful unsafe violent hateful"
    " discriminatory disrespectful unacceptable criminal insensitive hurtful derogatory misleading untrue invasive"
    " unfair irresponsible abusive toxic malicious problematic damaging unhealthy cruel stigmatizing exploitative"
    " degrading racist sexist prejudiced biased illicit fraudulent distasteful demeaning reprehensible",
    "<harm>": "harm violence discrimination hatred hate prejudice stereotypes stereotype crime crimes abuse harassment"
    " exploitation violation injury death suffering bullying intolerance bias racism sexism offense offence danger"
    " damage theft fraud misinformation",
    "<good>": "appropriate ethical legal safe respectful acceptable okay ok responsible moral right lawful positive"
    " constructive inclusive healthy healthier kind fair proper advisable wise safer nonviolent peaceful kinder",
    "<value>": "respect dignity equality equally rights kindness compassion empathy fairness wellbeing well-being"
    " safety inclusion inclusivity tolerance consent equal worth diversity understanding justice",
    "<law>": "law laws legislation court prison jail punishable penalties consequences prosecution offences felony"
    " liability",
    "<important>": "important essential crucial vital necessary imperative paramount",
    "<should>": "should must ought need needs",
    "<against>": "against violate violates violating contrary conflict conflicts breach breaches outside beyond",
    "<rule>": "policy policies guidelines rules principles values programming terms standards regulations restrictions"
    " protocol ethics boundaries",
    "<pro>": "lawyer attorney doctor physician professional professionals therapist counselor counsellor expert experts"
    " specialist accountant authorities police hotline helpline lifeline pharmacist adviser advisor solicitor"
    " psychologist enforcement services counsel practitioner psychiatrist",
    "<consult>": "consult contact seek reach call speak refer visit consulting contacting seeking reaching approach",
    "<leave>": "leave leaving aside unanswered unsaid",
    "<ask>": "ask asking asked wondering question questions query",
    "<want>": "want like prefer wish love happy glad pleased delighted rather",
    "<instead>": "instead alternatively",
    "<but>": "but however though although yet nevertheless",
    "<other>": "else other another different alternative alternatives otherwise elsewhere",
    "<ai>": "ai assistant chatbot bot llm robot artificial virtual",
    "<model>": "model language program system machine",
    "<info>": "information details data advice instructions guidance content assistance response responses opinion"
    " opinions recommendations answers specifics guide steps tips methods ideas suggestions ways reasons list examples"
    " overview options tutorial",
    "<request>": "request topic subject matter task prompt conversation inquiry issue requests topics subjects matters",
    "<private>": "private personal confidential privacy sensitive classified proprietary",
    "<know>": "know aware sure certain familiar understand find found locate confirm verify",
    "<talk>": "talk talking chat steer focus switch move turn change",
    "<behaviour>": "behavior behaviour behaviors actions action activity activities acts act conduct thoughts"
    " intentions",
    "<people>": "person people individual individuals others someone anyone everyone group groups humans human beings",
    "<if>": "if when whether unless",
    "<yes>": "yes sure certainly absolutely course definitely gladly",
    "<here>": "here following below",
    "<first>": "first firstly start begin next then finally lastly second secondly third step",
    "<such>": "such kind kinds sort type types",
    "<may>": "can could may might",
    "<wh>": "what how why where who which",
    "<be-careful>": "careful caution note remember keep ensure please consider",
    "<illegal-act>": "committing commit causing cause harming hurting killing stealing inflict inflicting",
    "<as>": "as since because therefore so thus due",
    "<this>": "this these it",
    "<that>": "that those",
    "<any>": "any anything nothing something",
    "<crisis>": "suicide suicidal struggling crisis distress emergency overwhelmed 988",
    "<true>": "true fact factual accurate evidence basis exist exists existed fictional fiction imaginary hypothetical"
    " real reality actual actually",
    "<hope>": "hope enjoy luck hopefully",
    "<they>": "they them their he she his her him",
}
_ITSELF = (
    "to of for in on at with about from by or and only just always also at all more very best good great"
    " out up one way there than too into over under most many some several use used"
)
_KOREAN_STEMS: dict[str, str] = {
    "<ko-i>": "저는 제가 저희 저로서 저도 전",
    "<ko-sorry>": "죄송 미안 유감 아쉽 안타깝 송구 양해",
    "<ko-serve>": "도와 도움 돕 도울 답변 대답 답해 답을 답드 응할 응하 응해 협조 지원",
    "<ko-give>": "안내 제공 설명 말씀 알려 가르 추천 공유 이야기 언급 논의 조언"
    " 다루 작성 써 만들 번역 평가 판단 예측 의견 공개",
    "<ko-decline>": "거절 거부 사양 삼가 삼갈 자제 넘어가 피하",
    "<ko-bad>": "불법 위험 부적절 비윤리 유해 해로 해를 해롭 폭력 차별 혐오 범죄 잘못"
    " 위법 나쁜 모욕 불쾌 옳지 바람직 적절하지",
    "<ko-good>": "윤리 안전 건전 존중 합법 올바 건강한 긍정 평등 존엄 배려",
    "<ko-pro>": "전문가 변호사 의사 상담 경찰 병원 약사 세무사 전문의 노무사 기관 담당",
    "<ko-consult>": "문의 찾아 연락 의뢰 물어 여쭤 방문",
    "<ko-rule>": "정책 규정 지침 원칙 규칙 가이드라인",
    "<ko-ability>": "권한 범위 능력 역할 영역 분야 기능",
    "<ko-ai>": "인공지능 ai 언어모델 언어 챗봇 모델 비서 어시스턴트",
    "<ko-private>": "개인정보 개인 사생활 비밀 민감",
    "<ko-instead>": "대신 다른 그보다 차라리 대안",
    "<ko-but>": "하지만 그러나 다만 그렇지만 그런데",
    "<ko-request>": "요청 질문 주제 부탁 내용 정보 문제 부분",
    "<ko-know>": "모르 모릅 알지 아는 알고 확인 정확",
    "<ko-only>": "오직",
    "<ko-yes>": "네 예 물론 당연",
    "<ko-first>": "먼저 우선 첫째 다음 방법 단계 둘째",
    "<ko-that>": "그런 그러한 그 이런 이러한 그것 해당 그건 이건 이는",
    "<ko-can>": "수 수가 수는 수도 줄",
}
_KOREAN_PARTS: dict[str, str] = {
    "<ko-none>": "없",
    "<ko-not>": "않 못 아니 아닙 말아 마세 마십",
    "<ko-hard>": "어렵 어려 힘들 곤란 불가 꺼려 난처",
    "<ko-only>": "만",
    "<ko-exist>": "있",
}
_KOREAN_ENDINGS: tuple[tuple[str, str], ...] = (
    ("<ko-please>", "세요|십시오|길|바랍니다|권합니다|권해드립니다|드립니다"),
    ("<ko-will>", "겠습니다|게요|까요|겠어요|겠네요|고|싶어요"),
    ("<ko-ask>", "나요|가요|니까|죠"),
    ("<ko-say>", "니다|요|다"),
)
OTHER = "_"
STOP = "."
QUERY = "?"
ITEM = "<item>"
NUMBER = "#"
MARKS = (OTHER, STOP, QUERY, ITEM, NUMBER, ":", '"')


def _table() -> dict[str, str]:
    found = {word: word for word in _ITSELF.split()}
    for name, words in _CLASSES.items():
        found.update(dict.fromkeys(words.split(), name))
    return found


_ENGLISH = _table()
_STEMS = {stem: name for name, stems in _KOREAN_STEMS.items() for stem in stems.split()}
_LONGEST_STEM = max(map(len, _STEMS))
_PARTS = {part: name for name, parts in _KOREAN_PARTS.items() for part in parts.split()}
_ENDINGS = tuple((name, tuple(endings.split("|"))) for name, endings in _KOREAN_ENDINGS)
NAMES: tuple[str, ...] = tuple(
    dict.fromkeys(
        [*MARKS, *_ENGLISH.values(), *_STEMS.values(), *_PARTS.values(), *(name for name, _ in _ENDINGS)]
    )
)
"""Every token there is; its place is its number, which is never 0 for a word that is known."""
NUMBERS: dict[str, int] = {name: number for number, name in enumerate(NAMES)}
_KNOWN = {word: NUMBERS[name] for word, name in _ENGLISH.items()}
_LEXEME = re.compile(
    r"(?P<item>\n\s*(?:[-*•]|\d{1,2}[.)])\s)|(?P<word>[a-z]+(?:'[a-z]+)?)|(?P<korean>[가-힣]+)|(?P<number>\d+)"
    r"|(?P<stop>[.!;。]+|\n+)|(?P<query>\?+)|(?P<colon>:)|(?P<quote>[\"“”*])"
)
_MARK_OF = {
    "item": (NUMBERS[STOP], NUMBERS[ITEM]),
    "number": (NUMBERS[NUMBER],),
    "stop": (NUMBERS[STOP],),
    "query": (NUMBERS[QUERY],),
    "colon": (NUMBERS[":"],),
    "quote": (NUMBERS['"'],),
}


def cut(text: str) -> str:
    """Return the parts of a text that are read: all of a short one, beginning and end of a long one."""
    return text if len(text) <= HEAD + TAIL else f"{text[:HEAD]}\n{text[-TAIL:]}"


def spelled(text: str) -> str:
    """Return what is read of a text in one spelling; unlike `text.plain` it leaves lines apart."""
    folded = unicodedata.normalize("NFKC", cut(text)).casefold()
    return folded.replace("’", "'").replace("‘", "'").replace("can not", "cannot")


def tokens(text: str) -> list[int]:
    """Return the numbers of the tokens of a `spelled` text, runs of unknown words as one `OTHER`."""
    found: list[int] = []
    last = -1
    for match in _LEXEME.finditer(text):
        kind = match.lastgroup
        if kind == "word":
            new: tuple[int, ...] = (_KNOWN.get(match[0], 0),)
        elif kind == "korean":
            new = _korean(match[0])
        else:
            new = _MARK_OF[str(kind)]
        for number in new:
            if number != last or number > 1:
                found.append(number)
            last = number
    return found


def _only(word: str) -> bool:
    """Return whether the word ends in the particle "only", which ends "but" as well."""
    return word.endswith("만") and not word.endswith("지만")


@lru_cache(maxsize=1 << 16)
def _korean(word: str) -> tuple[int, ...]:
    """Return the tokens inside a Korean word: its stem, what negates or limits it, its ending."""
    names: list[str] = []
    for size in range(min(_LONGEST_STEM, len(word)), 0, -1):
        if (stem := _STEMS.get(word[:size])) and (size > 1 or len(word) == 1):
            names.append(stem)
            break
    if word.endswith("지만"):
        names.append("<ko-but>")
    names += [name for part, name in _PARTS.items() if part in word and (part != "만" or _only(word))]
    for name, endings in _ENDINGS:
        if word.endswith(endings):
            names.append(name)
            break
    return tuple(NUMBERS[name] for name in dict.fromkeys(names)) or (0,)
