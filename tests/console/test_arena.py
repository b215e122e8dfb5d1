"""What the arena rests on below the page: names that give a model away, safe Markdown, words, rounds, sessions."""

from __future__ import annotations

import asyncio
import re
import string
from collections.abc import AsyncGenerator
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.console.people.gateway import Ask, Refused, Reply, Trouble
from runner.console.people.markdown import LONGEST, safe
from runner.console.people.naming import FAMILIES, names_itself
from runner.console.people.ports import Key, Person, Week
from runner.console.people.rounds import Round, begun
from runner.console.people.sessions import IDLE_S, MOST, PAGES, RECENT_S, Full, Sessions
from runner.console.people.words import LANGUAGES, spoken, wished, words
from runner.feedback.matchmaking import Tally, seats

OWN = ("chat-v1.1", "chat-v1.1--bbbbbbbbbbbb", "chat-v1.0", "bookshop-base")
AMY = Person("Amy")


# names that give a model away


@pytest.mark.parametrize(
    "answer",
    [
        "I am chat-v1.1, how can I help?",
        "This is **chat-v1.1**.",
        "Chat V1.1 speaking",
        "my files are at chat-v1.1--bbbbbbbbbbbb",
        "I'm the bookshop-base model",
        "I’m Qwen, a large language model.",
        "As Qwen, I cannot say that.",
        "As an AI language model called ChatGPT, I cannot.",
        "My name is Claude.",
        "I am a helpful assistant made by Alibaba.",
        "I was developed by Google DeepMind.",
        "저는 큐웬입니다.",
        "저는 알리바바가 만든 인공지능입니다.",
        "I am q\u200bwen",
        "Ｉ ａｍ Ｑｗｅｎ",
    ],
)
def test_an_answer_that_names_its_own_model_gives_itself_away(answer: str) -> None:
    assert names_itself(answer, OWN)


@pytest.mark.parametrize(
    "answer",
    [
        "The llama is an animal of the Andes.",
        "The Falcon's Nest costs 12 dollars.",
        "Gemini is a sign of the zodiac.",
        "As solar panels get cheaper, so do books on them.",
        "chat-v1.10 is another version",
        "We keep it in the bookshop base ment.",
        "I am sorry, we do not have that book.",
        "Claude Monet painted it.",
        "저는 그 책을 모릅니다.",
        "",
    ],
)
def test_an_answer_about_something_else_does_not(answer: str) -> None:
    assert not names_itself(answer, OWN)


@given(
    st.sampled_from(FAMILIES), st.sampled_from(("I am {}", "My name is {}.", "저는 {}입니다")), st.booleans()
)
def test_every_known_family_is_found_however_it_is_written(family: str, saying: str, loud: bool) -> None:
    assert names_itself(saying.format(family.upper() if loud else f"**{family}**"), ())


@given(st.text(max_size=400), st.lists(st.text(max_size=12), max_size=4))
def test_no_text_breaks_the_search(answer: str, own: list[str]) -> None:
    assert names_itself(answer, own) in (True, False)


# Markdown

TAG = re.compile(r"<(/?)([a-z0-9]+)([^>]*)>")
ALLOWED = {
    *("p", "br", "strong", "em", "code", "pre", "ul", "ol", "li", "blockquote", "hr", "span", "div"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"),
}
nasty = st.lists(
    st.sampled_from(
        [
            *(
                "<script>",
                "<img src=x onerror=alert(1)>",
                "![a](http://e.example/a.png)",
                "[a](http://e.example)",
            ),
            *(
                "[a](javascript:alert(1))",
                "<http://e.example>",
                "```",
                "`",
                "**",
                "# ",
                "\n\n",
                "- ",
                "> ",
                "|a|b|\n|-|-|\n",
            ),
            *(
                "<iframe>",
                "&lt;",
                "\x00",
                "[a]: http://e.example 'x'\n",
                "[a]",
                '"',
                "'",
                "<svg/onload=x>",
                "<a href=x>",
                "</p>",
            ),
        ]
    )
    | st.text(string.printable, max_size=8),
    max_size=14,
).map("".join)


@given(nasty)
def test_markdown_of_a_model_brings_no_tag_no_picture_and_no_link(text: str) -> None:
    for _, tag, attributes in TAG.findall(safe(text)):
        assert tag in ALLOWED
        assert re.fullmatch(r"( (class|style|start)=('[^'<>]*'|\"[^\"<>]*\"))*( /)?", attributes), attributes


def test_markdown_is_laid_out_and_a_link_says_where_it_leads() -> None:
    assert "<strong>now</strong>" in safe("come **now**")
    assert "(http://e.example)" in safe("see [this](http://e.example)")


@pytest.mark.parametrize("answer", ["1997.", "12)", "1997. It is an old one.", "7. Or was it 8.", "-", "+"])
def test_an_answer_that_begins_with_a_number_is_no_list_in_which_the_number_is_lost(answer: str) -> None:
    assert safe(answer) == f"<p>{answer}</p>\n"


def test_what_begins_as_a_list_is_one() -> None:
    assert safe("1. open it\n2. read it\n\n- a\n  - b").count("<li>") == 4


def test_a_very_long_answer_is_shown_as_it_is() -> None:
    shown = safe("<b>[" * LONGEST)
    assert shown.startswith("<p class='as-is'>&lt;b&gt;") and "<b>" not in shown


# words


def test_both_languages_say_everything_with_the_same_gaps() -> None:
    def gaps(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    english, *others = (words(language).table for language in LANGUAGES)
    for other in others:
        assert other.keys() == english.keys()
        assert {name: gaps(text) for name, text in other.items()} == {
            name: gaps(text) for name, text in english.items()
        }


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        ("en-GB,ko;q=0.9", "en"),
        ("de,ko;q=0.5,en;q=0.7", "en"),
        ("de", "en"),
        ("", "en"),
        ("ko;q=x,,;", "en"),
    ],
)
def test_the_browsers_language_chooses_the_words(accept: str, language: str) -> None:
    assert wished(accept) == language


@pytest.mark.parametrize(
    ("text", "language"),
    [("몇 시에 열어요?", "ko"), ("Kettle Weather 얼마예요?", "ko"), ("when?", "en"), ("?", "en")],
)
def test_a_questions_language_is_that_of_its_letters(text: str, language: str) -> None:
    assert spoken(text) == language


# rounds


class Answers:
    """A gateway that answers by version, or fails where the text is a trouble."""

    def __init__(self, **said: str | Trouble) -> None:
        self.said = said

    async def answer(self, person: Person, ask: Ask) -> AsyncGenerator[Reply, None]:
        said = self.said[ask.version]
        reply = Reply(ask.version, "d" * 64, f"chatcmpl-{ask.seed}")
        if isinstance(said, Trouble):
            raise Refused(said)
        for word in said.split():
            await asyncio.sleep(0)
            reply.text += f"{word} "
            yield reply
        reply.ended = True
        yield reply


def ended(shown: int = 2, **said: str | Trouble) -> Round:
    """Return a round that was run to its end."""
    made = begun(AMY, "which?", "", seats(list(said), Tally(), shown, Random(3)))

    async def run() -> None:
        async for _ in made.run(Answers(**said)):  # type: ignore[arg-type]
            pass

    asyncio.run(run())
    return made


def test_a_vote_can_be_claimed_once_and_again_only_where_it_failed() -> None:
    made = ended(a="one", b="two")
    assert [made.claim(), made.claim(), made.claim()] == [True, False, False]
    made.release()
    assert made.claim()


@pytest.mark.parametrize("wrong", [*Trouble, ""])
def test_a_round_without_all_its_answers_cannot_be_voted_on(wrong: Trouble | str) -> None:
    made = ended(a="one", b=wrong)
    assert not made.claim()
    assert [place.reply.text for place in made.places if place.trouble is None] == ["one "]


def test_a_round_is_not_claimed_before_it_has_ended() -> None:
    made = begun(AMY, "which?", "", seats(["a", "b"], Tally(), 2, Random(3)))
    for place in made.places:
        place.reply = Reply(place.ask.version, text="there", ended=True)
    assert not made.claim()


def test_a_vote_says_what_stood_where_and_how_it_was_sampled() -> None:
    made = ended(3, a="one", b="two", c="three")
    body = made.vote(2, True, " since ", "")
    assert [each["text"].strip() for each in body["answers"]] == [
        {"a": "one", "b": "two", "c": "three"}[place.ask.version] for place in made.places
    ]
    assert all(set(each["sampling"]) == {"temperature", "max_tokens", "seed"} for each in body["answers"])
    assert (body["choice"], body["counted"], body["reason"]) == (2, True, "since")
    assert "correction" not in body and "category" not in body
    assert body["taken_ms"] >= 0


def test_the_comparison_is_the_same_whichever_side_answers_stand_on() -> None:
    made = ended(a="one", b="two")
    turned = Round(made.person, made.question, made.kind, made.places[::-1])
    assert turned.comparison == made.comparison
    assert ended(a="one", b="other").comparison != made.comparison


def test_an_answer_that_names_any_version_of_the_round_gives_the_round_away() -> None:
    assert ended(v1="I am v2", v2="hello").gives_itself_away(())
    assert ended(v1="the bookshop-base says", v2="hello").gives_itself_away(OWN)
    assert not ended(v1="hello", v2="hello there").gives_itself_away(OWN)


# sessions


def test_a_session_is_known_by_its_token_until_it_ends_or_is_idle() -> None:
    now = [0.0]
    sessions = Sessions(lambda: now[0])
    token, other = sessions.begin(AMY), sessions.begin(Person("Ben", Key("key")))
    assert sessions.person(token) == AMY and sessions.person(other) != AMY
    assert [sessions.person(wrong) for wrong in (None, "", "x", token[:-1])] == [None] * 4
    now[0] += IDLE_S
    assert sessions.person(token) == AMY
    now[0] += IDLE_S + 1
    assert sessions.person(token) is None
    sessions.end(other)
    assert sessions.person(other) is None


def test_a_session_that_was_used_lately_gives_way_to_nobody_and_one_left_alone_does() -> None:
    now = [0.0]
    sessions = Sessions(lambda: now[0])
    left, *others = [sessions.begin(AMY) for _ in range(MOST)]
    now[0] = RECENT_S
    with pytest.raises(Full):
        sessions.begin(AMY)
    assert all(map(sessions.person, others))
    now[0] = RECENT_S + 1
    assert sessions.person(sessions.begin(AMY)) == AMY
    assert sessions.person(left) is None and all(map(sessions.person, others))
    with pytest.raises(Full):
        sessions.begin(AMY)


def test_a_page_belongs_to_the_browser_that_opened_it_while_its_session_lasts() -> None:
    sessions = Sessions()
    amy, ben = sessions.begin(AMY), sessions.begin(Person("Ben"))
    assert sessions.owns(amy, "page") and sessions.owns(amy, "page")
    assert not sessions.owns(ben, "page")
    sessions.end(amy)
    assert sessions.owns(ben, "page")
    assert all(sessions.owns(ben, f"page{number}") for number in range(PAGES + 5))


def test_a_key_stands_in_no_text_of_a_person_and_is_gone_with_the_session() -> None:
    sessions = Sessions()
    person = Person("Amy", Key("hush"))
    token = sessions.begin(person)
    assert "hush" not in repr(person) and "hush" in str(person.headers)
    sessions.end(token)
    assert "hush" not in str(person.headers)


# the vote, as the tab handles it


class Desk:
    """Notes what is sent; refuses as often as it is told to."""

    own_names = OWN

    def __init__(self, refusals: int = 0) -> None:
        self.sent: list[dict[str, Any]] = []
        self.counted = 0
        self.gateway, self._refusals = self, refusals

    async def vote(self, person: Person, body: dict[str, Any]) -> None:
        await asyncio.sleep(0)
        if self._refusals:
            self._refusals -= 1
            raise Refused(Trouble.UNREACHABLE)
        self.sent.append(body)

    def stored(self, kind: str, pairs: int) -> None:
        self.counted += pairs

    async def week(self) -> Week:
        return Week(1, 10)


def voting(desk: Desk, made: Round, *people: Person | None) -> str:
    """Press the first button for each person at the same moment; return what the tab says to them."""
    gradio = pytest.importorskip("gradio", reason="the group 'console' is not installed")
    from runner.console.people.arena import Arena

    async def press(tab: Arena, person: Person | None) -> list[Any]:
        return [update.get(tab.status) async for update in tab.vote(0, made, "", "", person)]

    async def press_all() -> list[list[Any]]:
        with gradio.Blocks(
            analytics_enabled=False
        ):  # in a running loop, or Gradio opens one and leaves it open
            tab = Arena(desk, words("en"), ())  # type: ignore[arg-type]
        return await asyncio.gather(*(press(tab, person) for person in people))

    return str(asyncio.run(press_all()))


def test_two_presses_at_once_send_one_vote() -> None:
    desk = Desk()
    said = voting(desk, ended(a="one", b="two"), AMY, AMY)
    assert len(desk.sent) == 1 and desk.sent[0]["counted"] is True and desk.counted == 1
    assert said.count("your vote is stored") == 1


def test_a_vote_on_an_answer_that_names_its_model_is_sent_uncounted_and_that_is_told() -> None:
    desk = Desk()
    said = voting(desk, ended(a="I am Qwen", b="two"), AMY)
    assert desk.sent[0]["counted"] is False and desk.counted == 0
    assert "not counted" in said


def test_a_vote_that_could_not_be_stored_can_be_sent_again() -> None:
    desk, made = Desk(refusals=1), ended(a="one", b="two")
    assert "does not answer" in voting(desk, made, AMY)
    assert not desk.sent
    assert "stored" in voting(desk, made, AMY)
    assert len(desk.sent) == 1


@pytest.mark.parametrize("other", [None, Person("Ben")])
def test_nobody_votes_for_another(other: Person | None) -> None:
    desk = Desk()
    assert "signed out" in voting(desk, ended(a="one", b="two"), other)
    assert not desk.sent
