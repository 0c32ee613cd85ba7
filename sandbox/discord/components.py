"""Message and modal components, of both kinds: what may be sent, and how Discord echoes it.

https://docs.discord.com/developers/components/reference
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sandbox.discord.forms import Form
from sandbox.discord.models import Json

Path = tuple[str | int, ...]

ROW, BUTTON, STRING_SELECT, TEXT_INPUT = 1, 2, 3, 4
USER_SELECT, ROLE_SELECT, MENTIONABLE_SELECT, CHANNEL_SELECT = 5, 6, 7, 8
SECTION, TEXT, THUMBNAIL, GALLERY, FILE, SEPARATOR = 9, 10, 11, 12, 13, 14
CONTAINER, LABEL, FILE_UPLOAD, RADIO_GROUP, CHECKBOX_GROUP, CHECKBOX = 17, 18, 19, 21, 22, 23

SELECTS = (STRING_SELECT, USER_SELECT, ROLE_SELECT, MENTIONABLE_SELECT, CHANNEL_SELECT)
IN_CONTAINER = (ROW, TEXT, SECTION, GALLERY, SEPARATOR, FILE)
V2_TOP = (*IN_CONTAINER, CONTAINER)
IN_LABEL = (TEXT_INPUT, *SELECTS, FILE_UPLOAD, RADIO_GROUP, CHECKBOX_GROUP, CHECKBOX)
LINK_STYLE, PREMIUM_STYLE = 5, 6


def walk(components: list[Json]) -> Iterator[Json]:
    """Yield every component, parents before children, an accessory after its section's texts."""
    for component in components:
        yield component
        yield from walk(component.get("components") or [])
        for key in ("accessory", "component"):
            if isinstance(component.get(key), dict):
                yield from walk([component[key]])


def find(components: list[Json], custom_id: str) -> Json | None:
    """Find the component with a custom_id."""
    return next((c for c in walk(components) if c.get("custom_id") == custom_id), None)


class _Checker:
    """Checks one message's or modal's components."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self.custom_ids: set[str] = set()
        self.ids: set[int] = set()
        self.by_type: dict[int, Callable[[Path, Json], None]] = {
            ROW: self._row,
            BUTTON: self._button,
            TEXT_INPUT: self._text_input,
            SECTION: self._section,
            TEXT: self._text,
            THUMBNAIL: self._thumbnail,
            GALLERY: self._gallery,
            FILE: self._file,
            SEPARATOR: self._separator,
            CONTAINER: self._container,
            LABEL: self._label,
            FILE_UPLOAD: self._file_upload,
            RADIO_GROUP: self._options_group,
            CHECKBOX_GROUP: self._options_group,
            CHECKBOX: self._checkbox,
            **dict.fromkeys(SELECTS, self._select),
        }

    def check(self, path: Path, component: Json, allowed: tuple[int, ...]) -> None:
        kind = component.get("type")
        if not self.form.one_of((*path, "type"), kind, allowed):
            return
        number = component.get("id")
        self.form.integer((*path, "id"), number, low=0, high=2**31 - 1)
        if isinstance(number, int) and number in self.ids:
            self.form.wrong((*path, "id"), "COMPONENT_ID_DUPLICATED", "Component id cannot be duplicated")
        if isinstance(number, int) and number:
            self.ids.add(number)
        self.by_type[int(component["type"])](path, component)

    def children(self, path: Path, component: Json, allowed: tuple[int, ...], low: int, high: int) -> None:
        items = self.form.items((*path, "components"), component.get("components"), low=low, high=high)
        for here, child in items:
            self.check(here, child, allowed)

    def custom_id(self, path: Path, component: Json) -> None:
        value = component.get("custom_id")
        self.form.string((*path, "custom_id"), value, low=1, high=100, required=True)
        if isinstance(value, str) and value in self.custom_ids:
            self.form.wrong(
                (*path, "custom_id"),
                "COMPONENT_CUSTOM_ID_DUPLICATED",
                "Component custom id cannot be duplicated",
            )
        if isinstance(value, str):
            self.custom_ids.add(value)

    def _row(self, path: Path, row: Json) -> None:
        inside = row.get("components")
        children = [c for c in inside if isinstance(c, dict)] if isinstance(inside, list) else []
        only_one = any(c.get("type") in (*SELECTS, TEXT_INPUT) for c in children)
        self.children(path, row, (BUTTON, *SELECTS, TEXT_INPUT), 1, 1 if only_one else 5)

    def _button(self, path: Path, button: Json) -> None:
        style = button.get("style")
        if not self.form.one_of((*path, "style"), style, (1, 2, 3, 4, 5, 6)):
            return
        self.form.string((*path, "label"), button.get("label"), high=80)
        if style == LINK_STYLE:
            if not button.get("url"):
                self.form.required((*path, "url"))
            self.form.url((*path, "url"), button.get("url"), high=512)
            if button.get("custom_id"):
                self.form.wrong(
                    (*path, "custom_id"),
                    "BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE",
                    "A custom id and url cannot both be specified",
                )
        elif style == PREMIUM_STYLE:
            self.form.snowflake((*path, "sku_id"), button.get("sku_id"), required=True)
        else:
            self.custom_id(path, button)
        if style != PREMIUM_STYLE and not button.get("label") and not button.get("emoji"):
            self.form.required((*path, "label"))

    def _select(self, path: Path, select: Json) -> None:
        self.custom_id(path, select)
        self.form.string((*path, "placeholder"), select.get("placeholder"), high=150)
        self.form.integer((*path, "min_values"), select.get("min_values"), low=0, high=25)
        self.form.integer((*path, "max_values"), select.get("max_values"), low=1, high=25)
        if select["type"] == STRING_SELECT:
            self._options(path, select, 25)

    def _options(self, path: Path, owner: Json, high: int) -> None:
        values: set[str] = set()
        for here, option in self.form.items((*path, "options"), owner.get("options"), low=1, high=high):
            self.form.string((*here, "label"), option.get("label"), low=1, high=100, required=True)
            self.form.string((*here, "value"), option.get("value"), low=1, high=100, required=True)
            self.form.string((*here, "description"), option.get("description"), high=100)
            if str(option.get("value")) in values:
                self.form.wrong(
                    (*here, "value"),
                    "SELECT_COMPONENT_OPTION_VALUE_DUPLICATED",
                    "The specified option value is already used",
                )
            values.add(str(option.get("value")))

    def _text_input(self, path: Path, field: Json) -> None:
        self.custom_id(path, field)
        self.form.one_of((*path, "style"), field.get("style"), (1, 2))
        self.form.string((*path, "label"), field.get("label"), high=45)
        self.form.string((*path, "placeholder"), field.get("placeholder"), high=100)
        self.form.string((*path, "value"), field.get("value"), high=4000)
        self.form.integer((*path, "min_length"), field.get("min_length"), low=0, high=4000)
        self.form.integer((*path, "max_length"), field.get("max_length"), low=1, high=4000)

    def _section(self, path: Path, section: Json) -> None:
        self.children(path, section, (TEXT,), 1, 3)
        accessory = section.get("accessory")
        if isinstance(accessory, dict):
            self.check((*path, "accessory"), accessory, (BUTTON, THUMBNAIL))
        else:
            self.form.required((*path, "accessory"))

    def _text(self, path: Path, text: Json) -> None:
        self.form.string((*path, "content"), text.get("content"), low=1, high=4000, required=True)

    def media(self, path: Path, holder: Json, key: str) -> None:
        media = holder.get(key)
        if not isinstance(media, dict) or not media.get("url"):
            self.form.required((*path, key, "url"))
        else:
            self.form.url((*path, key, "url"), media["url"])

    def _thumbnail(self, path: Path, thumbnail: Json) -> None:
        self.media(path, thumbnail, "media")
        self.form.string((*path, "description"), thumbnail.get("description"), high=1024)

    def _gallery(self, path: Path, gallery: Json) -> None:
        for here, item in self.form.items((*path, "items"), gallery.get("items"), low=1, high=10):
            self.media(here, item, "media")
            self.form.string((*here, "description"), item.get("description"), high=1024)

    def _file(self, path: Path, file: Json) -> None:
        self.media(path, file, "file")
        media = file.get("file")
        url = media.get("url") if isinstance(media, dict) else None
        if isinstance(url, str) and not url.startswith("attachment://"):
            self.form.wrong(
                (*path, "file", "url"), "URL_TYPE_INVALID_SCHEME", "Scheme must be one of ('attachment',)."
            )

    def _separator(self, path: Path, separator: Json) -> None:
        if separator.get("spacing") is not None:
            self.form.one_of((*path, "spacing"), separator["spacing"], (1, 2))
        self.form.boolean((*path, "divider"), separator.get("divider"))

    def _container(self, path: Path, container: Json) -> None:
        self.children(path, container, IN_CONTAINER, 1, 40)
        colour = container.get("accent_color")
        self.form.integer((*path, "accent_color"), colour, low=0, high=0xFFFFFF)

    def _label(self, path: Path, label: Json) -> None:
        self.form.string((*path, "label"), label.get("label"), low=1, high=45, required=True)
        self.form.string((*path, "description"), label.get("description"), high=100)
        if isinstance(label.get("component"), dict):
            self.check((*path, "component"), label["component"], IN_LABEL)
        else:
            self.form.required((*path, "component"))

    def _file_upload(self, path: Path, upload: Json) -> None:
        self.custom_id(path, upload)
        self.form.integer((*path, "min_values"), upload.get("min_values"), low=0, high=10)
        self.form.integer((*path, "max_values"), upload.get("max_values"), low=1, high=10)

    def _options_group(self, path: Path, group: Json) -> None:
        self.custom_id(path, group)
        self._options(path, group, 10)

    def _checkbox(self, path: Path, checkbox: Json) -> None:
        self.custom_id(path, checkbox)


def check_message_components(form: Form, components: Any, *, v2: bool) -> None:
    """Check a message's components; `v2` says whether IS_COMPONENTS_V2 is set."""
    checker = _Checker(form)
    top = V2_TOP if v2 else (ROW,)
    for path, component in form.items(("components",), components, high=40 if v2 else 5):
        checker.check(path, component, top)
    if form.errors or not components:
        return
    if any(c.get("type") == TEXT_INPUT for c in walk(components)):
        form.wrong(("components",), "BASE_TYPE_CHOICES", "Text inputs only go into modals.")
    total = sum(1 for _ in walk(components))
    if v2 and total > 40:
        form.wrong(
            ("components",),
            "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED",
            "The maximum number of components is 40.",
        )
    texts = sum(len(c.get("content") or "") for c in walk(components) if c.get("type") == TEXT)
    if texts > 4000:
        form.wrong(
            ("components",),
            "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED",
            "Displayable text size exceeds maximum size of 4000",
        )


def check_modal(form: Form, modal: Any) -> None:
    """Check a modal callback's `data`."""
    if not isinstance(modal, dict):
        form.required(("data",))
        return
    form.string(("data", "custom_id"), modal.get("custom_id"), low=1, high=100, required=True)
    form.string(("data", "title"), modal.get("title"), low=1, high=45, required=True)
    checker = _Checker(form)
    for path, component in form.items(("data", "components"), modal.get("components"), low=1, high=5):
        checker.check(path, component, (ROW, TEXT, LABEL))
        if form.errors or component.get("type") != ROW:
            continue
        if any(c.get("type") != TEXT_INPUT for c in component["components"]):
            form.wrong((*path, "components"), "BASE_TYPE_CHOICES", "A modal's action row holds a text input.")


def echo(components: list[Json]) -> list[Json]:
    """Copy components as Discord gives them back: numbered, with every default filled in."""
    taken = {c["id"] for c in walk(components) if c.get("id")}
    fresh = (number for number in range(1, 10_000) if number not in taken)
    return [_echo(component, fresh) for component in components]


def _echo(component: Json, fresh: Iterator[int]) -> Json:
    copy: Json = {k: v for k, v in component.items() if v is not None}
    copy["id"] = component.get("id") or next(fresh)
    _drop_nulls_of_emoji(copy)
    kind = copy["type"]
    if "components" in copy:
        copy["components"] = [_echo(child, fresh) for child in copy["components"]]
    for key in ("accessory", "component"):
        if isinstance(copy.get(key), dict):
            copy[key] = _echo(copy[key], fresh)
    for key, default in _DEFAULTS.get(kind, {}).items():
        copy.setdefault(key, default)
    if kind == GALLERY:
        copy["items"] = [{"description": None, "spoiler": False, **item} for item in copy["items"]]
    if kind == STRING_SELECT:
        copy["options"] = [{k: v for k, v in o.items() if v is not None} for o in copy["options"]]
        for option in copy["options"]:
            _drop_nulls_of_emoji(option)
    return copy


def _drop_nulls_of_emoji(owner: Json) -> None:
    if isinstance(owner.get("emoji"), dict):
        owner["emoji"] = {k: v for k, v in owner["emoji"].items() if v is not None}


_SELECT_DEFAULTS: Json = {"min_values": 1, "max_values": 1}
_DEFAULTS: dict[int, Json] = {
    THUMBNAIL: {"description": None, "spoiler": False},
    FILE: {"spoiler": False},
    SEPARATOR: {"divider": True, "spacing": 1},
    CONTAINER: {"accent_color": None, "spoiler": False},
    TEXT_INPUT: {"label": None, "min_length": None, "max_length": None, "required": True},
    **dict.fromkeys(SELECTS, _SELECT_DEFAULTS),
}


def attachment_urls(components: list[Json]) -> Iterator[Json]:
    """Yield every media object (the dict that holds `url`) in components."""
    for component in walk(components):
        for key in ("media", "file"):
            if isinstance(component.get(key), dict):
                yield component[key]
        for item in component.get("items") or []:
            if isinstance(item.get("media"), dict):
                yield item["media"]
