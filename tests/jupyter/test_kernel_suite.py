"""The public test suite for Jupyter kernels, as far as IPython does what it asks for."""

from __future__ import annotations

from typing import Any

import pytest
from jupyter_client.channels import ZMQSocketChannel
from jupyter_client.manager import KernelManager
from jupyter_kernel_test import TIMEOUT, IopubWelcomeTests, KernelTests

pytestmark = pytest.mark.docker


class PatientChannel(ZMQSocketChannel):
    """Waits for what must come. The suite allows each message 0.1 s, which a busy machine may not keep."""

    patient = True

    def get_msg(self, timeout: float | None = None) -> dict[str, Any]:
        message: dict[str, Any] = super().get_msg(timeout=TIMEOUT if self.patient else timeout)
        return message


class TestTheSandboxAsAnyKernel(KernelTests):  # type: ignore[misc]
    kernel_name = "ecoassist"
    language_name = "python"
    file_extension = ".py"
    code_hello_world = "print('hello, world')"
    code_stderr = "import sys; print('oops', file=sys.stderr)"
    completion_samples = [{"text": "zi", "matches": {"zip"}}]  # noqa: RUF012 - as the suite has it
    complete_code_samples = ["1", "print('x')", "def f(x):\n  return x * 2\n\n\n"]  # noqa: RUF012
    incomplete_code_samples = ["print('''x", "def f(x):\n  x * 2"]  # noqa: RUF012
    invalid_code_samples = ["import = 7q"]  # noqa: RUF012
    code_page_something = "zip?"
    code_generate_error = "raise ValueError('as asked')"
    code_execute_result = [  # noqa: RUF012
        {"code": "1 + 2 + 3", "result": "6"},
        {"code": "[n * n for n in range(1, 4)]", "result": "[1, 4, 9]"},
    ]
    code_display_data = [  # noqa: RUF012
        {"code": "from IPython.display import HTML, display; display(HTML('<b>x</b>'))", "mime": "text/html"},
        {"code": "from IPython.display import Math, display; display(Math('x'))", "mime": "text/latex"},
    ]
    supported_history_operations = ("tail",)  # a bare ipykernel fails the suite's range and search as well
    code_inspect_sample = "zip"
    code_clear_output = "from IPython.display import clear_output; clear_output()"

    @classmethod
    def setUpClass(cls) -> None:
        cls.km = KernelManager(kernel_name=cls.kernel_name)
        cls.km.start_kernel()
        cls.kc = cls.km.client(iopub_channel_class=PatientChannel)
        cls.kc.start_channels()
        cls.kc.iopub_channel.patient = False
        cls.kc.wait_for_ready(timeout=60)
        cls.kc.iopub_channel.patient = True

    def flush_channels(self) -> None:
        self.kc.iopub_channel.patient = False
        super().flush_channels()
        self.kc.iopub_channel.patient = True


class TestTheWelcome(IopubWelcomeTests):  # type: ignore[misc]
    kernel_name = "ecoassist"
    support_iopub_welcome = True


del KernelTests, IopubWelcomeTests  # pytest would collect them too
