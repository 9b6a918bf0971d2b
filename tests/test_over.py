"""One test for many cases: it goes on after a failure, names the cases, and lets them be chosen."""

import pytest

LAWS = """
    import pytest
    from tests.over import over

    seen = []

    @over("n", [1, 12, 3])
    def test_small(n, generator):
        seen.append((n, generator.initial_seed(), generator.get_state().tolist()))
        generator.seed()
        assert n < 3, n

    @over("a, b", [(1, 2), (3, 4)])
    @pytest.mark.parametrize("sign", [1, -1])
    def test_pairs(a, b, sign):
        assert (b - a) * sign == sign

    @over("n", [1, 2])
    def test_skipped(n):
        pytest.skip("not for it")

    @pytest.mark.parametrize("time", ["one", "two", "three"])
    def test_seen(time):
        assert len({(seed, *state) for _, seed, state in seen}) == 1
        assert [case for case, *_ in seen] == [1, 12, 3]
"""
CONFTEST = 'from tests.conftest import *\npytest_plugins = ["equinet_pytest"]\n'


@pytest.fixture
def run(pytester):
    """Runs the laws above with options, and gives the result with its text."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(LAWS)

    def run(*options: str):
        result = pytester.runpytest(*options)
        return result.parseoutcomes(), result.stdout.str()

    return run


def test_every_case_is_tried(run):
    counts, text = run()
    assert counts == {"passed": 5, "failed": 2}
    assert "AssertionError: 12" in text and "2 of 3 cases fail: 12; 3" in text
    assert "RuntimeError: 1 skips those after it: return" in text


def test_cases_are_chosen_by_name(run):
    counts, text = run("--case", "2", "-k", "small or pairs")
    assert counts == {"passed": 2, "failed": 1, "deselected": 4}
    assert "1 of 1 cases fail: 12" in text
    counts, text = run("--case", "7", "-k", "small or pairs", "-rs")
    assert counts == {"skipped": 3, "deselected": 4}
    assert "no case has '7' in its name" in text


def test_the_first_cases_are_quick(run):
    counts, _ = run("--quick", "-k", "small or pairs")
    assert counts == {"passed": 2, "deselected": 5}
    counts, text = run("--quick", "-k", "seen and not one", "-v")
    assert counts == {"failed": 1, "deselected": 6} and "test_seen[two]" in text
