"""One small world that all examples of the description come from, made as replies are made."""

from __future__ import annotations

from typing import Any, Final

from api.wire.files import file_body, files_body
from api.wire.indexing import queue_body, retry_body
from api.wire.lists import deleted_body, list_body
from api.wire.vector_stores import (
    attachment_body,
    attachments_body,
    batch_body,
    content_body,
    store_body,
    stores_body,
)
from retrieval.store.progress import Waiting
from retrieval.types import (
    Attachment,
    Batch,
    ChunkingStrategy,
    File,
    FileCounts,
    Page,
    VectorStore,
)

FILE_ID: Final = "file-4kVw8HxTq2LrNc9sYbE7Zd"
STORE_ID: Final = "vs_6f0c2d5e8a914b73a1c9e4d2f7b80a35"
BATCH_ID: Final = "vsfb_b17e3a9c4d524f60885ad10c2e96f3b4"
UPLOAD_ID: Final = "upload_2c8e51f70ab94d6c93e2a7540fd1b86e"
PART_ID: Final = "part_9d3b60e2c7154fa8b0c58e17f2a4d936"
RESPONSE_ID: Final = "resp_5b0e9c27d1f84a36b2c7e05d9a41f86c3e70b19d52a8f46e13"
CONVERSATION_ID: Final = "conv_5a0c7e91d24b48f6a3c7e05d9b1f2e6847c3d90a5be1f276"
ITEM_ID: Final = "msg_71d0"
CREATED_AT: Final = 1795392000
FILENAME: Final = "capitals.txt"
TEXT: Final = "Paris is the capital of France. Oslo is the capital of Norway."
QUESTION: Final = "What is the capital of France?"
EQUALITY: Final = {"type": "eq", "key": "continent", "value": "Europe"}

_N_BYTES: Final = len(TEXT.encode())
_FILE: Final = File(
    id=FILE_ID,
    filename=FILENAME,
    purpose="assistants",
    n_bytes=_N_BYTES,
    sha256="",
    created_at=CREATED_AT,
)
_COUNTS: Final = FileCounts(completed=1, total=1)
_STORE: Final = VectorStore(
    id=STORE_ID,
    name="Geography",
    description=None,
    created_at=CREATED_AT,
    last_active_at=CREATED_AT,
    expires_after_days=7,
    expires_at=CREATED_AT + 7 * 86_400,
    usage_bytes=1600,
    counts=_COUNTS,
    metadata={"team": "maps"},
    expired=False,
    model_id="",
    seq=1,
)
_ATTACHMENT: Final = Attachment(
    vector_store_id=STORE_ID,
    file_id=FILE_ID,
    filename=FILENAME,
    created_at=CREATED_AT,
    status="completed",
    usage_bytes=1600,
    chunking=ChunkingStrategy(),
    attributes={"continent": "Europe"},
)

file: Final = file_body(_FILE)
files: Final = files_body(Page((_FILE,), has_more=False))
file_deleted: Final = deleted_body(FILE_ID, "file")
store: Final = store_body(_STORE)
stores: Final = stores_body(Page((_STORE,), has_more=False))
store_deleted: Final = deleted_body(STORE_ID, "vector_store.deleted")
store_file: Final = attachment_body(_ATTACHMENT)
store_files: Final = attachments_body(Page((_ATTACHMENT,), has_more=False))
store_file_deleted: Final = deleted_body(FILE_ID, "vector_store.file.deleted")
content: Final = content_body(TEXT)
batch: Final = batch_body(Batch(BATCH_ID, STORE_ID, CREATED_AT, "completed", _COUNTS))

retried: Final = retry_body(STORE_ID, 0)
queue: Final = queue_body([], Waiting(interactive=0, bulk=0, to_be_retried=0))

search_results: Final[dict[str, Any]] = {
    "object": "vector_store.search_results.page",
    "search_query": [QUESTION],
    "data": [
        {
            "file_id": FILE_ID,
            "filename": FILENAME,
            "score": 0.8412,
            "attributes": {"continent": "Europe"},
            "content": [{"type": "text", "text": TEXT}],
        }
    ],
    "has_more": False,
    "next_page": None,
}

model: Final = {
    "id": "extractive",
    "object": "model",
    "created": CREATED_AT,
    "owned_by": "sourcebook",
}
models: Final = {"object": "list", "data": [model]}

file_search: Final = {"type": "file_search", "vector_store_ids": [STORE_ID]}
_ANSWER: Final = "Paris is the capital of France."
response: Final[dict[str, Any]] = {
    "id": RESPONSE_ID,
    "object": "response",
    "created_at": CREATED_AT,
    "completed_at": CREATED_AT + 1,
    "status": "completed",
    "background": False,
    "store": True,
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "model": "extractive",
    "output": [
        {
            "id": "fs_8e2b",
            "type": "file_search_call",
            "status": "completed",
            "queries": [QUESTION],
            "results": None,
        },
        {
            "id": "msg_c41f",
            "type": "message",
            "status": "completed",
            "content": [
                {
                    "type": "output_text",
                    "annotations": [
                        {
                            "type": "file_citation",
                            "file_id": FILE_ID,
                            "filename": FILENAME,
                            "index": len(_ANSWER),
                        }
                    ],
                    "logprobs": [],
                    "text": _ANSWER,
                }
            ],
            "role": "assistant",
        },
    ],
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "prompt_cache_retention": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "temperature": 1.0,
    "top_p": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "text": {"format": {"type": "text"}, "verbosity": "medium"},
    "tool_choice": "auto",
    "tools": [
        {
            "type": "file_search",
            "filters": None,
            "max_num_results": 20,
            "ranking_options": {"ranker": "auto", "score_threshold": 0.0},
            "vector_store_ids": [STORE_ID],
        }
    ],
    "top_logprobs": 0,
    "truncation": "disabled",
    "usage": {
        "input_tokens": 38,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 45,
    },
    "user": None,
    "metadata": {},
}
response_in_background: Final = {**response, "background": True}
conversation: Final = {
    "id": CONVERSATION_ID,
    "object": "conversation",
    "created_at": CREATED_AT,
    "metadata": {"topic": "capitals"},
}
conversation_deleted: Final = deleted_body(CONVERSATION_ID, "conversation.deleted")
user_item: Final = {
    "type": "message",
    "role": "user",
    "content": [{"type": "input_text", "text": QUESTION}],
}
input_tokens: Final = {"object": "response.input_tokens", "input_tokens": 11}
compaction: Final = {
    "id": "resp_51c0",
    "object": "response.compaction",
    "created_at": CREATED_AT,
    "output": [{"id": "cmp_9d3e", "type": "compaction", "encrypted_content": "eJyLjlYqLU4t"}],
    "usage": response["usage"],
}
response_deleted: Final = deleted_body(RESPONSE_ID, "response.deleted")
input_items: Final = list_body(
    [
        {
            "id": ITEM_ID,
            "type": "message",
            "status": "completed",
            "content": [{"type": "input_text", "text": QUESTION}],
            "role": "user",
        }
    ],
    has_more=False,
)
event: Final = (
    "event: response.output_text.delta\n"
    'data: {"type": "response.output_text.delta", "sequence_number": 9, "item_id": "msg_c41f",'
    ' "output_index": 1, "content_index": 0, "delta": "Paris", "logprobs": []}\n\n'
)

upload: Final = {
    "id": UPLOAD_ID,
    "object": "upload",
    "bytes": _N_BYTES,
    "created_at": CREATED_AT,
    "expires_at": CREATED_AT + 3600,
    "filename": FILENAME,
    "purpose": "assistants",
    "status": "pending",
}
upload_completed: Final = {**upload, "status": "completed", "file": file}
upload_cancelled: Final = {**upload, "status": "cancelled"}
part: Final = {
    "id": PART_ID,
    "object": "upload.part",
    "created_at": CREATED_AT,
    "upload_id": UPLOAD_ID,
}
verification: Final = {
    "object": "sourcebook.verification",
    "supported": True,
    "score": 0.934,
    "min_support": 0.5,
    "text": "The museum opens at nine.",
    "sentences": [
        {
            "text": "The museum opens at nine.",
            "start_char": 0,
            "end_char": 25,
            "supported": True,
            "score": 0.934,
            "cited": [0],
            "findings": [],
            "evidence": {
                "source": 0,
                "quote": "The museum is open from nine to five.",
                "start_char": 0,
                "end_char": 37,
            },
        }
    ],
}
