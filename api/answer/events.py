"""The events of one response, numbered without a gap, and the document that they build.

Order and fields are those of recorded traffic: see `respond.py` for the sequence.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from api.answer.output import (
    annotation,
    call_item,
    message_item,
    refusal_part,
    search_item,
    text_part,
)
from api.answer.types import Cited, FunctionCall, Item

Event = dict[str, Any]


class Recorder:
    """Numbers events and keeps them. An event never changes after it was given out."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, type: str, **fields: Any) -> Event:
        """The next event; what it carries is copied, so later changes don't reach it."""
        return self.note(type, copy.deepcopy(fields))

    def note(self, type: str, fields: dict[str, Any]) -> Event:
        """The next event, of fields that nobody keeps; copying would be most of its cost."""
        event = {"type": type, "sequence_number": len(self.events), **fields}
        self.events.append(event)
        return event

    def error(self, *, code: str, message: str) -> Event:
        """The `error` event, flat as the specification has it and nested as SDKs read it."""
        inner = {"type": "server_error", "code": code, "message": message, "param": None}
        return self.emit("error", code=code, message=message, param=None, error=inner)


class SearchEvents:
    """The events of one `file_search_call`."""

    def __init__(self, recorder: Recorder, *, output_index: int, item_id: str) -> None:
        self._recorder = recorder
        self._at = {"output_index": output_index}
        self._id = item_id

    def start(self) -> Iterator[Event]:
        """The item appears and searches."""
        item = search_item(self._id, status="in_progress")
        yield self._recorder.emit("response.output_item.added", **self._at, item=item)
        yield self._step("in_progress")
        yield self._step("searching")

    def end(self, item: Item) -> Iterator[Event]:
        """The item is `completed`, or `failed`, with its queries and results."""
        if item["status"] == "completed":
            yield self._step("completed")
        yield self._recorder.emit("response.output_item.done", **self._at, item=item)

    def _step(self, name: str) -> Event:
        kind = f"response.file_search_call.{name}"
        return self._recorder.emit(kind, **self._at, item_id=self._id)


class CallEvents:
    """The events of one `function_call`; it comes in one piece, checked, so it has one delta."""

    def __init__(self, recorder: Recorder, *, output_index: int, item_id: str) -> None:
        self._recorder = recorder
        self._at = {"output_index": output_index}
        self._id = item_id

    def all(self, call: FunctionCall, item: Item) -> Iterator[Event]:
        """From the first to the last; `item` is the finished one."""
        emit, text = self._recorder.emit, call.arguments
        at = {**self._at, "item_id": self._id}
        begun = call_item(self._id, call, status="in_progress", arguments="")
        yield emit("response.output_item.added", **self._at, item=begun)
        kind = "response.function_call_arguments"
        yield emit(f"{kind}.delta", **at, delta=text)
        yield emit(f"{kind}.done", **at, arguments=text, name=call.name)
        yield emit("response.output_item.done", **self._at, item=item)


class MessageEvents:
    """The events of one assistant message with one text part, and the item they build."""

    def __init__(self, recorder: Recorder, *, output_index: int, item_id: str) -> None:
        self._recorder = recorder
        self._output_index = output_index
        self._id = item_id
        self._at = {"item_id": item_id, "output_index": output_index, "content_index": 0}
        self._texts: list[str] = []
        self._annotations: list[dict[str, Any]] = []

    def start(self) -> Iterator[Event]:
        """The message and its part appear, empty."""
        item = message_item(self._id, status="in_progress", content=[])
        yield self._recorder.emit(
            "response.output_item.added", output_index=self._output_index, item=item
        )
        part = self._part("")
        yield self._recorder.emit("response.content_part.added", **self._at, part=part)

    @property
    def text(self) -> str:
        """What was written so far."""
        return "".join(self._texts)

    def delta(self, text: str) -> Event:
        """More text."""
        self._texts.append(text)
        fields = {**self._at, "delta": text, "logprobs": []}
        return self._recorder.note("response.output_text.delta", fields)

    def cited(self, cited: Cited) -> Iterator[Event]:
        """Annotations, at the point of the citation."""
        for citation in cited.citations:
            entry = annotation(citation, index=cited.index)
            self._annotations.append(entry)
            yield self._recorder.emit(
                "response.output_text.annotation.added",
                **self._at,
                annotation_index=len(self._annotations) - 1,
                annotation=entry,
            )

    def item(self, *, status: str) -> Item:
        """The message as it stands."""
        return message_item(self._id, status=status, content=[self._part(self.text)])

    def end(self, *, status: str) -> Iterator[Event]:
        """Text, part and message are done."""
        item = self.item(status=status)
        emit = self._recorder.emit
        yield self._done()
        yield emit("response.content_part.done", **self._at, part=item["content"][0])
        yield emit("response.output_item.done", output_index=self._output_index, item=item)

    def _part(self, text: str) -> dict[str, Any]:
        return text_part(text, self._annotations)

    def _done(self) -> Event:
        kind = "response.output_text.done"
        return self._recorder.emit(kind, **self._at, text=self.text, logprobs=[])


class RefusalEvents(MessageEvents):
    """The same of a message in which the model refuses to answer."""

    def delta(self, text: str) -> Event:
        """More of the refusal."""
        self._texts.append(text)
        return self._recorder.note("response.refusal.delta", {**self._at, "delta": text})

    def _part(self, text: str) -> dict[str, Any]:
        return refusal_part(text)

    def _done(self) -> Event:
        return self._recorder.emit("response.refusal.done", **self._at, refusal=self.text)
