"""A Django form from a stage's JSON schema: the declaration in the engine is the only place where a parameter is described."""

from typing import Any

from django import forms

from engine.registry import StageInfo
from runs.models import Priority


class PriorityForm(forms.Form):
    """When a run begins, beside others that wait for the same workers. Left out, it is normal."""

    priority = forms.TypedChoiceField(
        label="Priority",
        choices=Priority.choices,
        coerce=lambda value: Priority(int(value)),
        initial=Priority.NORMAL,
        empty_value=Priority.NORMAL,  # type: ignore[arg-type]
        required=False,
        help_text="A run of a higher priority begins before those that wait with a lower one. Among equals, projects take turns.",
    )


class LinesField(forms.CharField):
    """Text of several lines. Browsers send "\\r\\n" between them; everything else writes "\\n"."""

    def to_python(self, value: Any) -> str:
        return str(super().to_python(value)).replace("\r\n", "\n")


HIDDEN = "internal"  # json_schema_extra of parameters that the studio fills in, never a person


def params_form(info: StageInfo, data: Any = None, initial: dict[str, Any] | None = None, prefix: str = "") -> forms.Form:
    """A form of the parameters of ``info``. ``form.advanced`` names the fields whose schema says ``advanced``, to be folded away."""
    schema = info.schema()
    fields: dict[str, forms.Field] = {}
    advanced: list[str] = []
    for name, spec in schema.get("properties", {}).items():
        spec = _resolved(spec, schema)
        if not spec.get(HIDDEN):
            fields[name] = _field(name, spec, required=name in schema.get("required", []))
            advanced += [name] if spec.get("advanced") else []
    form_class = type("ParamsForm", (forms.Form,), {**fields, "advanced": tuple(advanced)})
    return form_class(data, initial=initial or {}, prefix=prefix or None)


def params_from(form: forms.Form) -> dict[str, Any]:
    """The cleaned parameters; empty ones are left out, so that the stage's own defaults hold."""
    return {name: value for name, value in form.cleaned_data.items() if value not in (None, "", [])}


def _resolved(spec: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """``spec`` with its reference and its "or nothing" looked through."""
    if "$ref" in spec:
        return {**schema["$defs"][spec["$ref"].rsplit("/", 1)[-1]], **{k: v for k, v in spec.items() if k != "$ref"}}
    if "anyOf" in spec:
        real = next(option for option in spec["anyOf"] if option.get("type") != "null")
        return {**_resolved(real, schema), **{k: v for k, v in spec.items() if k != "anyOf"}, "nullable": True}
    return spec


def _field(name: str, spec: dict[str, Any], *, required: bool) -> forms.Field:
    common: dict[str, Any] = {
        "label": spec.get("title", name),
        "help_text": spec.get("description", ""),
        "required": required,
        "initial": spec.get("default"),
    }
    lowest, highest = spec.get("minimum", spec.get("exclusiveMinimum")), spec.get("maximum", spec.get("exclusiveMaximum"))
    field: forms.Field
    if "enum" in spec:
        words = spec.get("labels", {})
        field = forms.ChoiceField(choices=[(value, words.get(value, value)) for value in spec["enum"]], **common)
    elif spec.get("type") == "boolean":
        field = forms.BooleanField(**{**common, "required": False})
    elif spec.get("type") == "integer":
        field = forms.IntegerField(min_value=lowest, max_value=highest, **common)
    elif spec.get("type") == "number":
        field = forms.FloatField(min_value=lowest, max_value=highest, **common)
        field.widget.attrs["step"] = "any"
    elif spec.get("type") == "array" and "enum" in spec.get("items", {}):
        choices = [(value, value) for value in spec["items"]["enum"]]
        field = forms.MultipleChoiceField(choices=choices, widget=forms.CheckboxSelectMultiple, **common)
    elif spec.get("lines"):
        widget = forms.Textarea(attrs={"rows": spec["lines"]})
        field = LinesField(max_length=spec.get("maxLength", 2000), widget=widget, **common)
    else:
        field = forms.CharField(max_length=spec.get("maxLength", 2000), **common)
    return field


def settings_in_words(info: StageInfo, params: dict[str, Any]) -> list[tuple[str, str]]:
    """(title, value) of every parameter that a person could have chosen, for reading."""
    schema = info.schema()
    rows = []
    for name, spec in schema.get("properties", {}).items():
        spec = _resolved(spec, schema)
        if name in params and not spec.get(HIDDEN):
            value = params[name]
            if isinstance(value, bool):
                value = "yes" if value else "no"
            elif isinstance(value, list):
                value = ", ".join(map(str, value))
            rows.append((spec.get("title", name), "–" if value is None or value == "" else str(value)))
    return rows
