"""Signatures of Python functions that take the parameters of a spec by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from .declare import Params

_F = TypeVar("_F", bound=Callable[..., Any])


def takes(spec: type[Params], *, instead: str = "") -> Callable[[_F], _F]:
    """Shows ``help()`` and interactive shells the parameters of a spec in a function's signature,
    in place of its ``**parameters``.

    Args:
        instead: What the function calls differently, by the spec's name, or leaves out.
    """

    def decorate(function: _F) -> _F:
        signature = inspect.signature(function)
        own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
        taken = {each.name for each in own} | {instead}
        declared = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if info.is_required() else info.get_default(),
                annotation=_bare(info.annotation),
            )
            for name, info in spec.flat_fields().items()
            if name not in taken
        ]
        shown = signature.replace(parameters=[*own, *declared])
        vars(function)["__signature__"] = shown
        return function

    return decorate


def _bare(kind: Any) -> Any:
    """A type without what validates it."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return Union[tuple(_bare(each) for each in get_args(kind))]  # noqa: UP007
    if get_origin(kind) is list:
        return list[_bare(get_args(kind)[0])]  # type: ignore[misc]
    return kind
