"""A hostile component costs its caller one `internal` error."""

from pathlib import Path

import pytest
from wasmtime.component import Component

from keycell_host.__main__ import POLICY
from keycell_host.authority import ENGINE, Authority, KeycellError
from keycell_host.create import create_database
from keycell_host.storage import SqliteStorage, open_database

# `get-api-key` returns a list of texts, which is empty unless the body does harm.
COMPONENT = """
(component
  (import "wasi:random/random@0.2.12" (instance $random
    (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))
  (core module $memory
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
  (core instance $memory (instantiate $memory))
  (alias export $random "get-random-bytes" (func $wasi_random))
  (alias core export $memory "memory" (core memory $bytes))
  (alias core export $memory "realloc" (core func $realloc))
  (core func $get_random_bytes (canon lower (func $wasi_random) (memory $bytes) (realloc $realloc)))
  (core module $guest
    (import "memory" "memory" (memory 1))
    (import "random" "get-random-bytes" (func $get_random_bytes (param i64 i32)))
    (func (export "get-api-key") (param i32 i32) (result i32)
      (local $n i32)
      BODY
      (i32.const 0)))
  (core instance $guest (instantiate $guest
    (with "memory" (instance $memory))
    (with "random" (instance (export "get-random-bytes" (func $get_random_bytes))))))
  (alias core export $guest "get-api-key" (core func $run))
  (func $get_api_key (param "api-key-id" string) (result (list string))
    (canon lift (core func $run) (memory $bytes) (realloc $realloc)))
  (instance $api_keys (export "get-api-key" (func $get_api_key)))
  (export "keycell:api-keys/api-keys@0.2.0" (instance $api_keys)))
"""
HARM = {
    "loops": "(loop (br 0))",
    "grows": "(if (i32.eq (memory.grow (i32.const 256)) (i32.const -1)) (then unreachable))",
    "asks for many random bytes": "(call $get_random_bytes (i64.const 4097) (i32.const 16))",
    # 7,000 texts of 32 KB each, all of the same bytes.
    "answers more than it has": """
      (i32.store (i32.const 0) (i32.const 8))
      (i32.store (i32.const 4) (i32.const 7000))
      (loop (i32.store (i32.add (i32.const 12) (i32.mul (local.get $n) (i32.const 8))) (i32.const 0x7f7f))
        (br_if 0 (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 7000))))
    """,
}


def get(tmp_path: Path, body: str) -> object:
    component = Component(ENGINE, COMPONENT.replace("BODY", body))
    create_database(tmp_path / "keycell.db")
    storage = SqliteStorage(open_database(tmp_path / "keycell.db"))
    return Authority(component, storage, POLICY).call(None, "get_api_key", api_key_id="id")


@pytest.mark.parametrize("body", HARM.values(), ids=HARM.keys())
def test_harm_is_an_internal_error(tmp_path: Path, body: str) -> None:
    with pytest.raises(KeycellError) as failed:
        get(tmp_path, body)
    assert failed.value.kind == "internal"


def test_without_harm_the_component_answers(tmp_path: Path) -> None:
    assert get(tmp_path, "") == []
