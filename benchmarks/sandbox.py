"""The sandbox beside what no sandbox can do without: a bare ipykernel on this machine, a container that imports it.

Every figure has its floor in the same run, measured alternately. The host's own imports are done before.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from threading import Barrier

from jupyter_client.manager import start_new_kernel

from ecoassist.config import load
from ecoassist.kernel.container import Containers
from ecoassist.kernel.docker import Engine, connect
from ecoassist.kernel.link.mux import Mux
from ecoassist.kernel.settings import BoxSettings
from ecoassist.kernel.sources import seccomp
from ecoassist.play import play
from ecoassist.ports import Kernel
from ecoassist.sandboxes import Sandboxes, box_settings
from ecoassist.types import Attachment

from .common import Figure, alternately, milliseconds, ratio, report, seconds

STARTS, TRIPS, RESTARTS, COPIES, STOPS = 9, 200, 5, 3, 3
AT_ONCE = 20
SIZE = 100_000_000
PIECE = 1 << 16
IMPORT = "import ipykernel.kernelapp; print('imported', flush=True); input()"
TAKES = f"""
import sys
with open("/tmp/taken", "wb") as file:
    left = {SIZE}
    while left: left -= file.write(sys.stdin.buffer.read1({PIECE}))
print("taken", flush=True); input()
"""
GIVES = f"""
import shutil, sys
open("/tmp/given", "wb").write(bytes({SIZE}))
input(); shutil.copyfileobj(open("/tmp/given", "rb"), sys.stdout.buffer); sys.stdout.flush(); input()
"""
MEMORY = """
import sys
from pathlib import Path
def rss(): return int(Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0]) / 1024
if sys.argv[1] == "bare":
    from jupyter_client.manager import start_new_kernel
    manager, client = start_new_kernel()
    client.execute_interactive("1+1", output_hook=lambda message: None)
    print(rss(), rss())
    client.stop_channels(); manager.shutdown_kernel(now=True)
else:
    from ecoassist.config import load
    from ecoassist.play import play
    from ecoassist.sandboxes import Sandboxes
    boxes, kernels, sizes = Sandboxes(load(), lambda text: None, ()), [], []
    for _ in range(4):
        kernels.append(boxes.start())
        play(kernels[-1].run("1+1"))
        sizes.append(rss())
    print(sizes[0], (sizes[-1] - sizes[0]) / 3)
    for kernel in kernels: kernel.close()
"""


class Bench:
    """What the measurements share: the engine, the prepared image, the settings."""

    def __init__(self) -> None:
        self.config = load()
        self.boxes = Sandboxes(self.config, lambda text: None, ())
        self.image = str(self.boxes.prepare())
        self.settings: BoxSettings = box_settings(self.config)
        self.engine: Engine = connect(self.settings)

    @contextmanager
    def container(self, program: str) -> Iterator[Stream]:
        """A container with our image and our limits, which runs a program in place of the relay."""
        api = self.engine.api
        made = api.create_container(
            self.image,
            entrypoint=["/opt/venv/bin/python", "-c", program],
            user="10001:10001",
            detach=False,
            stdin_open=True,
            host_config=api.create_host_config(**self.engine.limits(self.settings, seccomp())),
        )["Id"]
        stream = Stream(self.engine, made)
        try:
            yield stream
        finally:
            stream.close()

    # ── starts ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def imports(self) -> float:
        """Until it has imported."""
        began = time.perf_counter()
        with self.container(IMPORT) as stream:
            stream.read(len("imported"))
            return time.perf_counter() - began

    def runs(self) -> float:
        """Until it has imported and ended, as `docker run` counts."""
        began = time.perf_counter()
        with self.container("import ipykernel.kernelapp") as stream:
            stream.end()
            return time.perf_counter() - began

    def cold(self) -> float:
        began = time.perf_counter()
        with closing(self.boxes.start()) as kernel:
            answer(kernel)
            return time.perf_counter() - began

    def bare(self) -> float:
        began = time.perf_counter()
        manager, client = start_new_kernel(stderr=subprocess.DEVNULL)
        client.execute_interactive("1+1", output_hook=lambda message: None)
        took = time.perf_counter() - began
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        return took

    # ── transfers ───────────────────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def link(self, files: Sequence[Attachment] = ()) -> Iterator[Mux]:
        with tempfile.TemporaryDirectory(prefix="eco-") as folder:
            sockets = {number: f"{folder}/k-{number}" for number in range(1, 6)}
            connection = {"key": "0" * 32, "signature_scheme": "hmac-sha256"}
            mux = Containers(self.settings).boot(connection, sockets, files=files)
            with closing(mux):
                yield mux

    def given(self) -> float:
        with self.link() as mux:
            pieces = (bytes(PIECE)[: SIZE - at] for at in range(0, SIZE, PIECE))
            return seconds(lambda: mux.files.put("given", pieces))

    def taken(self) -> float:
        with self.link([Attachment("taken", bytes(SIZE))]) as mux:
            began = time.perf_counter()
            assert sum(len(piece) for piece in mux.files.get("taken", SIZE)) == SIZE
            return time.perf_counter() - began

    def plainly_given(self) -> float:
        with self.container(TAKES) as stream:
            began = time.perf_counter()
            for at in range(0, SIZE, PIECE):
                stream.write(bytes(PIECE)[: SIZE - at])
            stream.read(len("taken"))
            return time.perf_counter() - began

    def plainly_taken(self) -> float:
        with self.container(GIVES) as stream:
            began = time.perf_counter()
            stream.write(b"\n")
            stream.read(SIZE)
            return time.perf_counter() - began

    # ── many, and their memory ──────────────────────────────────────────────────────────────────────────────────────

    def many(self) -> tuple[int, float]:
        """How many of 20 sandboxes at once failed to answer while all of them were up, and the seconds it took."""
        up = Barrier(AT_ONCE)

        def one(number: int) -> bool:
            with closing(self.boxes.start()) as kernel:
                up.wait(120)
                return play(kernel.run(f"{number} * 2")).value == str(number * 2)

        def tried(number: int) -> bool:
            try:
                return one(number)
            except Exception as error:  # noqa: BLE001 - any failure counts, and the others go on
                print(f"sandbox {number}: {type(error).__name__}: {error}", file=sys.stderr)
                up.abort()
                return False

        began = time.perf_counter()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            good = sum(pool.map(tried, range(AT_ONCE)))
        return AT_ONCE - good, time.perf_counter() - began


class Stream:
    """The standard streams of a container, as the engine of containers carries them."""

    def __init__(self, engine: Engine, container: str) -> None:
        self._socket = engine.attach(container)
        self._file = self._socket.makefile("rb")
        engine.start(container)

    def write(self, data: bytes) -> None:
        self._socket.sendall(data)

    def read(self, size: int) -> None:
        while size > 0:
            size -= len(self._file.read(int.from_bytes(self._file.read(8)[4:], "big")))

    def end(self) -> None:
        assert not self._file.read()

    def close(self) -> None:
        self._file.close()
        self._socket.close()


def answer(kernel: Kernel) -> None:
    assert play(kernel.run("1+1")).value == "2"


def warm_and_restarts(bench: Bench) -> list[Figure]:
    manager, client = start_new_kernel(stderr=subprocess.DEVNULL)

    def restart() -> None:
        manager.restart_kernel(now=True)
        client.wait_for_ready(30)

    with closing(bench.boxes.start()) as kernel:
        trips = alternately(
            {
                "bare": lambda: seconds(lambda: client.execute_interactive("1+1", output_hook=lambda message: None)),
                "ours": lambda: seconds(lambda: answer(kernel)),
            },
            TRIPS,
        )
        restarts = alternately(
            {"bare": lambda: seconds(restart), "ours": lambda: seconds(kernel.restart)},
            RESTARTS,
        )
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    return [
        milliseconds("1+1, bare", trips["bare"]),
        milliseconds("1+1, sandboxed", trips["ours"]),
        ratio("1+1, sandboxed / bare", trips["ours"], trips["bare"], at_most=1.2),
        Figure("1+1, sandboxed / bare at the 95th percentile", p95(trips["ours"]) / p95(trips["bare"]), "x"),
        milliseconds("restart, sandboxed", restarts["ours"]),
        ratio("restart, sandboxed / bare", restarts["ours"], restarts["bare"]),
    ]


def p95(samples: Sequence[float]) -> float:
    return statistics.quantiles(samples, n=20)[-1]


def starts(bench: Bench) -> list[Figure]:
    work: dict[str, Callable[[], float]] = {
        "import": bench.imports,
        "ours": bench.cold,
        "run": bench.runs,
        "bare": bench.bare,
    }
    samples = alternately(work, STARTS)
    return [
        milliseconds("container that imports ipykernel", samples["import"]),
        milliseconds("the same to its end, as docker run counts", samples["run"]),
        milliseconds("container to the first result", samples["ours"]),
        ratio("first result / import in a container, to its end", samples["ours"], samples["run"], at_most=1.25),
        ratio("first result / import in a container", samples["ours"], samples["import"]),
        ratio("first result / that of a bare ipykernel", samples["ours"], samples["bare"]),
    ]


def stops(bench: Bench) -> list[Figure]:
    """From the deadline of a cell that looks at no signal to the result of the next cell."""
    limits = bench.config.sandbox.model_copy(update={"cell_seconds": 1.0})
    config = bench.config.model_copy(update={"sandbox": limits})
    with closing(Sandboxes(config, lambda text: None, ()).start()) as kernel:

        def stop() -> float:
            began = time.perf_counter()
            assert play(kernel.run("sum(range(10**13))")).status == "timeout"
            answer(kernel)
            return time.perf_counter() - began - 1.0

        samples = [stop() for _ in range(STOPS)]
    return [Figure("deadline of an endless loop in C to the next result", statistics.median(samples), "s", 5.0)]


def transfers(bench: Bench) -> list[Figure]:
    work: dict[str, Callable[[], float]] = {
        "plainly in": bench.plainly_given,
        "in": bench.given,
        "plainly out": bench.plainly_taken,
        "out": bench.taken,
    }
    samples = alternately(work, COPIES)
    return [
        milliseconds("100 MB in", samples["in"]),
        ratio("100 MB in / through an attached container", samples["in"], samples["plainly in"]),
        milliseconds("100 MB out", samples["out"]),
        ratio("100 MB out / through an attached container", samples["out"], samples["plainly out"]),
    ]


def memory() -> list[Figure]:
    def rss(kind: str) -> list[float]:
        done = subprocess.run([sys.executable, "-c", MEMORY, kind], check=True, capture_output=True, text=True)
        return [float(word) for word in done.stdout.split()]

    [bare, _], [ours, further] = rss("bare"), rss("ours")
    return [
        Figure("memory of a process with jupyter_client and a bare kernel", bare, "MB"),
        Figure("memory of a process with a sandbox", ours, "MB", note=f"{ours / bare:.2f} x bare"),
        Figure("each further sandbox", further, "MB"),
    ]


def main() -> None:
    bench = Bench()
    figures = [*starts(bench), *warm_and_restarts(bench), *stops(bench), *transfers(bench)]
    failures, took = bench.many()
    figures += [
        Figure(f"failures of {AT_ONCE} sandboxes at once", failures, "", 0),
        Figure(f"{AT_ONCE} sandboxes at once, all answers", took, "s"),
        *memory(),
    ]
    report("The sandbox", figures)


if __name__ == "__main__":
    main()
