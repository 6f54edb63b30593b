"""/v1/vector_stores: create, read, change, delete, list."""

from __future__ import annotations

import openai
import pytest
from test_api_files import refused, upload

DAY_S = 86_400


def test_empty_body_makes_a_store_with_all_keys(service):
    made = service.raw.post("/v1/vector_stores", json={}).json()
    counts = dict.fromkeys(["in_progress", "completed", "failed", "cancelled", "total"], 0)
    assert made == {
        "id": made["id"],
        "object": "vector_store",
        "created_at": made["created_at"],
        "name": None,
        "description": None,
        "usage_bytes": 0,
        "file_counts": counts,
        "status": "completed",
        "expires_after": None,
        "expires_at": None,
        "last_active_at": made["created_at"],
        "metadata": {},
    }
    assert made["id"].startswith("vs_")
    assert service.raw.post("/v1/vector_stores").status_code == 200  # no body at all


def test_all_fields_are_kept(service):
    made = service.client.vector_stores.create(
        name="Ü",
        expires_after={"anchor": "last_active_at", "days": 7},
        metadata={"team": "red"},
        extra_body={"description": "about"},
    )
    assert made.name == "Ü"
    assert made.metadata == {"team": "red"}
    assert made.expires_after.days == 7
    assert made.expires_at == made.last_active_at + 7 * DAY_S
    assert service.client.vector_stores.retrieve(made.id) == made
    assert service.raw.get(f"/v1/vector_stores/{made.id}").json()["description"] == "about"


def test_explicit_nulls_are_absences(service):
    nulls = dict.fromkeys(["name", "file_ids", "expires_after", "chunking_strategy", "metadata"])
    assert service.raw.post("/v1/vector_stores", json=nulls).json()["metadata"] == {}


def test_update_changes_what_is_given_and_clears_what_is_null(service):
    stores = service.client.vector_stores
    made = stores.create(name="old", metadata={"a": "b"})
    assert stores.update(made.id, name="new").metadata == {"a": "b"}
    expiring = stores.update(made.id, expires_after={"anchor": "last_active_at", "days": 1})
    assert (expiring.name, expiring.expires_after.days) == ("new", 1)
    nulls = {"name": None, "expires_after": None, "metadata": None}
    cleared = service.raw.post(f"/v1/vector_stores/{made.id}", json=nulls).json()
    assert (cleared["name"], cleared["expires_after"], cleared["expires_at"]) == (None, None, None)
    assert cleared["metadata"] == {}


def test_deleted_store_is_gone_and_its_files_stay(service):
    file = upload(service)
    made = service.client.vector_stores.create(file_ids=[file.id])
    assert made.file_counts.total == 1
    gone = service.client.vector_stores.delete(made.id)
    assert (gone.id, gone.object, gone.deleted) == (made.id, "vector_store.deleted", True)
    with pytest.raises(openai.NotFoundError, match=f"No vector store found with id '{made.id}'"):
        service.client.vector_stores.retrieve(made.id)
    assert service.client.files.retrieve(file.id) == file


def test_unknown_file_makes_no_store(service):
    before = len(list(service.client.vector_stores.list()))
    reply = service.raw.post("/v1/vector_stores", json={"file_ids": ["file-none"]})
    assert refused(reply, 404)["message"] == "No such File object: file-none"
    assert len(list(service.client.vector_stores.list())) == before


def test_walks_in_both_orders_and_backwards(service):
    made = [service.client.vector_stores.create(name=str(n)).id for n in range(5)]
    walked = [store.id for store in service.client.vector_stores.list(limit=2)]
    assert walked[:5] == made[::-1]  # created within one second: the last made comes first
    up = [store.id for store in service.client.vector_stores.list(limit=2, order="asc")]
    assert up == walked[::-1]
    before = service.client.vector_stores.list(limit=2, before=made[0])
    assert [store.id for store in before.data] == [made[2], made[1]]
    assert before.has_more


def test_page_is_truthful_about_more(service):
    for _ in range(2):
        service.client.vector_stores.create()
    total = len(list(service.client.vector_stores.list()))
    query = {"limit": min(total, 100)}
    page = service.raw.get("/v1/vector_stores", params=query).json()
    assert not page["has_more"]
    assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], page["data"][-1]["id"])
    assert service.raw.get("/v1/vector_stores", params={"limit": total - 1}).json()["has_more"]


def test_beta_header_and_others_are_ignored(service):
    headers = {"OpenAI-Beta": "assistants=v2", "Idempotency-Key": "k", "OpenAI-Project": "p"}
    assert service.raw.get("/v1/vector_stores", headers=headers).status_code == 200
