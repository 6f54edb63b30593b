"""Every operation of the HTTP API in one table: what it takes, what it answers, an example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel

from api.pages import DEFAULT_LIMIT, MAX_FILES_LIMIT, MAX_LIMIT, STATUSES
from api.wire import examples as ex
from api.wire import indexing, verify
from api.wire import replies as r
from api.wire import response_bodies as bodies
from api.wire import response_shapes as shapes
from api.wire.conversations import UpdateConversation
from api.wire.files import PURPOSES
from api.wire.ids import id_schema
from api.wire.responses import INCLUDABLE
from api.wire.search import SearchRequest
from api.wire.uploads import CompleteUpload, CreateUpload
from api.wire.vector_stores import (
    AttachFile,
    CreateBatch,
    CreateVectorStore,
    UpdateAttributes,
    UpdateVectorStore,
)

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path. The name is the official `operationId`."""

    name: str
    method: str  # lower case
    path: str  # with {parameters}
    summary: str
    reply: Any  # shape of the JSON reply; None: bytes
    example_reply: Any = None
    query: Sequence[str] = ()  # names in QUERY
    body: type[BaseModel] | None = None
    form: Schema | None = None  # schema of a multipart/form-data body
    example: Any = None  # of the body
    streams: bool = False  # may also answer server-sent events
    can_miss: bool = False  # 404 although no id is in the path: the body names something

    @property
    def tag(self) -> str:
        """The resource it belongs to."""
        return self.path.split("/")[2 if self.path.startswith("/v1") else 1]


_ANY_ID: Final = {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"}
PATH: Final[Mapping[str, tuple[Schema, str]]] = {
    "file_id": (id_schema("file"), ex.FILE_ID),
    "vector_store_id": (id_schema("vector_store"), ex.STORE_ID),
    "batch_id": (id_schema("file_batch"), ex.BATCH_ID),
    "upload_id": (id_schema("upload"), ex.UPLOAD_ID),
    "response_id": (id_schema("response"), ex.RESPONSE_ID),
    "conversation_id": (id_schema("conversation"), ex.CONVERSATION_ID),
    "item_id": (_ANY_ID, ex.ITEM_ID),
    "model": ({"type": "string"}, "extractive"),
}


def _limit(default: int, most: int) -> Schema:
    return {"type": "integer", "minimum": 1, "maximum": most, "default": default}


# Name in this file → name on the wire, schema, description.
QUERY: Final[Mapping[str, tuple[str, Schema, str]]] = {
    "limit": ("limit", _limit(DEFAULT_LIMIT, MAX_LIMIT), "Length of the page."),
    "files_limit": ("limit", _limit(MAX_FILES_LIMIT, MAX_FILES_LIMIT), "Length of the page."),
    "order": (
        "order",
        {"type": "string", "enum": ["asc", "desc"], "default": "desc"},
        "By creation: oldest first, or newest first.",
    ),
    "after": ("after", _ANY_ID, "The page begins after this object, also if it is gone by now."),
    "before": ("before", _ANY_ID, "The page ends before this object, also if it is gone by now."),
    "filter": ("filter", {"type": "string", "enum": list(STATUSES)}, "Only files in this state."),
    "purpose": ("purpose", {"type": "string"}, "Only files of this purpose."),
    "stream": ("stream", {"type": "boolean", "default": False}, "Answer with its events."),
    "starting_after": (
        "starting_after",
        {"type": "integer", "minimum": -1, "default": -1},
        "With `stream`: the `sequence_number` after which the events begin.",
    ),
    "sourcebook": (
        "sourcebook",
        {"type": "string", "enum": ["places"]},
        "Adds the `sourcebook` objects.",
    ),
    "extras": (
        "sourcebook",
        {"type": "string", "enum": ["places", "progress", "places,progress"]},
        "Adds the `sourcebook` objects: where files come from, how far they are.",
    ),
    "progress": (
        "sourcebook",
        {"type": "string", "enum": ["progress"]},
        "Adds the `sourcebook` object: how far the files are.",
    ),
    "include": (
        "include[]",
        {"type": "array", "items": {"type": "string", "enum": list(INCLUDABLE)}},
        "What to show as well; `include` is another name.",
    ),
}

PAGE: Final = ("limit", "order", "after", "before")
FORM: Final[Schema] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["file", "purpose"],
    "properties": {
        "file": {"type": "string", "format": "binary", "minLength": 1},
        "purpose": {"type": "string", "enum": list(PURPOSES)},
        "expires_after[anchor]": {"type": "string", "enum": ["created_at"]},
        "expires_after[seconds]": {"type": "integer", "minimum": 3600, "maximum": 2_592_000},
    },
    "dependentRequired": {
        "expires_after[anchor]": ["expires_after[seconds]"],
        "expires_after[seconds]": ["expires_after[anchor]"],
    },
}

PART: Final[Schema] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["data"],
    "properties": {"data": {"type": "string", "format": "binary", "minLength": 1}},
}

_F: Final = "/v1/files"
_U: Final = "/v1/uploads"
_O: Final = "/v1/sourcebook"  # what the official API has nothing for
_S: Final = "/v1/vector_stores"
_S1: Final = "/v1/vector_stores/{vector_store_id}"
_SF: Final = f"{_S1}/files"
_SB: Final = f"{_S1}/file_batches"
_R: Final = "/v1/responses"
_C: Final = "/v1/conversations"
_C1: Final = "/v1/conversations/{conversation_id}"

# fmt: off
FILES: Final = (
    Operation("createFile", "post", _F, "Upload a file", r.FileObject, ex.file, form=FORM,
              example={"file": ex.TEXT, "purpose": "assistants"}),
    Operation("listFiles", "get", _F, "List files", r.FileList, ex.files,
              query=("purpose", "files_limit", "order", "after")),
    Operation("retrieveFile", "get", f"{_F}/{{file_id}}", "Get a file", r.FileObject, ex.file),
    Operation("downloadFile", "get", f"{_F}/{{file_id}}/content", "Get a file's bytes", None),
    Operation("deleteFile", "delete", f"{_F}/{{file_id}}",
              "Delete a file, here and in every vector store", r.FileDeleted, ex.file_deleted),
)

UPLOADS: Final = (
    Operation("createUpload", "post", _U, "Begin a file that arrives in parts", r.UploadObject,
              ex.upload, body=CreateUpload,
              example={"filename": ex.FILENAME, "purpose": "assistants",
                       "bytes": ex.file["bytes"], "mime_type": "text/plain"}),
    Operation("addUploadPart", "post", f"{_U}/{{upload_id}}/parts",
              "Add a part, in any order and beside others", r.UploadPart, ex.part, form=PART,
              example={"data": ex.TEXT}),
    Operation("completeUpload", "post", f"{_U}/{{upload_id}}/complete",
              "Make the file from its parts, in this order", r.UploadObject, ex.upload_completed,
              body=CompleteUpload, example={"part_ids": [ex.PART_ID]}),
    Operation("cancelUpload", "post", f"{_U}/{{upload_id}}/cancel", "Give an upload up",
              r.UploadObject, ex.upload_cancelled),
)

STORES: Final = (
    Operation("createVectorStore", "post", _S, "Create a vector store", r.VectorStoreObject,
              ex.store, body=CreateVectorStore, can_miss=True,
              example={"name": "Geography", "file_ids": [ex.FILE_ID], "metadata": {"team": "maps"},
                       "expires_after": {"anchor": "last_active_at", "days": 7}}),
    Operation("listVectorStores", "get", _S, "List vector stores", r.VectorStoreList, ex.stores,
              query=PAGE),
    Operation("getVectorStore", "get", _S1, "Get a vector store", r.VectorStoreObject, ex.store),
    Operation("modifyVectorStore", "post", _S1, "Change a vector store; null clears a field",
              r.VectorStoreObject, ex.store, body=UpdateVectorStore,
              example={"name": "Geography", "metadata": {"team": "maps"}}),
    Operation("searchVectorStore", "post", f"{_S1}/search", "Search a vector store",
              r.SearchResultsPage, ex.search_results, body=SearchRequest,
              example={"query": ex.QUESTION, "filters": ex.EQUALITY, "max_num_results": 5}),
    Operation("deleteVectorStore", "delete", _S1, "Delete a vector store; its files stay",
              r.VectorStoreDeleted, ex.store_deleted),
)

STORE_FILES: Final = (
    Operation("createVectorStoreFile", "post", _SF, "Put a file into a vector store",
              r.VectorStoreFileObject, ex.store_file, body=AttachFile,
              example={"file_id": ex.FILE_ID, "attributes": {"continent": "Europe"}}),
    Operation("listVectorStoreFiles", "get", _SF, "List the files of a vector store",
              r.VectorStoreFileList, ex.store_files, query=(*PAGE, "filter", "extras")),
    Operation("getVectorStoreFile", "get", f"{_SF}/{{file_id}}", "Get a file of a vector store",
              r.VectorStoreFileObject, ex.store_file, query=("extras",)),
    Operation("updateVectorStoreFileAttributes", "post", f"{_SF}/{{file_id}}",
              "Replace a file's attributes", r.VectorStoreFileObject, ex.store_file,
              body=UpdateAttributes, example={"attributes": {"continent": "Europe"}}),
    Operation("retrieveVectorStoreFileContent", "get", f"{_SF}/{{file_id}}/content",
              "Get a file's text as it was read", r.FileContentPage, ex.content),
    Operation("deleteVectorStoreFile", "delete", f"{_SF}/{{file_id}}",
              "Take a file out of a vector store", r.VectorStoreFileDeleted,
              ex.store_file_deleted),
    Operation("createVectorStoreFileBatch", "post", _SB, "Put many files into a vector store",
              r.FileBatchObject, ex.batch, body=CreateBatch,
              example={"file_ids": [ex.FILE_ID], "attributes": {"continent": "Europe"}}),
    Operation("getVectorStoreFileBatch", "get", f"{_SB}/{{batch_id}}", "Get a file batch",
              r.FileBatchObject, ex.batch, query=("progress",)),
    Operation("cancelVectorStoreFileBatch", "post", f"{_SB}/{{batch_id}}/cancel",
              "Stop a file batch; what is done stays", r.FileBatchObject, ex.batch),
    Operation("listFilesInVectorStoreBatch", "get", f"{_SB}/{{batch_id}}/files",
              "List the files of a batch", r.VectorStoreFileList, ex.store_files,
              query=(*PAGE, "filter", "extras")),
)

INDEXING: Final = (
    Operation("getQueue", "get", f"{_O}/queue", "What is being indexed, and how much waits",
              indexing.QueueObject, ex.queue),
    Operation("retryVectorStoreFiles", "post", f"{_O}/vector_stores/{{vector_store_id}}/retry",
              "Queue failed files again: all, one, or those of one error code",
              indexing.RetryObject, ex.retried, body=indexing.RetryFiles, can_miss=True,
              example={"code": "server_error"}),
)

MODELS: Final = (
    Operation("listModels", "get", "/v1/models", "List models", r.ModelList, ex.models),
    Operation("retrieveModel", "get", "/v1/models/{model}", "Get a model", r.ModelObject, ex.model),
)

RESPONSES: Final = (
    Operation("createResponse", "post", _R, "Answer from vector stores, with citations",
              shapes.ResponseObject, ex.response, body=bodies.ResponseBody, streams=True,
              can_miss=True, example={"model": "extractive", "input": ex.QUESTION,
                                      "tools": [ex.file_search]}),
    Operation("getResponse", "get", f"{_R}/{{response_id}}", "Get a stored response",
              shapes.ResponseObject, ex.response, streams=True,
              query=("include", "sourcebook", "stream", "starting_after")),
    Operation("cancelResponse", "post", f"{_R}/{{response_id}}/cancel",
              "Cancel a response in the background", shapes.ResponseObject,
              ex.response_in_background, query=("include", "sourcebook")),
    Operation("Getinputtokencounts", "post", f"{_R}/input_tokens",
              "Count the tokens of an input", shapes.InputTokens, ex.input_tokens,
              body=bodies.InputTokensBody, can_miss=True,
              example={"model": "extractive", "input": ex.QUESTION}),
    Operation("Compactconversation", "post", f"{_R}/compact",
              "Make a conversation short: one item that stands for it", shapes.CompactionObject,
              ex.compaction, body=bodies.CompactBody, can_miss=True,
              example={"model": "extractive", "input": ex.QUESTION}),
    Operation("listInputItems", "get", f"{_R}/{{response_id}}/input_items",
              "List what a response was asked", shapes.ItemList, ex.input_items,
              query=(*PAGE, "include", "sourcebook")),
    Operation("deleteResponse", "delete", f"{_R}/{{response_id}}", "Delete a stored response",
              shapes.ResponseDeleted, ex.response_deleted),
)

CONVERSATIONS: Final = (
    Operation("createConversation", "post", _C, "Begin a conversation", shapes.ConversationObject,
              ex.conversation, body=bodies.ConversationBody, can_miss=True,
              example={"items": [ex.user_item], "metadata": {"topic": "capitals"}}),
    Operation("getConversation", "get", _C1, "Get a conversation", shapes.ConversationObject,
              ex.conversation),
    Operation("updateConversation", "post", _C1, "Replace its metadata",
              shapes.ConversationObject, ex.conversation, body=UpdateConversation,
              example={"metadata": {"topic": "capitals"}}),
    Operation("deleteConversation", "delete", _C1, "Delete a conversation with its items",
              shapes.ConversationDeleted, ex.conversation_deleted),
    Operation("createConversationItems", "post", f"{_C1}/items", "Add items",
              shapes.ItemList, ex.input_items, body=bodies.ItemsBody,
              query=("include", "sourcebook"), example={"items": [ex.user_item]}),
    Operation("listConversationItems", "get", f"{_C1}/items", "List items", shapes.ItemList,
              ex.input_items, query=(*PAGE, "include", "sourcebook")),
    Operation("getConversationItem", "get", f"{_C1}/items/{{item_id}}", "Get an item",
              shapes.Item, ex.input_items["data"][0], query=("include", "sourcebook")),
    Operation("deleteConversationItem", "delete", f"{_C1}/items/{{item_id}}", "Delete an item",
              shapes.ConversationObject, ex.conversation),
)

VERIFY: Final = (
    Operation("verifyText", "post", f"{_O}/verify",
              "Check a text against sources, sentence by sentence, without a language model",
              verify.VerificationObject, ex.verification, body=verify.VerifyRequest, can_miss=True,
              example={"text": "The museum opens at nine [1].",
                       "sources": [{"text": "The museum is open from nine to five."}]}),
)

HEALTH: Final = Operation("health", "get", "/healthz", "Whether the server works", r.Health,
                          {"status": "ok"})
# fmt: on

OPERATIONS: Final = (
    *FILES,
    *UPLOADS,
    *STORES,
    *STORE_FILES,
    *INDEXING,
    *MODELS,
    *RESPONSES,
    *CONVERSATIONS,
    *VERIFY,
    HEALTH,
)
