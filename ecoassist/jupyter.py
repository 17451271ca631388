"""Notebooks in the sandbox: what a kernelspec of `ecoassist kernel install` names, for whatever starts kernels through
jupyter_client.

A notebook meets the same container, gate and keys as a question does. What differs: input() works where the client
takes it, no cell has a deadline (that is the client's affair), and no file goes in or comes out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from traitlets import Unicode

from .borders import redactor_of
from .config import Config, load
from .errors import EcoassistError
from .kernel.provisioner import BoxProvisioner
from .redactor import Redactor
from .render.plain import plain
from .sandboxes import Sandboxes

if TYPE_CHECKING:
    from .kernel.link.mux import Mux


class NotebookProvisioner(BoxProvisioner):
    """Runs a notebook's kernel. The traits are set by the kernelspec, the keys are those of Jupyter's environment.

    What takes long and what is amiss is told to Jupyter's log. Raises EcoassistError with its remedy in the message.
    """

    config_file: Any = Unicode(help="Configuration of ecoassist; empty: the usual one.")
    flavour: Any = Unicode(help="Of the image; empty: the configuration's.")
    _told = False
    _redactor = Redactor()

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.boot = self._behind_gate

    async def pre_launch(self, **kwargs: Any) -> Any:
        with self._with_remedy():
            return await super().pre_launch(**kwargs)

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        self._told = False
        with self._with_remedy():
            return await super().launch_kernel(cmd, **kwargs)

    async def poll(self) -> int | None:
        death = self.death()
        manager: Any = self.parent
        if death and death.status != "killed" and not self._told and not manager.shutting_down:
            self._tell(death.reason)
            self._told = True
        return await super().poll()

    def _behind_gate(self, connection: Mapping[str, Any], sockets: Mapping[int, str]) -> Mux:
        return Sandboxes(self.settings(), self._tell, ()).boot(connection, sockets)

    def settings(self) -> Config:
        """The configuration with the kernelspec's flavour. Raises UsageFault."""
        config = load(Path(self.config_file) if self.config_file else None, sandbox={"flavour": self.flavour or None})
        self._redactor = redactor_of(config)
        return config

    def _tell(self, text: str) -> None:
        self.log.warning("ecoassist: %s", plain(self._redactor.text(text)))  # Jupyter shows warnings wherever it runs

    @contextmanager
    def _with_remedy(self) -> Iterator[None]:
        """Jupyter shows the message of an error and nothing else of it."""
        try:
            yield
        except EcoassistError as error:
            self._redactor.error(error)
            # from None: whoever reads this looks for the remedy, not for our own lines
            raise type(error)(plain(f"{error}\n{error.remedy}"), error.remedy) from None
