"""PID 1 of the sandbox container: supervises the kernel and carries byte streams over stdin and stdout.

Runs as `python3 -I -S relay/__main__.py`, on the standard library alone. A frame is: type (1 byte), channel (4), length
(4, at most 128 KB), payload.

to the relay    H  hello, first and once, JSON:
                     argv        the kernel's command, argv[0] absolute; "{connection_file}" stands for that file's path
                     env         the kernel's whole environment
                     cwd         the kernel's working directory, where the host's files go
                     rundir      for the connection file, `texts` and the kernel's log; emptied before each start
                     wipe        directories that a restart empties
                     connection  the content of Jupyter's connection file; transport "ipc", sockets at ip + "-" + port
                     spool       optional: where files go that the host puts while the kernel runs; /tmp
                     texts       optional: name -> content of small text files for the rundir, for instance ca.pem
                     proxy_port  optional: where clients in here find the proxy on 127.0.0.1; 3128
                     ports       optional: those of hosts. Names get addresses in here then, and a connection to such an
                                 address is a tunnel of the proxy
                     here        optional: "127.0.0.1:8080" -> "localhost:8080": a connection to the former, whose port
                                 is one of `ports`, is a tunnel to the latter
                     names_port  optional: where names are asked for on 127.0.0.1; 53
                     overlay     optional: [python, folder]; makes a venv there, in what `wipe` empties, on top of the
                                 one that `python` belongs to
                F  a file is coming: its plain name;  f  a piece of its content
                G  go: start the kernel
                S  a signal for the kernel's process group: one byte
                R  restart: end every process but this one, empty the `wipe` directories; F, f and G follow
from the relay  G  the kernel was started: JSON {"facts": what the container sees of its walls, in facts.py}; or it was
                   not: {"error": why}
                X  the kernel ended: JSON {code, oom}; code is negative for a signal
                L  text for the log
both ways       O  open, with what for; the relay's numbers have the highest bit set, none is used twice
                     3               by the host: this port of the connection file
                     list            by the host: gets one JSON array of [name, size, mtime in ns], the files below cwd
                     get NAME        by the host: gets the content of one of them; nothing if it is none
                     put SIZE NAME   by the host: sends SIZE bytes, gets "ok" or "error: why"; a plain name, in `spool`
                     proxy           by the relay: a client of the proxy in here
                D  data, within the 256 KB window that each side starts with;  W  more window: 4 bytes
                C  closed, in both directions; frames that crossed it are ignored
"""
