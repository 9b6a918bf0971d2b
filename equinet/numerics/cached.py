"""Constants that are remembered: made on the CPU and outside of every mode of torch.

Under ``with torch.device("meta")`` a network is made without memory; the numbers that tell its
shape, those of groups and representations, must be there all the same. And what is remembered
serves the whole process: a tensor of ``torch.inference_mode()``, of a functorch transform or of a
tracer must not be among it.
"""

import functools
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import ParamSpec, TypeVar

import torch
from torch._guards import detect_fake_mode

P = ParamSpec("P")
R = TypeVar("R")

_THREAD = threading.local()


def on_cpu(function: Callable[P, R]) -> Callable[P, R]:
    """The function, computed where no mode is on: tensors that name no device are on the CPU.

    Every mode of torch (default device, inference, autocast, functorch, dispatch) belongs to one
    thread, so the function runs in a thread of its own.
    """

    @functools.wraps(function)
    def compute(*args: P.args, **kwargs: P.kwargs) -> R:
        # Dynamo can follow no thread; and what it traces is not remembered.
        if torch.compiler.is_dynamo_compiling() or getattr(_THREAD, "is_plain", False):
            return function(*args, **kwargs)
        done: Future[R] = Future()

        def run() -> None:
            _THREAD.is_plain = True
            try:
                done.set_result(function(*args, **kwargs))
            except BaseException as error:  # it is raised where the result is asked for
                done.set_exception(error)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        return done.result()

    return compute


def cached(size: int | None = None) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Remember the values of a pure function of hashable arguments, which is made ``on_cpu``.

    The value for 1 is not given for 1.0 or True, which the function may refuse.

    Args:
        size: how many values are remembered; None for all.
    """
    return lambda function: functools.lru_cache(size, typed=True)(on_cpu(function))  # pyright: ignore


def cached_untraced(size: int) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """``cached`` for a function that is called where torch traces.

    Dynamo warns of a memory, and programs in fake tensors take no other ones, but for those that
    are exported, in which they are constants.

    Args:
        size: how many values are remembered.
    Returns:
        The decorator; what is traced is computed anew.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        remembered = cached(size)(function)

        @functools.wraps(function)
        def give(*args: P.args, **kwargs: P.kwargs) -> R:
            is_fake = detect_fake_mode() is not None and not torch.compiler.is_exporting()
            traced = torch.compiler.is_dynamo_compiling() or is_fake
            return (function if traced else remembered)(*args, **kwargs)

        return give

    return decorate


def shared(function: Callable[P, R]) -> Callable[P, R]:
    """Remember the values of a pure function of hashable arguments as long as somebody holds them.

    What is made ``on_cpu`` for one is given to all others who ask for it meanwhile: for large
    constants, which should be in memory once and not for ever.

    Args:
        function: whose values can be referred to weakly, as tensors can.
    Returns:
        The function, which then takes no keywords.
    """
    values: weakref.WeakValueDictionary[object, R] = weakref.WeakValueDictionary()
    lock, make = threading.Lock(), on_cpu(function)

    @functools.wraps(function)
    def give(*args: P.args, **kwargs: P.kwargs) -> R:
        with lock:  # two threads that ask at once get one value
            found = values.get(args)
            if found is None:
                found = make(*args, **kwargs)
                values[args] = found
        return found

    return give
