"""The warm round trip of `1+1`: a sandboxed kernel, beside a bare ipykernel here, driven by jupyter_client."""

from __future__ import annotations

from jupyter_client.manager import start_new_kernel

from ecoassist.config import load
from ecoassist.play import play
from ecoassist.sandboxes import Sandboxes

from .common import alternately, milliseconds, ratio, report, seconds

ROUNDS = 200


def main() -> None:
    kernel = Sandboxes(load(), lambda text: None, ()).start()
    manager, client = start_new_kernel()
    try:
        samples = alternately(
            {
                "bare": lambda: seconds(lambda: client.execute_interactive("1+1", output_hook=lambda message: None)),
                "ours": lambda: seconds(lambda: play(kernel.run("1+1"))),
            },
            ROUNDS,
        )
    finally:
        kernel.close()
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    report(
        "Warm round trip of 1+1",
        [
            milliseconds("bare local ipykernel", samples["bare"]),
            milliseconds("sandboxed kernel", samples["ours"]),
            ratio("sandboxed / bare", samples["ours"], samples["bare"], at_most=1.5),
        ],
    )


if __name__ == "__main__":
    main()
