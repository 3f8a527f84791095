"""Content credentials: what a signed file says, and what cannot sign."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import wave
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from autodub.media import provenance
from autodub.media.containers import CONTAINERS
from autodub.media.marking import SOURCE_TYPE
from autodub.media.probe import probe
from autodub.model.errors import BadOption, EngineCannot, OutputProblem

needs_c2pa = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("c2pa", "cryptography")),
    reason="c2pa-python is not installed",
)
Keys = Callable[..., dict[str, Path]]


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """Makes a chain of a root and a signer, both of one day, and the signer's key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def name(common: str) -> x509.Name:
        return x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, "XX"),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Somebody"),
                x509.NameAttribute(NameOID.COMMON_NAME, common),
            ]
        )

    def certificate(subject: str, key: Any, issuer: str, signing: Any, *, is_root: bool) -> x509.Certificate:
        now = datetime.now(UTC)
        usage = dict.fromkeys(
            ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only",
             "decipher_only", "crl_sign"), False,
        )  # fmt: skip
        made = (
            x509.CertificateBuilder()
            .subject_name(name(subject))
            .issuer_name(name(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(digital_signature=not is_root, key_cert_sign=is_root, **usage), critical=True
            )
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False
            )
        )
        if not is_root:
            purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
            made = made.add_extension(purpose, critical=False)
        return made.sign(signing, hashes.SHA256())

    kinds: dict[str, Callable[[], Any]] = {
        "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
        "rsa": lambda: rsa.generate_private_key(65_537, 2048),
        "ed25519": ed25519.Ed25519PrivateKey.generate,
    }

    def make(kind: str = "p256", *, form: str = "PKCS8") -> dict[str, Path]:
        root, own = kinds["p256"](), kinds[kind]()
        chain = [
            certificate("Signer", own, "Root", root, is_root=False),
            certificate("Root", root, "Root", root, is_root=True),
        ]
        pem = serialization.Encoding.PEM
        paths = {"certificate": tmp_path / f"{kind}.pem", "key": tmp_path / f"{kind}.key"}
        paths["certificate"].write_bytes(b"".join(one.public_bytes(pem) for one in chain))
        paths["key"].write_bytes(
            own.private_bytes(
                pem, getattr(serialization.PrivateFormat, form), serialization.NoEncryption()
            )
        )  # fmt: skip
        return paths

    return make


def film(folder: Path, ending: str) -> Path:
    """A second of tone, with a picture where the file can hold one."""
    path = folder / f"film{ending}"
    inputs = ["-f", "lavfi", "-i", "sine=duration=1"]
    if CONTAINERS[ending].picture:
        inputs += ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=10:duration=1", "-c:v", "mpeg4"]
    subprocess.run(["ffmpeg", "-v", "error", *inputs, path], check=True)
    return path


def packets(path: Path) -> bytes:
    """Digests of all packets."""
    command = ["ffmpeg", "-v", "error", "-i", path, "-map", "0", "-c", "copy", "-f", "streamhash", "-"]
    return subprocess.run(command, check=True, capture_output=True).stdout


@needs_c2pa
@pytest.mark.parametrize("ending", sorted(provenance.KINDS))
def test_a_signed_file_says_what_was_done(tmp_path: Path, keys: Keys, ending: str) -> None:
    """The manifest is whole and valid, names the file, and says dubbed and partly made by a model."""
    import c2pa

    source, signed = film(tmp_path, ending), tmp_path / f"signed{ending}"
    provenance.sign(source, signed, **keys(), title="Great Talk")
    with c2pa.Reader(signed) as reader:
        told = json.loads(reader.json())
    manifest = told["manifests"][told["active_manifest"]]
    assert manifest["title"] == "Great Talk"
    assert manifest["claim_generator_info"][0]["name"] == "Autodub"
    (actions,) = [one["data"]["actions"] for one in manifest["assertions"] if "actions" in one["label"]]
    assert [one["action"] for one in actions] == ["c2pa.created", "c2pa.dubbed"]
    assert {one["digitalSourceType"] for one in actions} == {SOURCE_TYPE}
    assert manifest["signature_info"]["issuer"] == "Somebody"
    faults = {one["code"] for one in told.get("validation_status", [])}
    assert faults <= {"signingCredential.untrusted"}, "only that nobody knows our root"
    assert probe(signed).duration == probe(source).duration
    assert packets(signed) == packets(source)


@needs_c2pa
@pytest.mark.parametrize("kind", ["p256", "p384", "rsa", "ed25519"])
def test_every_kind_of_key_signs(keys: Keys, kind: str) -> None:
    """Keys of every kind that the standard allows are recognised and used."""
    provenance.check(**keys(kind))


@needs_c2pa
def test_a_file_changed_after_signing_is_noticed(tmp_path: Path, keys: Keys) -> None:
    """One changed sample makes the manifest invalid."""
    import c2pa

    signed = tmp_path / "signed.wav"
    provenance.sign(film(tmp_path, ".wav"), signed, **keys(), title="Talk")
    data = bytearray(signed.read_bytes())
    data[5000] ^= 1
    signed.write_bytes(data)
    with c2pa.Reader(signed) as reader:
        told = json.loads(reader.json())
    assert "assertion.dataHash.mismatch" in {one["code"] for one in told["validation_status"]}


@needs_c2pa
def test_what_cannot_sign_is_named(tmp_path: Path, keys: Keys) -> None:
    """A foreign key, a lone or empty certificate, another form and a missing file are told."""
    good, other = keys("p256"), keys("p384")
    source, signed = film(tmp_path, ".wav"), tmp_path / "signed.wav"
    lone = tmp_path / "lone.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ed25519", "-keyout", tmp_path / "lone.key", "-noenc",
         "-subj", "/CN=Me", "-days", "1", "-out", lone], check=True, capture_output=True,
    )  # fmt: skip
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    sec1 = keys("p256", form="TraditionalOpenSSL")["key"].rename(tmp_path / "sec1.key")
    again = keys("p256")
    for certificate, key, said in (
        (good["certificate"], other["key"], "cannot sign"),
        (lone, tmp_path / "lone.key", "cannot sign"),
        (empty, again["key"], "is not PEM"),
        (again["certificate"], sec1, "PKCS #8"),
        (again["certificate"], tmp_path / "none.key", "cannot be read"),
    ):
        with pytest.raises(BadOption, match=said) as caught:
            provenance.sign(source, signed, certificate=certificate, key=key, title="Talk")
        assert key.read_text().splitlines()[1] not in str(caught.value) if key.exists() else True
        with pytest.raises(BadOption, match=said):
            provenance.check(certificate=certificate, key=key)
        assert not signed.exists()
        assert not list(tmp_path.glob(".autodub-*"))


@needs_c2pa
def test_a_full_disk_is_no_fault_of_the_certificate(tmp_path: Path, keys: Keys, small_disk: Path) -> None:
    """Without room for the signed copy the error says so, and nothing is left of it."""
    source = tmp_path / "long.wav"
    own = keys()
    with wave.open(str(source), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(261_000))  # it fits, but not with a manifest
    with pytest.raises(OutputProblem, match=r"no room|too large|cannot be written"):
        provenance.sign(source, small_disk / "signed.wav", **own, title="Talk")
    assert list(small_disk.iterdir()) == []


@pytest.mark.parametrize("ending", sorted(set(CONTAINERS) - set(provenance.KINDS)))
def test_files_that_cannot_carry_a_manifest_are_refused(tmp_path: Path, ending: str) -> None:
    """For other kinds of files the error lists those that can, and the question can be asked before."""
    assert not provenance.can_sign(tmp_path / f"a{ending}")
    assert provenance.can_sign(tmp_path / "a.MP4")
    with pytest.raises(OutputProblem, match="cannot carry content credentials"):
        provenance.sign(
            tmp_path / f"a{ending}", tmp_path / f"b{ending}", certificate=tmp_path, key=tmp_path, title=""
        )


def test_without_the_package_the_error_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where c2pa-python is missing, checking the settings says so with the command."""
    monkeypatch.setitem(__import__("sys").modules, "c2pa", None)
    with pytest.raises(EngineCannot, match="not installed") as caught:
        provenance.check(certificate=tmp_path / "c.pem", key=tmp_path / "k.pem")
    assert "pip install 'autodub[c2pa]'" in caught.value.hint
