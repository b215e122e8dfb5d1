"""A checkout follows its remote where nothing of a person's is lost, and says why where it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runner.errors import Unknown
from runner.git.follow import Checkout, Follower, Standing
from runner.git.repository import Relation, Repository, Revision

if TYPE_CHECKING:
    from tests.git.conftest import Scratch


class Both:
    """A remote that others push to, and a clone of it that is followed."""

    def __init__(self, upstream: Scratch) -> None:
        self.upstream = upstream
        upstream.commit("first", a="1\n", b="1\n")
        self.clone = type(upstream)(upstream.root.parent / "clone")
        self.clone.git("remote", "add", "origin", str(upstream.root))
        self.clone.git("pull", "--quiet", "origin", "main")
        self.repository = Repository(self.clone.root, self.clone.environ)
        self.follower = Follower(self.repository, "origin", "main")

    def follow(self) -> Checkout:
        tip = self.follower.fetch()
        assert isinstance(tip, Revision)
        return self.follower.advance_checkout(tip)

    def read(self, path: str) -> str:
        return (self.clone.root / path).read_text()


@pytest.fixture
def both(scratch: Scratch) -> Both:
    return Both(scratch)


def test_a_clean_checkout_goes_forward_and_then_stands_there(both: Both) -> None:
    both.clone.write("mine", "not committed\n")
    tip = Revision(both.upstream.commit(a="2\n"))
    assert both.follow() == Checkout(Standing.FORWARDED, tip)
    assert both.follow() == Checkout(Standing.THERE, tip)
    assert (both.read("a"), both.read("mine")) == ("2\n", "not committed\n")
    assert both.repository.dirty() == ("mine",)


def test_edits_of_other_files_stay_while_it_goes_forward(both: Both) -> None:
    both.clone.write("b", "mine\n")
    both.upstream.commit(a="2\n")
    assert both.follow().standing is Standing.FORWARDED
    assert (both.read("a"), both.read("b")) == ("2\n", "mine\n")


@pytest.mark.parametrize("stage", [False, True])
def test_an_edited_file_in_the_way_leaves_the_checkout_and_names_it(both: Both, stage: bool) -> None:
    both.clone.write("a", "mine\n")
    if stage:
        both.clone.git("add", "a")
    head = both.repository.head()
    both.upstream.commit(a="2\n")
    left = both.follow()
    assert (left.standing, left.revision) == (Standing.LEFT, head)
    assert left.reason.endswith(" a")
    assert both.read("a") == "mine\n"
    assert both.repository.head() == head


@pytest.mark.parametrize("ignored", [False, True])
def test_a_file_that_git_does_not_have_is_not_written_over(both: Both, ignored: bool) -> None:
    if ignored:
        (both.clone.root / ".git/info/exclude").write_text("new\n")
    both.clone.write("new", "mine\n")
    both.upstream.commit(new="theirs\n")
    left = both.follow()
    assert left.standing is Standing.LEFT
    assert "new" in left.reason
    assert both.read("new") == "mine\n"


def test_commits_that_were_not_pushed_are_kept(both: Both) -> None:
    mine = both.clone.commit("mine", b="2\n")
    assert both.follow() == Checkout(
        Standing.LEFT, Revision(mine), "it has commits that origin does not have"
    )
    both.upstream.commit(a="2\n")
    left = both.follow()
    assert (left.standing, left.revision) == (Standing.LEFT, Revision(mine))
    assert "lacks some" in left.reason
    assert both.repository.head() == Revision(mine)


def test_a_rewritten_history_is_followed_where_all_of_the_old_one_came_from_the_remote(both: Both) -> None:
    both.upstream.commit(a="2\n")
    both.follow()
    both.clone.write("b", "mine\n")
    both.upstream.git("reset", "--quiet", "--hard", "HEAD^")
    tip = Revision(both.upstream.commit("other", a="3\n"))
    assert both.follow() == Checkout(Standing.REWOUND, tip)
    assert (both.read("a"), both.read("b")) == ("3\n", "mine\n")


def test_a_runner_that_was_restarted_knows_what_the_one_before_it_followed(both: Both) -> None:
    both.upstream.commit(a="2\n")
    both.follow()
    both.upstream.git("reset", "--quiet", "--hard", "HEAD^")
    both.follower = Follower(both.repository, "origin", "main")
    assert both.follow().standing is Standing.REWOUND
    assert both.read("a") == "1\n"


def test_a_rewritten_history_does_not_write_over_an_ignored_file(both: Both) -> None:
    both.upstream.commit(a="2\n")
    both.follow()
    (both.clone.root / ".git/info/exclude").write_text("new\n")
    both.clone.write("new", "mine\n")
    both.upstream.git("reset", "--quiet", "--hard", "HEAD^")
    both.upstream.commit("other", new="theirs\n")
    assert both.follow().standing is Standing.LEFT
    assert both.read("new") == "mine\n"


def test_a_rewritten_history_does_not_take_a_persons_commits_or_edits(both: Both) -> None:
    both.upstream.commit(a="2\n")
    both.follow()
    both.upstream.git("reset", "--quiet", "--hard", "HEAD^")
    both.upstream.commit("other", a="3\n")
    both.clone.write("a", "mine\n")
    assert both.follow().standing is Standing.LEFT
    assert both.read("a") == "mine\n"
    mine = both.clone.commit("mine")
    assert both.follow().standing is Standing.LEFT
    assert both.repository.head() == Revision(mine)


def test_another_branch_that_is_checked_out_is_left(both: Both) -> None:
    both.clone.git("checkout", "--quiet", "-b", "feature")
    both.upstream.commit(a="2\n")
    assert both.follow().reason == "'feature' is checked out, not 'main'"
    both.clone.git("checkout", "--quiet", "--detach")
    assert both.follow().reason == "no branch is checked out, not 'main'"


def test_a_lock_that_was_left_leaves_the_checkout(both: Both) -> None:
    both.upstream.commit(a="2\n")
    (both.clone.root / ".git/index.lock").touch()
    left = both.follow()
    assert left.standing is Standing.LEFT
    assert "index.lock" in left.reason
    (both.clone.root / ".git/index.lock").unlink()
    assert both.follow().standing is Standing.FORWARDED


def test_invariant_3_a_remote_that_is_gone_is_unknown(both: Both) -> None:
    both.upstream.root.rename(both.upstream.root.parent / "elsewhere")
    assert isinstance(both.follower.fetch(), Unknown)


def test_two_revisions_are_the_same_or_one_is_older_or_they_diverged(both: Both) -> None:
    first = both.repository.head()
    second = Revision(both.clone.commit("two"))
    both.clone.git("checkout", "--quiet", "-b", "side", first.sha)
    side = Revision(both.clone.commit("side"))
    relation = both.follower.relation
    assert relation(first, first) is Relation.SAME
    assert relation(first, second) is Relation.OLDER
    assert relation(second, first) is Relation.NEWER
    assert relation(second, side) is Relation.DIVERGED
    assert relation(first, Revision("f" * 40)) is Relation.UNKNOWN


def test_a_shallow_clone_does_not_claim_that_histories_diverged(both: Both) -> None:
    old = both.upstream.git("rev-parse", "HEAD")
    new = both.upstream.commit("two")
    path = both.upstream.root.parent / "shallow"
    both.upstream.git("clone", "--quiet", "--depth=1", f"file://{both.upstream.root}", str(path))
    repository = Repository(path, both.upstream.environ)
    assert repository.relation(Revision(old), Revision(new)) is Relation.UNKNOWN
