"""Fields of the studio come from the declarations, and values go back to where they came from."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from digressions.errors import InputError

from . import studios as studios  # skips without Gradio

from digressions.generate.params import PaintSpec, UpscaleSpec  # isort: skip
from digressions.studio.forms import Form  # isort: skip


@pytest.fixture(scope="module")
def form() -> Form:
    import gradio as gr

    found = Form(PaintSpec, "paint")
    with gr.Blocks():
        found.add(*found.declared)
    return found


def test_a_menu_that_sends_knows_its_places_after_it_was_used() -> None:
    import gradio as gr

    from digressions.studio.sending import send_menu

    with gr.Blocks():
        menu = send_menu("paint")
    assert made_anew(menu).preprocess("Paint: picture") == "Paint: picture"


def made_anew(field: Any) -> Any:
    """As Gradio makes a field that an event has written."""
    return type(field)(**field.constructor_args, render=False)


def test_a_field_that_was_marked_reads_as_before(form: Form) -> None:
    marked = {name: made_anew(field) for name, field in form.fields.items()}
    assert marked["image"].preprocess(SimpleNamespace(path="notes.txt")) == "notes.txt"
    assert marked["n"].preprocess("many") == "many"
    assert marked["fit"].preprocess("torn") == "torn"
    for name, field in form.fields.items():
        assert marked[name].get_block_name() == field.get_block_name()
    assert marked["n"].get_block_name() == "number"


def values(form: Form, **changed: Any) -> list[Any]:
    return [changed.get(name, field.value) for name, field in form.fields.items()]


def test_every_parameter_has_a_field_with_its_own_help(form: Form) -> None:
    assert set(form.fields) == set(PaintSpec.flat_fields())
    for name, field in form.fields.items():
        if getattr(field, "info", None) is not None:
            first = str(form.declared[name].description).split()[0]
            assert field.info.startswith(first)


def test_what_is_not_filled_in_is_not_given(form: Form) -> None:
    assert form.given(values(form)) == {}


def test_values_reach_the_spec_in_its_own_types(form: Form) -> None:
    given = form.given(
        values(
            form,
            prompt=" a fox ",
            seed="7",
            steps=12.0,
            guidance=5,
            region="left\n\nright",
            sampler="ddim",
            zero_snr=True,
        )
    )
    assert given == {
        "prompt": "a fox",
        "seed": 7,
        "steps": 12,
        "guidance": 5.0,
        "region": ["left", "right"],
        "sampler": "ddim",
        "zero_snr": True,
    }
    spec = PaintSpec.of(**given)
    assert (spec.params.seed, spec.params.guidance, spec.start.region) == (7, 5.0, given["region"])


def test_what_cannot_be_read_is_refused_by_the_spec_at_its_field(form: Form) -> None:
    given = form.given(values(form, prompt="a fox", seed="seven"))
    with pytest.raises(InputError) as caught:
        PaintSpec.of(**given)
    marks = dict(zip(form.fields, form.marks(caught.value), strict=True))
    assert "seven" in marks["seed"]["info"]
    assert marks["seed"]["elem_classes"] == ["wrong"]
    assert marks["steps"]["elem_classes"] == []


def test_an_error_at_a_picture_stands_in_its_label(form: Form) -> None:
    marks = dict(zip(form.fields, form.marks(InputError("`image` is no picture")), strict=True))
    assert marks["image"]["label"] == "Image: Image is no picture"


def test_values_in_an_address_fill_the_form_and_nonsense_does_not(form: Form) -> None:
    found = form.read_url(
        {"prompt": "a fox", "steps": "9", "guidance": "x", "sampler": "magic", "image": "/etc/x"}
    )
    assert found == {"prompt": "a fox", "steps": 9}
    updates = dict(zip(form.fields, form.filled(found), strict=True))
    assert updates["prompt"]["value"] == "a fox"
    assert updates["steps"]["value"] == 9


def test_other_specs_work_alike() -> None:
    import gradio as gr

    form = Form(UpscaleSpec, "upscale")
    with gr.Blocks():
        form.add(*form.declared)
    given = form.given(values(form, times=2))
    assert UpscaleSpec.of(**given).times == 2.0
