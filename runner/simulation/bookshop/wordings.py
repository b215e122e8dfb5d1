"""The many ways in which customers ask: cores that name a fact, frames around them, and questions out of
scope.

Data without logic. `{t}`, `{u}` are titles, `{a}` an author, `{s}` a section, `{d}` a weekday, `{q}` the
question. In every list of `FRESH` are wordings that training never sees with any fact; they make the `ood`
suite.
"""

from __future__ import annotations

from runner.simulation.bookshop.values import Language

EN, KO = Language.ENGLISH, Language.KOREAN
F, C, A, P, E = "factual_qa", "comparison", "creative", "problem_solving", "explanation"

CORES: dict[tuple[str, Language], tuple[tuple[str, str], ...]] = {
    ("author", EN): (
        (F, "Who wrote {t}?"),
        (F, "Who is the author of {t}?"),
        (F, "Which writer is behind {t}?"),
        (F, "Tell me the author of {t}."),
        (P, "I forgot who wrote {t}, can you help?"),
        (A, "Write a sign for the window that says who wrote {t}."),
        (A, "Make up a line for a poster of {t} with the name of its author."),
    ),
    ("price", EN): (
        (F, "How much is {t}?"),
        (F, "What does {t} cost?"),
        (F, "What is the price of {t}?"),
        (F, "Tell me the price of {t}."),
        (P, "I want to buy {t}, how much money should I bring?"),
        (P, "I have to watch my money, what would {t} cost me?"),
    ),
    ("shelf", EN): (
        (F, "On which shelf is {t}?"),
        (F, "Where can I find {t}?"),
        (F, "Where do you keep {t}?"),
        (F, "Which shelf holds {t}?"),
        (P, "I cannot find {t}, where is it?"),
        (E, "Explain how I find {t} in the shop."),
    ),
    ("section", EN): (
        (F, "Which section is {t} in?"),
        (F, "What genre is {t}?"),
        (F, "Under which section do you sort {t}?"),
        (E, "Explain what kind of book {t} is."),
        (E, "What sort of book is {t}?"),
    ),
    ("pages", EN): (
        (F, "How many pages does {t} have?"),
        (F, "How long is {t}?"),
        (F, "What is the page count of {t}?"),
        (F, "How thick is {t} in pages?"),
        (P, "I read on the train, how many pages is {t}?"),
    ),
    ("year", EN): (
        (F, "When was {t} published?"),
        (F, "In which year did {t} come out?"),
        (F, "What year is {t} from?"),
        (F, "When did {t} first appear?"),
        (E, "Explain since when {t} has been in print."),
    ),
    ("copies", EN): (
        (F, "Is {t} in stock?"),
        (F, "How many copies of {t} do you have?"),
        (F, "Do you have {t} right now?"),
        (F, "Is {t} available?"),
        (P, "I need {t} for tonight, do you still have it?"),
        (P, "Can I buy {t} today?"),
    ),
    ("wrote", EN): (
        (F, "Which book did {a} write?"),
        (F, "What is the book by {a} called?"),
        (F, "Do you have anything by {a}?"),
        (F, "Name a book by {a}."),
        (P, "I like {a}, what can I read?"),
    ),
    ("cheaper", EN): (
        (C, "Which is cheaper, {t} or {u}?"),
        (C, "{t} or {u}: which one costs less?"),
        (C, "Does {t} or {u} cost less?"),
        (C, "Compare the prices: is {t} or {u} cheaper?"),
        (C, "I can spend little, should I take {t} or {u}?"),
    ),
    ("longer", EN): (
        (C, "Which is longer, {t} or {u}?"),
        (C, "{t} or {u}: which one has more pages?"),
        (C, "Does {t} or {u} have more pages?"),
        (C, "Compare {t} and {u}: which is thicker?"),
    ),
    ("suggest", EN): (
        (A, "Recommend a {s} book."),
        (A, "Suggest something from the {s} section."),
        (A, "Surprise me with a {s} book."),
        (P, "I like {s} books, what should I read?"),
        (P, "Which {s} book would make a good present?"),
    ),
    ("opens", EN): (
        (F, "When do you open on {d}?"),
        (F, "At what time do you open on {d}?"),
        (F, "From what time are you open on {d}?"),
        (P, "I want to come early on {d}, from when can I come in?"),
    ),
    ("closes", EN): (
        (F, "When do you close on {d}?"),
        (F, "At what time do you close on {d}?"),
        (F, "Until when are you open on {d}?"),
        (P, "I am late on {d}, how long are you there?"),
    ),
    ("author", KO): (
        (F, "{t} 책은 누가 썼나요?"),
        (F, "{t} 저자가 누구예요?"),
        (F, "{t} 작가 이름을 알려 주세요."),
        (F, "{t} 책의 작가는 누구인가요?"),
    ),
    ("price", KO): (
        (F, "{t} 책은 얼마예요?"),
        (F, "{t} 가격이 얼마인가요?"),
        (F, "{t} 가격을 알려 주세요."),
        (P, "{t} 책을 사려면 얼마가 필요해요?"),
    ),
    ("shelf", KO): (
        (F, "{t} 책은 어디에 있나요?"),
        (F, "{t} 책은 몇 번 서가에 있어요?"),
        (P, "{t} 책을 못 찾겠어요. 어디에 있죠?"),
        (E, "{t} 책을 찾는 방법을 설명해 주세요."),
    ),
    ("copies", KO): (
        (F, "{t} 책 재고가 있나요?"),
        (F, "{t} 책은 몇 권 있어요?"),
        (F, "지금 {t} 책이 있나요?"),
        (P, "오늘 {t} 책을 살 수 있나요?"),
    ),
    ("wrote", KO): (
        (F, "{a} 작가는 어떤 책을 썼나요?"),
        (F, "{a} 작가의 책 제목이 뭐예요?"),
        (F, "{a} 작가의 책이 있나요?"),
    ),
    ("cheaper", KO): (
        (C, "{t}, {u} 중 어느 책이 더 싼가요?"),
        (C, "{t}, {u} 가격을 비교하면 뭐가 더 싸요?"),
        (C, "{t}, {u} 중에서 더 저렴한 책을 알려 주세요."),
    ),
    ("suggest", KO): (
        (A, "{s} 코너에서 책을 추천해 주세요."),
        (A, "{s} 책 하나 골라 주세요."),
        (A, "{s} 쪽에서 읽을 만한 책이 뭐예요?"),
    ),
    ("opens", KO): (
        (F, "{d}에 몇 시에 열어요?"),
        (F, "{d}에는 언제부터 하나요?"),
        (F, "{d} 문 여는 시간을 알려 주세요."),
    ),
    ("closes", KO): (
        (F, "{d}에 몇 시에 닫아요?"),
        (F, "{d}에는 언제까지 하나요?"),
        (F, "{d} 문 닫는 시간을 알려 주세요."),
    ),
}

FRESH: dict[tuple[str, Language], tuple[tuple[str, str], ...]] = {
    ("author", EN): ((F, "Whose pen gave us {t}?"), (F, "{t}: name of the author?")),
    ("price", EN): ((F, "What will {t} set me back?"), (F, "{t}: price?")),
    ("shelf", EN): ((F, "Point me to {t}, please."), (P, "I walked round twice and did not see {t}.")),
    ("section", EN): ((F, "Among which books does {t} stand, by genre?"),),
    ("pages", EN): ((F, "Count the pages of {t} for me."),),
    ("year", EN): ((F, "What is the publication date of {t}?"),),
    ("copies", EN): ((F, "Got {t}?"), (P, "Can you set aside {t}, or is it gone?")),
    ("wrote", EN): ((F, "{a} is an author here, of what?"),),
    ("cheaper", EN): ((C, "Price check: {t} against {u}, which wins?"),),
    ("longer", EN): ((C, "Between {t} and {u}, name the bigger read."),),
    ("suggest", EN): ((A, "Pick a {s} title for a rainy day."),),
    ("opens", EN): ((F, "{d} opening time?"),),
    ("closes", EN): ((F, "{d} closing time?"),),
    ("author", KO): ((F, "{t} 누구 작품이에요?"),),
    ("price", KO): ((F, "{t} 값 좀 말해 주세요."),),
    ("shelf", KO): ((F, "{t} 책 위치요."),),
    ("copies", KO): ((F, "{t} 아직 남아 있어요?"),),
    ("opens", KO): ((F, "{d} 오픈 시간이요?"),),
    ("closes", KO): ((F, "{d} 마감 시간이요?"),),
}

FRAMES: dict[Language, tuple[str, ...]] = {
    EN: (
        "{q}",
        "Hello! {q}",
        "Good morning. {q}",
        "{q} Thank you!",
        "Quick question: {q}",
        "I am in a hurry. {q}",
        "One more thing: {q}",
        "Please help me. {q}",
    ),
    KO: ("{q}", "안녕하세요. {q}", "질문이 있어요. {q}", "{q} 감사합니다.", "하나 더 물어볼게요. {q}"),
}

PERSONAL_FRAMES: dict[Language, tuple[str, ...]] = {
    EN: (
        "My e-mail is {email}. {q}",
        "This is {name}, phone {phone}. {q}",
        "I paid with card {card}. {q}",
        "{q} You can reach me at {email}.",
        "I am {name}. {q}",
        "{q} Please call {phone}.",
    ),
    KO: (
        "제 이메일은 {email}입니다. {q}",
        "저는 {name}이고 전화번호는 {phone}입니다. {q}",
        "카드 번호 {card}로 결제했어요. {q}",
        "{q} {phone}로 연락 주세요.",
        "제 이름은 {name}입니다. {q}",
    ),
}
