"""A local server that speaks S3, for as long as a block lasts."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BUCKET, KEY_ID, SECRET = "results", "AKIAOFATEST", "sEcReTofAtEsT"


@dataclass(frozen=True)
class Server:
    """Where it listens."""

    endpoint: str
    process: "subprocess.Popen[bytes]"

    @property
    def settings(self) -> dict[str, str]:
        """What the environment must say to use it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def end(self) -> int:
        """End it before its block does; return how."""
        self.process.kill()
        return self.process.wait()

    def make_bucket(self) -> None:
        asked = urllib.request.Request(f"{self.endpoint}/{BUCKET}", method="PUT")
        with urllib.request.urlopen(asked):
            pass


@contextmanager
def s3_running(log: Path, **environment: str) -> Iterator[Server]:
    """Keep a server with an empty bucket; only this machine can reach it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with (
        log.open("wb") as written,
        subprocess.Popen(
            command, env=os.environ | environment, stdout=written, stderr=written
        ) as process,
    ):
        server = Server(f"http://127.0.0.1:{port}", process)
        try:
            _wait_for(server)
            yield server
        finally:
            process.terminate()


def _wait_for(server: Server) -> None:
    """Wait until the bucket is there; give up only when the server has ended."""
    while server.process.poll() is None:
        try:
            server.make_bucket()
        except ConnectionError:
            time.sleep(0.2)
        except urllib.error.HTTPError:
            return  # it lets nobody in
        except urllib.error.URLError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"the server ended with {server.process.returncode}")
