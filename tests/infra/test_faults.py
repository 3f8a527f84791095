"""What is wrong in a request, in plain words."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from autodub.infra.faults import faults, near


class Colour(Enum):
    """A choice by name."""

    RED = "red"
    GREEN = "green"


class Cat(BaseModel):
    """One of two."""

    kind: Literal["cat"]
    lives: int = Field(9, ge=1)


class Dog(BaseModel):
    """The other."""

    kind: Literal["dog"]


class Inner(BaseModel):
    """An object in an object."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1)


class Asked(BaseModel):
    """A request with a field of every type there is."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(50, ge=1, le=200)
    count: int | None = None
    speed: float = Field(1.0, gt=0, allow_inf_nan=False)
    share: float | None = Field(None, ge=0, lt=1)
    dollars: Decimal | None = Field(None, ge=0, le=100, max_digits=5, decimal_places=2)
    name: str = Field("x", min_length=2, max_length=5)
    text: str | None = Field(None, min_length=1)
    id: str = Field("0" * 32, pattern=r"^[0-9a-f]{32}$")
    tag: str = Field("x", pattern=r"^[A-Z_-]{1,3}$")
    role: str | None = Field(None, pattern=r"^(cook|waiter)$")
    month: str | None = Field(None, pattern=r"^20..-..$", examples=["2026-03"])
    odd: str = Field("a", pattern=r"^(?:a|b)+$")
    active: bool = True
    states: list[Literal["queued", "failed", "completed"]] = Field([], max_length=2)
    targets: list[str] = Field(["es"], min_length=1)
    tone: Literal["", "formal"] = ""
    colour: Colour = Colour.RED
    only: Literal["one"] = "one"
    engines: dict[Literal["translator", "cloner"], Annotated[str, StringConstraints(max_length=3)]] = {}
    inner: Inner | None = None
    pets: list[Annotated[Cat | Dog, Field(discriminator="kind")]] = []
    nothing: None = None

    @model_validator(mode="after")
    def _fits(self) -> Asked:
        if self.limit == 13:
            raise ValueError("give another limit")
        return self


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"limit": 0}, "limit must be a whole number from 1 to 200"),
        ({"limit": 201}, "limit must be a whole number from 1 to 200"),
        ({"limit": "many"}, "limit must be a whole number from 1 to 200"),
        ({"limit": []}, "limit must be a whole number from 1 to 200"),
        ({"limit": 1.5}, "limit must be a whole number from 1 to 200"),
        ({"limit": "9" * 5000}, "limit must be a whole number from 1 to 200"),
        ({"count": "x"}, "count must be a whole number"),
        ({"speed": 0}, "speed must be a number above 0"),
        ({"speed": "fast"}, "speed must be a number above 0"),
        ({"speed": float("inf")}, "speed must be a number above 0"),
        ({"share": 1}, "share must be a number from 0 and below 1"),
        ({"share": {}}, "share must be a number from 0 and below 1"),
        ({"dollars": 101}, "dollars must be a number from 0 to 100"),
        ({"dollars": "much"}, "dollars must be a number from 0 to 100"),
        ({"dollars": []}, "dollars must be a number from 0 to 100"),
        ({"dollars": "NaN"}, "dollars must be a number from 0 to 100"),
        ({"dollars": "1.234"}, "dollars must have at most 2 decimals"),
        ({"dollars": "1234"}, "dollars must be a number from 0 to 100"),
        ({"name": 5}, "name must be text"),
        ({"name": "x"}, "name must have at least 2 characters"),
        ({"name": "xxxxxx"}, "name must have at most 5 characters"),
        ({"name": "\ud800a"}, "name must be text"),
        ({"text": ""}, "text must not be empty"),
        ({"id": "last"}, "id must have 32 characters: 0 to 9, a to f"),
        ({"tag": "."}, "tag must have 1 to 3 characters: A to Z, _, -"),
        ({"role": "king"}, "role must be one of cook, waiter"),
        ({"month": "march"}, "month must look like 2026-03"),
        ({"odd": "c"}, "odd does not have the form that is asked for"),
        ({"active": "perhaps"}, "active must be true or false"),
        ({"active": []}, "active must be true or false"),
        ({"states": "queued"}, "states must be a list"),
        ({"states": ["queud"]}, "states.0 must be one of queued, failed or completed; did you mean queued?"),
        ({"states": [7]}, "states.0 must be one of queued, failed or completed"),
        ({"states": ["queued"] * 3}, "states must have at most 2 entries"),
        ({"targets": []}, "targets must not be empty"),
        ({"tone": "rude"}, "tone must be empty or formal"),
        ({"colour": "blue"}, "colour must be red or green"),
        ({"only": "two"}, "only must be one"),
        ({"engines": []}, "engines must be an object"),
        (
            {"engines": {"transllator": "x"}},
            "engines.transllator is not known here; did you mean translator?",
        ),
        ({"engines": {"x": "x"}}, "engines.x is not known here: must be translator or cloner"),
        ({"engines": {"cloner": "long"}}, "engines.cloner must have at most 3 characters"),
        ({"inner": 1}, "inner must be an object"),
        ({"inner": {}}, "inner.name is missing"),
        ({"inner": {"name": "x", "nmae": 1}}, "inner.nmae is not known here; did you mean name?"),
        ({"limt": 1}, "limt is not known here; did you mean limit?"),
        ({"qqq": 1}, "qqq is not known here"),
        ({"pets": [{"kind": "cow"}]}, "pets.0 must say in kind one of cat or dog"),
        ({"pets": [{}]}, "pets.0 must say in kind what it is"),
        ({"pets": [{"kind": "cat", "lives": 0}]}, "pets.0.lives must be a whole number from 1"),
        ({"pets": [1]}, "pets.0 must be an object"),
        ({"nothing": 1}, "nothing must be null"),
        ({"limit": 13}, "give another limit"),
        ([], "the body must be a JSON object"),
    ],
)
def test_every_kind_of_fault_is_told_plainly(sent: Any, said: str) -> None:
    """What must be there instead, with both bounds, and the name that was probably meant."""
    with pytest.raises(ValidationError) as caught:
        Asked.model_validate(sent)
    assert str(faults(caught.value, Asked)[0]) == said


def test_without_the_model_the_fault_itself_says_enough() -> None:
    """The bound that was broken, and the choices."""
    with pytest.raises(ValidationError) as caught:
        Asked.model_validate({"limit": 0, "tone": "rude", "qqq": 1})
    assert [str(one) for one in faults(caught.value)] == [
        "limit must be a number from 1", "tone must be empty or formal", "qqq is not known here",
    ]  # fmt: skip


def test_what_was_sent_is_not_told() -> None:
    """It may be a password; and a name that somebody made up is not repeated at length."""
    with pytest.raises(ValidationError) as caught:
        Asked.model_validate({"limit": "hunter2", "name": "hunter2", "states": ["hunter2"], "x" * 999: 1})
    told = faults(caught.value, Asked)
    assert "hunter2" not in str(told)
    assert max(len(one.where) for one in told) == 60


@pytest.mark.parametrize(("name", "said"), [("LIMT", "; did you mean limit?"), ("zzz", ""), ("", "")])
def test_only_a_name_that_is_near_is_offered(name: str, said: str) -> None:
    """However it is written; nothing where none is."""
    assert near(name, ["limit", "after"]) == said


def test_of_very_many_faults_some_are_told() -> None:
    """A body full of made-up names costs no more than a short one: the first fifty are looked into."""
    with pytest.raises(ValidationError) as caught:
        Asked.model_validate({f"limit{number}": 1 for number in range(5000)})
    told = faults(caught.value, Asked)
    assert len(told) == 50
