"""Tags and filters behind `templates/components/`. How to use each one is in docs/components.md."""

from __future__ import annotations

from typing import Any

from django import template
from django.template.base import FilterExpression, NodeList, Parser, Token, token_kwargs
from django.template.context import Context
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

# status: (icon, tone). The word is the status itself, in sentence case, unless WORDS says otherwise.
STATUSES = {
    "WAITING": ("hourglass", "neutral"),
    "QUEUED": ("clock", "neutral"),
    "STARTING": ("loader-circle", "running"),
    "RUNNING": ("loader-circle", "running"),
    "STOPPING": ("loader-circle", "warning"),
    "SUCCEEDED": ("circle-check", "good"),
    "FAILED": ("circle-x", "bad"),
    "STOPPED": ("circle-stop", "neutral"),
    "LOST": ("unplug", "warning"),
    "DRAFT": ("pencil", "neutral"),
    "SUBMITTED": ("send", "accent"),
    "IN_REVIEW": ("eye", "accent"),
    "CHANGES_REQUESTED": ("undo-2", "warning"),
    "APPROVED": ("circle-check", "good"),
    "REJECTED": ("circle-x", "bad"),
    "STALE": ("history", "warning"),
    "READY": ("circle-check", "good"),
    "WORKING": ("loader-circle", "running"),
    "NEEDS_YOU": ("circle-alert", "warning"),
    "EMPTY": ("circle-dashed", "neutral"),
    "ONLINE": ("circle-check", "good"),
    "OFFLINE": ("unplug", "bad"),
    "PASSED": ("circle-check", "good"),
    "BLOCKED": ("octagon-x", "bad"),
    "WARNING": ("triangle-alert", "warning"),
}
MOVING = {"STARTING", "RUNNING", "STOPPING", "WORKING"}
TONE_ICONS = {
    "good": "circle-check",
    "warning": "triangle-alert",
    "bad": "circle-x",
    "running": "loader-circle",
    "accent": "info",
    "neutral": "info",
}
MESSAGE_TONES = {"success": "good", "warning": "warning", "error": "bad"}


# Status ---------------------------------------------------------------------------------------


@register.filter
def status_icon(status: str) -> str:
    return STATUSES.get(str(status).upper(), ("circle", "neutral"))[0]


@register.filter
def status_tone(status: str) -> str:
    return STATUSES.get(str(status).upper(), ("circle", "neutral"))[1]


@register.filter
def status_word(status: str) -> str:
    return str(status).replace("_", " ").capitalize()


@register.filter
def status_moves(status: str) -> bool:
    return str(status).upper() in MOVING


@register.filter
def tone_icon(tone: str) -> str:
    return TONE_ICONS.get(tone, "info")


@register.filter
def message_tone(level_tag: str) -> str:
    return MESSAGE_TONES.get(level_tag, "neutral")


@register.filter
def undo_url(message: Any) -> str:
    """`messages.success(request, "…", extra_tags="undo:/a/url/")` puts an undo button on the toast."""
    tags = (message.extra_tags or "").split()
    return next((tag.removeprefix("undo:") for tag in tags if tag.startswith("undo:")), "")


# Numbers --------------------------------------------------------------------------------------


@register.filter
def number(value: Any) -> str:
    """12345 → 12,345 and 0.12345 → 0.123; a dash for nothing, so that columns keep their shape."""
    if value is None or value == "":
        return "–"
    try:
        whole = float(value).is_integer()
    except (TypeError, ValueError):
        return str(value)
    if isinstance(value, str):
        return value
    if whole:
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.3g}"


@register.filter
def size(value: Any) -> str:
    """Bytes as people read them: 1.4 GB."""
    if value is None or value == "":
        return "–"
    amount = float(value)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"


@register.filter
def duration(value: Any) -> str:
    """Seconds, or a timedelta, in its two largest units: 2 h 5 min."""
    if value is None or value == "":
        return "–"
    seconds = int(value.total_seconds() if hasattr(value, "total_seconds") else float(value))
    if seconds < 60:
        return f"{seconds} s"
    for big, small, big_name, small_name in ((86400, 3600, "d", "h"), (3600, 60, "h", "min"), (60, 1, "min", "s")):
        if seconds >= big:
            rest = seconds % big // small
            return f"{seconds // big} {big_name} {rest} {small_name}" if rest else f"{seconds // big} {big_name}"
    return f"{seconds} s"


@register.filter
def short_id(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 12 else text[:8]


@register.filter
def initials(person: Any) -> str:
    """Of a name, or of what stands before the @ of an address: AL for Ada Lovelace and for ada.lovelace@example.org."""
    words = str(person).split("@")[0].replace(".", " ").split()
    return "".join(word[0] for word in words[:2]).upper()


# Forms ----------------------------------------------------------------------------------------


@register.filter
def basic_fields(form: Any) -> list[Any]:
    """The visible fields that are not folded away. A form folds the names listed in its `advanced`."""
    return [field for field in form.visible_fields() if field.name not in getattr(form, "advanced", ())]


@register.filter
def advanced_fields(form: Any) -> list[Any]:
    return [field for field in form.visible_fields() if field.name in getattr(form, "advanced", ())]


@register.filter
def any_errors(fields: list[Any]) -> bool:
    return any(field.errors for field in fields)


@register.filter
def is_optional(field: Any) -> bool:
    """Worth saying only where leaving the field empty is a real choice."""
    return not field.field.required and field.field.initial in (None, "") and field.widget_type not in {"checkbox", "select"}


# Table ----------------------------------------------------------------------------------------


class TableNode(template.Node):
    """Draws the rows first, with `table` in their context, then the tools, bulk bar and pages around them."""

    defaults = {
        "search": "",
        "filters": (),
        "bulk": (),
        "bulk_url": "",
        "export_url": "",
        "sort": "",
        "label": "",
        "url": "",
        "plural": "",
        "views": True,
    }

    def __init__(self, options: dict[str, FilterExpression], nodelist: NodeList) -> None:
        self.options = options
        self.nodelist = nodelist

    def render(self, context: Context) -> SafeString:
        table: dict[str, Any] = self.defaults | {name: value.resolve(context) for name, value in self.options.items()}
        request = context["request"]
        query = request.GET
        table["plural"] = table["plural"] or f"{table['noun']}s"
        table["label"] = table["label"] or str(table["plural"]).capitalize()
        table["url"] = table["url"] or request.path
        table["query"] = query
        table["sort"] = query.get("sort") or table["sort"]
        table["q"] = query.get("q", "")
        table["filters"] = [
            {
                **one,
                "value": query.get(one["name"], ""),
                "choices": [(str(value), label) for value, label in one["choices"]],
            }
            for one in table["filters"]
        ]
        own = {"q", "sort", "page", *(one["name"] for one in table["filters"])}
        table["carried"] = [(name, value) for name, values in query.lists() if name not in own for value in values]
        table["is_filtered"] = bool(table["q"]) or any(one["value"] for one in table["filters"])
        page = table["page"]
        table["count"] = page.paginator.count
        table["numbers"] = list(page.paginator.get_elided_page_range(page.number, on_each_side=1, on_ends=1))
        with context.push(table=table):
            rows = self.nodelist.render(context)
        return render_to_string(
            "components/table.html",
            {"table": table, "page": page, "rows": rows, "csrf_token": context.get("csrf_token"), "request": request},
        )


@register.tag("table")
def table_tag(parser: Parser, token: Token) -> TableNode:
    bits = token.split_contents()[1:]
    options = token_kwargs(bits, parser)
    missing = {"id", "page", "noun"} - options.keys()
    if bits or missing:
        raise template.TemplateSyntaxError(
            "table takes name=value options and needs id, page and noun; "
            f"missing: {', '.join(sorted(missing)) or 'nothing'}, not understood: {bits}"
        )
    nodelist = parser.parse(("endtable",))
    parser.delete_first_token()
    return TableNode(options, nodelist)


@register.simple_tag(takes_context=True)
def table_link(context: Context, **changes: Any) -> str:
    """The table's address with some of the query changed; None removes a name."""
    query = context["table"]["query"].copy()
    for name, value in changes.items():
        if value is None:
            query.pop(name, None)
        else:
            query[name] = value
    return f"{context['table']['url']}?{query.urlencode()}"


@register.inclusion_tag("components/th.html", takes_context=True)
def th(context: Context, label: str, sort: str = "", num: bool = False, tip: str = "") -> dict[str, Any]:
    """A column's head; `sort` names the key that the view sorts by."""
    table = context["table"]
    current = table["sort"].removeprefix("-") == sort if sort else False
    descending = table["sort"].startswith("-")
    turned = f"-{sort}" if (current and not descending) or (not current and num) else sort
    return {
        "table": table,
        "label": label,
        "sort": sort,
        "num": num,
        "tip": tip,
        "current": current,
        "descending": descending,
        "turned": turned,
    }


@register.simple_tag(takes_context=True)
def th_select(context: Context) -> SafeString:
    return format_html(
        '<th class="select"><input type="checkbox" data-select-page aria-label="Select all {} on this page"></th>',
        context["table"]["plural"],
    )


@register.simple_tag(takes_context=True)
def td_select(context: Context, pk: Any, label: str = "") -> SafeString:
    table = context["table"]
    return format_html(
        '<td class="select"><input type="checkbox" name="ids" value="{}" form="{}-bulk" aria-label="Select {}"></td>',
        pk,
        table["id"],
        label or f"{table['noun']} {pk}",
    )


# Blocks with content --------------------------------------------------------------------------


@register.simple_block_tag
def panel(content: str, title: str, href: str = "", label: str = "Open as a page") -> SafeString:
    return mark_safe(render_to_string("components/panel.html", {"content": content, "title": title, "href": href, "label": label}))


@register.simple_block_tag
def dialog(content: str, id: str, title: str, wide: bool = False) -> SafeString:
    return mark_safe(render_to_string("components/dialog.html", {"content": content, "id": id, "title": title, "wide": wide}))


@register.simple_block_tag
def fold(content: str, label: str, open: bool = False) -> SafeString:
    return mark_safe(render_to_string("components/fold.html", {"content": content, "label": label, "open": open}))
