"""Hold Discord's wire against Discord's own OpenAPI document (github.com/discord/discord-api-spec).

Only a `Checker` needs `jsonschema` and `referencing` (development requirements): they are imported when one
is made, so the sandbox runs without them.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from sandbox.journal import Exchange

Schema = Mapping[str, Any]

PREFIX = "/api/v10"
MOST_FINDINGS = 5  # of one exchange: the first few name the mistake, the rest are its echo
LONGEST_VALUE = 60
METHODS = ("get", "put", "post", "patch", "delete")
DESCRIBED = re.compile(r"<(\d+|\?|None) bytes .+>")  # the journal's words for a body it did not parse
FILE_FIELD = re.compile(r"files\[\d\]")


@dataclass(frozen=True)
class Finding:
    """One disagreement between an exchange and the document.

    `part` is "route", "path", "query", "request" or "response"; `at` the place in it ("attachments/0/id", ""
    for the whole); `rule` the JSON Schema keyword, or "unknown" for what no schema knows, "status", "body".
    """

    operation: str
    part: str
    at: str
    rule: str
    message: str
    value: object = None
    status: int | None = None

    def __str__(self) -> str:
        return f"{self.operation} {self.part}: " + (f"{self.at}: " if self.at else "") + self.message


@dataclass(frozen=True)
class Difference:
    """A known difference between the document and what Discord and its clients really send.

    A finding is excused when every field given here agrees with it; `rule`, `at` and `operation` are
    regular expressions that must match in full.
    """

    name: str
    reason: str
    part: str
    rule: str
    at: str = ".*"
    operation: str = ".*"
    status: int | None = None
    value: Callable[[Any], bool] = lambda value: True

    def excuses(self, finding: Finding) -> bool:
        """Tell whether the finding is this difference."""
        return (
            finding.part == self.part
            and self.status in (None, finding.status)
            and re.fullmatch(self.rule, finding.rule) is not None
            and re.fullmatch(self.at, finding.at) is not None
            and re.fullmatch(self.operation, finding.operation) is not None
            and self.value(finding.value)
        )


DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        "id as a number",
        "Discord reads ids of either type: its reference numbers new attachments from 0, and discord.py "
        "sends numbers in all these places.",
        part="request",
        rule="type|oneOf",
        at=r"((data|message)/)?("
        r"attachments/\d+/id|message_reference/(message|channel|guild)_id|allowed_mentions/(users|roles)/\d+"
        r")|recipient_id",
        value=lambda value: type(value) is int,
    ),
    Difference(
        "kept attachments sent whole",
        "To keep an attachment in an edit its id is enough; discord.py sends all that it knows of it.",
        part="request",
        rule="unknown",
        at=r"(data/)?attachments/\d+/(content_type|height|proxy_url|size|spoiler|url|width)",
    ),
    Difference(
        "flags of an embed",
        "The reference gives flags to an embed, the document only to those of answers; discord.py sends it.",
        part="request",
        rule="unknown",
        at=r"((data|message)/)?embeds/\d+/flags",
        value=lambda value: type(value) is int,
    ),
    Difference(
        "tts where nothing is read aloud",
        "Edits and a forum post's first message have no tts in the document; discord.py sends false.",
        part="request",
        rule="unknown",
        at="((data|message)/)?tts",
        operation=r"PATCH .+/messages/.+|POST (/interactions/.+/callback|/channels/\{channel_id\}/threads)",
        value=lambda value: value is False,
    ),
    Difference(
        "use_nested_fields of a forum post",
        "Undocumented, but discord.py and JDA send it with every forum post.",
        part="query",
        rule="unknown",
        at="use_nested_fields",
        operation=r"POST /channels/\{channel_id\}/threads",
    ),
    Difference(
        "429 without a code",
        "A rate limit answer has `code` only for some limits: the reference marks it as optional.",
        part="response",
        rule="required",
        at="code",
        status=429,
    ),
    Difference(
        "boolean query parameter as 1 or 0",
        "discord.py writes `with_response=1`, and Discord reads it as true.",
        part="query",
        rule="type",
        value=lambda value: value in ("0", "1"),
    ),
    Difference(
        "nsfw of a command",
        "The reference and the document's answers know age-restricted commands, its requests do not.",
        part="request",
        rule="unknown",
        at=r"(\d+/)?nsfw",
        operation=r"(PUT|POST|PATCH) /applications/\{application_id\}/.*commands.*",
    ),
    Difference(
        "name as the code of a field's error",
        "The code of an entry of `_errors` is a name such as BASE_TYPE_MAX_LENGTH; the document gives the "
        "entry the outer error's schema, whose code is a number.",
        part="response",
        rule="type",
        at=r"errors/(.+/)?_errors/\d+/code",
        value=lambda value: isinstance(value, str) and re.fullmatch("[A-Z][A-Z0-9_]+", value) is not None,
    ),
    Difference(
        "server errors",
        "The document lists no 5xx answer, and Discord gives them all the same, with any body.",
        part="response",
        rule="status",
        at="5..",
    ),
)


@dataclass(frozen=True)
class Operation:
    """One method of one path template, with the schemas of everything that goes in and out."""

    name: str
    path: Mapping[str, Schema]
    query: Mapping[str, Schema]
    needed_query: frozenset[str]
    request: Schema | None
    request_required: bool
    responses: Mapping[str, Schema | None]

    def response(self, status: int) -> tuple[bool, Schema | None]:
        """Find what the document says of a status: (known, schema of its body)."""
        for key in (str(status), f"{status // 100}XX", "default"):
            if key in self.responses:
                return True, self.responses[key]
        return False, None


class Checker:
    """Check exchanges against the document at `path`.

    `used` counts how often each known difference was met, by name.
    """

    def __init__(self, path: Path) -> None:
        self._schemas = _Schemas(json.loads(path.read_text("utf-8")))
        self._routes = _Routes(self._schemas)
        self.used: Counter[str] = Counter()

    def check(self, exchange: Exchange) -> list[str]:
        """Return what is wrong with an exchange, a sentence each; nothing for what is not Discord's REST."""
        path, _, query = exchange.path.partition("?")
        if exchange.side != "discord" or not path.startswith(f"{PREFIX}/"):
            return []
        problems: dict[str, str] = {}
        for finding in self._findings(exchange, path.removeprefix(PREFIX), query):
            if not self._excused(finding):
                problems.setdefault(f"{finding.part} {finding.at}", str(finding))
        few = list(problems.values())[:MOST_FINDINGS]
        more = len(problems) - len(few)
        return [*few, f"… and {more} more"] if more else few

    def _excused(self, finding: Finding) -> bool:
        for difference in DIFFERENCES:
            if difference.excuses(finding):
                self.used[difference.name] += 1
                return True
        return False

    def _findings(self, exchange: Exchange, path: str, query: str) -> Iterator[Finding]:
        operation, parameters = self._routes.find(exchange.method, path)
        if operation is None:
            message = "no such route in Discord's document"
            yield Finding(f"{exchange.method} {path}", "route", "", "unknown", message)
            return
        for name, value in parameters.items():
            yield from self._hold(operation, "path", name, operation.path[name], value)
        yield from self._query(operation, query)
        yield from self._request(operation, exchange)
        yield from self._response(operation, exchange)

    def _query(self, operation: Operation, query: str) -> Iterator[Finding]:
        given: dict[str, list[str]] = {}
        for name, value in parse_qsl(query, keep_blank_values=True):
            given.setdefault(name, []).append(value)
        for name, values in given.items():
            if name not in operation.query:
                yield Finding(operation.name, "query", name, "unknown", "unknown parameter", values[-1])
            else:
                schema = operation.query[name]
                yield from self._hold(operation, "query", name, schema, self._schemas.decode(schema, values))
        for name in operation.needed_query - given.keys():
            yield Finding(operation.name, "query", name, "required", "is missing")

    def _request(self, operation: Operation, exchange: Exchange) -> Iterator[Finding]:
        def finding(message: str, at: str = "") -> Finding:
            return Finding(operation.name, "request", at, "body", message)

        body = exchange.request_body
        if body is None:
            if operation.request_required:
                yield finding("has no body")
            return
        if _is_described(body):
            # A body may stay unread when the request was refused, or cut off by a fault.
            if exchange.status is not None and exchange.status < 400:
                yield finding(f"was answered although its body was not understood: {body}")
            return
        if operation.request is None:
            yield finding("has a body where the document has none")
            return
        if _is_multipart(exchange) and isinstance(body, dict):
            for file in body.get("files") or ():
                if not FILE_FIELD.fullmatch(str(file.get("field"))):
                    yield finding("a file's field must be files[0] to files[9]", str(file.get("field")))
            body = body.get("payload_json") or {}
        yield from self._hold(operation, "request", "", operation.request, body)
        for at, value in self._schemas.unknown_properties([operation.request], body):
            yield Finding(operation.name, "request", at, "unknown", "unknown property", value)

    def _response(self, operation: Operation, exchange: Exchange) -> Iterator[Finding]:
        status, body = exchange.status, exchange.response_body
        if status is None or (exchange.fault is not None and _is_described(body)):
            return  # never answered, or an HTML page or half an answer on request
        known, schema = operation.response(status)
        if not known:
            message = f"the document has no answer {status}"
            yield Finding(operation.name, "response", str(status), "status", message, body, status)
        elif schema is None:
            if body is not None:
                message = f"{status} has no body in the document"
                yield Finding(operation.name, "response", "", "body", message, body, status)
        elif body is None or _is_described(body):
            message = f"{status} must have a JSON body, not {body or 'none'}"
            yield Finding(operation.name, "response", "", "body", message, body, status)
        else:
            yield from self._hold(operation, "response", "", schema, body, status)

    def _hold(
        self,
        operation: Operation,
        part: str,
        at: str,
        schema: Schema,
        value: object,
        status: int | None = None,
    ) -> Iterator[Finding]:
        for error in self._schemas.errors(schema, value):
            place = "/".join([at] * bool(at) + [str(step) for step in error.absolute_path])
            message = error.message.replace(repr(error.instance), _brief(error.instance))
            yield Finding(operation.name, part, place, str(error.validator), message, error.instance, status)


class _Routes:
    """Find the operation of a request: of several fitting templates, the one with the fewest parameters."""

    def __init__(self, schemas: _Schemas) -> None:
        self._by_shape: dict[tuple[str, int], list[tuple[re.Pattern[str], Operation]]] = {}
        paths = schemas.document["paths"]
        for template in sorted(paths, key=lambda template: template.count("{")):
            item = paths[template]
            pattern = re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(template)))
            for method in METHODS:
                if method in item:
                    name = f"{method.upper()} {template}"
                    operation = _read_operation(name, item[method], item.get("parameters", []), schemas)
                    shape = (method.upper(), template.count("/"))
                    self._by_shape.setdefault(shape, []).append((pattern, operation))

    def find(self, method: str, path: str) -> tuple[Operation | None, dict[str, str]]:
        """Return the operation and its decoded path parameters, or (None, {})."""
        for pattern, operation in self._by_shape.get((method, path.count("/")), []):
            if match := pattern.fullmatch(path.replace("%40", "@")):
                return operation, {name: unquote(value) for name, value in match.groupdict().items()}
        return None, {}


def _read_operation(name: str, node: Schema, shared: Sequence[Schema], schemas: _Schemas) -> Operation:
    parameters = [*shared, *node.get("parameters", [])]
    queries = [each for each in parameters if each["in"] == "query"]
    request = node.get("requestBody", {})
    return Operation(
        name=name,
        path={each["name"]: each["schema"] for each in parameters if each["in"] == "path"},
        query={each["name"]: each["schema"] for each in queries},
        needed_query=frozenset(each["name"] for each in queries if each.get("required")),
        request=_schema_of(request, "application/json") or _schema_of(request, "multipart/form-data"),
        request_required=request.get("required", False),
        responses={
            status: _schema_of(schemas.resolve(answer), "application/json")
            for status, answer in node["responses"].items()
        },
    )


def _schema_of(node: Schema, content_type: str) -> Schema | None:
    schema: Schema | None = node.get("content", {}).get(content_type, {}).get("schema")
    return schema


@dataclass(frozen=True)
class _Shape:
    """What can be seen of a schema at a glance: enough to choose among the branches of a union."""

    types: frozenset[str] | None = None
    values: tuple[object, ...] | None = None
    marks: Mapping[str, tuple[object, ...]] = field(default_factory=dict)  # required properties of few values

    def admits(self, instance: object) -> bool:
        """Tell whether an instance could be meant for the schema."""
        if self.types is not None and not (_json_types(instance) & self.types):
            return False
        if self.values is not None and instance not in self.values:
            return False
        if not isinstance(instance, dict):
            return True
        return all(name not in instance or instance[name] in values for name, values in self.marks.items())

    def likeness(self, instance: object) -> int:
        """Count the marks that an object carries."""
        if not isinstance(instance, dict):
            return 0
        return sum(name in instance and instance[name] in values for name, values in self.marks.items())


class _Schemas:
    """The document's schemas: references are looked up once, and unions go by what sets branches apart.

    jsonschema tries every branch of a oneOf in full and then says only that none fits. The branches of
    Discord's unions differ in a property (mostly `type`): going straight to the one that is meant is fast,
    and its errors are the ones worth reading.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        import jsonschema
        import referencing
        from referencing.jsonschema import DRAFT202012

        self.document = document
        resource = referencing.Resource.from_contents(document, default_specification=DRAFT202012)
        registry = referencing.Registry().with_resource("", resource)
        self._resolver = registry.resolver()
        self._resolved: dict[str, Schema] = {}
        self._shapes: dict[int, _Shape] = {}  # by id: the document lives as long as this object
        self._validators: dict[int, Any] = {}
        self._error = jsonschema.ValidationError
        self._validator_class = jsonschema.validators.extend(
            jsonschema.Draft202012Validator,
            {"$ref": self._ref, "oneOf": self._one_of, "anyOf": self._any_of, "required": self._required},
        )
        self._formats = jsonschema.FormatChecker(formats=())
        for name, holds in FORMATS.items():
            self._formats.checks(name)(holds)

    def resolve(self, schema: Schema) -> Schema:
        """Follow a schema's reference, if it is one."""
        while "$ref" in schema:
            ref = schema["$ref"]
            if ref not in self._resolved:
                self._resolved[ref] = self._resolver.lookup(ref).contents
            schema = self._resolved[ref]
        return schema

    def errors(self, schema: Schema, value: object) -> Iterator[Any]:
        """Yield jsonschema's errors of a value, each at its deepest place."""
        validator = self._validators.get(id(schema))
        if validator is None:
            validator = self._validator_class(schema, format_checker=self._formats)
            self._validators[id(schema)] = validator
        yield from validator.iter_errors(value)

    def decode(self, schema: Schema, values: list[str]) -> object:
        """Turn a query parameter's text into the type the schema asks for; text that is none stays text."""
        types = self._shape(schema).types or frozenset()
        if "array" in types:
            items = self.resolve(schema).get("items", {})
            return [self.decode(items, [value]) for value in values]
        text = values[-1]
        if "boolean" in types:
            return {"true": True, "false": False}.get(text.lower(), text)
        if "integer" in types and re.fullmatch(r"-?[0-9]{1,20}", text):
            return int(text)
        return text

    def unknown_properties(
        self, schemas: Sequence[Schema], value: object, at: str = ""
    ) -> Iterator[tuple[str, object]]:
        """Yield place and value of each property that none of the schemas, taken together, knows."""
        parts = [part for schema in schemas for part in self._parts(schema, value)]
        if isinstance(value, list):
            items = [part["items"] for part in parts if "items" in part]
            for index, item in enumerate(value):
                yield from self.unknown_properties(items, item, f"{at}/{index}" if at else str(index))
        elif isinstance(value, dict):
            yield from self._unknown_here(parts, value, at)

    def _unknown_here(
        self, parts: Sequence[Schema], value: dict[str, object], at: str
    ) -> Iterator[tuple[str, object]]:
        extra = [part["additionalProperties"] for part in parts if "additionalProperties" in part]
        if True in extra or not (extra or any("properties" in part for part in parts)):
            return  # an object that may hold anything
        for name, item in value.items():
            place = f"{at}/{name}" if at else name
            known = [part["properties"][name] for part in parts if name in part.get("properties", {})]
            known += [schema for schema in extra if isinstance(schema, dict)]
            if known:
                yield from self.unknown_properties(known, item, place)
            else:
                yield place, item

    def _parts(self, schema: Schema, value: object) -> Iterator[Schema]:
        """Yield a schema and all that applies beside it: allOf, and the fitting branches of a union."""
        schema = self.resolve(schema)
        yield schema
        for branch in schema.get("allOf", ()):
            yield from self._parts(branch, value)
        for branch in (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
            if self._shape(branch).admits(value):
                yield from self._parts(branch, value)

    def _shape(self, schema: Schema) -> _Shape:
        shape = self._shapes.get(id(schema))
        if shape is None:
            shape = self._shapes[id(schema)] = self._look(self.resolve(schema))
        return shape

    def _look(self, schema: Schema) -> _Shape:
        types = schema.get("type")
        marks = {}
        for name in schema.get("required", ()):
            values = self._values(schema.get("properties", {}).get(name, {}))
            if values is not None:
                marks[name] = values
        return _Shape(
            types=None if types is None else frozenset([types] if isinstance(types, str) else types),
            values=self._values(schema),
            marks=marks,
        )

    def _values(self, schema: Schema) -> tuple[object, ...] | None:
        """Return the values a schema allows where it lists them."""
        schema = self.resolve(schema)
        if "const" in schema:
            return (schema["const"],)
        if "enum" in schema:
            return tuple(schema["enum"])
        branches = schema.get("oneOf", ())
        if branches and all("const" in branch for branch in branches):
            return tuple(branch["const"] for branch in branches)
        return None

    def _ref(self, validator: Any, ref: str, instance: object, schema: Schema) -> Iterator[Any]:
        yield from validator.descend(instance, self.resolve({"$ref": ref}))

    def _one_of(
        self, validator: Any, branches: list[Schema], instance: object, schema: Schema
    ) -> Iterator[Any]:
        yield from self._union(validator, branches, instance, exactly_one=True)

    def _any_of(
        self, validator: Any, branches: list[Schema], instance: object, schema: Schema
    ) -> Iterator[Any]:
        yield from self._union(validator, branches, instance, exactly_one=False)

    def _union(
        self, validator: Any, branches: list[Schema], instance: object, *, exactly_one: bool
    ) -> Iterator[Any]:
        fitting = [branch for branch in branches if self._shape(branch).admits(instance)]
        if len(fitting) == 1:
            yield from validator.descend(instance, fitting[0])
            return
        if not fitting:
            nearest = max(branches, key=lambda branch: self._shape(branch).likeness(instance))
            if self._shape(nearest).likeness(instance):
                yield from validator.descend(instance, nearest)
            else:
                yield self._error(self._none_fits(branches, instance))
            return
        errors = [list(validator.descend(instance, branch)) for branch in fitting]
        valid = sum(not found for found in errors)
        if exactly_one and valid > 1:
            yield self._error("fits more than one kind: " + self._names(fitting))
        elif not valid:
            # The branch that was meant is the one whose mistakes lie deepest.
            yield from min(errors, key=lambda found: (-min(len(error.path) for error in found), len(found)))

    def _none_fits(self, branches: list[Schema], instance: object) -> str:
        if isinstance(instance, dict) and "type" in instance:
            return f"type {_brief(instance['type'])} fits none of {self._names(branches)}"
        return f"{_brief(instance)} is none of {self._names(branches)}"

    def _names(self, branches: list[Schema]) -> str:
        names = [
            str(branch["const"])
            if "const" in branch
            else branch.get("$ref", str(branch.get("type"))).split("/")[-1]
            for branch in branches
        ]
        return ", ".join(names[:4]) + (f" and {len(names) - 4} others" if len(names) > 4 else "")

    def _required(self, validator: Any, names: list[str], instance: object, schema: Schema) -> Iterator[Any]:
        if isinstance(instance, dict):
            for name in names:
                if name not in instance:
                    yield self._error("is missing", path=[name])


def _json_types(value: object) -> frozenset[str]:
    match value:
        case None:
            return frozenset({"null"})
        case bool():
            return frozenset({"boolean"})
        case int():
            return frozenset({"integer", "number"})
        case float():
            return frozenset({"number", "integer"}) if value.is_integer() else frozenset({"number"})
        case str():
            return frozenset({"string"})
        case list():
            return frozenset({"array"})
        case _:
            return frozenset({"object"})


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _is_described(body: object) -> bool:
    return isinstance(body, str) and DESCRIBED.fullmatch(body) is not None


def _is_multipart(exchange: Exchange) -> bool:
    content_type = next(
        (value for name, value in exchange.request_headers.items() if name.lower() == "content-type"), ""
    )
    return content_type.startswith("multipart/")


def _is_date_time(value: object) -> bool:
    if not isinstance(value, str):
        return True
    try:
        return "T" in value and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _is_snowflake(value: object) -> bool:
    if not isinstance(value, str):
        return True
    return re.fullmatch("[0-9]{1,20}", value) is not None and int(value) < 2**64


def _is_uri(value: object) -> bool:
    if not isinstance(value, str):
        return True
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return bool(parts.scheme and (parts.netloc or parts.path))


def _within(bits: int) -> Callable[[object], bool]:
    return lambda value: type(value) is not int or -(2 ** (bits - 1)) <= value < 2 ** (bits - 1)


FORMATS: Mapping[str, Callable[[object], bool]] = {
    "snowflake": _is_snowflake,
    "int32": _within(32),
    "int64": _within(64),
    "date-time": _is_date_time,
    "uri": _is_uri,
}
