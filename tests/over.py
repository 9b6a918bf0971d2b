"""A law over a list of cases, as one test that says for which of them it fails.

Where a case takes milliseconds, a test for each costs more than the law. ``--case TEXT`` takes the
cases with the text in their name, ``--quick`` the first of each list.
"""

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch

Law = Callable[..., None]


def over(arguments: str, cases: Iterable[Any]) -> Callable[[Law], Law]:
    """A decorator like ``pytest.mark.parametrize``, for one test that goes through all the cases.

    Several arguments are written "m, n", and their cases are tuples. The generator is seeded anew
    for each case; one that the law does not concern returns.
    """
    names, every = arguments.split(", "), list(cases)

    def decorate(law: Law) -> Law:
        own = inspect.signature(law)

        @functools.wraps(law)
        def test(*, request: pytest.FixtureRequest, **fixtures: Any) -> None:
            generator: torch.Generator | None = fixtures.get("generator")
            state = generator and generator.get_state()
            failed = []
            for case in (tried := _chosen(every, request.config)):
                if generator:
                    generator.set_state(state)
                values = (case,) if len(names) == 1 else case
                try:
                    law(**dict(zip(names, values, strict=True)), **fixtures)
                except pytest.skip.Exception as skipped:
                    raise RuntimeError(f"{case} skips those after it: return") from skipped
                except (Exception, pytest.fail.Exception) as error:
                    failed.append((case, error))
            if failed:
                first = failed[0][1]
                wrong = "; ".join(str(case) for case, _ in failed)
                first.add_note(f"{len(failed)} of {len(tried)} cases fail: {wrong}")
                raise first

        kept = [p.replace(kind=p.KEYWORD_ONLY) for p in own.parameters.values()]
        kept = [p for p in kept if p.name not in names]
        request = inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY)
        test.__signature__ = own.replace(parameters=[*kept, request])
        return test

    return decorate


def _chosen(cases: list[Any], config: pytest.Config) -> list[Any]:
    text = config.getoption("--case")
    found = [case for case in cases if text in str(case)]
    if not found:
        pytest.skip(f"no case has {text!r} in its name")
    return found[:1] if config.getoption("--quick") else found
