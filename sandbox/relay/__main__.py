"""Runs the relay as a program, by the path of this file."""

import ctypes
import os
import sys

# -I and -S leave nothing but the standard library to import from
sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from sandbox.relay import facts
from sandbox.relay.confine import restrict
from sandbox.relay.loop import Relay

PR_SET_DUMPABLE = 4


def main() -> None:
    if os.getpid() != 1 and sys.argv[1:] != ["--outside-container"]:
        sys.exit("relay: runs as PID 1 of a container; elsewhere only with --outside-container")
    if ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0):  # closes /proc/1 to the kernel, which has the same user
        sys.exit("relay: the memory of this process cannot be protected")
    found = facts.read()  # before our own filter would be taken for the engine's
    if os.getpid() == 1:
        try:
            restrict()
        except (OSError, KeyError) as error:
            sys.exit(f"relay: this machine takes no seccomp filter: {error}")
    relay = Relay(found)
    try:
        relay.run()
    except EOFError:
        pass  # the host is gone
    finally:
        if os.getpid() != 1:  # the end of PID 1 ends the others without help
            relay.kernel.end()
    os._exit(0)


if __name__ == "__main__":
    main()
