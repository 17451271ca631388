"""The program that starts a kernel, in a container and on this machine: ipykernel, and what it lacks for us."""

from __future__ import annotations

LAUNCH = """
import sys
sys.path.remove("")
import zmq
from ipykernel.iostream import OutStream
from ipykernel.kernelapp import IPKernelApp

PIECE = 1 << 19
whole, bind, unsent = OutStream.write, IPKernelApp.init_iopub, {}

def write(stream, text):
    for at in range(0, len(text), PIECE):
        piece = text[at : at + PIECE]
        whole(stream, piece)
        unsent[stream] = unsent.get(stream, 0) + len(piece)
        if unsent[stream] >= PIECE:
            unsent[stream] = 0
            stream.flush()
    return len(text)

def init_iopub(app, context):
    bind(app, context)
    socket = app.iopub_thread.socket
    app.iopub_thread.schedule(lambda: socket.setsockopt(zmq.XPUB_NODROP, 1))

OutStream.write, IPKernelApp.init_iopub = write, init_iopub
IPKernelApp.launch_instance()
"""
"""Starts a kernel with the person's files out of its way: one may be called types.py. IPython puts their folder
behind the standard library.

ipykernel sends what code prints in a fifth of a second as one message, which may be larger than we take: here it is
sent in pieces. And it drops what a reader is 1,000 messages behind with (measured: 1,700 of 20,000 lines); here code
waits.
"""
