"""`make demo`: plays the quarter, prints it, leaves a report, and fails where anything it tells did not happen."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from runner.demo import story
from runner.demo.claims import Unfulfilled, claim, until
from runner.demo.customers import asking
from runner.demo.ending import NOTHING, figures, write
from runner.demo.place import make, running
from runner.demo.story import Quarter
from runner.demo.telling import Teller
from runner.simulation.people.crowd import Habits

CHECKOUT = Path(__file__).resolve().parents[2]
KEPT = CHECKOUT / ".loop" / "demo"
CHAPTERS = (
    ("Customers ask, judge and vote", story.listening),
    ("What they said becomes a better version", story.learning),
    ("The better version reaches everybody, as far as evidence carries it", story.promoting),
    ("A bad version gets through gates that were taken away", story.failing),
    ("Somebody pushes, somebody else says git revert", story.reverting),
    ("The world changes", story.drifting),
    ("The record", story.recording),
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for: where the repositories are made, whether a person plays, what is taken away on the way."""

    home: Path
    by_hand: bool
    engine_dies: bool
    remote_goes: bool


def main() -> int:
    """Play the quarter; returns 1 where something did not happen, 130 on Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m runner.demo", description=__doc__)
    parser.add_argument(
        "--by-hand", action="store_true", help="open the shop and let you go on; docs/tutorial.md says how"
    )
    parser.add_argument(
        "--kill-engine", action="store_true", help="kill the engine in the middle of the canary"
    )
    parser.add_argument("--git-away", action="store_true", help="take the remote away during the rollback")
    parser.add_argument("--home", type=Path, help="keep the repositories here, in an empty folder")
    asked = parser.parse_args()
    if asked.home and asked.home.exists() and (not asked.home.is_dir() or any(asked.home.iterdir())):
        parser.error(f"'{asked.home}' is no empty folder")
    for number in (signal.SIGTERM, signal.SIGHUP):  # a closed terminal ends it all, too, but for `nohup`
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="loop-demo-", ignore_cleanup_errors=True) as scratch:
        home = (asked.home or Path(scratch)).absolute()
        home.mkdir(parents=True, exist_ok=True)
        try:
            return play(Wish(home, asked.by_hand, asked.kill_engine, asked.git_away))
        except Exception as error:  # whatever it was, it did not happen as told
            print(f"NOT FULFILLED: {_words(error)}\n{json.dumps(NOTHING)}", flush=True)
            return 1
        except KeyboardInterrupt:
            print("interrupted; everything that was started has ended", file=sys.stderr)
            return 130


def play(wish: Wish) -> int:
    """Open the shop, play every chapter, write the report, print the figures; returns the exit code."""
    tell = Teller(lambda text: print(text, flush=True))
    shutil.rmtree(KEPT, ignore_errors=True)  # pages of an earlier quarter would pass for this one's
    KEPT.mkdir(parents=True)
    tell.begin("The shop opens")
    place = make(CHECKOUT, wish.home)
    tell(f"a bare remote, the shop, a desk and a reviewer's clone below {wish.home}")
    with running(place, KEPT) as up:
        place.dvc("pull", "--quiet")
        until(lambda: up.poll() is not None or place.served(), "the shop serves")
        claim(up.poll() is None, "the shop serves", (wish.home / "up.log").read_text(encoding="utf-8"))
        monitor, console = (place.address(page, "listen") for page in ("monitor", "console"))
        tell(f"engine, gateway and runner serve; monitor: {monitor}/ arena: {console}/")
        with asking(
            place.address("gateway", "listen"), Habits(rate=story.EARLY, speaks=story.SPEAKS)
        ) as customers:
            quarter = Quarter(place, customers, tell, KEPT, wish.engine_dies, wish.remote_goes)
            if wish.by_hand:
                return _by_hand(quarter)
            fulfilled = _tell_all(quarter)
        told = figures(quarter)
        tell(f"written: {write(quarter, told, fulfilled)}")
    print(json.dumps(told), flush=True)
    return 0 if fulfilled else 1


def _by_hand(quarter: Quarter) -> int:
    """Have customers ask while a person plays the quarter, until Ctrl-C."""
    story.opening(quarter)
    desk, tell = quarter.place.desk, quarter.tell
    tell(f"yours now: cd {desk} && export PATH={desk}/.venv/bin:$PATH, and go on as docs/tutorial.md says")
    tell("customers ask and judge meanwhile; Ctrl-C ends it all")
    while True:
        signal.pause()


def _tell_all(quarter: Quarter) -> bool:
    """Play every chapter, up to the first that is not fulfilled."""
    try:
        story.opening(quarter)
        for title, chapter in CHAPTERS:
            quarter.tell.begin(title)
            chapter(quarter)
    except Exception as error:  # whatever it was, it did not happen as told
        quarter.tell(f"NOT FULFILLED: {_words(error)}")
        return False
    return True


def _words(error: Exception) -> str:
    """Return what did not happen; of a command of Git, with what it said."""
    match error:
        case Unfulfilled():
            return str(error)
        case subprocess.CalledProcessError():
            return f"{error}\n{error.stderr}"
        case _:
            return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    sys.exit(main())
