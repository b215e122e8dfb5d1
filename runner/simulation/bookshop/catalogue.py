"""The invented books and people of the shop, by name only; `world` gives them prices, shelves and the rest.

Data without logic. Two titles share no telling word, so that no question is ambiguous.
"""

from __future__ import annotations

from runner.simulation.bookshop.values import Word

TITLES = (
    Word("The Lantern Ledger", "등불 장부"),
    Word("Salt on the Staircase", "계단 위의 소금"),
    Word("A Heron in Winter Wool", "겨울 왜가리"),
    Word("Eleven Quiet Doors", "열한 개의 문"),
    Word("The Glassmaker's Tide", "유리공의 밀물"),
    Word("Maps for Sleeping Foxes", "잠든 여우의 지도"),
    Word("Violet Engine", "보랏빛 기관차"),
    Word("The Orchard Telegraph", "과수원 전보"),
    Word("Small Thunder Almanac", "작은 천둥 연감"),
    Word("Crumbs of the Comet", "혜성 부스러기"),
    Word("The Beekeeper's Algebra", "양봉가의 대수학"),
    Word("Paper Moths at Noon", "정오의 종이 나방"),
    Word("Harbor of Borrowed Coats", "빌린 외투의 항구"),
    Word("Twice Round the Pepper Mill", "후추 방앗간"),
    Word("The Marble Ferryman", "대리석 뱃사공"),
    Word("Kettle Weather", "주전자 날씨"),
    Word("Ninety Steps to Juniper", "노간주 아흔 걸음"),
    Word("The Clockless Village", "시계 없는 마을"),
    Word("Ink for a Slow River", "느린 강의 잉크"),
    Word("Badger and the Opera", "오소리와 오페라"),
    Word("Copper Rain Diaries", "구리 비 일기"),
    Word("The Velvet Compass", "벨벳 나침반"),
    Word("Turnip Royal", "순무 왕실"),
    Word("Snowglobe Detectives", "눈구슬 탐정단"),
)

AUTHORS = (
    Word("Mirel Oakhart", "미렐 오카트", ("Oakhart",)),
    Word("Jun Paletta", "준 팔레타", ("Paletta",)),
    Word("Ansel Brightmoor", "안셀 브라이", ("Brightmoor",)),
    Word("Dorin Kessaly", "도린 케살리", ("Kessaly",)),
    Word("Imka Strandt", "임카 스트란", ("Strandt",)),
    Word("Pell Corravan", "펠 코라반", ("Corravan",)),
    Word("Saro Lindqua", "사로 린드콰", ("Lindqua",)),
    Word("Yuna Marchbeck", "유나 마치벡", ("Marchbeck",)),
    Word("Otis Fennimar", "오티스 페니마", ("Fennimar",)),
    Word("Brisa Tollund", "브리사 톨룬", ("Tollund",)),
    Word("Kamo Ederley", "카모 에덜리", ("Ederley",)),
    Word("Lisbet Quarrow", "리스벳 쿼로", ("Quarrow",)),
    Word("Hanno Grevell", "하노 그레벨", ("Grevell",)),
    Word("Nadi Sutterby", "나디 서터비", ("Sutterby",)),
    Word("Corin Wexmoor", "코린 웩스무", ("Wexmoor",)),
    Word("Elspa Vondrey", "엘스파 본드리", ("Vondrey",)),
    Word("Ruvo Hadlin", "루보 해들린", ("Hadlin",)),
    Word("Tamsin Orrelle", "탐신 오렐", ("Orrelle",)),
    Word("Wim Zephrell", "빔 제프렐", ("Zephrell",)),
    Word("Greta Umberlin", "그레타 엄벌린", ("Umberlin",)),
    Word("Isko Bellwick", "이스코 벨윅", ("Bellwick",)),
    Word("Junia Ploverton", "주니아 플로버", ("Ploverton",)),
    Word("Marek Dussan", "마렉 두산", ("Dussan",)),
    Word("Fia Nettlecar", "피아 네틀카", ("Nettlecar",)),
)

SECTIONS = (
    Word("poetry", "시집"),
    Word("mystery", "추리"),
    Word("history", "역사"),
    Word("children", "어린이", ("children's",)),
    Word("science", "과학"),
    Word("travel", "여행"),
    Word("cooking", "요리", ("cookery",)),
    Word("fantasy", "판타지"),
)

WEEKDAYS = (
    Word("Monday", "월요일"),
    Word("Tuesday", "화요일"),
    Word("Wednesday", "수요일"),
    Word("Thursday", "목요일"),
    Word("Friday", "금요일"),
    Word("Saturday", "토요일"),
    Word("Sunday", "일요일"),
)

PLACES = (
    Word("the info desk", "안내 데스크", ("info desk",)),
    Word("the second floor", "2층", ("second floor",)),
    Word("the third floor", "3층", ("third floor",)),
    Word("the basement", "지하", ("basement",)),
    Word("behind the shop", "가게 뒤"),
    Word("Quince Lane", "퀸스 거리"),
    Word("the cash register", "계산대", ("cash register",)),
    Word("the reading corner", "독서 코너", ("reading corner",)),
)

THINGS = (
    Word("the receipt", "영수증", ("receipt",)),
    Word("store credit", "적립금"),
    Word("lemon cake", "레몬 케이크"),
    Word("small dogs", "작은 강아지"),
    Word("green paper", "초록 포장지"),
    Word("bus 14", "14번 버스"),
    Word("cheques", "수표", ("checks",)),
    Word("a tote bag", "천 가방", ("tote bag",)),
)

OWNER = Word("Odile Tamarack", "오딜 타마락", ("Tamarack",))
