"""A certificate authority of the run's own, so that clients in pods verify the API server as they do elsewhere."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class KeyPair:
    """PEM files of a certificate and its private key."""

    certificate: Path
    key: Path


class Authority:
    """A self-signed CA in `folder`, and the serving certificates it signs."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.pair = KeyPair(folder / "ca.crt", folder / "ca.key")
        self._request(self.pair, name, "-x509", "-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature")

    @property
    def certificate(self) -> Path:
        return self.pair.certificate

    def serving(self, name: str, alternative_names: list[str]) -> KeyPair:
        """A serving certificate; `alternative_names` as openssl writes them (`DNS:localhost`, `IP:127.0.0.1`)."""
        pair = KeyPair(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        self._request(
            pair, name, "-x509", "-CA", str(self.pair.certificate), "-CAkey", str(self.pair.key),
            "-addext", "basicConstraints=critical,CA:FALSE",
            "-addext", "extendedKeyUsage=serverAuth",
            "-addext", "subjectAltName=" + ",".join(alternative_names),
        )  # fmt: skip
        return pair

    @staticmethod
    def _request(pair: KeyPair, name: str, *options: str) -> None:
        openssl(
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "365",
            "-subj", f"/CN={name}", "-keyout", str(pair.key), "-out", str(pair.certificate), *options,
        )  # fmt: skip


def signing_key(path: Path) -> Path:
    """A private key for ServiceAccount tokens; the API server reads the public half of the same file."""
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(path))
    return path


def openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"openssl {arguments[0]} failed: {done.stderr.strip()}")
