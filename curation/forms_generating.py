"""Forms of stages that ask a model: their parameters, and which model."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.html import format_html

from catalogue.writers import Writer
from engine.registry import StageInfo
from runs.forms import params_form

FREE = "Costs nothing."


def writing_form(
    info: StageInfo, writers: Sequence[Writer], data: Any = None, initial: dict[str, Any] | None = None, *, required: bool = True
) -> forms.Form:
    """The parameters of ``info`` after the field ``writer``: which model is asked, the first one unless another is chosen.

    ``required``: whether there is no way without a model.
    """
    first = {"writer": writers[0].key} if writers else {}
    form = params_form(info, data, initial={**first, **(initial or {})})
    choices = [(writer.key, format_html('{}<span class="help">{}</span>', writer.name, _where(writer))) for writer in writers]
    form.fields["writer"] = forms.ChoiceField(
        label="Model",
        choices=choices,
        required=required,
        widget=forms.RadioSelect,
        error_messages={"invalid_choice": "This model is not there any more.", "required": "Choose a model."},
    )
    own = [name for name in info.params.__annotations__ if name in form.fields]  # before those of every stage that asks
    form.order_fields(["writer", *own])
    return form


def writer_chosen(form: forms.Form, writers: Sequence[Writer]) -> Writer | None:
    """The one of ``writers`` that the form names."""
    key = form["writer"].value()
    return next((writer for writer in writers if writer.key == key), None)


def _where(writer: Writer) -> str:
    if writer.here:
        return f"On this machine. {FREE}"
    price = (
        f"{writer.price_in:g} and {writer.price_out:g} for a million tokens read and written."
        if writer.price_in or writer.price_out
        else FREE
    )
    return f"At {writer.host}: passages are sent there. {price}"
